"""The engine of this process: chDB opens one folder, and defines no handlers after it was closed and opened again."""

import atexit
import shutil
import tempfile
from functools import cache
from typing import TYPE_CHECKING

from otel_costs.store import connect, schema

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@cache
def engine() -> "Client":
    """Open the engine with our tables in it, for all tests of this process."""
    folder = tempfile.mkdtemp(prefix="otel_costs_")
    client = connect(f"chdb://{folder}")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(client.close)
    schema.apply(client)
    stop_counts(client)
    return client


def stop_counts(client: "Client") -> None:
    """Let nothing be counted by itself in a database: what is counted when is for the tests to say."""
    views = "select view from system.view_refreshes where database = currentDatabase()"
    for (name,) in client.query(views).result_rows:
        client.command(f"system stop view {name}")


def beside(database: str) -> "Client":
    """Open the same engine with another database, which is made empty."""
    client = connect(f"chdb://{getattr(engine(), 'path')}")  # noqa: B009  # of chDB's client alone
    client.command(f"drop database if exists {database} sync")
    client.command(f"create database {database}")
    client.database = database
    return client
