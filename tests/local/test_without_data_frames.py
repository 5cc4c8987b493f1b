"""The store works without what its engine declares for data frames: it can be installed without it (docs/local.md)."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.support import MAIN

DATA_FRAMES = ("numpy", "pandas", "pyarrow")

_MISSING = f"""
import sys
for name in {DATA_FRAMES}:
    sys.modules[name] = None  # what an import of it finds is that it is not there
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose Pythons have none of them."""
    folder = tmp_path / "missing"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_MISSING)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "OTEL_"))}
    return {**clean, "PYTHONPATH": str(folder)}


def run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, env=environ, capture_output=True, timeout=110, check=False)


@pytest.mark.parametrize("name", DATA_FRAMES)
def test_they_are_missing(name: str, environ: dict[str, str]) -> None:
    """What the other tests here rely on."""
    assert b"ModuleNotFoundError" in run([sys.executable, "-c", f"import {name}"], environ).stderr


def test_all_of_it_works(tmp_path: Path, environ: dict[str, str]) -> None:
    """Programs are recorded over OTLP, reported, and exported as Parquet, which is ClickHouse's own to write."""
    data = tmp_path / "data"
    demo = run([*MAIN, "demo", "--stand-in", "--data", str(data)], environ)
    assert demo.returncode == 0, demo.stderr.decode()
    here = ["--dsn", f"chdb://{data}"]
    listed = json.loads(run([*MAIN, "sessions", "--format", "json", *here], environ).stdout)["sessions"]
    assert len(listed) == 5
    assert all(Decimal(session["cost_usd"]) > 0 for session in listed)
    exported = run([*MAIN, "export", "calls", "--format", "parquet", *here], environ)
    assert (exported.returncode, exported.stderr) == (0, b"")
    assert exported.stdout[:4] == exported.stdout[-4:] == b"PAR1"
