"""WebSockets of the application: who follows one is decided when it opens, and told of every frame until it closes.

The hooks of a library (one module each) make a `Handshake` of a socket that has opened, ask `observe` for its observer,
and tell that of each message. A socket has one observer at most, whatever stands on top of it: nothing counts twice.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from otel_costs import telemetry
from otel_costs.providers import hosts


class Handshake(NamedTuple):
    """How a socket was opened. Query and headers may have keys in them: they are read, and never recorded."""

    host: str
    """In lower case, without the port."""
    port: int
    path: str
    query: str
    headers: Mapping[str, str]
    """Of the request; names in lower case."""


class Observer(Protocol):
    """Who follows a socket. Called in the application's thread; what it raises, the hook keeps from the application."""

    def sent(self, frame: str | bytes) -> None:
        """Take a message that the application sends."""
        ...

    def received(self, frame: str | bytes) -> None:
        """Take a message as the application gets it."""
        ...

    def closed(self, error: str | None) -> None:
        """The socket is closed; `error` is the kind of error that closed it, None if it ended well. Called once."""
        ...


LIBRARIES: Final[tuple[tuple[str, str], ...]] = ()
"""Module of a library, and the module of ours that hooks it: it has `install(patches)`."""

_claims: list[tuple[str, str]] = []


def claimed_by(module: str, providers: Iterable[str]) -> None:
    """Have `claim(handshake) -> Observer | None` of `module` asked about sockets to `providers`, `*` to any host."""
    for provider in providers:
        if (provider, module) not in _claims:
            _claims.append((provider, module))


def forget() -> None:
    """Forget who claims which sockets."""
    _claims.clear()


@telemetry.shielded("follow a socket")
def observe(handshake: Handshake) -> Observer | None:
    """Return who follows a socket: the first that claims it, by its provider before any host; None if nobody does."""
    provider = hosts.provider_of(handshake.host, handshake.port)
    for wanted in (provider, "*"):
        for claimed, module in _claims:
            if claimed == wanted and (observer := _claim(module, handshake)) is not None:
                return observer
    return None


def _claim(module: str, handshake: Handshake) -> Observer | None:
    claim: Callable[[Handshake], Observer | None] = importlib.import_module(module).claim
    return claim(handshake)
