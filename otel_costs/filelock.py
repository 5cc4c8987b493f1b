"""A lock that a process has as long as it lives: whoever can take it knows that the process is gone. Not on Windows."""

import fcntl
import os
from pathlib import Path


def locked(path: Path, *, make: bool = False) -> int | None:
    """Lock a file until what is returned is closed, by every process that has it; it is made where `make` says so.

    None: somebody else has it, or it is not there. Raises OSError where it cannot be opened, or is a link.
    """
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
