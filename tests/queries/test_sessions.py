"""sessions and newest_sessions: every session once and right, counted before or not."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from .ledger import NOON, LogRow, Store, at, call, job, message, only

FIGURES = ("session_id", "call_count", "message_count", "cost_usd", "unpriced_calls")


def figures(store: Store) -> list[tuple[Any, ...]]:
    """Return the figures of every session by all ways there are to them, which must agree."""
    by_name = only(store.ask("select * from sessions order by session_id"), *FIGURES)
    newest = store.ask("select * from newest_sessions(up_to = 1000) order by session_id")
    reports = [
        row
        for (session_id, *_) in by_name
        for row in store.ask("select * from session_report(session_id = {session_id:String})", session_id=session_id)
    ]
    assert by_name == only(newest, *FIGURES) == only(reports, *FIGURES)
    times = ("user_id", "scenario", "tags", "start_time", "end_time", "duration_seconds")
    assert only(newest, *times) == only(reports, *times)
    return by_name


def counted(store: Store, *batches: list[LogRow]) -> list[tuple[Any, ...]]:
    """Insert batches with a count after each; return the figures: the same once nothing is new any more."""
    for batch in batches:
        store.insert(*batch)
        store.count_sessions()
    fresh = figures(store)
    _let_pass(store)
    assert store.ask("select * from changed_sessions") == []
    assert figures(store) == fresh
    return fresh


def test_a_session_is_the_sum_of_its_calls(store: Store) -> None:
    """Who, what, from when to when, how many and how much."""
    store.insert(
        call(at("10:30:00.5"), lasted=0.5, cost="0.05", otel_costs__scenario="sales", otel_costs__tag__kb="law"),
        call(at("10:34:05.5"), cost="0.02425", otel_costs__tag__team="west"),
        message(at("10:30:00.2"), "hello"),
    )
    assert store.one("select * from sessions") == {
        "session_id": "s1",
        "user_id": "u1",
        "kind": "conversation",
        "scenario": "sales",
        "tags": {"kb": "law", "team": "west"},
        "start_time": at("10:30:00"),
        "end_time": at("10:34:05.5"),
        "duration_seconds": 245.5,
        "message_count": 1,
        "call_count": 2,
        "cost_usd": Decimal("0.07425"),
        "unpriced_calls": 0,
        "error_count": 0,
        "services": ["shop"],
        "providers": ["openai"],
        "models": ["gpt-4o-2024-08-06"],
        "operations": ["chat"],
        "steps": [],
    }


def test_a_session_is_right_at_once_and_stays_right(store: Store) -> None:
    """A record shows before anything was counted, between counts, and after."""
    first, second = call(at("10:00:00"), cost="0.5"), call(at("10:01:00"), cost="0.25")
    store.insert(first)
    assert figures(store) == [("s1", 1, 0, Decimal("0.5"), 0)]
    store.count_sessions()
    store.insert(second, first, message(at("10:00:30"), "hi"))
    expected = [("s1", 2, 1, Decimal("0.75"), 0)]
    assert figures(store) == expected
    assert counted(store, [first]) == expected


@pytest.mark.long
def test_over_midnight_and_over_days(store: Store) -> None:
    """A session is one, however many days its calls lie on; each day has its share of the money."""
    batches = [
        [call(at("23:59:59", day=day), cost="0.1"), call(at("00:00:01", day=day + 1), cost="0.01")]
        for day in (-4, -1, 0)
    ]
    assert counted(store, *batches) == [("s1", 6, 0, Decimal("0.33"), 0)]
    row = store.one("select start_time, end_time from sessions")
    assert (row["start_time"], row["end_time"]) == (at("23:59:58", day=-4), at("00:00:01", day=1))
    days = store.ask("select cost_usd from daily_costs order by day")
    assert [row["cost_usd"] for row in days] == [Decimal(usd) for usd in ("0.1", "0.01", "0.1", "0.11", "0.01")]


@pytest.mark.long
def test_three_days_late_after_the_session_was_counted(store: Store) -> None:
    """An earlier call that arrives last moves the beginning, and is in the sum."""
    store.insert(call(NOON, cost="0.5"))
    store.count_sessions()
    _let_pass(store)
    late = call(NOON - timedelta(days=3), cost="0.25")
    assert counted(store, [late], [late]) == [("s1", 2, 0, Decimal("0.75"), 0)]
    assert store.one("select start_time from sessions")["start_time"] == NOON - timedelta(days=3, seconds=1)


@pytest.mark.long
def test_delivered_eight_times_between_counts(store: Store) -> None:
    """Copies change no session, whether it was counted already or not."""
    records = [call(at(f"10:00:{second:02}"), cost="0.1") for second in range(3)] + [message(at("10:00:00"), "hi")]
    assert counted(store, *[records[n % 4 :] + records[: n % 3] for n in range(8)]) == [("s1", 3, 1, Decimal("0.3"), 0)]


@pytest.mark.long
def test_an_unpriced_call_is_counted_and_hides_no_cost(store: Store) -> None:
    """The cost is the sum of what is known; what is not stands beside it."""
    assert counted(store, [call(cost="0.5"), call(cost=None), call(cost="NaN")]) == [("s1", 3, 0, Decimal("0.5"), 2)]
    assert counted(store, [call(cost=None, session="s2")])[1] == ("s2", 1, 0, None, 1)


@pytest.mark.long
def test_a_re_price_reaches_a_counted_session(store: Store) -> None:
    """A newer revision is a change like any other."""
    assert counted(store, [call(cost="0.5"), call(cost=None)]) == [("s1", 2, 0, Decimal("0.5"), 1)]
    store.reprice("cost_usd is null", usd="0.125", unit="input_tokens")
    assert figures(store) == [("s1", 2, 0, Decimal("0.625"), 0)]
    store.count_sessions()
    _let_pass(store)
    assert figures(store) == [("s1", 2, 0, Decimal("0.625"), 0)]


@pytest.mark.long
def test_a_job_leaves_the_session_that_only_asked(store: Store) -> None:
    """When a job turns out to be another session's, the counted one gives it up, and a session of nothing is none."""
    assert counted(store, [job(cost=None, revision=0, session="asked")]) == [("asked", 1, 0, None, 1)]
    fetched = ("fetched", 1, 0, Decimal("0.5"), 0)
    assert counted(store, [job(cost="0.5", session="fetched")]) == [fetched]
    assert counted(store, [call(cost="0.1", session="asked")]) == [("asked", 1, 0, Decimal("0.1"), 0), fetched]


