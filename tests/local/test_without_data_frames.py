"""The store works without what its engine declares for data frames: it can be installed without it (docs/local.md)."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .support import Served, export_logs, ledger_record

MISSING = """
import sys
for name in ("numpy", "pandas", "pyarrow"):
    sys.modules[name] = None  # an import of it finds that it is not there
"""


def command(*arguments: str) -> bytes:
    """Run a command of otel-costs without them, and return what it writes."""
    program = f"{MISSING}\nfrom otel_costs.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


@pytest.mark.parametrize("name", ["numpy", "pandas", "pyarrow"])
def test_they_are_missing(name: str) -> None:
    """What the other test relies on."""
    done = subprocess.run([sys.executable, "-c", f"{MISSING}\nimport {name}"], capture_output=True, check=False)
    assert b"ModuleNotFoundError" in done.stderr


@pytest.mark.long
def test_calls_are_received_reported_and_exported(serve: Callable[..., Served], tmp_path: Path) -> None:
    """Over OTLP and HTTP, and from the folder itself; as Parquet too, which is ClickHouse's own to write."""
    served = serve(prelude=MISSING)
    served.wait_until_ready()
    assert export_logs(served.otlp_http_url, [ledger_record("s-1")]).status == 200
    (session,) = json.loads(command("sessions", "--format", "json", "--dsn", served.http_url))["sessions"]
    assert (session["session_id"], session["cost_usd"]) == ("s-1", "0.011750")
    assert served.stop()[0] == 0
    exported = command("export", "calls", "--format", "parquet", "--dsn", f"chdb://{tmp_path / 'data'}")
    assert exported[:4] == exported[-4:] == b"PAR1"
