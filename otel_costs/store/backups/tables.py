"""The tables that are kept, and their parts: read as blocks in ClickHouse's own format Native.

A part never changes: what has the same checksums has the same rows. So a part that a backup has is not read again.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import schema
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import count as counted
from otel_costs.store.rows import rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PLAIN: Final = "MergeTree"
"""The engine of tables that keep every row as it came; the others keep one row for each key, after merges."""

_BLOCK_BYTES: Final = 32 << 20
MOST_BLOCK_BYTES: Final = 4 * _BLOCK_BYTES
"""What no block has more of, as long as it has two rows: rows of a part are not all of the same size."""

_BLOCK_ROWS: Final = 1 << 18
_CREATED: Final = re.compile(r"^CREATE TABLE \S+ \(")
_ENGINE: Final = re.compile(r"\) ENGINE = (\w*MergeTree)\b")

_TABLES: Final = (
    "select name, engine, create_table_query as definition from system.tables"
    " where database = {database:String} and engine like '%MergeTree' order by name"
)
_COLUMNS: Final = (
    "select table, name, type, default_kind from system.columns where database = {database:String}"
    " and default_kind not in ('ALIAS', 'EPHEMERAL') order by table, position"
)
_PARTS: Final = (
    "select hash_of_all_files as key, name, rows, data_uncompressed_bytes as bytes from system.parts"
    " where active and database = {database:String} and table = {table:String} order by name"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its engine, the statement that made it (in no database), its columns and their types."""

    name: str
    engine: str
    definition: str
    columns: tuple[tuple[str, str], ...]
    materialized: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        made = _ENGINE.search(self.definition)
        if not _CREATED.match(self.definition) or made is None or made[1] != self.engine:
            raise StoreError(f"the definition of {self.name} is none of a table that keeps rows")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(name for name, _ in self.columns)

    def made_in(self, database: str, name: str | None = None) -> str:
        """Return the statement that makes it in `database`, with columns that can all be written to."""
        sql = self.definition
        for column in self.materialized:
            sql = re.sub(rf"(`{re.escape(column)}` [^`]*?) MATERIALIZED ", r"\1 DEFAULT ", sql, count=1)
        return _CREATED.sub(lambda _: f"CREATE TABLE IF NOT EXISTS {database}.{name or self.name} (", sql, count=1)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table: its checksum, its name, how many rows it has, and their size in bytes, uncompressed."""

    key: str
    name: str
    rows: int
    size: int


def kept(client: "Client") -> list[str]:
    """Return the names of the tables that are kept: ours, but for those that only remember what was counted.

    Raises StoreError when there are none, or they are those of a cluster.
    """
    if schema.layout_of(client).cluster:
        raise StoreError(
            "the store is a cluster, of which no backup is made here: use ClickHouse's BACKUP ... ON CLUSTER"
        )
    found = rows(
        client,
        f"select name from {schema.TABLE} final where kind = 'table' and name in"  # noqa: S608
        " (select name from system.tables where database = currentDatabase() and engine like '%MergeTree')",
    )
    names = {row["name"] for row in found} - set(schema.COUNTS)
    return sorted({*names, schema.TABLE})


def tables(client: "Client", database: str) -> list[Table]:
    """Return the tables of a database that hold rows."""
    columns: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(client, _COLUMNS, {"database": database}):
        columns[row["table"]].append(row)
    return [_table(row, columns[row["name"]]) for row in rows(client, _TABLES, {"database": database})]


def _table(row: dict[str, Any], found: Sequence[dict[str, Any]]) -> Table:
    return Table(
        row["name"],
        row["engine"],
        _CREATED.sub(f"CREATE TABLE {row['name']} (", row["definition"], count=1),
        tuple((column["name"], column["type"]) for column in found),
        tuple(column["name"] for column in found if column["default_kind"] == "MATERIALIZED"),
    )


def parts(client: "Client", database: str, table: str) -> list[Part]:
    """Return the parts of a table that nothing is written to and nothing is merged in."""
    found = rows(client, _PARTS, {"database": database, "table": table})
    return [Part(row["key"], row["name"], row["rows"], row["bytes"]) for row in found]


def count(client: "Client", database: str, table: Table) -> int:
    """Return the rows of a table, those that are there several times included. Raises StoreError."""
    return counted(client, f" from {database}.{table.name}")


def blocks(client: "Client", database: str, table: Table, part: Part) -> Iterator[bytes]:
    """Yield the rows of a part, some at a time, in the format Native. Raises StoreError."""
    at_once = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES * part.rows // max(part.size, 1)))
    for first in range(0, part.rows, at_once):
        yield from _blocks(client, database, table, part, first, min(first + at_once, part.rows))


def _blocks(client: "Client", database: str, table: Table, part: Part, first: int, end: int) -> Iterator[bytes]:
    """Yield the rows of a part from `first` until `end`, in halves where they are too many bytes for one block."""
    sql = (
        f"select {listed(table.names)} from {database}.{table.name} where _part = {{part:String}}"  # noqa: S608
        " and _part_offset >= {first:UInt64} and _part_offset < {end:UInt64} settings max_threads = 1"
    )
    with store_errors(f"cannot read {table.name}"):
        block = client.raw_query(sql, parameters={"part": part.name, "first": first, "end": end}, fmt="Native")
    if len(block) > MOST_BLOCK_BYTES and end - first > 1:
        middle = (first + end) // 2
        yield from _blocks(client, database, table, part, first, middle)
        yield from _blocks(client, database, table, part, middle, end)
    elif block:
        yield block


def unknown(client: "Client", found: Iterable[Table]) -> str | None:
    """Return the first of some tables, or of their columns, that the store of `client` has not; None where it has all.

    A store that is up to date has not what a newer version knows.
    """
    own = {table.name: set(table.names) for table in tables(client, str(client.command("select currentDatabase()")))}
    for table in found:
        if table.name not in own:
            return table.name
        if more := [name for name in table.names if name not in own[table.name]]:
            return f"{table.name}.{more[0]}"
    return None


def databases(client: "Client", prefix: str) -> list[str]:
    """Return the databases beside the store's whose names begin so, in the order of their names."""
    sql = "select name from system.databases where startsWith(name, {prefix:String}) order by name"
    return [row["name"] for row in rows(client, sql, {"prefix": prefix})]


def numbered(keys: Iterable[str]) -> list[str]:
    """Return what tells the parts of a table apart, in their order: the key, and of equal ones which of them it is.

    Parts that have the same rows (a batch that was delivered twice) have the same key.
    """
    counts: Counter[str] = Counter()
    found = []
    for key in keys:
        counts[key] += 1
        found.append(key if counts[key] == 1 else f"{key}#{counts[key]}")
    return found


def listed(names: Sequence[str]) -> str:
    """Write the names of columns, for a statement."""
    return ", ".join(f"`{name}`" for name in names)
