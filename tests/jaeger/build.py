"""Build Jaeger from its pinned module, once for each content of `build/go.mod`, and print where it is.

Takes Go, its module proxy, and about four minutes on two cores; the next time it takes none. It has no user interface,
which is no Go module: the same API answers that and the tests.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = Path(__file__).with_name("build")
PACKAGE = "github.com/jaegertracing/jaeger/cmd/jaeger"


class BuildError(Exception):
    """It cannot be built here; the text says what is missing."""


def program() -> Path:
    """Return where Jaeger is, or will be."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (
        caches / "otel_costs" / "jaeger" / hashlib.sha256((MODULE / "go.mod").read_bytes()).hexdigest()[:16] / "jaeger"
    )


def built() -> Path:
    """Return Jaeger, built now if it was not yet. Raises BuildError."""
    found, go = program(), shutil.which("go")
    found.parent.mkdir(parents=True, exist_ok=True)
    with (found.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be building it
        if found.exists():
            return found
        if go is None:
            raise BuildError("Go is not installed: it builds Jaeger (https://go.dev/doc/install)")
        draft = found.with_suffix(".new")
        done = subprocess.run(
            [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", draft, PACKAGE],
            cwd=MODULE,
            env={**os.environ, "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"Jaeger was not built:\n{done.stderr[-4000:]}")
        draft.rename(found)
    return found


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{built()}\n")
    except BuildError as error:
        sys.exit(str(error))
