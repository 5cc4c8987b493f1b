"""The command `export`, over a real store."""

import csv
import io
import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from .support import DAY, MAIN, run


def test_calls_as_csv_are_exact(url: str) -> None:
    """Every call, the oldest first, with its exact cost."""
    rows = list(csv.DictReader(io.StringIO(run("export", url=url).stdout)))
    assert [row["session_id"] for row in rows] == ["parcel", "parcel", "voice", "voice"]
    assert sum(Decimal(row["cost_usd"]) for row in rows[:3]) == Decimal("0.009995")


def test_messages_as_json_lines(url: str) -> None:
    """An object per line, exact."""
    lines = run("export", "messages", "--format", "json", "--user", "grace", url=url).stdout.splitlines()
    assert [json.loads(line)["content"] for line in lines] == ["\x1b[31mHello\x07"]


@pytest.mark.parametrize("what", ["calls", "lines", "messages", "sessions"])
def test_parquet_into_a_file(url: str, tmp_path: Path, what: str) -> None:
    """A whole Parquet file, its size said on standard error, and nothing else in the folder."""
    file = tmp_path / f"{what}.parquet"
    said = run("export", what, "--format", "parquet", "--output", str(file), url=url)
    assert (said.exit_code, said.stdout) == (0, "")
    content = file.read_bytes()
    assert content[:4] == content[-4:] == b"PAR1"
    assert f"{file}: {len(content):,} bytes of {what}" in said.stderr
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.long
def test_progress_is_on_standard_error_of_a_terminal_alone(url: str) -> None:
    """Who watches sees that something goes on; what is piped stays the file."""
    terminal, end = os.openpty()
    done = subprocess.run([*MAIN, "export", "--dsn", url], stdout=subprocess.PIPE, stderr=end, check=True)
    os.close(end)
    assert b"Exporting calls" in os.read(terminal, 10_000)
    os.close(terminal)
    assert done.stdout == run("export", url=url).stdout_bytes
    silent = subprocess.run([*MAIN, "export", "--dsn", url], capture_output=True, check=True)
    assert silent.stderr == b""


@pytest.mark.long
def test_a_period(url: str) -> None:
    """--from and --to choose by the end of a call."""
    day = f"{DAY:%Y-%m-%d}"
    assert run("export", "--to", day, url=url).stdout.count("parcel") == 2
    assert "parcel" not in run("export", "--from", f"{day}T10:30:03.001Z", url=url).stdout


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    """What stands under the name was there before, or is whole."""
    file = tmp_path / "calls.csv"
    file.write_text("before")
    said = run("export", "--output", str(file), "--dsn", "http://127.0.0.1:9")
    assert said.exit_code == 2
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("calls.csv", "before")]


def test_a_file_that_cannot_be_written(url: str, tmp_path: Path) -> None:
    """The error names the file and the reason."""
    file = tmp_path / "nowhere" / "calls.csv"
    said = run("export", "--output", str(file), url=url)
    assert said.exit_code == 2
    assert f"{file} cannot be written: No such file or directory" in said.stderr
