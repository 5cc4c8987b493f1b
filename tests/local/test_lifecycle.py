"""Starting, stopping, dying and coming back, without losing what was acknowledged."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from otel_costs.local import Stack, StartError, server

from .support import LATELY_NS, Served, ask, export_logs, ledger_record, send

Serve = Callable[..., Served]


def count(url: str, session: str) -> int:
    (row,) = ask(url, "SELECT count() AS c FROM calls FINAL WHERE session_id = {s:String}", s=session)
    return int(row["c"])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_part_of_an_answer_waits_for_the_one_before(host: str) -> None:
    """Connections have TCP_NODELAY, which asyncio sets on some sockets alone."""

    async def is_set() -> bool:
        found: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken = writer.get_extra_info("socket")
            found.set_result(bool(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            writer.close()

        listening = server._listen(host, 0, "http_port")
        async with await asyncio.start_server(connected, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
            writer.close()
            return await found

    assert asyncio.run(is_set())


def test_what_was_acknowledged_is_there_after_kill_9(serve: Serve) -> None:
    """What is answered 200 is on the disk by then."""
    served, session = serve(), uuid.uuid4().hex
    served.wait_until_ready()
    assert export_logs(served.otlp_http_url, [ledger_record(session, seq=seq) for seq in (1, 2)]).status == 200
    served.process.kill()
    again = serve()
    again.wait_until_ready()
    assert count(again.http_url, session) == 2


@pytest.mark.long
def test_killed_after_acknowledgement_nothing_is_lost(serve: Serve) -> None:
    """Every call of every request that was answered 200 is there after kill -9, once; others may be or not be.

    So are calls of 1970, of 500 days ago and of the next centuries.
    """
    served = serve()
    served.wait_until_ready()
    odd, session = uuid.uuid4().hex, uuid.uuid4().hex
    times = [LATELY_NS, 0, LATELY_NS - 500 * 86_400 * 10**9, 4_500_000_000 * 10**9, 6_000_000_000 * 10**9, 2**64 - 1]
    records = [ledger_record(odd, time_ns=time, seq=seq) for seq, time in enumerate(times)]
    assert export_logs(served.otlp_http_url, records).status == 200
    acknowledged: list[int] = []
    enough = threading.Semaphore(0)

    def export(number: int) -> None:
        for seq in range(number * 1000, number * 1000 + 1000):
            try:
                if export_logs(served.otlp_http_url, [ledger_record(session, seq=seq)]).status == 200:
                    acknowledged.append(seq)
                    enough.release()
            except OSError:
                return

    senders = [threading.Thread(target=export, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(40):
        assert enough.acquire(timeout=60)
    served.process.kill()
    for sender in senders:
        sender.join()
    again = serve()
    again.wait_until_ready()
    rows = ask(again.http_url, "SELECT call_seq AS s FROM calls FINAL WHERE session_id = {s:String}", s=session)
    stored = [int(row["s"]) for row in rows]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    assert count(again.http_url, odd) == len(times)
    (row,) = ask(again.http_url, "SELECT sum(calls) AS c FROM misdated_calls")
    assert int(row["c"]) == len(times) - 1


@pytest.mark.long
def test_requests_under_way_are_answered_when_it_stops(serve: Serve, tmp_path: Path) -> None:
    """A stop in the middle of a stream of requests loses none that was acknowledged, and leaves the folder free.

    What was stored is there after a restart, and what comes then is stored, too.
    """
    served = serve()
    served.wait_until_ready()
    session = uuid.uuid4().hex
    acknowledged: list[int] = []
    first = threading.Event()

    def export() -> None:
        for seq in range(100_000):
            try:
                if export_logs(served.otlp_http_url, [ledger_record(session, seq=seq)]).status != 200:
                    return
            except OSError:
                return
            acknowledged.append(seq)
            first.set()

    sender = threading.Thread(target=export)
    sender.start()
    assert first.wait(60)
    assert served.stop() == (0, "")
    sender.join()
    with Stack(tmp_path / "data") as stack:
        assert (stored := count(stack.http_url, session)) >= len(acknowledged) > 0
        assert export_logs(stack.otlp_http_url, [ledger_record(session, seq=100_000)]).status == 200
        assert count(stack.http_url, session) == stored + 1


@pytest.mark.long
def test_a_long_query_does_not_hold_the_stop(serve: Serve) -> None:
    """Queries that would run for hours, and those that wait for them, are given up; Ctrl-C ends it cleanly."""
    served = serve()
    served.wait_until_ready()
    sql = b"SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
    answers: list[int] = []

    def query() -> None:
        try:
            answers.append(send(served.http_url, sql).status)
        except OSError:
            answers.append(0)

    asking = [threading.Thread(target=query) for _ in range(6)]
    for one in asking[:3]:
        one.start()
    while not ask(
        served.http_url,
        "SELECT 1 FROM system.processes WHERE query LIKE '%(sipHash64%' AND is_initial_query AND read_rows > 0",
    ):
        pass
    for one in asking[3:]:
        one.start()
    assert served.stop(signal.SIGINT) == (0, "")
    for one in asking:
        one.join()
    assert len(answers) == 6
    assert 200 not in answers


@pytest.mark.long
@pytest.mark.parametrize("name", ["otlp_http_port", "otlp_grpc_port", "http_port"])
def test_a_port_that_is_taken(tmp_path: Path, name: str) -> None:
    """The message names the port, what it is for and the option that chooses another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        option = "--" + name.replace("_", "-")
        stack = Stack(tmp_path, **{name: port})
        with pytest.raises(StartError, match=f"port {port} .*taken.*{option}"), stack:
            pass


