"""A server to talk to, and an observer that is asked about every socket."""

from collections.abc import Iterator
from typing import Any

import pytest

from otel_costs.transports import websocket
from tests.support.recorded import Recorded

from . import observer
from .clients import CLIENTS
from .server import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def followed(recorded: Recorded) -> Iterator[list[observer.Kept]]:
    """Instrument, with an observer for `/ours`; the value has one for each socket that was opened there."""
    observer.opened.clear()
    observer.asked.clear()
    websocket.matched_by(observer.__name__, ["*"])
    yield observer.opened
    observer.opened.clear()


@pytest.fixture(params=sorted(CLIENTS))
def connect(request: pytest.FixtureRequest) -> Any:
    """The client of each library in turn."""
    return CLIENTS[request.param]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests that are coroutines run on asyncio."""
    return "asyncio"
