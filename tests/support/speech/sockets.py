"""A server of WebSockets on loopback that plays a vendor's part, and what was sent to it."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

Part = Callable[["SocketService", ServerConnection], None]
"""What the server does on one connection; at its end the connection is closed."""


class SocketService:
    """A stand-in whose `part` is played on every connection."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.paths: list[str] = []
        self.frames: list[str | bytes] = []
        self.errors: list[BaseException] = []
        self._server = serve(self._play, "127.0.0.1", 0, max_size=None)
        self.port: int = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self.http_url = f"http://127.0.0.1:{self.port}"

    def take(self, connection: ServerConnection) -> Any:
        """Return the next message of the client."""
        frame = connection.recv(timeout=30)
        self.frames.append(frame)
        return frame

    def _play(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        try:
            self.part(self, connection)
        except ConnectionClosed:
            pass
        except BaseException as error:
            self.errors.append(error)
            raise

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        assert self.errors == []


def break_off(connection: ServerConnection) -> None:
    """Break the connection without a word."""
    connection.socket.shutdown(2)
