"""The spool: a ledger record is on disk until the collector has said that it has it."""

import fcntl
import os
import stat
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent import futures
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from otel_costs import CostsInstrumentor, spool
from otel_costs.runtime import telemetry
from otel_costs.spool import delivery, inventory, refusals, segments, sender
from otel_costs.spool.sender import Spool
from otel_costs.stand_in import Provider
from tests.support.collector import Collector
from tests.support.program import CLIENT, Program, environ
from tests.support.recorded import Recorded, instrumented

PATIENCE_S = 60


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def request(name: str, *, size: int = 0) -> bytes:
    """Make what is kept of a record."""
    record = LogRecord(event_name=name)
    record.body.string_value = "x" * size
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=[record])])
    return ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString()


def names(body: bytes) -> list[str]:
    found = ExportLogsServiceRequest.FromString(body)
    return [r.event_name for logs in found.resource_logs for scope in logs.scope_logs for r in scope.log_records]


class Taker:
    """A collector over gRPC that does as it is told."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.requests = 0
        self.answer: Callable[[list[str], Any], ExportLogsServiceResponse] = lambda *_: ExportLogsServiceResponse()
        server = grpc.server(futures.ThreadPoolExecutor(2))
        handler: Any = grpc.unary_unary_rpc_method_handler(self._export)
        service = "opentelemetry.proto.collector.logs.v1.LogsService"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
        self.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        self.server = server

    def _export(self, body: bytes, context: Any) -> bytes:
        self.requests += 1
        found = names(body)
        answer = self.answer(found, context)
        if not answer.partial_success.rejected_log_records:
            self.taken += found
        return answer.SerializeToString()


@pytest.fixture
def taker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Taker]:
    monkeypatch.setattr(telemetry, "_warned", set())
    made = Taker()
    made.server.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.endpoint)
    monkeypatch.setattr(sender, "_RETRY_S", (0.01, 0.05))
    yield made
    made.server.stop(None).wait()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Spool]]:
    """Make spools that are closed in the end."""
    opened: list[Spool] = []

    def make(root: Path = tmp_path / "spool") -> Spool:
        opened.append(Spool(root))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def lying(root: Path) -> list[str]:
    """Return what lies on disk."""
    files = [path for folder in sorted(root.glob(f"{segments.PREFIX}*")) for path in segments.segments(folder)]
    return [
        name
        for file in files
        for entry in segments.read(file, segments.sent(file), 2**30).entries
        for name in names(entry)
    ]


def abandoned(root: Path, *records: str) -> Path:
    """Leave records as a process does that was killed, and return its folder."""
    writer = segments.Writer(root)
    assert all(writer.append(request(name)) for name in records)
    writer.abandon()
    return writer.folder


def test_a_record_is_kept_until_it_is_acknowledged(taker: Taker, made: Callable[..., Spool], tmp_path: Path) -> None:
    """While the collector refuses, everything lies on disk; when it takes it, nothing does."""

    def refuse(_: list[str], context: Any) -> ExportLogsServiceResponse:
        context.abort(grpc.StatusCode.UNAVAILABLE, "down")
        raise AssertionError

    taker.answer = refuse
    one = made()
    assert all(one.keep(request(name)) for name in "abc")
    wait_until(lambda: taker.requests >= 3)
    assert not one.flush(5)
    assert lying(tmp_path / "spool") == ["a", "b", "c"]
    taker.answer = lambda *_: ExportLogsServiceResponse()
    wait_until(lambda: one.flush(5))
    assert taker.taken == ["a", "b", "c"]
    assert lying(tmp_path / "spool") == []


def test_what_is_rejected_is_found_and_put_aside(taker: Taker, made: Callable[..., Spool], tmp_path: Path) -> None:
    """One bad record neither stops the others nor is it thrown away; a success that rejected something is none."""

    def reject(found: list[str], _: Any) -> ExportLogsServiceResponse:
        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = found.count("bad")
        return answer

    taker.answer = reject
    one = made()
    assert all(one.keep(request(name)) for name in ("a", "b", "bad", "c"))
    wait_until(lambda: one.flush(5))
    assert sorted(set(taker.taken)) == ["a", "b", "c"]
    (refusal,) = refusals.read(tmp_path / "spool")
    assert (names(refusal.request), refusal.reason) == (["bad"], "1 records rejected")


def test_nothing_is_sent_twice_while_records_come(taker: Taker, made: Callable[..., Spool]) -> None:
    """A segment grows while it is sent: the sender goes on where it was, and not from the beginning again."""
    one, pending = made(), iter(range(20, 2000))

    def grow(*_: Any) -> ExportLogsServiceResponse:
        assert all(one.keep(request(str(number))) for number in islice(pending, 20))
        return ExportLogsServiceResponse()

    taker.answer = grow
    assert all(one.keep(request(str(number))) for number in range(20))
    wait_until(lambda: len(taker.taken) >= 2000)
    wait_until(lambda: one.flush(5))
    assert taker.taken == [str(number) for number in range(2000)]


def test_what_a_killed_process_had_sent_is_not_sent_again(
    taker: Taker, made: Callable[..., Spool], tmp_path: Path
) -> None:
    """Up to where a segment was acknowledged stands beside it; a mark that is damaged says nothing."""
    root = tmp_path / "spool"
    for name, damage in (("a", False), ("c", True)):
        (segment,) = segments.segments(abandoned(root, name, chr(ord(name) + 1)))
        segments.mark_sent(segment, segments.read(segment, 0, 1).end)
        if damage:
            mark = segment.with_suffix(".sent")
            mark.write_bytes(mark.read_bytes()[:-1] + b"x")
    assert made().open()
    wait_until(lambda: len(taker.taken) == 3)
    assert sorted(taker.taken) == ["b", "c", "d"]
    wait_until(lambda: not list(root.rglob("*.sent")))


def test_a_collector_that_refuses_everything_for_a_time_costs_nothing(
    taker: Taker, made: Callable[..., Spool], tmp_path: Path
) -> None:
    """Where nothing at all is taken, the collector is set up wrongly, and not all records are: they wait."""
    refusing = threading.Event()
    refusing.set()

    def answer(_: list[str], context: Any) -> ExportLogsServiceResponse:
        if refusing.is_set():
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        return ExportLogsServiceResponse()

    taker.answer = answer
    one = made()
    assert all(one.keep(request(name)) for name in "abc")
    wait_until(lambda: taker.requests >= 20)
    assert refusals.read(tmp_path / "spool") == []
    refusing.clear()
    wait_until(lambda: one.flush(5))
    assert taker.taken == ["a", "b", "c"]


def test_what_is_refused_for_long_is_put_aside(
    taker: Taker, made: Callable[..., Spool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that is refused when it is alone does not keep the others for ever; the reason is kept."""
    monkeypatch.setattr(sender, "_REFUSING_S", 0.0)
    taker.answer = lambda _, context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
    one = made()
    assert one.keep(request("a"))
    wait_until(lambda: one.flush(5))
    (refusal,) = refusals.read(tmp_path / "spool")
    assert (names(refusal.request), refusal.reason) == (["a"], "gRPC INVALID_ARGUMENT")


