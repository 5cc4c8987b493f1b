"""Parts of tables that are damaged: those that the engine set aside when it started, and those that it fails to read.

A part that cannot be opened is detached by the engine, and its rows are in no report from then on. One whose data was
changed is found when it is read: every query that reads it fails.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_costs.store.embedded import Engine, EngineError, escape, quote_name

CODES: Final = frozenset({32, 33, 40, 107, 226, 228, 246, 271})
"""Errors of the engine that a damaged part may be the cause of."""

_DETACHED: Final = (
    "SELECT database, table, name, reason, path FROM system.detached_parts ORDER BY database, table, name"
)
_TABLES: Final = (
    "SELECT database, name FROM system.tables WHERE engine LIKE '%MergeTree'"
    " AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') ORDER BY database, name"
)
_ROWS: Final = (
    "SELECT rows FROM system.parts WHERE active AND database = {database:String} AND table = {table:String}"
    " AND name = {part:String}"
)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A part, how many rows it has (None: not known), why it is damaged, and whether reports go on without it."""

    table: str
    part: str
    rows: int | None
    why: str
    detached: bool

    def __str__(self) -> str:
        rows = "rows, nobody knows how many," if self.rows is None else f"{self.rows} rows"
        if self.detached:
            return f"Damaged: {rows} of {self.table} are in no report: part {self.part} is detached ({self.why})."
        return (
            f"Damaged: {rows} of {self.table} cannot be read, and queries of them fail: part {self.part} ({self.why})."
        )


def detached(engine: Engine) -> list[Damaged]:
    """Return the parts that are detached, by the engine or by hand. Raises EngineError."""
    found = []
    for line in engine.execute(_DETACHED, output_format="JSONEachRow").splitlines():
        row = json.loads(line)
        table_name, rows = _table_name(row["database"], row["table"]), _count(Path(row["path"]))
        found.append(Damaged(table_name, row["name"], rows, row["reason"] or "by hand", detached=True))
    return found


def check(engine: Engine, settings: dict[str, str]) -> Iterator[Damaged]:
    """Read all of every table and yield each part that differs from its checksums. Raises EngineError."""
    for line in engine.execute(_TABLES, output_format="JSONEachRow").splitlines():
        row = json.loads(line)
        yield from _check(engine, row["database"], row["name"], settings)


def _check(engine: Engine, database: str, table: str, settings: dict[str, str]) -> Iterator[Damaged]:
    name, table_name = f"{quote_name(database)}.{quote_name(table)}", _table_name(database, table)
    try:
        checked = engine.execute(
            f"CHECK TABLE {name} FORMAT JSONEachRow", settings={**settings, "check_query_single_value_result": "0"}
        )
    except EngineError as error:
        if error.code not in CODES:
            return  # the table is gone, say
        yield Damaged(table_name, "unknown", None, _why(error.message), detached=False)
        return
    for line in checked.splitlines():
        row = json.loads(line)
        if not row["is_passed"]:
            part = row["part_path"].rstrip("/").rpartition("/")[2]
            rows = _rows(engine, database, table, part)
            yield Damaged(table_name, part, rows, _why(row["message"]), detached=False)


def _table_name(database: str, table: str) -> str:
    return f"{database}.{table}".removeprefix("default.")


def _rows(engine: Engine, database: str, table: str, part: str) -> int | None:
    parameters = {"database": escape(database), "table": escape(table), "part": part}
    found = engine.execute(_ROWS, parameters=parameters)
    return int(found) if found.strip() else None


def _count(part: Path) -> int | None:
    """Return the rows that a part says it has; its other files may be anything."""
    try:
        return int((part / "count.txt").read_text())
    except (OSError, ValueError):
        return None


def _why(message: str) -> str:
    """Return the beginning of the engine's reason, which names files and not what they hold."""
    return message.partition("DB::Exception: ")[2].partition(" (")[0][:120] or message[:120]
