"""What only `websockets` has: fragments to send, streams to receive, kinds of data, and connections of one's own."""

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection as SyncClientConnection
from websockets.sync.client import connect as connect_sync

from otel_costs.sessions.session import BudgetExceeded
from otel_costs.transports import websocket
from otel_costs.transports.websocket import watch
from tests.support import garbage
from tests.support.recorded import Recorded, instrumented
from tests.transports.websocket import observer
from tests.transports.websocket.clients import connect_legacy
from tests.transports.websocket.observer import Kept
from tests.transports.websocket.server import Server

pytestmark = pytest.mark.anyio  # those that are coroutines


def fragments() -> Iterator[Any]:
    yield "grüß"
    yield ""
    yield " dich"


async def async_fragments() -> AsyncIterator[Any]:
    for each in (b"\x00", bytearray(b"\x01"), memoryview(b"\xff")):
        yield each


async def test_fragments_are_sent(server: Server, followed: list[Kept]) -> None:
    """A message that is sent in fragments is told of once, whole, before its last one is out."""
    for opening in (connect(server.url("/ours/echo"), proxy=None), connect_legacy(server.url("/ours/echo"))):
        async with opening as socket:
            await socket.send(fragments())
            assert await socket.recv() == "grüß dich"
            await socket.send(async_fragments())
            assert await socket.recv() == b"\x00\x01\xff"
            await socket.send([])  # sends nothing
        both = [(what, said) for said in ("grüß dich", b"\x00\x01\xff") for what in ("sent", "received")]
        assert followed.pop().said == [*both, ("closed", None)]


def test_fragments_are_sent_sync(server: Server, followed: list[Kept]) -> None:
    """So it is with threads."""
    with connect_sync(server.url("/ours/echo"), proxy=None) as socket:
        socket.send(fragments())
        assert socket.recv() == "grüß dich"
    assert followed[0].said == [("sent", "grüß dich"), ("received", "grüß dich"), ("closed", None)]


async def test_budget_in_fragments(server: Server, followed: list[Kept]) -> None:
    """A message in fragments that must not be sent is left incomplete: the library then closes the socket."""

    def refuse(what: str) -> None:
        if what == "sent":
            raise BudgetExceeded("abc", Decimal(1), Decimal(2))

    async with connect(server.url("/ours/echo"), proxy=None) as socket:
        followed[0].act = refuse
        with pytest.raises(BudgetExceeded):
            await socket.send(fragments())
        with pytest.raises(ConnectionClosedError):
            await socket.recv()
    assert followed[0].said == [("sent", "grüß dich"), ("closed", "1006")]


