"""Records with times that no clock can have meant: whatever is acknowledged is in all tables, and stays there."""

from datetime import UTC, datetime, timedelta

import pytest

from .ledger import NOON, Store, call, message

LATELY = NOON
LONG_AGO = datetime.now(UTC) - timedelta(days=500)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEYOND_32_BITS = datetime(2107, 3, 4, 5, tzinfo=UTC)
BEYOND_DATES = datetime(2150, 1, 1, tzinfo=UTC)
LAST = datetime(2262, 4, 11, tzinfo=UTC)
ODD = [EPOCH, LONG_AGO, BEYOND_32_BITS, BEYOND_DATES, LAST]
TABLES = ("otel_logs", "calls", "messages", "session_days", "session_totals")


def merge(store: Store) -> None:
    """Do now what the store does in its own time: it takes out what is over."""
    for table in TABLES:
        store.client.command(f"optimize table {table} final")


def count(store: Store, table: str) -> int:
    return int(str(store.client.command(f"select count() from {table}")))


@pytest.mark.parametrize("time", [LATELY, *ODD])
def test_a_record_of_any_time_is_kept(store: Store, time: datetime) -> None:
    """A call and a message of 1970, of 500 days ago and of the next centuries are in every table after merges."""
    store.insert(call(time, session="odd"), message(time, "hello", session="odd"))
    store.count_sessions()
    merge(store)
    assert [count(store, table) for table in TABLES] == [2, 1, 1, 1, 1]
    (session,) = store.ask("select session_id, call_count, message_count, toString(cost_usd) as cost from sessions")
    assert tuple(session.values()) == ("odd", 1, 1, "0.001")
    assert store.ask("select content from messages") == [{"content": "hello"}]


def test_a_day_is_the_day(store: Store) -> None:
    """Reports by day have the day that it was, also where 16 bits of days are over."""
    store.insert(*[call(time) for time in ODD])
    days = [row["day"] for row in store.ask("select day from daily_costs order by day")]
    assert days == sorted(time.date() for time in ODD)
    assert store.ask("select call_count from daily_costs where day = '2262-04-11'") == [{"call_count": 1}]


def test_spans_of_any_time_are_kept(store: Store) -> None:
    """So are spans, and the times of their traces, which end where 32 bits do."""
    for table in ("otel_traces", "otel_traces_trace_id_ts"):
        store.client.command(f"truncate table {table}")
    for number, time in enumerate([LATELY, *ODD]):
        store.client.command(
            "insert into otel_traces (Timestamp, TraceId) values ({time:DateTime64(6, 'UTC')}, {trace:String})",
            parameters={"time": time, "trace": str(number)},
        )
    for table in ("otel_traces", "otel_traces_trace_id_ts"):
        store.client.command(f"optimize table {table} final")
        assert count(store, table) == 1 + len(ODD)
    last = store.client.command("select max(End) from otel_traces_trace_id_ts")
    assert str(last).startswith("2106-02-07")


def test_what_is_over_goes(store: Store) -> None:
    """A row is kept for as long after its arrival as others after their time, and then it goes, as they do."""
    columns = "(user_id, session_id, end_time, inserted_at)"
    values = [
        ("old", LATELY - timedelta(days=500), LATELY - timedelta(days=450)),
        ("odd", EPOCH, LATELY - timedelta(days=450)),
        ("odd and new", EPOCH, LATELY),
        ("odd and later", LAST, LATELY - timedelta(days=390)),
        ("new", LATELY, LATELY),
    ]
    for session, end, arrival in values:
        store.client.command(
            f"insert into calls {columns} values ('u', {{s:String}}, {{e:DateTime64(3, 'UTC')}},"
            " {a:DateTime64(3, 'UTC')})",
            parameters={"s": session, "e": end, "a": arrival},
        )
    merge(store)
    left = store.client.query("select session_id from calls order by session_id").result_rows
    assert left == [("new",), ("odd and later",), ("odd and new",)]


def test_odd_times_are_counted(store: Store) -> None:
    """Whoever asks learns how many calls have a time that cannot be true, and from which service; others are none."""
    store.insert(call(LATELY), *[call(time) for time in ODD], call(datetime.now(UTC) + timedelta(hours=2)))
    store.insert(call(NOON - timedelta(days=300)))
    (found,) = store.ask("select service, calls, first_time, last_time from misdated_calls")
    assert found["calls"] == len(ODD)
    assert (found["first_time"].year, found["last_time"].year) == (1970, 2262)
