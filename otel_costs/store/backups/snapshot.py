"""A snapshot: the tables of a store as they were at one moment, in a database of its own, by links to the same files.

Making one takes milliseconds and no room, whatever the size: `attach partition ... from` links the files of the parts.
"""

import json
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from otel_costs.store import local_http
from otel_costs.store.address import Address
from otel_costs.store.backups import tables
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PATH: Final = "/snapshot"
"""Where `otel-costs local` makes one between two inserts, for a POST."""

PREFIX: Final = "otel_costs_snapshot_"

_LEDGER: Final = ("calls", "messages")
"""What reports are made of. All else is taken after it: an index may know more than there is, and never less."""

_NAME: Final = re.compile(rf"{PREFIX}[0-9a-z_]{{1,60}}")
_STAMP: Final = "%Y%m%d%H%M%S"
_FORGOTTEN: Final = timedelta(days=1)
_WAIT_S: Final = 60.0
_ANSWER_S: Final = 300.0
_POLL_S: Final = 0.1
_INSERTS: Final = "select query_id from system.processes where query_kind in ('Insert', 'AsyncInsertFlush')"


def take(client: "Client", *, written_to: bool = True) -> str:
    """Make a snapshot of the current database, and return the name of the database that has it. Raises StoreError.

    `written_to`: records may arrive meanwhile. Then those that arrive while it is made may be in it or not, but each
    call and message that is in it is there with all that belongs to it.
    """
    names = tables.kept(client)
    name = f"{PREFIX}{datetime.now(UTC):{_STAMP}}_{secrets.token_hex(4)}"
    own = str(client.command("select currentDatabase()"))
    with store_errors("cannot make a snapshot of the tables"):
        _drop_forgotten(client)
        client.command(f"create database {name}")
        try:
            _copy(client, own, name, [table for table in names if table in _LEDGER])
            if written_to:
                _wait_for_inserts(client)
            _copy(client, own, name, [table for table in names if table not in _LEDGER])
        except BaseException:
            with suppress(Exception):
                drop(client, name)
            raise
    return name


def asked_for(client: "Client", address: Address) -> str:
    """Have `otel-costs local` make a snapshot, if that is what `address` is of; make it by SQL anywhere else."""
    if address.embedded:
        return take(client, written_to=False)
    try:
        status, body = local_http.answer(address, PATH, data=b"", timeout_s=_ANSWER_S)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise StoreError(body[:1000].decode(errors="replace").strip())
        if status == HTTPStatus.OK and _is_snapshot(name := json.loads(body)["database"]):
            return str(name)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # no answer of ours: what it is, SQL will tell
    return take(client)


def drop(client: "Client", name: str) -> None:
    """Drop a snapshot; none is fine. Raises StoreError."""
    if not _is_snapshot(name):
        raise StoreError(f"{name!r} is no snapshot")
    with store_errors("cannot drop the snapshot"):
        client.command(f"drop database if exists {name} sync")


def drop_all(client: "Client") -> None:
    """Drop the snapshots of all programs: for a store that no other process can have open. Raises StoreError."""
    for name in tables.databases(client, PREFIX):
        drop(client, name)


@contextmanager
def taken(client: "Client", name: str) -> Iterator[str]:
    """Drop the snapshot at the end, whatever happens."""
    try:
        yield name
    finally:
        with suppress(StoreError):  # forgotten ones are dropped a day later
            drop(client, name)


def _is_snapshot(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _copy(client: "Client", own: str, name: str, names: Sequence[str]) -> None:
    for table in names:
        client.command(f"create table {name}.{table} as `{own}`.{table}")
        client.command(f"system stop merges {name}.{table}")
        client.command(f"alter table {name}.{table} attach partition all from `{own}`.{table}")


def _wait_for_inserts(client: "Client") -> None:
    """Wait until the inserts that run now have ended: what they have put into one table is in all then."""
    end = time.monotonic() + _WAIT_S
    begun = running = {row["query_id"] for row in rows(client, _INSERTS)}
    while running & begun:
        if time.monotonic() > end:
            raise StoreError("an insert does not end: see what the store does, and try again")
        time.sleep(_POLL_S)
        running = {row["query_id"] for row in rows(client, _INSERTS)}


def _drop_forgotten(client: "Client") -> None:
    """Drop what a program has left that was killed."""
    for name in tables.databases(client, PREFIX):
        with suppress(ValueError):
            made = datetime.strptime(name.removeprefix(PREFIX).partition("_")[0], _STAMP).replace(tzinfo=UTC)
            if datetime.now(UTC) - made > _FORGOTTEN:
                drop(client, name)
