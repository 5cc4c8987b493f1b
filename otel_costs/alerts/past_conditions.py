"""What rules would have found at many past moments, by few queries: the same as `conditions.find` at each of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from otel_costs.alerts import bills, conditions, rules
from otel_costs.alerts.finding import MOST, Finding
from otel_costs.alerts.rules import Rule
from otel_costs.store import bill_differences, health, reports
from otel_costs.store.periods import period
from otel_costs.store.pieces import AT_ONCE, ENDED, PIECE, Sums, asked, moment_of, ms
from otel_costs.store.rows import Row, rows
from otel_costs.usage.numbers import total

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FindingsByMoment = Iterator[tuple[datetime, list[Finding]]]

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_SESSIONS: Final = f"""
select session_id, piece, usd, last, caller.2 as user_id from (
    select session_id, piece, sum(s.usd) over w as usd, max(s.last) over w as last, min(s.caller) over w as caller
    from (
        select c.session_id as session_id, {PIECE} as piece, sum(c.cost_usd) as usd, max(c.end_time) as last,
            min((c.end_time, c.user_id)) as caller
        from owned_calls as c
        where c.session_id in (
            select session_id from owned_calls
            where session_id != '' and end_time > {{active:DateTime64(3, 'UTC')}}
                and end_time <= {{until:DateTime64(3, 'UTC')}})
            and c.end_time <= {{until:DateTime64(3, 'UTC')}}
        group by session_id, piece
    ) as s
    window w as (partition by session_id order by piece)
)
where usd >= {{usd:Decimal(38, 12)}} order by piece, session_id
"""  # noqa: S608
_SPENT: Final = f"""
select {{subject}} as subject, {PIECE.replace("{", "{{").replace("}", "}}")} as piece, sum(c.cost_usd) as usd,
    min(c.end_time) as first
