"""What is added to a frame of a WebSocket: of one that nobody follows, and of a Realtime session's audio.

Connections of the real libraries are given frames and a network that takes everything, so that nothing but their own
work is in the time; blocks with and without us take turns. A frame of audio is an event with 8 KB of it. The bars are
5 us for a socket that nobody follows and 30 us for audio that is ours to count.

Memory is that of a process with a real connection, after 2,000 and after 20,000 events of audio each way.
"""

import argparse
import asyncio
import base64
import json
import logging
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_costs import CostsInstrumentor

AUDIO = base64.b64encode(os.urandom(8192)).decode()
APPEND = json.dumps({"type": "input_audio_buffer.append", "audio": AUDIO})
ABOUT = {"event_id": "event_1", "response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
DELTA = json.dumps({"type": "response.output_audio.delta", **ABOUT, "delta": AUDIO})
OPENING = [
    {"type": "session.created", "session": {"id": "sess_1", "type": "realtime", "model": "gpt-realtime"}},
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "response_id": "resp_1", "item": {"id": "item_1", "type": "message"}},
]
PATHS = {"nobody's": "/v1/other", "ours": "/v1/realtime?model=gpt-realtime"}

BLOCKS = 60
FRAMES = 100  # of a block
EVENTS = 20_000

Step = Callable[[str], Awaitable[None]]
"""Gives a connection one text, or takes one from it."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    os.environ["OTEL_COSTS_PROVIDERS"] = "127.0.0.1=openai"
    logging.getLogger("otel_costs").setLevel(logging.ERROR)  # nothing takes the ledger
    if options.serve:
        asyncio.run(_serve())
    elif options.memory:
        print(json.dumps(asyncio.run(_memory())))
    else:
        asyncio.run(_times())
        ran = subprocess.run([sys.executable, "-m", __spec__.name, "--memory"], capture_output=True, check=True)
        early, late = json.loads(ran.stdout)
        print(f"\nPeak memory after {EVENTS // 10:,} events each way {early / 1024:.1f} MB, after {EVENTS:,} "
              f"{late / 1024:.1f} MB")  # fmt: skip


async def _times() -> None:
    """Print what a frame costs without us, and what is added to it."""
    CostsInstrumentor().instrument(tracer_provider=TracerProvider(), logger_provider=LoggerProvider())
    print("| library | frame | without us, us | nobody's adds, us | ours adds, us | json.loads, us |")
    print("|---|---|---|---|---|---|")
    for library, make in (("asyncio", _asyncio), ("sync", _sync), ("aiohttp", _aiohttp)):
        connections = {path_name: make(path) for path_name, path in PATHS.items()}
        for _, get, _ in connections.values():
            for event in OPENING:
                await get(json.dumps(event))
        for direction, text in (("received", DELTA), ("sent", APPEND)):
            plain, *added = await _compared(connections, direction, text)
            name = "websockets, " + library if library != "aiohttp" else library
            parsed = _parsing_us(text)
            print(
                f"| {name} | {direction} | {plain:.1f} | {added[0]:.2f} | {added[1]:.1f} | {parsed:.0f} |", flush=True
            )


async def _compared(connections: dict[str, Any], direction: str, text: str) -> list[float]:
    """Return the time of one frame without us, and what is added to nobody's and to ours."""
    spent: dict[tuple[str, bool], list[float]] = {(path_name, us): [] for path_name in PATHS for us in (False, True)}
    for _ in range(BLOCKS):
        for (path_name, us), times in spent.items():
            send, get, hooked = connections[path_name]
            hooked(us)
            step = get if direction == "received" else send
            begin = time.thread_time_ns()
            for _ in range(FRAMES):
                await step(text)
            times.append((time.thread_time_ns() - begin) / FRAMES / 1000)
            hooked(True)
    median = {key: statistics.median(each) for key, each in spent.items()}
    without = statistics.mean(median[path_name, False] for path_name in PATHS)
    return [without, *(median[path_name, True] - median[path_name, False] for path_name in PATHS)]


def _parsing_us(text: str) -> float:
    begin = time.thread_time_ns()
    for _ in range(FRAMES):
        json.loads(text)
    return (time.thread_time_ns() - begin) / FRAMES / 1000


class _Methods:
    """The methods of a connection with and without our wrappers."""

    def __init__(self, connection: Any, *names: str) -> None:
        kind = type(connection)
        self._connection = connection
        self._originals = {name: getattr(kind, name).__wrapped__ for name in names}

    def hooked(self, us: bool) -> None:
        """Have the connection's methods hooked or not; where they are not, an attribute of its own is in front."""
        for name, original in self._originals.items():
            vars(self._connection).pop(name, None)
            if not us:
                setattr(self._connection, name, original.__get__(self._connection))