def test_a_session_of_two_users_is_one(store: Store) -> None:
    """The first user names it; the other's calls are in it, also those counted before."""
    assert counted(
        store,
        [call(at("10:00:05"), user="u2", cost="0.5")],
        [call(at("10:00:00"), user="u1", cost="0.25")],
        [call(at("10:00:09"), user="", cost="0.125")],
    ) == [("s1", 3, 0, Decimal("0.875"), 0)]
    assert store.one("select user_id from sessions") == {"user_id": "u1"}


def test_messages_alone_are_a_session(store: Store) -> None:
    """What was said before the first call has ended already shows."""
    assert counted(store, [message(at("10:00:00"), "hello"), message(at("10:00:02"), "hello?", message_id="m2")]) == [
        ("s1", 0, 2, Decimal(0), 0)
    ]
    assert store.one("select user_id, duration_seconds from sessions") == {"user_id": "u1", "duration_seconds": 2.0}


@pytest.mark.long
def test_a_message_after_the_last_call_ends_the_session(store: Store) -> None:
    """The session lasts until the last thing that happened in it."""
    counted(store, [call(at("10:00:01"))], [message(at("10:00:08"), "thanks")])
    assert store.one("select end_time from sessions")["end_time"] == at("10:00:08")


def test_calls_without_a_session_are_in_no_session(store: Store) -> None:
    """They are in every sum, and in no list of sessions."""
    assert counted(store, [call(session="", cost="0.5")]) == []
    assert store.one("select cost_usd from user_costs")["cost_usd"] == Decimal("0.5")


@pytest.mark.long
def test_ids_are_taken_as_they_are(store: Store) -> None:
    """Quotes, newlines, emoji and SQL in an id are an id."""
    names = ["it's", 'a "b"', "new\nline", "\\", "🙂", "'; drop table calls --", "{x:String}", "%s %(a)s", "tab\there"]
    assert counted(store, [call(session=name, user=name) for name in names]) == [
        (name, 1, 0, Decimal("0.001"), 0) for name in sorted(names, key=str.encode)
    ]


