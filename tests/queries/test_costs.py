"""The views that say what money went to: parts, lines, users, scenarios, models, days, budgets, what has no price."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from .ledger import NOON, LogRow, Store, at, call, only

VIEW = Path(__file__).parents[2] / "queries/reports/budget_limits.sql"

PARTS = ("text_input", "text_output", "audio_input", "audio_output", "speech_to_text", "text_to_speech", "other")


def breakdown(store: Store) -> dict[str, Decimal]:
    """Return the parts of the cost that are not nothing; they must add up to it, in every view that has them."""
    columns = ", ".join(f"sum({part}_usd) as {part}" for part in PARTS)
    row = store.one(f"select {columns}, sum(cost_usd) as cost from billed_calls")
    assert sum(row[part] for part in PARTS) == (row["cost"] or 0)
    report = store.one("select cost from session_report(session_id = 's1')")["cost"]
    assert report["cost_breakdown"] == {part: row[part] for part in PARTS}
    lines = only(store.ask("select kind, sum(cost_usd) as usd from session_costs group by kind"), "kind", "usd")
    parts = {part: row[part] for part in PARTS if row[part]}
    assert {kind: usd for kind, usd in lines if usd} == parts
    return parts


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("operation", "lines", "expected"),
    [
        (
            "chat",
            {"input_tokens": "0.00625", "output_tokens": "0.068"},
            {"text_input": "0.00625", "text_output": "0.068"},
        ),
        (
            "realtime_inference",
            {"input_tokens": "0.005", "input_audio_tokens": "1", "output_tokens": "0.04", "output_audio_tokens": "4"},
            {"text_input": "0.005", "audio_input": "1", "text_output": "0.04", "audio_output": "4"},
        ),
        (
            "realtime_inference",
            {
                "cache_read_tokens": "0.1",
                "cache_text_read_tokens": "0.2",
                "cache_audio_read_tokens": "0.4",
                "cache_write_tokens": "0.8",
            },
            {"text_input": "1.1", "audio_input": "0.4"},
        ),
        (
            "chat",
            {
                "input_text_tokens": "0.1",
                "cache_write_5m_tokens": "0.1",
                "input_tool_tokens": "0.1",
                "output_text_tokens": "0.2",
                "output_reasoning_tokens": "0.2",
                "cache_audio_write_1h_tokens": "0.4",
                "input_audio_seconds": "0.4",
                "output_audio_reasoning_tokens": "0.8",
                "output_audio_seconds": "0.8",
            },
            {"text_input": "0.3", "text_output": "0.4", "audio_input": "0.8", "audio_output": "1.6"},
        ),
        (
            "chat",
            {
                "input_tokens": "0.5",
                "web_searches": "0.01",
                "input_image_tokens": "0.02",
                "cache_image_read_tokens": "0.04",
                "requests": "0.08",
            },
            {"text_input": "0.5", "other": "0.15"},
        ),
        ("image_generation", {"images": "0.04", "output_image_tokens": "0.02"}, {"other": "0.06"}),
        ("fine_tuning", {"training_tokens": "25"}, {"other": "25"}),
        ("video_generation", {"video_seconds": "0.8"}, {"other": "0.8"}),
        ("speech_to_text", {"audio_seconds": "0.006"}, {"speech_to_text": "0.006"}),
        ("speech_to_text", {"input_audio_tokens": "0.006", "output_tokens": "0.01"}, {"speech_to_text": "0.016"}),
        ("text_to_speech", {"input_characters": "0.015"}, {"text_to_speech": "0.015"}),
        ("embeddings", {"input_tokens": "0.00002"}, {"text_input": "0.00002"}),
        ("chat", {"a_unit_of_tomorrow": "0.5"}, {"other": "0.5"}),
        ("chat", {"input_tokens": "0", "output_tokens": "0"}, {}),
    ],
)
def test_every_line_counts_in_one_part(
    store: Store, operation: str, lines: Mapping[str, str], expected: Mapping[str, str]
) -> None:
    """The parts of a cost are where users look for them, and add up to the last digit."""
    cost = str(sum(map(Decimal, lines.values())))
    store.insert(call(cost=cost, lines=lines, gen_ai__operation__name=operation))
    assert breakdown(store) == {part: Decimal(usd) for part, usd in expected.items()}


@pytest.mark.parametrize(
    ("operation", "part"),
    [("chat", "other"), ("speech_to_text", "speech_to_text"), ("text_to_speech", "text_to_speech")],
)
def test_a_cost_that_the_provider_reports_is_not_what_our_lines_say(store: Store, operation: str, part: str) -> None:
    """Lines that are not the cost are not its parts: it counts whole, and the lines are there to be looked at."""
    store.insert(call(cost="0.5", lines={"input_tokens": "0.3"}, gen_ai__operation__name=operation))
    assert breakdown(store) == {part: Decimal("0.5")}
    assert store.one("select cost_lines from billed_calls")["cost_lines"] == {"input_tokens": Decimal("0.3")}
    assert only(store.ask("select * from session_costs"), "unit", "kind", "cost_usd") == [("", part, Decimal("0.5"))]


@pytest.mark.long
def test_the_smallest_parts_add_up(store: Store) -> None:
    """No digit is lost where a double would lose it."""
    for n in range(30):
        lines = {"input_tokens": f"0.{n:012}", "output_tokens": f"{n}.000000000001", "requests": "1234567.000000000001"}
        store.insert(call(cost=str(sum(map(Decimal, lines.values()))), lines=lines))
    found = breakdown(store)
    assert found["text_output"] == Decimal("435.000000000030")
    assert found["other"] == Decimal("37037010.000000000030")


def test_a_sessions_lines(store: Store) -> None:
    """A row per step, operation, model and line; an unpriced call is a row too."""
    chat: dict[str, Any] = {"gen_ai.usage.input_tokens": 10}
    store.insert(
        call(
            at("10:00:00"),
            cost="0.3",
            lines={"input_tokens": "0.1", "output_tokens": "0.2"},
            otel_costs__step="plan",
            **chat,
        ),
        call(
            at("10:00:01"),
            cost="0.03",
            lines={"input_tokens": "0.01", "output_tokens": "0.02"},
            otel_costs__step="plan",
            **chat,
        ),
        call(at("10:00:02"), cost=None, otel_costs__step="answer"),
        call(at("10:00:03"), cost="5", session="s2"),
    )
    found = store.ask("select * from session_costs where session_id = 's1' order by step, unit")
    assert only(found, "step", "unit", "kind", "call_count", "unpriced_calls", "cost_usd") == [
        ("answer", "", "other", 1, 1, Decimal(0)),
        ("plan", "input_tokens", "text_input", 2, 0, Decimal("0.11")),
        ("plan", "output_tokens", "text_output", 2, 0, Decimal("0.22")),
    ]


def day(store: Store, view: str, key: str) -> list[tuple[Any, ...]]:
    """Return a cost view's figures by `key`, in order."""
    columns = (
        *key.split(", "),
        "call_count",
        "unpriced_calls",
        "cost_usd",
        "text_input",
        "text_input_usd",
        "audio_seconds",
    )
    return only(store.ask(f"select * from {view} order by {key}"), *columns)