class _Network:
    """A transport and a socket that takes everything."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_args, **_options: None

    def is_closing(self) -> bool:
        return False


def _asyncio(path: str) -> tuple[Step, Step, Callable[[bool], None]]:
    from websockets.asyncio.client import ClientConnection
    from websockets.frames import Frame, Opcode

    connection = ClientConnection(_protocol(path), max_queue=None)
    connection.connection_made(_Network())  # type: ignore[arg-type]
    _open(connection)

    async def get(text: str) -> None:
        connection.process_event(Frame(Opcode.TEXT, text.encode()))
        connection.recv_messages.frames.queue.clear()

    async def send(text: str) -> None:
        await connection.send(text)

    return send, get, _Methods(connection, "send", "process_event").hooked


def _sync(path: str) -> tuple[Step, Step, Callable[[bool], None]]:
    from websockets.frames import Frame, Opcode
    from websockets.sync.client import ClientConnection

    mine, far = socket.socketpair()
    connection = ClientConnection(mine, _protocol(path), max_queue=None)
    connection.pending_legacy_warning = False
    threading.Thread(target=_drain, args=(far,), daemon=True).start()
    _open(connection)

    async def get(text: str) -> None:
        connection.process_event(Frame(Opcode.TEXT, text.encode()))
        connection.recv_messages.frames.get()

    async def send(text: str) -> None:
        connection.send(text)

    return send, get, _Methods(connection, "send", "process_event").hooked


def _drain(far: socket.socket) -> None:
    while far.recv(2**16):
        pass


def _protocol(path: str) -> Any:
    from websockets.client import ClientProtocol
    from websockets.uri import parse_uri

    return ClientProtocol(parse_uri(f"ws://127.0.0.1{path}"))


def _open(connection: Any) -> None:
    from websockets.protocol import State

    connection.request = connection.protocol.connect()
    connection.response = object()
    connection.protocol.state = State.OPEN


def _aiohttp(path: str) -> tuple[Step, Step, Callable[[bool], None]]:
    from types import SimpleNamespace

    from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType
    from aiohttp._websocket.reader import WebSocketDataQueue
    from aiohttp.client_ws import DEFAULT_WS_CLIENT_TIMEOUT
    from aiohttp.http_websocket import WebSocketWriter
    from yarl import URL

    loop = asyncio.get_running_loop()
    protocol = SimpleNamespace(_reading_paused=False, _drain_helper=None)
    reader = WebSocketDataQueue(protocol, 2**16, loop=loop)  # type: ignore[arg-type]
    writer = WebSocketWriter(protocol, _Network(), use_mask=True, limit=2**40)  # type: ignore[arg-type]
    request = SimpleNamespace(url=URL(f"http://127.0.0.1{path}"), headers={})
    response: Any = SimpleNamespace(connection=None, request_info=request)
    connection: Any = ClientWebSocketResponse(
        reader, writer, None, response, DEFAULT_WS_CLIENT_TIMEOUT, True, True, loop
    )
    ours = connection._reader
    methods = _Methods(connection, "send_str", "receive")

    async def get(text: str) -> None:
        reader.feed_data(WSMessage(WSMsgType.TEXT, text, ""), len(text))
        await connection.receive()

    def hooked(us: bool) -> None:
        methods.hooked(us)
        connection._reader = ours if us else reader

    async def send(text: str) -> None:
        await connection.send_str(text)

    return send, get, hooked


async def _serve() -> None:
    """Send events of audio, and take as many, in a process of its own."""
    from websockets.asyncio.server import ServerConnection, serve

    async def talk(connection: ServerConnection) -> None:
        for event in OPENING:
            await connection.send(json.dumps(event))
        async for _ in connection:
            await connection.send(DELTA)

    async with serve(talk, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


async def _memory() -> tuple[int, int]:
    """Return the peak of this process in KB after a tenth of the events, and after all."""
    from websockets.asyncio.client import connect

    CostsInstrumentor().instrument(tracer_provider=TracerProvider(), logger_provider=LoggerProvider())
    serving = [sys.executable, "-m", __spec__.name, "--serve"]
    with subprocess.Popen(serving, stdout=subprocess.PIPE) as server:  # noqa: ASYNC220
        assert server.stdout
        port = int(server.stdout.readline())
        early = 0
        async with connect(f"ws://127.0.0.1:{port}{PATHS['ours']}", proxy=None, compression=None) as connection:
            for _ in OPENING:
                await connection.recv()
            for number in range(EVENTS):
                if number == EVENTS // 10:
                    early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                await connection.send(APPEND)
                await connection.recv()
        server.kill()
    assert threading.active_count() < 8
    return early, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
