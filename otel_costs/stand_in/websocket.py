"""A WebSocket on a connection that came as HTTP: the upgrade, and whole messages in both directions.

Needs the library `websockets`, of which it takes the protocol alone; without it an upgrade is refused.
"""

import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from otel_costs.stand_in.exchange import Json, dumps

if TYPE_CHECKING:
    from otel_costs.stand_in.connection import Connection

_MAX_SIZE = 16 << 20  # bytes of a message


def wanted(connection: "Connection") -> bool:
    """Return whether the request asks for a WebSocket."""
    return connection.headers.get("Upgrade", "").lower() == "websocket"


class Socket:
    """A WebSocket with one client; messages may be sent from any thread, and are read by one."""

    def __init__(self, connection: "Connection") -> None:
        from websockets.server import ServerProtocol  # noqa: PLC0415  # an extra of ours

        self._connection = connection
        self._raw: socket.socket = connection.connection
        self._lock = threading.Lock()
        self._protocol: Any = ServerProtocol(max_size=_MAX_SIZE)
        self._protocol.receive_data(_as_sent(connection))
        request: Any = self._protocol.events_received()[0]
        self._protocol.send_response(self._protocol.accept(request))
        self._flush()

    def __iter__(self) -> Iterator[str | bytes]:
        """Yield messages until the client has closed, or is gone."""
        from websockets.frames import Opcode  # noqa: PLC0415  # an extra of ours

        parts: list[bytes] = []
        text = True
        while data := self._read():
            with self._lock:
                self._protocol.receive_data(data)
                frames = self._protocol.events_received()
                self._flush()
            for frame in frames:
                if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                    continue
                text = frame.opcode is Opcode.TEXT if frame.opcode is not Opcode.CONT else text
                parts.append(bytes(frame.data))
                if frame.fin:
                    whole, parts = b"".join(parts), []
                    yield whole.decode() if text else whole

    def send(self, message: str | bytes | Json) -> None:
        """Send a message: JSON as text, bytes as they are. A client that is gone gets nothing."""
        with self._lock:
            if self._protocol.close_expected():
                return
            if isinstance(message, bytes):
                self._protocol.send_binary(message)
            else:
                self._protocol.send_text(message.encode() if isinstance(message, str) else dumps(message))
            self._flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close, as a server that is done does."""
        with self._lock:
            if not self._protocol.close_expected():
                self._protocol.send_close(code, reason)
                self._flush()

    def drop(self) -> None:
        """Cut the connection without a word."""
        try:
            self._raw.shutdown(socket.SHUT_RDWR)
        except OSError:  # the client was first
            return

    def _read(self) -> bytes:
        try:
            return self._connection.rfile.read1(65_536)
        except OSError:
            return b""

    def _flush(self) -> None:
        try:
            for data in self._protocol.data_to_send():
                if data:
                    self._raw.sendall(data)
                else:
                    self._raw.shutdown(socket.SHUT_WR)
        except OSError:
            return


def _as_sent(connection: "Connection") -> bytes:
    """Return the request as the client wrote it: its head was read as HTTP already."""
    lines = [connection.requestline, *(f"{name}: {value}" for name, value in connection.headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")
