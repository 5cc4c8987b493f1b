"""The schema of the store: makes it what `queries/` says, as often as you like, and says what it changed."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, Literal

from otel_costs.store import refreshes
from otel_costs.store.cluster import LOCAL, ClusterSchema
from otel_costs.store.connection import StoreError
from otel_costs.store.files import Statement, statements
from otel_costs.store.rows import store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

TABLE: Final = "schema_versions"

ONE_SERVER: Final = ClusterSchema()

_CLUSTER: Final = ("cluster", "name")
"""What remembers the cluster, among what was applied."""

COUNTS: Final = ("session_totals", "cost_half_hours", "cost_days", "not_priced_half_hours")
"""Tables that only remember what was counted: emptied, they fill themselves."""

_LIKE: Final = re.compile(r"^create table .* as (\w+)\s*$", re.MULTILINE)

_ALL_COLUMNS: Final = re.compile(r"(?:\bselect|,|\.)\s*\*")

_TTL: Final = re.compile(r"\bTTL (.+? \+ toIntervalDay\(\d+\))")
_COLUMN_TTL: Final = re.compile(r"`(\w+)` [^`]*?\bTTL ([^`]+? \+ toIntervalDay\(\d+\))")

_VERSIONS: Final = Statement(
    TABLE,
    "table",
    f"""
create table if not exists {TABLE}
(
    kind LowCardinality(String),
    name String,
    checksum String comment 'of the statement that made it',
    version String comment 'of otel_costs',
    applied_at DateTime64(3, 'UTC') default now64(3)
)
engine = ReplacingMergeTree(applied_at)
order by (kind, name)
""",
)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that things are kept: the one place that says so."""

    raw_days: int = 30  # otel_logs, otel_traces: what the tables are filled from
    content_days: int = 30  # what was said
    ledger_days: int = 400  # calls, sessions and the frame of messages: 13 months

    def __post_init__(self) -> None:
        for days in (self.raw_days, self.content_days, self.ledger_days):
            # Beyond 2106 ClickHouse's times begin again, and everything would be over at once.
            if not 1 <= days <= 20_000:
                raise ValueError(f"{days} days is no retention: give 1 to 20000")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that `apply` did."""

    action: Literal["created", "replaced", "extended"]
    kind: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}" + (f": {self.detail}" if self.detail else "")


def apply(
    client: "Client",
    retention: Retention | None = None,
    layout: ClusterSchema | None = None,
    days: Mapping[str, int] | None = None,
    *,
    restored: bool = False,
) -> list[Change]:
    """Make the store's current database what `queries/` says and return what was changed: nothing, the second time.

    `layout` names the cluster, if it is one; every statement then runs on all of its servers. None, for it and for
    `retention`, is what was asked for the last time; `days` are fields of the retention to change.

    `restored`: the current database has the rows of an older store, and is not served: nothing in it runs by itself or
    is a handler, and what views that the older store had would fill is filled.

    Tables are created and extended by new columns, never emptied; views and handlers are replaced. Needs the right to
    create. Raises StoreError when a statement fails; what was done until then stays, and is not done again.
    """
    with store_errors("cannot prepare the schema"):
        client.command((layout or ONE_SERVER).complete([_VERSIONS])[0].sql)
        applied, present = _applied(client), _present(client)
        layout = layout or ClusterSchema(applied.get(_CLUSTER) or None)
        retention = replace(retention or _retention(applied), **(days or {}))
        wanted = layout.complete(statements(asdict(retention), f"`{client.command('select currentDatabase()')}`"))
    if restored:
        wanted = [one for one in wanted if one.kind != "handler" and not one.is_refreshed]
    tables = {name for kind, name in present if kind == "table"}
    changes: list[Change] = []
    checksums = _checksums(wanted)
    counts_by = {name: one.fills for one in wanted if one.is_refreshed and one.fills for name in one.reads}
    counted = {statement.name for statement in wanted if "AggregatingMergeTree" in statement.body}
    done: dict[tuple[str, str], str] = {}
    try:
        for statement in wanted:
            key = (statement.kind, statement.name)
            with store_errors(f"cannot make {statement.kind} {statement.name}"):
                if key in present and applied.get(key) == checksums[key] and _is_in_force(client, statement):
                    continue
                changes.extend(_apply_one(client, statement, layout.on_cluster, exists=key in present))
                if any(one.detail.startswith("column ") for one in changes if one.name == statement.name):
                    _empty_counts(client, statement, layout)
                if key in present and statement.name in counts_by:
                    _forget_counts(client, counts_by[statement.name], layout)
                grown = statement.target in counted & {one.name for one in changes if one.detail.startswith("column ")}
                is_new = key not in present and not (restored and key in applied)
                if (is_new or grown) and statement.target and not tables.isdisjoint(statement.reads):
                    _fill(client, statement, layout)
                done[key] = checksums[key]
    except BaseException:
        with suppress(StoreError):  # the error that it ended with is the one to tell
            _record(client, done)
        raise
    asked = {("retention", name): str(n) for name, n in asdict(retention).items()}
    asked[_CLUSTER] = layout.cluster or ""
    _record(client, done | {key: value for key, value in asked.items() if applied.get(key, "") != value})
    return changes


def outdated(client: "Client") -> list[str]:
    """Return what the store lacks of this version's schema, or has as another version made it: `view sessions`, ...

    Changes nothing. Raises StoreError.
    """
    with store_errors("cannot read the schema"):
        present = _present(client)
        applied = _applied(client) if ("table", TABLE) in present else {}
        layout = ClusterSchema(applied.get(_CLUSTER) or None)
        database = f"`{client.command('select currentDatabase()')}`"
        wanted = layout.complete(statements(asdict(_retention(applied)), database))
    return [
        f"{kind} {name}"
        for (kind, name), checksum in _checksums(wanted).items()
        if (kind, name) not in present or applied.get((kind, name)) != checksum
    ]


def layout_of(client: "Client") -> ClusterSchema:
    """Return where the store's tables are, as `apply` was told the last time."""
    return ClusterSchema(_applied(client).get(_CLUSTER) or None)