def records() -> list[LogRow]:
    """Return calls of two users, two scenarios, two models and two days, one of them twice, one without a price."""
    chat: dict[str, Any] = {"lines": {"input_tokens": "0.5"}, "cost": "0.5", "gen_ai.usage.input_tokens": 100}
    hearing: dict[str, Any] = {
        "cost": "0.006",
        "lines": {"audio_seconds": "0.006"},
        "otel_costs.usage.audio_seconds": "60",
        "gen_ai.operation.name": "speech_to_text",
        "gen_ai.response.model": "whisper-1",
    }
    made = [
        call(at("23:59:59"), user="u1", otel_costs__scenario="sales", **chat),
        call(at("00:00:00", day=1), user="u1", otel_costs__scenario="sales", **chat),
        call(at("00:00:01", day=1), user="u2", otel_costs__scenario="coding", session="s2", **hearing),
        call(at("00:00:02", day=1), user="u1", otel_costs__scenario="coding", cost=None),
    ]
    return [*made, made[0], made[2]]


def test_costs_of_users(store: Store) -> None:
    """One row per user and day."""
    store.insert(*records())
    today, tomorrow = NOON.date(), NOON.date() + timedelta(days=1)
    assert day(store, "user_costs", "day, user_id") == [
        (today, "u1", 1, 0, Decimal("0.5"), 100, Decimal("0.5"), Decimal(0)),
        (tomorrow, "u1", 2, 1, Decimal("0.5"), 100, Decimal("0.5"), Decimal(0)),
        (tomorrow, "u2", 1, 0, Decimal("0.006"), 0, Decimal(0), Decimal(60)),
    ]
    assert store.one("select sum(session_count) as n from user_costs where day = {day:Date}", day=tomorrow) == {"n": 2}


