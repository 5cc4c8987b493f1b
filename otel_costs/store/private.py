"""Files for their owner alone: what lies in a data folder is what people said, and what it cost."""

import os
import stat
from pathlib import Path
from typing import Final

UMASK: Final = 0o077
"""What takes the rights of all others from new files."""


def make_private(folder: Path) -> int:
    """Remove the rights of other users to `folder` and all that is in it; return at how many files that failed.

    Links are left alone, and what they lead to outside of it.
    """
    failed = _make_private(folder)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            failed += _make_private(os.path.join(parent, name))  # there may be many
    return failed


def _make_private(path: str | Path) -> int:
    try:
        mode = os.lstat(path).st_mode
        if mode & UMASK and not stat.S_ISLNK(mode):
            os.chmod(path, stat.S_IMODE(mode) & ~UMASK)
    except FileNotFoundError:
        return 0
    except OSError:
        return 1
    return 0