def _checksums(wanted: Iterable[Statement]) -> dict[tuple[str, str], str]:
    """Return what each statement is remembered by: its checksum, and of a view with a `*` those of what it reads, too.

    A view keeps the columns that a `*` stood for when it was made: it is made again when there are others. `wanted` is
    in the order in which they are made, so that what a view reads comes before it.
    """
    found: dict[tuple[str, str], str] = {}
    by_name: dict[str, str] = {}
    for one in wanted:
        checksum = one.checksum
        if one.kind == "view" and _ALL_COLUMNS.search(one.body):
            parts = [checksum, *(by_name.get(name, "") for name in one.reads)]
            checksum = sha256(" ".join(parts).encode()).hexdigest()[:16]
        found[one.kind, one.name] = by_name[one.name] = checksum
    return found


def retention_of(client: "Client") -> Retention:
    """Return how long the store keeps things, as `apply` was told the last time."""
    return _retention(_applied(client))


def _retention(applied: Mapping[tuple[str, str], str]) -> Retention:
    """Return the retention that was set last, or the default if none was."""
    return Retention(**{name: int(days) for (kind, name), days in applied.items() if kind == "retention"})


def _apply_one(client: "Client", statement: Statement, on_cluster: str, *, exists: bool) -> Iterator[Change]:
    if not exists:
        client.command(statement.sql)
        yield Change("created", statement.kind, statement.name)
    elif statement.kind == "table":
        yield from _extend(client, statement, on_cluster)
    else:
        client.command(_replacement(statement, on_cluster))
        yield Change("replaced", statement.kind, statement.name)


def _fill(client: "Client", statement: Statement, layout: ClusterSchema) -> None:
    """Let a materialized view that is new, or counts more than it did, see what came before it.

    What arrives meanwhile goes in twice, and counts once.
    """
    columns = ", ".join(_columns(client, statement.name))
    filling = layout.of_all_servers(f"insert into {statement.target} ({columns}) {statement.query}")
    client.command(filling, settings={"max_partitions_per_insert_block": 0})


def _empty_counts(client: "Client", statement: Statement, layout: ClusterSchema) -> None:
    """Empty a table of counts that has a new column, so that all is counted again with it."""
    if statement.name.removesuffix(LOCAL) in COUNTS and "MergeTree" in statement.sql:
        client.command(f"truncate table {statement.name} {layout.on_cluster}")


def _forget_counts(client: "Client", table: str, layout: ClusterSchema) -> None:
    """Empty a table of counts that are counted in another way now; what still counts in the old one is waited for."""
    if table.removesuffix(LOCAL) in COUNTS:
        refreshes.wait(client, layout.cluster)
        client.command(f"truncate table {table} {layout.on_cluster}")


