"""Who may speak to the ports, and that nobody can take them by mistake."""

import asyncio
import base64
import uuid
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from starlette.types import Message, Receive, Scope, Send

from otel_costs.local import Stack, StartError
from otel_costs.local.auth import Authentication
from otel_costs.web.access import Policy

from .support import ask, export_logs, ledger_record, logs_request, send

PROTOBUF = {"Content-Type": "application/x-protobuf"}
LOGS_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a stack that wants a token."""
    with Stack(tmp_path_factory.mktemp("guarded"), token="s3cret") as running:
        yield running


def hosts(stack: Stack) -> list[str]:
    return [f"{stack.http_url}/?query=SELECT+1", f"{stack.http_url}/sessions", f"{stack.http_url}/api/v1/budgets"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8123",
        "",
        "[::2]",
        "0.0.0.0",
        "[::1",
        "127.0.0.2.evil.example",
        "128.0.0.1",
        "[v1.x]",
    ],
)
def test_another_name_for_loopback_is_refused(stack: Stack, host: str) -> None:
    """A page that resolves its own name to 127.0.0.1 is not answered, on any port of HTTP."""
    for url in hosts(stack):
        assert send(url, headers={"Host": host}).status == 403
    assert send(f"{stack.otlp_http_url}/v1/logs", b"", PROTOBUF | {"Host": host}).status == 403


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8123", "127.0.0.1:1", "[::1]:8123", "LOCALHOST", "127.0.0.2:80"]
)
def test_loopback_may_be_called_by_its_names(stack: Stack, host: str) -> None:
    """Port forwarding changes the port, not the name."""
    for url in hosts(stack):
        assert send(url, headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_page_of_another_origin_cannot_read_or_write(stack: Stack, headers: dict[str, str]) -> None:
    """A page that the user happens to have open runs no SQL and stores no record: by no form, image or script."""
    session = uuid.uuid4().hex
    body = logs_request([ledger_record(session)]).SerializeToString()
    assert send(f"{stack.otlp_http_url}/v1/logs", body, PROTOBUF | headers).status == 403
    assert send(stack.http_url, f"CREATE TABLE evil_{session} (a Int8) ENGINE = Memory".encode(), headers).status == 403
    for url in hosts(stack):
        assert send(url, headers=headers).status == 403
    assert ask(stack.http_url, "SELECT count() AS c FROM system.tables WHERE name LIKE 'evil%'") == [{"c": 0}]
    assert ask(stack.http_url, "SELECT count() AS c FROM calls WHERE session_id = {s:String}", s=session) == [{"c": 0}]


def test_our_own_page_may_ask(stack: Stack) -> None:
    """The report page reads from where it came; a link to it from elsewhere opens it."""
    own = {"Origin": stack.http_url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    for url in hosts(stack):
        assert send(url, headers=own).status == 200
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    for path in ("/", "/?range=7d&tz=UTC", "/sessions", "/sessions/a%2Fb?tz=UTC", "/models/openai/gpt-4o", "/compare"):
        answer = send(f"{stack.http_url}{path}", headers=followed)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path


@pytest.mark.parametrize(
    "path",
    [
        *("/?query=SELECT+1", "/?range=7d&query=SELECT+1", "/?%71uery=SELECT+1", "/sessions?query=SELECT+1"),
        *("/sessions.json", "/sessions/s.csv", "/overview.json", "/api/v1/summary", "/state", "/nothing"),
    ],
)
def test_a_link_leads_to_no_data(stack: Stack, path: str) -> None:
    """What another page links to is a page, and never a statement or what was stored."""
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    assert send(f"{stack.http_url}{path}", headers=followed).status == 403
    assert send(f"{stack.http_url}/", b"SELECT 1", headers=followed).status == 403


@pytest.mark.long
def test_other_machines_need_a_token(stack: Stack) -> None:
    """Without a token nothing is bound but loopback, and the message says what to do."""
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com", ""):
        with pytest.raises(StartError, match="--token"), Stack(stack.data, host=host):
            pass


@pytest.mark.long
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_with_a_token_other_machines_may_come(tmp_path: Path, host: str) -> None:
    """Bound to all addresses it answers by any name, to who brings the token."""
    with Stack(tmp_path, host=host, token="s3cret") as stack:
        port = stack.http_url.rpartition(":")[2]
        headers = {"Host": "costs.example", "Authorization": "Bearer s3cret"}
        assert send(f"http://127.0.0.1:{port}/sessions", headers=headers).status == 200
        assert send(f"http://127.0.0.1:{port}/sessions", headers={"Host": "costs.example"}).status == 401
        assert (
            send(f"http://127.0.0.1:{port}/sessions", headers=headers | {"Origin": "http://evil.example"}).status == 403
        )


@pytest.mark.long
def test_loopback_has_two_versions(tmp_path: Path) -> None:
    """IPv6's loopback needs no token either, and every port is there."""
    with Stack(tmp_path, host="::1") as stack:
        assert stack.http_url.startswith("http://[::1]:")
        assert export_logs(stack.otlp_http_url, [ledger_record("six")]).status == 200
        with grpc.insecure_channel(stack.otlp_grpc_url.removeprefix("http://")) as channel:
            export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(LOGS_METHOD)
            assert export(b"") == b""
        assert ask(stack.http_url, "SELECT count() AS c FROM calls") == [{"c": 1}]


