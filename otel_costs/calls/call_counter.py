"""How many calls of this process have ended, in a file that outlives it: what is killed cannot say what it loses.

A call has its number when its record is written, a moment after its end, and some calls come to no record. So the file
has the last number that was given, and how many calls ended before and after that: together, the number of the last
call. What was written is the kernel's, whatever becomes of the process; it is not mapped into memory, where a disk that
refuses a write would kill the process. The process has it locked as long as it lives; then `crash_report` reads it.

A file is made in the spool's folder, when the first call ends. Without a spool nothing is counted: each write gives the
interpreter away. Nor is there a file where no exporter says where the ledger goes, nor on Windows, which has no such
lock. Only a line for debugging says so.
"""

import json
import os
import struct
import sys
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Final

from otel_costs.runtime import telemetry
from otel_costs.semconv import ENV_SPOOL, SERVICE_NAME
from otel_costs.values.filelock import identity, locked

SIZE: Final = 4096
"""Bytes of a file."""

_MAGIC: Final = b"calls\x00\x00\x01"
_NUMBERS: Final = struct.Struct("=QQ")  # the last number given; how many calls came to a number or to none
_NUMBERS_AT: Final = len(_MAGIC)
_REPORTED: Final = struct.Struct("=QQ")  # nanoseconds since 1970; how often
_REPORTED_AT: Final = _NUMBERS_AT + _NUMBERS.size
_END: Final = struct.Struct("=QQ")  # the count of calls that ended; nanoseconds since 1970
_ENDS_AT: Final = 64
_ENDS: Final = 64
"""Places for the newest ends: threads that write at the same time do not undo what each other wrote."""
_ABOUT_AT: Final = _ENDS_AT + _ENDS * _END.size

_MAX_SERVICE: Final = 255  # characters, so that it fits
_MAX_SEQ: Final = 2**53  # what no record could carry would take its whole batch with it


@dataclass(frozen=True, slots=True)
class CounterFiles:
    """Where the files of processes are whose ledger goes to one address; `address` is a digest of it."""

    folder: Path
    address: str

    def path(self, process_id: str) -> Path:
        """Return the file of a process; `*` is all of them."""
        return self.folder / f"{process_id}.{self.address}.calls"


@dataclass(frozen=True, slots=True)
class DeadProcess:
    """A process that has ended: its id and service, its last call's number and end, and its reports so far."""

    process_id: str
    service: str
    last_seq: int
    ended_ns: int
    reported_ns: int
    report_count: int

    @classmethod
    def read(cls, file: int) -> "DeadProcess | None":
        """Read a file; None if no call ended, or it is damaged. Raises OSError."""
        raw = os.pread(file, SIZE, 0)
        if len(raw) < SIZE or not raw.startswith(_MAGIC):
            return None
        try:
            about = json.loads(raw[_ABOUT_AT:].rstrip(b"\x00"))
            process_id, service = str(about["process"]), str(about["service"])
        except (ValueError, TypeError, KeyError):
            return None
        given, settled = _NUMBERS.unpack_from(raw, _NUMBERS_AT)
        ended, ended_ns = max(_END.iter_unpack(raw[_ENDS_AT:_ABOUT_AT]))
        last_seq = given + max(0, ended - settled)
        if not 0 < last_seq < _MAX_SEQ:
            return None
        return cls(process_id, service, last_seq, ended_ns, *_REPORTED.unpack_from(raw, _REPORTED_AT))

    def mark_reported(self, file: int, now_ns: int) -> None:
        """Note in the file that it was reported once more. Raises OSError."""
        os.pwrite(file, _REPORTED.pack(now_ns, self.report_count + 1), _REPORTED_AT)


