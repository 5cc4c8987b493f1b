"""Rows on their way into the engine: many requests, one insert, and an answer only when it is done.

While one insert runs, requests gather; the next insert takes all of them. So one client alone waits for one insert,
and many clients share it. A client that gives up changes nothing here: what it sent is stored with the rest.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from otel_costs.store.embedded import Engine, EngineError, escape

_logger: Final = logging.getLogger("otel_costs")

GROUP_BYTES: Final = 32 * 2**20
PENDING_BYTES: Final = 256 * 2**20
STUCK_S: Final = 60.0
"""Seconds that one insert may take before the writer counts as stuck."""

_SETTINGS: Final = {
    # Late records of a long outage fall into many days, and a day is a partition.
    "max_partitions_per_insert_block": "0",
    "throw_on_max_partitions_per_insert_block": "0",
    # Calls and messages beside each other: a fifth less time for an insert of 512 records.
    "parallel_view_processing": "1",
}

# What is wrong with a row, and would be wrong at the next try too. Any other code is about the machine or the engine:
# a full disk, memory, too many parts.
_ROW_ERRORS: Final = frozenset(
    {6, 8, 20, 25, 26, 27, 32, 36, 38, 41, 43, 44, 48, 53, 69, 70, 72, 117, 131, 190, 321, 349, 376, 395, 407, 441}
)


# What was refused was answered to its sender: it is not missing.
_NOTE: Final = """
INSERT INTO call_sequences (process_id, service, arrived, seqs, first_time, last_time)
SELECT toFixedString(substring(unhex({process:String}), 1, 16), 16), {service:String},
    toStartOfFiveMinutes(now('UTC')), groupBitmapState({seq:UInt64}), now64(3, 'UTC'), now64(3, 'UTC')
