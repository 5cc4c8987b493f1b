"""One client's connection: HTTP/1.1 with kept-alive connections, and every way to break it."""

import contextlib
import gzip
import http.client
import socket
import time
import zlib
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from otel_costs.stand_in import fault as faults
from otel_costs.stand_in import sockets
from otel_costs.stand_in.exchange import Answer, Event, RefusedError, dumps, error_body, new_id

if TYPE_CHECKING:
    from otel_costs.stand_in.provider import Provider


class ConnectionCutError(Exception):
    """The connection ends here, on purpose."""


class Connection(BaseHTTPRequestHandler):
    """Reads requests, hands them to the provider and writes its answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    provider: "Provider"

    def log_message(self, *args: object) -> None:
        """Write nothing: what came is in `Provider.requests`."""

    def setup(self) -> None:
        super().setup()
        self.provider.connections.add(self.connection)

    def finish(self) -> None:
        self.provider.connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        self._serve()

    do_GET = do_DELETE = do_PUT = do_PATCH = do_POST  # noqa: N815

    def _serve(self) -> None:
        began = time.perf_counter()
        if sockets.wanted(self):
            self._serve_socket(began)
            return
        # A proxy is asked for an absolute URL: then the host is in it, too.
        answer, fault = self.provider.answer(
            self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, self._read_body()
        )
        try:
            self._write(answer, fault, began)
        except ConnectionCutError:
            self._end()
        except (BrokenPipeError, ConnectionResetError):
            self.provider.abandoned += 1
            self.close_connection = True

    def _serve_socket(self, began: float) -> None:
        """Speak on a WebSocket, or refuse to as HTTP does."""
        request = self.provider.asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, b"")
        try:
            sockets.serve(self, request)
        except RefusedError as refused:
            body = dumps(error_body(refused.status, str(refused), param=refused.param, code=refused.code))
            self._write_whole(Answer({}, status=refused.status), body, faults.NOTHING, began)
        except OSError:
            self.provider.abandoned += 1

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _write(self, answer: Answer, fault: faults.Fault, began: float) -> None:
        if fault.gate and not fault.gate_events:
            self.provider.wait(fault.gate)
        if fault.cut is not None and fault.cut < 0:
            raise ConnectionCutError
        if fault.status is not None:
            error = (
                fault.error if fault.error is not None else error_body(fault.status, "The stand-in was told to fail.")
            )
            answer = Answer(error, status=fault.status)
        elif isinstance(answer.body, dict):
            answer = Answer(fault.changed(answer.body), answer.status, answer.content_type, answer.headers)
        if isinstance(answer.body, Iterator):
            self._write_stream(answer, answer.body, fault, began)
        else:
            self._write_whole(
                answer, answer.body if isinstance(answer.body, bytes) else dumps(answer.body), fault, began
            )

    def _write_whole(self, answer: Answer, body: bytes, fault: faults.Fault, began: float) -> None:
        if fault.gzip:
            body = gzip.compress(body, mtime=0)
        head = self._head(answer, fault, began, f"Content-Length: {len(body)}", "application/json")
        if fault.piece is None and fault.cut is None:
            self.wfile.write(head + body)
            return
        self.wfile.write(head)
        sent = body if fault.cut is None else body[: fault.cut]
        for start in range(0, len(sent), fault.piece or len(sent) or 1):
            self.wfile.write(sent[start : start + (fault.piece or len(sent))])
        if fault.cut is not None:
            raise ConnectionCutError

    def _write_stream(self, answer: Answer, events: Iterator[Event | bytes], fault: faults.Fault, began: float) -> None:
        self.wfile.write(
            self._head(answer, fault, began, "Transfer-Encoding: chunked", "text/event-stream; charset=utf-8")
        )
        sent = 0
        for piece in _compressed(_pieces(self._encoded(events, fault), fault.piece), fault.gzip):
            part = piece if fault.cut is None else piece[: fault.cut - sent]
            if part:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            sent += len(part)
            if fault.cut is not None and sent >= fault.cut:
                raise ConnectionCutError
        if fault.cut_events is not None:
            raise ConnectionCutError
        self.wfile.write(b"0\r\n\r\n")

    def _encoded(self, events: Iterator[Event | bytes], fault: faults.Fault) -> Iterator[bytes]:
        for number, event in enumerate(events):
            if fault.gate and fault.gate_events and number == fault.gate_events:
                self.provider.wait(fault.gate)
            if number == fault.cut_events:
                return
            if number == fault.error_event:
                body = error_body(500, "The server had an error while processing your request. Sorry about that!")
                yield Event(body, "error").encode()
                return
            yield Event(fault.changed(event.data), event.name).encode() if isinstance(event, Event) else event

    def _head(self, answer: Answer, fault: faults.Fault, began: float, length: str, content_type: str) -> bytes:
        lines = {
            "content-type": answer.content_type or content_type,
            "x-request-id": new_id("req_"),
            "openai-organization": "stand-in",
            "openai-processing-ms": str(round((time.perf_counter() - began) * 1000)),
            "openai-version": "2020-10-01",
            **answer.headers,
            **fault.headers,
        }
        if fault.gzip:
            lines["content-encoding"] = "gzip"
        status = f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, 'Unknown')}"
        text = [status, length, *(f"{name}: {value}" for name, value in lines.items()), "", ""]
        return "\r\n".join(text).encode("latin-1")

    def _end(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client may be first
            self.connection.shutdown(socket.SHUT_RDWR)


def _pieces(parts: Iterable[bytes], size: int | None) -> Iterator[bytes]:
    if size is None:
        yield from parts
        return
    buffer = b""
    for part in parts:
        buffer += part
        while len(buffer) >= size:
            yield buffer[:size]
            buffer = buffer[size:]
    if buffer:
        yield buffer


def _compressed(parts: Iterable[bytes], wanted: bool) -> Iterator[bytes]:
    if not wanted:
        yield from parts
        return
    packer = zlib.compressobj(wbits=31)
    for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
