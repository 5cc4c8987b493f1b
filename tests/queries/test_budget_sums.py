"""What was spent of budgets: the view, and what asks for the same more quickly, are the sum of the calls themselves."""

import itertools
import random
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from otel_costs.store import budget_sums, rollups
from otel_costs.store.past_budgets import PastBudgets
from otel_costs.store.periods import calendar
from otel_costs.store.rows import Row

from .ledger import LogRow, Store, call, only
from .test_rollups import records, step

ZONES = ("UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York")
NAMES = {
    "all": ("",),
    "scenario": ("sales", "nothing"),
    "service": ("shop", "desk"),
    "model": ("o3", "openai/o3", "deepgram/gpt-4o", "gpt-4o-2024-08-06"),
    "tag": ("team=a", "team=b=c"),
    "user": ("ada", "bob", "cleo"),
}
MS = timedelta(milliseconds=1)
VIEW = "select * from budget_status order by used desc, scope, name, period"


def midnight(zone: str) -> datetime:
    """Return when the day of a zone began."""
    return midnight_of(datetime.now(UTC), zone)


def midnight_of(at: datetime, zone: str) -> datetime:
    """Return when the day of a moment began in a zone."""
    tz = ZoneInfo(zone)
    return datetime.combine(at.astimezone(tz).date(), time(), tz).astimezone(UTC)


def is_of(budget: Row, one: Row) -> bool:
    """Tell whether a call counts in a budget."""
    name = budget["name"]
    if budget["scope"] == "tag":
        tag, _, value = name.partition("=")
        return bool(one["tags"].get(tag) == value)
    models = {one["model"], one["request_model"]}
    counted = {
        "all": {""},
        "model": models | {f"{one['provider']}/{model}" for model in models},
        "user": {one["user_id"]},
    }
    return name in (counted.get(budget["scope"]) or {one[budget["scope"]]})


def set_budgets(store: Store, chance: random.Random, scopes: tuple[str, ...]) -> None:
    """Take all budgets away, and set some of these scopes, of any period, zone and limit, some with rollover."""
    store.client.command("truncate table budgets")
    values = [
        f"('{scope}', '{name}', '{period}', {chance.choice(('0', '0.5', '3.000000000001'))}, '{chance.choice(ZONES)}',"
        f" {chance.choice(('true', 'false'))}, '2026-01-01')"
        for scope in scopes
        for name in NAMES[scope]
        for period in chance.sample(("day", "week", "month"), 2)
    ]
    store.client.command(
        f"insert into budgets (scope, name, period, limit_usd, zone, rollover, since) values {', '.join(values)}"
    )


def compare(store: Store, happened: list[str]) -> None:
    """Hold both to each other, and to the sum of the calls."""
    days = [midnight(zone) for zone in ZONES]
    found, view = budget_sums.status(store.client), store.ask(VIEW)
    calls = store.ask("select * from billed_calls")
    limits = {(row["scope"], row["name"], row["period"]): row for row in store.ask("select * from budget_limits")}
    if days != [midnight(zone) for zone in ZONES]:
        return  # a day ended meanwhile
    assert found == view, happened
    assert [list(row) for row in found] == [list(row) for row in view]
    first_end = min(row["period_end"] for row in found)
    now = max([datetime.now(UTC), *(one["end_time"] for one in calls if one["end_time"] < first_end)])
    if days == [midnight_of(now, zone) for zone in ZONES]:
        past = [{name: row[name] for name in found[0]} for row in PastBudgets(store.client, [now]).status(now)]
        for row in found:
            to_come = any(is_of(row, one) and now < one["end_time"] < row["period_end"] for one in calls)
            assert to_come or row in past, happened
    compare_past(store, sorted({one["end_time"] + MS * shift for one in calls[:6] for shift in (-1, 0)} | {now}))
    assert len(found) == len(limits)
    for row in found:
        limit = limits[row["scope"], row["name"], row["period"]]
        mine = [one for one in calls if is_of(row, one)]
        inside = [one for one in mine if row["period_start"] <= one["end_time"] < row["period_end"]]
        before = [one for one in mine if limit["period_before"] <= one["end_time"] < row["period_start"]]
        assert (row["spent_usd"], row["unpriced_calls"]) == (usd(inside), unpriced(inside)), (row, happened)
        carried = max(Decimal(), row["limit_usd"] - usd(before)) if row["rollover"] else Decimal()
        assert row["carried_usd"] == carried, (row, happened)