def test_costs_of_scenarios(store: Store) -> None:
    """One row per scenario and day."""
    store.insert(*records())
    assert [row[1:5] for row in day(store, "scenario_costs", "day, scenario")] == [
        ("sales", 1, 0, Decimal("0.5")),
        ("coding", 2, 1, Decimal("0.006")),
        ("sales", 1, 0, Decimal("0.5")),
    ]


def test_costs_of_models(store: Store) -> None:
    """One row per provider, model, operation and day."""
    store.insert(*records())
    assert [row[1:6] for row in day(store, "model_costs", "day, provider, model, operation")] == [
        ("openai", "gpt-4o-2024-08-06", "chat", 1, 0),
        ("openai", "gpt-4o-2024-08-06", "chat", 2, 1),
        ("openai", "whisper-1", "speech_to_text", 1, 0),
    ]


def test_costs_of_days(store: Store) -> None:
    """One row per day; together they are every call once."""
    store.insert(*records())
    assert [row[1:4] for row in day(store, "daily_costs", "day")] == [(1, 0, Decimal("0.5")), (3, 1, Decimal("0.506"))]


def test_the_model_that_was_asked_stands_in_for_one_that_did_not_answer(store: Store) -> None:
    """A call that failed has no answering model."""
    store.insert(call(gen_ai__response__model=None))
    assert store.one("select model from model_costs") == {"model": "gpt-4o"}


def test_a_users_report(store: Store) -> None:
    """One row per day, scenario and model of that user, within the times."""
    store.insert(*records())
    question = (
        "select * from user_report(user = {user:String}, since = {since:DateTime64(3)}, until = {until:DateTime64(3)})"
        " order by day, scenario"
    )
    found = store.ask(question, user="u1", since=NOON, until=at("00:00:02", day=1))
    assert only(found, "scenario", "call_count", "cost_usd") == [
        ("sales", 1, Decimal("0.5")),
        ("sales", 1, Decimal("0.5")),
    ]
    found = store.ask(question, user="u1", since=at("00:00:02", day=1), until=at("00:00:03", day=1))
    assert only(found, "scenario", "call_count", "unpriced_calls") == [("coding", 1, 1)]


def test_the_users_that_cost_most(store: Store) -> None:
    """As many as asked for, within the times, with everything about them."""
    store.insert(*records(), call(at("00:00:03", day=1), user="u3", cost="0.005"))
    found = store.ask("select * from top_users(up_to = 2)")
    columns = ("user_id", "call_count", "unpriced_calls", "cost_usd", "text_input_usd", "audio_seconds")
    assert only(found, *columns) == [
        ("u1", 3, 1, Decimal("1.0"), Decimal("1.0"), Decimal(0)),
        ("u2", 1, 0, Decimal("0.006"), Decimal(0), Decimal(60)),
    ]
    until = "select user_id, cost_usd from top_users(since = {since:DateTime64(3)}, until = {until:DateTime64(3)})"
    found = store.ask(until, since=at("00:00:01", day=1), until=at("00:00:03", day=1))
    assert only(found, "user_id", "cost_usd") == [("u2", Decimal("0.006")), ("u1", Decimal(0))]
    assert len(store.ask("select * from top_users()")) == 3


