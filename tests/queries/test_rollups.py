"""Rollups: whatever arrives in whatever order, counted or not, reports say what the calls themselves add up to."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from otel_costs.store import (
    cost_parts,
    costs,
    erase,
    inbox,
    reports,
    rollups,
    session_list,
    summary,
    user_sums,
)
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection
from tests.support.selection import long

from .ledger import COST_COUNTS, NOON, LogRow, Store, at, call, job, message, only

DIMENSIONS = ("kind", "model", "operation", "scenario", "service", "step")
PAIRS = [pair for pair in combinations(DIMENSIONS, 2) if pair != ("model", "operation")]
MEASURES = (
    "call_count", "unpriced_calls", "error_count", "cost_usd", "list_usd", "text_input_usd", "text_output_usd",
    "audio_input_usd", "audio_output_usd", "speech_to_text_usd", "text_to_speech_usd", "other_usd", "text_input",
    "text_output", "audio_input", "audio_output", "cached_input", "audio_seconds", "characters",
)  # fmt: skip


def sums(measures: tuple[str, ...]) -> str:
    """Return the measures of the calls themselves, written once more, apart from the files of queries/."""
    by_name = {
        "call_count": "count()",
        "unpriced_calls": "countIf(cost_usd is null)",
        "error_count": "countIf(error_type != '')",
        "list_usd": "sum(coalesce(list_usd, cost_usd, 0))",
        "characters": "sum(coalesce(input_characters, 0))",
    }
    # Not under their own names: a name in an aggregate function would mean the aggregate.
    return ", ".join(f"{by_name.get(name, f'sum(coalesce({name}, 0))')} as total_{name}" for name in measures)


def keys(dimensions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of dimensions: a model is its provider's."""
    return tuple(key for name in dimensions for key in (("provider", "model") if name == "model" else (name,)))


def raw(store: Store, key: tuple[str, ...], within: dict[str, datetime], measures: tuple[str, ...]) -> set[Any]:
    """Return groups of the calls themselves."""
    named = [f"{column} as by_{column}" for column in key]
    found = store.ask(
        f"select {', '.join([*named, sums(measures)])} from owned_calls as c"
        " where end_time >= {since:DateTime64(3, 'UTC')} and end_time < {until:DateTime64(3, 'UTC')}"
        + (f" group by {', '.join(f'by_{column}' for column in key)}" if key else " having count() > 0"),
        **within,
    )
    return set(map(tuple, (row.values() for row in found)))


def rolled(store: Store, key: tuple[str, ...], dimensions: str, within: dict[str, datetime]) -> set[Any]:
    """Return the same groups, of the rollups."""
    found = store.ask(
        f"select {', '.join([*key, *(f'sum({name}) as total_{name}' for name in MEASURES)])} from half_hour_costs("
        "dimensions = {dimensions:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')})"
        + (f" group by {', '.join(key)}" if key else " having count() > 0"),
        dimensions=dimensions,
        **within,
    )
    return set(map(tuple, (row.values() for row in found)))