@pytest.mark.parametrize("size", [watch.FRAGMENTED_LIMIT, watch.FRAGMENTED_LIMIT + 1])
async def test_long_fragments(server: Server, followed: list[Kept], size: int) -> None:
    """A message in fragments is put together up to a limit; a longer one passes, and the next is told of again."""
    parts = [b"x" * (size // 2), b"x" * (size - size // 2)]
    async with connect(server.url("/ours/echo"), proxy=None, max_size=None, compression=None) as socket:
        await socket.send(parts)
        await socket.recv()
        await socket.send(["a", "b"])
        await socket.recv()
    lengths = [len(said) for what, said in followed[0].said if what == "sent" and said]
    assert lengths == ([size, 2] if size <= watch.FRAGMENTED_LIMIT else [2])


async def test_kinds_of_data(server: Server, followed: list[Kept]) -> None:
    """The application chooses how it reads and writes; the observer gets text of text and bytes of binary messages."""
    async with connect(server.url("/ours/echo"), proxy=None) as socket:
        await socket.send("grüß")
        assert await socket.recv(decode=False) == "grüß".encode()
        await socket.send(b"text", text=True)
        assert await socket.recv() == "text"
        await socket.send("binary", text=False)
        assert await socket.recv(decode=True) == "binary"
        await socket.send(memoryview(b"view"))
        assert await socket.recv() == b"view"
    said = ["grüß", "text", b"binary", b"view"]
    both = [(what, message) for message in said for what in ("sent", "received")]
    assert followed[0].said == [*both, ("closed", None)]


async def test_what_cannot_be_sent(server: Server, followed: list[Kept]) -> None:
    """What the library refuses, it refuses as ever."""
    async with connect(server.url("/ours/echo"), proxy=None) as socket:
        for wrong in (1, {"a": "b"}, None):
            with pytest.raises(TypeError):
                await socket.send(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            await socket.send()  # type: ignore[call-arg]
        await socket.send(message="by name")
        assert await socket.recv() == "by name"
    with pytest.raises(Exception, match="1000"):
        await socket.send("too late")


async def test_streaming(server: Server, followed: list[Kept]) -> None:
    """Reading fragment by fragment sees the fragments, and the observer the message."""
    async with connect(server.url("/ours/fragments"), proxy=None) as socket:
        await socket.send("go")
        assert [part async for part in socket.recv_streaming()] == ["grü", "ß", " dich", ""]
    assert followed[0].said[1] == ("received", "grüß dich")


async def test_text_that_is_none(server: Server, followed: list[Kept]) -> None:
    """Text that is no UTF-8 is told to nobody: the library refuses it and closes."""
    async with connect(server.url("/ours/echo"), proxy=None) as socket:
        await socket.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosedError):
            await socket.recv()
    assert [what for what, _ in followed[0].said] == ["closed"]


async def test_handshake_fails(server: Server, followed: list[Kept]) -> None:
    """Nobody is asked about a socket that never opens."""
    with pytest.raises(Exception, match="HTTP 404"):
        await connect(server.url("/ours/refused"), proxy=None)
    assert observer.asked == []


def test_handshake_fails_sync(server: Server, followed: list[Kept]) -> None:
    """So it is with threads."""
    with pytest.raises(Exception, match="HTTP 404"):
        connect_sync(server.url("/ours/refused"), proxy=None)
    assert observer.asked == []


async def test_connection_of_ones_own(server: Server, followed: list[Kept]) -> None:
    """A subclass with methods of its own is followed, once."""

    class Mine(ClientConnection):
        async def send(self, message: Any, **options: Any) -> None:
            await super().send(message.upper(), **options)

    async with connect(server.url("/ours/echo"), proxy=None, create_connection=Mine) as socket:
        await socket.send("hello")
        assert await socket.recv() == "HELLO"
        assert type(socket) is Mine
    assert followed[0].said == [("sent", "HELLO"), ("received", "HELLO"), ("closed", None)]


def test_connection_of_ones_own_sync(server: Server, followed: list[Kept]) -> None:
    """So it is with threads."""

    class Mine(SyncClientConnection):
        def recv(self, *args: Any, **options: Any) -> Any:
            return super().recv(*args, **options).upper()

    with connect_sync(server.url("/ours/echo"), proxy=None, create_connection=Mine) as socket:
        socket.send("hello")
        assert socket.recv() == "HELLO"
    assert followed[0].said == [("sent", "hello"), ("received", "hello"), ("closed", None)]


def test_threads(server: Server, followed: list[Kept]) -> None:
    """A thread that writes and one that reads: the observer is never told of two things at once."""
    inside = threading.Lock()
    crossed: list[str] = []

    def look(what: str) -> None:
        if not inside.acquire(blocking=False):
            crossed.append(what)
            return
        inside.release()

    with connect_sync(server.url("/ours/echo"), proxy=None) as socket:
        followed[0].act = look

        def write() -> None:
            for number in range(500):
                socket.send(str(number))

        writer = threading.Thread(target=write)
        writer.start()
        read = [socket.recv() for _ in range(500)]
        writer.join()
    numbers = [str(number) for number in range(500)]
    assert read == numbers
    assert crossed == []
    for direction in ("sent", "received"):
        assert [message for what, message in followed[0].said if what == direction] == numbers


async def test_open_before_us(server: Server) -> None:
    """A socket that was open before we came is followed from its first message on."""
    kept = Recorded()
    async with connect(server.url("/ours/echo"), proxy=None) as socket:
        observer.opened.clear()
        with instrumented(kept):
            websocket.matched_by(observer.__name__, ["*"])
            await socket.send("hello")
            await socket.recv()
            assert observer.opened[0].said == [("sent", "hello"), ("received", "hello")]
            assert observer.opened[0].handshake.path == "/ours/echo"


async def test_server_side(server: Server, followed: list[Kept]) -> None:
    """The connections of a server are not ours, even in a process that is also a client."""
    from websockets.asyncio.server import ServerConnection, serve

    async def answer(connection: ServerConnection) -> None:
        await connection.send(await connection.recv())

    async with serve(answer, "127.0.0.1", 0) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/ours/echo", proxy=None) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
    assert len(observer.asked) == 1
    assert followed[0].said == [("sent", "hello"), ("received", "hello"), ("closed", None)]


def test_dropped(server: Server, recorded: Recorded) -> None:
    """A loop that ends with its socket open leaves a socket that is collected: the observer hears of it once."""
    websocket.matched_by(observer.__name__, ["*"])
    observer.opened.clear()

    async def leave_open() -> weakref.ref[Any]:
        socket = await connect(server.url("/ours/echo"), proxy=None, ping_interval=None)
        await socket.send("hello")
        await socket.recv()
        return weakref.ref(socket)

    reference = asyncio.run(leave_open())
    with pytest.warns(ResourceWarning):
        garbage.collect()
    assert reference() is None
    assert recorded.calls == []  # drained
    (kept,) = observer.opened
    assert kept.said == [("sent", "hello"), ("received", "hello"), ("closed", None)]
    observer.opened.clear()
