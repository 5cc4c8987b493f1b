"""Requests that are half sent, on every port: they take no place of whole ones, and end after a time."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import grpc
import h2.config
import h2.connection
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from otel_costs.local import Stack, body, http_server, otlp_grpc

from .support import Served, ask, export_logs, free_ports, ledger_record, logs_request, send

LOGS_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
HEAD = b"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n"
HALVES = {
    "nothing": b"",
    "half a head": HEAD,
    "a head": HEAD + b"\r\n",
    "half a body": HEAD + b"\r\n" + b"x" * 500,
    "chunks": HEAD.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked") + b"\r\n3\r\nabc\r\n",
}
MANY = http_server.CONNECTIONS + 50


def opened(url: str, sent: bytes) -> socket.socket:
    address = urlsplit(url)
    made = socket.create_connection((address.hostname or "", address.port or 0), timeout=60)
    made.sendall(sent)
    return made


@pytest.fixture
def many() -> Iterator[ExitStack]:
    with ExitStack() as connections:
        yield connections


@pytest.mark.some(1)
@pytest.mark.parametrize("half", HALVES)
def test_half_sent_requests_take_no_places(stack: Stack, many: ExitStack, half: str) -> None:
    """With more of them on both HTTP ports than connections are had, a whole request is answered on each."""
    session = uuid.uuid4().hex
    for url in (stack.otlp_http_url, stack.http_url):
        for _ in range(MANY):
            many.enter_context(opened(url, HALVES[half]))
    assert export_logs(stack.otlp_http_url, [ledger_record(session)]).status == 200
    assert send(f"{stack.http_url}/ping").text == "Ok.\n"
    assert ask(stack.http_url, "SELECT count() AS c FROM calls WHERE session_id = {s:String}", s=session) == [{"c": 1}]


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `otel-costs local` with a second for what may take 10 and 20, and return where it takes records."""
    prelude = "from otel_costs.local import body, http_server; body.PAUSE_S = http_server.HEAD_S = 1.0"
    served = Served(tmp_path_factory.mktemp("impatient"), free_ports(3), {}, prelude)
    served.wait_until_ready()
    yield served.otlp_http_url
    served.kill()


def test_how_long_a_half_is_waited_for() -> None:
    """A client with a slow network has that long."""
    assert (http_server.HEAD_S, body.PAUSE_S) == (10, 20)


@pytest.mark.some(1)
@pytest.mark.parametrize("half", HALVES)
def test_a_half_sent_request_ends(impatient: str, half: str) -> None:
    """Whoever does not go on is answered, or not, and the connection is closed."""
    with opened(impatient, HALVES[half]) as connection:
        said = b""
        while part := connection.recv(4096):
            said += part
    assert said == b"" or said.startswith(b"HTTP/1.1 503 ")


def test_who_sends_a_byte_now_and_then_gets_no_more_time(impatient: str) -> None:
    """The time for the headers runs from their first byte, whatever comes meanwhile."""
    with opened(impatient, b"POST /v1/logs HTTP/1.1\r\nX: ") as connection:
        connection.settimeout(0.2)
        while True:
            try:
                connection.sendall(b"x")
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break


def half_call(url: str) -> socket.socket:
    """Open a gRPC call whose message does not come."""
    address = urlsplit(url)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", address.netloc),
        (":path", LOGS_METHOD),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    for stream in range(1, 20, 2):
        connection.send_headers(stream, headers)
        connection.send_data(stream, b"\0\0\0\x03\xe8" + b"x" * 100)
    return opened(url, connection.data_to_send())


@pytest.mark.long
def test_half_sent_calls_of_grpc_take_no_places(stack: Stack, many: ExitStack) -> None:
    """With more calls whose message is cut than are waited for, on many connections, a whole call is answered."""
    session = uuid.uuid4().hex
    for _ in range(otlp_grpc.MESSAGES // 5):
        many.enter_context(half_call(stack.otlp_grpc_url))
    with grpc.insecure_channel(stack.otlp_grpc_url.removeprefix("http://")) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(LOGS_METHOD)
        for seq in range(3):
            body = logs_request([ledger_record(session, seq=seq)]).SerializeToString()
            assert ExportLogsServiceResponse.FromString(export(body, timeout=60)) == ExportLogsServiceResponse()
    assert ask(stack.http_url, "SELECT count() AS c FROM calls WHERE session_id = {s:String}", s=session) == [{"c": 3}]


def test_a_call_without_a_message_is_refused(stack: Stack) -> None:
    """A stream of no messages is no request; it is an empty one, and nothing breaks."""
    with grpc.insecure_channel(stack.otlp_grpc_url.removeprefix("http://")) as channel:
        export: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(LOGS_METHOD)
        assert export(iter([]), timeout=60) == b""
