"""A WebSocket server that does what the path says: the last part of it names a behaviour."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, Self

from websockets.asyncio.server import ServerConnection, serve

Behaviour = Callable[[ServerConnection], Awaitable[None]]


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


async def greet(socket: ServerConnection) -> None:
    """Say something before the client has said anything: it may arrive together with the handshake."""
    await tell(socket)
    await socket.wait_closed()


async def tell(socket: ServerConnection) -> None:
    """Say something, and that was all."""
    for text in ("first", "second", "third"):
        await socket.send(text)


async def drop(socket: ServerConnection) -> None:
    await socket.recv()
    socket.transport.abort()


async def fail(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.close(1011, "broken")


async def leave(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.close()


async def fragments(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.send(["grü", "ß", " dich"])
    await socket.send([b"\x00", b"\xff"])
    await socket.send("whole")
    await socket.wait_closed()


answered = threading.Event()
"""Set when `late` has sent its answer."""


async def late(socket: ServerConnection) -> None:
    """Answer what the client does not wait for."""
    await socket.recv()
    await socket.send("answer")
    answered.set()
    await socket.wait_closed()


BEHAVIOURS: dict[str, Behaviour] = {
    each.__name__: each for each in (echo, greet, tell, drop, fail, leave, fragments, late)
}


def _refuse(socket: ServerConnection, request: Any) -> Any:
    known = request.path.partition("?")[0].rpartition("/")[2] in BEHAVIOURS
    return None if known else socket.respond(404, "no such behaviour")


class Server:
    """The server, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._port: Future[int] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._port.result()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with serve(self._handle, "127.0.0.1", 0, max_size=None, process_request=_refuse) as server:
            self._port.set_result(next(iter(server.sockets)).getsockname()[1])
            await self._stop.wait()

    async def _handle(self, socket: ServerConnection) -> Any:
        assert socket.request
        path = socket.request.path.partition("?")[0]
        await BEHAVIOURS[path.rpartition("/")[2]](socket)
