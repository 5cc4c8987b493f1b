"""An httpx response whose body somebody watches, sync or async, through whichever method it is read and closed.

Until the body's end the response is of a subclass of its class. Not methods on the instance: they would hold the
response, or a weak reference to it, which is gone when the collector closes the generators of an abandoned stream.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, nullcontext, suppress
from functools import cache
from typing import Any, Final, Protocol

_WATCH: Final = "_otel_costs_watch"  # of a response: who watches it
_KIND: Final = "_otel_costs_kind"  # of its class: the class that the response was of


class Watcher(Protocol):
    """Who watches a body; nothing of it raises."""

    running: bool
    """Whether the transport is being asked for bytes right now."""

    @property
    def ended(self) -> bool: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def flush(self) -> bytes: ...

    def read_out(self) -> None: ...

    def end(self, error: BaseException | None) -> None: ...

    def closed(self) -> None: ...


def observe(response: Any, watcher: Watcher) -> None:
    """Have the body of `response` watched; raises TypeError where its class cannot be extended."""
    kind: Any = type(response)
    response.__class__ = _observed(kind)
    vars(response)[_WATCH] = watcher


@cache
def _observed(kind: Any) -> Any:
    """Return a subclass of a response's class whose body is watched."""

    def iter_bytes(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
        return _followed(self, kind.iter_bytes, chunk_size)

    def aiter_bytes(self: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        return _followed_async(self, kind.aiter_bytes, chunk_size)

    # Compressed bytes can be neither read nor changed: they pass, and the call says that nothing is known.
    def iter_raw(self: Any, chunk_size: int | None = None) -> Iterator[bytes]:
        raw: Iterator[bytes] = kind.iter_raw(self, chunk_size)
        return _followed(self, kind.iter_raw, chunk_size) if _is_asked_for_raw(self) else raw

    def aiter_raw(self: Any, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        raw: AsyncIterator[bytes] = kind.aiter_raw(self, chunk_size)
        return _followed_async(self, kind.aiter_raw, chunk_size) if _is_asked_for_raw(self) else raw

    def close(self: Any) -> None:
        try:
            kind.close(self)
        finally:
            _closed(self)

    async def aclose(self: Any) -> None:
        try:
            await kind.aclose(self)
        finally:
            _closed(self)

    observed = (iter_bytes, aiter_bytes, iter_raw, aiter_raw, close, aclose)
    members = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__, _KIND: kind}
    return type(kind.__name__, (kind,), {**members, **{found.__name__: found for found in observed}})


def _is_asked_for_raw(response: Any) -> bool:
    """Whether the application asks for the raw bytes, not `iter_bytes`, and they are the body itself."""
    watcher = vars(response).get(_WATCH)
    return watcher is not None and not watcher.running and not response.headers.get("content-encoding")


def _closed(response: Any) -> None:
    watcher = vars(response).get(_WATCH)
    if watcher is not None:
        watcher.closed()
        if watcher.ended:
            _release(response)


def _release(response: Any) -> None:
    """Make the response what it was."""
    vars(response).pop(_WATCH, None)
    kind = vars(type(response)).get(_KIND)
    if kind is not None:
        with suppress(TypeError):
            response.__class__ = kind


def _followed(response: Any, iterate: Any, chunk_size: int | None) -> Iterator[bytes]:
    watcher = vars(response).get(_WATCH)
    if watcher is None:
        found: Iterator[bytes] = iterate(response, chunk_size)
        return found
    chunks = _follow(response, watcher, iterate(response))
    return chunks if chunk_size is None else _resized(chunks, chunk_size)


def _follow(response: Any, watcher: Watcher, chunks: Iterator[bytes]) -> Iterator[bytes]:
    watcher.running = True
    try:
        for chunk in chunks:
            if shown := watcher.feed(chunk):
                watcher.running = False
                yield shown
                watcher.running = True
    except GeneratorExit:
        watcher.running = False
        raise
    except BaseException as error:
        watcher.running = False
        if isinstance(error, Exception) and (rest := watcher.flush()):
            yield rest  # what would have been read before the error, had nothing been held back
        watcher.end(error)
        _release(response)
        raise
    watcher.running = False
    if rest := watcher.flush():
        yield rest
    watcher.read_out()
    _release(response)


def _resized(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Cut chunks to a size again: the body may have become shorter."""
    held = b""
    for chunk in chunks:
        held += chunk
        for start in range(0, len(held) - size + 1, size):
            yield held[start : start + size]
        held = held[len(held) - len(held) % size :]
    if held:
        yield held


def _followed_async(response: Any, iterate: Any, chunk_size: int | None) -> AsyncIterator[bytes]:
    watcher = vars(response).get(_WATCH)
    if watcher is None:
        found: AsyncIterator[bytes] = iterate(response, chunk_size)
        return found
    chunks = _follow_async(response, watcher, iterate(response))
    return chunks if chunk_size is None else _resized_async(chunks, chunk_size)


async def _follow_async(response: Any, watcher: Watcher, chunks: Any) -> AsyncGenerator[bytes]:
    watcher.running = True
    try:
        # Closed here: an async generator that is merely dropped is closed by the event loop, some turns later.
        async with aclosing(chunks) if hasattr(chunks, "aclose") else nullcontext():
            async for chunk in chunks:
                if shown := watcher.feed(chunk):
                    watcher.running = False
                    yield shown
                    watcher.running = True
    except GeneratorExit:
        watcher.running = False
        raise
    except BaseException as error:
        watcher.running = False
        if isinstance(error, Exception) and (rest := watcher.flush()):
            yield rest
        watcher.end(error)
        _release(response)
        raise
    watcher.running = False
    if rest := watcher.flush():
        yield rest
    watcher.read_out()
    _release(response)


async def _resized_async(chunks: AsyncGenerator[bytes], size: int) -> AsyncIterator[bytes]:
    held = b""
    async with aclosing(chunks):
        async for chunk in chunks:
            held += chunk
            for start in range(0, len(held) - size + 1, size):
                yield held[start : start + size]
            held = held[len(held) - len(held) % size :]
    if held:
        yield held
