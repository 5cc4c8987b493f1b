"""What was spent of budgets at moments that are past, against the limits that are set now.

A call counts from its end on, at the price and for the user that it has now.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from otel_costs.store import budget_sums
from otel_costs.store.budget_sums import ASKED, BUDGETED, NOTHING, ROLLED, which
from otel_costs.store.periods import calendar
from otel_costs.store.pieces import ENDED, PIECE, Sums, asked, ms
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_LIMITS: Final = "select * from budget_limits"
_OF_PIECE: Final = f"{PIECE} as piece, coalesce(cost_usd, 0) as usd, toUInt64(cost_usd is null) as unpriced"
_OF_USERS: Final = (
    f"select 'user' as scope, user_id as name, {_OF_PIECE} from owned_calls"  # noqa: S608
    f" where {ENDED} and user_id in (select name from budget_limits where scope = 'user')"
)
_SUMS: Final = (
    "select scope, name, piece, sum(s.usd) as usd, sum(s.unpriced) as unpriced from ({parts}) as s"
    " group by scope, name, piece order by piece"
)


class PastBudgets:
    """The budgets of a store at some moments; their calls are read once, when it is made. Raises StoreError."""

    def __init__(self, client: "Client", moments: Sequence[datetime]) -> None:
        """`moments` are those that `status` may be asked of."""
        self._limits = rows(client, _LIMITS)
        self._spent: dict[tuple[str, str], Sums] = {}
        if not self._limits or not moments:
            return
        starts = {
            ms(start)
            for zone, name in {(limit["zone"], limit["period"]) for limit in self._limits}
            for at in moments
            for start in calendar(name, at, ZoneInfo(zone))[:2]
        }
        pieces = sorted(starts | {ms(at) + 1 for at in moments})
        for row in _sums(client, {limit["scope"] for limit in self._limits}, pieces):
            spent = self._spent.setdefault((row["scope"], row["name"]), Sums())
            spent.add(row["piece"], row["usd"], row["unpriced"])

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
        usd, unpriced = spent.between(ms(start), ms(at) + 1)
        carried = NOTHING
        if limit["rollover"] and limit["since"] < start:
            carried = max(limit["limit_usd"] - spent.between(ms(before), ms(start))[0], NOTHING)
        then = {**limit, "period_start": start, "period_end": end}
        return {**budget_sums.status_of(then, usd, carried, unpriced), "changed_at": limit["changed_at"]}


_NOTHING_SPENT: Final = Sums()


def _sums(client: "Client", scopes: Collection[str], pieces: Sequence[int]) -> Iterator[Row]:
    """Yield what was spent by scope, name and the piece of time that calls ended in, in order; but for the last one."""
    known = {scope: sql for scope, sql in {**ROLLED, **ASKED}.items() if scope in scopes}
    parts = [_OF_USERS] * ("user" in scopes) + [_of_calls(which(known, known))] * bool(known)
    return asked(client, _SUMS.format(parts=" union all ".join(parts)), pieces)


def _of_calls(counted_in: str) -> str:
    return (
        f"select which.1 as scope, which.2 as name, {_OF_PIECE} from named_calls"  # noqa: S608
        f" array join {counted_in} as which where {ENDED} and {BUDGETED}"
    )
