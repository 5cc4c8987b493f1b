"""The store that the views are tested on."""

from collections.abc import Iterator

import pytest

from otel_costs.store import schema
from tests.queries.conftest import store
from tests.queries.engine import engine

__all__ = ["store"]


@pytest.fixture(scope="module")
def handlers() -> Iterator[None]:
    """Give the handlers of HTTP back after a module that makes other stores: they ask the one that was made last."""
    yield
    schema.apply(engine())
