"""A proxy on loopback for HTTP/1.1 that does to requests what networks and servers do to them.

Only requests that carry records are harmed: OTLP, and ClickHouse's inserts. Each takes the next fault that was planned;
when none is left, all pass.
"""

import asyncio
import contextlib
import enum
import threading
from collections import Counter, deque
from collections.abc import Iterable
from typing import Self
from urllib.parse import urlsplit

DELAY_S = 0.3
_REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Fault(enum.Enum):
    """What happens to a request."""

    PASS = "it is passed on"
    CUT = "the connection ends before the request is passed on"
    DELAY = "it is passed on late"
    REFUSED = "it is answered 503, and not passed on"
    STORED_BUT_CUT = "it is passed on, and the connection ends in place of the answer"
    DUPLICATE = "it is passed on twice"
    HALF = "half of it is passed on, and both connections end"


FAULTS = [fault for fault in Fault if fault is not Fault.PASS]


class CutError(Exception):
    """Either side ended the connection."""


class FaultProxy:
    """Listens on `url` and passes on to `target`; `plan` says what happens, `struck` what did, `taken` what was sent.

    `down` set: whoever connects is cut off at once, as when nobody is there. Requests whose first line has `refused` in
    it are answered 503, those with `held` never.
    """

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.planned: deque[Fault] = deque()
        self.struck: Counter[Fault] = Counter()
        self.taken: list[tuple[bytes, bytes]] = []
        self.down = False
        self.refused: bytes | None = None
        self.held: bytes | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def plan(self, faults: Iterable[Fault]) -> None:
        """Let the next requests meet these."""
        self.planned.extend(faults)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while not self.down:
                head, body = await _read_message(reader, request=True)
                writer.write(await self._answer(head, body))
                await writer.drain()
        except (CutError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        """Return the answer to a request. Raises CutError when there is to be none."""
        fault = Fault.PASS
        line = head.partition(b"\r\n")[0]
        if self.held and self.held in line:
            await asyncio.Event().wait()
        if self.refused and self.refused in line:
            return _REFUSAL
        if _carries_records(head):
            self.taken.append((head, body))
            fault = self.planned.popleft() if self.planned else fault
            self.struck[fault] += 1
        if fault is Fault.CUT or self.down:
            raise CutError
        if fault is Fault.REFUSED:
            return _REFUSAL
        if fault is Fault.HALF:
            await self._forward(head, body[: len(body) // 2], whole=False)
            raise CutError
        if fault is Fault.DELAY:
            await asyncio.sleep(DELAY_S)
        answer = await self._forward(head, body)
        if fault is Fault.DUPLICATE:
            answer = await self._forward(head, body)
        if fault is Fault.STORED_BUT_CUT:
            raise CutError
        return answer

    async def _forward(self, head: bytes, body: bytes, *, whole: bool = True) -> bytes:
        """Send a request to the target on a connection of its own, and return the answer, if it is `whole`."""
        reader, writer = await asyncio.open_connection(self.target.hostname, self.target.port, limit=2**20)
        try:
            writer.write(head + body)
            await writer.drain()
            return b"".join(await _read_message(reader, request=False)) if whole else b""
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _carries_records(head: bytes) -> bool:
    line = head.partition(b"\r\n")[0].lower()
    return line.startswith(b"post ") and (b" /v1/" in line or b"insert" in line)


async def _read_message(reader: asyncio.StreamReader, *, request: bool) -> tuple[bytes, bytes]:
    """Read one request or answer as it is on the wire: its head, and its body with all its framing."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            return head, await _read_chunks(reader)
        if b"content-length" in fields:
            return head, await reader.readexactly(int(fields[b"content-length"]))
        return head, b"" if request else await reader.read()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise CutError from error


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while True:
        size = await reader.readuntil(b"\r\n")
        chunk = await reader.readexactly(int(size.partition(b";")[0], 16) + 2)
        chunks += [size, chunk]
        if chunk == b"\r\n":
            return b"".join(chunks)
