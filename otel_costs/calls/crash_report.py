"""Processes that are gone: what their counters say is written to the ledger, by whichever process comes after.

The SDK does not report what was delivered: a record waits in a queue, and an outage or the end of this process loses
it. So a process is reported three times, a minute and then ten after the time before, by any process that runs; only
then its file is deleted. The store takes the highest number: a second report changes nothing.
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

REPORTS_S: Final = (0, 60, 600)
"""How long after the time before a process is told of again; after the last, never more."""

MOST: Final = 64
"""Processes reported at one poll: they wait in the same queue as calls, which drops what is too much."""

_poll_at = 0.0


@telemetry.never_raises("tell of processes that are gone")
def poll(counters: CounterFiles) -> None:
    """Report the processes in `counters` that are due: at the first call, after a call's record, then once a minute."""
    global _poll_at
    if (now := time.monotonic()) < _poll_at:
        return
    _poll_at = now + POLL_S
    reported = 0
    for path in counters.folder.glob(counters.path("*").name):
        with contextlib.suppress(OSError):  # another process was faster
            reported += _report_if_due(path)
        if reported == MOST:
            break


def _report_if_due(path: Path) -> bool:
    """Report a process if it is gone and that is due, and return whether it was reported."""
    if (file := locked(path)) is None:
        return False
    try:
        left, now_ns = DeadProcess.read(file), time.time_ns()
        if left is None or left.report_count >= len(REPORTS_S):
            path.unlink()
            return False
        if now_ns < left.reported_ns + REPORTS_S[left.report_count] * 10**9:
            return False
        _report(left)
        left.mark_reported(file, now_ns)
        if left.report_count + 1 == len(REPORTS_S):
            path.unlink()
        return True
    finally:
        os.close(file)


def _report(left: DeadProcess) -> None:
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
