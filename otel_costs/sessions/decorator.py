"""Functions, coroutines and generators that run in a scope of their own.

A generator shares the context of its consumer, which asks for the next item. So its scope is entered for each piece
that it runs, and left while it waits: what its consumer does in between is not its own.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Protocol, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

Entering = Callable[[], AbstractContextManager[None]]


class Scoped(Protocol):
    """What opens a scope for a `with` block."""

    def opened(self) -> AbstractContextManager[None]:
        """Open a scope and make it the current one."""
        ...

    def detached(self) -> AbstractContextManager[Entering]:
        """Open a scope that is current only within the context managers that are made by what this one yields."""
        ...


def decorated(function: F, scoped: Scoped) -> F:
    """Return `function` as it is, but that each call of it opens `scoped`."""
    wrap: Callable[[Any, Scoped], Any]
    if inspect.isasyncgenfunction(function):
        wrap = _async_generator
    elif inspect.isgeneratorfunction(function):
        wrap = _generator
    elif inspect.iscoroutinefunction(function):
        wrap = _coroutine
    else:
        wrap = _function
    return wraps(function)(wrap(function, scoped))  # type: ignore[return-value]


def _function(function: Any, scoped: Scoped) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with scoped.opened():
            return function(*args, **kwargs)

    return wrapper


def _coroutine(function: Any, scoped: Scoped) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with scoped.opened():
            return await function(*args, **kwargs)

    return wrapper


def _generator(function: Any, scoped: Scoped) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with scoped.detached() as entering:
            return (yield from _Pieces(function(*args, **kwargs), entering))

    return wrapper


def _async_generator(function: Any, scoped: Scoped) -> Any:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        with scoped.detached() as entering:
            iterator = function(*args, **kwargs)
            resume, value = iterator.asend, None
            try:
                # What `yield from` would do, if there were one for asynchronous generators.
                while True:
                    with entering():
                        item = await resume(value)
                    try:
                        resume, value = iterator.asend, (yield item)
                    except GeneratorExit:
                        raise
                    except BaseException as error:  # noqa: BLE001
                        resume, value = iterator.athrow, error
            except StopAsyncIteration:
                return
            finally:
                with entering():
                    await iterator.aclose()

    return wrapper


class _Pieces(Generator[Any, Any, Any]):
    """A generator each of whose pieces runs in the scope."""

    def __init__(self, iterator: Generator[Any, Any, Any], entering: Entering) -> None:
        self._iterator, self._entering = iterator, entering

    def send(self, value: Any) -> Any:
        with self._entering():
            return self._iterator.send(value)

    def throw(self, *error: Any) -> Any:
        with self._entering():
            return self._iterator.throw(*error)

    def close(self) -> None:
        with self._entering():
            self._iterator.close()
