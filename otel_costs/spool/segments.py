"""Records in files: a folder for each process that writes, and a lock in it as long as that process lives.

A segment is a file of entries: length and CRC-32 (four bytes each, big-endian), then the bytes of an OTLP request with
one record. Requests in protobuf are joined by joining their bytes. A segment is deleted when all of it was
acknowledged, so what a killed process had sent may be sent again: the store counts a call once.
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
from typing import Final

from otel_costs.filelock import identity, locked

SEGMENT_BYTES: Final = 2**20
LIMIT_BYTES: Final = 256 * 2**20
"""Of all processes together. What does not fit goes the SDK's way, and may be lost."""

PREFIX: Final = "otel_costs-"

_HEAD: Final = struct.Struct(">II")
_LOCK: Final = "lock"


class Writer:
    """The folder of this process below `root`. One thread may append while another one reads and deletes."""

    def __init__(self, root: Path) -> None:
        """Make and lock it. Raises OSError."""
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = root / f".{PREFIX}{uuid.uuid4().hex}"
        made.mkdir(mode=0o700)
        self.lock = _locked(made)
        assert self.lock is not None  # noqa: S101  # nobody else knows the name yet
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
            self._look()
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

    def discard(self, segment: Path, end: int) -> None:
        """Delete a segment that was sent up to `end`, unless more was appended since."""
        with self._changing:
            self._look()
            if self._file is not None and segment == self._path:
                if end < self._size:
                    return
                self._end_segment()
            segment.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Close the files, without a word to who else has them open: a forked child's are its parent's."""
        self._look()
        for file in (self._file, self.lock):
            if file is not None:
                os.close(file)

    def remove(self) -> None:
        """Leave; the folder stays when there is something in it."""
        with self._changing:
            self._look()
            if self._file is not None:
                self._end_segment()
        Left(self.folder, self.lock).close()

    def _look(self) -> None:
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
class Left:
    """The folder of a process that is gone, locked by us now."""

    folder: Path
    lock: int | None = field(repr=False)

    def discard(self, segment: Path, end: int) -> None:
        """Delete a segment. What cannot be read beyond `end` (a disk that lost power) is set aside for people."""
        if segment.stat().st_size > end:
            segment.rename(segment.with_suffix(".damaged"))
        else:
            segment.unlink()

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


def left(root: Path) -> Iterator[Left]:
    """Lock the folders of processes that are gone, one after the other. The folders of other users are left alone."""
    for folder in sorted(root.glob(f"{PREFIX}*")):
        try:
            found = folder.lstat()
        except FileNotFoundError:
            continue  # its process has just left
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            continue
        if (lock := _locked(folder)) is not None:
            yield Left(folder, lock)


def segments(folder: Path) -> list[Path]:
    """Return the segments of a folder, the oldest first."""
    return sorted(folder.glob("*.otlp"))


def read(segment: Path, start: int, limit_bytes: int) -> tuple[list[bytes], int]:
    """Return entries from `start` on, about `limit_bytes` of them, and where the next one begins.

    No entries: the end, or one that is not whole.
    """
    entries, end = [], start
    with segment.open("rb") as file:
        file.seek(start)
        while end - start < limit_bytes:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                break
            length, crc = _HEAD.unpack(head)
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != crc:
                break
            entries.append(payload)
            end += _HEAD.size + length
    return entries, end


def _size(segment: Path) -> int:
    """Return the bytes of a segment: none, if whoever sends it has deleted it since it was listed."""
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        return 0


def _locked(folder: Path) -> int | None:
    """Lock a folder until the file that is returned is closed; None: somebody else has it, or it is gone."""
    return locked(folder / _LOCK, make=True)
