"""The observer of a socket: that of the first provider module that matches it when it opens."""

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
    """Reads the messages of a socket, one at a time; what it raises is kept from the application.

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


Matcher = Callable[[Handshake], Observer | None]

_matchers: list[tuple[str, str | Matcher]] = []


def matched_by(match: str | Matcher, providers: Iterable[str]) -> None:
    """Register `match`, a function or the name of a module that has it, for sockets to `providers`; `*` is any."""
    for provider in providers:
        if (provider, match) not in _matchers:
            _matchers.append((provider, match))


def clear() -> None:
    """Forget all matchers."""
    _matchers.clear()


@telemetry.never_raises("follow a socket")
def observe(handshake: Handshake) -> Observer | None:
    """Return the observer of a socket: the first that matches, by its provider before any host; None if none does."""
    provider = hosts.provider_of(handshake.host, handshake.port)
    for wanted in (provider, "*"):
        for matched, match in _matchers:
            if matched == wanted and (observer := _observer_of(match, handshake)) is not None:
                return observer
    return None


def _observer_of(match: str | Matcher, handshake: Handshake) -> Observer | None:
    if callable(match):
        return match(handshake)
    found: Matcher = importlib.import_module(match).match
    return found(handshake)
