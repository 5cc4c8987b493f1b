"""What needs a look: calls that are not simply priced, or missing, and sessions and days that are far too dear."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.store import costs, health, reports
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_calls, of_sessions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

DEAR: Final = 10
"""A session is dear that costs so many times the median of its kind."""
_ENOUGH: Final = 5  # sessions of a kind, to say what is usual
_LISTED: Final = 100

SPIKE: Final = 3
"""A day is dear that costs so many times an average day of the four weeks before."""
_BEFORE: Final = 28  # days
_ENOUGH_DAYS: Final = 7

_NOT_PRICED: Final = (
    "select toString(c.cost_status) as cost_status, toString(c.cost_reason) as cost_reason,"
    " toString(c.provider) as provider, toString(c.model) as model, toString(c.operation) as operation,"
    " count() as call_count, coalesce(sum(c.cost_usd), 0) as cost_usd, max(c.end_time) as last_time,"
    " argMax(lower(hex(c.call_id)), c.end_time) as last_call_id from owned_calls as c where {condition}"
    " and c.cost_status != 'priced' group by cost_status, cost_reason, provider, model, operation"
    " order by indexOf(['unpriced', 'partial', 'estimated'], cost_status), call_count desc, provider, model,"
    " operation, cost_reason"
)
_DEAR: Final = (
    "with medians as (select s.kind as kind, quantileExact(0.5)(assumeNotNull(s.cost_usd)) as median from sessions as s"  # noqa: S608
    " where s.cost_usd is not null group by kind having count() >= {{enough:UInt64}} and median > 0)"
    f" select {reports.SESSION}, m.median as median_usd from sessions as s inner join medians as m using (kind)"
    " where {condition} and s.cost_usd >= m.median * {{times:UInt8}} order by s.cost_usd desc, s.session_id"
    " limit {{listed:UInt64}}"
)


def inbox(client: "Client", selection: Selection, now: datetime | None = None) -> Row:
    """Return what needs a look, of a selection; of missing calls all that are known. Raises StoreError."""
    calls, sessions = of_calls(selection), of_sessions(selection)
    limits = {"enough": _ENOUGH, "times": DEAR, "listed": _LISTED}
    return {
        "not_priced": rows(client, _NOT_PRICED.format(condition=calls.sql), calls.parameters),
        "missing_calls": reports.missing_calls(client),
        "dear_sessions": rows(client, _DEAR.format(condition=sessions.sql), {**sessions.parameters, **limits}),
        "dear_days": dear_days(client, selection, now or datetime.now(UTC)),
        "misdated_calls": health.misdated(client),
    }


def dear_days(client: "Client", selection: Selection, now: datetime) -> list[Row]:
    """Return the days that cost SPIKE times the average of the days before, of which at least seven must be known."""
    first = (selection.since or now - timedelta(days=400)).astimezone(selection.tz).date()
    until = min(selection.until or now, now)
    wide = replace(selection, since=datetime.combine(first - timedelta(days=_BEFORE), now.time(), UTC), until=until)
    spent = {date.fromisoformat(row["day"]): row["cost_usd"] for row in costs.costs(client, wide, ("day",))}
    found = []
    for day, usd in spent.items():
        before = [day - timedelta(days=back) for back in range(1, _BEFORE + 1)]
        known = [one for one in before if one >= min(spent)]
        average = sum((spent.get(one, Decimal()) for one in known), Decimal()) / max(1, len(known))
        if day >= first and len(known) >= _ENOUGH_DAYS and average and usd >= SPIKE * average:
            found.append({"day": day.isoformat(), "cost_usd": usd, "average_usd": round(average, 12)})
    return found
