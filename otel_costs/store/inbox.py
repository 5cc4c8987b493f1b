"""What needs a look: calls that are not simply priced, or missing; dear sessions and days; bills that differ."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.store import bill_differences, costs, health, reports, rollups, session_list
from otel_costs.store.rollups import Rows
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

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HALF_HOUR: Final = timedelta(minutes=30)

_NOT_PRICED: Final = (
    "select toString(c.cost_status) as cost_status, toString(c.cost_reason) as cost_reason,"
    " toString(c.provider) as provider, toString(c.model) as model, toString(c.operation) as operation, {measures}"
    " from {source} group by cost_status, cost_reason, provider, model, operation"
    " order by indexOf(['unpriced', 'partial', 'estimated'], cost_status), call_count desc, provider, model,"
    " operation, cost_reason"
)
_CALLED: Final = (
    "(select cost_status, cost_reason, provider, model, operation, 1 as call_count,"
    " coalesce(c.cost_usd, 0) as cost_usd, c.end_time as last_time, c.call_id as last_call_id"
    " from owned_calls as c where {condition} and c.cost_status != 'priced') as c"
)
_USUAL: Final = (
    "select toString(s.kind) as kind, count(s.cost_usd) as known,"
    " quantileExactIf(0.5)(assumeNotNull(s.cost_usd), s.cost_usd is not null) as median,"
    " coalesce(maxIf(s.cost_usd, {condition}), 0) >= median * {{times:UInt8}} as has_dear"
    " from {source} as s group by kind having known >= {{enough:UInt64}} and median > 0"
)
_DEAR: Final = (
    "select s.session_id as session_id from {source} as s where {condition}"
    " and s.cost_usd >= {{least:Array(Decimal(38, 12))}}[indexOf({{kinds:Array(String)}}, s.kind)]"
    " and s.kind in {{kinds:Array(String)}} order by s.cost_usd desc, s.session_id limit {{listed:UInt64}}"
)


def inbox(client: "Client", selection: Selection, now: datetime | None = None) -> Row:
    """Return what needs a look, of a selection. Raises StoreError.

    Of missing calls all that are known; of bills what they differ in on the days of its time.
    """
    return {
        "not_priced": not_priced(client, selection),
        "missing_calls": reports.missing_calls(client),
        "dear_sessions": dear_sessions(client, selection),
        "dear_days": dear_days(client, selection, now or datetime.now(UTC)),
        "misdated_calls": health.misdated(client),
        "bill_differences": bill_differences.differences(client, *_days(selection)),
    }


def _days(selection: Selection) -> tuple[date | None, date | None]:
    """Return the first day that a selection has a part of, and that after the last one."""
    since, until = selection.since, selection.until
    after = until - timedelta(microseconds=1) + timedelta(days=1) if until else None
    return since and since.astimezone(UTC).date(), after and after.astimezone(UTC).date()


def not_priced(client: "Client", selection: Selection) -> list[Row]:
    """Return the calls that are unpriced, partial or estimated, a row per model and reason. Raises StoreError."""
    found = rollups.of_not_priced(client, selection)
    if found is None:
        condition = of_calls(selection)
        found = Rows(_CALLED.format(condition=condition.sql), condition.parameters)
    return rows(client, _NOT_PRICED.format(measures=rollups.NOT_PRICED, source=found.sql), found.parameters)


def dear_sessions(client: "Client", selection: Selection) -> list[Row]:
    """Return the sessions that cost DEAR times the median of their kind, the dearest first. Raises StoreError."""
    found_in = session_list.source(client)
    condition = of_sessions(selection)
    usual = rows(
        client,
        _USUAL.format(source=found_in, condition=condition.sql),
        {**condition.parameters, "enough": _ENOUGH, "times": DEAR},
    )
    medians = {row["kind"]: row["median"] for row in usual if row["has_dear"]}
    dear = {"kinds": [*medians], "least": [DEAR * median for median in medians.values()], "listed": _LISTED}
    sql = _DEAR.format(source=found_in, condition=condition.sql)
    found = rows(client, sql, {**condition.parameters, **dear}) if medians else []
    listed = session_list.whole(client, found_in, [row["session_id"] for row in found])
    return [{**row, "median_usd": medians[row["kind"]]} for row in listed]


def dear_days(client: "Client", selection: Selection, now: datetime) -> list[Row]:
    """Return the days that cost SPIKE times the average of the days before, of which at least seven must be known."""
    first = (selection.since or now - timedelta(days=400)).astimezone(selection.tz).date()
    # From a day's beginning to a half hour's end: where no bound cuts one, what was counted before serves.
    since = datetime.combine(first - timedelta(days=_BEFORE), time(), selection.tz).astimezone(UTC)
    end = now + (_EPOCH - now) % _HALF_HOUR
    wide = replace(selection, since=since, until=min(selection.until or end, end))
    spent = {date.fromisoformat(day): usd for day, usd in costs.spent(client, wide, "day").items()}
    found = []
    for day, usd in spent.items():
        before = [day - timedelta(days=back) for back in range(1, _BEFORE + 1)]
        known = [one for one in before if one >= min(spent)]
        average = sum((spent.get(one, Decimal()) for one in known), Decimal()) / max(1, len(known))
        if day >= first and len(known) >= _ENOUGH_DAYS and average and usd >= SPIKE * average:
            found.append({"day": day.isoformat(), "cost_usd": usd, "average_usd": round(average, 12)})
    return found
