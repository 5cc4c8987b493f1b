"""The reports: plain dictionaries of exact values, whatever is asked for."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.store import StoreError, reports
from otel_costs.store.rows import between
from tests.queries.engine import beside
from tests.queries.ledger import NOON, Store, at, call, job, message, only


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with three sessions of two users on two days."""
    text: dict[str, Any] = {
        "lines": {"input_tokens": "0.25", "output_tokens": "0.25"},
        "cost": "0.5",
        "gen_ai.usage.input_tokens": 100,
    }
    store.insert(
        call(at("10:00:00"), session="a", user="ada", otel_costs__scenario="sales", otel_costs__step="plan", **text),
        call(at("10:00:05"), session="a", user="ada", otel_costs__scenario="sales", otel_costs__step="answer", **text),
        message(at("10:00:01"), "Where is my order?", session="a", user="ada"),
        call(at("09:00:00", day=1), session="b", user="ada", cost=None, otel_costs__scenario="coding"),
        call(at("11:00:00", day=1), session="c", user="bob", otel_costs__scenario="sales", **text),
        message(at("11:00:01", day=1), "Cancel the order", session="c", user="bob"),
    )
    return store


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("chosen", "expected", "total"),
    [
        ({}, ["c", "b", "a"], 3),
        ({"limit": 2}, ["c", "b"], 3),
        ({"limit": 2, "offset": 2}, ["a"], 3),
        ({"limit": 2, "offset": 9}, [], 3),
        ({"limit": 3}, ["c", "b", "a"], 3),
        ({"user": "ada"}, ["b", "a"], 2),
        ({"user": "ada", "limit": 1}, ["b"], 2),
        ({"user": "' or 1 = 1 --"}, [], 0),
        ({"scenario": "sales"}, ["c", "a"], 2),
        ({"since": (NOON + timedelta(days=1)).date()}, ["c", "b"], 2),
        ({"until": at("10:59:00", day=1)}, ["b", "a"], 2),
        ({"since": at("09:00:00", day=1).replace(tzinfo=None), "until": NOON + timedelta(days=1)}, ["c"], 1),
    ],
)
def test_sessions(filled: Store, chosen: dict[str, Any], expected: list[str], total: int) -> None:
    """The newest that are asked for, and how many there are."""
    found = reports.sessions(filled.client, **chosen)
    assert ([row["session_id"] for row in found["sessions"]], found["total"]) == (expected, total)


def test_a_session(filled: Store) -> None:
    """Money is Decimal, times are aware, lists are lists."""
    found = reports.session(filled.client, "a")
    assert found is not None
    assert found["cost_usd"] == Decimal("1.0")
    assert isinstance(found["cost_usd"], Decimal)
    assert found["start_time"] == at("09:59:59")
    assert found["messages"][0] == {
        "timestamp": at("10:00:01"),
        "role": "user",
        "type": "text",
        "content": "Where is my order?",
        "metadata": {},
        "call_id": "",
    }
    assert found["cost"]["tokens"] == {**dict.fromkeys(reports.TOKENS, 0), "text_input": 200}
    assert set(found["cost"]["cost_breakdown"]) == set(reports.BREAKDOWN)
    assert sum(found["cost"]["cost_breakdown"].values()) == found["cost"]["cost_usd"]


def test_no_such_session(filled: Store) -> None:
    """None, and no error."""
    assert reports.session(filled.client, "nobody's") is None
    assert reports.session_calls(filled.client, "nobody's") == []
    assert reports.session_lines(filled.client, "nobody's") == []


def test_a_sessions_lines_and_calls(filled: Store) -> None:
    """In the order in which things happened."""
    lines = reports.session_lines(filled.client, "a")
    assert only(lines, "step", "unit", "kind", "cost_usd") == [
        ("plan", "input_tokens", "text_input", Decimal("0.25")),
        ("plan", "output_tokens", "text_output", Decimal("0.25")),
        ("answer", "input_tokens", "text_input", Decimal("0.25")),
        ("answer", "output_tokens", "text_output", Decimal("0.25")),
    ]
    calls = reports.session_calls(filled.client, "a")
    assert only(calls, "step", "end_time", "cost_usd") == [
        ("plan", at("10:00:00"), Decimal("0.5")),
        ("answer", at("10:00:05"), Decimal("0.5")),
    ]
    assert calls[0]["cost_lines"] == {"input_tokens": Decimal("0.25"), "output_tokens": Decimal("0.25")}


def test_a_users_report(filled: Store) -> None:
    """The parts are what the whole is, by day, model and scenario."""
    found = reports.user_report(filled.client, "ada")
    assert (found["call_count"], found["unpriced_calls"], found["cost_usd"]) == (3, 1, Decimal("1.0"))
    assert found["session_count"] == 2
    assert [row["session_id"] for row in found["sessions"]] == ["b", "a"]
    assert only(found["days"], "day", "cost_usd") == [
        (NOON.date(), Decimal("1.0")),
        (NOON.date() + timedelta(days=1), Decimal(0)),
    ]
    assert only(found["scenarios"], "scenario", "call_count") == [("sales", 2), ("coding", 1)]
    for parts in (found["days"], found["models"], found["scenarios"]):
        for column in ("call_count", "unpriced_calls", "cost_usd"):
            assert sum(row[column] for row in parts) == found[column]
        for part in reports.BREAKDOWN:
            assert sum(row["cost_breakdown"][part] for row in parts) == found["cost_breakdown"][part]


