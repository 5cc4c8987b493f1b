"""schema.apply(): what queries/ says, as often as one likes."""

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from otel_costs.store import StoreError, budgets, files, reports, schema
from otel_costs.store.schema import Change, Retention
from tests.queries.engine import beside, engine
from tests.queries.ledger import Store

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@pytest.fixture
def empty() -> Iterator["Client"]:
    """Return a connection to an empty database; handlers, which are the server's, are given back."""
    client = beside("schema_test")
    yield client
    client.command("drop database schema_test sync")
    client.close()
    schema.apply(engine())


def test_the_second_time_there_is_nothing_to_do(empty: "Client") -> None:
    """The first time makes everything and says so."""
    first = schema.apply(empty)
    assert {"created table calls", "created materialized view calls_mv", "created view sessions"} <= set(
        map(str, first)
    )
    tables = [change.name for change in first if change.kind == "table"]
    assert tables.index("otel_logs") < tables.index("calls")
    assert schema.apply(empty) == []


@pytest.mark.long
def test_what_was_made_by_which_version_is_recorded(empty: "Client") -> None:
    """Every statement has its row."""
    schema.apply(empty)
    recorded = empty.query("select kind, name from schema_versions final where kind != 'retention'").result_rows
    wanted = files.statements(asdict(Retention()), "here")
    assert set(map(tuple, recorded)) == {(statement.kind, statement.name) for statement in wanted}


