"""Where tables are: on one server, or on a cluster's shards with tables over all of them.

On a cluster every table of `queries/tables/` that holds rows is there twice: `calls_local`, replicated, with a shard's
rows, and `calls`, Distributed, which reports read and writers write to. Materialized views stand between local
tables. A user's records are on one shard, a session's where there is no user: copies meet, and sums are made where
the rows are.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_costs.store.files import CREATED, READ, Statement

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LOCAL: Final = "_local"

_OWNER: Final = "cityHash64(multiIf(user_id != '', user_id, session_id != '', session_id, {rest}))"
_LOG_OWNER: Final = (
    "cityHash64(multiIf(LogAttributes['user.id'] != '', LogAttributes['user.id'], LogAttributes['session.id'] != '',"
    " LogAttributes['session.id'], LogAttributes['otel_costs.call.id'] != '',"
    " lower(LogAttributes['otel_costs.call.id']), toString(Timestamp)))"
)
_BY_CALL: Final = _OWNER.format(rest="lower(hex(call_id))")

SHARDED_BY: Final[Mapping[str, str]] = {
    "otel_logs": _LOG_OWNER,
    "otel_traces": "cityHash64(TraceId)",
    "otel_traces_trace_id_ts": "cityHash64(TraceId)",
    "calls": _BY_CALL,
    "call_records": _BY_CALL,
    "derived_calls": _BY_CALL,
    "call_sequences": "cityHash64(process_id)",
    "messages": _OWNER.format(rest="call_id"),
    "session_days": "cityHash64(if(user_id != '', user_id, session_id))",
    "session_starts": "cityHash64(session_id)",
    "session_totals": "cityHash64(session_id)",
    "call_arrivals": "cityHash64(shard)",
    "cost_half_hours": "cityHash64(shard)",
    "cost_days": "cityHash64(shard)",
    "not_priced_half_hours": "cityHash64(shard)",
}
"""Where a row goes that is written to the table over all shards. Tables that are not here are whole on every server."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_ENGINE: Final = re.compile(r"\bengine = (\w*MergeTree)(?:\(([^)]*)\))?")
_LIKE: Final = re.compile(r"^(create table .* as \w+)$", re.M)
_FILLED: Final = re.compile(r"^(create materialized view .*?\bto \w+)", re.M | re.S)
_SHARD: Final = "/* shard */ ''"
"""What stands for the name of a server's shard, where there is one."""

_EVERYWHERE: Final = "'/clickhouse/tables/everywhere/{database}/{table}', '{shard}_{replica}'"
"""One path of replication for all shards: every server has every row. Budgets are few, and each report reads all."""

_DISTRIBUTED: Final = re.compile(r"Distributed\('([^']+)', '([^']*)', '([^']+)'")


@dataclass(frozen=True, slots=True)
class ClusterSchema:
    """`cluster` is the name of a cluster in the servers' configuration; None is one server."""

    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.cluster is not None and not _NAME.fullmatch(self.cluster):
            raise ValueError(f"{self.cluster!r} is no name of a cluster: letters, digits, _, . and -")

    @property
    def on_cluster(self) -> str:
        """What a statement says to run on every server."""
        return f"on cluster `{self.cluster}`" if self.cluster else ""

    def of_all_servers(self, sql: str) -> str:
        """Return a statement about one server's rows as the same about those of all servers."""
        return re.sub(rf"\b(\w+){LOCAL}\b", r"\1", sql) if self.cluster else sql

    def complete(self, statements: Iterable[Statement]) -> list[Statement]:
        """Return the statements of the files, in their order, as a cluster has them, and what it has besides."""
        found = list(statements)
        if self.cluster is None:
            return found
        tables = [*self._tables(statement for statement in found if statement.kind == "table")]
        views = {statement.name: statement for statement in found if statement.kind == "view"}
        rest: list[Statement] = []
        for statement in found:
            if statement.kind == "materialized view":
                rest += [near for near in _near(statement, views) if near.name not in {made.name for made in rest}]
            elif statement.kind != "table":
                rest.append(statement)
        return [replace(statement, sql=self._everywhere(statement.sql)) for statement in (*tables, *rest)]

    def _tables(self, tables: Iterable[Statement]) -> Iterator[Statement]:
        for table in tables:
            if (key := SHARDED_BY.get(table.name)) is None:
                yield replace(table, sql=_replicated(table.sql, _EVERYWHERE))
                continue
            local = _renamed(table, f"{table.name}{LOCAL}")
            yield replace(local, sql=_replicated(_LIKE.sub(rf"\1{LOCAL}", local.sql)))
            sql = (
                f"create table if not exists {table.name} as {local.name}\n"
                f"engine = Distributed(`{self.cluster}`, currentDatabase(), {local.name}, {key})"
            )
            yield Statement(table.name, "table", sql)

    def _everywhere(self, sql: str) -> str:
        return CREATED.sub(rf"\g<0> {self.on_cluster}", sql.replace(_SHARD, "getMacro('shard')"), count=1)


@dataclass(frozen=True, slots=True)
class TableLocation:
    """Where the rows of a table are: `table` is the one that holds them."""

    table: str
    cluster: str | None = None

    @property
    def on_cluster(self) -> str:
        """What a statement says to reach the rows on every server."""
        return ClusterSchema(self.cluster).on_cluster


def table_locations(client: "Client") -> dict[str, TableLocation]:
    """Return where the rows of each table of the current database are, by the name that reports have for it."""
    found = client.query(
        "select name, engine_full from system.tables where database = currentDatabase() and engine not like '%View'"
    ).result_rows
    tables: dict[str, TableLocation] = {}
    for name, engine in found:
        if over := _DISTRIBUTED.match(engine):
            tables[name] = TableLocation(over[3], over[1])
        else:
            tables.setdefault(name, TableLocation(name))
    return tables


def _replicated(sql: str, where: str = "") -> str:
    """Return the statement of a table with its engine replicated: `where`, or by the paths that the servers have."""

    def engine(found: re.Match[str]) -> str:
        arguments = ", ".join(filter(None, (where, found[2])))
        return f"engine = Replicated{found[1]}" + (f"({arguments})" if arguments else "")

    return _ENGINE.sub(engine, sql)


def _renamed(statement: Statement, name: str) -> Statement:
    created = CREATED.sub(lambda head: head[0].removesuffix(statement.name) + name, statement.sql, count=1)
    return replace(statement, name=name, sql=created)


def _near(statement: Statement, views: Mapping[str, Statement]) -> Iterator[Statement]:
    """Yield a view that reads its own server's rows alone, and fills its table, behind copies of the views it reads."""
    for name in (read for read in statement.reads if read in views):
        yield from _near(_renamed(views[name], f"{name}{LOCAL}"), views)
    sql = READ.sub(lambda read: f"{read[1]} {_near_name(read[2], views)}", statement.sql)
    yield replace(statement, sql=_FILLED.sub(rf"\1{LOCAL}", sql, count=1))


def _near_name(name: str, views: Mapping[str, Statement]) -> str:
    return f"{name}{LOCAL}" if name in views or name in SHARDED_BY else name