@pytest.mark.long
def test_every_port_wants_the_token(guarded: Stack) -> None:
    """Without it, or with another, there is no reading and no storing; a health check is free."""
    basic = base64.b64encode(b"default:wrong").decode()
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {basic}"},
        {"X-ClickHouse-Key": "s3cre"},
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer"},
    ):
        for url in [*hosts(guarded), f"{guarded.http_url}/", f"{guarded.http_url}/?password=s3cret"]:
            assert send(url, headers=headers).status == 401
        assert send(f"{guarded.otlp_http_url}/v1/logs", b"", PROTOBUF | headers).status == 401
    with grpc.insecure_channel(guarded.otlp_grpc_url.removeprefix("http://")) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(LOGS_METHOD)
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", "s3cret"),)):
            with pytest.raises(grpc.RpcError) as failed:
                export(b"", metadata=metadata)
            assert failed.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert send(f"{guarded.http_url}/ping").status == 200


@pytest.mark.long
def test_the_token_is_taken_in_every_usual_way(guarded: Stack) -> None:
    """As a bearer's, as ClickHouse's key and as the password of any user."""
    basic = base64.b64encode(b"anybody:s3cret").decode()
    for headers in (
        {"Authorization": "Bearer s3cret"},
        {"Authorization": f"basic {basic}"},
        {"X-ClickHouse-Key": "s3cret"},
    ):
        for url in hosts(guarded):
            assert send(url, headers=headers).status == 200
    port = int(guarded.http_url.rpartition(":")[2])
    client = clickhouse_connect.get_client(host="127.0.0.1", port=port, password="s3cret")
    assert client.command("SELECT 1") == 1
    client.close()


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_an_exporter_brings_the_token_in_its_headers(guarded: Stack, kind: str) -> None:
    """OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer ..." is all that an application needs."""
    headers = {"authorization": "Bearer s3cret"}
    exporter: LogRecordExporter = OTLPLogExporter(f"{guarded.otlp_http_url}/v1/logs", headers=headers)
    if kind == "grpc":
        exporter = GrpcLogExporter(guarded.otlp_grpc_url, insecure=True, headers=headers)
    service = uuid.uuid4().hex
    provider = LoggerProvider(Resource.create({"service.name": service}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    provider.get_logger("l").emit(body="hello")
    provider.shutdown()
    sql = f"SELECT count() FROM otel_logs WHERE ServiceName = '{service}'"
    assert send(guarded.http_url, sql.encode(), {"X-ClickHouse-Key": "s3cret"}).text == "1\n"
    for wrong in ({}, {"X-ClickHouse-Key": "s3cre"}, {"Authorization": "Bearer s3cret2"}):
        assert send(guarded.http_url, sql.encode(), wrong).status == 401


def test_a_fault_of_ours_is_logged_without_what_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody foresaw is answered 500, and its text, which may quote a record, is nowhere."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("private words")

    async def nothing() -> Message:
        raise AssertionError

    async def collect(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(Authentication(faulty, Policy(None, loopback=False))(scope, nothing, collect))
    assert sent[0]["status"] == 500
    assert "LookupError" in caplog.text
    assert "private" not in caplog.text + repr(sent)
