"""erase(): whoever is erased is in no table any more, and everybody else is as before."""

import json
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.alerts.state import Event, State
from otel_costs.store import erase, reports
from otel_costs.store.cluster import TableLocation
from tests.queries.engine import engine
from tests.queries.ledger import LogRow, Store, at, call, job, message, only


def span(user: str, session: str, trace: str) -> dict[str, Any]:
    """Return a span as the collector writes it."""
    attributes = {"user.id": user, "session.id": session}
    return {"Timestamp": "2026-11-20 10:00:00", "TraceId": trace, "SpanAttributes": attributes}


def own_session(record: LogRow) -> LogRow:
    """Return the record of a session that ended."""
    record["LogAttributes"]["event.name"] = "otel_costs.session"
    return {**record, "EventName": "otel_costs.session"}


def begun(record: LogRow) -> LogRow:
    """Return the record of a session that a program has begun by telling us of it."""
    record["LogAttributes"]["event.name"] = "otel_costs.session_start"
    return {**record, "EventName": "otel_costs.session_start"}


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with three users, one session of two of them, and one that began without a user."""
    store.client.command("truncate table otel_traces")
    store.client.command("truncate table otel_traces_trace_id_ts")
    store.insert(
        call(at("10:00:00"), user="ada", session="a", cost="0.5"),
        message(at("10:00:00"), "my secret", user="", session="a"),
        own_session(call(at("10:01:00"), user="ada", session="a")),
        call(at("11:00:00"), user="ada", session="both", cost="0.25"),
        call(at("11:00:01"), user="bob", session="both", cost="0.125"),
        message(at("11:00:00"), "from ada", user="ada", session="both", message_id="m2"),
        message(at("11:00:01"), "from bob", user="bob", session="both", message_id="m3"),
        call(at("12:00:00"), user="bob", session="b", cost="2"),
        call(at("12:00:00"), user="", session="", cost="4"),
        begun(call(at("09:59:00"), user="ada", session="a")),
        begun(call(at("09:59:00"), user="bob", session="b")),
        job(user="ada", session="a", cost="1"),
        job(user="bob", session="b", cost="1"),
    )
    spans = [span("ada", "a", "t1"), span("bob", "b", "t2")]
    store.client.raw_insert("otel_traces", insert_block="\n".join(map(json.dumps, spans)), fmt="JSONEachRow")
    store.client.command("insert into budgets (scope, name, period, limit_usd) values ('user', 'ada', 'day', 5)")
    store.client.command("insert into budgets (scope, name, period, limit_usd) values ('user', 'bob', 'day', 5)")
    for user, session in (("ada", "a"), ("bob", "b")):
        State(store.client).write(Event("dear", session, f"session {session}", at("11:00:00"), user, session))
    store.count_sessions()
    store.pretend_earlier("session_days", "inserted_at", 60)
    return store


def everything(store: Store) -> str:
    """Return all rows of all tables as text."""
    tables = store.ask(
        "select name from system.tables where database = currentDatabase() and engine like '%MergeTree'"
        " and name != 'schema_versions'"
    )
    found = [store.client.raw_query(f"select * from {row['name']} format JSONEachRow") for row in tables]
    # Ids are bytes, not text; and merges change the order of rows.
    return "\n".join(sorted(b"\n".join(found).decode(errors="replace").splitlines()))


def test_a_user_is_gone_from_every_table(filled: Store) -> None:
    """Name, sessions and words; what was recorded before the user was known too. What is left is said to be nothing."""
    whom = erase.of_user(filled.client, "ada")
    assert (whom.sessions, whom.shared) == (("a",), ("both",))
    assert "my secret" in everything(filled)
    filled.count_costs()
    found = {one.table: (one.before, one.after) for one in erase.erase(filled.client, whom)}
    before, after = found.pop("session_days")  # as many as have not been merged yet
    assert (before > 0, after) == (True, 0)
    assert found == {
        "otel_logs": (7, 0), "otel_traces": (1, 0), "otel_traces_trace_id_ts": (1, 0), "messages": (2, 0),
        "calls": (4, 0), "derived_calls": (1, 0), "session_totals": (2, 0), "session_starts": (1, 0), "budgets": (1, 0),
        "alerts": (1, 0), "cost_days": (1, 0),
    }  # fmt: skip
    left = everything(filled)
    for word in ("ada", "my secret", "from ada", '"a"', "t1"):
        assert word not in left
    assert "from bob" in left


@pytest.mark.long
def test_counted_calls_that_are_not_priced_are_forgotten(store: Store) -> None:
    """The id of the last of them is that of a call of somebody's; the others are counted again."""
    last = "ab" * 6 + "4" + "0" * 19
    store.insert(
        call(at("10:00:00"), user="ada", session="a", cost=None, call_id=last),
        call(at("10:00:00"), user="bob", session="b", cost=None),
    )
    store.count_costs()
    kept = "select count() as n from counted_not_priced where lower(hex(last_call_id)) = {last:String}"
    assert store.one(kept, last=last)["n"] == 1
    erase.erase(store.client, erase.of_user(store.client, "ada"))
    assert store.ask("select * from not_priced_half_hours") == []
    assert only(store.ask("select * from unpriced_calls"), "call_count") == [(1,)]
    store.count_costs()
    assert only(store.ask("select * from unpriced_calls"), "call_count") == [(1,)]
    assert store.one(kept, last=last)["n"] == 0


