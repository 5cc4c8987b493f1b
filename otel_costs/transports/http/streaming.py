"""Finish a call once, however its stream ends: read out, closed, left early, dropped, cancelled, cut or never read."""

import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from otel_costs.runtime import background, telemetry, unfinished
from otel_costs.transports.http import response_tap


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

    __slots__ = ("_before", "_ended", "_filter", "_reader", "running")

    def __init__(self, reader: Reader | None, filtered: Filter | None) -> None:
        self._reader, self._filter = reader, filtered
        self._ended = threading.Lock()
        self._before = id(sys.exc_info()[1])
        self.running = False
        """Whether the transport is being asked for bytes right now."""

    @property
    def ended(self) -> bool:
        return self._ended.locked()

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
        if not self._ended.acquire(blocking=False):
            return
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
        self._ended.acquire(blocking=False)

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
    response_tap.observe(response, state)
    end_with(response, state)


def end_with(owner: Any, state: Watch) -> None:
    """End a watch with its owner, or with the process, if nobody reads to the end before."""
    unfinished.add(state)
    unfinished.when_collected(owner, state.end_from_finalizer)
