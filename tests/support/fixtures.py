"""Fixtures that every test may take."""

import functools
from collections.abc import Iterator

import pytest

from otel_costs.stand_in import Provider

try:
    import httpcore2  # of openai 3
except ImportError:  # pragma: no cover
    httpcore2 = None  # type: ignore[assignment, unused-ignore]


@pytest.fixture(scope="session", autouse=True)
def certificates() -> Iterator[None]:
    """Read the machine's certificates once: each client does, which takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        if httpcore2 is not None:
            patch.setattr(httpcore2, "default_ssl_context", functools.cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Run a stand-in for OpenAI on loopback; a bug of its own fails the test."""
    with Provider() as running:
        yield running
    assert running.errors == []
