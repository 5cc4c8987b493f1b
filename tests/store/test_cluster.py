"""ClusterSchema: one server's tables, or a cluster's, of the same files."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from otel_costs.store import files, reports, schema
from otel_costs.store.cluster import SHARDED_BY, ClusterSchema, TableLocation, table_locations
from otel_costs.store.files import Statement
from tests.queries.engine import beside, engine
from tests.queries.ledger import COST_COUNTS, Store, at, call, job, message

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CLUSTER = ClusterSchema("costs")
EVERYWHERE = ("alerts", "bill_differences", "budgets", "contract_charges")
"""Tables that every server has whole."""


def rendered(layout: ClusterSchema) -> list[Statement]:
    """Return all statements of a layout."""
    return layout.complete(files.statements(asdict(schema.Retention()), "here"))


def parsed(sql: str) -> str:
    """Return a statement as ClickHouse's own parser reads it."""
    text = engine().query("select formatQuery({sql:String})", parameters={"sql": sql}).result_rows[0][0]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("statement", rendered(CLUSTER), ids=lambda statement: statement.name)
def test_every_statement_for_a_cluster_can_be_parsed(statement: Statement) -> None:
    """It names the cluster; what holds rows is replicated, what does not is not."""
    text = parsed(statement.sql)
    assert "ON CLUSTER costs" in text
    if statement.kind == "table":
        engine_ = re.search(r"\bENGINE = `?(\w+)", text)
        assert engine_ is not None
        if statement.name.endswith("_local") and statement.name != "call_records_local":
            assert engine_[1].startswith("Replicated")
        elif statement.name == "call_records_local":
            assert engine_[1] == "Null"
        elif statement.name in EVERYWHERE:
            assert "/everywhere/" in text
            assert engine_[1] == "ReplicatedReplacingMergeTree"
        else:
            assert engine_[1] == "Distributed"


def test_every_table_is_over_all_shards_or_whole_everywhere() -> None:
    """A new table says where its rows go."""
    tables = {statement.name for statement in rendered(CLUSTER) if statement.kind == "table"}
    assert tables == {*SHARDED_BY, *(f"{name}_local" for name in SHARDED_BY), *EVERYWHERE}


def test_one_server_gets_the_files_as_they_are() -> None:
    """Nothing more, and nothing of a cluster in it."""
    found = rendered(ClusterSchema())
    assert len(found) == sum(1 for path in files.folder().glob("*/*.sql") if path.parent.name != "access")
    for statement in found:
        assert not re.search(r"_local\b|replicated|distributed|on cluster", statement.body, re.IGNORECASE)


WRITTEN: tuple[tuple[str, files.Kind, str, str], ...] = (
    (
        "calls",
        "table",
        """create table if not exists calls
(
    a UInt8
)
engine = MergeTree
order by a""",
        f"""create table if not exists calls_local on cluster `costs`
(
    a UInt8
)
engine = ReplicatedMergeTree
order by a;
create table if not exists calls on cluster `costs` as calls_local
engine = Distributed(`costs`, currentDatabase(), calls_local, {SHARDED_BY["calls"]})""",
    ),
    (
        "call_records",
        "table",
        """create table if not exists call_records as calls
engine = Null""",
        f"""create table if not exists call_records_local on cluster `costs` as calls_local
engine = Null;
create table if not exists call_records on cluster `costs` as call_records_local
engine = Distributed(`costs`, currentDatabase(), call_records_local, {SHARDED_BY["call_records"]})""",
    ),
    (
        "messages",
        "table",
        """create table if not exists messages as calls
engine = ReplacingMergeTree(a)""",
        f"""create table if not exists messages_local on cluster `costs` as calls_local
engine = ReplicatedReplacingMergeTree(a);
create table if not exists messages on cluster `costs` as messages_local
engine = Distributed(`costs`, currentDatabase(), messages_local, {SHARDED_BY["messages"]})""",
    ),
    (
        "budgets",
        "table",
        """create table if not exists budgets (a UInt8)
engine = SummingMergeTree((a, b))
order by a""",
        """create table if not exists budgets on cluster `costs` (a UInt8)
engine = ReplicatedSummingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}_{replica}', (a, b))
order by a""",
    ),
    (
        "calls_mv",
        "materialized view",
        """-- Fills calls.
create materialized view if not exists calls_mv refresh every 1 minute append to calls as
select *
from call_records
join budgets using (a)""",
        """-- Fills calls.
create materialized view if not exists calls_mv on cluster `costs` refresh every 1 minute append to calls_local as
select *
from call_records_local
join budgets using (a)""",
    ),
    (
        "owned",
        "view",
        "create or replace view owned as\nselect *\nfrom calls",
        "create or replace view owned on cluster `costs` as\nselect *\nfrom calls",
    ),
    (
        "x",
        "handler",
        "create handler if not exists x url '/x' as\nselect 1",
        "create handler if not exists x on cluster `costs` url '/x' as\nselect 1",
    ),
)


