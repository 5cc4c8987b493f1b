"""What was spent of budgets: the view budget_status, asked for those scopes alone that there are budgets of.

To plan that view takes long, whatever it reads. Budgets of all, of scenarios and of services are told by the costs that
are counted by half hours; those of users, models and tags by the calls of their periods.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.sessions.reservations import WARNING
from otel_costs.store import rollups
from otel_costs.store.rows import Row, rows
from otel_costs.usage.numbers import EXACT, total

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_LIMITS: Final = "select * from budget_limits"

_CALL: Final = (
    "arrayCount(moment -> moment <= toUnixTimestamp64Milli(end_time), {moments:Array(Int64)}) as piece,"
    " coalesce(cost_usd, 0) as usd, toUInt64(cost_usd is null) as unpriced"
)
_HALF_HOUR: Final = (
    "arrayCount(moment -> moment <= half_hour * 1800000, {moments:Array(Int64)}) as piece,"
    " cost_usd as usd, unpriced_calls as unpriced"
)
BUDGETED: Final = "which in (select scope, name from budget_limits)"
_OF_USERS: Final = (
    f"select 'user' as scope, user_id as name, {_CALL} from owned_calls"  # noqa: S608
    " where end_time >= {since_user:DateTime64(3, 'UTC')}"
    " and user_id in (select name from budget_limits where scope = 'user')"
)
_SUMS: Final = (
    "select scope, name, piece, sum(s.usd) as usd, sum(s.unpriced) as unpriced from ({parts}) as s"
    " group by scope, name, piece"
)

ROLLED: Final[Mapping[str, str]] = {
    "all": "[('all', '')]",
    "scenario": "[('scenario', toString(scenario))]",
    "service": "[('service', toString(service))]",
}
ASKED: Final[Mapping[str, str]] = {
    "model": "arrayMap(asked -> ('model', asked), arrayDistinct([toString(model), toString(request_model),"
    " concat(provider, '/', model), concat(provider, '/', request_model)]))",
    "tag": "arrayMap((key, value) -> ('tag', concat(key, '=', value)), mapKeys(tags), mapValues(tags))",
}
"""Which budgets a row counts in, by their scope."""

NOTHING: Final = Decimal("0E-12")
_UNIT: Final = 10**12


def status(client: "Client") -> list[Row]:
    """Return every budget and what was spent of it in its current period, the fullest first: rows of budget_status.

    Raises StoreError.
    """
    limits = rows(client, _LIMITS)
    if not limits:
        return []
    moments = sorted({moment for limit in limits for moment in _edges(limit)})
    spent: dict[tuple[str, str], list[Row]] = {}
    for row in _spent(client, limits, moments):
        spent.setdefault((row["scope"], row["name"]), []).append(row)
    found = [_of_now(limit, spent.get((limit["scope"], limit["name"]), ()), moments) for limit in limits]
    return sorted(found, key=lambda row: (-row["used"], row["scope"], row["name"], row["period"]))


def _begins(limit: Row) -> list[datetime]:
    """Return when the period of a budget began, and before it the one that something may be left of."""
    return [limit["period_before"]] * limit["carries"] + [limit["period_start"]]


def _edges(limit: Row) -> list[datetime]:
    """Return the moments that cut the calls of a budget: what ends behind its period counts in a later one."""
    return [*_begins(limit), limit["period_end"]]


def _spent(client: "Client", limits: Sequence[Row], moments: Sequence[datetime]) -> list[Row]:
    """Return what was spent by scope, name and `piece`, how many of `moments` had come: all as of the same moment."""
    bound: dict[str, Any] = {"moments": [int(moment.timestamp()) * 1000 for moment in moments]}
    scopes = {limit["scope"] for limit in limits}
    parts = []
    if "user" in scopes:
        parts.append(_OF_USERS)
        bound["since_user"] = _first(limits, {"user"})
    if rolled := scopes & ROLLED.keys():
        parts += _of_half_hours(client, limits, rolled, bound)
    if asked := scopes & ASKED.keys():
        parts.append(_of_calls(ASKED, asked, "end_time >= {since_asked:DateTime64(3, 'UTC')}"))
        bound["since_asked"] = _first(limits, asked)
    return rows(client, _SUMS.format(parts=" union all ".join(parts)), bound)


def _of_half_hours(
    client: "Client", limits: Sequence[Row], scopes: Collection[str], bound: dict[str, Any]
) -> list[str]:
    """Return the questions of what is counted of some scopes, and of the calls where nothing is; bind their values."""
    # What is counted by scenario and service adds up to all, too.
    dimensions = ",".join(sorted(set(scopes) - {"all"}))
    since = _first(limits, scopes)
    edges = {moment for limit in limits if limit["scope"] in scopes for moment in _edges(limit)}
    half_hours = rollups.half_hours(client, since, dimensions, edges)
    if half_hours is None:
        bound["since_rolled"] = since
        return [_of_calls(ROLLED, scopes, "end_time >= {since_rolled:DateTime64(3, 'UTC')}")]
    bound.update(half_hours)
    counted = (
        f"select which.1 as scope, which.2 as name, {_HALF_HOUR} from counted_half_hours"  # noqa: S608
        f" array join {which(ROLLED, scopes)} as which"
        f" where dimensions = {{dimensions:String}} and {rollups.COUNTED_HALF_HOURS} and {BUDGETED}"
    )
    return [counted, _of_calls(ROLLED, scopes, rollups.CALLS_READ_ANEW)] if half_hours["anew"] else [counted]


def _of_calls(known: Mapping[str, str], scopes: Collection[str], calls: str) -> str:
    return (
        f"select which.1 as scope, which.2 as name, {_CALL} from named_calls as c"  # noqa: S608
        f" array join {which(known, scopes)} as which where {calls} and {BUDGETED}"
    )


def which(known: Mapping[str, str], scopes: Collection[str]) -> str:
    """Return the budgets that a call counts in, of some scopes, as an expression of pairs of scope and name."""
    return f"arrayConcat({', '.join(known[scope] for scope in sorted(scopes))})"


def _first(limits: Sequence[Row], scopes: Collection[str]) -> datetime:
    """Return when the first period begins of the budgets of some scopes."""
    return min(moment for limit in limits if limit["scope"] in scopes for moment in _begins(limit)).astimezone(UTC)


def _of_now(limit: Row, spent: Sequence[Row], moments: Sequence[datetime]) -> Row:
    """Return the row of a budget: the columns of budget_status."""
    began, ended = (moments.index(limit[name]) + 1 for name in ("period_start", "period_end"))
    in_period = [row for row in spent if began <= row["piece"] < ended]
    usd = EXACT.add(NOTHING, total(row["usd"] for row in in_period))
    carried = NOTHING
    if limit["carries"]:
        before = moments.index(limit["period_before"]) + 1
        left = EXACT.subtract(limit["limit_usd"], total(row["usd"] for row in spent if before <= row["piece"] < began))
        carried = max(left, NOTHING)
    return status_of(limit, usd, carried, sum(row["unpriced"] for row in in_period))


def status_of(limit: Row, usd: Decimal, carried: Decimal, unpriced: int) -> Row:
    """Return the row of a budget of which `usd` are spent in its period: the columns of budget_status."""
    allowed = EXACT.add(limit["limit_usd"], carried)
    return {
        **{name: limit[name] for name in ("scope", "name", "period", "period_start", "period_end", "zone")},
        "limit_usd": limit["limit_usd"],
        "carried_usd": carried,
        "spent_usd": usd,
        "remaining_usd": EXACT.subtract(allowed, usd),
        "used": _used(usd, allowed),
        "state": _state(usd, allowed),
        "unpriced_calls": unpriced,
        **{name: limit[name] for name in ("soft", "rollover", "since")},
    }


def _used(usd: Decimal, allowed: Decimal) -> float:
    if not allowed:
        return float("inf") if usd > 0 else 0.0
    # As the store makes a double of a decimal: of its digits, then divided.
    return (int(EXACT.multiply(usd, _UNIT)) / _UNIT) / (int(EXACT.multiply(allowed, _UNIT)) / _UNIT)


def _state(usd: Decimal, allowed: Decimal) -> str:
    if usd > allowed:
        return "over"
    return "warning" if usd > 0 and usd >= EXACT.multiply(allowed, WARNING) else "ok"
