"""The engine in the process that uses it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .engine.conftest import ALONE

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_an_engine_in_a_process_of_its_own(request: pytest.FixtureRequest) -> None:
    """What `engine/` promises holds; here the tests of the store have chDB's one engine of the process already."""
    more = ["--long"] if request.config.getoption("long") else []
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *more, "-q", "-n", "0", "-p", "no:cacheprovider", "tests/local/engine"],
        cwd=ROOT,
        env={**os.environ, ALONE: "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-8000:]
