"""Who follows a socket: the first provider module that claims it, asked once, when it opens."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from otel_costs import hosts
from otel_costs.runtime import telemetry


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
    """Who follows a socket. It is told of one thing at a time, and what it raises is kept from the application.

    `received` and `closed` are called in the context in which the socket was opened, in whichever thread or task,
    `sent` in the application's own at that moment.
    """

    def sent(self, frame: str | bytes) -> None:
        """Read a whole message that is about to be sent. It may fail to be: then the socket is closing.

        `BudgetExceeded` goes on to the application, and the message is not sent.
        """
        ...

    def received(self, frame: str | bytes) -> None:
        """Read a whole message that has arrived, before the application has it; it may never read it."""
        ...

    def closed(self, error: str | None) -> None:
        """The socket has ended: `error` is its close code ("1006": it broke), None if it ended well. Called once.

        It also ended if the application forgot it, or is over.
        """
        ...


Claim = Callable[[Handshake], Observer | None]

_claims: list[tuple[str, str | Claim]] = []


def claimed_by(claim: str | Claim, providers: Iterable[str]) -> None:
    """Have `claim`, a function or the name of a module that has it, asked about sockets to `providers`, `*` to any."""
    for provider in providers:
        if (provider, claim) not in _claims:
            _claims.append((provider, claim))


def clear() -> None:
    """Forget who claims which sockets."""
    _claims.clear()


@telemetry.never_raises("follow a socket")
def observe(handshake: Handshake) -> Observer | None:
    """Return who follows a socket: the first that claims it, by its provider before any host; None if nobody does."""
    provider = hosts.provider_of(handshake.host, handshake.port)
    for wanted in (provider, "*"):
        for claimed, claim in _claims:
            if claimed == wanted and (observer := _asked(claim, handshake)) is not None:
                return observer
    return None


def _asked(claim: str | Claim, handshake: Handshake) -> Observer | None:
    if callable(claim):
        return claim(handshake)
    found: Claim = importlib.import_module(claim).claim
    return found(handshake)
