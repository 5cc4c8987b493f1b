"""A conversation and its costs, row by row: time, speaker, words, and a cost at the right.

A table of rich measures every cell before it draws the first one, which takes seconds for a long conversation.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from otel_costs.cli.output import UNBOUNDED

_NARROW: Final = 60
"""Columns of a terminal below which the time is left out."""
_LEAST: Final = 16
"""Columns that what was said has at least."""

Line = tuple[str, Text, Text, str]
"""Time, speaker, words and cost; each may be empty."""


class Transcript:
    """Rows that are folded to the width of a terminal, and stay whole where there is none."""

    def __init__(self, rows: Sequence[Line]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the rows, each as one text."""
        has_time = options.max_width >= _NARROW
        clock = max((len(row[0]) for row in self._rows), default=0) + 1 if has_time else 0
        role = max((row[1].cell_len for row in self._rows), default=0) + 1
        cost = max((len(row[3]) for row in self._rows), default=0) + 1
        room = UNBOUNDED if options.max_width >= UNBOUNDED else max(options.max_width - clock - role - cost, _LEAST)
        for when, speaker, what, usd in self._rows:
            for number, line in enumerate(_folded(console, what, room)):
                first = number == 0
                drawn = Text(no_wrap=True, overflow="ignore")
                drawn.append(f"{when if first and has_time else '':<{clock}}", "dim")
                label = speaker if first else Text()
                drawn.append_text(label).append(" " * (role - label.cell_len))
                drawn.append_text(line)
                if first and usd:
                    gap = 2 if room == UNBOUNDED else room - line.cell_len + cost - len(usd)
                    drawn.append(" " * max(gap, 1)).append(usd, "bold")
                yield drawn


def _folded(console: Console, what: Text, room: int) -> Iterator[Text]:
    for line in what.split("\n", allow_blank=True):
        if line.cell_len <= room:
            yield line
        else:
            yield from line.wrap(console, room, overflow="fold")
