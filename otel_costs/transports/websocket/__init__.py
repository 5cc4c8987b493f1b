"""WebSockets of the application: each gets an observer when it opens, which reads every message until it ends.

The hooks of a library (one module each) make a `Handshake` of a socket that has opened, ask for its observer, and pass
each message to it. A socket has one observer at most, whatever stands on top of it: nothing counts twice.
"""

from typing import Final

from otel_costs.transports.websocket import matching
from otel_costs.transports.websocket.matching import Handshake, Observer, matched_by, observe

__all__ = ["LIBRARIES", "Handshake", "Observer", "forget", "matched_by", "observe"]

LIBRARIES: Final[tuple[tuple[str, str], ...]] = (
    ("aiohttp.client_ws", "otel_costs.transports.websocket.aiohttp"),
    ("websockets.asyncio.client", "otel_costs.transports.websocket.websockets"),
    ("websockets.legacy.client", "otel_costs.transports.websocket.websockets_legacy"),
    ("websockets.sync.client", "otel_costs.transports.websocket.websockets"),
)
"""Module of a library, and the module of ours that hooks it: it has `install(patches)`."""


def forget() -> None:
    """Forget all matchers of sockets."""
    matching.clear()
