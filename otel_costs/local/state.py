"""How the store is: whether it stores, what it refused, and which parts of its data are damaged."""

import json
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from otel_costs.local import limits
from otel_costs.local.ingest import Ingest
from otel_costs.store import damage
from otel_costs.store.backups import unfinished
from otel_costs.store.damage import Damaged
from otel_costs.store.embedded import Engine, EngineError

_logger: Final = logging.getLogger("otel_costs")

_CHECK_MARK: Final = "otel-costs-check"
_CHECK: Final = {limits.MARK: _CHECK_MARK, "max_threads": "1", "max_local_read_bandwidth": str(100 * 2**20)}
_DAY_S: Final = 86_400.0
_TRIES: Final = 25  # to end the check, five in a second
_AGAIN_S: Final = 600.0  # between two checks because of an error

_MISDATED: Final = "SELECT sum(calls) FROM misdated_calls"
_SPANS_OF_OTHERS: Final = (
    "SELECT count() FROM spans_of_others(user = NULL, since = NULL, until = NULL) SETTINGS max_execution_time = 5"
)
_REFRESHES: Final = (
    "SELECT view, exception FROM system.view_refreshes WHERE exception != '' AND database = currentDatabase()"
)


class State:
    """The state of the store over `engine`. Data is checked in a thread: at the start, daily, and after an error."""

    def __init__(self, engine: Engine, ingest: Ingest, notices: Sequence[str] = ()) -> None:
        self._engine = engine
        self._ingest = ingest
        self._notices = list(notices)
        self._unreadable: list[Damaged] = []
        self._checked: datetime | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-costs-check", daemon=True)

    def start(self) -> None:
        """Begin to check."""
        self._thread.start()

    def stop(self) -> None:
        """Break the check off."""
        self._stopping.set()
        self._wake.set()
        for _ in range(_TRIES):
            if not self._thread.is_alive():
                break
            with suppress(EngineError):
                limits.end(self._engine, _CHECK_MARK)
            self._thread.join(0.2)

    def failed(self, error: EngineError) -> None:
        """Check the data again when a damaged part may be the cause of `error`."""
        if error.code in damage.CODES:
            self._wake.set()

    def report(self) -> dict[str, Any]:
        """Return the state, as JSON has it. None: not known."""
        trouble = self._ingest.trouble
        return {
            "storing": not trouble,
            "trouble": trouble,
            "refused_records": self._ingest.refused,
            "misdated_calls": self._number(_MISDATED),
            "damaged_parts": [
                {"table": one.table, "part": one.part, "rows": one.rows, "why": one.why, "detached": one.detached}
                for one in [*damage.detached(self._engine), *self._unreadable]
            ],
            "checked_at": self._checked and self._checked.isoformat(timespec="seconds"),
            "spans_of_others": self._number(_SPANS_OF_OTHERS),
            "failed_views": self._failed_views(),
            "unfinished": self.unfinished(),
            "notices": self._notices,
        }

    def unfinished(self) -> list[str]:
        """Return a notice for each restore and move into the store that runs, or was cut: not all of it is there."""
        try:
            found = self._engine.execute(unfinished.STAGED)
        except EngineError:
            return []
        return [unfinished.explanation(name) for name in found.decode().split()]

    def _number(self, sql: str) -> int | None:
        try:
            return int(self._engine.execute(sql))
        except (EngineError, ValueError):
            return None

    def _failed_views(self) -> list[str]:
        try:
            found = self._engine.execute(_REFRESHES, output_format="JSONEachRow")
        except EngineError:
            return []
        return [json.loads(line)["view"] for line in found.splitlines()]

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._check()
            except Exception as error:  # noqa: BLE001 - the next check has its own try; `checked_at` stays what it was
                if not self._stopping.is_set():
                    _logger.error("the check of the data failed: %s", type(error).__name__)
            self._wake.wait(_DAY_S)
            self._wake.clear()
            # Not by `_wake`, which the next error sets.
            self._stopping.wait(started + _AGAIN_S - time.monotonic())

    def _check(self) -> None:
        found: list[Damaged] = []
        for one in damage.check(self._engine, _CHECK):
            found.append(one)
            if one not in self._unreadable:
                _logger.warning("%s", one)
            self._unreadable = [*found, *(old for old in self._unreadable if old not in found)]
        if not self._stopping.is_set():
            self._unreadable = found
            self._checked = datetime.now(UTC)
