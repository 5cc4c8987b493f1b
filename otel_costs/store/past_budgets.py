"""What was spent of budgets at moments that are past, against the limits that are set now.

A call counts from its end on, at the price and for the user that it has now.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from otel_costs.store import budget_sums
from otel_costs.store.budget_sums import ASKED, BUDGETED, NOTHING, ROLLED, which
from otel_costs.store.periods import calendar
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_LIMITS: Final = "select * from budget_limits"
_PIECE: Final = (
    "roundDown(toUnixTimestamp64Milli(end_time), {pieces:Array(Int64)}) as piece,"
    " coalesce(cost_usd, 0) as usd, toUInt64(cost_usd is null) as unpriced"
)
_ENDED: Final = "end_time >= {since:DateTime64(3, 'UTC')} and end_time < {until:DateTime64(3, 'UTC')}"
_OF_USERS: Final = (
    f"select 'user' as scope, user_id as name, {_PIECE} from owned_calls"  # noqa: S608
    f" where {_ENDED} and user_id in (select name from budget_limits where scope = 'user')"
)
_SUMS: Final = (
    "select scope, name, piece, sum(s.usd) as usd, sum(s.unpriced) as unpriced from ({parts}) as s"
    " group by scope, name, piece order by piece"
)
_PIECES: Final = 1000
"""Pieces of time that one question is of: they go in an address, which has an end."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


class PastBudgets:
    """The budgets of a store at some moments; their calls are read once, when it is made. Raises StoreError."""

    def __init__(self, client: "Client", moments: Sequence[datetime]) -> None:
        """`moments` are those that `status` may be asked of."""
        self._limits = rows(client, _LIMITS)
        self._spent: dict[tuple[str, str], _Spent] = {}
        if not self._limits or not moments:
            return
        starts = {
            _ms(start)
            for zone, name in {(limit["zone"], limit["period"]) for limit in self._limits}
            for at in moments
            for start in calendar(name, at, ZoneInfo(zone))[:2]
        }
        pieces = sorted(starts | {_ms(at) + 1 for at in moments})
        for row in _sums(client, {limit["scope"] for limit in self._limits}, pieces):
            self._spent.setdefault((row["scope"], row["name"]), _Spent()).rows.append(row)
        for spent in self._spent.values():
            spent.add_up()

    @property
    def zones(self) -> frozenset[str]:
        """The time zones in which periods of budgets begin."""
        return frozenset(limit["zone"] for limit in self._limits)

    def status(self, at: datetime) -> list[Row]:
        """Return every budget and what was spent of it until `at` in its period of then: the rows of budget_status.

        `changed_at` stands beside them: when it was set as it is now.
        """
        return [self._status(limit, at) for limit in self._limits]

    def _status(self, limit: Row, at: datetime) -> Row:
        before, start, end = calendar(limit["period"], at, ZoneInfo(limit["zone"]))
        spent = self._spent.get((limit["scope"], limit["name"]), _NOTHING_SPENT)
        usd, unpriced = spent.between(_ms(start), _ms(at) + 1)
        carried = NOTHING
        if limit["rollover"] and limit["since"] < start:
            carried = max(limit["limit_usd"] - spent.between(_ms(before), _ms(start))[0], NOTHING)
        then = {**limit, "period_start": start, "period_end": end}
        return {**budget_sums.status_of(then, usd, carried, unpriced), "changed_at": limit["changed_at"]}


class _Spent:
    """What the calls of one budget have cost, added up by the pieces of time that they ended in."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._pieces: list[int] = []
        self._usd: list[Decimal] = [NOTHING]
        self._unpriced: list[int] = [0]

    def add_up(self) -> None:
        """Add up `rows`, which are in the order of time."""
        self._pieces = [row["piece"] for row in self.rows]
        self._usd = list(accumulate((row["usd"] for row in self.rows), initial=NOTHING))
        self._unpriced = list(accumulate((row["unpriced"] for row in self.rows), initial=0))
        self.rows = []

    def between(self, since: int, until: int) -> tuple[Decimal, int]:
        """Return what the calls of the pieces in [since, until) cost, and how many have no price."""
        first, last = bisect_left(self._pieces, since), bisect_left(self._pieces, until)
        return self._usd[last] - self._usd[first], self._unpriced[last] - self._unpriced[first]


_NOTHING_SPENT: Final = _Spent()


def _sums(client: "Client", scopes: Collection[str], pieces: Sequence[int]) -> Iterator[Row]:
    """Yield what was spent by scope, name and the piece of time that calls ended in, in order; but for the last one."""
    known = {scope: sql for scope, sql in {**ROLLED, **ASKED}.items() if scope in scopes}
    parts = [_OF_USERS] * ("user" in scopes) + [_of_calls(which(known, known))] * bool(known)
    sql = _SUMS.format(parts=" union all ".join(parts))
    for first in range(0, len(pieces) - 1, _PIECES):
        asked = pieces[first : first + _PIECES + 1]
        bound = {"pieces": asked[:-1], "since": _EPOCH + asked[0] * _MS, "until": _EPOCH + asked[-1] * _MS}
        yield from rows(client, sql, bound)


def _of_calls(counted_in: str) -> str:
    return (
        f"select which.1 as scope, which.2 as name, {_PIECE} from named_calls"  # noqa: S608
        f" array join {counted_in} as which where {_ENDED} and {BUDGETED}"
    )


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MS
