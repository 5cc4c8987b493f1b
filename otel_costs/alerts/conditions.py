"""What a rule finds in the store at a moment: a finding per thing that it is true of."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from otel_costs.alerts import bills, rules
from otel_costs.alerts.finding import MOST, Finding, money, percent
from otel_costs.alerts.rules import Rule
from otel_costs.store import health, reports
from otel_costs.store.periods import period
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
WEEKS: Final = 4
"""Before now, whose same hour tells what is usual."""

_ENOUGH_WEEKS: Final = 2
_AT_ONCE: Final = 1000
"""Names in one question: they must fit into it."""

_DEAR: Final = """
select c.session_id as session_id, argMin(c.user_id, (c.end_time, c.user_id)) as user_id, sum(c.cost_usd) as usd
from owned_calls as c
where c.session_id in (
    select session_id from owned_calls
    where session_id != '' and end_time > {active:DateTime64(3, 'UTC')} and end_time <= {at:DateTime64(3, 'UTC')})
    and c.end_time <= {at:DateTime64(3, 'UTC')}
group by c.session_id having usd >= {usd:Decimal(38, 12)} order by usd desc, c.session_id limit {most:UInt32}
"""
_SUBJECTS: Final = {
    "user": "c.user_id",
    "model": "concat(c.provider, '/', c.model)",
    "service": "toString(c.service)",
}
_TAG: Final = "c.tags[{tag:String}]"
_RATES: Final = """
select {subject} as subject, sumIf(c.cost_usd, c.end_time > {{at:DateTime64(3, 'UTC')}} - interval 1 hour) as usd,
    coalesce(sumIf(c.cost_usd, c.end_time <= {{at:DateTime64(3, 'UTC')}} - interval 1 hour), 0) as before
from owned_calls as c
where ({windows}) and subject not in ('', '/')
group by subject
having usd >= {{min_usd:Decimal(38, 12)}}
    and toDecimal256(usd, 12) * {weeks} >= toDecimal256({{times:Decimal(38, 12)}}, 12) * toDecimal256(before, 12)
order by usd desc, subject
"""
_WINDOW: Final = (
    "c.end_time > {{at:DateTime64(3, 'UTC')}} - interval {hours} hour"
    " and c.end_time <= {{at:DateTime64(3, 'UTC')}} - interval {until} hour"
)
_FIRST: Final = """
select {subject} as subject, min(c.end_time) as first from owned_calls as c
where c.end_time > {{at:DateTime64(3, 'UTC')}} - interval 673 hour and subject in {{subjects:Array(String)}}
group by subject
"""
_NEW: Final = """
select provider, model, min(end_time) as first from owned_calls
where end_time <= {at:DateTime64(3, 'UTC')} and (provider, model) in (
    select provider, model from owned_calls
    where end_time > {at:DateTime64(3, 'UTC')} - interval 1 day and end_time <= {at:DateTime64(3, 'UTC')}
        and model != '')
    and (select min(end_time) from owned_calls) <= {at:DateTime64(3, 'UTC')} - interval 1 day
group by provider, model having first > {at:DateTime64(3, 'UTC')} - interval 1 day order by first, provider, model
limit {most:UInt32}
"""
_UNPRICED: Final = """
select provider, model, operation, count() as calls from owned_calls
where cost_status in ('unpriced', 'partial') and end_time > {at:DateTime64(3, 'UTC')} - interval 1 day
    and end_time <= {at:DateTime64(3, 'UTC')}
