"""Records in files: a folder for each process that writes, and a lock in it as long as that process lives.

A segment is a file of entries: length and CRC-32 (four bytes each, big-endian), then the bytes of an OTLP request with
one record. Requests in protobuf are joined by joining their bytes. Beside a segment stands how much of it was
acknowledged (`.sent`), so that only a request that was cut off is sent twice: the store counts a call once.
A segment is deleted when all of it was acknowledged.
"""

import contextlib
import os
import stat
import struct
import threading
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from otel_costs.values.filelock import identity, locked

SEGMENT_BYTES: Final = 2**20
LIMIT_BYTES: Final = 256 * 2**20
"""Of all processes together. What does not fit goes the SDK's way, and may be lost."""

PREFIX: Final = "otel_costs-"

DAMAGED_BYTES: Final = 16 * 2**20
"""Of segments with damaged entries, which are set aside for people; more are deleted."""

_HEAD: Final = struct.Struct(">II")
_SENT: Final = struct.Struct(">QI")  # the place, and its CRC-32: what is damaged must not say that all was sent
_LOCK: Final = "lock"
_FIRST_BYTE: Final = 0x0A  # of every entry: the tag of `resource_logs`, the only field of an OTLP request for logs


class Writer:
    """The folder of this process below `root`. One thread may append while another one reads and deletes."""

    def __init__(self, root: Path) -> None:
        """Make and lock it. Raises OSError."""
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = root / f".{PREFIX}{uuid.uuid4().hex}"
        made.mkdir(mode=0o700)
        self.lock = _locked(made)
        assert self.lock is not None  # noqa: S101  # no other process knows the name yet
        self.folder = made.rename(root / made.name[1:])
        self._lock_identity = identity(self.lock)
        self._changing = threading.Lock()
        self._file: int | None = None
        self._identity: tuple[int, int] | None = None
        self._size = self._number = 0

    def append(self, payload: bytes) -> bool:
        """Write an entry, and return whether it is there: the folder may be full, or the disk. Raises OSError."""
        entry = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        with self._changing:
            self._poll()
            if self.lock is None or (self._file is None and not self._opened()):
                return False
            assert self._file is not None  # noqa: S101
            try:
                written = os.write(self._file, entry)
            except OSError:
                written = 0
            if written != len(entry):
                os.ftruncate(self._file, self._size)
                return False
            self._size += written
            if self._size >= SEGMENT_BYTES:
                self._end_segment()
            return True

    def discard(self, segment: Path, end: int) -> bool:
        """Delete a segment that was sent up to `end`; return False if there is more in it."""
        with self._changing:
            self._poll()
            if end < _size(segment):
                return False
            if self._file is not None and segment == self._path:
                self._end_segment()
            _delete(segment)
            return True

    def is_growing(self, segment: Path) -> bool:
        """Return whether entries are still appended to a segment."""
        return self._file is not None and segment == self._path

    def abandon(self) -> None:
        """Close the files without changing their lock: a forked child's are its parent's."""
        self._poll()
        for file in (self._file, self.lock):
            if file is not None:
                os.close(file)

    def remove(self) -> None:
        """Leave; the folder stays when there is something in it."""
        with self._changing:
            self._poll()
            if self._file is not None:
                self._end_segment()
        OrphanFolder(self.folder, self.lock).close()

    def _poll(self) -> None:
        """Let go of what was closed under us, as an application that becomes a daemon does with all files."""
        if self._file is not None and identity(self._file) != self._identity:
            self._file = None
        if self.lock is not None and identity(self.lock) != self._lock_identity:
            self.lock = _locked(self.folder)  # unless another process has taken us for gone

    @property
    def _path(self) -> Path:
        return self.folder / f"{self._number:08}.otlp"

    def _opened(self) -> bool:
        if sum(map(_size, self._root.glob(f"{PREFIX}*/*.otlp"))) > LIMIT_BYTES - SEGMENT_BYTES:
            return False
        self._number += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file, self._size = os.open(self._path, flags, 0o600), 0
        self._identity = identity(self._file)
        return True

    def _end_segment(self) -> None:
        assert self._file is not None  # noqa: S101
        os.close(self._file)
        self._file = None


@dataclass(slots=True)
class OrphanFolder:
    """The folder of a process that is gone, locked by us now."""

    folder: Path
    lock: int | None = field(repr=False)

    def discard(self, segment: Path, end: int) -> bool:
        """Delete a segment that was sent up to `end`; return False if there is more in it."""
        if end < _size(segment):
            return False
        _delete(segment)
        return True

    def is_growing(self, _: Path) -> bool:
        """Return False: no process appends to this segment any more."""
        return False

    def close(self) -> None:
        """Delete the folder if it is empty, and unlock it."""
        if self.lock is None:
            return
        if not segments(self.folder):
            (self.folder / _LOCK).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something damaged is in it
                self.folder.rmdir()
        os.close(self.lock)
        self.lock = None


