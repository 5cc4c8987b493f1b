"""Putting a backup back: its tables as they were, checked, brought up to date, and then made part of the store."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from otel_costs.store import schema
from otel_costs.store.backups import claim, erasures, sums, tables, unfinished
from otel_costs.store.backups.folder import DamagedError, Folder
from otel_costs.store.backups.manifest import Manifest, StoredTable
from otel_costs.store.backups.staging import Staging, hands_over
from otel_costs.store.backups.sums import Key, Sums
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

EMPTY: Final = "empty"
_MERGE: Final = "merge"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: `sums` are those of the store now, `wanted` those of what was put into it.

    `different` is where they differ: nowhere, if the store was empty and nothing arrived meanwhile. `erased` counts
    users and sessions that were erased since the backup, and are again.
    """

    manifest: Manifest
    wanted: Sums
    sums: Sums
    different: list[Key]
    erased: int
    was_empty: bool


def restore(client: "Client", folder: Folder, name: str | None, *, merge: bool = False) -> Restored:
    """Put the backup `name`, or the newest, into the store of `client`. A restore that was cut goes on where it was.

    `merge`: also into a store that has rows; calls and messages that it has count once. Raises StoreError.
    """
    with folder.restoring():
        manifest = folder.manifest(name)
        listed = erasures.listed_in(folder)
        retention = _retention(manifest)
        # In an empty store; what one that is in use was asked for stays, and holds for what is put into it.
        schema.apply(client, None if holds(client) else retention)
        retention = schema.retention_of(client)
        check_known(client, manifest)
        staging = _opened(client, manifest, merge=merge)
        with staging.explaining_takeover():
            if "staged" not in staging.done("stage"):
                _stage(staging, folder, manifest)
            # Each time: the store may have been asked for other days after a restore was cut.
            staging.upgrade(retention)
            # And what was erased since may be in what that has staged.
            with staging.current() as beside:
                if erased := erasures.repeat(beside, listed, manifest.created_at):
                    staging.note("erased", datetime.now(UTC).isoformat(), str(erased))
            return finish(client, staging, manifest)


def finish(client: "Client", staging: Staging, manifest: Manifest) -> Restored:
    """Hand over what is staged, compare, and drop the staging."""
    staging.hand_over()
    names = {table.name for table in staging.kept()}
    wanted = staging.sums(staging.kept())
    found = [table for table in tables.tables(client, staging.own) if table.name in names]
    now = sums.of(client, staging.own, found)
    was_empty = _MERGE not in staging.done("began")
    erased = sum(map(int, staging.done("erased").values()))
    staging.drop()
    return Restored(manifest, wanted, now, sums.differences(wanted, now), erased, was_empty)


def holds(client: "Client") -> list[str]:
    """Return which of the store's tables have rows: none, when it is empty."""
    present = rows(
        client,
        "select name, total_rows from system.tables where database = currentDatabase() and engine like '%MergeTree'"
        " and total_rows > 0 order by name",
    )
    return [row["name"] for row in present if row["name"] not in (schema.TABLE, *schema.COUNTS)]


def check_known(client: "Client", manifest: Manifest) -> None:
    """Raise StoreError when the backup has what this version does not know."""
    if unknown := tables.unknown(client, (stored.table for stored in manifest.tables)):
        raise StoreError(
            f"the backup {manifest.id} is of a newer version ({manifest.version}), which has {unknown}:"
            " install that version or a newer one"
        )


def _opened(client: "Client", manifest: Manifest, *, merge: bool) -> Staging:
    """Open the staging of this backup, or go on with it. Raises StoreError when the store has other things in it."""
    base = f"{unfinished.RESTORE_PREFIX}{''.join(letter for letter in manifest.id.lower() if letter.isalnum())}"
    own = claim.named(client, base)
    for beside in tables.databases(client, unfinished.RESTORE_PREFIX):
        if beside in own or (merge and hands_over(client, beside)):
            continue
        if hands_over(client, beside):
            raise StoreError("a restore of another backup was cut half way: run it again first, or give --merge")
        claim.drop(client, beside)
    staging = Staging(client, base)
    if staging.hands_over():
        return staging
    # Also of one that was cut: it may have been begun long ago.
    there = holds(client)
    if there and not merge:
        staging.drop()
        raise StoreError(
            f"the store is not empty ({there[0]} has rows): restore into an empty one, or give --merge to add to it"
        )
    staging.note("began", _MERGE if there else EMPTY)
    return staging


def _stage(staging: Staging, folder: Folder, manifest: Manifest) -> None:
    summed = {table for table, _ in manifest.sums}
    if strange := summed - {stored.table.name for stored in manifest.tables}:
        raise StoreError(
            f"the backup {manifest.id} has sums of {min(strange)}, and no rows of it: nothing was put back"
        )
    for stored in manifest.tables:
        try:
            _fill(staging, folder, stored, manifest)
        except DamagedError as error:
            staging.drop()
            raise DamagedError(
                f"{error} of the backup {manifest.id} are lost; restore another one, nothing was put back"
            ) from None
    staging.note("stage", "staged")


def _fill(staging: Staging, folder: Folder, stored: StoredTable, manifest: Manifest) -> None:
    parts = dict(zip(tables.numbered(part.key for part in stored.parts), stored.parts, strict=True))

    def blocks(name: str) -> Iterator[bytes]:
        try:
            yield from folder.blocks(parts[name])
        except DamagedError as error:
            raise DamagedError(f"{error}: {parts[name].rows:,} rows of {stored.table.name}") from None

    staging.fill(
        stored.table,
        {name: part.rows for name, part in parts.items()},
        blocks,
        stored.rows,
        {key: one for key, one in manifest.sums.items() if key[0] == stored.table.name},
    )


def _retention(manifest: Manifest) -> schema.Retention:
    try:
        return schema.Retention(**manifest.retention)
    except (TypeError, ValueError):
        raise StoreError(
            f"the backup {manifest.id} is of a newer version ({manifest.version}): install that version or a newer one"
        ) from None
