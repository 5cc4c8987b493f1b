"""The schema of the store: makes it what `queries/` says, as often as you like, and says what it changed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, Literal

from otel_costs.store.files import Statement, statements
from otel_costs.store.rows import telling

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

TABLE: Final = "schema_versions"

_LIKE: Final = re.compile(r"^create table .* as (\w+)\s*$", re.MULTILINE)

_CREATE_VERSIONS: Final = f"""
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
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that things are kept."""

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


def apply(client: "Client", retention: Retention | None = None) -> list[Change]:
    """Make the store's current database what `queries/` says and return what was changed: nothing, the second time.

    Tables are created and extended by new columns, never emptied; views and handlers are replaced. Needs the right to
    create. Raises StoreError when a statement fails; what was done until then stays, and is not done again.
    """
    with telling("cannot prepare the schema"):
        client.command(_CREATE_VERSIONS)
        applied, present = _applied(client), _present(client)
        wanted = statements(_placeholders(client, retention or Retention()))
    changes: list[Change] = []
    for statement in wanted:
        key = (statement.kind, statement.name)
        with telling(f"cannot make {statement.kind} {statement.name}"):
            if key in present and applied.get(key) == statement.checksum and _is_in_force(client, statement):
                continue
            changes.extend(_apply_one(client, statement, exists=key in present))
            _record(client, statement)
    return changes


def _placeholders(client: "Client", retention: Retention) -> Mapping[str, str]:
    """Fill what differs between one server and a cluster."""
    return {
        "database": f"`{client.command('select currentDatabase()')}`",
        "on_cluster": "",
        "local": "",
        "replicated": "",
        "raw_days": str(retention.raw_days),
        "content_days": str(retention.content_days),
        "ledger_days": str(retention.ledger_days),
    }


def _apply_one(client: "Client", statement: Statement, *, exists: bool) -> Iterator[Change]:
    if not exists:
        client.command(statement.sql)
        yield Change("created", statement.kind, statement.name)
    elif statement.kind == "table":
        yield from _extend(client, statement)
    else:
        client.command(_replacement(statement))
        yield Change("replaced", statement.kind, statement.name)


def _replacement(statement: Statement) -> str:
    """Return what puts a new definition in the place of an old one, without a moment in between."""
    if statement.kind == "view":
        return statement.sql
    if statement.kind == "handler":
        return re.sub(r"^create handler if not exists", "alter handler", statement.body)
    return f"alter table {statement.name} modify query {statement.query}"


def _extend(client: "Client", statement: Statement) -> Iterator[Change]:
    """Add the columns that a newer version of a table has."""
    draft = f"{statement.name}_new_schema"
    client.command(f"drop table if exists {draft}")
    client.command(statement.sql.replace(f"exists {statement.name}", f"exists {draft}", 1))
    try:
        wanted, have = _columns(client, draft), _columns(client, statement.name)
    finally:
        client.command(f"drop table {draft} sync")
    for name, kind in wanted.items():
        if name not in have:
            client.command(f"alter table {statement.name} add column `{name}` {kind}")
            yield Change("extended", "table", statement.name, f"column {name} {kind}")


def _columns(client: "Client", table: str) -> dict[str, str]:
    found = client.query(
        "select name, concat(type, ' ', default_kind, ' ', default_expression, ' ', compression_codec)"
        " from system.columns"
        " where database = currentDatabase() and table = {table:String} order by position",
        parameters={"table": table},
    )
    return {name: " ".join(definition.split()) for name, definition in found.result_rows}


def _is_in_force(client: "Client", statement: Statement) -> bool:
    """Tell whether what was made is still what it says: another table or another database may have changed it.

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


def _record(client: "Client", statement: Statement) -> None:
    client.command(
        f"insert into {TABLE} (kind, name, checksum, version) values"  # noqa: S608
        " ({kind:String}, {name:String}, {checksum:String}, {version:String})",
        parameters={
            "kind": statement.kind,
            "name": statement.name,
            "checksum": statement.checksum,
            "version": _version(),
        },
    )


def _version() -> str:
    try:
        return version("otel-costs")
    except PackageNotFoundError:
        return "unknown"
