"""One store for a module's tests, with the same two users in it."""

from collections.abc import Iterator

import pytest

from otel_costs.local import Stack

from .support import Ledger, fill


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a store that is empty at first, and return its address."""
    with Stack(tmp_path_factory.mktemp("data"), otlp_http_port=0, otlp_grpc_port=0, http_port=0) as running:
        yield running.http_url


@pytest.fixture(scope="module")
def url(store: str) -> str:
    """Return the address of a store with two users' sessions in it."""
    fill(Ledger(store))
    return store