def _replacement(statement: Statement, on_cluster: str) -> str:
    """Return what puts a new definition in the place of an old one, without a moment in between."""
    if statement.kind == "view":
        return statement.sql
    if statement.kind == "handler":
        return re.sub(r"^create handler if not exists", "alter handler", statement.body)
    return f"alter table {statement.name} {on_cluster} modify query {statement.query}"


def _extend(client: "Client", statement: Statement, on_cluster: str) -> Iterator[Change]:
    """Add the columns that a newer version of a table has, and keep what is in it as long as that says."""
    draft = f"{statement.name}_new_schema"
    client.command(f"drop table if exists {draft} {on_cluster} sync")
    client.command(statement.sql.replace(f"exists {statement.name}", f"exists {draft}", 1))
    try:
        wanted, have = _columns(client, draft), _columns(client, statement.name)
        kept = _kept(client, draft).items() - _kept(client, statement.name).items()
    finally:
        client.command(f"drop table {draft} {on_cluster} sync")
    for name, kind in wanted.items():
        if name not in have:
            client.command(f"alter table {statement.name} {on_cluster} add column `{name}` {kind}")
            yield Change("extended", "table", statement.name, f"column {name} {kind}")
        elif have[name] != kind and kind.startswith("Enum"):  # it has more words now
            client.command(f"alter table {statement.name} {on_cluster} modify column `{name}` {kind}")
            yield Change("extended", "table", statement.name, f"words of {name}")
    for what, how_long in sorted(kept):
        changed = f"modify column `{what}` ttl {how_long}" if what else f"modify ttl {how_long}"
        client.command(f"alter table {statement.name} {on_cluster} {changed}")
        yield Change("extended", "table", statement.name, changed)


def _kept(client: "Client", table: str) -> dict[str, str]:
    """Return until when the rows of a table are kept, under no name, and columns of it, under theirs."""
    made = client.query(
        "select create_table_query from system.tables where database = currentDatabase() and name = {table:String}",
        parameters={"table": table},
    ).result_rows[0][0]
    columns, _, rest = made.partition(") ENGINE = ")
    found = dict(_COLUMN_TTL.findall(columns))
    return found | ({"": whole[1]} if (whole := _TTL.search(rest)) else {})


def _columns(client: "Client", table: str) -> dict[str, str]:
    found = client.query(
        "select name, concat(type, ' ', default_kind, ' ', default_expression, ' ', compression_codec)"
        " from system.columns"
        " where database = currentDatabase() and table = {table:String} order by position",
        parameters={"table": table},
    )
    return {name: " ".join(definition.split()) for name, definition in found.result_rows}


def _is_in_force(client: "Client", statement: Statement) -> bool:
    """Return whether what was made is still as it was noted: another table or another database may have changed it.

    A table that is made `as` another has its columns, also those that this one got since. Handlers are the server's.
    """
    if copied := _LIKE.search(statement.body):
        return _columns(client, statement.name).keys() == _columns(client, copied[1]).keys()
    if statement.kind != "handler":
        return True
    same = client.command(
        "select query = formatQuerySingleLine({query:String}) from system.handlers where name = {name:String}",
        parameters={"query": statement.query, "name": statement.name},
    )
    return same == 1


def _applied(client: "Client") -> dict[tuple[str, str], str]:
    rows = client.query(f"select kind, name, checksum from {TABLE} final").result_rows  # noqa: S608
    return {(kind, name): checksum for kind, name, checksum in rows}


def _present(client: "Client") -> set[tuple[str, str]]:
    """Return the kind and name of what there is: tables and views of the current database, handlers of the server."""
    rows = client.query(
        "select multiIf(engine = 'MaterializedView', 'materialized view', engine = 'View', 'view', 'table'), name"
        " from system.tables where database = currentDatabase()"
        " union all select 'handler', name from system.handlers"
    ).result_rows
    return set(map(tuple, rows))


def _record(client: "Client", done: Mapping[tuple[str, str], str]) -> None:
    """Remember what was made and what was asked for, all of it in one insert: by kind and name, its checksum or value.

    One by one, a hundred of them took as long as making all that they are of.
    """
    if done:
        by = _version()
        rows = [
            {"kind": kind, "name": name, "checksum": checksum, "version": by} for (kind, name), checksum in done.items()
        ]
        with store_errors("cannot remember what was made"):
            client.raw_insert(TABLE, insert_block="\n".join(map(json.dumps, rows)), fmt="JSONEachRow")


def _version() -> str:
    try:
        return version("otel-costs")
    except PackageNotFoundError:
        return "unknown"