@pytest.mark.long
def test_an_empty_count_fills_itself_again(store: Store) -> None:
    """session_totals can be emptied: it only remembers."""
    before = counted(store, [call(session=f"s{n % 3}", cost=f"0.{n + 1}") for n in range(9)])
    store.client.command("truncate table session_totals")
    assert figures(store) == before
    store.count_sessions()
    assert figures(store) == before


@pytest.mark.some(1)
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"up_to": 2}, ["s4", "s3"]),
        ({"user": "u1"}, ["s4", "s2", "s0"]),
        ({"user": "nobody"}, []),
        ({"scenario": "sales"}, ["s3", "s0"]),
        ({"since": at("10:01:59"), "until": at("10:02:59")}, ["s2"]),
        ({"user": "u0", "up_to": 1}, ["s3"]),
    ],
)
def test_the_newest_sessions_that_are_asked_for(store: Store, chosen: dict[str, object], expected: list[str]) -> None:
    """The parameters choose, before and after counting alike; without them every session is meant."""
    parameters = {"user": None, "scenario": None, "since": None, "until": None, "up_to": 50, **chosen}
    question = (
        "select session_id from newest_sessions(user = {user:Nullable(String)}, scenario = {scenario:Nullable(String)},"
        " since = {since:Nullable(DateTime64(3, 'UTC'))}, until = {until:Nullable(DateTime64(3, 'UTC'))},"
        " up_to = {up_to:UInt64})"
    )
    store.insert(*[_of(n) for n in range(3)])
    store.count_sessions()
    _let_pass(store)
    store.insert(*[_of(n) for n in (3, 4)])
    assert [row["session_id"] for row in store.ask(question, **parameters)] == expected


def test_the_view_that_counts_runs_by_itself(store: Store) -> None:
    """What session_totals_mv is asked to do is what these tests do in its place."""
    made = store.one(
        "select as_select from system.tables where database = currentDatabase() and name = 'session_totals_mv'"
    )
    assert "session_recount" in made["as_select"]
    refreshes = store.one("select exception from system.view_refreshes where view = 'session_totals_mv'")
    assert refreshes["exception"] in ("", "cancelled")  # the tests stop it, be it in the middle of a run


def _of(number: int) -> LogRow:
    scenario = "sales" if number % 3 == 0 else "coding"
    return call(
        at(f"10:{number:02}:00"), session=f"s{number}", user=f"u{(number + 1) % 2}", otel_costs__scenario=scenario
    )


def _let_pass(store: Store) -> None:
    """Let more than the half minute pass in which sessions count as changed."""
    store.pretend_earlier("session_days", "inserted_at", 60)


def test_the_kind_of_a_session(store: Store) -> None:
    """A session of which nothing is said is a conversation; what one process says counts for all of the session."""
    store.insert(
        call(at("10:00:00"), session="a", cost="1"),
        call(at("10:00:00"), session="b", cost="2", otel_costs__session__kind="conversation"),
        call(at("10:01:00"), session="b", cost="4", otel_costs__session__kind="creation"),
        message(at("10:00:00"), session="c", otel_costs__session__kind="creation"),
        call(at("10:00:00"), session="", cost="8"),
    )
    kinds = [("a", "conversation"), ("b", "creation"), ("c", "creation")]
    for _ in range(2):
        assert only(store.ask("select * from sessions order by session_id"), "session_id", "kind") == kinds
        store.count_sessions()
    for session_id, kind in kinds:
        asked = "select kind from session_report(session_id = {session_id:String})"
        assert store.one(asked, session_id=session_id) == {"kind": kind}
    found = store.ask("select * from kind_costs order by kind")
    assert only(found, "kind", "session_count", "call_count", "cost_usd") == [
        ("", 0, 1, Decimal(8)),
        ("conversation", 2, 2, Decimal(3)),
        ("creation", 1, 1, Decimal(4)),
    ]


def test_what_a_session_is_made_of(store: Store) -> None:
    """Services, providers, models, operations and steps of the billed calls, and how many of them failed."""
    store.insert(
        call(otel_costs__step="ask"),
        {**call(gen_ai__operation__name="speech_to_text", error__type="timeout"), "ServiceName": "desk"},
    )
    store.count_sessions()
    assert store.one("select services, providers, operations, steps, error_count from session_totals final") == {
        "services": ["desk", "shop"],
        "providers": ["openai"],
        "operations": ["chat", "speech_to_text"],
        "steps": ["ask"],
        "error_count": 1,
    }