def test_what_has_no_price(store: Store) -> None:
    """One row per model and reason; partly priced calls show with what is known of their cost."""
    unknown: dict[str, Any] = {"otel_costs.cost.reason": "unknown_model", "gen_ai.response.model": "gpt-9"}
    store.insert(
        call(at("10:00:00"), cost=None, gen_ai__usage__input_tokens=5, **unknown),
        call(at("10:00:01"), cost=None, gen_ai__usage__input_tokens=7, call_id="9" * 12 + "4" + "9" * 19, **unknown),
        call(
            at("10:00:02"), cost="0.5", otel_costs__cost__status="partial", otel_costs__cost__reason="unit_not_priced"
        ),
        call(at("10:00:03")),
    )
    found = store.ask("select * from unpriced_calls order by call_count desc")
    columns = (
        "model",
        "cost_status",
        "cost_reason",
        "call_count",
        "input_tokens",
        "cost_usd",
        "first_time",
        "last_time",
    )
    assert only(found, *columns) == [
        ("gpt-9", "unpriced", "unknown_model", 2, 12, Decimal(0), at("10:00:00"), at("10:00:01")),
        ("gpt-4o-2024-08-06", "partial", "unit_not_priced", 1, None, Decimal("0.5"), at("10:00:02"), at("10:00:02")),
    ]
    assert found[0]["last_call_id"] == "9" * 12 + "4" + "9" * 19


def test_budgets(store: Store) -> None:
    """A budget counts its own user or scenario, in its own period, and says how it stands."""
    # The first moment of the month, the week and the day, and one just before each.
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday())
    first = midnight.replace(day=1)
    instant = timedelta(milliseconds=1)
    starts = {"day": midnight, "week": monday, "month": first}
    moments = [moment for start in sorted(set(starts.values())) for moment in (start - instant, start)]
    store.insert(*[call(moment, cost="1", otel_costs__scenario="sales") for moment in moments])
    store.insert(call(midnight, cost="100", user="u2"), call(midnight, cost=None))
    store.client.command(
        "insert into budgets (scope, name, period, limit_usd) values"
        " ('user', 'u1', 'day', 10), ('user', 'u1', 'week', 1), ('scenario', 'sales', 'month', 1.25),"
        " ('all', '', 'day', 101), ('user', 'nobody', 'day', 0), ('user', 'gone', 'day', 1)"
    )
    store.client.command(
        "insert into budgets (scope, name, period, limit_usd, deleted) values ('user', 'gone', 'day', 1, true)"
    )
    store.client.command("insert into budgets (scope, name, period, limit_usd) values ('user', 'u1', 'day', 0.5)")
    spent = {period: Decimal(sum(moment >= start for moment in moments)) for period, start in starts.items()}
    found = {(row["scope"], row["name"], row["period"]): row for row in store.ask("select * from budget_status")}
    assert {key: row["spent_usd"] for key, row in found.items()} == {
        ("user", "u1", "day"): spent["day"],
        ("user", "u1", "week"): spent["week"],
        ("scenario", "sales", "month"): spent["month"],
        ("all", "", "day"): spent["day"] + 100,
        ("user", "nobody", "day"): Decimal(0),
    }
    over = found["user", "u1", "day"]
    assert (over["limit_usd"], over["state"], over["unpriced_calls"]) == (Decimal("0.5"), "over", 1)
    assert (over["remaining_usd"], over["period_start"]) == (Decimal("0.5") - spent["day"], midnight)
    assert found["all", "", "day"]["state"] == "warning"
    assert found["user", "nobody", "day"]["state"] == "ok"
    assert found["user", "nobody", "day"]["used"] == 0