@pytest.mark.parametrize(("name", "kind", "sql", "made"), WRITTEN)
def test_what_a_cluster_needs_is_added(name: str, kind: files.Kind, sql: str, made: str) -> None:
    """The words for it stand where they belong, in every kind of statement; on one server it stays as it is."""
    written = Statement(name, kind, sql)
    assert ";\n".join(statement.sql for statement in CLUSTER.complete([written])) == made
    assert ClusterSchema().complete([written]) == [written]


def test_what_fills_tables_stays_on_its_server() -> None:
    """A materialized view reads no table over all shards: every server would count everything."""
    for statement in rendered(CLUSTER):
        if statement.kind == "materialized view" or statement.name.endswith("_local"):
            read = set(re.findall(r"(?:from|join) (\w+)", statement.body))
            assert read.isdisjoint(SHARDED_BY), statement.name


@pytest.mark.parametrize("name", ["", "a b", "x'; drop table calls --", "`"])
def test_a_name_that_is_none(name: str) -> None:
    """It is refused before a statement is made of it."""
    with pytest.raises(ValueError, match="is no name of a cluster"):
        ClusterSchema(name)


@pytest.fixture
def shard(monkeypatch: pytest.MonkeyPatch) -> Iterator["Client"]:
    """Return a database laid out as a server of a cluster, alone: its engines are what this one process has of them.

    Merge stands for Distributed: it reads another table too, takes FINAL, and is not one that rows are in.
    """
    client = beside("shard_test")

    def alone(self: ClusterSchema, statements: list[Statement]) -> list[Statement]:
        found = complete(self, statements)
        return [Statement(one.name, one.kind, _alone(one.sql)) for one in found]

    complete = ClusterSchema.complete
    monkeypatch.setattr(ClusterSchema, "complete", alone)
    monkeypatch.setattr(ClusterSchema, "on_cluster", "")
    schema.apply(client, layout=CLUSTER)
    yield client
    client.command("drop database shard_test sync")
    client.close()
    monkeypatch.undo()
    schema.apply(engine())


def _alone(sql: str) -> str:
    sql = sql.replace("getMacro('shard')", "'one'")
    sql = re.sub(r"engine = Replicated(\w+\(?)('/clickhouse[^']*', '[^']*', )?", r"engine = \1", sql)
    return re.sub(r"Distributed\(`costs`, currentDatabase\(\), (\w+), .*\)$", r"Merge(currentDatabase(), '^\1$')", sql)


@pytest.mark.long
def test_a_shard_answers_as_one_server_does(shard: "Client") -> None:
    """Calls, jobs, messages, sessions, budgets and searches, through the tables over all shards."""
    store = Store(shard)
    records = [
        call(at("10:00:00"), cost="0.5", otel_costs__call__seq=1),
        call(at("10:00:01"), cost="0.25", user="u2", session="s2", otel_costs__call__seq=2),
        job(cost="0.125", session="s1", otel_costs__call__seq=3),
        job(cost="0.125", session="s2", user="u2", otel_costs__call__seq=4),
        message(at("10:00:00"), "Where is it?"),
    ]
    for _ in range(2):
        shard.raw_insert(
            "otel_logs_local",
            insert_block="\n".join(map(json.dumps, records)),
            fmt="JSONEachRow",
        )
    shard.command("system refresh view session_totals_mv")
    shard.command("system wait view session_totals_mv")
    costs = [reports.model_costs(shard), reports.user_costs(shard), reports.daily_costs(shard)]
    for table, recount in COST_COUNTS:
        store.pretend_earlier("call_arrivals_local", "inserted_at", 3600)
        shard.command(f"system refresh view {table}_mv")
        shard.command(f"system wait view {table}_mv")
        counted = store.one(f"select count() > 0 as counted, any(shard) as shard from {table}")
        assert counted == {"counted": True, "shard": "one"}, recount
    assert [reports.model_costs(shard), reports.user_costs(shard), reports.daily_costs(shard)] == costs
    assert store.one("select count() as n from session_totals final") == {"n": 2}
    assert store.one("select count() as n, sum(cost_usd) as usd from billed_calls") == {"n": 3, "usd": 0.875}
    assert reports.sessions(shard)["total"] == 2
    found = reports.session(shard, "s1")
    assert found is not None
    assert found["message_count"] == 1
    assert len(reports.session_calls(shard, "s1")) + len(reports.session_calls(shard, "s2")) == 3
    assert [row["user_id"] for row in reports.user_costs(shard)] == ["u1", "u2"]
    assert len(reports.search(shard, "where")) == 1
    assert reports.missing_calls(shard) == []
    shard.command("insert into budgets (scope, name, period, limit_usd) values ('user', 'u1', 'month', 1)")
    assert len(reports.budget_status(shard)) == 1
    assert schema.apply(shard) == [], "the cluster is remembered"


def test_where_rows_are(shard: "Client") -> None:
    """A table over all shards tells which one it is over; others hold their own."""
    assert table_locations(shard)["calls_local"] == TableLocation("calls_local")
    assert table_locations(engine())["calls"] == TableLocation("calls")
    assert "session_report" not in table_locations(engine())
