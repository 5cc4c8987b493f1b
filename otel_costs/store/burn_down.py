"""How the budgets of the current periods are being spent: piece by piece of time, and where they will end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import costs
from otel_costs.store.periods import month_of, zone
from otel_costs.store.projection import LATELY, projected
from otel_costs.store.reports import COST
from otel_costs.store.rows import Row, between, rows
from otel_costs.store.selection import TEXTS, Selection
from otel_costs.usage import numbers

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MOST: Final = 50
"""Budgets of which that is told: each is a question of its own."""

_QUARTER_S: Final = 900  # of an hour: offsets of zones are whole ones
_OF_MODEL: Final = """
select intDiv(toUnixTimestamp(c.end_time), 900)::Int64 as quarter, sum(c.cost_usd) as cost_usd
from billed_calls as c
where c.end_time >= {since:DateTime64(3, 'UTC')}
    and c.end_time < {until:DateTime64(3, 'UTC')}
    and {name:String} in (
        c.model, c.request_model, concat(c.provider, '/', c.model), concat(c.provider, '/', c.request_model))
    and c.cost_usd is not null
group by quarter
order by quarter
"""
_LENGTHS: Final = {"day": timedelta(days=1), "week": timedelta(weeks=1)}


def with_burn_down(client: "Client", budgets: Sequence[Row], now: datetime | None = None) -> list[Row]:
    """Return budgets, rows of budget_status, each of the first MOST with `burn_down`, `projected_usd` and `period_end`.

    `burn_down` has what was spent in each day of the period so far, or in each hour of a day: `piece` is the day or the
    hour's beginning in the budget's zone, `spent_usd` what was spent in it, `total_usd` until its end. `projected_usd`
    is what the period will have cost if it goes on as in the last seven days, or as since the first call where that is
    later; it is rounded to twelve decimals. Raises StoreError.
    """
    now = now or datetime.now(UTC)
    return [{**row, **_burn_down(client, row, now)} for row in budgets[:MOST]] + list(budgets[MOST:])


def _burn_down(client: "Client", budget: Row, now: datetime) -> Row:
    selection = _selection(budget)
    start, end = budget["period_start"].astimezone(UTC), _end(budget, selection)
    since = min(start, now - LATELY)
    hours = _hours(client, budget, replace(selection, since=since, until=end))
    in_period = [(at, usd) for at, usd in hours if at >= start]
    lately = [(at, usd) for at, usd in hours if now - LATELY - timedelta(hours=1) < at <= now]
    ends_at = projected(_sum(in_period), _sum(lately), lately[0][0] if lately else None, now=now, end=end)
    is_day = budget["period"] == "day"
    return {"period_end": end, "projected_usd": ends_at, "burn_down": _pieces(in_period, start, now, is_day=is_day)}


def _hours(client: "Client", budget: Row, selection: Selection) -> list[tuple[datetime, Decimal]]:
    """Return what was spent in each hour of the budget's zone, in order."""
    if budget["scope"] == "model":
        return _hours_of_model(client, budget["name"], selection)
    found = costs.costs(client, selection, ("hour",), columns=COST)
    return [(datetime.fromisoformat(row["hour"]), row["cost_usd"]) for row in found]


def _hours_of_model(client: "Client", name: str, selection: Selection) -> list[tuple[datetime, Decimal]]:
    """Return the same for a budget of a model, which is that of calls that asked for it, or were answered by it."""
    found: dict[datetime, Decimal] = {}
    for row in rows(client, _OF_MODEL, {"name": name, **between(selection.since, selection.until)}):
        at = datetime.fromtimestamp(row["quarter"] * _QUARTER_S, selection.tz)
        hour = at.replace(minute=0)
        found[hour] = found.get(hour, Decimal()) + row["cost_usd"]
    return list(found.items())


def _pieces(hours: Sequence[tuple[datetime, Decimal]], start: datetime, now: datetime, *, is_day: bool) -> list[Row]:
    """Return the pieces from the start until now, also those in which nothing was spent."""
    tz = hours[0][0].tzinfo if hours else UTC
    spent: dict[str, Decimal] = {}
    at = start
    while at <= now:
        spent[_name(at.astimezone(tz), is_day=is_day)] = Decimal()
        at += timedelta(hours=1)
    for hour, usd in hours:
        name = _name(hour, is_day=is_day)
        spent[name] = spent.get(name, Decimal()) + usd
    found, total = [], Decimal()
    for piece, usd in sorted(spent.items()):
        total += usd
        found.append({"piece": piece, "spent_usd": usd, "total_usd": total})
    return found


def _name(hour: datetime, *, is_day: bool) -> str:
    return hour.isoformat(timespec="minutes") if is_day else f"{hour:%Y-%m-%d}"


def _selection(budget: Row) -> Selection:
    """Return the calls that a budget is of."""
    scope, name = budget["scope"], budget["name"]
    selection = Selection(tz=zone(budget.get("zone") or "UTC"))
    if scope == "tag":
        tag, _, value = name.partition("=")
        return replace(selection, tags=((tag, value),))
    chosen: dict[str, Any] = {scope: name} if scope in TEXTS else {}
    return replace(selection, **chosen)


def _end(budget: Row, selection: Selection) -> datetime:
    """Return when the current period ends, which is the length of a day or a week of the clock behind its start."""
    if (given_end := budget.get("period_end")) is not None:
        end: datetime = given_end.astimezone(UTC)
        return end
    start: datetime = budget["period_start"].astimezone(selection.tz)
    if budget["period"] == "month":
        return month_of(start, selection.tz)[1]
    return (start + _LENGTHS[budget["period"]]).astimezone(UTC)


def _sum(hours: Sequence[tuple[datetime, Decimal]]) -> Decimal:
    return numbers.total(usd for _, usd in hours)