def test_budgets_of_tags_services_and_models(store: Store) -> None:
    """Each counts what has its name; a model's, with its provider before it or without."""
    now = datetime.now(UTC)
    store.insert(
        call(now, cost="1", otel_costs__tag__team="support"),
        call(now, cost="2", otel_costs__tag__team="sales", otel_costs__tag__kb="a=b"),
        call(now, cost="4", gen_ai__request__model="o3", gen_ai__response__model="o3-2025-04-16"),
    )
    store.client.command(
        "insert into budgets (scope, name, period, limit_usd) values ('tag', 'team=support', 'day', 1),"
        " ('tag', 'kb=a=b', 'day', 1), ('model', 'o3', 'day', 5), ('model', 'openai/o3', 'day', 3),"
        " ('model', 'azure/o3', 'day', 3), ('service', 'nobody', 'day', 1), ('all', '', 'day', 7),"
        " ('model', 'o3-2025-04-16', 'day', 9)"
    )
    assert {(row["name"], row["spent_usd"], row["state"]) for row in store.ask("select * from budget_status")} == {
        ("team=support", Decimal(1), "warning"),
        ("kb=a=b", Decimal(2), "over"),
        ("o3", Decimal(4), "warning"),
        ("openai/o3", Decimal(4), "over"),
        ("azure/o3", Decimal(0), "ok"),
        ("nobody", Decimal(0), "ok"),
        ("o3-2025-04-16", Decimal(4), "ok"),
        ("", Decimal(7), "warning"),
    }


def test_budgets_with_rollover(store: Store) -> None:
    """What was left of the period before is added, and of that one alone, once the budget has lasted for one."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hour = timedelta(hours=1)
    store.insert(call(midnight, cost="9"), call(midnight - hour, cost="4"), call(midnight - 25 * hour, cost="1"))
    store.insert(call(midnight, cost="1", user="u2"), call(midnight - hour, cost="100", user="u2"))
    store.client.command(
        "insert into budgets (scope, name, period, limit_usd, rollover, since) values"
        " ('user', 'u1', 'day', 10, true, '2026-01-01'), ('user', 'u2', 'day', 10, true, '2026-01-01'),"
        " ('all', '', 'day', 10, true, now())"
    )
    found = {row["name"]: row for row in store.ask("select * from budget_status")}
    assert {name: (row["carried_usd"], row["remaining_usd"], row["state"]) for name, row in found.items()} == {
        "u1": (Decimal(6), Decimal(7), "ok"),
        "u2": (Decimal(0), Decimal(9), "ok"),
        "": (Decimal(0), Decimal(0), "warning"),
    }
    assert found["u1"]["used"] == 9 / 16


def test_budgets_begin_in_their_own_zone(store: Store) -> None:
    """At the midnight that is there, whether it is summer or winter."""
    zones = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe"]
    rows = ", ".join(f"('user', '{zone}', 'day', 1, '{zone}')" for zone in zones)
    store.client.command(f"insert into budgets (scope, name, period, limit_usd, zone) values {rows}")
    before = datetime.now(UTC)
    found = {row["name"]: (row["period_start"], row["period_end"]) for row in store.ask("select * from budget_status")}
    for zone in zones:
        days = [moment.astimezone(ZoneInfo(zone)).date() for moment in (before, datetime.now(UTC))]
        assert found[zone] in [
            tuple(datetime.combine(day + timedelta(n), time(), ZoneInfo(zone)) for n in (0, 1)) for day in days
        ]
    functions = re.search(r"with\n((?:.*\n)*?.*as begins)\n", VIEW.read_text(encoding="utf-8"))
    assert functions is not None
    asked = f"with {functions[1]} select toDate('2026-01-01') + number as day, arrayJoin({zones}) as zone,"
    for row in store.ask(f"{asked} begins(day, zone) as at from numbers(365)"):
        assert row["at"] == datetime.combine(row["day"], time(), ZoneInfo(row["zone"])), row
