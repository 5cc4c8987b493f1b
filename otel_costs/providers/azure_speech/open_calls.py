"""Calls that are under way in the native library: each ends once, at the exit of the process at the latest."""

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from otel_costs import outbox, telemetry


class OpenCall:
    """A call under way. It holds no reference to what the application holds, so that this can be collected."""

    def __init__(self) -> None:
        self._ended = threading.Lock()
        _end_at_exit()
        _open.add(self)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._ended.locked()

    def close(self, reason: str) -> outbox.Job:
        """Note that nothing more will be known, and why; return what is left to do. It may be in a finalizer."""
        raise NotImplementedError

    def end(self, job: Callable[[], outbox.Job], put: Callable[[outbox.Job], object] = outbox.put) -> None:
        """Put what `job` returns, unless the call has ended before. Never raises."""
        if not self._ended.acquire(blocking=False):
            return
        _open.discard(self)
        try:
            put(job())
        except Exception as error:  # noqa: BLE001
            telemetry.complain_once("bug:speech", "otel_costs could not finish a call of Azure Speech", error=error)

    def give_up(self, reason: str) -> None:
        """End it with what is known."""
        self.end(partial(self.close, reason))

    def give_up_from_finalizer(self, reason: str) -> None:
        """End it as the collector wants it: whatever else is to be done is done later, by somebody else."""
        self.end(partial(self.close, reason), outbox.put_from_finalizer)

    def forget(self) -> None:
        """Leave the end to somebody else: after a fork, to the parent."""
        self._ended.acquire(blocking=False)


def when_collected(owner: Any, ending: Callable[[], object]) -> None:
    """Have `ending` called when `owner` is collected, by nobody else; it must not refer to it."""
    outbox.open_for_finalizers()
    weakref.finalize(owner, ending).atexit = False


_open: set[OpenCall] = set()


@cache
def _end_at_exit() -> None:
    # The first call comes after `instrument`, and what is registered later runs earlier: before the last flush.
    atexit.register(_end_open)


def _end_open() -> None:
    for call in tuple(_open):
        call.give_up("process_ended")


def _leave_to_parent() -> None:
    for call in tuple(_open):
        call.forget()
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
