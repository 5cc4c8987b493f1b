"""Fixtures that every test may take."""

from collections.abc import Iterator

import pytest

from otel_costs.stand_in import Provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Run a stand-in for OpenAI on loopback; a bug of its own fails the test."""
    with Provider() as running:
        yield running
    assert running.errors == []
