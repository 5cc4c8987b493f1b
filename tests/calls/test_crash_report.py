"""Processes that are gone: whoever comes after tells how far their calls went."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from otel_costs import semconv as names
from otel_costs.calls import call_counter, crash_report
from otel_costs.calls.call import Call
from otel_costs.calls.call_counter import CallCounter, DeadProcess
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import finish
from otel_costs.runtime import telemetry
from otel_costs.stand_in import Provider
from tests.support.collector import Collector
from tests.support.program import CLIENT, Program, environ
from tests.support.recorded import Recorded, instrumented, wait_for_records

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="file locks")

HERE = "http://collector:4318/v1/logs"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where files go, which is the spool; this process has made none yet, and looked for none."""
    monkeypatch.setattr(telemetry, "process", telemetry.Process())
    monkeypatch.setattr(call_counter, "own", None)
    monkeypatch.setattr(crash_report, "_poll_at", 0.0)
    return tmp_path / "spool"


@pytest.fixture
def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Instrument with an exporter that says where it sends, and keeps everything in memory; then name the spool."""
    kept = Recorded()
    kept.log_exporter._endpoint = HERE  # type: ignore[attr-defined]
    with instrumented(kept):
        monkeypatch.setenv(names.ENV_SPOOL, str(folder))
        call_counter.start()
        yield kept


def gone(monkeypatch: pytest.MonkeyPatch, *, calls: int = 3, address: str = HERE) -> Path:
    """Leave what a process does that made calls and was killed before any had a record; return its file."""
    kept = Recorded()
    kept.log_exporter._endpoint = address  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(telemetry, "_telemetry", telemetry.Telemetry(logger_provider=kept.logger_provider))
        patch.setattr(telemetry, "process", telemetry.Process())
        one = CallCounter(Path(os.environ[names.ENV_SPOOL]))
        for _ in range(calls):
            one.ended()
        assert one.place is not None
        path = one.place.path(telemetry.process.id)
        one.abandon()
    return path


def make_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a call after a minute, so that it is time to look."""
    monkeypatch.setattr(crash_report, "_poll_at", 0.0)
    finish(Call("chat", "openai", "gpt-4o"), Reading())
    wait_for_records()


def told(recorded: Recorded) -> list[Mapping[str, Any]]:
    return recorded.records(names.PROCESS_EVENT)


def wait(path: Path, seconds: int) -> None:
    """Let time pass since a file was told."""
    with path.open("r+b") as file:
        left = DeadProcess.read(file.fileno())
        assert left is not None
        told = call_counter._REPORTED.pack(left.reported_ns - seconds * 10**9, left.report_count)
        os.pwrite(file.fileno(), told, call_counter._REPORTED_AT)


