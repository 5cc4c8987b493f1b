"""A stream followed to its end, and its call finished once: read out, closed, left early, dropped, cancelled, cut off.

Most streams are bodies of httpx responses, sync or async, through whichever method they are read and closed. Until the
body's end the response is of a subclass of its class. Not methods on the instance: they would hold the response, or a
weak reference to it, which is gone when the collector closes the generators of an abandoned stream.
"""

import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, nullcontext, suppress
from functools import cache
from typing import Any, Final, Protocol

from otel_costs.runtime import background, telemetry, unfinished

_WATCH: Final = "_otel_costs_watch"  # of a response: what follows it
_KIND: Final = "_otel_costs_kind"  # of its class: the class that the response was of


class Reader(Protocol):
    """What is told of a body as the application reads it."""

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes of the body."""
        ...

    def end(self, error: BaseException | None) -> background.Job:
        """The body will not be read further: note the time, and return what is left to do. Called once.

        It may be called from a finalizer, that is inside any allocation, with any lock held by the thread.
        """
        ...


class Filter(Protocol):
    """What stands between the body and the application."""

    def feed(self, chunk: bytes) -> bytes:
        """Return those of the next bytes of the body that the application gets."""
        ...

    def flush(self) -> bytes:
        """Return what was held back, when the body is at its end."""
        ...


class Watch:
    """The state of one body. It holds no reference to the response, so that an abandoned one can be collected.

    Reader and filter fail apart: what we asked for is kept from the application whatever becomes of our record.
    """

    __slots__ = ("_before", "_ending", "_filter", "_reader", "ended", "running")

    def __init__(self, reader: Reader | None, filtered: Filter | None) -> None:
        self._reader, self._filter = reader, filtered
        self._ending = threading.Lock()
        self._before = id(sys.exc_info()[1])
        self.ended = False
        self.running = False
        """Whether the transport is being asked for bytes right now."""

    def feed(self, chunk: bytes) -> bytes:
        try:
            if self._reader is not None and not self.ended:
                self._reader.feed(chunk)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:stream", "otel_costs could not follow a stream", error=error)
        if self._filter is None:
            return chunk
        try:
            return self._filter.feed(chunk)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:filter", "otel_costs could not filter a stream", error=error)
            return chunk

    def flush(self) -> bytes:
        try:
            return b"" if self._filter is None else self._filter.flush()
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:filter", "otel_costs could not filter a stream", error=error)
            return b""

    def read_out(self) -> None:
        """The body was read to its end."""
        try:
            # Most readers know it by the last event of a stream.
            if not self.ended and (told := getattr(self._reader, "read_out", None)) is not None:
                told()
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:stream", "otel_costs could not follow a stream", error=error)
        self.end(None)

    def end(self, error: BaseException | None, put: Callable[[background.Job], object] = background.put) -> None:
        """Tell the reader that this is the end, and `put` what it leaves; whoever comes second does nothing."""
        if not self._ending.acquire(blocking=False):
            return
        self.ended = True
        unfinished.discard(self)
        try:
            if self._reader is not None:
                put(self._reader.end(error))
        except Exception as bug:  # noqa: BLE001
            telemetry.warn_once("bug:stream end", "otel_costs could not finish a stream", error=bug)

    def end_from_finalizer(self) -> None:
        """End as the collector wants it: whatever else is to be done is done later, by somebody else."""
        self.end(None, background.put_from_finalizer)

    def end_with_process(self, _wait_s: float) -> None:
        """End with the process, or with what we follow; the application may still read on."""
        self.end_from_finalizer()

    def forget(self) -> None:
        """Leave the end to somebody else: after a fork, to the parent."""
        self._ending.acquire(blocking=False)
        self.ended = True

    def closed(self) -> None:
        """The response was closed; while the transport runs, its loop ends the watch itself, after the last bytes."""
        if self.running:
            return
        error = sys.exc_info()[1]
        if isinstance(error, GeneratorExit):
            # A generator is closed: by a loop that was left, or by the collector, at any time. Nobody can tell.
            self.end_from_finalizer()
        elif id(error) == self._before or isinstance(error, StopIteration | StopAsyncIteration):
            self.end(None)
        else:
            self.end(error)  # what made the application close the stream


def watch(response: Any, reader: Reader | None, filtered: Filter | None = None) -> None:
    """Let `reader` follow the body of an httpx response as the application reads it, sync or async, through `filtered`.

    Raises TypeError where the response's class cannot be extended.
    """
    state = Watch(reader, filtered)
    kind: Any = type(response)
    response.__class__ = _observed(kind)
    vars(response)[_WATCH] = state
    unfinished.add(state, response, state.end_from_finalizer)


@cache
def _observed(kind: Any) -> Any:
    """Return a subclass of a response's class whose body is watched."""

    def iter_bytes(self: Any, chunk_size: int | None = None) -> Any:
        return _followed(self, _follow, _resized, kind.iter_bytes, chunk_size)

    def aiter_bytes(self: Any, chunk_size: int | None = None) -> Any:
        return _followed(self, _follow_async, _resized_async, kind.aiter_bytes, chunk_size)

    def iter_raw(self: Any, chunk_size: int | None = None) -> Any:
        return _followed(self, _follow, _resized, kind.iter_raw, chunk_size, raw=True)

    def aiter_raw(self: Any, chunk_size: int | None = None) -> Any:
        return _followed(self, _follow_async, _resized_async, kind.aiter_raw, chunk_size, raw=True)

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


def _followed(
    response: Any, follow: Any, resized: Any, iterate: Any, chunk_size: int | None, *, raw: bool = False
) -> Any:
    """Return the chunks of a body, sync or async, with the reader told of each.

    Not where `iter_bytes` asks for its bytes. Nor where they are compressed: those can be neither read nor changed;
    they pass, and the call says that nothing is known.
    """
    watcher: Watch | None = vars(response).get(_WATCH)
    if watcher is None or (raw and (watcher.running or response.headers.get("content-encoding"))):
        return iterate(response, chunk_size)
    chunks = follow(response, watcher, iterate(response))
    return chunks if chunk_size is None else resized(chunks, chunk_size)


def _closed(response: Any) -> None:
    watcher: Watch | None = vars(response).get(_WATCH)
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


def _follow(response: Any, watcher: Watch, chunks: Iterator[bytes]) -> Iterator[bytes]:
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
    rest = b""
    for chunk in chunks:
        rest += chunk
        for start in range(0, len(rest) - size + 1, size):
            yield rest[start : start + size]
        rest = rest[len(rest) - len(rest) % size :]
    if rest:
        yield rest


async def _follow_async(response: Any, watcher: Watch, chunks: Any) -> AsyncGenerator[bytes]:
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
    rest = b""
    async with aclosing(chunks):
        async for chunk in chunks:
            rest += chunk
            for start in range(0, len(rest) - size + 1, size):
                yield rest[start : start + size]
            rest = rest[len(rest) - len(rest) % size :]
    if rest:
        yield rest
