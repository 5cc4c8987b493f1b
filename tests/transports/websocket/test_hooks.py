"""The hooks come with the libraries, go without a trace, and outlive neither a fork nor the process."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websockets.asyncio.client
import websockets.asyncio.connection
import websockets.sync.client
import websockets.sync.connection
from websockets.sync.client import connect

from otel_costs import CostsInstrumentor
from otel_costs.runtime import unfinished
from otel_costs.transports import websocket
from tests.support.recorded import Recorded, instrumented
from tests.transports.websocket import observer
from tests.transports.websocket.observer import Kept
from tests.transports.websocket.server import Server

ROOT = Path(__file__).parents[3]
HOOKED: list[Any] = [
    aiohttp.ClientWebSocketResponse,
    websockets.asyncio.client.ClientConnection,
    websockets.asyncio.connection.Connection,
    websockets.sync.client.ClientConnection,
    websockets.sync.connection.Connection,
]


def members() -> list[dict[str, int]]:
    """Return what the hooked classes are made of, by identity."""
    return [{name: id(member) for name, member in vars(kind).items()} for kind in HOOKED]


@pytest.mark.long
def test_originals_come_back() -> None:
    """A hundred times on and off leaves the libraries as they were."""
    originals = members()
    for _ in range(100):
        with instrumented(Recorded()):
            assert all(now != before for now, before in zip(members(), originals, strict=True))
        assert members() == originals


def test_on_twice(server: Server, followed: list[Kept], recorded: Recorded) -> None:
    """Instrumenting twice tells of each message once."""
    CostsInstrumentor()._instrument(**recorded.providers)
    with connect(server.url("/ours/echo"), proxy=None) as socket:
        socket.send("hello")
        socket.recv()
    assert len(followed) == 1
    assert followed[0].said == [("sent", "hello"), ("received", "hello"), ("closed", None)]


def test_off_with_a_socket_open(server: Server) -> None:
    """A socket that is open when we go is at its end for us, and works on, told to nobody; when we come back, too."""
    observer.opened.clear()
    with instrumented(Recorded()):
        websocket.matched_by(observer.__name__, ["*"])
        socket = connect(server.url("/ours/echo"), proxy=None, legacy=True)
        socket.send("followed")
        assert socket.recv() == "followed"
    told = list(observer.opened[0].said)
    assert told == [("sent", "followed"), ("received", "followed"), ("closed", None)]
    socket.send("alone")
    assert socket.recv() == "alone"
    with instrumented(Recorded()):
        socket.send("still alone")
        assert socket.recv() == "still alone"
        socket.close()
    assert observer.opened[0].said == told


def test_end_of_all(server: Server, followed: list[Kept]) -> None:
    """The end of everything can be told while sockets are open: before a last flush."""
    with connect(server.url("/ours/echo"), proxy=None) as socket:
        unfinished.end_all()
        socket.send("hello")
        assert socket.recv() == "hello"
    assert followed[0].said == [("closed", None)]


def test_fork(server: Server, followed: list[Kept]) -> None:
    """In a forked child the socket is the parent's: the observer hears nothing of it there."""
    with connect(server.url("/ours/echo"), proxy=None) as socket:
        child = os.fork()
        if not child:
            unfinished.end_all()
            os._exit(len(followed[0].said))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        socket.send("hello")
        socket.recv()
    assert followed[0].said == [("sent", "hello"), ("received", "hello"), ("closed", None)]


@pytest.mark.long
def test_nothing_is_imported() -> None:
    """A library that the application does not import is not imported for us, nor are its hooks."""
    source = """
        import sys
        from otel_costs import CostsInstrumentor
        CostsInstrumentor().instrument()
        for name in ("websockets", "aiohttp"):
            assert name not in sys.modules, name
            assert f"otel_costs.transports.websocket.{name}" not in sys.modules, name
        import websockets.sync.client
        assert "otel_costs.transports.websocket.websockets" in sys.modules
        assert "websockets.asyncio.client" not in sys.modules
        assert hasattr(websockets.sync.client.ClientConnection.process_event, "__wrapped__")
        import websockets
        websockets.connect
        assert hasattr(websockets.asyncio.client.ClientConnection.process_event, "__wrapped__")
        assert "otel_costs.transports.websocket.aiohttp" not in sys.modules
        import aiohttp
        assert hasattr(aiohttp.ClientWebSocketResponse.receive, "__wrapped__")
    """
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


SIGNALLED = """
import os, signal, sys, threading
from otel_costs import CostsInstrumentor
from otel_costs.runtime import background
from otel_costs.transports import websocket as sockets
from websockets.sync.client import connect

class Kept:
    def __init__(self, name):
        self.name = name

    def received(self, frame): ...

    def sent(self, frame):
        if frame == "held":
            os.kill(os.getpid(), signal.SIGTERM)
            print(self.name, "was told", flush=True)

    def closed(self, error):
        background.put(lambda: print(self.name, "closed", error, flush=True))

def match(handshake):
    return Kept(handshake.query)

CostsInstrumentor().instrument()
sockets.matched_by("__main__", ["*"])
kept = [connect(f"{sys.argv[1]}?{name}", proxy=None) for name in ("one", "two", "three")]
"""


@pytest.mark.some(1)
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", []),
        ("kept[1].send('held'); threading.Event().wait()", ["two was told"]),
    ],
    ids=["at rest", "in a message"],
)
def test_signal(server: Server, end: str, told: list[str]) -> None:
    """Each socket that is open at SIGTERM ends, once, even if the signal interrupts who is being told of a message.

    Then that goes on, and the process ends a moment later.
    """
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SIGNALLED + end, server.url("/ours/echo")],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == -signal.SIGTERM, ran.stderr
    found = ran.stdout.splitlines()
    assert sorted(found) == sorted([*told, *(f"{name} closed None" for name in ("one", "two", "three"))])


@pytest.mark.some(1)
@pytest.mark.parametrize("kind", ["asyncio", "sync", "aiohttp"])
def test_exit(server: Server, kind: str) -> None:
    """A process that ends with its socket open tells the observer of the end before the last flush, once."""
    source = f"""
        import asyncio, atexit, sys
        from otel_costs import CostsInstrumentor
        from otel_costs.runtime import background
        from otel_costs.transports import websocket as sockets
        from tests.transports.websocket import observer

        def look():
            assert background.drain(60)
            print(observer.opened[0].said)

        atexit.register(look)
        CostsInstrumentor().instrument()
        sockets.matched_by("tests.transports.websocket.observer", ["*"])

        async def talk_asyncio():
            from websockets.asyncio.client import connect
            kept.append(await connect({server.url("/ours/echo")!r}, proxy=None))
            await kept[0].send("hello")
            await kept[0].recv()

        async def talk_aiohttp():
            import aiohttp
            session = aiohttp.ClientSession()
            kept.append(await session.ws_connect({server.url("/ours/echo")!r}))
            kept.append(session)
            await kept[0].send_str("hello")
            await kept[0].receive()

        def talk_sync():
            from websockets.sync.client import connect
            kept.append(connect({server.url("/ours/echo")!r}, proxy=None))
            kept[0].send("hello")
            kept[0].recv()

        kept = []
        talking = talk_{kind}()
        if talking:
            asyncio.run(talking)
    """
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(source)],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.stdout.strip() == str([("sent", "hello"), ("received", "hello"), ("closed", None)]), ran.stderr
