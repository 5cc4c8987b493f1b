"""Where a user's files are: data that is kept, and a cache that may go, as the platform has them."""

import os
import sys
from pathlib import Path
from typing import Final

_NAME: Final = "otel-costs"


def data(*parts: str) -> Path | None:
    """Return a path below the folder of the user's data; None where the user has no home."""
    return _below("XDG_DATA_HOME", ".local/share", "Library/Application Support", parts)


def cache(*parts: str) -> Path | None:
    """Return a path below the folder of the user's cache; None where the user has no home."""
    return _below("XDG_CACHE_HOME", ".cache", "Library/Caches", parts)


def _below(variable: str, unix: str, mac: str, parts: tuple[str, ...]) -> Path | None:
    given = os.environ.get(variable) or (os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None)
    if given and os.path.isabs(given):  # others are to be ignored, the XDG base directory specification says
        return Path(given, _NAME, *parts)
    try:
        return Path.home().joinpath(mac if sys.platform == "darwin" else unix, _NAME, *parts)
    except RuntimeError:
        return None
