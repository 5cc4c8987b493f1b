"""The stack as its users have it: real ports, a real data folder, real clients."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_costs.local import Stack

from .support import Served, free_ports


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run one stack for a module: a folder is set up in half a second, and tests use ids of their own."""
    with Stack(tmp_path_factory.mktemp("data")) as running:
        yield running


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
