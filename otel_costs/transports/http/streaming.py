"""A stream followed to its end, and its call finished once: read out, closed, left early, dropped, cancelled, cut off.

Most streams are bodies of httpx responses, sync or async. What is followed is the byte stream below the response, which
every way to read asks for its bytes, once; the response stays the object that it is. A second way to read raises before
it comes to us, and a copy has no stream. Bytes that come compressed are seen where httpx decompresses them.
"""

import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, nullcontext
from typing import Any, Protocol

import wrapt

from otel_costs.runtime import background, telemetry, unfinished
from otel_costs.transports.http.compression import Compressed


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
    """What stands between the body, an event stream, and the application."""

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

    __slots__ = ("_before", "_ending", "_filter", "_hidden", "_reader", "ended", "has_begun", "keeps_length", "running")

    def __init__(self, reader: Reader | None, filtered: Filter | None) -> None:
        self._reader, self._filter = reader, filtered
        self._ending = threading.Lock()
        self._before = id(sys.exc_info()[1])
        self.ended = False
        self.keeps_length = False
        """Whether the application gets as many bytes as there are: blank lines at the end for what is hidden."""
        self._hidden = 0
        self.has_begun = False
        """Whether the body is, or was, read."""
        self.running = False
        """Whether the transport is being asked for bytes right now, or what came last is being decompressed."""

    def see(self, chunk: bytes) -> None:
        """Pass the next bytes to the reader; the application gets them as they are."""
        try:
            if (reader := self._reader) is not None and not self.ended:
                reader.feed(chunk)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:stream", "otel_costs could not follow a stream", error=error)

    def feed(self, chunk: bytes) -> bytes:
        """Pass the next bytes to the reader, and return those that the application gets."""
        self.see(chunk)
        if self._filter is None:
            return chunk
        try:
            visible = self._filter.feed(chunk)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:filter", "otel_costs could not filter a stream", error=error)
            return chunk
        if self.keeps_length:
            self._hidden += len(chunk) - len(visible)
        return visible

    def flush(self) -> bytes:
        """Return what is left for the application, at the end of the body."""
        try:
            rest = b"" if self._filter is None else self._filter.flush()
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:filter", "otel_costs could not filter a stream", error=error)
            rest = b""
        return rest + b"\n" * (self._hidden - len(rest)) if self.keeps_length else rest

    def flush_on_error(self) -> bytes:
        """Return what was held back, before an error: an event that it cuts short has no blank line behind it."""
        self.keeps_length = False
        return self.flush()

    def read_out(self) -> None:
        """The body was read to its end."""
        try:
            # Most readers know it by the last event of a stream.
            if not self.ended and (notify := getattr(self._reader, "read_out", None)) is not None:
                notify()
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:stream", "otel_costs could not follow a stream", error=error)
        self.end(None)

    def end(self, error: BaseException | None, put: Callable[[background.Job], object] = background.put) -> None:
        """End the reader, and `put` the job that it returns; a second call does nothing."""
        if not self._ending.acquire(blocking=False):
            return
        self.ended = True
        unfinished.discard(self)
        try:
            if (reader := self._reader) is not None:
                self._reader = None  # what it has kept is not kept as long as the response
                put(reader.end(error))
        except Exception as bug:  # noqa: BLE001
            telemetry.warn_once("bug:stream end", "otel_costs could not finish a stream", error=bug)

    def end_from_finalizer(self) -> None:
        """End inside a finalizer, which must not wait: the rest is done later, in the background."""
        self.end(None, background.put_from_finalizer)

    def end_with_process(self, _wait_s: float) -> None:
        """End with the process, or with what we follow; the application may still read on."""
        self.end_from_finalizer()

    def forget(self) -> None:
        """Leave the end to another process: after a fork, to the parent."""
        self._ending.acquire(blocking=False)
        self.ended = True

    def closed(self) -> None:
        """The body was closed; while it is being read, what reads it ends the watch itself, after the last bytes."""
        if self.running:
            return
        error = sys.exc_info()[1]
        if isinstance(error, GeneratorExit):
            # A generator is closed: by a loop that was left, or by the collector, at any time: which is not known.
            self.end_from_finalizer()
        elif id(error) == self._before or isinstance(error, StopIteration | StopAsyncIteration):
            self.end(None)
        else:
            self.end(error)  # what made the application close the stream


