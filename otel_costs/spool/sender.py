"""A thread that sends what lies in the spool, and deletes it when it was acknowledged; never before."""

import sys
import threading
import time
from pathlib import Path
from typing import Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_costs.runtime import decision_log, telemetry
from otel_costs.semconv import ENV_SPOOL
from otel_costs.spool import delivery, refusals, segments
from otel_costs.spool.segments import OrphanFolder, Writer

REQUEST_BYTES: Final = 2**20
GATHER_S: Final = 0.1
"""How long records gather before they are sent."""

_RETRY_S: Final = (0.5, 10.0)  # from, to; twice as long each time
_POLL_S: Final = 60.0  # between looks for what processes left that are gone
_REFUSING_S: Final = 60.0
"""How long a collector that refuses everything is thought to be set up wrongly, and not the records."""

Folder = Writer | OrphanFolder


class Spool:
    """Records of this process on disk below `root`, on their way to the collector."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._writer: Writer | None = None
        self._thread: threading.Thread | None = None
        self._opening = threading.Lock()
        self._changed = threading.Condition()
        self._waiting = True  # there may be something that others left
        self._wanted = 0  # flushes that wait
        self._failures = 0  # of all requests, ever
        self._refusing_since: float | None = None  # by `time.monotonic`: nothing at all was taken since
        self._closed = False
        self._send: delivery.Send | None = None

    def open(self) -> bool:
        """Make the folder and start the thread; return whether both are there. Says once what is wrong."""
        if self._writer is not None and self._thread is not None and self._thread.is_alive():
            return True
        if sys.is_finalizing():
            return self._writer is not None
        with self._opening:
            try:
                self._writer = self._writer or Writer(self._root)
            except OSError as error:
                telemetry.warn_once(
                    "spool:open",
                    "The folder %s (%s) cannot be used: %s. Ledger records go through the SDK's queue.",
                    self._root,
                    ENV_SPOOL,
                    error.strerror,
                )
                return False
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="otel_costs spool", daemon=True)
                self._thread.start()
        return True

    def keep(self, record: bytes) -> bool:
        """Write a record to disk and return whether it is there."""
        if not self.open() or self._writer is None:
            return False
        try:
            kept = self._writer.append(record)
        except OSError:
            kept = False
        if not kept:
            telemetry.warn_once(
                "spool:full", "The spool in %s is full: ledger records go through the SDK's queue.", self._root
            )
        elif not self._waiting:
            with self._changed:
                self._waiting = True
                self._changed.notify_all()
        return kept

    def flush(self, timeout_s: float) -> bool:
        """Wait until all of this process is sent, or the collector does not take it; return whether it is sent."""
        if self._writer is None or self._thread is None or not self._thread.is_alive():
            return self._is_empty()
        end = time.monotonic() + timeout_s
        with self._changed:
            failures = self._failures
            self._waiting = True
            self._wanted += 1
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._is_empty() or self._failures > failures, max(0.0, end - time.monotonic())
            )
            self._wanted -= 1
        return self._is_empty()

    def close(self) -> None:
        """Flush, end the thread, and leave what is left to the next process."""
        self.flush(3.0)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(3.0)
        if self._writer is not None:
            self._writer.remove()
            self._writer = None

    def for_child(self) -> "Spool":
        """Return the spool of a forked child: a folder of its own."""
        if self._writer is not None:
            self._writer.abandon()
        return Spool(self._root)

    def _is_empty(self) -> bool:
        return self._writer is None or not segments.segments(self._writer.folder)

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # our own requests are no spans
        pause_s, poll_at = _RETRY_S[0], 0.0
        while not self._closed:
            try:
                self._waiting = False
                if self._writer is not None:
                    self._send_all(self._writer)
                if time.monotonic() >= poll_at:
                    poll_at = time.monotonic() + _POLL_S
                    self._send_left()
                pause_s = _RETRY_S[0]
                self._rest(None, GATHER_S)
            except Exception as error:  # noqa: BLE001  # the thread must not end: the disk may be back in a minute
                telemetry.warn_once("spool:send", "The spool could not be sent, and is kept", error=error)
                poll_at = 0.0
                with self._changed:
                    self._failures += 1
                    self._changed.notify_all()
                self._rest(pause_s, 0.0)
                pause_s = min(2 * pause_s, _RETRY_S[1])

    def _rest(self, failed_s: float | None, gather_s: float) -> None:
        """Wait for a record, or after a failure for that long; a flush must not wait."""
        with self._changed:
            self._changed.notify_all()
            if failed_s is not None:
                self._changed.wait_for(lambda: self._closed or self._wanted, failed_s)
                return
            self._changed.wait_for(lambda: self._closed or self._waiting, _POLL_S)
            self._changed.wait_for(lambda: self._closed or self._wanted, gather_s)

    def _send_left(self) -> None:
        for left in segments.left(self._root):
            try:
                self._send_all(left)
            finally:
                left.close()

    def _send_all(self, folder: Folder) -> None:
        for segment in segments.segments(folder.folder):
            end = segments.sent(segment)
            while True:
                piece = segments.read(segment, end, REQUEST_BYTES, growing=folder.is_growing(segment))
                if piece.damaged:
                    self._warn_of_damage(segment, piece.damaged)
                if piece.entries:
                    self._deliver(piece.entries)
                if folder.discard(segment, piece.end) or piece.end == end:
                    break
                end = piece.end
                segments.mark_sent(segment, end)

    def _warn_of_damage(self, segment: Path, places: int) -> None:
        kept = segments.set_aside(self._root, segment)
        telemetry.warn_once(
            f"spool:damaged:{segment}",
            "%d damaged places in %s were skipped: at least as many ledger records are lost, the others are sent. %s",
            places,
            segment,
            "A copy lies beside it: otel-costs spool list." if kept else "No copy is kept: too many are there.",
        )

    def _deliver(self, entries: list[bytes]) -> None:
        """Send entries as one request, and put aside what in it is refused.

        Raises UnavailableError if it was not taken, and while a collector refuses everything, for a minute: then it is
        more likely that it is set up wrongly than that all records are.
        """
        if self._send is None:
            self._send = delivery.connect()
        try:
            refused = delivery.send_each(self._send, entries)
        except delivery.UnavailableError as error:
            telemetry.warn_once(
                f"spool:{error}", "The collector does not take the ledger (%s): it is kept in %s", error, self._root
            )
            raise
        if len(refused) < len(entries):
            self._refusing_since = None
            left = {one.entry for one in refused}
            decision_log.sent(delivery.call_ids(one for one in entries if one not in left), "the OTLP endpoint")
        elif refused:
            now = time.monotonic()
            self._refusing_since = self._refusing_since or now
            if now - self._refusing_since < _REFUSING_S:
                raise delivery.UnavailableError(refused[0].reason)
        if refused:
            kept = refusals.put_aside(self._root, refused)
            telemetry.warn_once(
                f"spool:refused:{refused[0].reason}",
                "The collector refuses records (%s): %d of %d are kept in %s. See `otel-costs spool list`.",
                refused[0].reason,
                kept,
                len(refused),
                self._root / refusals.NAME,
            )
