"""The clients of `websockets`, asyncio and threading, since 13: observed before the application reads what arrives.

Both put every frame through `process_event`, whichever way the application reads, and also frames that it never reads:
an answer that arrives while the application closes is billed as well.
"""

import importlib
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from typing import Any, Final

from otel_costs.runtime import telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.transports.websocket import watch
from otel_costs.transports.websocket.matching import Handshake
from otel_costs.transports.websocket.watch import MARK, Assembly, Watch

_CONTEXT: Final = "_otel_costs_context"  # of a connection that is opening: the context that opens it
_TEXT: Final = 1  # opcodes of RFC 6455
_BINARY: Final = 2


def install(patches: Patches) -> None:
    """Hook the kind of client that is imported, or both."""
    for kind, sending, closing in (
        ("asyncio", _sending_async, "connection_lost"),
        ("sync", _sending, "close_socket"),
    ):
        client = f"websockets.{kind}.client"
        if client in sys.modules:
            connection = f"websockets.{kind}.connection"
            patches.wrap(client, "ClientConnection.handshake", _handshake)
            patches.wrap(client, "ClientConnection.process_event", _process_event)
            patches.wrap(connection, "Connection.send", _wrapper_of_send(client, sending))
            patches.wrap(connection, f"Connection.{closing}", _close)


def _handshake(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # What answers it, and the first messages with it, may be read in a thread of the library, whose context is empty.
    vars(connection)[_CONTEXT] = copy_context()
    return wrapped(*args, **kwargs)


def _process_event(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        found = vars(connection)[MARK]
    except KeyError:
        found = _opened(connection)
    if found is not None and args:
        _arrived(found, args[0])
    return wrapped(*args, **kwargs)


def _close(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return wrapped(*args, **kwargs)
    finally:
        _closed(connection)


def _wrapper_of_send(client: str, sending: Callable[..., Any]) -> Callable[..., Any]:
    """Return what wraps `send` of a class that the connections of servers have, too."""
    client_connection = importlib.import_module(client).ClientConnection

    def send(wrapped: Any, connection: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            found = vars(connection)[MARK]
        except KeyError:
            vars(connection)[MARK] = found = None  # a server's
            if isinstance(connection, client_connection):
                found = _opened(connection)
        if found is None or not args:
            return wrapped(*args, **kwargs)
        return sending(wrapped, found, args, kwargs)

    return send


async def _sending_async(wrapped: Any, found: Watch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await wrapped(observe_sent(found, args[0], kwargs.get("text")), *args[1:], **kwargs)


def _sending(wrapped: Any, found: Watch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return wrapped(observe_sent(found, args[0], kwargs.get("text")), *args[1:], **kwargs)


@telemetry.never_raises("see a socket open")
def _opened(connection: Any) -> Watch | None:
    """Find the observer of a connection, if it is open: after its handshake, or now, if it opened before us."""
    protocol = connection.protocol
    if connection.request is None or protocol.handshake_exc is not None:
        return None
    context: Context | None = vars(connection).pop(_CONTEXT, None)

    def handshake() -> Handshake:
        uri = getattr(protocol, "uri", None) or protocol.wsuri  # until 14
        path, _, query = connection.request.path.partition("?")
        headers = {name.lower(): value for name, value in connection.request.headers.raw_items()}
        return Handshake(uri.host.lower(), uri.port, path, query, headers)

    return watch.open_for(connection, handshake, context)


@telemetry.never_raises("read a frame")
def _arrived(found: Watch, event: Any) -> None:
    """Pass on the message that a frame completes. The answer to a handshake is no frame, and has no opcode."""
    opcode = getattr(event, "opcode", None)
    if opcode is None or opcode > _BINARY:
        return
    if opcode and event.fin:
        message = watch.as_message(event.data, is_text=opcode == _TEXT)
    else:
        if opcode:
            found.arriving.reset(is_text=opcode == _TEXT)
        found.arriving.add(bytes(event.data))
        message = found.arriving.take() if event.fin else None
    if message is not None:
        found.received(message)


@telemetry.never_raises("see a socket close")
def _closed(connection: Any) -> None:
    vars(connection).pop(_CONTEXT, None)
    found = vars(connection).get(MARK)
    if found is not None:
        found.end(connection.protocol.close_code)


def observe_sent(found: Watch, message: Any, text: bool | None = None) -> Any:
    """Observe a message before it is sent, and return what to send: fragments are observed as they are sent.

    `text` is the argument of `send`: None leaves it to the type of the message. A message in fragments is observed
    before its last one; `BudgetExceeded` leaves it incomplete, and the library closes the connection.
    """
    if isinstance(message, str):
        found.sent(message.encode() if text is False else message)
    elif isinstance(message, bytes | bytearray | memoryview):
        if (payload := watch.as_message(message, is_text=text is True)) is not None:
            found.sent(payload)
    elif isinstance(message, Mapping):
        pass  # the library refuses it
    elif isinstance(message, Iterable):
        return _fragments(found, message, text)
    elif isinstance(message, AsyncIterable):
        return _fragments_async(found, message, text)
    return message


def _fragments(found: Watch, message: Iterable[Any], text: bool | None) -> Iterator[Any]:
    assembly = Assembly()
    for part in message:
        _add(assembly, part, text)
        yield part
    if (payload := assembly.take()) is not None:
        found.sent(payload)


async def _fragments_async(found: Watch, message: AsyncIterable[Any], text: bool | None) -> AsyncIterator[Any]:
    assembly = Assembly()
    async for part in message:
        _add(assembly, part, text)
        yield part
    if (payload := assembly.take()) is not None:
        found.sent(payload)


@telemetry.never_raises("put a message together")
def _add(assembly: Assembly, part: Any, text: bool | None) -> None:
    assembly.is_text = isinstance(part, str) if text is None else text
    assembly.add(part.encode() if isinstance(part, str) else bytes(part))