def watch(response: Any, reader: Reader | None, filtered: Filter | None = None) -> None:
    """Let `reader` follow the body of an httpx response as the application reads it, sync or async, through `filtered`.

    Raises AttributeError where the response has no body to follow.
    """
    state, headers = Watch(reader, filtered), response.headers
    is_plain = headers.get("content-encoding", "").lower() in ("", "identity")
    compressed = None if is_plain else Compressed.of(response, state)
    response.stream = _Followed(response.stream, state, compressed)
    state.keeps_length = filtered is not None and is_plain and "content-length" in headers
    unfinished.add(state, response, state.end_from_finalizer)


class _Followed(wrapt.ObjectProxy):  # type: ignore[misc, type-arg, unused-ignore]
    """The byte stream of a response, with what is read of it followed.

    It holds no reference to the response, and nor do its iterators: the collector may close them at any time.
    """

    def __init__(self, stream: Any, watcher: Watch, compressed: Compressed | None) -> None:
        super().__init__(stream)
        self._self_watch, self._self_compressed = watcher, compressed

    def __iter__(self) -> Iterator[bytes]:
        return _follow(self.__wrapped__, self._self_watch, self._self_compressed or self._self_watch)

    def __aiter__(self) -> AsyncGenerator[bytes]:
        return _follow_async(self.__wrapped__, self._self_watch, self._self_compressed or self._self_watch)

    def close(self) -> None:
        try:
            self.__wrapped__.close()
        finally:
            self._self_closed()

    async def aclose(self) -> None:
        try:
            await self.__wrapped__.aclose()
        finally:
            self._self_closed()

    def _self_closed(self) -> None:
        if self._self_compressed is not None:
            self._self_compressed.settle()
        self._self_watch.closed()


def _follow(chunks: Any, watcher: Watch, way: Watch | Compressed) -> Iterator[bytes]:
    """Yield the chunks of a body as they pass `way`."""
    if watcher.has_begun:  # only a stream that starts again can be read again
        yield from chunks
        return
    watcher.has_begun = watcher.running = True
    try:
        for chunk in chunks:
            if visible := way.feed(chunk):
                watcher.running = False
                yield visible
                watcher.running = True
    except GeneratorExit:
        watcher.running = False
        raise
    except BaseException as error:
        watcher.running = False
        if isinstance(error, Exception) and (rest := way.flush_on_error()):
            yield rest  # what would have been read before the error, had nothing been held back
        watcher.end(error)
        raise
    watcher.running = False
    if rest := way.flush():
        yield rest
    way.read_out()


async def _follow_async(chunks: Any, watcher: Watch, way: Watch | Compressed) -> AsyncGenerator[bytes]:
    found = aiter(chunks)
    # Closed here: an async generator that is merely dropped is closed by the event loop, some turns later.
    async with aclosing(found) if hasattr(found, "aclose") else nullcontext():
        if watcher.has_begun:
            async for chunk in found:
                yield chunk
            return
        watcher.has_begun = watcher.running = True
        try:
            async for chunk in found:
                if visible := way.feed(chunk):
                    watcher.running = False
                    yield visible
                    watcher.running = True
        except GeneratorExit:
            watcher.running = False
            raise
        except BaseException as error:
            watcher.running = False
            if isinstance(error, Exception) and (rest := way.flush_on_error()):
                yield rest
            watcher.end(error)
            raise
    watcher.running = False
    if rest := way.flush():
        yield rest
    way.read_out()