def compare_past(store: Store, moments: list[datetime]) -> None:
    """Hold what was spent at moments that are past to the sum of the calls that had ended by then."""
    past, calls = PastBudgets(store.client, moments), store.ask("select * from billed_calls")
    for at in moments:
        for row in past.status(at):
            before, start, end = calendar(row["period"], at, ZoneInfo(row["zone"]))
            assert (row["period_start"], row["period_end"]) == (start, end)
            mine = [one for one in calls if is_of(row, one)]
            inside = [one for one in mine if start <= one["end_time"] <= at]
            assert (row["spent_usd"], row["unpriced_calls"]) == (usd(inside), unpriced(inside)), row
            left = row["limit_usd"] - usd([one for one in mine if before <= one["end_time"] < start])
            assert row["carried_usd"] == (max(left, Decimal()) if row["rollover"] else Decimal()), row


def usd(calls: list[Row]) -> Decimal:
    return sum((one["cost_usd"] for one in calls if one["cost_usd"] is not None), Decimal())


def unpriced(calls: list[Row]) -> int:
    return sum(one["cost_usd"] is None for one in calls)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("seed", "rounds"), [(0, 2), (1, 3), (2, 3)])
def test_budgets_are_the_sum_of_the_calls(store: Store, seed: int, rounds: int) -> None:
    """Duplicates, late records, later prices, owners that become known, erasure: in any order, in any zone."""
    chance = random.Random(seed)
    sent: list[LogRow] = []
    for zone in ZONES:
        store.insert(*(made := records(chance, midnight(zone))))
        sent += made
        # A clock that is fast, and one that is wrong: about where the day ends, and far behind.
        for days, shift in itertools.product((1, 40, 400), (-1, 0, 1)):
            store.insert(call(midnight(zone) + timedelta(days=days) + shift * MS, cost="7", user="ada", service="shop"))
    for number in range(rounds):
        happened = [step(store, chance, sent, midnight(chance.choice(ZONES))) for _ in range(4)]
        scopes = tuple(NAMES) if number % 2 else tuple(chance.sample(tuple(NAMES), 2))
        set_budgets(store, chance, scopes)
        compare(store, happened)
    store.count_costs()
    compare(store, ["count"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rollups, "MOST_READ_ANEW", -1)
        compare(store, ["too much has changed"])


@pytest.mark.some(1)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
@pytest.mark.parametrize("ask", [budget_sums.status, lambda client: Store(client).ask(VIEW)], ids=["store", "view"])
def test_what_is_counted_is_not_read_again(store: Store, ask: Any, zone: str) -> None:
    """Budgets of all, scenarios and services do without the calls, but for the half hour that their zone cuts."""
    start = midnight(zone)
    moments = [start - timedelta(milliseconds=1), start, start + timedelta(hours=1)]
    store.insert(*(call(at, cost=cost, otel_costs__scenario="sales") for at, cost in zip(moments, "124", strict=True)))
    store.client.command(
        "insert into budgets (scope, name, period, limit_usd, zone) values"
        f" ('all', '', 'day', 9, '{zone}'), ('scenario', 'sales', 'day', 9, '{zone}')"
    )
    store.count_costs()
    if start != midnight(zone):
        return  # a day ended meanwhile
    assert only(ask(store.client), "spent_usd") == [(Decimal(6),)] * 2
    store.client.command("truncate table calls")
    assert only(ask(store.client), "spent_usd") == [(Decimal(6 if zone == "UTC" else 4),)] * 2


def test_no_budgets(store: Store) -> None:
    """Nothing is asked of the calls where nothing is limited."""
    store.insert(call())
    assert budget_sums.status(store.client) == store.ask(VIEW) == []
