"""One store for a module's tests, with the same two users in it."""

from collections.abc import Iterator

import pytest

from otel_costs.local import Stack

from .support import Ledger, fill


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a store that is empty at first."""
    with Stack(tmp_path_factory.mktemp("data"), otlp_http_port=0, otlp_grpc_port=0, http_port=0) as running:
        yield running


@pytest.fixture(scope="module")
def url(stack: Stack) -> str:
    """Return the address of a store with two users' sessions in it."""
    fill(Ledger(stack.http_url))
    return stack.http_url
