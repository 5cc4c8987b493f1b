"""A data folder that was damaged, or that others could read."""

import json
import os
import queue
import stat
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from otel_costs.local import Stack
from otel_costs.local.state import State
from otel_costs.store.damage import CODES, Damaged
from otel_costs.store.embedded import EngineError, escape
from tests.support.collector import PATIENCE_S

from .support import ask, export_logs, ledger_record, send

pytestmark = pytest.mark.long

ODD = "odd`\\name"
FLIPPED = 60


def parts(stack: Stack, table: str) -> list[Path]:
    """Return the folders of the parts of a table."""
    sql = "SELECT path FROM system.parts WHERE active AND table = {t:String}"
    return [Path(row["path"]) for row in ask(stack.http_url, sql, t=table)]


def flip(file: Path) -> None:
    """Change a byte in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(bytes(content))


@dataclass(frozen=True)
class Damage:
    """What is done to a part, how many rows it had, and how many of them are told."""

    do: Callable[[Path], object]
    rows: int
    told: int | None


DAMAGES = {
    "garbled checksums": Damage(lambda part: (part / "checksums.txt").write_text("garbled"), 50, 50),
    "no data": Damage(lambda part: (part / "data.bin").unlink(), 40, 40),
    "no columns": Damage(lambda part: (part / "columns.txt").unlink(), 30, 30),
    "empty data": Damage(lambda part: (part / "data.bin").write_bytes(b""), 20, 20),
    # Where the part itself does not tell, nothing is made up.
    "no count": Damage(lambda part: (part / "count.txt").unlink(), 10, None),
}


def rows_of(part: Path) -> int:
    return int((part / "count.txt").read_text())


def state(stack: Stack) -> dict[str, Any]:
    answer = send(f"{stack.http_url}/state")
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


@dataclass(frozen=True)
class Started:
    """What a start over damaged parts says, what `/state` does, and how many calls there are still."""

    notices: tuple[str, ...]
    damaged: list[dict[str, Any]]
    calls: int
    flipped: str
    next_start: list[dict[str, Any]]

    @property
    def detached(self) -> list[dict[str, Any]]:
        return [one for one in self.damaged if one["detached"]]

    @property
    def unreadable(self) -> list[dict[str, Any]]:
        return [one for one in self.damaged if not one["detached"]]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Started:
    """Store calls in parts of different sizes, damage each but the first in another way, and start again, twice."""
    data = tmp_path_factory.mktemp("damaged") / "data"
    with Stack(data) as stack:
        for sql in (
            "SYSTEM STOP MERGES calls",
            'CREATE TABLE "odd`\\\\name" (n UInt64) ENGINE = MergeTree ORDER BY n',
            'INSERT INTO "odd`\\\\name" SELECT number FROM numbers(50)',
        ):
            assert send(stack.http_url, sql.encode()).status == 200
        for rows in (1, FLIPPED, *(damage.rows for damage in DAMAGES.values())):
            records = [ledger_record(uuid.uuid4().hex, seq=seq) for seq in range(1, rows + 1)]
            assert export_logs(stack.otlp_http_url, records).status == 200
        by_rows = {rows_of(part): part for part in parts(stack, "calls")}
        (odd,) = parts(stack, escape(ODD))
    for damage in DAMAGES.values():
        damage.do(by_rows[damage.rows])
    flip(by_rows[FLIPPED] / "data.bin")
    flip(odd / "data.bin")
    with Stack(data) as stack:
        while not (found := state(stack))["checked_at"]:
            pass
        notices, calls = stack.notices, int(ask(stack.http_url, "SELECT count() AS c FROM calls")[0]["c"])
    with Stack(data) as stack:
        again = [one for one in state(stack)["damaged_parts"] if one["detached"]]
    return Started(notices, found["damaged_parts"], calls, by_rows[FLIPPED].name, again)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_part_that_cannot_be_opened_is_named(started: Started, damage: Damage) -> None:
    """The start says which table lacks how many rows, and so does /state; everything else is served."""
    rows = f"{damage.told} rows" if damage.told else "rows, nobody knows how many,"
    (said,) = [notice for notice in started.notices if notice.startswith(f"Damaged: {rows} of calls are in no report")]
    assert "part broken-on-start_" in said
    assert [one["table"] for one in started.detached if one["rows"] == damage.told] == ["calls"]
    assert len(started.detached) == len(DAMAGES)
    assert started.calls == 1 + FLIPPED
    assert started.next_start == started.detached


def test_data_that_was_changed_is_named(started: Started) -> None:
    """A flipped byte is found without anybody's query, by reading all of it; the part, its table and rows are named.

    A backtick or a backslash in the name of a table is part of it.
    """
    found = {one["table"]: (one["part"], one["rows"]) for one in started.unreadable}
    assert found == {"calls": (started.flipped, FLIPPED), ODD: (found[ODD][0], 50)}


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
    data = tmp_path / "new" / "data"
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