def left(root: Path) -> Iterator[OrphanFolder]:
    """Lock the folders of processes that are gone, one after the other. The folders of other users are left alone."""
    for folder in sorted(root.glob(f"{PREFIX}*")):
        try:
            found = folder.lstat()
        except FileNotFoundError:
            continue  # its process has just left
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            continue
        if (lock := _locked(folder)) is not None:
            yield OrphanFolder(folder, lock)


def is_in_use(folder: Path) -> bool:
    """Return whether the process of a folder runs, as far as its lock tells: without one it is thought to run."""
    lock = locked(folder / _LOCK)
    if lock is None:
        return True
    os.close(lock)
    return False


def segments(folder: Path) -> list[Path]:
    """Return the segments of a folder, the oldest first."""
    return sorted(folder.glob("*.otlp"))


def sent(segment: Path) -> int:
    """Return up to where a segment was acknowledged: 0 where nothing says so."""
    try:
        end, crc = _SENT.unpack(segment.with_suffix(".sent").read_bytes())
    except (OSError, struct.error):
        return 0
    return int(end) if crc == zlib.crc32(b"%d" % end) else 0


def mark_sent(segment: Path, end: int) -> None:
    """Note that a segment was acknowledged up to `end`. Where that fails, it is sent again after a crash."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(segment.with_suffix(".sent"), flags, 0o600)
        try:
            os.pwrite(file, _SENT.pack(end, zlib.crc32(b"%d" % end)), 0)
        finally:
            os.close(file)


class Piece(NamedTuple):
    """A part of a segment: whole entries, where the next one begins, and how many places were damaged before it."""

    entries: list[bytes]
    end: int
    damaged: int


def read(segment: Path, start: int, limit_bytes: int, *, growing: bool = False) -> Piece:
    """Return entries from `start` on, about `limit_bytes` of them. No entries and no damage: the end.

    Damaged entries are skipped, also where it is their length that is wrong. An entry that is not whole at the end of
    a segment is damaged as well, unless the segment is still `growing`.
    """
    with segment.open("rb") as file:
        file.seek(start)
        data = file.read()
    entries, position, damaged = [], 0, 0
    while position < len(data) and position < limit_bytes:
        payload = _entry(data, position)
        if payload is not None:
            entries.append(payload)
            position += _HEAD.size + len(payload)
            continue
        following = _following(data, position)
        if following is None and growing:
            break
        damaged += 1
        position = len(data) if following is None else following
    return Piece(entries, start + position, damaged)


def _entry(data: bytes, position: int) -> bytes | None:
    """Return the entry at `position`, None where there is none that is whole."""
    begin = position + _HEAD.size
    if begin > len(data):
        return None
    length, crc = _HEAD.unpack_from(data, position)
    if begin + length > len(data) or not length or data[begin] != _FIRST_BYTE:
        return None
    payload = data[begin : begin + length]
    return payload if zlib.crc32(payload) == crc else None


def _following(data: bytes, position: int) -> int | None:
    """Return where the next whole entry begins behind a damaged one; None if there is none.

    Its length is tried first. If that is what was damaged, each place is looked at: few have a head that fits.
    """
    if position + _HEAD.size <= len(data):
        after: int = position + _HEAD.size + _HEAD.unpack_from(data, position)[0]
        if after == len(data) or _entry(data, after) is not None:
            return after
    tag = data.find(_FIRST_BYTE, position + _HEAD.size + 1)
    while tag >= 0:
        if _entry(data, tag - _HEAD.size) is not None:
            return tag - _HEAD.size
        tag = data.find(_FIRST_BYTE, tag + 1)
    return None


def set_aside(root: Path, segment: Path) -> bool:
    """Keep a copy of a segment in which something is damaged, for people to look at; False where too many are there."""
    if sum(map(_size, damaged_copies(root))) + _size(segment) > DAMAGED_BYTES:
        return False
    copy = segment.with_suffix(".damaged")
    if not copy.exists():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(copy, flags, 0o600), "wb") as file:
            file.write(segment.read_bytes())
    return True


def damaged_copies(root: Path) -> list[Path]:
    """Return the copies of damaged segments that were kept."""
    return sorted(root.glob(f"{PREFIX}*/*.damaged"))


def _delete(segment: Path) -> None:
    segment.unlink(missing_ok=True)
    segment.with_suffix(".sent").unlink(missing_ok=True)


def _size(segment: Path) -> int:
    """Return the bytes of a segment: none, if its sender has deleted it since it was listed."""
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        return 0


def _locked(folder: Path) -> int | None:
    """Lock a folder until the file that is returned is closed; None: another process has it, or it is gone."""
    return locked(folder / _LOCK, make=True)
