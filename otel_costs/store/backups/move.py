"""Moving a store's rows to another one, by the same ways as backup and restore, without files between.

What was cut is run again: parts that have arrived are not sent again, and nothing is there twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_costs.store import schema
from otel_costs.store.backups import claim, restore, snapshot, sums, tables, unfinished
from otel_costs.store.backups.staging import Staging, noted
from otel_costs.store.backups.sums import Key, Sums
from otel_costs.store.backups.tables import Table
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SOURCE: Final = "select toString(uuid) as id from system.tables where database = currentDatabase() and name = 'calls'"


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: the sums of the store that it is from, at that moment, and of the one that it is in now.

    `source` is without what is over the days that the other store keeps things.
    """

    source: Sums
    target: Sums
    different: list[Key]
    sent_rows: int


def move(source: "Client", target: "Client", take: "Callable[[Client], str]") -> Moved:
    """Copy all of a store into another one, and compare them. The source stays as it is. Raises StoreError."""
    retention = schema.retention_of(source)
    # What a store that is in use was asked for stays, and holds for what is put into it.
    schema.apply(target, retention if not restore.holds(target) else None)
    identity = str(rows(source, _SOURCE)[0]["id"])
    with snapshot.taken(source, take(source)) as database:
        found = tables.tables(source, database)
        if tables.unknown(target, found):
            raise StoreError("the store is of a newer version of otel-costs: install that, and move then")
        staging = _opened(target, identity)
        with staging.explaining_takeover():
            sent = sum(_send(source, database, table, staging) for table in found)
    with staging.explaining_takeover():
        staging.upgrade(schema.retention_of(target))
        names = {table.name for table in found if table.name != schema.TABLE}
        # Without what is over the days that the other store keeps it.
        wanted = staging.sums(table for table in staging.kept() if table.name in names)
        staging.hand_over()
        now = sums.of(target, staging.own, [one for one in tables.tables(target, staging.own) if one.name in names])
        staging.drop()
    return Moved(wanted, now, sums.differences(wanted, now), sent)


def _opened(target: "Client", identity: str) -> Staging:
    """Open the staging of a move from this store, or go on with it."""
    for name in claim.named(target, unfinished.MOVE):
        if noted(target, name, "began").get("source", identity) != identity:
            raise StoreError(f"it is from another store: {unfinished.explanation(name)}")
    staging = Staging(target, unfinished.MOVE)
    if staging.done("stage"):  # what the store has now is left out when it is sent again
        staging.drop()
        staging = Staging(target, unfinished.MOVE)
    if not staging.done("began"):
        staging.note("began", "source", identity)
    return staging


def _send(source: "Client", database: str, table: Table, staging: Staging) -> int:
    """Send the parts of a table that are not there; return their rows."""
    found = tables.parts(source, database, table.name)
    parts = dict(zip(tables.numbered(part.key for part in found), found, strict=True))
    return staging.fill(
        table,
        {name: part.rows for name, part in parts.items()},
        lambda name: tables.blocks(source, database, table, parts[name]),
        tables.count(source, database, table),
        sums.of(source, database, [table]),
    )
