"""Requests of our own threads, which a fork waits for: one that came in their middle would leave locks to the child.

OpenSSL takes locks of the whole process, where digests and connections are made. A child of a fork that finds one taken
waits for a thread that it does not have, with the first digest of its own.
"""

import os
import threading
import time
import weakref
from types import TracebackType
from typing import Final

SETTLE_S: Final = 0.5
"""Seconds from the beginning of a request, after which it waits for its server: no fork waits for that."""

_gates: "weakref.WeakSet[ForkGate]" = weakref.WeakSet()


class ForkGate:
    """What one thread of ours holds during a request; a fork in another thread waits for it, `SETTLE_S` at most."""

    def __init__(self) -> None:
        self._held = threading.Lock()
        self._begun_at = 0.0
        self._is_ours = False  # whether a fork holds it
        _gates.add(self)

    def __enter__(self) -> None:
        self._begun_at = time.monotonic()
        self._held.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.release()

    def pause(self) -> None:
        """Wait until no request has just begun, and let none begin."""
        self._is_ours = self._held.acquire(timeout=max(0.0, self._begun_at + SETTLE_S - time.monotonic()))

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._is_ours:
            self._is_ours = False
            self._held.release()

    def renew(self) -> None:
        """Forget who held it: the child of a fork has one thread, which holds none."""
        self._is_ours = False
        self._held = threading.Lock()


def _pause() -> None:
    for gate in list(_gates):
        gate.pause()


def _resume() -> None:
    for gate in list(_gates):
        gate.resume()


def _renew() -> None:
    for gate in list(_gates):
        gate.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause, after_in_parent=_resume, after_in_child=_renew)