group by provider, model, operation order by calls desc, provider, model, operation limit {most:UInt32}
"""
_DAY_USD: Final = """
select coalesce(sum(cost_usd), 0) as usd from owned_calls
where end_time >= {since:DateTime64(3, 'UTC')} and end_time <= {at:DateTime64(3, 'UTC')}
"""
_LAST: Final = "select max(end_time) as last from owned_calls where end_time <= {at:DateTime64(3, 'UTC')}"


def find(client: "Client", rule: Rule, at: datetime) -> list[Finding]:
    """Return what a rule is true of at a moment, which is about now. Raises StoreError.

    Budgets, missing calls, bills and damage are those of now, whatever the moment: past.Past has those of before.
    """
    return _OF[rule.when](client, rule, at)


def is_cut(rule: Rule, found: Collection[object]) -> bool:
    """Return whether a rule may be true of more than it has found: of so many the dearest are told."""
    return len(found) >= MOST and rule.when != rules.BUDGET


def of_budgets(rule: Rule, budgets: Iterable[Row]) -> list[Finding]:
    """Return which shares of budgets are spent, by rows of budget_status."""
    found = []
    for row in budgets:
        # What was spent of nothing is more than all of it.
        used = Decimal(str(row["used"])) if isfinite(row["used"]) else Decimal("Infinity")
        allowed = row["limit_usd"] + row["carried_usd"]
        for share in rule.shares:
            if row["spent_usd"] > 0 and (used >= share if not allowed else row["spent_usd"] >= share * allowed):
                of = "everybody" if row["scope"] == "all" else f"{row['scope']} {row['name']}"
                found.append(
                    Finding(
                        f"{row['scope']}|{row['name']}|{row['period']}|{row['period_start']:%Y-%m-%dT%H:%M}|{share:f}",
                        f"budget of {of} for the {row['period']}: {percent(share)} is reached,"
                        f" ${money(row['spent_usd'])} of ${money(allowed)}",
                        user_id=row["name"] if row["scope"] == "user" else "",
                    )
                )
    return found


def of_missing_calls(gaps: Iterable[Row]) -> list[Finding]:
    """Return which calls have not arrived, by rows of missing_calls."""
    return [
        Finding(
            f"{row['process_id']}|{row['first_seq']}",
            f"{row['missing_count']:,} calls of service {row['service']} have not arrived"
            f" (process {row['process_id']}, from {row['first_seq']} to {row['last_seq']})",
        )
        for row in islice(gaps, MOST)
    ]


def of_misdated(calls: int) -> list[Finding]:
    """Return that calls have come with times that are none: how many."""
    return [Finding("misdated", f"{calls:,} calls have a time that no clock can have meant")] if calls else []


def of_silence(rule: Rule, at: datetime, last: datetime) -> list[Finding]:
    """Return that no call has come for too long: `last` is when the last one ended."""
    if rule.silent is None or last >= at - rule.silent:
        return []
    return [Finding("silent", "no call has arrived for longer than the rule allows")]


def of_dear_session(row: Row) -> Finding:
    """Return that a session has cost that much: session_id, user_id, usd."""
    return Finding(
        row["session_id"],
        f"session {row['session_id']} has cost ${money(row['usd'])} and still runs",
        user_id=row["user_id"],
        session_id=row["session_id"],
        once=True,
    )


def of_rate(rule: Rule, row: Row, weeks: int) -> Finding | None:
    """Return what a subject has spent in an hour, if that is unusual: subject, usd, before (the sum of the weeks)."""
    if weeks < _ENOUGH_WEEKS or row["usd"] * weeks < rule.times * row["before"]:
        return None
    usual = row["before"] / weeks
    return Finding(
        f"{rule.by}|{row['subject']}",
        f"{rule.by} {row['subject']} has cost ${money(row['usd'])} in an hour; ${money(usual)} is usual then",
        user_id=row["subject"] if rule.by == "user" else "",
    )


def of_new_model(row: Row) -> Finding:
    """Return that a model is new: provider, model."""
    return Finding(
        f"{row['provider']}/{row['model']}", f"a new model: {row['provider']}/{row['model']}", "", "", False, True
    )


def of_unpriced(row: Row) -> Finding:
    """Return that calls of a day have no price: provider, model, operation, calls."""
    return Finding(
        f"{row['provider']}|{row['model']}|{row['operation']}",
        f"calls of {row['provider']}/{row['model']} ({row['operation']}) have no price, or not all of it:"
        f" {row['calls']:,} in 24 hours",
    )


def of_day(rule: Rule, since: datetime, usd: Decimal) -> list[Finding]:
    """Return a finding if the day that began at `since` has cost too much."""
    day = since.astimezone(ZoneInfo(rule.zone)).date().isoformat()
    message = f"{day} has cost ${money(usd)}, and ${money(rule.usd)} is the mark"
    return [Finding(day, message)] if usd >= rule.usd else []


def subject_of(rule: Rule) -> str:
    """Return what spend is compared of, as SQL over owned_calls as c, with the parameter tag."""
    return _SUBJECTS.get(rule.by, _TAG)


def _dear_sessions(client: "Client", rule: Rule, at: datetime) -> list[Finding]:
    given = {"active": at - rule.active, "at": at, "usd": rule.usd, "most": MOST}
    return [of_dear_session(row) for row in rows(client, _DEAR, given)]


def _rates(client: "Client", rule: Rule, at: datetime) -> list[Finding]:
    """Compare the last hour with the same hour of the same weekday, in the mean of up to four weeks before."""
    tag = rule.by.removeprefix("tag.")
    subject = subject_of(rule)
    week = int(7 * _DAY / _HOUR)
    windows = " or ".join(f"({_WINDOW.format(hours=n * week + 1, until=n * week)})" for n in range(WEEKS + 1))
    sql = _RATES.format(subject=subject, windows=windows, weeks=WEEKS)
    found = rows(client, sql, {"at": at, "min_usd": rule.min_usd, "times": rule.times, "tag": tag})
    first: dict[str, datetime] = {}
    for begin in range(0, len(found), _AT_ONCE):
        names = [row["subject"] for row in found[begin : begin + _AT_ONCE]]
        asked = rows(client, _FIRST.format(subject=subject), {"at": at, "tag": tag, "subjects": names})
        first |= {row["subject"]: row["first"] for row in asked}
    # Whose calls were erased between the two questions has no first one.
    weeks = {name: min(WEEKS, (at - moment) // (7 * _DAY)) for name, moment in first.items()}
    return [one for row in found if (one := of_rate(rule, row, weeks.get(row["subject"], 0)))][:MOST]


def _new_models(client: "Client", _rule: Rule, at: datetime) -> list[Finding]:
    return [of_new_model(row) for row in rows(client, _NEW, {"at": at, "most": MOST})]


def _unpriced(client: "Client", _rule: Rule, at: datetime) -> list[Finding]:
    return [of_unpriced(row) for row in rows(client, _UNPRICED, {"at": at, "most": MOST})]


def _day(client: "Client", rule: Rule, at: datetime) -> list[Finding]:
    since, _ = period("today", at, ZoneInfo(rule.zone))
    (row,) = rows(client, _DAY_USD, {"since": since, "at": at})
    return of_day(rule, since, row["usd"])


def _health(client: "Client", rule: Rule, at: datetime) -> list[Finding]:
    set_aside = [
        Finding(f"detached|{row['table']}", f"the store has set {row['parts']:,} parts of {row['table']} aside")
        for row in health.detached(client)
    ]
    return set_aside + of_misdated(health.misdated(client)) + _silence(client, rule, at)


def _silence(client: "Client", rule: Rule, at: datetime) -> list[Finding]:
    if rule.silent is None:
        return []
    (row,) = rows(client, _LAST, {"at": at})
    return of_silence(rule, at, row["last"])


_OF: Final[Mapping[str, Callable[["Client", Rule, datetime], list[Finding]]]] = {
    rules.BUDGET: lambda client, rule, _: of_budgets(rule, reports.budget_status(client)),
    rules.SESSION_COST: _dear_sessions,
    rules.SPEND_RATE: _rates,
    rules.NEW_MODEL: _new_models,
    rules.UNPRICED_CALLS: _unpriced,
    rules.MISSING_CALLS: lambda client, *_: of_missing_calls(reports.missing_calls(client)),
    rules.DAY_TOTAL: _day,
    rules.STORE_HEALTH: _health,
    rules.RECONCILE: lambda client, rule, _: bills.find(client, rule),
}