def compare(store: Store, chance: random.Random, happened: list[str]) -> None:
    """Ask for everything, of a period whose bounds may lie anywhere, and compare it with the calls themselves."""
    bounds = sorted(chance.sample(BOUNDS, 2))
    within = {"since": bounds[0], "until": bounds[1]}
    for dimensions in ("", *DIMENSIONS):
        key = keys((dimensions,)) if dimensions else ()
        if dimensions == "model":
            key = (*key, "operation")
        assert rolled(store, key, dimensions, within) == raw(store, key, within, MEASURES), (
            dimensions,
            bounds,
            happened,
        )
    for pair in chance.sample(PAIRS, 3):
        key = keys(pair)
        assert rolled(store, key, ",".join(pair), within) == raw(store, key, within, MEASURES), (
            pair,
            bounds,
            happened,
        )
    users = only(
        reports.user_costs(store.client, since=bounds[0], until=bounds[1]), "user_id", "call_count", "cost_usd"
    )
    assert set(users) == raw(store, ("user_id",), within, ("call_count", "cost_usd"))
    for view, key in (
        ("daily_costs", ()), ("kind_costs", ("kind",)), ("scenario_costs", ("scenario",)),
        ("model_costs", ("provider", "model", "operation")),
    ):  # fmt: skip
        listed = ", ".join(("day", *key))
        expected = store.ask(
            f"select toDate32(end_time) as day, {', '.join([*key, ''])}"
            "uniqExactIf(session_id, session_id != '') as session_count,"
            f" {sums(MEASURES)} from owned_calls group by {listed} order by {listed}"
        )
        found = store.ask(f"select {listed}, session_count, {', '.join(MEASURES)} from {view} order by {listed}")
        assert [tuple(row.values()) for row in found] == [tuple(row.values()) for row in expected], (view, happened)
    selection = Selection(bounds[0], bounds[1], tz=chance.choice(ZONES), **chance.choice(FILTERS))
    by = [
        *chance.sample(("hour", "day", "month"), chance.randrange(2)),
        *chance.sample(DIMENSIONS, chance.randrange(3)),
    ]
    limit = chance.choice((None, 2))
    columns = reports.chosen(chance.choice(CHOSEN))
    counted = costs.costs(store.client, selection, by, limit, columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollups, "of_half_hours", lambda *_: None)
        assert counted == costs.costs(store.client, selection, by, limit, columns), (selection, by, happened)
    splits = [("day",), ("provider", "model", "operation"), ("scenario",), ("kind",), ("hour", "step")]
    told = cost_parts.parts(store.client, selection, splits)
    assert told == [costs.costs(store.client, selection, by) for by in splits], (selection, happened)
    compare_users(store, chance, selection, happened)
    compare_overview(store, selection, happened)
    counts = store.ask(
        "select user_id, uniqExactIf(session_id, session_id != '') as n from owned_calls group by user_id"
    )
    assert {row["user_id"]: row["session_count"] for row in store.ask("select * from users_between()")} == {
        row["user_id"]: row["n"] for row in counts
    }


def without_rollups(patch: pytest.MonkeyPatch) -> None:
    """Let the calls alone tell what they cost."""
    for module, name in ((rollups, "of_half_hours"), (rollups, "of_not_priced"), (user_sums, "costs_by_user")):
        patch.setattr(module, name, lambda *_, **__: None)
    patch.setattr(session_list, "source", lambda _: "sessions")


def compare_users(store: Store, chance: random.Random, selection: Selection, happened: list[str]) -> None:
    """Compare what users cost, also by day, with the calls themselves; of equals any may be among the others."""
    everybody = Selection(selection.since, selection.until, tz=chance.choice(ZONES[:2]))
    for by in (("user",), ("day", "user"), ("user", "day")):
        limit, columns = chance.choice((1, 10)), reports.chosen(chance.choice(CHOSEN))
        counted = costs.costs(store.client, everybody, by, limit, columns)
        with pytest.MonkeyPatch.context() as patch:
            without_rollups(patch)
            assert counted == costs.costs(store.client, everybody, by, limit, columns), (everybody, by, limit, happened)


def compare_overview(store: Store, selection: Selection, happened: list[str]) -> None:
    """Compare the figures of an overview, and what needs a look, with the calls themselves."""
    now = NOON + timedelta(days=3, minutes=7)

    def figures() -> list[object]:
        dearest = session_list.sessions(store.client, selection, sort="cost", limit=2)
        return [summary.summary(store.client, selection, now), inbox.inbox(store.client, selection, now), dearest]

    counted = figures()
    with pytest.MonkeyPatch.context() as patch:
        without_rollups(patch)
        assert counted == figures(), (selection, happened)
    unpriced = store.ask(
        "select provider, model, operation, cost_status, cost_reason, count() as n, sum(input_tokens) as tokens,"
        " min(end_time) as first, max(end_time) as last from billed_calls"
        " where cost_status in ('unpriced', 'partial') group by all order by all"
    )
    columns = "provider, model, operation, cost_status, cost_reason, call_count, input_tokens"
    found = store.ask(f"select {columns}, first_time, last_time from unpriced_calls order by all")
    assert [tuple(row.values()) for row in found] == [tuple(row.values()) for row in unpriced], happened


