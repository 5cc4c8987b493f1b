"""A place in the program that calls belong to: opened for a block or a function, current in its tasks and threads."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from decimal import Decimal
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from otel_costs import semconv as names
from otel_costs.privacy import pseudonyms
from otel_costs.sessions import baggage
from otel_costs.sessions.decorator import Entering, decorated
from otel_costs.sessions.reservations import Limit
from otel_costs.usage import Usage

F = TypeVar("F", bound=Callable[..., Any])

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
        """What it may spend; None where nobody said."""
        ...

    def add(self, usage: Usage | None, cost_usd: Decimal | None) -> None:
        """Count one call; None is what is not known of it."""
        ...


class Scope:
    """A place in the program: the session and the step that calls made there belong to.

    Tasks and threads that were started in a scope go on in it when it is `closed`.
    """

    def __init__(
        self, session: Account | None, step: str | None, outer: "Scope | None" = None, owner: "Scoped | None" = None
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


_scope: ContextVar[Scope | None] = ContextVar("otel_costs_scope", default=None)


def current_scope() -> Scope | None:
    """Return the innermost open session or step of this task or thread; None outside any."""
    scope = _scope.get()
    while scope is not None and scope.left_behind:
        scope = scope.outer
    return scope


@contextmanager
def entered(scope: Scope | None) -> Iterator[None]:
    """Make `scope` the current one for a `with` block that begins and ends in the same context."""
    before, carried = _scope.get(), baggage.carried()
    _scope.set(scope)
    if scope is not None:
        baggage.carry(scope.ids)
    try:
        yield
    finally:
        _scope.set(before)
        baggage.carry(carried)


class Scoped:
    """Opens a scope: with `with`, with `async with`, and around a function, coroutine or generator as a decorator.

    The same object may be open several times, in several threads and tasks.
    """

    def __init__(self) -> None:
        self._scopes: list[Scope] = []
        self._lock = threading.RLock()

    def _place(self, outer: Scope | None) -> Scope:
        raise NotImplementedError

    def _ended(self, *, dropped: bool) -> None:
        """Called when the last scope of this object was closed.

        `dropped`: with the generator that it is in, perhaps by the garbage collector, in the middle of anything.
        """

    def __enter__(self) -> Self:
        self._enter(self._open())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leave(self._innermost(), dropped=kind is GeneratorExit)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave(self._innermost(), dropped=kind is GeneratorExit)

    def __call__(self, function: F) -> F:
        """Run each call of `function` in a scope of its own."""
        return decorated(function, self)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open a scope and make it the current one."""
        scope, dropped = self._open(), False
        self._enter(scope)
        try:
            yield
        except GeneratorExit:
            dropped = True
            raise
        finally:
            self._leave(scope, dropped=dropped)

    @contextmanager
    def detached(self) -> Iterator[Entering]:
        """Open a scope that is current only within the context managers that are made by what this one yields."""
        scope, dropped = self._open(), False
        try:
            yield partial(entered, scope)
        except GeneratorExit:
            dropped = True
            raise
        finally:
            self._close(scope, dropped=dropped)

    def _open(self) -> Scope:
        scope = self._place(current_scope())
        with self._lock:
            self._scopes.append(scope)
        return scope

    def _enter(self, scope: Scope) -> None:
        scope.token = _scope.set(scope)
        baggage.carry(scope.ids)

    def _leave(self, scope: Scope | None, *, dropped: bool) -> None:
        if scope is None:
            return
        current = _scope.get()
        try:
            if scope.token is not None:
                _scope.reset(scope.token)
        except ValueError:
            # Another context than it was opened in: another task or thread closes a generator.
            scope.left_behind = True
        else:
            current = scope.outer if current is scope else _without(scope, current)
            _scope.set(current)
            baggage.carry(current.ids if current else scope.outside)
        scope.token = None
        self._close(scope, dropped=dropped)

    def _close(self, scope: Scope, *, dropped: bool) -> None:
        scope.closed = True
        if not scope.left_behind:
            scope.outer = None  # a task that starts the next from within its session would make an endless chain
        with self._lock:
            self._scopes.remove(scope)
            ended = not self._scopes
        if ended:
            self._ended(dropped=dropped)

    def _innermost(self) -> Scope | None:
        """Return the scope that a `with` block of this object, which ends here, has opened."""
        scope = _scope.get()
        while scope is not None and (scope.owner is not self or scope.closed):
            scope = scope.outer
        return scope or (self._scopes[-1] if self._scopes else None)


def _counted_in(session: Account | None, around: tuple[Account, ...]) -> tuple[Account, ...]:
    if session is None or session in around[:1]:
        return around
    return (session, *[one for one in around if one.limit is not None][:MAX_AROUND])


def _without(left: Scope, current: Scope | None) -> Scope | None:
    """Return `current` without `left` around it: blocks of generators need not end in order."""
    inner = current
    while inner is not None and inner.outer is not left:
        inner = inner.outer
    if inner is not None:
        inner.outer = left.outer
    return current
