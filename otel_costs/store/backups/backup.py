"""Making a backup: a snapshot of the store, of which those parts are written that no backup in the folder has yet."""

import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from otel_costs.store import schema
from otel_costs.store.backups import definition, snapshot, sums, tables
from otel_costs.store.backups.folder import Folder
from otel_costs.store.backups.manifest import Manifest, StoredPart, StoredTable

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Made:
    """A backup, what of it is new (bytes by table), and the older ones that were deleted."""

    manifest: Manifest
    new_bytes: dict[str, int]
    deleted: tuple[str, ...] = ()


def make(
    client: "Client", folder: Folder, take: "Callable[[Client], str]", source: str, keep: int | None = None
) -> Made:
    """Make a backup of the store into `folder`, of the moment at which `take` makes a snapshot of it.

    `source` is what to call the store, without secrets. `keep`: all but the newest `keep` backups are deleted then.
    Raises StoreError; what was written until then is no backup.
    """
    with folder.locked():
        known = {
            (one.table.name, part.key): part
            for made in folder.manifests()[0]
            for one in made.tables
            for part in one.parts
        }
        retention = asdict(schema.retention_of(client))
        moment = datetime.now(UTC)
        with snapshot.taken(client, take(client)) as database:
            found = tables.tables(client, database)
            added = sums.of(client, database, found)
            new_bytes: dict[str, int] = {}
            stored = []
            for table in found:
                definition.check(table.name, table.definition)  # of what could not be restored no backup is made
                kept = [
                    _part(client, database, table, part, folder, known)
                    for part in tables.parts(client, database, table.name)
                ]
                new_bytes[table.name] = sum(part.size for part, is_new in kept if is_new)
                stored.append(StoredTable(table, tuple(part for part, _ in kept)))
        made = Manifest(
            f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
            moment.isoformat(timespec="milliseconds"),
            version("otel-costs"),
            source,
            retention,
            tuple(stored),
            added,
        )
        folder.write_manifest(made)
        deleted = folder.keep(keep) if keep else []
    return Made(made, new_bytes, tuple(deleted))


def _part(
    client: "Client",
    database: str,
    table: tables.Table,
    part: tables.Part,
    folder: Folder,
    known: dict[tuple[str, str], StoredPart],
) -> tuple[StoredPart, bool]:
    """Return a part as it is kept, and whether it was written now."""
    before = known.get((table.name, part.key))
    if before is not None and folder.has(before):
        return before, False
    written = folder.write_part(part.key, part.rows, tables.blocks(client, database, table, part))
    known[table.name, part.key] = written
    return written, True
