"""The commands about the spool, over a folder that processes left."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_costs.spool import delivery, refusals, segments
from tests.spool.test_spool import abandoned, request
from tests.support.collector import Collector

from .support import run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a spool in which two records wait, two were refused, and a file is damaged."""
    root = tmp_path / "spool"
    abandoned(root, "a", "b")
    (segment,) = segments.segments(abandoned(root, "c"))
    segment.rename(segment.with_suffix(".damaged"))
    segment.with_suffix(".damaged").write_bytes(b"damaged")
    refusals.put_aside(root, [delivery.Refused(request(name), "HTTP 413") for name in ("d", "e")])
    return root


def listed(root: Path) -> dict[str, int]:
    found = run("spool", "list", "--folder", str(root), "--format", "json")
    return {lot["state"]: lot["records"] for lot in json.loads(found.stdout)["spool"]}


def test_list(root: Path) -> None:
    """What waits, what was refused and why, what is damaged; exit code 1, as something needs a look."""
    found = run("spool", "list", environ={"OTEL_COSTS_SPOOL": str(root)})
    assert found.exit_code == 1
    assert [line.split()[:2] for line in found.stdout.splitlines() if line.split()[1:2] and "20" in line] == [
        ["waiting", "2"],
        ["refused", "2"],
        ["damaged", "1"],
    ]
    assert "HTTP 413" in found.stdout
    assert "its process is gone" in found.stdout
    rows = run("spool", "list", "--folder", str(root), "--format", "csv").stdout.splitlines()
    assert rows[0] == "state,records,bytes,since,detail"
    assert len(rows) == 4


def test_resend(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken is gone; what is refused again is kept, and is exit code 1."""
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        collector.status = 400
        found = run("spool", "resend", "--folder", str(root))
        assert (found.exit_code, found.stdout) == (1, "0 records sent, 2 refused again\n")
        collector.status = 503
        found = run("spool", "resend", "--folder", str(root))
        assert found.exit_code == 2
        assert "OTEL_EXPORTER_OTLP_ENDPOINT" in found.stderr
        assert listed(root)["refused"] == 2
        collector.status = 200
        found = run("spool", "resend", "--folder", str(root))
        assert (found.exit_code, found.stdout) == (0, "2 records sent, 0 refused again\n")
        assert len(collector.logs) == 2
    assert listed(root) == {"waiting": 2, "damaged": 1}


def test_drop(root: Path) -> None:
    """What was refused and what is damaged is deleted, what waits is not."""
    found = run("spool", "drop", "--folder", str(root), "--yes")
    assert (found.exit_code, found.stdout) == (0, "2 records and 1 damaged file deleted\n")
    assert listed(root) == {"waiting": 2}
    assert run("spool", "list", "--folder", str(root)).exit_code == 0


def test_wrong_calls(tmp_path: Path) -> None:
    """Without a folder, or with one that is not there, a line says what to do."""
    say: Callable[..., str] = lambda *arguments: run("spool", "list", *arguments).stderr  # noqa: E731
    assert "Give --folder, or set OTEL_COSTS_SPOOL" in say()
    assert f"there is no folder {tmp_path / 'none'}" in say("--folder", str(tmp_path / "none"))
    (tmp_path / "spool").mkdir()
    assert "the spool is empty" in say("--folder", str(tmp_path / "spool"))


def test_drop_of_nothing(tmp_path: Path) -> None:
    """Where nothing was refused or damaged, nothing is asked: what waits is left alone."""
    root = tmp_path / "spool"
    abandoned(root, "a")
    found = run("spool", "drop", "--folder", str(root))
    assert (found.exit_code, found.stdout) == (0, "")
    assert found.stderr == "nothing to delete: no refused records, no damaged files\n"
    assert listed(root) == {"waiting": 1}
