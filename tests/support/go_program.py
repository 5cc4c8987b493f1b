"""Programs in Go that tests run: built from a folder here with Go's own cache, which makes the second time quick."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def built(source: Path, folder: Path, untested: str) -> Path:
    """Build the module in `source` into `folder`. Without Go, skip, saying what is `untested`; in CI, fail."""
    go = shutil.which("go")
    if go is None:
        reason = f"Go is not installed: {untested}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    program = folder / source.name
    done = subprocess.run(
        [go, "build", "-o", program, "."], cwd=source, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    return program
