"""One store for a module's tests, with the same two users in it."""

import pytest

from otel_costs.local import Stack

from .support import Ledger, fill


@pytest.fixture(scope="module")
def store(emptied_stack: Stack) -> str:
    """Return the address of a store that is empty at first."""
    return emptied_stack.http_url


@pytest.fixture(scope="module")
def url(store: str) -> str:
    """Return the address of a store with two users' sessions in it."""
    fill(Ledger(store))
    return store
