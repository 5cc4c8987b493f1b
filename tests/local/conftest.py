"""The stack as its users have it: real ports, a real data folder, real clients."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_costs.local import Stack

from .support import Served, free_ports


@pytest.fixture(scope="session")
def stack(shared_stack: Stack) -> Stack:
    """Return a stack that runs already: tests use ids of their own."""
    return shared_stack


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start `otel-costs local` as a process of its own, to be killed."""
    started: list[Served] = []

    def start(data: Path | None = None, prelude: str = "", **options: object) -> Served:
        ports = free_ports(3)
        started.append(Served(data or tmp_path / "data", ports, options, prelude))
        return started[-1]

    yield start
    for served in started:
        served.kill()