@pytest.mark.long
def test_a_folder_in_use(stack: Stack) -> None:
    """The message names the folder and the process that has it, and the one that has it is not disturbed."""
    with (
        pytest.raises(StartError, match=f"{stack.data} is in use by process {stack.pid}.*--data"),
        Stack(stack.data),
    ):
        pass
    assert send(f"{stack.http_url}/ping").status == 200


@pytest.mark.long
def test_a_folder_that_chdb_alone_has_open(tmp_path: Path) -> None:
    """Somebody may have opened the folder with chDB itself: that is told too."""
    program = (
        "import sys; from chdb.session import Session; s = Session(sys.argv[1]); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StartError, match=f"in use by process {other.pid}"), Stack(tmp_path):
            pass
        other.communicate("\n")


@pytest.mark.long
def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A file in the place of the folder is named, without a traceback."""
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(StartError, match=r"file/data cannot be used|file/data .*Not a directory"),
        Stack(tmp_path / "file" / "data"),
    ):
        pass


@pytest.mark.long
def test_the_stack_ends_with_the_process_that_entered_it(tmp_path: Path) -> None:
    """A test run that is killed leaves no server behind."""
    program = (
        "import sys, os; from otel_costs.local import Stack\n"
        "stack = Stack(sys.argv[1]).__enter__(); print(stack.pid, flush=True); input()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        pidfd = os.pidfd_open(child)
        parent.kill()
    assert select.select([pidfd], [], [], 60)[0], "the stack still runs"
    os.close(pidfd)


@pytest.mark.long
def test_content_is_not_logged(serve: Serve) -> None:
    """What it prints, even in trouble, has no word of a record, a query or a token in it."""
    served = serve(token="s3cret-token")
    said = served.wait_until_ready()
    headers = {"Authorization": "Bearer s3cret-token"}
    record = ledger_record("private-session", more={"x": "private-words"})
    assert export_logs(served.otlp_http_url, [record], **headers).status == 200
    for body in (b"private-words", b"\xff private-words"):
        send(f"{served.otlp_http_url}/v1/logs", body, headers | {"Content-Type": "application/json"})
        send(served.http_url, b"SELECT 'private-words' FROM " + body, headers)
    send(served.http_url, b"INSERT INTO otel_logs FORMAT JSONEachRow\nprivate-words", headers)
    code, errors = served.stop()
    assert code == 0
    assert "private" not in said + errors
    assert "s3cret-token" not in said + errors


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 48 MiB, where this may be done."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no right to mount a small disk: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.long
def test_a_full_disk_is_503_and_the_retry_is_stored_once(small_disk: Path) -> None:
    """With no room, the client is asked to come again; when there is room, what it sends again is stored, once."""
    session = uuid.uuid4().hex
    with Stack(small_disk / "data") as stack:
        assert export_logs(stack.otlp_http_url, [ledger_record(session, seq=1)]).status == 200
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file:  # what a buffer holds would not fit when it is closed
            try:
                while True:
                    file.write(os.urandom(2**16))
            except OSError:
                pass
        records = [ledger_record(session, seq=seq, more={"pad": os.urandom(5000).hex()}) for seq in range(2, 200)]
        for _ in range(3):
            answer = export_logs(stack.otlp_http_url, records)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
            assert Status.FromString(answer.body).message == "the disk is full"
        filler.unlink()
        assert export_logs(stack.otlp_http_url, records).status == 200
        assert export_logs(stack.otlp_http_url, records).status == 200
        assert count(stack.http_url, session) == 199


def test_a_store_whose_inserts_fail_does_not_look_well(stack: Stack) -> None:
    """`/ping` and `/state` say so as long as the last records were not stored."""
    assert send(stack.http_url, b"RENAME TABLE calls TO away").status == 200
    try:
        assert export_logs(stack.otlp_http_url, [ledger_record("s")]).status == 503
        assert send(f"{stack.http_url}/ping").status == 503
        state = json.loads(send(f"{stack.http_url}/state").body)
        assert (state["storing"], "not stored" in state["trouble"]) == (False, True)
    finally:
        assert send(stack.http_url, b"RENAME TABLE away TO calls").status == 200
    assert export_logs(stack.otlp_http_url, [ledger_record("s")]).status == 200
    assert send(f"{stack.http_url}/ping").status == 200
