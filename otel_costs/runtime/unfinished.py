"""What has begun and has no end yet: bodies, sockets, recognitions. It ends with the process at the latest.

A forked child ends nothing of it: that is its parent's.
"""

import atexit
import os
import time
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol

from otel_costs.runtime import background

WAIT_S: Final = 0.5
"""How long the end of all waits for a thread in the middle of something that is open."""


class Unfinished(Protocol):
    """Something that has begun: `add` it then, and `discard` it when it ends."""

    def end_with_process(self, wait_s: float) -> None:
        """End it with what is known, once, and leave what is to be done to `background.put_from_finalizer`.

        It may be called while another thread stands still in the middle of anything: wait for none longer than `wait_s`
        seconds. Never raises.
        """
        ...

    def forget(self) -> None:
        """Leave the end to another process: after a fork, to the parent."""
        ...


_open: set[Unfinished] = set()


discard: Final = _open.discard
"""Called with what has ended."""


def add(found: Unfinished, owner: Any = None, ending: Callable[[], object] | None = None) -> None:
    """Have it ended with the process, unless it ends before; by `ending` when its `owner` is collected."""
    _end_at_exit()
    _open.add(found)
    if ending is not None:
        when_collected(owner, ending)


def when_collected(owner: Any, ending: Callable[[], object]) -> None:
    """Have `ending` called when `owner` is collected, and only then; it must not refer to it."""
    background.open_for_finalizers()
    weakref.finalize(owner, ending).atexit = False


def end_all(within_s: float = WAIT_S) -> None:
    """End what is open: first all that is idle, then, within so many seconds, what a thread is busy with."""
    until = time.monotonic() + within_s
    for found in _now():
        found.end_with_process(0)
    for found in _now():
        found.end_with_process(max(0.0, until - time.monotonic()))


def _leave_to_parent() -> None:
    for found in _now():
        found.forget()
    _open.clear()


def _now() -> set[Unfinished]:
    # Not `tuple`, which a finalizer can disturb: it may come when the tuple is made, and discard.
    return _open.copy()


@cache
def _end_at_exit() -> None:
    # What is registered later runs earlier: before the exit handlers that were there when the first thing was opened.
    # Among those may be one of the application's that shuts its providers down.
    atexit.register(end_all)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