def test_the_next_process_tells(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One record for each process that is gone: who it was and how far its calls went; none for who lives."""
    ids = {gone(monkeypatch, calls=count).name.partition(".")[0]: count for count in (1, 5)}
    make_call(monkeypatch)
    found = told(recorded)
    assert {record[names.PROCESS_ID]: record[names.PROCESS_LAST_SEQ] for record in found} == ids
    (one, _) = found
    assert one[names.EVENT_NAME] == "otel_costs.process"
    assert isinstance(one[names.SERVICE_NAME], str)
    assert one["timestamp"] <= recorded.call["timestamp"] + 60 * 10**9
    assert not {names.SESSION_ID, names.USER_ID} & one.keys()


def test_it_is_told_three_times(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again after a minute and after ten more, since nobody knows what arrived; then its file is deleted."""
    path = gone(monkeypatch)
    make_call(monkeypatch)
    for seconds, count in ((0, 1), (59, 1), (2, 2), (599, 2)):
        wait(path, seconds)
        make_call(monkeypatch)
        assert (len(told(recorded)), path.exists()) == (count, True)
    wait(path, 2)
    make_call(monkeypatch)
    assert (len(told(recorded)), path.exists()) == (3, False)
    make_call(monkeypatch)
    assert len({tuple(sorted(record.items())) for record in told(recorded)}) == 1


def test_it_looks_once_a_minute(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with every call."""
    make_call(monkeypatch)
    gone(monkeypatch)
    for _ in range(10):
        finish(Call("chat", "openai", "gpt-4o"), Reading())
    assert told(recorded) == []
    make_call(monkeypatch)
    assert len(told(recorded)) == 1


def test_only_who_sends_to_the_same_place_tells(
    recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that never saw a process must not be told that its calls are missing there."""
    path = gone(monkeypatch, address="http://another:4318/v1/logs")
    make_call(monkeypatch)
    assert (told(recorded), path.exists()) == ([], True)


def test_a_crowd_does_not_fill_the_queue(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of so many at a time, and of the others the next time."""
    monkeypatch.setattr(crash_report, "MOST", 3)
    for _ in range(5):
        gone(monkeypatch)
    make_call(monkeypatch)
    assert len(told(recorded)) == 3
    make_call(monkeypatch)
    assert len({record[names.PROCESS_ID] for record in told(recorded)}) == 5


def test_what_is_damaged_goes(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that says nothing is told of to nobody, and a link is left alone; neither stops the others."""
    one, other = gone(monkeypatch), gone(monkeypatch)
    one.write_bytes(b"damaged")
    (link := one.with_name("f" * 32 + one.name[32:])).symlink_to(folder.parent / "elsewhere")
    make_call(monkeypatch)
    assert [record[names.PROCESS_ID] for record in told(recorded)] == [other.name[:32]]
    assert (one.exists(), link.is_symlink()) == (False, True)


def test_without_a_ledger_nothing_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no ledger leaves it to one who has."""
    monkeypatch.setenv(names.ENV_SPOOL, str(folder))
    path = gone(monkeypatch)
    monkeypatch.delenv(names.ENV_SPOOL)
    kept = Recorded()
    with instrumented(kept):
        monkeypatch.setenv(names.ENV_SPOOL, str(folder))
        call_counter.start()
        make_call(monkeypatch)
        assert told(kept) == []
    assert path.exists()


def test_a_bug_of_ours_loses_no_record(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call's record is there, whatever goes wrong with the others."""
    gone(monkeypatch)
    monkeypatch.setattr(crash_report, "_report", lambda _: 1 / 0)
    make_call(monkeypatch)
    assert len(recorded.calls) == 1


@pytest.mark.long
def test_kill_9_in_the_middle_of_calls(provider: Provider, tmp_path: Path) -> None:
    """What had not even been written is counted, where there is a spool; the next run of the application tells."""
    source = """
import os, signal
from otel_costs.runtime import background
for _ in range(4):
    ask()
assert background.drain(60)
background._queue._busy.acquire()  # from now on nothing is written
for _ in range(3):
    ask()
os.kill(os.getpid(), signal.SIGKILL)
"""
    with Collector() as collector:
        variables = {**environ(provider, collector), "OTEL_SERVICE_NAME": "till"}
        variables["OTEL_COSTS_SPOOL"] = str(tmp_path / "spool")
        with Program(CLIENT + source, tmp_path, variables) as program:
            assert program.ended().code == -9
        with Program(CLIENT + "ask()", tmp_path, {**variables, "OTEL_SERVICE_NAME": "next"}) as program:
            ended = program.ended()
            assert (ended.code, ended.err) == (0, "")
        collector.wait_for(lambda found: len(found.calls()) >= 5)
        (record,) = collector.records("otel_costs.process")
        own = [call[names.CALL_SEQ] for call in collector.calls() if call[names.PROCESS_ID] == record[names.PROCESS_ID]]
    assert (record[names.PROCESS_LAST_SEQ], record[names.SERVICE_NAME]) == (7, "till")
    assert sorted(own) == [1, 2, 3, 4]