def test_a_report_of_nobody(filled: Store) -> None:
    """All is nothing, and nothing is missing."""
    found = reports.user_report(filled.client, "nobody", since=NOON.date(), until=NOON.date() + timedelta(days=1))
    assert (found["call_count"], found["cost_usd"], found["sessions"], found["days"]) == (0, Decimal(0), [], [])
    assert found["since"] == datetime(NOON.year, NOON.month, NOON.day, tzinfo=UTC)
    assert found["cost_breakdown"] == dict.fromkeys(reports.BREAKDOWN, Decimal(0))


def test_costs_by_user_model_scenario_and_day(filled: Store) -> None:
    """The most expensive first, days the newest first; days outside the times do not count."""
    client = filled.client
    assert only(reports.user_costs(client), "user_id", "cost_usd") == [("ada", Decimal("1.0")), ("bob", Decimal("0.5"))]
    assert only(reports.user_costs(client, limit=1), "user_id", "cost_usd") == [
        ("ada", Decimal("1.0")),
        (None, Decimal("0.5")),
    ]
    tomorrow = NOON.date() + timedelta(days=1)
    assert only(reports.user_costs(client, since=tomorrow), "user_id", "cost_usd") == [
        ("bob", Decimal("0.5")),
        ("ada", Decimal(0)),
    ]
    assert only(reports.scenario_costs(client, until=tomorrow), "scenario", "call_count") == [("sales", 2)]
    assert only(reports.model_costs(client), "provider", "model", "operation", "call_count") == [
        ("openai", "gpt-4o-2024-08-06", "chat", 4)
    ]
    assert only(reports.daily_costs(client), "day", "cost_usd") == [
        (tomorrow, Decimal("0.5")),
        (NOON.date(), Decimal("1.0")),
    ]
    assert reports.daily_costs(client)[0]["tokens"] == {**dict.fromkeys(reports.TOKENS, 0), "text_input": 100}


@pytest.mark.some(5)
@pytest.mark.parametrize(
    ("words", "chosen", "expected"),
    [
        ("order", {}, ["c", "a"]),
        ("ORDER", {"user": "ada"}, ["a"]),
        ("order", {"limit": 1}, ["c"]),
        ("order", {"until": at("10:30:00")}, ["a"]),
        ("order", {"since": at("10:30:00")}, ["c"]),
        ("rde", {}, []),
        ("rde", {"anywhere": True}, ["c", "a"]),
        ("y Ord", {"anywhere": True, "user": "ada"}, ["a"]),
        ("%", {"anywhere": True}, []),
        ("') or 1 = 1 --", {"anywhere": True}, []),
    ],
)
def test_search(filled: Store, words: str, chosen: dict[str, Any], expected: list[str]) -> None:
    """Whole words by the index, or anything anywhere; the newest first."""
    assert [row["session_id"] for row in reports.search(filled.client, words, **chosen)] == expected


def test_what_has_no_price_what_is_missing_and_budgets(filled: Store) -> None:
    """Empty lists where there is nothing to say."""
    assert only(reports.unpriced_calls(filled.client), "model", "call_count") == [("gpt-4o-2024-08-06", 1)]
    assert reports.missing_calls(filled.client) == []
    assert reports.budget_status(filled.client) == []
    filled.client.command("insert into budgets (scope, name, period, limit_usd) values ('user', 'ada', 'month', 100)")
    assert only(reports.budget_status(filled.client), "scope", "name", "period", "state") == [
        ("user", "ada", "month", "ok")
    ]


def test_a_job_is_in_the_report_of_one_user_alone(store: Store) -> None:
    """Two users' reports never add up to more than there was."""
    store.insert(job(user="ada", session="a", cost="0.5"), job(user="bob", session="b", cost="0.5"))
    costs = [reports.user_report(store.client, user)["cost_usd"] for user in ("ada", "bob")]
    assert sorted(costs) == [Decimal(0), Decimal("0.5")]
    assert sum(row["cost_usd"] for row in reports.user_costs(store.client)) == Decimal("0.5")


def test_a_store_without_our_tables_says_what_to_run() -> None:
    """Every report names the command that makes the tables."""
    client = beside("nothing_here")
    for ask in (reports.sessions, reports.daily_costs, reports.unpriced_calls):
        with pytest.raises(StoreError, match="run `otel-costs schema`"):
            ask(client)
    client.command("drop database nothing_here sync")
    client.close()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (date(2026, 11, 22), datetime(2026, 11, 22, tzinfo=UTC)),
        (datetime(2026, 11, 22, 10), datetime(2026, 11, 22, 10, tzinfo=UTC)),
        (datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 11, 22, 8, tzinfo=UTC)),
    ],
)
def test_times_are_utc(given: date, meant: datetime) -> None:
    """A date is its first moment; a time without a zone is UTC; others are converted."""
    assert between(given, None)["since"] == meant
    assert between(None, given)["until"] == meant
