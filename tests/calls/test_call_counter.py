"""The counter: after a process is gone, its file says how many calls it made, whatever became of their records."""

import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as OverGrpc
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as OverHttp
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter, SimpleLogRecordProcessor

import otel_costs
from otel_costs import semconv as names
from otel_costs.calls import call_counter
from otel_costs.calls.call import Call
from otel_costs.calls.call_counter import CallCounter, DeadProcess
from otel_costs.calls.reading import Job, Reading
from otel_costs.calls.writer import finish
from otel_costs.runtime import telemetry
from otel_costs.usage import Usage
from otel_costs.values import filelock
from tests.support.read_call import ReadCall
from tests.support.recorded import Recorded, instrumented

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="file locks")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where files go, which is the spool; this process has made none yet."""
    monkeypatch.setattr(telemetry, "process", telemetry.Process())
    monkeypatch.setattr(call_counter, "own", None)
    return tmp_path / "spool"


@pytest.fixture
def recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Instrument with an exporter that says where it sends, and keeps everything in memory; then name the spool."""
    kept = Recorded()
    kept.log_exporter._endpoint = "http://collector:4318/v1/logs"  # type: ignore[attr-defined]
    with instrumented(kept):
        monkeypatch.setenv(names.ENV_SPOOL, str(folder))
        call_counter.start()
        yield kept


def own() -> CallCounter:
    """Return the counter of this process, which counts."""
    assert call_counter.own is not None
    return call_counter.own


def left(path: Path) -> DeadProcess | None:
    """Return what a process has written, as if it were gone: in a file, or in the only one of a folder."""
    (file,) = path.glob("*.calls") if path.is_dir() else [path]
    with file.open("rb") as opened:
        return DeadProcess.read(opened.fileno())


def last_seq(path: Path) -> int:
    """Return the number of the last call, as the file says it."""
    found = left(path)
    return found.last_seq if found else 0


def started(dedup_key: str | None = None, **read: Any) -> ReadCall:
    call = Call("chat", "openai", "gpt-4o")
    call.dedup_key = dedup_key
    return ReadCall(call, Reading(usage=Usage.of({"input_tokens": 10}), **read))


def job(name: str = "job", *, ended: bool = True) -> ReadCall:
    return started(job=Job(name, ended, 1, 2))


def recorded_by_hand(**options: Any) -> None:
    otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 1}, **options)


def finish_all(*open_calls: ReadCall) -> None:
    for call in open_calls:
        call.finish()


def end_many_times(call: ReadCall) -> None:
    call.stop()
    call.stop()
    call.finish()
    call.finish("Error")
    call.stop()


