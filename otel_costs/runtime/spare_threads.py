"""Threads that wait for work, for the moments when none can be started.

Python 3.12 starts no thread any more once the interpreter ends, and a signal handler that started one might wait for
a lock of `threading` that the interrupted thread holds.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from otel_costs.runtime import telemetry

THREADS: Final = 4
"""One for each provider, and one for the flush from a signal handler."""


class SpareThreads:
    """Daemon threads that do what they are given, side by side."""

    def __init__(self) -> None:
        # SimpleQueue.put is reentrant: a signal may come in the middle of it.
        self._work: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, name="otel_costs spare", daemon=True) for _ in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, actions: Iterable[Callable[[], Any]], until: float) -> bool:
        """Do the actions side by side; return whether all are done at `until`, a time of `time.monotonic`."""
        done = []
        for action in actions:
            done.append(threading.Event())
            self._work.put(partial(_do, action, done[-1]))
        return all(event.wait(max(0.0, until - time.monotonic())) for event in done)

    def dismiss(self) -> None:
        """Let the threads end when their work is done."""
        for _ in self._threads:
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _do(action: Callable[[], Any], done: threading.Event) -> None:
    try:
        action()
    except BaseException as error:  # noqa: BLE001  # an exporter may raise anything, and the thread is needed again
        telemetry.warn_once("flush", "otel_costs could not flush", error=error)
    finally:
        done.set()
