"""Work that need not be done inside the user's call: reading, pricing and writing what it used, in a thread of ours.

A span, a ledger record, messages and metrics cost several times what a user's call may be made longer by. So a call
only notes its times and keeps the bytes of its answer, and a job does the rest a moment later. In a program that mostly
waits, a thread of ours does it meanwhile. In one that keeps a processor busy a thread would but take the interpreter
from the application and give it back, so the call that puts the `BATCH`th does them all: one after the other they cost
half of what each would by itself, unless code of others runs in them that may wait: a redactor, an exporter that sends
each record at once. Nothing is dropped, unless a job never comes back. A flush or a shutdown of a provider does them
first, in its own thread: what a signal handler of the application raises meanwhile is raised there.
"""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from otel_costs.runtime import signal_handlers, telemetry
from otel_costs.runtime.patching import Patches

Job = Callable[[], object]

BATCH: Final = 16
"""Jobs that may wait for the thread; the call that puts one more does them."""

BATCH_S: Final = 0.002
"""How long a call that puts a job may spend on jobs: those that are left wait for the next."""

SLOW_S: Final = 0.05
"""A job that takes longer waits for something, such as an exporter that sends each record at once."""

ALONE_S: Final = 5.0
"""How long calls leave their jobs to the thread after a slow one, unless `BATCH` in a row are quick: on a busy
machine any job may wait for a processor. After one that took longer than a hundredth of it, longer."""

ALONE_TIMES: Final = 100
"""As many times as long as the slow one took, if that is more."""

LIMIT: Final = 512
"""Jobs that may wait while a thread is busy with one; a job may hold the bytes of an answer."""

WAIT_S: Final = 1.0
"""How long a call that puts a job past the limit waits for the one under way: a redactor may never come back."""

MOST: Final = 16 * LIMIT
"""Jobs that are kept while one does not come back."""

DRAIN_S: Final = 3.0

GATHER_S: Final = 0.05
"""How long jobs gather before they are done: a thread that wakes for each takes the interpreter from the next call."""

QUIET_S: Final = 0.05
"""Without a new job for so long, the application waits for something, and leaves the interpreter to us. A hundred tasks
that go on together bring theirs in bursts, with so long a pause while they ask again."""

PATIENCE_S: Final = 0.5
"""How long no job is done at most where the application never waits, and brings too few to do them itself."""

POLL_S: Final = 5.0
"""How long a stream that was dropped unread waits at most, where nothing else is done."""

REST_S: Final = 0.0001
"""Pause after a job: else the thread takes the interpreter back before the application gets it, for up to 5 ms."""


_STUCK: Final = (
    "What is done after a call has not come back for %.0f s, a redactor or an exporter, say: calls are not recorded "
    "meanwhile, and those past the next %d are lost."
)


