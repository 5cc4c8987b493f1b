"""Moving a store's rows to another one, by the same ways as backup and restore, without files between.

What was cut is run again: parts that have arrived are not sent again, and nothing is there twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_costs.store import schema
from otel_costs.store.backups import restore, snapshot, sums, tables, unfinished
from otel_costs.store.backups.staging import Staging
from otel_costs.store.backups.sums import Key, Sums
from otel_costs.store.backups.tables import Table
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_SOURCE: Final = "select toString(uuid) as id from system.tables where database = currentDatabase() and name = 'calls'"


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: the sums of the store that it is from, at that moment, and of the one that it is in now."""

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
        wanted = sums.of(source, database, found)
        sent = sum(_send(source, database, table, staging) for table in found)
    if different := sums.differences(staging.sums(found), wanted):
        staging.drop()
        raise StoreError(f"{' of '.join(different[0])} arrived as something else: nothing was moved, try again")
    names = [table.name for table in found if table.name != schema.TABLE]
    staging.upgrade(schema.retention_of(target))
    staging.hand_over()
    now = sums.of(target, staging.own, [table for table in tables.tables(target, staging.own) if table.name in names])
    wanted = {key: one for key, one in wanted.items() if key[0] in names}
    staging.drop()
    return Moved(wanted, now, sums.differences(wanted, now), sent)


def _opened(target: "Client", identity: str) -> Staging:
    """Open the staging of a move from this store, or go on with it."""
    staging = Staging(target, unfinished.MOVE)
    before = staging.done("began").get("source", identity)
    if before != identity:
        raise StoreError(
            "a move from another store was cut half way: run it again, or drop the database"
            f" {unfinished.MOVE} to give it up"
        )
    if staging.hands_over():  # what the store has now is left out when it is sent again
        staging.drop()
        staging = Staging(target, unfinished.MOVE)
    if not staging.done("began"):
        staging.note("began", "source", identity)
    return staging


def _send(source: "Client", database: str, table: Table, staging: Staging) -> int:
    """Send the parts of a table that are not there; return their rows."""
    found = tables.parts(source, database, table.name)
    there = {what.partition("/")[2] for what in staging.done("part") if what.startswith(f"{table.name}/")}
    staging.make(table)
    named = dict(zip(tables.numbered(part.key for part in found), found, strict=True))
    if there - named.keys():  # merged, or erased, since they were sent
        staging.forget(table)
        there = set()
    missing = {name: part for name, part in named.items() if name not in there}
    for name, part in missing.items():
        staging.put(table, name, tables.blocks(source, database, table, part))
    return sum(part.rows for part in missing.values())