CHOSEN = [(), ("error_count", "tokens"), tuple(reports.CHOICES)]
ZONES = [ZoneInfo(name) for name in ("UTC", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu")]
FILTERS: list[dict[str, Any]] = [
    {}, {}, {"kind": "creation"}, {"scenario": ""}, {"provider": "openai", "model": "gpt-4o-2024-08-06"},
    {"operation": "chat", "step": "ask"}, {"user": "ada"}, {"errors": True}, {"tags": (("team", "a"),)},
]  # fmt: skip
BOUNDS = [
    *(NOON + timedelta(hours=hours) for hours in (-48, -36, -12, -6, 0, 12, 24)),
    *(NOON + timedelta(minutes=minutes) for minutes in (-30, 30, 90)),
    *(NOON + timedelta(milliseconds=milliseconds) for milliseconds in (-1, 1, 1_800_001, 5_400_123)),
]


def records(chance: random.Random, around: datetime = NOON) -> list[LogRow]:
    """Return records of calls, and of jobs that several look at, of all dimensions; some name nobody."""
    made = []
    for number in range(chance.randrange(1, 12)):
        ended = around + timedelta(milliseconds=chance.choice((-1, 0, 1, 1_799_999, 1_800_000, 5_400_122, -86_400_000)))
        ended += timedelta(hours=12 * chance.randrange(-4, 3))
        said: dict[str, Any] = {
            "cost": chance.choice((None, "0.1", f"0.{chance.randrange(10**12):012}")),
            "session": chance.choice(("", "a", "b", "c")),
            "user": chance.choice(("", "ada", "bob")),
            "otel_costs.session.kind": chance.choice((None, "creation")),
            "otel_costs.scenario": chance.choice(("", "sales")),
            "otel_costs.step": chance.choice(("", "ask")),
            "gen_ai.operation.name": chance.choice(("chat", "speech_to_text", "text_to_speech")),
            "gen_ai.provider.name": chance.choice(("openai", "deepgram")),
            "error.type": chance.choice((None, None, "timeout")),
            "gen_ai.usage.input_tokens": chance.choice((None, chance.randrange(9))),
            "gen_ai.usage.output_tokens": chance.randrange(9),
            "otel_costs.usage.audio_seconds": f"0.{chance.randrange(9)}",
            "otel_costs.cost.status": chance.choice(("priced", "priced", "estimated", "partial", "unpriced")),
            "otel_costs.cost.reason": chance.choice(("", "no_price")),
            "otel_costs.tag.team": chance.choice((None, "a", "b=c")),
            "gen_ai.request.model": chance.choice(("gpt-4o", "o3")),
        }
        if said["cost"] is not None and chance.random() < 0.7:
            said["lines"] = {chance.choice(("input_tokens", "output_audio_tokens")): said["cost"]}
        if said["cost"] is not None and chance.random() < 0.3:  # a list price is known, or not
            said["gen_ai.usage.cost.source"] = "provider"
            said["otel_costs.cost.computed_usd"] = chance.choice((None, "0.25"))
        is_job = chance.random() < 0.2
        made.append(job(ended, number=number, **said) if is_job else call(ended, **said))
        made[-1]["ServiceName"] = chance.choice(("shop", "desk"))
    return made


def step(store: Store, chance: random.Random, sent: list[LogRow], around: datetime = NOON) -> str:
    """Let something happen; return what."""
    what = chance.choice(("records", "records", "again", "count", "count", "reprice", "owner", "erase", "merge"))
    if what == "records":
        made = records(chance, around)
        store.insert(*made)
        sent += made
    elif what == "again" and sent:
        store.insert(*chance.sample(sent, min(len(sent), 5)))
    elif what == "count":
        store.count_costs()
    elif what == "reprice":
        store.reprice("step = 'ask' and not superseded", usd=f"0.{chance.randrange(1, 10**6):06}", unit="input_tokens")
    elif what == "owner":
        store.insert(message(around - timedelta(days=chance.randrange(9)), session=chance.choice("abc"), user="cleo"))
    elif what == "erase":
        user = chance.choice(("ada", "bob"))
        erase.erase(store.client, erase.of_user(store.client, user))
        sent[:] = [row for row in sent if row["LogAttributes"]["user.id"] != user]
    else:
        for table in ("call_arrivals", "cost_half_hours", "cost_days", "not_priced_half_hours", "calls"):
            store.client.command(f"optimize table {table} final")
    return what


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("seed", "rounds", "steps"), [(0, 0, 0), long(0, 2, 3), long(1, 3, 4), long(2, 3, 4)])
def test_reports_are_the_sum_of_the_calls(store: Store, seed: int, rounds: int, steps: int) -> None:
    """Duplicates, late records, later prices, jobs of several, owners that become known, erasure: in any order.

    To compare takes seconds, and what happens a moment: more than one thing happens before each.
    """
    chance = random.Random(seed)
    sent: list[LogRow] = []
    store.insert(*(made := records(chance)))
    sent += made
    for _ in range(rounds):
        happened = [step(store, chance, sent) for _ in range(steps)]
        compare(store, chance, happened)
    store.count_costs()
    compare(store, chance, ["count"])


def counted(store: Store) -> dict[str, int]:
    """Return how many half hours and days reports read the calls of."""
    return {
        "half_hours": store.one("select count() as n from stale_half_hours(dimensions = 'model')")["n"],
        "days": store.one("select count() as n from stale_days(dimensions = 'user')")["n"],
    }


def test_what_is_counted_is_not_read_again(store: Store) -> None:
    """Once counted, a report does without the calls; a record that comes later is seen at once."""
    store.insert(call(at("10:00:00"), cost="1"), call(at("11:00:00"), cost="2"))
    assert counted(store) == {"half_hours": 2, "days": 1}
    store.count_costs()
    assert counted(store) == {"half_hours": 0, "days": 0}
    store.client.command("truncate table calls")
    assert only(store.ask("select * from daily_costs"), "call_count", "cost_usd") == [(2, Decimal(3))]
    store.insert(call(at("10:10:00"), cost="4"))
    assert counted(store) == {"half_hours": 1, "days": 1}


def test_nothing_is_counted_while_records_arrive(store: Store) -> None:
    """A half hour in which records still arrive would be counted for nothing."""
    store.insert(call())
    for _, recount in COST_COUNTS:
        assert store.ask(f"select * from {recount}") == []


def test_a_group_that_is_gone_does_not_stay(store: Store) -> None:
    """A half hour that has no calls any more is counted too."""
    store.insert(job(cost="1", session="", user="ada", otel_costs__scenario="sales"))
    store.count_costs()
    store.insert(job(cost="1", session="s1", user="bob", otel_costs__scenario="support"))
    store.count_costs()
    assert only(store.ask("select * from scenario_costs"), "scenario", "cost_usd") == [("support", Decimal(1))]
    assert only(reports.user_costs(store.client), "user_id", "cost_usd") == [("bob", Decimal(1))]


def test_every_pair_of_dimensions_is_counted(store: Store) -> None:
    """By none, by each and by every two."""
    store.insert(call())
    store.count_costs()
    found = {row["dimensions"] for row in store.ask("select dimensions from cost_half_hours")}
    assert found == {"", *DIMENSIONS, *map(",".join, PAIRS)}


def test_views_count_as_the_tests_do(store: Store) -> None:
    """What the refreshed views are asked to do is what these tests do in their place."""
    found = defaultdict(list)
    rows: list[Row] = store.ask(
        "select name, as_select from system.tables where database = currentDatabase() and as_select like '%_recount%'"
    )
    for row in rows:
        for _, recount in COST_COUNTS:
            if recount in row["as_select"]:
                found[row["name"]].append(recount)
    assert sorted(found.values()) == [["day_recount"], ["half_hour_recount"], ["not_priced_recount"]]