"""


class UnavailableError(Exception):
    """The rows are not stored, and may be sent again: the disk is full, say, or too many wait already."""


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    table: str
    rows: Sequence[bytes]
    done: Future[int] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # A future that runs cannot be cancelled: a request that waits for it may go, but only the writer sets it.
        self.done.set_running_or_notify_cancel()

    @property
    def size(self) -> int:
        return sum(map(len, self.rows))


class Ingest:
    """One thread that writes what `submit` brings. Close it to write what is left.

    `failed` is called, in that thread, when it ends for any other reason; all that wait are answered before.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        pending_bytes: int = PENDING_BYTES,
        failed: Callable[[BaseException], None] = lambda _error: None,
    ) -> None:
        self._engine = engine
        self._pending_bytes = pending_bytes
        self._failed = failed
        self._size = 0
        self._requests: list[_Request] = []
        self._group: list[_Request] = []  # what is being written
        self._since: float | None = None  # since when
        self._last_failure = ("", 0.0)  # why the last group was not stored, and when
        self._closed = False
        self.refused = 0
        """Rows that were refused for what they hold, since the start."""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="otel-costs-ingest", daemon=True)
        self._thread.start()

    def submit(self, table: str, rows: Sequence[bytes]) -> Future[int]:
        """Queue `rows`, lines of JSON, for `table`.

        The future has how many of them were refused for what they are, once all others are stored; or UnavailableError.
        Raises UnavailableError at once when too much waits already, or after `close`.
        """
        request = _Request(table, rows)
        with self._changed:
            if self._closed:
                raise UnavailableError("the server is stopping")
            if self._requests and self._size + request.size > self._pending_bytes:
                raise UnavailableError("too many records wait to be stored")
            self._size += request.size
            self._requests.append(request)
            self._changed.notify()
        return request.done

    @property
    def trouble(self) -> str:
        """What keeps records from being stored, or "": the writer has ended, is stuck, or could not store."""
        since = self._since
        if not self._thread.is_alive() or (self._closed and since is None):
            return "records are not stored any more"
        if since is not None and time.monotonic() - since > STUCK_S:
            return f"an insert has not come back for more than {STUCK_S:.0f} seconds"
        reason, when = self._last_failure
        # Clients send again within that time: when none did, how the next insert will end is unknown.
        return f"the last records were not stored: {reason}" if reason and time.monotonic() - when < STUCK_S else ""

    def close(self, timeout_s: float) -> bool:
        """Write what waits; return whether that was done within `timeout_s`."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while group := self._next():
                self._write(group)
                self._group, self._since = [], None
        except BaseException as error:  # noqa: BLE001 - nothing would be stored any more, without a sign
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        with self._changed:
            self._closed = True
            left = [*self._group, *self._requests]
            self._group, self._since, self._requests = [], None, []
        for request in left:
            if not request.done.done():
                request.done.set_exception(UnavailableError("the store has failed"))
        self._failed(error)

    def _next(self) -> list[_Request]:
        """Wait for requests and return those of one table; none once closed and empty."""
        with self._changed:
            while not self._requests and not self._closed:
                self._changed.wait()
            group: list[_Request] = []
            size = 0
            for request in [other for other in self._requests if other.table == self._requests[0].table]:
                if group and size + request.size > GROUP_BYTES:
                    break
                size += request.size
                group.append(request)
                self._requests.remove(request)
            self._size -= size
            self._group, self._since = group, time.monotonic() if group else None
            return group

    def _write(self, group: Sequence[_Request]) -> None:
        try:
            self._insert(group[0].table, [row for request in group for row in request.rows])
        except EngineError as error:
            for request in group:
                if error.code in _ROW_ERRORS:
                    # A row of one request is no reason to refuse the others: each has a try of its own.
                    self._write_alone(request)
                else:
                    self._fail(request, error)
        except Exception as error:  # noqa: BLE001 - all that wait must get it, and the next group has its own try
            for request in group:
                self._fail(request, error)
        else:
            self._last_failure = ("", 0.0)
            for request in group:
                request.done.set_result(0)

    def _write_alone(self, request: _Request) -> None:
        try:
            refused = self._insert_what_fits(request.table, request.rows)
            self._note(refused)
            self._last_failure = ("", 0.0)
            request.done.set_result(len(refused))
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(request, error)

    def _fail(self, request: _Request, error: Exception) -> None:
        reason = _reason(error)
        self._last_failure = (reason, time.monotonic())
        request.done.set_exception(UnavailableError(reason))

    def _insert_what_fits(self, table: str, rows: Sequence[bytes]) -> list[bytes]:
        """Insert `rows` but for those that the engine refuses for what they are, and return those."""
        try:
            self._insert(table, rows)
        except EngineError as error:
            if error.code not in _ROW_ERRORS:
                raise
            if len(rows) == 1:
                return list(rows)
            middle = len(rows) // 2
            return [row for half in (rows[:middle], rows[middle:]) for row in self._insert_what_fits(table, half)]
        return []

    def _note(self, refused: Sequence[bytes]) -> None:
        """Have `missing_calls` know the calls among refused rows, and count the rows."""
        if not refused:
            return
        self.refused += len(refused)
        _logger.warning("%d records were refused for what they hold, and their sender was told so", len(refused))
        for row in refused:
            if (found := _sequence(row)) is not None:
                # It has been answered for already: a note that cannot be made is no reason to have it sent again.
                with suppress(EngineError):
                    self._engine.execute(_NOTE, parameters=found)

    def _insert(self, table: str, rows: Sequence[bytes]) -> None:
        if rows:
            self._engine.insert(f"INSERT INTO {table}", [b"\n".join(rows)], settings=_SETTINGS)


def _sequence(row: bytes) -> dict[str, str] | None:
    """Return the process, its service and the number of a call's record, as parameters of a query."""
    fields = json.loads(row)
    attributes = fields.get("LogAttributes", {})
    process, seq = attributes.get("otel_costs.process.id", ""), attributes.get("otel_costs.call.seq", "")
    if not process or not seq.isdigit():
        return None
    return {"process": escape(process), "service": escape(fields.get("ServiceName", "")), "seq": seq}


def _reason(error: Exception) -> str:
    """Return why without the error's own text, which may quote a row."""
    if not isinstance(error, EngineError):
        _logger.error("an insert failed: %s", type(error).__name__)
        return f"the store failed: {type(error).__name__}"
    text = error.message.lower()
    if "no space left" in text or "not enough space" in text or "file too large" in text or error.code == 243:
        return "the disk is full"
    return f"the store failed with ClickHouse's error {error.code}"
