"""An observer that keeps what it is told, and matches the sockets whose path begins with `/ours`."""

import contextvars
from collections.abc import Callable

from otel_costs.transports.websocket import Handshake

whose: contextvars.ContextVar[str] = contextvars.ContextVar("whose", default="nobody's")


class Kept:
    """An observer: `told` has `(what, message, context)` in the order it came, and the socket's end."""

    def __init__(self, handshake: Handshake) -> None:
        self.handshake = handshake
        self.told: list[tuple[str, str | bytes | None, str]] = []
        self.act: Callable[[str], object] = lambda _: None
        """What else it does when it is told; it may raise."""
        opened.append(self)

    def sent(self, frame: str | bytes) -> None:
        self._keep("sent", frame)

    def received(self, frame: str | bytes) -> None:
        self._keep("received", frame)

    def closed(self, error: str | None) -> None:
        self._keep("closed", error)

    def _keep(self, what: str, message: str | bytes | None) -> None:
        self.told.append((what, message, whose.get()))
        self.act(what)

    @property
    def said(self) -> list[tuple[str, str | bytes | None]]:
        """What it was told, without the context."""
        return [(what, message) for what, message, _ in self.told]


opened: list[Kept] = []
asked: list[Handshake] = []


def match(handshake: Handshake) -> Kept | None:
    asked.append(handshake)
    if handshake.path.startswith("/broken"):
        raise RuntimeError("a bug of ours")
    return Kept(handshake) if handshake.path.startswith("/ours") else None
