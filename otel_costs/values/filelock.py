"""Files of a process: a lock that it has as long as it lives, and whether a descriptor is still the file it was.

A process that can take the lock knows that the other is gone. There is none on Windows.
"""

import os
from pathlib import Path


def locked(path: Path, *, make: bool = False) -> int | None:
    """Lock a file until what is returned is closed, by every process that has it; it is made where `make` says so.

    None: another process has it, or it is not there. Raises OSError where it cannot be opened, or is a link.
    """
    import fcntl  # noqa: PLC0415  # not on Windows

    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if make else 0)
    try:
        lock = os.open(path, flags, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def identity(file: int) -> tuple[int, int] | None:
    """Return what a file is known by; None if it was closed.

    An application that becomes a daemon closes all descriptors, ours too, and what it opens then has their numbers.
    """
    try:
        found = os.fstat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
