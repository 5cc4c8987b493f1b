"""The client of `aiohttp`: observed as messages are read, by the application or, while it closes, by the library.

Its parser is compiled and cannot be followed, but whatever is read comes through the connection's own reader.
"""

import asyncio
import sys
from typing import Any, Final

from otel_costs.runtime import telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.transports.websocket import watch
from otel_costs.transports.websocket.matching import Handshake
from otel_costs.transports.websocket.watch import MARK, Watch

_MODULE: Final = "aiohttp.client_ws"
_TEXT: Final = 1  # WSMsgType
_BINARY: Final = 2
_BROKEN: Final = 1006  # a close code
_REST_LIMIT: Final = 10_000


def install(patches: Patches) -> None:
    """Hook the client's connection."""
    wrappers = {"__init__": _init, "receive": _receive, "close": _close, "send_str": _send, "send_bytes": _send}
    if hasattr(sys.modules[_MODULE].ClientWebSocketResponse, "send_frame"):  # since 3.11
        wrappers["send_frame"] = _send_frame
    for method, wrapper in wrappers.items():
        patches.wrap(_MODULE, f"ClientWebSocketResponse.{method}", wrapper)


class _Reader:
    """The reader of a connection, which tells of each message that is read from it."""

    def __init__(self, reader: Any, found: Watch) -> None:
        self._reader, self._watch = reader, found
        self._broke = False
        self.closing = False
        """Whether the connection is being closed, and what is left is read."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def read(self) -> Any:
        try:
            message = await self._reader.read()
        except (asyncio.CancelledError, TimeoutError):
            raise
        except Exception:
            self._broke = True
            raise
        if not self._watch.ended:
            _arrived(self._watch, message)
        return message

    @telemetry.never_raises("see a socket close")
    def end(self, connection: Any) -> None:
        """Observe what has arrived and will not be read any more, and the end."""
        if not self._watch.ended:
            self._observe_rest()
            # After a `receive` that was cancelled, or timed out, the close code stays 1006 for ever.
            whole = connection.close_code == _BROKEN and not self._broke and connection.exception() is None
            self._watch.end(None if whole else connection.close_code)

    def _observe_rest(self) -> None:
        for _ in range(_REST_LIMIT):
            reading = self._reader.read()
            try:
                reading.send(None)
            except StopIteration as stop:
                _arrived(self._watch, stop.value)
            except Exception:  # noqa: BLE001  how the connection broke
                return
            else:
                reading.close()  # it would wait
                return


def _init(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = wrapped(*args, **kwargs)
    _opened(connection)
    return result


def _receive(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = _watch_of(connection)
    return wrapped(*args, **kwargs) if found is None else _receiving(wrapped, connection, args, kwargs)


async def _receiving(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    reader: _Reader = connection._reader
    try:
        return await wrapped(*args, **kwargs)
    finally:
        # Another task that closes still reads what is left, and sees the end itself.
        if connection.closed and not reader.closing:
            reader.end(connection)


def _close(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = _watch_of(connection)
    return wrapped(*args, **kwargs) if found is None else _closing(wrapped, connection, args, kwargs)


async def _closing(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    reader: _Reader = connection._reader
    if connection.closed:  # it is being closed already, or is
        return await wrapped(*args, **kwargs)
    reader.closing = True
    try:
        return await wrapped(*args, **kwargs)
    finally:
        reader.closing = False
        if connection.closed:
            reader.end(connection)


def _send(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = _watch_of(connection)
    if found is None:
        return wrapped(*args, **kwargs)
    return _sending(wrapped, found, args[0] if args else kwargs.get("data"), args, kwargs)


def _send_frame(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = _watch_of(connection)
    if found is None:
        return wrapped(*args, **kwargs)
    message, opcode = (*args, kwargs.get("message"), kwargs.get("opcode"))[:2]
    if opcode not in (_TEXT, _BINARY):
        return wrapped(*args, **kwargs)
    return _sending(wrapped, found, watch.as_message(message, is_text=opcode == _TEXT), args, kwargs)


async def _sending(wrapped: Any, found: Watch, message: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if isinstance(message, bytearray | memoryview):
        message = bytes(message)
    if isinstance(message, str | bytes):
        found.sent(message)
    return await wrapped(*args, **kwargs)


def _watch_of(connection: Any) -> Watch | None:
    try:
        found: Watch | None = vars(connection)[MARK]
    except KeyError:  # it opened before us
        return _opened(connection)
    return found


@telemetry.never_raises("see a socket open")
def _opened(connection: Any) -> Watch | None:
    """Find the observer of a connection, and have its reader pass on what is read."""

    def handshake() -> Handshake:
        request = connection._response.request_info
        url, headers = request.url, {name.lower(): value for name, value in request.headers.items()}
        return Handshake((url.host or "").lower(), url.port or 0, url.raw_path, url.raw_query_string, headers)

    found = watch.open_for(connection, handshake)
    if found is not None:
        connection._reader = _Reader(connection._reader, found)
    return found


@telemetry.never_raises("read a message")
def _arrived(found: Watch, read: Any) -> None:
    if read.type in (_TEXT, _BINARY):
        is_text = read.type == _TEXT and not isinstance(read.data, str)
        message = read.data if isinstance(read.data, str) else watch.as_message(read.data, is_text=is_text)
        if message is not None:
            found.received(message)
