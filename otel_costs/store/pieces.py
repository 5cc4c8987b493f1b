"""Pieces of time that calls ended in, between moments that are asked about: read once, and added up as often as needed.

A piece is named by its first millisecond since 1970, and ends where the next one begins.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from otel_costs.store.budget_sums import NOTHING
from otel_costs.store.rows import Row, rows
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PIECE: Final = "roundDown(toUnixTimestamp64Milli(end_time), {pieces:Array(Int64)})"
ENDED: Final = "end_time >= {since:DateTime64(3, 'UTC')} and end_time < {until:DateTime64(3, 'UTC')}"

AT_ONCE: Final = 1000
"""Pieces of time that one question is of: they go in an address, which has an end."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def ms(moment: datetime) -> int:
    """Return a moment in milliseconds since 1970, in which calls are: the one that it is in."""
    return (moment - _EPOCH) // _MS


def moment_of(milliseconds: int) -> datetime:
    """Return the moment that is so many milliseconds after 1970."""
    return _EPOCH + milliseconds * _MS


def asked(
    client: "Client", sql: str, bounds: Sequence[int], parameters: Mapping[str, object] | None = None
) -> Iterator[Row]:
    """Yield the rows of a question that has `PIECE` and `ENDED` in it, for all pieces but the last, which has no end.

    `bounds` are where pieces begin, in order. Raises StoreError.
    """
    for first in range(0, len(bounds) - 1, AT_ONCE):
        some = bounds[first : first + AT_ONCE + 1]
        bound = {"pieces": some[:-1], "since": moment_of(some[0]), "until": moment_of(some[-1])}
        yield from rows(client, sql, {**(parameters or {}), **bound})


class Sums:
    """What calls have cost and how many they are, added up by the pieces of time that they ended in."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self._usd: list[Decimal] = []
        self._calls: list[int] = []
        self._sums: tuple[list[Decimal], list[int]] | None = None

    def add(self, piece: int, usd: Decimal | None, calls: int = 0) -> None:
        """Add a piece, which is later than those before; what has no price costs nothing."""
        self.pieces.append(piece)
        self._usd.append(usd or NOTHING)
        self._calls.append(calls)
        self._sums = None

    def between(self, since: int, until: int) -> tuple[Decimal, int]:
        """Return what the calls of the pieces in [since, until) cost, and how many they are."""
        if self._sums is None:
            self._sums = (
                list(accumulate(self._usd, EXACT.add, initial=NOTHING)),
                list(accumulate(self._calls, initial=0)),
            )
        usd, calls = self._sums
        first, last = bisect_left(self.pieces, since), bisect_left(self.pieces, until)
        return EXACT.subtract(usd[last], usd[first]), calls[last] - calls[first]
