"""The first asyncio client of `websockets`, which some SDKs still prefer: observed whichever way a message is read.

Sockets that opened before us are not followed.
"""

from contextvars import copy_context
from typing import Any

from otel_costs.runtime import telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.transports.websocket import watch
from otel_costs.transports.websocket.matching import Handshake
from otel_costs.transports.websocket.watch import MARK, Watch
from otel_costs.transports.websocket.websockets import observe_sent


def install(patches: Patches) -> None:
    patches.wrap("websockets.legacy.client", "WebSocketClientProtocol.handshake", _handshake)
    for method, wrapper in (("read_message", _read_message), ("send", _send), ("close_connection", _close_connection)):
        patches.wrap("websockets.legacy.protocol", f"WebSocketCommonProtocol.{method}", wrapper)


async def _handshake(wrapped: Any, protocol: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = await wrapped(*args, **kwargs)
    _opened(protocol, args[0] if args else kwargs["wsuri"])
    return result


def _read_message(wrapped: Any, protocol: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = vars(protocol).get(MARK)
    return wrapped(*args, **kwargs) if found is None else _reading(wrapped, found, args, kwargs)


async def _reading(wrapped: Any, found: Watch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    message = await wrapped(*args, **kwargs)
    if message is not None:
        found.received(message)
    return message


def _send(wrapped: Any, protocol: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    found = vars(protocol).get(MARK)
    return wrapped(*args, **kwargs) if found is None or not args else _sending(wrapped, found, args, kwargs)


async def _sending(wrapped: Any, found: Watch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await wrapped(observe_sent(found, args[0]), *args[1:], **kwargs)


async def _close_connection(wrapped: Any, protocol: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    # The task that ends when nothing is left to read, not `connection_lost`, which comes while messages are buffered.
    try:
        return await wrapped(*args, **kwargs)
    finally:
        found = vars(protocol).get(MARK)
        if found is not None:
            found.end(protocol.close_code)


@telemetry.never_raises("see a socket open")
def _opened(protocol: Any, uri: Any) -> None:
    def handshake() -> Handshake:
        path, _, query = protocol.path.partition("?")
        headers = {name.lower(): value for name, value in protocol.request_headers.raw_items()}
        return Handshake(uri.host.lower(), uri.port, path, query, headers)

    watch.open_for(protocol, handshake, copy_context())
