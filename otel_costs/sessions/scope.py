"""A place in the program that calls belong to, current in its tasks and threads, with their session and user."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Protocol, Self

from otel_costs import semconv as names
from otel_costs.privacy import pseudonyms
from otel_costs.sessions import baggage, shared_budgets
from otel_costs.sessions.reservations import Limit
from otel_costs.usage import Usage
from otel_costs.values import sanitize

MAX_AROUND: Final = 32
"""Sessions with a budget around one that are remembered: a task may start the next one in its session for ever."""


class Account(Protocol):
    """The session that the calls of a scope are counted in."""

    id: str
    user: str | None
    content: bool

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of each of its calls."""
        ...

    @property
    def limit(self) -> Limit | None:
        """What it may spend; None where no limit was set."""
        ...

    def add(self, usage: Usage | None, cost_usd: Decimal | None) -> None:
        """Count one call; None is what is not known of it."""
        ...


class Scope:
    """A place in the program: the session and the step that calls made there belong to.

    Tasks and threads that were started in a scope go on in it when it is `closed`.
    """

    def __init__(
        self, session: Account | None, step: str | None, outer: "Scope | None" = None, owner: object = None
    ) -> None:
        self.session, self.step, self.outer, self.owner = session, step, outer, owner
        self.closed = False
        self.left_behind = False  # closed from another context: where it was opened, it is the current one for ever
        self.token: Token[Scope | None] | None = None
        self.outside: baggage.Ids = outer.outside if outer else baggage.carried()
        self.sessions: tuple[Account, ...] = _counted_in(session, outer.sessions if outer else ())
        """The session, and those around it that have a budget."""
        self.content: bool = (session is None or session.content) and (outer is None or outer.content)
        """Whether content may be recorded here: a session that says no says it for all that is opened in it."""

    def __reduce__(self) -> tuple[type[Self], tuple[Account | None, str | None], dict[str, bool]]:
        return type(self), (self.session, self.step), {"content": self.content}

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of every call made here."""
        found = dict(self.session.attributes) if self.session else {}
        if self.step:
            found[names.STEP] = self.step
        return found

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The budgets that calls made here count in: that of the session, and those of the sessions around it."""
        found = [limit for session in self.sessions if (limit := session.limit) is not None]
        return tuple(dict.fromkeys(found))

    def count(self, usage: Usage | None, cost_usd: Decimal | None) -> None:
        """Count one call in the session, and its cost in the budgets of those around it."""
        if self.session is None:
            return
        self.session.add(usage, cost_usd)
        own = self.session.limit
        for limit in self.limits:
            if limit is not own and cost_usd is not None:
                limit.add(cost_usd)

    @property
    def ids(self) -> baggage.Ids:
        """What goes out in baggage from here: the session and its user, or what was there before any session."""
        if self.session is None:
            return self.outside
        # A plain name does not leave the process where it is recorded by a pseudonym.
        return self.session.id or None, None if pseudonyms.is_on() else self.session.user


innermost: Final[ContextVar[Scope | None]] = ContextVar("otel_costs_scope", default=None)


def current_scope() -> Scope | None:
    """Return the innermost open session or step of this task or thread; None outside any."""
    scope = innermost.get()
    while scope is not None and scope.left_behind:
        scope = scope.outer
    return scope


def attribution(user: str | None = None, session_id: str | None = None) -> Mapping[str, Any]:
    """Return the attributes of the session and the user that a call made here belongs to.

    An open session decides; then baggage, where it is believed; then `user` and `session_id`, which the request names.
    """
    scope = current_scope()
    found = scope.attributes if scope else {}
    if not found and user is None and session_id is None and baggage.mode not in baggage.BELIEVED:
        return found
    if names.USER_ID in found or (user is None and names.SESSION_ID in found):
        return found
    outside_session, outside_user = baggage.received()
    chosen = {
        names.SESSION_ID: found.get(names.SESSION_ID) or outside_session or session_id,
        names.USER_ID: pseudonyms.recorded(sanitize.identifier(outside_user or user or "")),
    }
    return {**found, **{name: sanitize.identifier(value) for name, value in chosen.items() if value}}


def has_budget() -> bool:
    """Return whether what is done here may count in a budget."""
    return shared_budgets.is_on or ((scope := current_scope()) is not None and bool(scope.limits))


@contextmanager
def entered(scope: Scope | None) -> Iterator[None]:
    """Make `scope` the current one for a `with` block that begins and ends in the same context."""
    before, carried = innermost.get(), baggage.carried()
    innermost.set(scope)
    if scope is not None:
        baggage.carry(scope.ids)
    try:
        yield
    finally:
        innermost.set(before)
        baggage.carry(carried)


def _counted_in(session: Account | None, around: tuple[Account, ...]) -> tuple[Account, ...]:
    if session is None or session in around[:1]:
        return around
    return (session, *[one for one in around if one.limit is not None][:MAX_AROUND])
