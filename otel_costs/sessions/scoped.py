"""What opens a scope: sessions and steps, with `with`, with `async with` and as decorators."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from otel_costs.sessions import baggage
from otel_costs.sessions.decorator import Entering, decorated
from otel_costs.sessions.scope import Scope, current_scope, entered, innermost

F = TypeVar("F", bound=Callable[..., Any])


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
        scope.token = innermost.set(scope)
        baggage.carry(scope.ids)

    def _leave(self, scope: Scope | None, *, dropped: bool) -> None:
        if scope is None:
            return
        current = innermost.get()
        try:
            if scope.token is not None:
                innermost.reset(scope.token)
        except ValueError:
            # Another context than it was opened in: another task or thread closes a generator.
            scope.left_behind = True
        else:
            current = scope.outer if current is scope else _without(scope, current)
            innermost.set(current)
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
        scope = innermost.get()
        while scope is not None and (scope.owner is not self or scope.closed):
            scope = scope.outer
        return scope or (self._scopes[-1] if self._scopes else None)


def _without(left: Scope, current: Scope | None) -> Scope | None:
    """Return `current` without `left` around it: blocks of generators need not end in order."""
    inner = current
    while inner is not None and inner.outer is not left:
        inner = inner.outer
    if inner is not None:
        inner.outer = left.outer
    return current
