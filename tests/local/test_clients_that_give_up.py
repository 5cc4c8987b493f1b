"""Clients that cancel, run out of time, hang up or are killed: none of them keeps the store from storing."""

import contextlib
import json
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from otel_costs.local import Stack

from .support import Served, ask, export_logs, ledger_record, logs_request, send

pytestmark = pytest.mark.long

LOGS_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

KILLED = """
import grpc, sys, threading
channel = grpc.insecure_channel(sys.argv[1])
export = channel.unary_unary({method!r})
for body in sys.argv[2:]:
    export.future(bytes.fromhex(body))
print("sent", flush=True)
threading.Event().wait()
"""

END_THE_WRITER = """
import ctypes, signal, threading
def end_the_writer(*_):
    (writer,) = [thread for thread in threading.enumerate() if thread.name == "otel-costs-ingest"]
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(writer.ident), ctypes.py_object(SystemExit))
    print('armed', flush=True)
signal.signal(signal.SIGUSR1, end_the_writer)
"""


class Clients:
    """Good and bad clients of one session. What was acknowledged is in `acknowledged`."""

    def __init__(self, stack: Stack, session: str) -> None:
        self.stack = stack
        self.session = session
        self.acknowledged: list[int] = []
        self._channel = grpc.insecure_channel(stack.otlp_grpc_url.removeprefix("http://"))
        self._export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(LOGS_METHOD)

    def close(self) -> None:
        self._channel.close()

    def body(self, seq: int) -> bytes:
        return logs_request([ledger_record(self.session, seq=seq)]).SerializeToString()

    def good_grpc(self, seq: int) -> None:
        self._export(self.body(seq), timeout=60)
        self.acknowledged.append(seq)

    def good_http(self, seq: int) -> None:
        assert export_logs(self.stack.otlp_http_url, [ledger_record(self.session, seq=seq)]).status == 200
        self.acknowledged.append(seq)

    def cancelled(self, seq: int) -> None:
        call = self._export.future(self.body(seq))
        time.sleep(random.random() * 0.1)  # anywhere between its sending and its answer
        if not call.cancel():
            self.acknowledged.append(seq)

    def out_of_time(self, seq: int) -> None:
        try:
            self._export(self.body(seq), timeout=random.random() * 0.1)
        except grpc.RpcError:
            return
        self.acknowledged.append(seq)

    def reset(self, seq: int) -> None:
        """Send a whole HTTP request, and reset the connection instead of reading the answer."""
        self._raw(self.body(seq), lambda request: request)

    def half_sent(self, seq: int) -> None:
        """Send a part of an HTTP request, headers or body, and reset the connection."""
        self._raw(self.body(seq), lambda request: request[: random.randrange(len(request))])

    def half_frame(self, _seq: int) -> None:
        """Send the start of a gRPC connection, and nothing more."""
        with socket.create_connection(self._address(self.stack.otlp_grpc_url)) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\xff\xff\1\4")

    def killed(self, seq: int, count: int = 10) -> None:
        """Run a process that exports, and kill it before it reads an answer."""
        bodies = [self.body(seq + number).hex() for number in range(count)]
        target = self.stack.otlp_grpc_url.removeprefix("http://")
        command = [sys.executable, "-c", KILLED.format(method=LOGS_METHOD), target, *bodies]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()

    def _raw(self, body: bytes, cut: Callable[[bytes], bytes]) -> None:
        head = (
            "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(self._address(self.stack.otlp_http_url)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(cut(head.encode() + body))
            time.sleep(random.random() * 0.05)

    @staticmethod
    def _address(url: str) -> tuple[str, int]:
        host, _, port = url.removeprefix("http://").partition(":")
        return host, int(port)


@pytest.fixture
def clients(stack: Stack) -> Iterator[Clients]:
    made = Clients(stack, uuid.uuid4().hex)
    yield made
    made.close()


def end_the_writer(process: "subprocess.Popen[str]") -> None:
    """Have an error raised in the thread that stores, as soon as it has something to do."""
    process.send_signal(signal.SIGUSR1)
    assert process.stdout is not None
    assert process.stdout.readline() == "armed\n"


def stored(url: str, session: str) -> list[int]:
    """Return the numbers of the calls that are stored, each as often as it is."""
    rows = ask(url, "SELECT call_seq AS s FROM calls FINAL WHERE session_id = {s:String} ORDER BY s", s=session)
    return [int(row["s"]) for row in rows]


@pytest.mark.timeout(600)
def test_five_hundred_good_exports_among_a_hundred_bad_ones(clients: Clients) -> None:
    """Every good export is acknowledged, and what was acknowledged is stored, to the call, whatever the others do."""
    kinds = [clients.cancelled, clients.out_of_time, clients.reset, clients.half_sent, clients.half_frame]
    bad = [(kinds[number % 5], 10_000 + number) for number in range(100)]
    bad += [(clients.killed, 20_000), (clients.killed, 20_010)]
    good = [(clients.good_grpc if number % 2 else clients.good_http, number) for number in range(500)]
    work = [*good, *bad]
    random.shuffle(work)
    with ThreadPoolExecutor(24) as pool:
        for done in [pool.submit(send_it, seq) for send_it, seq in work]:
            done.result()
    found = stored(clients.stack.http_url, clients.session)
    assert set(range(500)) <= set(clients.acknowledged) <= set(found)
    assert len(found) == len(set(found))
    assert send(f"{clients.stack.http_url}/ping").status == 200


@pytest.mark.parametrize("kind", ["cancelled", "out_of_time", "reset", "half_sent", "half_frame"])
def test_one_bad_export_harms_nothing(clients: Clients, kind: str) -> None:
    """After each kind of client that gives up, in the middle of an insert and before it, the next one is stored."""
    for seq in range(10):
        getattr(clients, kind)(1000 + seq)
        clients.good_grpc(seq)
    assert set(clients.acknowledged) <= set(stored(clients.stack.http_url, clients.session))


def test_the_end_of_the_writer_is_the_end_of_the_process(serve: Callable[..., Served], tmp_path: Path) -> None:
    """When the thread that stores ends, for whatever reason, who waits is refused, and /ping fails.

    Then the process says why, and ends with code 1. What was acknowledged before is there after a restart.
    """
    served = serve(prelude=END_THE_WRITER)
    served.wait_until_ready()
    session = uuid.uuid4().hex
    assert export_logs(served.otlp_http_url, [ledger_record(session, seq=1)]).status == 200
    end_the_writer(served.process)
    with contextlib.suppress(OSError):
        assert export_logs(served.otlp_http_url, [ledger_record(session, seq=2)]).status == 503
    with contextlib.suppress(OSError):
        assert send(f"{served.http_url}/ping").status == 503
    code, errors = served.end()
    assert code == 1
    assert "the thread that stores records has ended (SystemExit)" in errors
    assert "start it again" in errors
    with Stack(tmp_path / "data") as stack:
        assert stored(stack.http_url, session) == [1]


def test_the_stack_of_a_program_ends_too(tmp_path: Path) -> None:
    """The process behind `Stack` ends with code 1 as well, and says why on standard error."""
    program = f"{END_THE_WRITER}\nimport sys; from otel_costs.local.__main__ import main; sys.exit(main())"
    options = (
        '{"data": "%s", "host": "127.0.0.1", "otlp_http_port": 0, "otlp_grpc_port": 0, "http_port": 0, "token": null}'
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(options % (tmp_path / "data") + "\n")
        process.stdin.flush()
        url = json.loads(process.stdout.readline())["otlp_http_url"]
        end_the_writer(process)
        with contextlib.suppress(OSError):
            assert export_logs(url, [ledger_record("x")]).status == 503
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(60) == 1
    assert "otel-costs local: the thread that stores records has ended" in said


def test_nobody_waits_for_ever_when_the_writer_ends(serve: Callable[..., Served]) -> None:
    """Exports that wait when the writer ends are all answered or cut off, and none is told that it is stored."""
    served = serve(prelude=END_THE_WRITER)
    served.wait_until_ready()
    statuses: list[int] = []

    def export(seq: int) -> None:
        try:
            statuses.append(export_logs(served.otlp_http_url, [ledger_record("many", seq=seq)]).status)
        except OSError:
            statuses.append(0)

    end_the_writer(served.process)
    threads = [threading.Thread(target=export, args=(seq,)) for seq in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 20
    assert set(statuses) <= {0, 503}
    assert served.end()[0] == 1
