"""The claim to a database beside a store: one run at a time, by its name, which ends with what only that run knows.

A run that comes later cannot tell whether the one before was cut or still goes on. It takes the database over by giving
it another name, which is done at once or not at all: no statement of the one before finds it after that.
"""

import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from otel_costs.store.backups import tables, unfinished
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_WAIT_S: Final = 300.0
_POLL_S: Final = 0.05
_RUNNING: Final = (
    "select query_id from system.processes where position(query, {name:String}) > 0 and query_id != queryID()"
)
_VIEWS: Final = (
    "select name from system.tables where database = {name:String} and engine in ('View', 'MaterializedView')"
)
_AT_ONCE: Final = "another run has begun at the same moment: wait until that has ended, and try again"


def claimed(client: "Client", base: str) -> tuple[str, bool]:
    """Return the name of the database `base` as that of this run, and whether it was there before.

    What the run before has begun is waited for. It has no views then: they name the database as it was called when they
    were made. Raises StoreError.
    """
    name = f"{base}_{secrets.token_hex(4)}"
    before = named(client, base)
    with store_errors("cannot make a database beside the store"):
        if not before:
            client.command(f"create database {name}")
            if named(client, base) != [name]:
                drop(client, name)
                raise StoreError(_AT_ONCE)
            return name, False
        client.command(f"rename database {before[0]} to {name}")
        _wait_for_statements(client, before[0])
        for view in rows(client, _VIEWS, {"name": name}):
            client.command(f"drop view if exists {name}.{view['name']} sync")
    return name, True


def named(client: "Client", base: str) -> list[str]:
    """Return the databases that are called `base`, of any run."""
    return [name for name in tables.databases(client, base) if name == base or name.startswith(f"{base}_")]


def is_there(client: "Client", name: str) -> bool:
    """Return whether a database is still called so; a store that does not answer has not given it to another run."""
    with suppress(StoreError):
        return name in tables.databases(client, name)
    return True


def drop(client: "Client", name: str) -> None:
    """Drop a database, of which no half is taken for a whole one when that is cut."""
    with store_errors("cannot drop the database beside the store"):
        if name in tables.databases(client, name):
            client.command(f"rename database {name} to {unfinished.DROPPED}{secrets.token_hex(4)}")
        drop_left(client)


def drop_left(client: "Client") -> None:
    """Drop what is left of databases that were being dropped."""
    for left in tables.databases(client, unfinished.DROPPED):
        client.command(f"drop database if exists {left} sync")


def _wait_for_statements(client: "Client", name: str) -> None:
    """Wait until the statements that name a database have ended: the run that began them may have."""
    end = time.monotonic() + _WAIT_S
    while rows(client, _RUNNING, {"name": name}):
        if time.monotonic() > end:
            raise StoreError("what a cut run has begun does not end: see what the store does, and try again")
        time.sleep(_POLL_S)
