"""Where commands write: tables for people, JSON and CSV for programs, and nothing that a terminal would act on."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.store.rendering import as_json, plain

Row = Mapping[str, Any]

PIPED_WIDTH: Final = 100
"""Columns of a table that does not go to a terminal; COLUMNS says otherwise."""

# What moves the cursor, colours, retitles or reorders becomes a visible sign: ␛ for escape. Lines and tabs stay.
_REORDERING: Final = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SIGNS: Final = {
    **{code: 0x2400 + code for code in range(0x20) if code not in (0x09, 0x0A)},
    0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *_REORDERING, *range(0xD800, 0xE000)), 0xFFFD),
}
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
    width = None if file.isatty() or os.environ.get("COLUMNS") else PIPED_WIDTH
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False, soft_wrap=False)


def show(*parts: RenderableType) -> None:
    """Print tables and texts to standard output."""
    out = console()
    for part in parts:
        out.print(part)


def note(text: str) -> None:
    """Say something beside the output, on standard error."""
    click.echo(inert(text), err=True)


def write_json(report: object) -> None:
    """Write a report in the shape of the HTTP interface: money as exact strings."""
    _write(as_json(report, indent=2).translate(_JSON_SIGNS) + "\n")


def write_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Write rows with a header: money exact, times in ISO 8601, nested values in JSON, unknown empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(name, row.get(name)) for name in columns] for row in map(flat, rows))
    text = out.getvalue()
    _write(inert(text) if sys.stdout.isatty() else text)


def flat(row: Row) -> Row:
    """Return a row with the parts of its cost as columns, text_input_usd, and its tokens, text_input_tokens."""
    parts = {f"{part}_usd": usd for part, usd in (row.get("cost_breakdown") or {}).items()}
    return {**row, **parts, **{f"{kind}_tokens": count for kind, count in (row.get("tokens") or {}).items()}}


def _cell(name: str, value: object) -> object:
    row: Any = plain({name: value})
    written = row[name]
    return json.dumps(written, ensure_ascii=False) if isinstance(written, dict | list) else written


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


def table(title: str | None = None) -> Table:
    """Return an empty table in the style that all have."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        header_style="dim",
        pad_edge=False,
        collapse_padding=True,
    )
