"""Where commands write: tables for people, JSON and CSV for programs, and nothing that a terminal would act on."""

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from dataclasses import replace
from typing import Any, Final

import click
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from otel_costs.store.rendering import as_json, csv_cell

Row = Mapping[str, Any]

UNBOUNDED: Final = 100_000
"""Columns of what does not go to a terminal: nothing is folded or cut. COLUMNS says otherwise."""
_LEAST_TEXT: Final = 20
"""Columns that a text has at least, before other columns are left out for it."""

# What moves the cursor, colours, retitles or reorders becomes a visible sign: ␛ for escape. Lines and tabs stay.
_REORDERING: Final = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SIGNS: Final = {
    **{code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *_REORDERING, *range(0xD800, 0xE000)), 0xFFFD),
}
_IN_ONE_LINE: Final = {0x09: 0x2409, 0x0A: 0x240A}
# JSON has its own way to write what a terminal would act on.
_JSON_SIGNS: Final = {code: f"\\u{code:04x}" for code in _SIGNS if code >= 0x7F}


def inert(text: str) -> str:
    """Return `text` without anything that a terminal would act on."""
    return text.replace("\r\n", "\n").translate(_SIGNS)


def console(*, stderr: bool = False) -> Console:
    """Return the console for tables, or for progress on standard error. Text is printed as it is, without markup."""
    file = sys.stderr if stderr else sys.stdout
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="replace")  # a terminal that does not speak UTF-8 shows ? instead of an error
    width = None if file.isatty() or os.environ.get("COLUMNS") else UNBOUNDED
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False, soft_wrap=False)


def show(*parts: RenderableType) -> None:
    """Print tables and texts to standard output; where that is no terminal, no line ends with blanks."""
    out = console()
    with nullcontext() if out.is_terminal else out.capture() as captured:
        for part in parts:
            out.print(
                part, crop=False, no_wrap=out.width >= UNBOUNDED, overflow="ignore" if out.width >= UNBOUNDED else None
            )
    if captured is not None:
        out.file.write("".join(f"{line.rstrip(' ')}\n" for line in captured.get().removesuffix("\n").split("\n")))


def note(text: str) -> None:
    """Write a note beside the output, on standard error."""
    click.echo(inert(text), err=True)


def write_json(report: object) -> None:
    """Write a report in the shape of the HTTP interface: money as exact strings."""
    _write(inert_json(as_json(report, indent=2)) + "\n")


def inert_json(text: str) -> str:
    """Return JSON that reads back as the same, without anything that a terminal would act on."""
    return text.translate(_JSON_SIGNS)


def write_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Write rows with a header: money exact, times in ISO 8601, nested values in JSON, unknown empty, no formulas."""
    text = csv_text(rows, columns)
    _write(inert(text) if sys.stdout.isatty() else text)


def csv_text(rows: Iterable[Row], columns: Sequence[str]) -> str:
    """Return rows as `write_csv` writes them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(name, row.get(name)) for name in columns] for row in map(flat, rows))
    return out.getvalue()


def flat(row: Row) -> Row:
    """Return a row with the parts of its cost as columns, text_input_usd, and its tokens, text_input_tokens."""
    parts = {f"{part}_usd": usd for part, usd in (row.get("cost_breakdown") or {}).items()}
    return {**row, **parts, **{f"{kind}_tokens": count for kind, count in (row.get("tokens") or {}).items()}}


def _write(text: str) -> None:
    # Always UTF-8: a file that is made here is read elsewhere.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
    sys.stdout.buffer.flush()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show on standard error that something goes on, if that is a terminal."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield
        return
    with err.status(what):
        yield


def text(value: object, style: str = "") -> Text:
    """Return what came from outside as a text that is nothing but text."""
    return Text(inert(str(value)), style=style)


def name(value: object, style: str = "") -> Text:
    """Return an id or a name from outside as a text of one line, which is never folded."""
    found = line(value, style)
    found.no_wrap = True
    return found


def line(value: object, style: str = "") -> Text:
    """Return what came from outside as a text of one line, which may be folded where there is no room."""
    return Text(inert(str(value)).translate(_IN_ONE_LINE), style=style)


class FittedTable(Table):
    """A table that never folds a name or a figure: what has no room is left out, and of no name a part.

    Columns with `no_wrap` keep their width; where all of them have no room beside each other, those are left out that
    stand before the last one, from the right; the first and the last stay. Other columns are texts, which fold.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Leave out what has no room, and draw the rest."""
        widths = [self._width(console, options, column) for column in self.columns]
        kept = list(range(len(widths)))
        droppable = sorted(kept[1:-1], key=lambda place: (self.columns[place].header == "unpriced", -place))
        while droppable and _needed(widths, kept) > options.max_width:
            kept.remove(droppable.pop(0))
        fitted = copy(self)
        fitted.columns = [replace(self.columns[place], _index=index) for index, place in enumerate(kept)]
        wide = options.update(width=max(_needed(widths, kept), options.max_width))
        yield from Table.__rich_console__(fitted, console, wide)

    def _width(self, console: Console, options: ConsoleOptions, column: Column) -> int:
        natural = self._measure_column(console, options.update(width=UNBOUNDED), column).maximum
        return natural if column.no_wrap else min(natural, _LEAST_TEXT)


def _needed(widths: Sequence[int], kept: Sequence[int]) -> int:
    """Return the width of a table of the columns `kept`: their own, one between them, and the edges."""
    return sum(widths[place] for place in kept) + len(kept) + 1


def table(title: str | None = None) -> Table:
    """Return an empty table in the style that all have."""
    return FittedTable(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        header_style="dim",
        pad_edge=False,
        collapse_padding=True,
    )
