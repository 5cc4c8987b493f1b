"""A store on the real engine, empty for every test."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from otel_costs.store import connect, schema

from .ledger import Store

_TABLES = ("otel_logs", "calls", "derived_calls", "call_sequences", "messages", "session_totals", "budgets")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open the engine of this process: there can be one, and it is not opened twice."""
    client = connect(f"chdb://{tmp_path_factory.mktemp('store')}")
    schema.apply(client)
    # What is counted when is for the tests to say.
    client.command("system stop view session_totals_mv")
    client.command("system stop view superseded_calls_sweep_mv")
    yield client
    client.close()


@pytest.fixture
def store(engine: Client) -> Store:
    """Return the store without any rows."""
    for table in _TABLES:
        engine.command(f"truncate table {table}")
    return Store(engine)