@pytest.mark.long
def test_a_changed_view_is_replaced(empty: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, and without a moment in which it is not there."""
    schema.apply(empty)
    _change(monkeypatch, "daily_costs", "count() as call_count", "count() + 1000 as call_count")
    assert schema.apply(empty) == [Change("replaced", "view", "daily_costs")]
    assert "1000" in str(empty.command("show create view daily_costs"))


@pytest.mark.long
def test_a_changed_materialized_view_is_replaced(empty: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """It fills its table by its new definition from then on."""
    schema.apply(empty)
    _change(monkeypatch, "messages_mv", "Body as content", "upper(Body) as content")
    assert schema.apply(empty) == [Change("replaced", "materialized view", "messages_mv")]
    empty.command("insert into otel_logs (Timestamp, EventName, Body) select now64(9), 'otel_costs.message', 'hello'")
    assert empty.command("select content from messages") == "HELLO"


@pytest.mark.long
def test_a_new_materialized_view_sees_what_came_before(empty: "Client") -> None:
    """A table that a newer version adds has what was stored already; what was stored before is there once."""
    schema.apply(empty)
    empty.command(
        "insert into otel_logs (Timestamp, EventName, LogAttributes, Body) select now64(9), 'otel_costs.message',"
        " map('session.id', 's1', 'user.id', 'u1', 'otel_costs.message.id', toString(number)), 'hello' from numbers(3)"
    )
    for name in ("session_days_messages_mv", "session_days_calls_mv", "session_days", "messages_mv"):
        empty.command(f"drop table {name} sync")
    assert [change.name for change in schema.apply(empty) if change.action == "created"] == [
        "session_days", "messages_mv", "session_days_calls_mv", "session_days_messages_mv",
    ]  # fmt: skip
    assert empty.query("select distinct session_id, user_id, day = today() from session_days").result_rows == [
        ("s1", "u1", True)
    ]
    assert empty.command("select count() from messages final") == 3


@pytest.mark.long
def test_a_table_that_counts_more_counts_what_came_before(empty: "Client") -> None:
    """An older store's session_days gets its new column, and what it says of records that were there before."""
    schema.apply(empty)
    empty.command(
        "insert into otel_logs (Timestamp, EventName, LogAttributes) select now64(9) - interval number minute,"
        " 'otel_costs.call', map('session.id', 's1', 'user.id', 'u' || toString(number)) from numbers(3)"
    )
    empty.command("alter table session_days drop column first_time")
    for name in ("session_days_calls_mv", "session_days_messages_mv"):
        empty.command(
            f"alter table {name} modify query select session_id, user_id, today() as day from calls where false"
        )
    for kind, name in (
        ("table", "session_days"),
        ("materialized view", "session_days_calls_mv"),
        ("materialized view", "session_days_messages_mv"),
    ):
        schema._record(empty, {(kind, name): "that of an older version"})
    changed = {str(change).partition(":")[0] for change in schema.apply(empty)}
    assert {"extended table session_days", "replaced materialized view session_days_calls_mv"} <= changed
    assert empty.command("select user_id from session_owners") == "u2", "the first by time, not by name"


@pytest.mark.long
def test_a_store_of_before_tells_misdated_calls(empty: "Client") -> None:
    """An older store's call_arrivals does not know when the first record of a half hour arrived: it gets to know it."""
    schema.apply(empty)
    empty.command(
        "insert into otel_logs (Timestamp, EventName, LogAttributes) select now64(9) + toIntervalDay(number * 9),"
        " 'otel_costs.call', map('session.id', 's1', 'otel_costs.call.id', leftPad(toString(number), 32, '0'))"
        " from numbers(2)"
    )
    empty.command("drop view call_arrivals_mv")
    empty.command("alter table call_arrivals drop column first_inserted_at")
    for name in ("not_priced_half_hours_mv", "not_priced_half_hours"):
        empty.command(f"drop table {name} sync")
    schema._record(empty, {("table", "call_arrivals"): "that of an older version"})
    schema.apply(empty)
    assert empty.query("select sum(calls) from misdated_calls").result_rows == [(1,)]
    assert empty.query("select sum(call_count) from unpriced_calls").result_rows == [(2,)]
    assert schema.apply(empty) == []


@pytest.mark.long
def test_counts_with_a_new_column_are_counted_again(empty: "Client") -> None:
    """An older store's counts of sessions, which lack a column, are not taken for complete ones."""
    schema.apply(empty)
    empty.command(
        "insert into otel_logs (Timestamp, EventName, LogAttributes) select now64(9), 'otel_costs.call',"
        " map('session.id', 's1', 'otel_costs.session.kind', 'creation')"
    )
    empty.command("alter table session_totals drop column kind")
    empty.command("insert into session_totals (session_id, call_count, counted_at) values ('s1', 1, now64(3) + 60)")
    schema._record(empty, {("table", "session_totals"): "that of an older version"})
    schema.apply(empty)
    assert empty.query("select session_id, kind from sessions").result_rows == [("s1", "creation")]


COUNTED = [
    ("session_recount", "session_totals", "session_id", "'s1'"),
    ("half_hour_recount", "cost_half_hours", "dimensions, half_hour", "'', 1"),
    ("day_recount", "cost_days", "dimensions, day", "'', today()"),
    ("not_priced_recount", "not_priced_half_hours", "half_hour", "1"),
]


@pytest.mark.long
def test_what_is_counted_in_another_way_is_counted_again(empty: "Client") -> None:
    """Counts of an older version, whose columns meant something else, are not taken for those of this one."""
    schema.apply(empty)
    for view, table, keys, values in COUNTED:
        empty.command(f"insert into {table} ({keys}, counted_at) values ({values}, now64(3) - 60)")
        # What the store counts by itself meanwhile is counted in the new way.
        before = f"select count() from {table} where counted_at < now64(3) - 60"
        assert schema.apply(empty) == []
        assert empty.command(before) == 1, view
        schema._record(empty, {("view", view): "that of an older version"})
        assert schema.apply(empty) == [Change("replaced", "view", view)]
        assert empty.command(before) == 0, view


@pytest.mark.long
def test_calls_from_before_contracts_have_list_prices(empty: "Client") -> None:
    """The list price is the cost, or our own price beside the provider's; half hours are counted again with it."""
    schema.apply(empty)
    for told in (
        "'otel_costs.cost.usd', '0.25'",
        "'otel_costs.cost.usd', '0.5', 'gen_ai.usage.cost.source', 'provider', 'otel_costs.cost.computed_usd', '0.75'",
    ):
        empty.command(
            "insert into otel_logs (Timestamp, EventName, LogAttributes) select now64(9), 'otel_costs.call',"
            f" map('gen_ai.provider.name', 'openai', {told})"
        )
    empty.command("drop table calls_mv sync")  # it holds on to the columns that it names
    for table in ("calls", "call_records"):
        for column in (
            *("contracted_usd", "list_usd", "contract_amount", "contract_currency", "contract_id"),
            "reservation_id",
        ):
            empty.command(f"alter table {table} drop column {column}")
        schema._record(empty, {("table", table): "that of an older version"})
    schema.apply(empty)
    found = empty.query("select sum(list_usd), sum(contracted_usd), countIf(contract_id = '') from billed_calls")
    assert found.result_rows == [(Decimal(1), Decimal(1), 2)]
    assert empty.query("select sum(cost_usd), sum(list_usd) from daily_costs").result_rows == [
        (Decimal("0.75"), Decimal(1))
    ]


@pytest.mark.long
def test_a_handler_is_given_back(empty: "Client") -> None:
    """Handlers are the server's: who applies the schema last has them, and it is said."""
    schema.apply(empty)
    replaced = [Change("replaced", "handler", "session"), Change("replaced", "handler", "sessions")]
    assert schema.apply(engine()) == replaced
    assert schema.apply(empty) == replaced


_OLDER_BUDGETS = """
create table budgets
(
    scope Enum8('user' = 1, 'scenario' = 2, 'all' = 3),
    name String,
    period Enum8('day' = 1, 'week' = 2, 'month' = 3),
    limit_usd Decimal(38, 12),
    deleted Bool default false,
    changed_at DateTime64(6, 'UTC') default now64(6)
)
engine = ReplacingMergeTree(changed_at)
order by (scope, name, period)
"""


@pytest.mark.long
def test_budgets_of_an_older_store_stay(empty: "Client") -> None:
    """They are hard ones, in UTC, without rollover, since they were set; tags, services and models are new."""
    schema.apply(empty)
    empty.command("drop table budgets sync")
    empty.command(_OLDER_BUDGETS)
    empty.command("insert into schema_versions (kind, name, checksum) values ('table', 'budgets', 'older')")
    empty.command("insert into budgets (scope, name, period, limit_usd) values ('user', 'u1', 'day', 5)")
    extended = [str(change) for change in schema.apply(empty) if change.name == "budgets"]
    assert len(extended) == 5
    budgets.put(empty, "tag", "team=sales", "week", budgets.Terms(Decimal(1), soft=True, zone="Europe/Berlin"))
    found = empty.query("select scope, limit_usd, soft, rollover, zone, since = changed_at from budgets order by scope")
    assert found.result_rows == [("user", 5, False, False, "UTC", True), ("tag", 1, True, False, "Europe/Berlin", True)]
    assert [row["name"] for row in reports.budget_status(empty)] == ["team=sales", "u1"]
    assert schema.apply(empty) == []


def test_a_budget_that_is_changed_has_been_there_since_it_was_set(store: Store) -> None:
    """Unless it was taken away meanwhile: its rollover begins anew."""
    client = store.client

    def since() -> Any:
        return client.query("select since from budgets final").result_rows[0][0]

    budgets.put(client, "all", "", "day", budgets.Terms(Decimal(1)))
    first = since()
    budgets.put(
        client, "all", "", "day", budgets.Terms(Decimal(2), rollover=True), budgets.since_of(client, "all", "", "day")
    )
    assert since() == first
    assert budgets.remove(client, "all", "", "day")
    assert budgets.since_of(client, "all", "", "day") is None
    budgets.put(client, "all", "", "day", budgets.Terms(Decimal(2)))
    assert since() > first


@pytest.mark.parametrize(
    ("scope", "name", "terms"),
    [
        ("user", "u", budgets.Terms(Decimal(1), zone="Mars/Olympus")),
        ("user", "u", budgets.Terms(Decimal(1), zone="")),
        ("user", "u", budgets.Terms(Decimal(1), zone="../etc/passwd")),
        ("tag", "team", budgets.Terms(Decimal(1))),
        ("team", "u", budgets.Terms(Decimal(1))),
        ("all", "u", budgets.Terms(Decimal(1))),
        ("model", "", budgets.Terms(Decimal(1))),
    ],
)
def test_what_is_no_budget(store: Store, scope: str, name: str, terms: budgets.Terms) -> None:
    with pytest.raises(ValueError, match=r"no budget|no time zone"):
        budgets.put(store.client, scope, name, "day", terms)


@pytest.mark.long
def test_a_table_gets_the_columns_that_a_newer_version_has(empty: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in it stays."""
    schema.apply(empty)
    empty.command("insert into budgets (scope, name, period, limit_usd) values ('user', 'u1', 'day', 5)")
    _change(
        monkeypatch,
        "budgets",
        "    deleted Bool",
        "    owner String default upper(name) codec(ZSTD(1)),\n    deleted Bool",
    )
    change, *others = schema.apply(empty)
    assert (change.action, change.name) == ("extended", "budgets")
    assert {(other.action, other.kind) for other in others} == {("replaced", "view")}
    assert "column owner String DEFAULT upper(name)" in change.detail
    assert empty.query("select name, limit_usd, owner from budgets").result_rows == [("u1", 5, "U1")]
    assert schema.apply(empty) == []


def test_a_new_column_of_a_call_gets_into_the_table(empty: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables and views between a ledger record and its row learn of it, in a store that is in use."""
    schema.apply(empty)
    _change(
        monkeypatch,
        "calls",
        "    superseded Bool",
        "    weather LowCardinality(String),\n    superseded Bool",
        ("call_records_mv", "as price_book,", "as price_book,\n    a['weather'] as weather,"),
        # A view that reads it through another one, whose own text says nothing of it.
        ("daily_costs", "where toDate(c.end_time) in", "where c.weather != 'odd' and toDate(c.end_time) in"),
    )
    assert "view named_calls" in schema.outdated(empty)
    changed = {(change.action, change.name) for change in schema.apply(empty)}
    assert changed >= {("extended", "calls"), ("extended", "call_records"), ("replaced", "call_records_mv")}
    assert changed >= {("replaced", name) for name in ("named_calls", "owned_calls", "billed_calls", "daily_costs")}
    assert schema.apply(empty) == []
    assert schema.outdated(empty) == []
    empty.command(
        "insert into otel_logs (Timestamp, EventName, LogAttributes) select now64(9), 'otel_costs.call',"
        " map('weather', 'fine')"
    )
    for table in ("calls", "named_calls", "owned_calls", "billed_calls"):
        assert empty.command(f"select weather from {table}") == "fine"


@pytest.mark.long
def test_a_dropped_view_is_made_again(empty: "Client") -> None:
    """What is recorded and not there is not taken for done."""
    schema.apply(empty)
    empty.command("drop view daily_costs")
    assert schema.apply(empty) == [Change("created", "view", "daily_costs")]


def test_a_statement_that_fails_is_named(empty: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which; what was made before stays, and the next time goes on from there."""
    _change(monkeypatch, "daily_costs", "from named_calls as c", "from no_such_table")
    with pytest.raises(StoreError, match="cannot make view daily_costs"):
        schema.apply(empty)
    monkeypatch.undo()
    assert "table" not in {change.kind for change in schema.apply(empty)}


@pytest.mark.long
def test_retention_is_in_the_tables(empty: "Client") -> None:
    """One place says how long what is kept."""
    schema.apply(empty, Retention(raw_days=7, content_days=14, ledger_days=800))
    assert "toIntervalDay(7)" in str(empty.command("show create table otel_logs"))
    assert "toIntervalDay(800)" in str(empty.command("show create table calls"))
    messages = str(empty.command("show create table messages"))
    assert "toIntervalDay(14)" in messages
    assert "toIntervalDay(800)" in messages


@pytest.mark.long
def test_retention_changes_what_is_there_and_is_remembered(empty: "Client") -> None:
    """It holds for tables that are in use, too, and until somebody says something else."""
    schema.apply(empty)
    changes = schema.apply(empty, Retention(content_days=14, ledger_days=800))
    age = "dateDiff('day', timestamp, inserted_at)"
    time = f"toDateTime(if(({age} >= -1) AND ({age} <= {{}}), timestamp, inserted_at))"
    assert {str(change) for change in changes if change.name == "messages"} == {
        f"extended table messages: modify column `content` ttl {time.format(14)} + toIntervalDay(14)",
        f"extended table messages: modify column `arguments` ttl {time.format(14)} + toIntervalDay(14)",
        f"extended table messages: modify ttl {time.format(800)} + toIntervalDay(800)",
    }
    messages = str(empty.command("show create table messages"))
    assert messages.count("toIntervalDay(14)") == 2
    assert "toIntervalDay(800)" in str(empty.command("show create table calls"))
    assert "toIntervalDay(30)" in str(empty.command("show create table otel_logs"))
    assert schema.apply(empty) == []
    assert "toIntervalDay(800)" in str(empty.command("show create table calls"))


@pytest.mark.long
def test_a_store_of_before_keeps_what_has_an_odd_time(empty: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables whose rows were kept by their times alone, which begin again in 2106, are changed in place."""
    found = [
        replace(statement, sql=_kept_by_time(statement.sql))
        for statement in files.statements(asdict(Retention()), "`schema_test`")
    ]
    with monkeypatch.context() as before:
        before.setattr(schema, "statements", lambda _settings, _database: found)
        schema.apply(empty)
    assert "dateDiff" not in str(empty.command("show create table calls"))
    changed = {change.name for change in schema.apply(empty) if "ttl" in change.detail}
    assert changed == {
        "otel_logs", "otel_traces", "otel_traces_trace_id_ts", "calls", "derived_calls", "messages", "session_totals",
        "session_days", "session_starts",
    }  # fmt: skip
    assert schema.apply(empty) == []
    for table in changed:
        assert "dateDiff" in str(empty.command(f"show create table {table}"))
    empty.command("insert into otel_logs (Timestamp, EventName) values ('1970-01-01 00:00:00', 'otel_costs.call')")
    for table in ("otel_logs", "calls"):
        empty.command(f"optimize table {table} final")
        assert empty.command(f"select count() from {table}") == 1


def _kept_by_time(sql: str) -> str:
    by_arrival = r"toDateTime\(if\(dateDiff\('day', (\w+), \w+\) between -1 and \d+, \w+, \w+\)\)"
    sql = re.sub(by_arrival, r"toDateTime(\1)", sql)
    return re.sub(r",\n    inserted_at DateTime\('UTC'\) materialized[^\n]*", "", sql)


@pytest.mark.parametrize("days", [0, -1, 20_001])
def test_a_retention_that_would_empty_a_table_is_refused(days: int) -> None:
    """ClickHouse's times end in 2106 and begin again in 1970."""
    with pytest.raises(ValueError, match="is no retention"):
        Retention(raw_days=days)


def _change(monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str, *more: tuple[str, str, str]) -> None:
    """Let queries/ say something else."""
    original = files.statements

    def changed(settings: dict[str, int], database: str) -> list[files.Statement]:
        found = original(settings, database)
        for name_, old_, new_ in ((name, old, new), *more):
            assert any(statement.name == name_ and old_ in statement.sql for statement in found)
            found = [
                replace(statement, sql=statement.sql.replace(old_, new_)) if statement.name == name_ else statement
                for statement in found
            ]
        return found

    monkeypatch.setattr(schema, "statements", changed)