def test_what_was_refused_is_sent_again_or_dropped(
    taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resent record that is taken is gone from the file, one that is refused again stays with its time, and so does
    all of it where the collector is not there."""
    root = tmp_path / "spool"
    root.mkdir()
    refused = [delivery.Refused(request(name), "HTTP 413") for name in ("a", "bad", "b")]
    assert refusals.put_aside(root, refused) == 3
    before = refusals.read(root)

    def reject(found: list[str], context: Any) -> ExportLogsServiceResponse:
        if "bad" in found:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        return ExportLogsServiceResponse()

    taker.answer = reject
    assert refusals.resend(root, delivery.connect()) == (2, 1)
    assert sorted(taker.taken) == ["a", "b"]
    (left,) = refusals.read(root)
    assert (left.at, left.reason, names(left.request)) == (before[1].at, "gRPC INVALID_ARGUMENT", ["bad"])
    taker.answer = lambda _, context: context.abort(grpc.StatusCode.UNAVAILABLE, "down")
    with pytest.raises(delivery.UnavailableError):
        refusals.resend(root, delivery.connect())
    assert refusals.read(root) == [left]
    assert refusals.drop(root) == 1
    assert list(root.iterdir()) == []


def test_refusals_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is not kept, and said."""
    monkeypatch.setattr(refusals, "LIMIT_BYTES", 1000)
    refused = [delivery.Refused(request("a", size=300), "HTTP 400")] * 5
    assert refusals.put_aside(tmp_path, refused) == 3
    with (tmp_path / "refused.jsonl").open("ab") as file:
        file.write(b"{not json\n")
    assert len(refusals.read(tmp_path)) == 3


@pytest.mark.parametrize("where", ["payload", "length", "crc", "first byte", "last entry"])
def test_a_flipped_byte_costs_one_record(
    where: str, taker: Taker, made: Callable[..., Spool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever of an entry is damaged, all the others of its segment are sent; it is said, with a copy for people."""
    root = tmp_path / "spool"
    (segment,) = segments.segments(abandoned(root, *"abcdef"))
    data = bytearray(segment.read_bytes())
    each = len(data) // 6
    at = {"payload": 2 * each + 12, "length": 2 * each + 2, "crc": 2 * each + 5, "first byte": 2 * each + 8}
    data[at.get(where, len(data) - 1)] ^= 0x55
    segment.write_bytes(bytes(data))
    assert made().open()
    left = "abcde" if where == "last entry" else "abdef"
    wait_until(lambda: "".join(sorted(taker.taken)) == left)
    wait_until(lambda: not segment.exists())
    assert segment.with_suffix(".damaged").read_bytes() == bytes(data)
    assert "1 damaged places" in caplog.text
    (lot,) = inventory.of(root)
    assert (lot.state, lot.records, lot.detail) == ("damaged", 1, str(segment.with_suffix(".damaged")))
    assert inventory.drop_damaged(root) == 1
    # The sender may still be about to let go of the folder.
    wait_until(lambda: inventory.drop_damaged(root) or not segment.parent.exists())


def test_a_list_while_a_process_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that was sent since it was seen is no longer in the list, and breaks nothing."""
    first, second = (segments.segments(abandoned(tmp_path, name))[0] for name in "ab")
    sent = segments.sent

    def sending(segment: Path) -> int:
        first.unlink(missing_ok=True)
        return sent(segment)

    monkeypatch.setattr(segments, "sent", sending)
    (lot,) = inventory.of(tmp_path)
    assert (lot.state, lot.records, lot.bytes) == ("waiting", 1, second.stat().st_size)


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """Bytes that are changed, cut out or put in cost the entries that they are in, and never one that is whole."""
    entries = [request(f"{number}", size=data.draw(st.integers(0, 40))) for number in range(6)]
    heads = [segments._HEAD.pack(len(entry), zlib.crc32(entry)) for entry in entries]
    whole = [head + entry for head, entry in zip(heads, entries, strict=True)]
    hit = data.draw(st.integers(0, 5))
    piece = bytearray(whole[hit])
    at = data.draw(st.integers(0, len(piece) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "put in"]))
    if kind == "change":
        piece[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del piece[at : at + data.draw(st.integers(1, 20))]
    else:
        piece[at:at] = data.draw(st.binary(min_size=1, max_size=20))
    with TemporaryDirectory() as folder:
        segment = Path(folder) / "00000001.otlp"
        segment.write_bytes(b"".join([*whole[:hit], bytes(piece), *whole[hit + 1 :]]))
        found: list[bytes] = []
        damaged = end = 0
        while True:
            read = segments.read(segment, end, 100)
            found, damaged = found + read.entries, damaged + read.damaged
            if read.end == end:
                break
            end = read.end
        assert end == segment.stat().st_size
    assert [entry for number, entry in enumerate(entries) if number != hit] == [e for e in found if e != entries[hit]]
    assert damaged or entries[hit] in found


def test_what_others_left_is_sent(taker: Taker, made: Callable[..., Spool], tmp_path: Path) -> None:
    """The next process drains what a killed one left, and clears it away; a living one's is its own."""
    root = tmp_path / "spool"
    gone, alive = abandoned(root, "a", "b"), segments.Writer(root)
    alive.append(request("alive"))
    assert made().open()
    wait_until(lambda: taker.taken == ["a", "b"])
    wait_until(lambda: not gone.exists())
    assert lying(root) == ["alive"]
    alive.abandon()


def test_a_record_cut_off_in_the_middle_costs_only_itself(
    taker: Taker, made: Callable[..., Spool], tmp_path: Path
) -> None:
    """What is whole before it is sent; the rest is set aside."""
    root = tmp_path / "spool"
    (segment,) = segments.segments(abandoned(root, "a", "b"))
    segment.write_bytes(segment.read_bytes()[:-1])
    made().open()
    wait_until(lambda: segment.with_suffix(".damaged").exists())
    wait_until(lambda: taker.taken == ["a"])


def test_it_is_private(taker: Taker, made: Callable[..., Spool], tmp_path: Path) -> None:
    """Folders are for their owner, and so are files; a folder that was there keeps its mode."""
    (tmp_path / "there").mkdir(mode=0o755)
    for root, mode in ((tmp_path / "spool", 0o700), (tmp_path / "there", 0o755)):
        folder = abandoned(root, "a")
        assert stat.S_IMODE(root.stat().st_mode) == mode
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others write too, nobody makes us send or delete what lies elsewhere."""
    elsewhere = abandoned(tmp_path / "elsewhere", "a")
    root = tmp_path / "spool"
    root.mkdir()
    (root / f"{segments.PREFIX}link").symlink_to(elsewhere)
    assert list(segments.left(root)) == []


def test_it_is_bounded(
    taker: Taker, made: Callable[..., Spool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full spool takes nothing more, and says so: the record goes the SDK's way."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 2_000)
    monkeypatch.setattr(segments, "LIMIT_BYTES", 10_000)
    taker.server.stop(None).wait()
    one = made()
    kept = [one.keep(request("a", size=500)) for _ in range(100)]
    assert kept[0]
    assert not kept[-1]
    size = sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*") if path.is_file())
    assert 8_000 <= size <= 10_600


def test_what_another_process_clears_meanwhile_fills_nothing(made: Callable[..., Spool], tmp_path: Path) -> None:
    """A segment that was sent and deleted between a look at the folder and one at its size is none, and no error."""
    other = tmp_path / "spool" / f"{segments.PREFIX}other"
    other.mkdir(parents=True, mode=0o700)
    (other / "00000001.otlp").symlink_to(tmp_path / "gone")
    (tmp_path / "spool" / f"{segments.PREFIX}gone").symlink_to(tmp_path / "gone")
    assert made().keep(request("a"))


def test_segments_are_cleared_while_records_come(taker: Taker, made: Callable[..., Spool], tmp_path: Path) -> None:
    """A process that never rests does not fill the disk."""
    one = made()
    for number in range(300):
        assert one.keep(request(str(number), size=20_000))
    wait_until(lambda: one.flush(5))
    assert taker.taken == [str(number) for number in range(300)]
    assert list((tmp_path / "spool").rglob("*.otlp")) == []


def test_a_folder_that_cannot_be_used_loses_nothing(made: Callable[..., Spool], tmp_path: Path) -> None:
    """The application goes on, and the record goes the SDK's way."""
    (tmp_path / "file").write_text("in the way")
    one = made(tmp_path / "file" / "spool")
    assert not one.keep(request("a"))


def test_an_application_that_closes_all_files(taker: Taker, tmp_path: Path) -> None:
    """Nothing is written into what it opens then, under the same numbers; records go on to where they were going."""
    writer = segments.Writer(tmp_path / "spool")
    assert writer.append(request("a"))
    assert writer._file is not None
    assert writer.lock is not None
    closed = {writer._file, writer.lock}
    for descriptor in closed:
        os.close(descriptor)
    theirs = {os.open(tmp_path / f"theirs{number}", os.O_RDWR | os.O_CREAT) for number in closed}
    assert theirs == closed
    assert writer.append(request("b"))
    assert lying(tmp_path / "spool") == ["a", "b"]
    assert list(segments.left(tmp_path / "spool")) == []
    writer.remove()
    for descriptor in theirs:
        assert os.fstat(descriptor).st_size == 0
        os.close(descriptor)


def test_no_lock_is_left_by_a_child(taker: Taker, made: Callable[..., Spool], tmp_path: Path) -> None:
    """A forked child has a folder of its own, and does not unlock its parent's."""
    one = made()
    one.keep(request("a"))
    assert one._writer is not None
    folder = one._writer.folder
    copy = os.dup(one._writer.lock or -1)
    one.for_child()  # as in the child, where these are copies
    with (folder / "lock").open("r+") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(copy)
    one._writer = None


class TestInTheSdk:
    """Where the spool stands in the SDK's way of a record."""

    @pytest.fixture
    def recorded(
        self, taker: Taker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Provider
    ) -> Iterator[Recorded]:
        monkeypatch.setenv("OTEL_COSTS_SPOOL", str(tmp_path / "spool"))
        found = Recorded()
        with instrumented(found):
            spool.install(CostsInstrumentor._patches)
            yield found
            spool.remove()

    def test_the_ledger_goes_through_the_spool_and_all_else_does_not(self, recorded: Recorded, taker: Taker) -> None:
        """Ledger records reach the collector by the spool alone; messages and spans by the SDK."""
        import otel_costs

        with otel_costs.session(uuid.uuid4().hex):
            otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 10})
        wait_until(lambda: taker.taken == ["otel_costs.call"])
        assert not recorded.records("otel_costs.call")
        assert recorded.records("otel_costs.session")

    def test_how_far_a_process_went_goes_with_its_calls(self, recorded: Recorded, taker: Taker) -> None:
        """An outage that calls survive loses no word of what is missing."""
        telemetry.emit("otel_costs.process", {"event.name": "otel_costs.process"}, timestamp_ns=1)
        wait_until(lambda: taker.taken == ["otel_costs.process"])
        assert not recorded.records("otel_costs.process")

    def test_a_bug_of_ours_sends_the_record_the_usual_way(
        self, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the spool cannot keep is not lost by it."""
        import otel_costs

        monkeypatch.setattr(spool, "_encoded", lambda _: 1 / 0)
        otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 10})
        assert recorded.records("otel_costs.call")


INSTALLED = """
from otel_costs import CostsInstrumentor, spool
spool.install(CostsInstrumentor._patches)
"""
"""What `instrument` does by itself, where the spool is part of it."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals")
class TestProcesses:
    """Over HTTP, in processes of their own, with the real SDK."""

    def variables(self, provider: Provider, collector: Collector | str, tmp_path: Path) -> dict[str, str]:
        return {**environ(provider, collector), "OTEL_COSTS_SPOOL": str(tmp_path / "spool")}

    def test_kill_9_loses_no_finished_call(self, provider: Provider, tmp_path: Path) -> None:
        """A process is killed while no collector is there; the next one delivers its calls, under its id."""
        source = f"""
import os, signal, otel_costs
{INSTALLED}
with otel_costs.session("killed") as session:
    for _ in range(20):
        ask()
    session.cost_usd  # all is written now
    os.kill(os.getpid(), signal.SIGKILL)
"""
        nobody = "http://127.0.0.1:9"
        with Program(CLIENT + source, tmp_path, self.variables(provider, nobody, tmp_path)) as program:
            assert program.ended().code == -9
        with Collector() as collector:
            variables = self.variables(provider, collector, tmp_path)
            with Program(f"{INSTALLED}\nprint('ready', flush=True)\ninput()", tmp_path, variables) as program:
                program.heard("ready")
                collector.wait_for(lambda found: len(found.calls(session="killed")) >= 20)
            seqs = [call["otel_costs.call.seq"] for call in collector.calls(session="killed")]
        assert sorted(seqs) == list(range(1, 21))

    @pytest.mark.long
    def test_forked_children_have_folders_of_their_own(self, provider: Provider, tmp_path: Path) -> None:
        """Parent and children write and send at the same time: all is there once."""
        source = f"""
import multiprocessing, otel_costs
{INSTALLED}
multiprocessing.set_start_method("fork")
def child():
    global client
    client = openai.OpenAI()
    ask(); ask()
ask()
children = [multiprocessing.Process(target=child) for _ in range(4)]
for each in children: each.start()
ask()
for each in children: each.join()
"""
        with Collector() as collector:
            variables = self.variables(provider, collector, tmp_path)
            with Program(CLIENT + source, tmp_path, variables) as program:
                ended = program.ended()
                assert (ended.code, ended.err) == (0, "")
            calls = collector.calls()
        assert len({call["otel_costs.call.id"] for call in calls}) == len(calls) == 10
        assert lying(tmp_path / "spool") == []

    @pytest.mark.long
    def test_a_collector_that_hangs_does_not_hold_the_application(self, provider: Provider, tmp_path: Path) -> None:
        """Calls go on, the process ends in its three seconds, and what was not taken lies on disk."""
        with Collector() as collector:
            collector.open.clear()
            variables = self.variables(provider, collector, tmp_path)
            source = f"{INSTALLED}\nfor _ in range(5): ask()"
            started = threading.Event()
            with Program(CLIENT + source, tmp_path, variables) as program:
                started.set()
                assert program.ended(25).code == 0
            assert len(lying(tmp_path / "spool")) == 5
