"""What restores, moves and backups have beside a store until they have ended: databases, also after they were cut."""

from typing import TYPE_CHECKING, Final

from otel_costs.store.backups import snapshot, tables
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

RESTORE_PREFIX: Final = "otel_costs_restore_"
MOVE: Final = "otel_costs_move"
DROPPED: Final = "otel_costs_dropped_"
"""What begins the name of one that is not needed any more, and is dropped."""

STAGED: Final = (
    f"select name from system.databases where startsWith(name, '{RESTORE_PREFIX}') or startsWith(name, '{MOVE}')"  # noqa: S608
    f" or startsWith(name, '{DROPPED}') order by name"
)
"""The query of their databases."""


def staged(client: "Client") -> list[str]:
    """Return the databases of restores and moves that have not ended. Raises StoreError."""
    return [row["name"] for row in rows(client, STAGED)]


def explanation(name: str) -> str:
    """Return what a database beside the store is, and what to do about it."""
    if name.startswith(snapshot.PREFIX):
        return (
            f"a backup or a move reads the store: wait until it has ended, or, if none runs, drop the database {name}"
        )
    if name.startswith(DROPPED):
        return f"a move or a restore was cut when it had ended: drop the database {name}, which is what is left of it"
    what = "move" if name.startswith(MOVE) else "restore"
    return (
        f"a {what} into the store runs, or was cut half way: wait until it has ended, run it again, or drop the"
        f" database {name} to give it up"
    )


def check_none(client: "Client") -> None:
    """Raise StoreError where rows of the store are in another database, too, and may come back from there."""
    others = [*staged(client), *tables.databases(client, snapshot.PREFIX)]
    if others:
        raise StoreError(explanation(others[0]))