@pytest.mark.long
def test_everybody_else_is_as_before(filled: Store) -> None:
    """The rest of a shared session is counted again, and is right at once and after the next count."""
    erase.erase(filled.client, erase.of_user(filled.client, "ada"))
    expected = [("b", 2, 0, Decimal(3)), ("both", 1, 1, Decimal("0.125"))]
    for _ in range(2):
        found = filled.ask("select * from sessions order by session_id")
        assert only(found, "session_id", "call_count", "message_count", "cost_usd") == expected
        filled.count_sessions()
        filled.pretend_earlier("session_days", "inserted_at", 60)
    assert only(reports.user_costs(filled.client), "user_id", "cost_usd") == [
        ("", Decimal(4)),
        ("bob", Decimal("3.125")),
    ]
    assert only(reports.budget_status(filled.client), "name") == [("bob",)]


@pytest.mark.long
def test_what_names_nobody_goes_with_the_first_user(filled: Store) -> None:
    """In a session of several it is the first one's in every report: it goes with that user, and with no other."""
    filled.insert(call(at("11:00:05"), user="", session="both", cost="8"))
    assert reports.user_report(filled.client, "ada")["cost_usd"] == Decimal("8.75")
    assert erase.of_user(filled.client, "bob").led == ()
    whom = erase.of_user(filled.client, "ada")
    assert (whom.shared, whom.led) == (("both",), ("both",))
    assert not [one for one in erase.erase(filled.client, whom) if one.after]
    assert only(reports.user_costs(filled.client), "user_id", "cost_usd") == [
        ("", Decimal(4)),
        ("bob", Decimal("3.125")),
    ]


def test_a_session_is_gone_whoever_is_in_it(filled: Store) -> None:
    """Both users' rows of it, and of nothing else."""
    found = erase.erase(filled.client, erase.of_session("both"))
    assert {one.table: one.before for one in found if one.before and one.table != "session_days"} == {
        "otel_logs": 4, "messages": 2, "calls": 2, "session_totals": 1,
    }  # fmt: skip
    assert sum(one.after for one in found) == 0
    assert only(filled.ask("select session_id from sessions order by session_id"), "session_id") == [("a",), ("b",)]


@pytest.mark.long
@pytest.mark.parametrize("table", ["session_totals", "calls"])
def test_what_a_refresh_writes_back_is_erased_too(filled: Store, table: str) -> None:
    """A view that had read them before they were erased, and writes when it is done."""
    filled.client.command(
        f"create materialized view slow refresh every 1 year append to {table} as"
        f" select t.* replace(t.user_id || substring(toString(sleepEachRow(2)), 2) as user_id) from {table} as t"
        " where session_id = 'a' limit 1"
    )
    try:
        filled.client.command("system wait view slow")
        filled.client.command("system refresh view slow")
        found = erase.erase(filled.client, erase.of_user(filled.client, "ada"))
        filled.client.command("system wait view slow")
        assert sum(one.after for one in found) == 0
        assert filled.ask(f"select count() as n from {table} where user_id = 'ada'") == [{"n": 0}]
    finally:
        filled.client.command("drop view slow sync")


@pytest.mark.long
def test_erased_calls_are_not_missing(store: Store) -> None:
    """Their numbers stay, without anybody's name."""
    process = "beef" + "0" * 28
    store.insert(
        *[
            call(
                at(f"10:00:0{n}"),
                user="ada" if n == 2 else "bob",
                otel_costs__process__id=process,
                otel_costs__call__seq=n,
            )
            for n in (1, 2, 3)
        ]
    )
    erase.erase(store.client, erase.of_user(store.client, "ada"))
    assert store.one("select count() as n from billed_calls") == {"n": 2}
    assert store.one("select groupBitmapMerge(seqs) as n from call_sequences") == {"n": 3}
    assert reports.missing_calls(store.client) == []


def test_nobody_is_not_everybody(filled: Store) -> None:
    """An empty name is refused, an unknown one finds nothing and takes nothing."""
    with pytest.raises(ValueError, match="no user"):
        erase.of_user(filled.client, "")
    with pytest.raises(ValueError, match="no session"):
        erase.of_session("")
    before = everything(filled)
    for whom in (
        erase.of_user(filled.client, "nobody"),
        erase.of_session("none"),
        erase.of_user(filled.client, "' or 1"),
    ):
        assert not any(one.before or one.after for one in erase.erase(filled.client, whom))
    assert everything(filled) == before


@pytest.mark.long
def test_many_sessions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than fit into a statement are erased, and each row is counted once."""
    monkeypatch.setattr(erase, "_BATCH", 2)
    for number in range(5):
        store.insert(call(user="ada", session=f"s{number}"), call(user="", session=f"s{number}"))
    whom = erase.of_user(store.client, "ada")
    assert len(whom.sessions) == 5
    (calls,) = [one for one in erase.erase(store.client, whom) if one.table == "calls"]
    assert (calls.before, calls.after) == (10, 0)


def test_every_table_is_erased_from_or_names_nobody(store: Store) -> None:
    """A new table has to say which."""
    tables = store.ask(
        "select name from system.tables where database = currentDatabase() and engine not like '%View'"
        " and not is_temporary and not startsWith(name, '.')"
    )
    assert {row["name"] for row in tables} == {*erase.ERASED, *erase.KEPT}


@pytest.mark.parametrize("table", erase.ERASED)
def test_on_a_cluster_the_rows_are_erased_where_they_are(table: str) -> None:
    """Every server takes them out of its own table; ClickHouse's parser reads each statement."""
    where = {name: TableLocation(f"{name}_local", "costs") for name in erase.ERASED}
    sql = erase.deletion(table, where)
    (parsed,) = engine().query("select formatQuery({sql:String})", parameters={"sql": sql}).result_rows[0]
    assert parsed.startswith(f"ALTER TABLE {table}_local ON CLUSTER costs")
    assert "from otel_traces where" not in sql
