"""Work that need not be done inside the user's call: reading, pricing and writing what it used, in a thread of ours.

A span, a ledger record, messages and metrics cost several times what a user's call may be made longer by. So a call
only notes its times and keeps the bytes of its answer, and a job does the rest a moment later. Nothing is dropped:
when `LIMIT` jobs wait, the next is done by who brings it. Whoever flushes or shuts down a provider waits for the jobs first.
"""

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from otel_costs import telemetry

Job = Callable[[], object]

LIMIT: Final = 512
"""Jobs that may wait; a job may hold the bytes of an answer."""

DRAIN_S: Final = 3.0


class Outbox:
    """A queue of jobs and the daemon thread that does them, one after the other, in the order they came."""

    def __init__(self) -> None:
        # SimpleQueue.put is reentrant: a finalizer may call it while the same thread is in the middle of it.
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def open(self) -> bool:
        """Start the thread if it does not run, and return whether it does; it may not when the interpreter ends."""
        if self._thread is not None and self._thread.is_alive():
            return True
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._work, name="otel_costs", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        return True

    def put(self, job: Job) -> None:
        """Have the job done soon; never raises, and neither does the job into here."""
        if self._jobs.qsize() < LIMIT and self.open():
            self._jobs.put(job)
        else:
            _do(job)

    def put_from_finalizer(self, job: Job) -> None:
        """Queue the job and nothing else: a finalizer may run inside any allocation, with any lock held."""
        self._jobs.put(job)

    def drain(self, timeout_s: float = DRAIN_S) -> bool:
        """Wait until all that was put so far is done; return whether it is. Within a job it does not wait."""
        if threading.current_thread() is self._thread:
            return False
        if self._jobs.empty() and self._thread is None:
            return True
        if not self.open():
            self._do_waiting()
            return True
        done = threading.Event()
        self._jobs.put(done.set)
        return done.wait(timeout_s)

    def _do_waiting(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            _do(job)

    def _work(self) -> None:
        while True:
            _do(self._jobs.get())
            # Let go of the interpreter between jobs: the application waits for one of them at most, not for all.
            time.sleep(0)


def _do(job: Job) -> None:
    try:
        job()
    except Exception as error:  # noqa: BLE001
        telemetry.complain_once("bug:job", "otel_costs could not record a call", error=error)


_outbox = Outbox()


def put(job: Job) -> None:
    """Have the job done soon, in a thread of ours."""
    _outbox.put(job)


def open_for_finalizers() -> None:
    """Start the thread now, since a finalizer cannot."""
    _outbox.open()


def put_from_finalizer(job: Job) -> None:
    """Have the job done with the next one that is put, or at the next drain."""
    _outbox.put_from_finalizer(job)


def drain(timeout_s: float = DRAIN_S) -> bool:
    """Wait for what was put so far, at most `timeout_s` seconds; return whether it is done."""
    return _outbox.drain(timeout_s)


def _renew() -> None:
    # The jobs that a fork copied are the parent's, which does them; its thread was not copied.
    global _outbox
    _outbox = Outbox()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
