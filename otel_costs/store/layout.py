"""Where tables are: on one server, or on a cluster's shards with tables over all of them.

On a cluster every table of `queries/tables/` that holds rows is there twice: `calls_local`, replicated, with a shard's
rows, and `calls`, Distributed, which reports read and whoever writes writes to. Materialized views stand between local
tables. A user's records are on one shard, a session's where there is no user: copies meet, and sums are made where
the rows are.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_costs.store.files import READ, Statement

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
    "session_totals": "cityHash64(session_id)",
}
"""Where a row goes that is written to the table over all shards. Tables that are not here are whole on every server."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_DISTRIBUTED: Final = re.compile(r"Distributed\('([^']+)', '([^']*)', '([^']+)'")


@dataclass(frozen=True, slots=True)
class Layout:
    """`cluster` is the name of a cluster in the servers' configuration; None is one server."""

    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.cluster is not None and not _NAME.fullmatch(self.cluster):
            raise ValueError(f"{self.cluster!r} is no name of a cluster: letters, digits, _, . and -")

    def placeholders(self) -> Mapping[str, str]:
        """Return what the files of `queries/` leave open."""
        if self.cluster is None:
            return {"on_cluster": "", "local": "", "replicated": "", "everywhere": ""}
        return {
            "on_cluster": self.on_cluster,
            "local": LOCAL,
            "replicated": "Replicated",
            # One path for all shards: every server has every row. Budgets are few, and each report compares with all.
            "everywhere": "'/clickhouse/tables/everywhere/{database}/{table}', '{shard}_{replica}', ",
        }

    @property
    def on_cluster(self) -> str:
        """What a statement says to run on every server."""
        return f"on cluster `{self.cluster}`" if self.cluster else ""

    def of_all_servers(self, sql: str) -> str:
        """Return a statement about one server's rows as the same about those of all servers."""
        return re.sub(rf"\b(\w+){LOCAL}\b", r"\1", sql) if self.cluster else sql

    def complete(self, statements: Iterable[Statement]) -> list[Statement]:
        """Add to the statements of the files, in their order, what a cluster has besides."""
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
        return [*tables, *rest]

    def _tables(self, tables: Iterable[Statement]) -> Iterator[Statement]:
        for table in tables:
            yield table
            name = table.name.removesuffix(LOCAL)
            if (key := SHARDED_BY.get(name)) is not None:
                sql = (
                    f"create table if not exists {name} {self.on_cluster} as {table.name}\n"
                    f"engine = Distributed(`{self.cluster}`, currentDatabase(), {table.name}, {key})"
                )
                yield Statement(name, "table", sql)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a table are: `table` is the one that holds them."""

    table: str
    cluster: str | None = None

    @property
    def on_cluster(self) -> str:
        """What a statement says to reach the rows on every server."""
        return Layout(self.cluster).on_cluster


def places(client: "Client") -> dict[str, Place]:
    """Return where the rows of each table of the current database are, by the name that reports have for it."""
    found = client.query(
        "select name, engine_full from system.tables where database = currentDatabase() and engine not like '%View'"
    ).result_rows
    tables: dict[str, Place] = {}
    for name, engine in found:
        if over := _DISTRIBUTED.match(engine):
            tables[name] = Place(over[3], over[1])
        else:
            tables.setdefault(name, Place(name))
    return tables


def _near(statement: Statement, views: Mapping[str, Statement]) -> Iterator[Statement]:
    """Yield a materialized view that reads its own server's rows alone, behind copies of the views that it reads."""
    for name in (read for read in statement.reads if read in views):
        yield from _near(replace(views[name], name=f"{name}{LOCAL}"), views)
    sql = READ.sub(lambda read: f"{read[1]} {_near_name(read[2], views)}", statement.sql)
    if statement.name.endswith(LOCAL):
        sql = re.sub(rf"\b(view) {statement.name.removesuffix(LOCAL)}\b", rf"\1 {statement.name}", sql, count=1)
    yield replace(statement, sql=sql)


def _near_name(name: str, views: Mapping[str, Statement]) -> str:
    return f"{name}{LOCAL}" if name in views or name in SHARDED_BY else name
