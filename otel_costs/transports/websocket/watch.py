"""One socket that is followed: its observer gets whole messages and, once, the end; its errors stay here.

A watch holds no reference to the socket, so that one that is dropped can be collected.
"""

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Final

from otel_costs.runtime import background, telemetry, unfinished
from otel_costs.sessions.session import BudgetExceeded
from otel_costs.transports.websocket.matching import Handshake, Observer, observe

FRAGMENTED_LIMIT: Final = 16 * 2**20
"""Bytes or characters up to which a message that comes in fragments is put together; a longer one is not observed."""

MARK: Final = "_otel_costs_watch"
"""Attribute of a socket: its `Watch`, None if it has no observer; absent before one was looked for."""

# Ended well: normal closure, going away, and a close frame without a code, which aiohttp shows as 0.
_FINE: Final = frozenset({None, 0, 1000, 1001, 1005})


class Watch:
    """The observer of one socket, from its opening to its end.

    It gets what arrives, and the end, in the context in which the socket was opened, whichever thread or task that
    happens in, and what is sent in the context of the sender. Never two things at once.
    """

    __slots__ = ("__weakref__", "_context", "_lock", "_observer", "arriving")

    def __init__(self, observer: Observer, context: Context) -> None:
        self._observer: Observer | None = observer
        self._context = context
        # A thread of the library reads while others write, and a signal handler may send in the middle of either.
        self._lock = threading.RLock()
        self.arriving = Assembly()
        """The message that is arriving in fragments."""

    @property
    def ended(self) -> bool:
        return self._observer is None

    def sent(self, message: str | bytes) -> None:
        """Pass on a message that is about to be sent. Raises `BudgetExceeded` if it must not be."""
        if self._observer is None:
            return
        with self._lock:
            try:
                if (observer := self._observer) is not None:
                    observer.sent(message)
            except BudgetExceeded:
                raise
            except Exception as error:  # noqa: BLE001
                _warn_once(error)

    def received(self, message: str | bytes) -> None:
        """Pass on a message that has arrived."""
        if self._observer is None:
            return
        with self._lock:
            try:
                if (observer := self._observer) is not None:
                    self._context.run(observer.received, message)
            except Exception as error:  # noqa: BLE001
                _warn_once(error)

    def end(self, code: int | None = None) -> None:
        """Pass on the end, with the close code if that is an error; a second call does nothing."""
        if self._observer is None:
            return
        with self._lock:
            observer, self._observer = self._observer, None
            unfinished.discard(self)
            self.arriving.reset()
            try:
                if observer is not None:
                    self._context.run(observer.closed, None if code in _FINE else str(code))
            except Exception as error:  # noqa: BLE001
                _warn_once(error)
            self._context = Context()

    def end_with_process(self, wait_s: float) -> None:
        """Pass on the end, unless the observer is busy for all of `wait_s`."""
        if self._lock.acquire(timeout=wait_s):
            try:
                self.end()
            finally:
                self._lock.release()

    def end_from_finalizer(self) -> None:
        """End inside a finalizer, which must not wait: later, in the background."""
        background.put_from_finalizer(self.end)

    def forget(self) -> None:
        """Pass nothing on any more: after a fork, the socket is the parent's."""
        self._observer = None


class Assembly:
    """A message in fragments, as far as it is there."""

    __slots__ = ("_parts", "_size", "is_text")

    def __init__(self) -> None:
        self.reset()

    def reset(self, *, is_text: bool = False) -> None:
        """Begin a new message."""
        self.is_text = is_text
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Add the next fragment; past the limit nothing is kept."""
        self._size += len(part)
        if self._size > FRAGMENTED_LIMIT:
            self._parts.clear()
        else:
            self._parts.append(part)

    def take(self) -> str | bytes | None:
        """Return the message, and begin anew; None if there is none, or if it was too long."""
        parts, kept = self._parts, self._size <= FRAGMENTED_LIMIT
        is_text = self.is_text
        self.reset()
        return as_message(b"".join(parts), is_text=is_text) if parts and kept else None


def as_message(data: Any, *, is_text: bool) -> str | bytes | None:
    """Return the message of bytes, text or binary; None for text that is not UTF-8, which the library refuses, too."""
    if not is_text:
        return bytes(data)
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        return None


def open_for(socket: Any, handshake: Callable[[], Handshake], context: Context | None = None) -> Watch | None:
    """Find the observer of a socket that has opened, in `context` (None: this one), and keep it with the socket."""
    vars(socket)[MARK] = None  # asked once, whatever comes
    context = context or copy_context()
    observer = context.run(_observer, handshake)
    if observer is None:
        return None
    watch = vars(socket)[MARK] = Watch(observer, context)
    unfinished.add(watch, socket, watch.end_from_finalizer)
    return watch


@telemetry.never_raises("look at a socket")
def _observer(handshake: Callable[[], Handshake]) -> Observer | None:
    return observe(handshake())


def _warn_once(error: Exception) -> None:
    telemetry.warn_once("bug:socket", "otel_costs could not follow a socket's messages", error=error)
