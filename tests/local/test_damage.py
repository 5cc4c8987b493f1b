"""A data folder that was damaged, or that others could read."""

import json
import os
import queue
import stat
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from otel_costs.local import Stack
from otel_costs.local.state import State
from otel_costs.store.damage import CODES, Damaged
from otel_costs.store.embedded import EngineError, escape
from tests.support.collector import PATIENCE_S
from tests.support.selection import some

from .support import ask, export_logs, ledger_record, send


def parts(data: Path, table: str, stack: Stack) -> list[Path]:
    """Return the folders of the parts of a table, oldest first."""
    sql = "SELECT path FROM system.parts WHERE active AND table = {t:String} ORDER BY modification_time, name"
    return [Path(row["path"]) for row in ask(stack.http_url, sql, t=table)]


def flip(file: Path) -> None:
    """Change a byte in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbled checksums": lambda part: (part / "checksums.txt").write_text("garbled"),
    "no data": lambda part: (part / "data.bin").unlink(),
    "no columns": lambda part: (part / "columns.txt").unlink(),
    "empty data": lambda part: (part / "data.bin").write_bytes(b""),
}


def stored(tmp_path: Path, numbers: tuple[int, ...]) -> Path:
    """Store one call on its own, and then several together; return the folder of the second part of calls."""
    with Stack(tmp_path / "data") as stack:
        for seqs in numbers:
            records = [ledger_record(uuid.uuid4().hex, seq=seq) for seq in range(1, seqs + 1)]
            assert export_logs(stack.otlp_http_url, records).status == 200
        return next(part for part in parts(tmp_path / "data", "calls", stack) if rows_of(part) == numbers[-1])


def rows_of(part: Path) -> int:
    return int((part / "count.txt").read_text())


def state(stack: Stack) -> dict[str, Any]:
    answer = send(f"{stack.http_url}/state")
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


@pytest.mark.parametrize("damage", some(DAMAGES, 1))
def test_a_part_that_cannot_be_opened_is_named(tmp_path: Path, damage: str) -> None:
    """The start says which table lacks how many rows, and so does /state; everything else is served."""
    DAMAGES[damage](stored(tmp_path, (1, 50)))
    with Stack(tmp_path / "data") as stack:
        (said,) = [notice for notice in stack.notices if "calls" in notice]
        assert said.startswith("Damaged: 50 rows of calls are in no report: part broken-on-start_")
        (found,) = state(stack)["damaged_parts"]
        assert (found["table"], found["rows"], found["detached"]) == ("calls", 50, True)
        assert ask(stack.http_url, "SELECT count() AS c FROM calls") == [{"c": 1}]
    with Stack(tmp_path / "data") as stack:
        assert state(stack)["damaged_parts"] == [found]


def test_how_many_rows_is_not_known_without_their_count(tmp_path: Path) -> None:
    """Where the part itself does not tell, nothing is made up."""
    (stored(tmp_path, (1, 50)) / "count.txt").unlink()
    with Stack(tmp_path / "data") as stack:
        (found,) = state(stack)["damaged_parts"]
        assert (found["table"], found["rows"]) == ("calls", None)


def test_data_that_was_changed_is_named(tmp_path: Path) -> None:
    """A flipped byte is found without anybody's query, by reading all of it; the part, its table and rows are named."""
    part = stored(tmp_path, (1, 50))
    flip(part / "data.bin")
    with Stack(tmp_path / "data") as stack:
        while not (found := state(stack))["checked_at"]:
            pass
        (damaged,) = found["damaged_parts"]
        assert (damaged["table"], damaged["part"], damaged["rows"]) == ("calls", part.name, 50)
        assert not damaged["detached"]


@pytest.mark.long
def test_a_table_of_any_name_is_read(tmp_path: Path) -> None:
    """A backtick or a backslash in a name is part of it."""
    name = "odd`\\name"
    with Stack(tmp_path / "data") as stack:
        for sql in (
            'CREATE TABLE "odd`\\\\name" (n UInt64) ENGINE = MergeTree ORDER BY n',
            'INSERT INTO "odd`\\\\name" SELECT number FROM numbers(50)',
        ):
            assert send(stack.http_url, sql.encode()).status == 200
        (part,) = parts(tmp_path / "data", escape(name), stack)
    flip(part / "data.bin")
    with Stack(tmp_path / "data") as stack:
        while not (found := state(stack))["checked_at"]:
            pass
        assert [(one["table"], one["rows"]) for one in found["damaged_parts"]] == [(name, 50)]


class Waits(threading.Event):
    """An event that tells how long it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.told: queue.Queue[float | None] = queue.Queue()

    def wait(self, timeout: float | None = None) -> bool:
        self.told.put(timeout)
        return super().wait(timeout)


def test_errors_after_a_check_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged data is checked again only after a while; queries that fail in the meantime wake nothing."""
    checks: list[object] = []

    def check(*asked: object) -> Iterable[Damaged]:
        checks.append(asked)
        return ()

    monkeypatch.setattr("otel_costs.store.damage.check", check)
    error, unused = EngineError(next(iter(CODES)), "damaged"), cast("Any", None)
    state = State(unused, unused)
    state._wake, state._stopping = wake, stopping = Waits(), Waits()
    state.start()
    assert wake.told.get(timeout=PATIENCE_S) == 86_400
    state.failed(error)
    assert stopping.told.get(timeout=PATIENCE_S) == pytest.approx(600, abs=PATIENCE_S)
    for _ in range(10):
        state.failed(error)
    stopping.set()
    state._thread.join(PATIENCE_S)
    assert (len(checks), wake.told.qsize(), stopping.told.qsize()) == (1, 0, 0)


def test_a_sound_store(stack: Stack) -> None:
    """Nothing is damaged where nothing is, and that has been looked at."""
    while not (found := state(stack))["checked_at"]:
        pass
    assert (found["storing"], found["trouble"], found["damaged_parts"], found["failed_views"]) == (True, "", [], [])
    assert not any(notice.startswith("Damaged") for notice in stack.notices)


def modes(folder: Path) -> set[int]:
    """Return the rights of others to anything in a folder, links aside."""
    found = {stat.S_IMODE(folder.stat().st_mode) & 0o077}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            status = os.lstat(Path(parent) / name)
            if not stat.S_ISLNK(status.st_mode):
                found.add(stat.S_IMODE(status.st_mode) & 0o077)
    return found


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    """New ones as they are written, and those of an earlier version at the next start."""
    data = tmp_path / "data"
    with Stack(data) as stack:
        assert export_logs(stack.otlp_http_url, [ledger_record("private")]).status == 200
        assert modes(data) == {0}
    outside = tmp_path / "outside"
    outside.write_text("not ours")
    outside.chmod(0o644)
    (data / "link").symlink_to(outside)
    subprocess.run(["chmod", "-R", "go+rX", data], check=True)
    assert modes(data) != {0}
    with Stack(data) as stack:
        assert export_logs(stack.otlp_http_url, [ledger_record("private")]).status == 200
        assert modes(data) == {0}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