class JobQueue:
    """A queue of jobs and the daemon thread that does them, one after the other, in the order they came."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew, with no job and no thread: those that a fork copied are the parent's."""
        self._jobs: deque[Job] = (
            deque()
        )  # append is atomic: a finalizer may call it while its thread is in the middle of it
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._waiting = threading.Event()
        self._busy = threading.Lock()
        self._doing = 0  # the thread that does a job, by its id
        self._put_at = self._done_at = self._alone_until = 0.0
        self._quick = 0  # jobs in a row that were not slow
        self._paused = False
        self._is_stuck = False  # the job under way has not come back for WAIT_S

    def waiting(self) -> int:
        """How many jobs are not done, the one under way among them."""
        return len(self._jobs) + self._busy.locked()

    def is_working(self) -> bool:
        """Whether this thread is in the middle of a job."""
        return self._doing == threading.get_ident()

    def open(self) -> bool:
        """Start the thread if it does not run, and return whether it does; it may not when the interpreter ends.

        A finalizer cannot start it: call this before there is one that puts a job.
        """
        if self._thread is not None and self._thread.is_alive():
            return True
        if sys.is_finalizing():
            return False  # `start` would wait for ever
        with self._starting:
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
        if self._is_stuck and len(self._jobs) >= MOST:
            return
        self._jobs.append(job)
        self._put_at = time.perf_counter()
        waiting = len(self._jobs)
        if waiting > LIMIT or (waiting >= BATCH and self._put_at >= self._alone_until):
            if self._put_at < self._alone_until or may_wait():
                self._leave_to_thread()
            else:
                self._do_batch()
        elif not self._waiting.is_set():
            if self.open():
                self._waiting.set()
            else:
                self.drain()

    def put_from_finalizer(self, job: Job) -> None:
        """Have the job done with the next one that is put, at the next drain, or after a few seconds.

        It is queued and nothing else: a finalizer may run inside any allocation, with any lock held.
        """
        self._jobs.append(job)

    def drain(self, timeout_s: float = DRAIN_S) -> bool:
        """Do what waits, here and now, and return whether all is done. Within a job it does nothing.

        What a signal handler of the application raises meanwhile is raised.
        """
        if self.is_working():
            return False
        end = time.monotonic() + timeout_s
        while (left_s := end - time.monotonic()) > 0:
            if self._jobs:
                self._do_oldest(left_s)
                continue
            # The last job may still be under way in the thread, and a finalizer may put one meanwhile.
            if not self._busy.acquire(timeout=left_s):
                return False
            self._busy.release()
            if not self._jobs:
                return True
        return self.waiting() == 0

    def pause(self) -> None:
        """Wait for the job that is under way, and let none begin before `resume`.

        A fork in the middle of one would leave the child with locks that are never released, an import's among them.
        """
        if not self.is_working():
            self._paused = self._busy.acquire(timeout=DRAIN_S)

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._paused:
            self._paused = False
            self._busy.release()

    def _leave_to_thread(self) -> None:
        """Let the thread do what waits, at once; past the limit, wait for the job under way, unless that is stuck."""
        if self.is_working():
            return
        if not self.open():
            self.drain()
            return
        self._alone_until = max(self._alone_until, self._put_at + ALONE_S)
        self._waiting.set()
        if len(self._jobs) > LIMIT and not self._is_stuck:
            if self._busy.acquire(timeout=WAIT_S):
                self._busy.release()
            else:
                self._warn_stuck()

    def _warn_stuck(self) -> None:
        self._is_stuck = True
        telemetry.warn_once("stuck", _STUCK, WAIT_S, MOST)

    def _do_batch(self) -> None:
        """Do what waits for at most `BATCH_S`, unless another thread does; past the limit, wait for it."""
        if self.is_working():
            return
        waits = len(self._jobs) > LIMIT and not self._is_stuck
        if not self._do_oldest(WAIT_S if waits else 0, BATCH_S) and waits:
            self._warn_stuck()

    def _do_oldest(self, wait_s: float = -1, for_s: float = 0) -> bool:
        """Do the oldest job, one at a time in the whole process; go on for `for_s` seconds while they are quick.

        Return whether it was our turn within `wait_s` seconds; below 0 it is waited for.
        """
        if not self._busy.acquire(timeout=wait_s):
            return False
        self._doing = threading.get_ident()
        begun = time.perf_counter()
        end = begun + for_s
        try:
            try:
                while self._jobs:
                    _do(self._jobs.popleft())
                    began, begun = begun, time.perf_counter()
                    if (took := begun - began) > SLOW_S:
                        self._alone_until, self._quick = begun + max(ALONE_S, ALONE_TIMES * took), 0
                        break
                    self._quick += 1
                    if self._quick >= BATCH:
                        self._alone_until = 0.0
                    if begun >= end:
                        break
            finally:
                _do(telemetry.count_gathered)
        finally:
            self._done_at = time.perf_counter()
            self._doing = 0
            self._is_stuck = False
            self._busy.release()
        return True

    def _work(self) -> None:
        while True:
            # A finalizer cannot wake the thread: it looks by itself from time to time.
            if not self._waiting.wait(POLL_S) and not self._jobs:
                continue
            self._wait_for_quiet()
            self._waiting.clear()
            # What comes meanwhile waits for the next time: in the midst of many calls the calls do their jobs.
            for _ in range(len(self._jobs)):
                self._do_oldest()
                if len(self._jobs) < LIMIT // 4:
                    time.sleep(REST_S)
            if self._jobs:
                self._waiting.set()

    def _wait_for_quiet(self) -> None:
        """Wait while jobs come in one after the other: the calls that put them will do them."""
        begun = time.perf_counter()
        time.sleep(GATHER_S)
        while (now := time.perf_counter()) - self._put_at < QUIET_S:
            overdue_at = max(begun, self._done_at) + PATIENCE_S
            if not self._alone_until <= now < overdue_at:
                return
            # To look takes the interpreter, which a busy application has to hand over: the thread would stand in
            # line for it most of the time, and be woken whenever the application lets go of it for a moment.
            time.sleep(overdue_at - now if self._done_at > begun else QUIET_S / 2)


def _do(job: Job) -> None:
    try:
        job()
    except BaseException as error:  # an exporter may raise anything, SystemExit too
        telemetry.warn_once("bug:job", "otel_costs could not record a call", error=error)
        if signal_handlers.raised(error):
            raise


def may_wait() -> bool:
    """Return whether jobs run code of others that may wait for something."""
    return any(asked() for asked in foreign) or telemetry.exports_at_once()


foreign: Final[list[Callable[[], bool]]] = []
"""Functions that return whether jobs run code of others now."""

_queue: Final = JobQueue()
"""That of the process."""

put: Final = _queue.put
put_from_finalizer: Final = _queue.put_from_finalizer
open_for_finalizers: Final = _queue.open
drain: Final = _queue.drain
is_working: Final = _queue.is_working
waiting: Final = _queue.waiting


def install(patches: Patches) -> None:
    """Have the jobs done before a provider of the SDK is flushed or shut down: by an exit handler, a Lambda, a test."""
    for module, provider in (
        ("opentelemetry.sdk.trace", "TracerProvider"),
        ("opentelemetry.sdk.metrics", "MeterProvider"),
        ("opentelemetry.sdk._logs", "LoggerProvider"),
    ):
        for method in ("force_flush", "shutdown"):
            patches.wrap(module, f"{provider}.{method}", _drained)


def _drained(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    drain()
    return wrapped(*args, **kwargs)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_queue.pause, after_in_parent=_queue.resume, after_in_child=_queue.renew)