from owned_calls as c
where {ENDED.replace("{", "{{").replace("}", "}}")} and subject not in ('', '/')
group by subject, piece order by piece
"""  # noqa: S608
_UNPRICED: Final = f"""
select provider, model, operation, {PIECE} as piece, count() as calls from owned_calls
where cost_status in ('unpriced', 'partial') and {ENDED}
group by provider, model, operation, piece order by piece
"""  # noqa: S608
_USD: Final = (
    f"select {PIECE} as piece, sum(cost_usd) as usd from owned_calls where {ENDED} group by piece order by piece"  # noqa: S608
)
_LAST: Final = f"""
select {PIECE} as piece, max(end_time) as last from owned_calls where {ENDED} group by piece order by piece
"""  # noqa: S608
_MODELS: Final = """
select provider, model, min(end_time) as first from owned_calls
where model != '' and end_time <= {until:DateTime64(3, 'UTC')}
group by provider, model order by first, provider, model
"""
_FIRST: Final = "select min(end_time) as first from owned_calls"


def find(client: "Client", rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    """Yield what a rule is true of at each of some moments, which are in order. Not of budgets. Raises StoreError."""
    return _OF[rule.when](client, rule, moments)


def _dear_sessions(client: "Client", rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    for first in range(0, len(moments), AT_ONCE):
        some = moments[first : first + AT_ONCE]
        bounds = [0, *(ms(at) + 1 for at in some[:-1])]
        given = {"pieces": bounds, "active": some[0] - rule.active, "until": some[-1], "usd": rule.usd}
        coming = iter([*rows(client, _SESSIONS, given), None])
        row, running = next(coming), dict[str, Row]()
        for at in some:
            while row is not None and row["piece"] <= ms(at):
                running[row["session_id"]] = row
                row = next(coming)
            still = _floored(at) - rule.active
            running = {session: one for session, one in running.items() if one["last"] > still}
            dear = sorted(running.values(), key=lambda one: (-one["usd"], one["session_id"]))
            yield at, [conditions.of_dear_session(one) for one in dear[:MOST]]


def _rates(client: "Client", rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    windows = [(n * 7 * _DAY + _HOUR, n * 7 * _DAY) for n in range(conditions.WEEKS + 1)]
    bounds = sorted({ms(at - back) + 1 for at in moments for window in windows for back in window})
    spent: dict[str, Sums] = {}
    firsts: dict[str, list[datetime]] = {}
    subjects: dict[int, list[str]] = {}
    sql = _SPENT.format(subject=conditions.subject_of(rule))
    for row in asked(client, sql, bounds, {"tag": rule.by.removeprefix("tag.")}):
        spent.setdefault(row["subject"], Sums()).add(row["piece"], row["usd"])
        firsts.setdefault(row["subject"], []).append(row["first"])
        subjects.setdefault(row["piece"], []).append(row["subject"])
    pieces = list(subjects)
    for at in moments:
        (begin, end), *before = [(ms(at - since) + 1, ms(at - until) + 1) for since, until in windows]
        these = {
            one for piece in pieces[bisect_left(pieces, begin) : bisect_left(pieces, end)] for one in subjects[piece]
        }
        usd = {one: spent[one].between(begin, end)[0] for one in these}
        found = []
        for one in sorted((one for one in these if usd[one] >= rule.min_usd), key=lambda one: (-usd[one], one)):
            usual = total(spent[one].between(*window)[0] for window in before)
            first = firsts[one][bisect_left(spent[one].pieces, before[-1][0])]
            weeks = min(conditions.WEEKS, (at - first) // (7 * _DAY))
            if finding := conditions.of_rate(rule, {"subject": one, "usd": usd[one], "before": usual}, weeks):
                found.append(finding)
        yield at, found[:MOST]


def _new_models(client: "Client", _rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    models = rows(client, _MODELS, {"until": moments[-1]})
    (oldest,) = rows(client, _FIRST)
    firsts = [row["first"] for row in models]
    for at in moments:
        day_before = _floored(at) - _DAY
        some = models[bisect_right(firsts, day_before) : bisect_right(firsts, at)]
        yield at, [conditions.of_new_model(row) for row in some[:MOST] if oldest["first"] <= day_before]


def _unpriced(client: "Client", _rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    counted: dict[tuple[str, str, str], Sums] = {}
    for row in asked(client, _UNPRICED, sorted({ms(at - back) + 1 for at in moments for back in (_DAY, 0 * _DAY)})):
        key = (row["provider"], row["model"], row["operation"])
        counted.setdefault(key, Sums()).add(row["piece"], None, row["calls"])
    for at in moments:
        calls = {key: sums.between(ms(at - _DAY) + 1, ms(at) + 1)[1] for key, sums in counted.items()}
        most = sorted((key for key, number in calls.items() if number), key=lambda key: (-calls[key], key))[:MOST]
        names = ("provider", "model", "operation")
        yield at, [conditions.of_unpriced({**dict(zip(names, key, strict=True)), "calls": calls[key]}) for key in most]


def _days(client: "Client", rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    begins = {at: period("today", at, ZoneInfo(rule.zone))[0] for at in moments}
    spent = Sums()
    for row in asked(client, _USD, sorted({*(ms(at) + 1 for at in moments), *map(ms, begins.values())})):
        spent.add(row["piece"], row["usd"])
    for at in moments:
        yield at, conditions.of_day(rule, begins[at], spent.between(ms(begins[at]), ms(at) + 1)[0])


def _health(client: "Client", rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    days = health.misdated_days(client)
    last = moment_of(0)
    coming = asked(client, _LAST, [0, *(ms(at) + 1 for at in moments)]) if rule.silent is not None else iter(())
    row = next(coming, None)
    for at in moments:
        while row is not None and row["piece"] <= ms(at):
            last = max(last, row["last"])
            row = next(coming, None)
        misdated = sum(calls for arrived, calls in days if arrived <= at)
        yield at, conditions.of_misdated(misdated) + conditions.of_silence(rule, at, last)


def _missing_calls(client: "Client", _rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    changed = reports.missing_calls_changed(client)
    return _again_where_changed(
        moments,
        changed,
        lambda at: conditions.of_missing_calls(reports.missing_calls_at(client, at)) if changed else [],
    )


def _bills(client: "Client", rule: Rule, moments: Sequence[datetime]) -> FindingsByMoment:
    return _again_where_changed(moments, bill_differences.changed(client), lambda at: bills.find(client, rule, at))


def _again_where_changed(
    moments: Sequence[datetime], changed: Sequence[datetime], find_at: Callable[[datetime], list[Finding]]
) -> FindingsByMoment:
    """Yield what `find_at` finds at each moment, calling it anew only after a time of `changed`, which is in order."""
    before, found = -1, list[Finding]()
    for at in moments:
        if (now := bisect_right(changed, _floored(at))) != before:
            before, found = now, find_at(at)
        yield at, found


def _floored(at: datetime) -> datetime:
    """Return the millisecond that a moment is in, as the store is asked about it."""
    return moment_of(ms(at))


_OF: Final[Mapping[str, Callable[["Client", Rule, Sequence[datetime]], FindingsByMoment]]] = {
    rules.SESSION_COST: _dear_sessions,
    rules.SPEND_RATE: _rates,
    rules.NEW_MODEL: _new_models,
    rules.UNPRICED_CALLS: _unpriced,
    rules.MISSING_CALLS: _missing_calls,
    rules.DAY_TOTAL: _days,
    rules.STORE_HEALTH: _health,
    rules.RECONCILE: _bills,
}