KINDS: dict[str, Callable[[], object]] = {
    "finished": lambda: started().finish(),
    "failed": lambda: started().finish("Error"),
    "refused": lambda: started(refused=True).finish("Error"),
    "recorded": recorded_by_hand,
    "recorded for an earlier time": lambda: recorded_by_hand(at=datetime(2026, 11, 1, tzinfo=UTC)),
    "without a bill": lambda: started(is_billed=False).finish(),
    "without a price": lambda: finish(Call("chat", "nobody", "unknown"), Reading()),
    "a job that has begun": lambda: job(ended=False).finish(),
    "a job twice": lambda: finish_all(job("twice"), job("twice")),
    "seen by two": lambda: finish_all(started(dedup_key="one"), started(dedup_key="one")),
    "ended many times": lambda: end_many_times(started()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_what_is_counted(recorded: Recorded, folder: Path, kind: str) -> None:
    """However a call ends, the numbers of the records are 1, 2, 3, ... up to the last one in the file."""
    for turn in (kind, "finished", kind, "finished"):
        KINDS[turn]()
        seqs = [record[names.CALL_SEQ] for record in recorded.calls]
        assert seqs == list(range(1, last_seq(folder) + 1))
    assert len(seqs) >= 2


def test_a_call_counts_from_its_end_on(recorded: Recorded, folder: Path) -> None:
    """A call that has ended is counted before it has a record, one under way is not; what needs none is taken back."""
    started().finish()
    open_calls = [started(), started(is_billed=False), started()]
    assert last_seq(folder) == 1
    for call, expected in zip(open_calls[:2], (2, 3), strict=True):
        call.stop()
        assert last_seq(folder) == expected
    open_calls[1].finish()
    assert last_seq(folder) == 2
    open_calls[0].finish()
    assert last_seq(folder) == len(recorded.calls) == 2


def test_a_bug_of_ours_costs_one_number(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that could not be written is missing, and no other."""
    with monkeypatch.context() as patch:
        patch.setattr(telemetry.Telemetry, "emit", lambda *_, **__: 1 / 0)
        started().finish()
    started().finish()
    assert [record[names.CALL_SEQ] for record in recorded.calls] == [2]
    assert last_seq(folder) == 2


def test_the_counter_costs_no_record(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the counting itself loses nothing but the count."""
    for method in ("_open", "settled"):
        monkeypatch.setattr(CallCounter, method, lambda *_, **__: 1 / 0)
    call = started()
    call.stop()
    call.finish()
    assert recorded.call[names.CALL_SEQ] == 1
    assert not folder.exists()


def test_threads_count_together(recorded: Recorded, folder: Path) -> None:
    """Calls that end at the same time in many threads are all counted: none undoes what another one wrote."""
    started().finish()
    waiting = [[started() for _ in range(50)] for _ in range(8)]

    def end(mine: list[ReadCall]) -> None:
        for call in mine:
            call.stop()

    threads = [threading.Thread(target=end, args=(mine,)) for mine in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert last_seq(folder) == 401
    for mine in waiting:
        for call in mine:
            call.finish()
    assert last_seq(folder) == len(recorded.calls) == 401


def test_a_finalizer_in_the_middle_of_it_is_counted(
    recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that ends while another one is being counted, in the same thread, is not undone by it."""
    started().finish()
    dropped, now_ns = [started()], time.time_ns()

    def collecting() -> int:
        while dropped:
            dropped.pop().stop()
        return now_ns

    call = started()
    monkeypatch.setattr(time, "time_ns", collecting)
    call.stop()
    assert last_seq(folder) == 3


def test_what_it_says_of_the_process(recorded: Recorded, folder: Path) -> None:
    """Its id, its service and when its last call ended; nobody has told of it yet."""
    started().finish()
    found = left(folder)
    assert found is not None
    assert found.process_id == recorded.call[names.PROCESS_ID]
    resource = recorded.log_exporter.get_finished_logs()[0].resource
    assert found.service == resource.attributes["service.name"]
    assert abs(found.ended_ns - recorded.call["timestamp"]) < 60 * 10**9
    assert (found.reported_ns, found.report_count) == (0, 0)


def test_there_is_no_file_before_a_call_ends(recorded: Recorded, folder: Path) -> None:
    """Who makes no calls leaves nothing behind."""
    call = started()
    assert not folder.exists()
    call.stop()
    assert len(list(folder.iterdir())) == 1


def test_it_is_private(recorded: Recorded, folder: Path) -> None:
    """Folder and file are for their owner."""
    started().finish()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()] == [0o600]


def test_an_application_that_closes_all_files(recorded: Recorded, folder: Path, tmp_path: Path) -> None:
    """Nothing is written into what it opens then, under the same number."""
    started().finish()
    descriptor = own()._file
    assert descriptor is not None
    os.close(descriptor)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    try:
        assert theirs == descriptor
        started().finish()
        assert os.fstat(theirs).st_size == 0
        own().abandon()
        os.fstat(theirs)  # it is still open
    finally:
        os.close(theirs)
    assert len(recorded.calls) == 2


def test_there_is_none_without_a_spool(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written anywhere by a process that was given no folder to write to."""
    monkeypatch.setenv(names.ENV_SPOOL, " ")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    recorded = Recorded()
    recorded.log_exporter._endpoint = "http://collector:4318/v1/logs"  # type: ignore[attr-defined]
    with instrumented(recorded):
        started().finish()
    assert call_counter.own is None
    assert recorded.call[names.CALL_SEQ] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_is_no_folder(recorded: Recorded, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is counted, nothing is lost, and nobody is bothered with it here: the spool says what is wrong."""
    folder.write_text("in the way")
    with caplog.at_level(logging.INFO, "otel_costs"):
        started().finish()
    assert recorded.call[names.CALL_SEQ] == 1
    assert caplog.messages == []


def test_a_disk_that_is_full_makes_none(recorded: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not all there is taken back: to write to a part of it that is not would kill the process."""
    monkeypatch.setattr(os, "write", lambda *_: 100)
    started().finish()
    assert recorded.call[names.CALL_SEQ] == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("exporter", "has_file"),
    [
        (lambda: OverHttp("http://127.0.0.1:9/v1/logs"), True),
        (lambda: OverGrpc("http://127.0.0.1:9"), True),
        (ConsoleLogRecordExporter, False),
    ],
    ids=["http", "grpc", "console"],
)
@pytest.mark.parametrize("processor", [SimpleLogRecordProcessor, BatchLogRecordProcessor])
def test_where_the_ledger_goes(
    exporter: Callable[[], object], has_file: bool, processor: Callable[..., object]
) -> None:
    """The SDK's exporters say it, in its processors; who writes to the console has no ledger."""
    provider = LoggerProvider(shutdown_on_exit=False)
    assert call_counter._address(provider) is None
    one = exporter()
    provider.add_log_record_processor(processor(one))  # type: ignore[arg-type]
    assert (call_counter._address(provider) is not None) is has_file
    one.shutdown()  # type: ignore[attr-defined]
    provider.shutdown()


def test_an_sdk_that_is_switched_off_has_no_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records go nowhere, so that none of them is missing."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    kept = Recorded()
    kept.log_exporter._endpoint = "http://collector:4318/v1/logs"  # type: ignore[attr-defined]
    assert call_counter._address(kept.logger_provider) is None


def test_no_ledger_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of which no record is made are not missing."""
    with instrumented(Recorded()):
        monkeypatch.setenv(names.ENV_SPOOL, str(folder))
        call_counter.start()
        started().finish()
    assert not folder.exists()


def test_a_forked_child_has_its_own(recorded: Recorded, folder: Path) -> None:
    """It counts from one, leaves the count of its parent alone, and holds no lock of its parent's."""
    started().finish()
    before = started()
    before.stop()
    (parents,) = folder.iterdir()
    is_done, done = os.pipe()
    may_end, end = os.pipe()
    child = os.fork()
    if child == 0:
        before.finish()  # of the parent: a record here, and no call more
        started().finish()
        started().stop()
        os.write(done, b".")
        os.read(may_end, 1)
        os._exit(0)
    try:
        assert os.read(is_done, 1)
        (childs,) = set(folder.iterdir()) - {parents}
        assert (last_seq(parents), last_seq(childs)) == (2, 3)
        assert filelock.locked(parents) is None
        own().abandon()
        lock = filelock.locked(parents)
        assert lock is not None, "the child keeps it"
        os.close(lock)
        assert filelock.locked(childs) is None
    finally:
        os.write(end, b".")
        os.waitpid(child, 0)
    lock = filelock.locked(childs)
    assert lock is not None
    os.close(lock)


@pytest.mark.parametrize("damage", [b"", b"x" * 4096, b"calls\x00\x00\x01".ljust(4096, b"\x00"), b"calls\x00\x00\x01"])
def test_what_is_damaged_says_nothing(tmp_path: Path, damage: bytes) -> None:
    """A file that is no counter, or not all of one, is none."""
    path = tmp_path / "a.calls"
    path.write_bytes(damage)
    with path.open("rb") as file:
        assert DeadProcess.read(file.fileno()) is None
