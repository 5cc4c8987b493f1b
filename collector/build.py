"""Build the collector that `builder.yaml` lists, once for each content of that file, and print where it is.

Takes Go (1.26 or newer), its module proxy, and about four minutes on two cores; the next time it takes none. Only the
standard library, so that any Python runs it.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

BUILDER = Path(__file__).with_name("builder.yaml")
NAME = "otelcol-costs"


class BuildError(Exception):
    """It cannot be built here; the text says what is missing."""


def cached() -> Path | None:
    """Return the collector if it was built already."""
    program = _folder() / NAME
    return program if program.exists() else None


def built() -> Path:
    """Return the collector, built now if it was not yet. Raises BuildError."""
    if found := cached():
        return found
    program = _folder() / NAME
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be building it
        if not program.exists():
            _build(program)
    return program


def _folder() -> Path:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "otel_costs" / "collector" / hashlib.sha256(BUILDER.read_bytes()).hexdigest()[:16]


def _build(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise BuildError("Go is not installed: it builds the collector (https://go.dev/doc/install, 1.26 or newer)")
    version = re.search(r"^  version: (\S+)$", BUILDER.read_text(), re.MULTILINE)
    assert version is not None, "builder.yaml names no version"  # noqa: S101
    builder = f"go.opentelemetry.io/collector/cmd/builder@v{version[1]}"
    # It strips what a debugger needs by itself; paths of this machine need not be in it.
    done = subprocess.run(  # noqa: S603
        [go, "run", builder, f"--config={BUILDER}"],
        cwd=program.parent,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-p=2 -trimpath -buildvcs=false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"the collector was not built:\n{done.stdout[-4000:]}")
    (program.parent / "build" / NAME).rename(program)
    shutil.rmtree(program.parent / "build")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{built()}\n")
    except BuildError as error:
        sys.exit(str(error))