class CallCounter:
    """The count of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.place: CounterFiles | None = None
        """Where its file is, and those of others; None while it has none."""
        self._ended = count(1)
        self._given = self._settled = 0
        self._opening = threading.Lock()
        self._file: int | None = None
        self._identity: tuple[int, int] | None = None

    def ended(self) -> None:
        """Count a call that has ended. Waits for nothing: it may be in a finalizer, or in a signal's handler."""
        number = next(self._ended)
        try:
            if self._file is None:
                if not self._opening.acquire(blocking=False):  # never released: it is tried once
                    return
                self._open()
            self._write(_END.pack(number, time.time_ns()), _ENDS_AT + number % _ENDS * _END.size)
        except Exception as error:  # noqa: BLE001
            self._file = None  # not closed: another thread may be about to write
            telemetry.log.debug("No calls are counted on disk (%s)", type(error).__name__)

    def settled(self, seq: int | None, *, counted: bool = True) -> None:
        """Note what a call came to: the number of its record, None where it needs none. `counted`: it `ended` here."""
        self._settled += counted
        if seq is not None:
            self._given = seq
        if self._file is None:
            return
        try:
            self._write(_NUMBERS.pack(self._given, self._settled), _NUMBERS_AT)
        except OSError:
            self._file = None

    def abandon(self) -> None:
        """Close the file without changing its lock: a forked child's is its parent's."""
        if self._file is not None and identity(self._file) == self._identity:
            os.close(self._file)
        self._file = None

    def for_child(self) -> "CallCounter":
        """Return the counter of a forked child."""
        self.abandon()
        return CallCounter(self._folder)

    def _write(self, data: bytes, at: int) -> None:
        if (file := self._file) is not None and identity(file) == self._identity:
            os.pwrite(file, data, at)

    def _open(self) -> None:
        provider: Any = telemetry.current().global_or_given()[2]
        if (address := _address(provider)) is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place, process_id = CounterFiles(self._folder, address), telemetry.process.id
        about = {"process": process_id, "service": _service(provider)}
        file = _made(place.path(process_id), json.dumps(about).encode())
        self._identity, self.place = identity(file), place
        self._file = file


def _made(path: Path, about: bytes) -> int:
    """Make a file, and lock it before others see it. All of it is written: later there may be no room."""
    new = path.with_suffix(".new")
    lock = locked(new, make=True)
    assert lock is not None  # noqa: S101  # no other process knows the name
    try:
        if os.write(lock, (_MAGIC.ljust(_ABOUT_AT, b"\x00") + about).ljust(SIZE, b"\x00")) != SIZE:
            raise OSError("the disk is full")
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        os.close(lock)
        raise
    return lock


def _address(provider: Any) -> str | None:
    """Return a digest of the endpoints of the provider's exporters; None where they are unknown, or nothing is sent.

    Only a process that sends to the same endpoints may report what is missing there. The names are those of the SDK
    since 1.40.
    """
    if getattr(provider, "_disabled", False):
        return None
    processors = getattr(getattr(provider, "_multi_log_record_processor", None), "_log_record_processors", ())
    exporters = [getattr(getattr(each, "_batch_processor", each), "_exporter", None) for each in processors]
    found = {endpoint for each in exporters if isinstance(endpoint := getattr(each, "_endpoint", None), str)}
    return sha256("\n".join(sorted(found)).encode()).hexdigest()[:16] if found else None


def _service(provider: Any) -> str:
    found = getattr(getattr(provider, "_resource", None), "attributes", {}).get(SERVICE_NAME)
    return found[:_MAX_SERVICE] if isinstance(found, str) else ""


own: CallCounter | None = None
"""That of this process; None where nothing is counted."""


def start() -> None:
    """Count the calls of this process from now on, if the environment names a spool."""
    global own
    spool = os.environ.get(ENV_SPOOL, "").strip()
    if spool and own is None and sys.platform != "win32":
        own = CallCounter(Path(spool).absolute())


def stop() -> None:
    """Count no more; what was counted stays in the file."""
    global own
    if own is not None:
        own.abandon()
        own = None


def _renew() -> None:
    global own
    if own is not None:
        own = own.for_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
