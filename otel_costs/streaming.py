"""Finish a call once, however its stream ends: read out, closed, left early, dropped, cancelled, cut or never read."""

import sys
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, Protocol

from otel_costs import outbox, telemetry

_OBSERVED: Final = ("iter_bytes", "aiter_bytes", "close", "aclose")


class Reader(Protocol):
    """What is told of a body as the application reads it."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the body and return those that the application gets."""
        ...

    def flush(self) -> bytes:
        """Return what was held back, when the body is at its end."""
        ...

    def end(self, error: BaseException | None) -> None:
        """The body will not be read further; called once."""
        ...


class Watch:
    """The state of one watched body. It holds no reference to the response, so that an abandoned one can be collected."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.ended = False
        self.running = False  # the transport is being asked for bytes right now
        self.before = sys.exc_info()[1]

    def feed(self, chunk: bytes) -> bytes:
        if self.ended:
            return chunk
        try:
            return self.reader.feed(chunk)
        except Exception as error:  # noqa: BLE001
            telemetry.complain_once("bug:stream", "otel_costs could not follow a stream", error=error)
            return chunk

    def flush(self) -> bytes:
        if self.ended:
            return b""
        try:
            return self.reader.flush()
        except Exception as error:  # noqa: BLE001
            telemetry.complain_once("bug:stream", "otel_costs could not follow a stream", error=error)
            return b""

    def end(self, error: BaseException | None) -> None:
        if self.ended:
            return
        self.ended = True
        try:
            self.reader.end(error)
        except Exception as bug:  # noqa: BLE001
            telemetry.complain_once("bug:stream end", "otel_costs could not finish a stream", error=bug)

    def closed(self) -> None:
        """The response was closed; while the transport runs, its loop ends the watch itself, after the last bytes."""
        if not self.running:
            self.end(self._error_in_flight())

    def _error_in_flight(self) -> BaseException | None:
        """Return what made the application close the stream, if it is an error of its own."""
        error = sys.exc_info()[1]
        if error is self.before or isinstance(error, GeneratorExit | StopIteration | StopAsyncIteration):
            return None
        return error


def _abandon(state: Watch) -> None:
    if not state.ended:
        outbox.put_from_finalizer(lambda: state.end(None))


def watch(response: Any, reader: Reader) -> None:
    """Let `reader` follow the body of an httpx response as the application reads it, sync or async.

    The methods are replaced on this one instance: both the SDK's streams and `with_streaming_response` read through them.
    """
    state = Watch(reader)
    alive = weakref.ref(response)
    kind = type(response)

    def ended(error: BaseException | None) -> None:
        state.end(error)
        if (found := alive()) is not None:
            for name in _OBSERVED:
                vars(found).pop(name, None)

    def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
        state.running = True
        try:
            for chunk in kind.iter_bytes(alive(), chunk_size):
                shown = state.feed(chunk)
                if shown:
                    state.running = False
                    yield shown
                    state.running = True
            if rest := state.flush():
                yield rest
        except GeneratorExit:
            state.running = False
            raise
        except BaseException as error:
            ended(error)
            raise
        ended(None)

    async def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        state.running = True
        try:
            async for chunk in kind.aiter_bytes(alive(), chunk_size):
                shown = state.feed(chunk)
                if shown:
                    state.running = False
                    yield shown
                    state.running = True
            if rest := state.flush():
                yield rest
        except GeneratorExit:
            state.running = False
            raise
        except BaseException as error:
            ended(error)
            raise
        ended(None)

    def close() -> None:
        try:
            kind.close(alive())
        finally:
            state.closed()

    async def aclose() -> None:
        try:
            await kind.aclose(alive())
        finally:
            state.closed()

    observed: tuple[Callable[..., Any], ...] = (iter_bytes, aiter_bytes, close, aclose)
    for name, function in zip(_OBSERVED, observed, strict=True):
        setattr(response, name, function)
    outbox.open_for_finalizers()
    weakref.finalize(response, _abandon, state)
