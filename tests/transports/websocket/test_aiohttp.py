"""What only `aiohttp` has: its ways to send and to read, and how it ends."""

import asyncio
import json
import weakref
from typing import Any

import aiohttp
import pytest

from otel_costs.transports import websocket
from tests.support import garbage
from tests.support.recorded import Recorded, instrumented, wait_for_records
from tests.transports.websocket import observer
from tests.transports.websocket.observer import Kept
from tests.transports.websocket.server import Server, answered

pytestmark = pytest.mark.anyio


async def test_ways_to_send_and_read(server: Server, followed: list[Kept]) -> None:
    """JSON, text, bytes and frames are one message each, whichever way they go."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url("/ours/echo")) as socket:
        await socket.send_json({"a": 1})
        assert await socket.receive_json() == {"a": 1}
        await socket.send_str("text")
        assert await socket.receive_str() == "text"
        await socket.send_bytes(memoryview(b"bytes"))  # type: ignore[arg-type]
        assert await socket.receive_bytes() == b"bytes"
        await socket.send_json_bytes({"b": 2}, dumps=lambda value: json.dumps(value).encode())
        assert (await anext(socket)).data == b'{"b": 2}'
        await socket.send_frame(b"frame", aiohttp.WSMsgType.TEXT)
        assert (await socket.receive(timeout=60)).data == "frame"
        await socket.ping()
        await socket.send_frame(b"", aiohttp.WSMsgType.PING)
        with pytest.raises(TypeError):
            await socket.send_str(1)  # type: ignore[arg-type]
    said = ['{"a": 1}', "text", b"bytes", b'{"b": 2}', "frame"]
    both = [(what, message) for message in said for what in ("sent", "received")]
    assert followed[0].said == [*both, ("closed", None)]


async def test_bytes_of_text(server: Server, followed: list[Kept]) -> None:
    """An application that has text as bytes gets bytes, and the observer text; compressed or not."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url("/ours/echo"), decode_text=False, compress=15) as socket,
    ):
        await socket.send_str("grüß dich")
        assert (await socket.receive()).data == "grüß dich".encode()
    assert followed[0].said[1] == ("received", "grüß dich")


async def test_cancelled_with_an_answer_unread(server: Server, followed: list[Kept]) -> None:
    """After a cancelled `receive` the library reads nothing while it closes: what has arrived is told of all the same.

    It says 1006 then, though nothing broke.
    """
    answered.clear()
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url("/ours/late")) as socket:
        reading = asyncio.ensure_future(socket.receive())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await socket.send_str("question")
        await asyncio.to_thread(answered.wait)
        await asyncio.to_thread(lambda: None)  # by now the loop has the answer
        await socket.close()
        assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
    assert followed[0].said[-2:] == [("received", "answer"), ("closed", None)]


async def test_timeout(server: Server, followed: list[Kept]) -> None:
    """A `receive` that times out ends nothing."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url("/ours/echo")) as socket:
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.001)
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello"
    assert followed[0].said == [("sent", "hello"), ("received", "hello"), ("closed", None)]


async def test_closed_by_another_task(server: Server, followed: list[Kept]) -> None:
    """A task that closes while another reads: both end as ever, and the observer hears of it once, last."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url("/ours/greet")) as socket:
        heard = asyncio.Event()
        read = []

        async def listen() -> None:
            async for message in socket:
                read.append(message.data)
                if len(read) == 3:
                    heard.set()

        listening = asyncio.ensure_future(listen())
        await heard.wait()
        assert await socket.close() is True
        await listening
        assert await socket.close() is False
    assert read == ["first", "second", "third"]
    assert followed[0].said == [*[("received", text) for text in read], ("closed", None)]


async def test_open_before_us(server: Server) -> None:
    """A socket that was open before we came is followed from its first message on."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.url("/ours/echo?a=b")) as socket:
        observer.opened.clear()
        with instrumented(Recorded()):
            websocket.matched_by(observer.__name__, ["*"])
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
            (kept,) = observer.opened
            assert kept.said == [("sent", "hello"), ("received", "hello")]
            assert kept.handshake.query == "a=b"
        await socket.send_str("without us")
        assert await socket.receive_str() == "without us"
        assert kept.said[2:] == [("closed", None)]


async def test_class_of_ones_own(server: Server, followed: list[Kept]) -> None:
    """A subclass with methods of its own is followed, once."""

    class Mine(aiohttp.ClientWebSocketResponse):
        async def receive(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109
            return await super().receive(timeout)

    async with (
        aiohttp.ClientSession(ws_response_class=Mine) as session,
        session.ws_connect(server.url("/ours/echo")) as socket,
    ):
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello"
        assert type(socket) is Mine
    assert followed[0].said == [("sent", "hello"), ("received", "hello"), ("closed", None)]


async def test_dropped(server: Server, followed: list[Kept]) -> None:
    """A socket that is dropped is collected, and the observer hears of it once."""
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(server.url("/ours/echo"))
        await socket.send_str("hello")
        reference = weakref.ref(socket)
        del socket
        garbage.collect()
        assert reference() is None
    wait_for_records()
    assert followed[0].said == [("sent", "hello"), ("closed", None)]
