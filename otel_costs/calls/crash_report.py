"""Processes that are gone: what their counters say is written to the ledger, by whichever process comes after.

The SDK tells nobody what was delivered: a record waits in a queue, and an outage or the end of this process loses it.
So a process is told of three times, a minute and then ten after the time before, by whoever is there; only then its
file is deleted. The store takes the highest number: to hear it again changes nothing.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from opentelemetry.context import Context

from otel_costs import semconv as names
from otel_costs.calls.call_counter import CounterFiles, DeadProcess
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize
from otel_costs.values.filelock import locked

POLL_S: Final = 60.0
"""Between two polls of a process."""

TELLINGS_S: Final = (0, 60, 600)
"""How long after the time before a process is told of again; after the last, never more."""

MOST: Final = 64
"""Processes told of at one poll: they wait in the same queue as calls, which drops what is too much."""

_poll_at = 0.0


@telemetry.never_raises("tell of processes that are gone")
def poll(counters: CounterFiles) -> None:
    """Tell of those in `counters` that are due: when first called, after a call's record, then once a minute."""
    global _poll_at
    if (now := time.monotonic()) < _poll_at:
        return
    _poll_at = now + POLL_S
    told = 0
    for path in counters.folder.glob(counters.path("*").name):
        with contextlib.suppress(OSError):  # another process was faster
            told += _visited(path)
        if told == MOST:
            break


def _visited(path: Path) -> bool:
    """Tell of a process if it is gone and that is due, and return whether it was told."""
    if (file := locked(path)) is None:
        return False
    try:
        left, now_ns = DeadProcess.read(file), time.time_ns()
        if left is None or left.tellings >= len(TELLINGS_S):
            path.unlink()
            return False
        if now_ns < left.told_ns + TELLINGS_S[left.tellings] * 10**9:
            return False
        _tell(left)
        left.told(file, now_ns)
        if left.tellings + 1 == len(TELLINGS_S):
            path.unlink()
        return True
    finally:
        os.close(file)


def _tell(left: DeadProcess) -> None:
    record = {
        names.EVENT_NAME: names.PROCESS_EVENT,
        names.PROCESS_ID: sanitize.identifier(left.process_id),
        names.PROCESS_LAST_SEQ: left.last_seq,
        names.SERVICE_NAME: sanitize.identifier(left.service),
    }
    telemetry.emit(names.PROCESS_EVENT, record, timestamp_ns=left.ended_ns, context=Context())


def _forget() -> None:
    global _poll_at
    _poll_at = 0.0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
