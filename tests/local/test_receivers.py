"""OTLP over HTTP and gRPC, from OpenTelemetry's own exporters and by hand."""

import gzip
import json
import uuid
from datetime import UTC, datetime

import grpc
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode
from opentelemetry.trace import Status as SpanStatus

from otel_costs.local import Stack

from .support import LATELY_NS, ask, export_logs, ledger_record, logs_request, send, shown

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
LOGS_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def log_exporter(stack: Stack, kind: str) -> LogRecordExporter:
    if kind == "grpc":
        return GrpcLogExporter(stack.otlp_grpc_url, insecure=True)
    if kind == "grpc-gzip":
        return GrpcLogExporter(stack.otlp_grpc_url, insecure=True, compression=grpc.Compression.Gzip)
    compression = Compression.Gzip if kind == "http-gzip" else Compression.NoCompression
    return OTLPLogExporter(f"{stack.otlp_http_url}/v1/logs", compression=compression)


@pytest.mark.parametrize("kind", ["http", "http-gzip", "grpc", "grpc-gzip"])
def test_a_log_record_of_the_sdk_is_stored_as_it_was(stack: Stack, kind: str) -> None:
    """Every field of a record that the SDK exports is in otel_logs, and nothing is lost to encoding."""
    service = f"shop-{uuid.uuid4().hex}"
    provider = LoggerProvider(Resource.create({"service.name": service}))
    provider.add_log_record_processor(BatchLogRecordProcessor(log_exporter(stack, kind)))
    provider.get_logger("otel_costs", "1.2.3").emit(
        LogRecord(
            timestamp=LATELY_NS + 123_456_789,
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            event_name="otel_costs.message",
            body="<b>é\n\0\t\"'\\</b>",
            attributes={"session.id": "a'b\n\0", "n": 7, "half": 0.5, "yes": True, "list": ["a", 1], "raw": b"\xff"},
        )
    )
    provider.shutdown()
    (row,) = ask(stack.http_url, "SELECT * FROM otel_logs WHERE ServiceName = {s:String}", s=service)
    assert row["Timestamp"] == shown(LATELY_NS + 123_456_789)
    assert (row["EventName"], row["SeverityText"], row["SeverityNumber"]) == ("otel_costs.message", "INFO", 9)
    assert (row["ScopeName"], row["ScopeVersion"]) == ("otel_costs", "1.2.3")
    assert row["Body"] == "<b>é\n\0\t\"'\\</b>"
    assert row["ResourceAttributes"]["service.name"] == service
    assert row["LogAttributes"] == {
        "session.id": "a'b\n\0",
        "n": "7",
        "half": "0.5",
        "yes": "true",
        "list": '["a",1]',
        "raw": "/w==",
    }


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_span_of_the_sdk_is_stored_as_it_was(stack: Stack, kind: str) -> None:
    """Kind, status, events, links, parent and attributes of a span are in otel_traces."""
    exporter: SpanExporter = OTLPSpanExporter(f"{stack.otlp_http_url}/v1/traces")
    if kind == "grpc":
        exporter = GrpcSpanExporter(stack.otlp_grpc_url, insecure=True)
    service = f"shop-{uuid.uuid4().hex}"
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("scope", "1")
    with tracer.start_as_current_span("outer", start_time=LATELY_NS, end_on_exit=False) as outer:
        inner = tracer.start_span(
            "chat gpt-4o", kind=SpanKind.CLIENT, start_time=LATELY_NS, links=[Link(outer.get_span_context(), {"l": 1})]
        )
    inner.set_attribute("gen_ai.request.model", "gpt-4o")
    inner.add_event("chunk", {"size": 3}, timestamp=LATELY_NS + 5)
    inner.set_status(SpanStatus(StatusCode.ERROR, "rate limited"))
    inner.end(LATELY_NS + 1_500_000_000)
    outer.end(LATELY_NS + 2_000_000_000)
    provider.shutdown()
    query = "SELECT * FROM otel_traces WHERE ServiceName = {s:String} AND SpanName = 'chat gpt-4o'"
    (row,) = ask(stack.http_url, query, s=service)
    context = outer.get_span_context()
    assert (row["SpanKind"], row["StatusCode"], row["StatusMessage"]) == ("Client", "Error", "rate limited")
    assert row["ParentSpanId"] == f"{context.span_id:016x}"
    assert row["TraceId"] == f"{context.trace_id:032x}"
    assert int(row["Duration"]) == 1_500_000_000
    assert row["SpanAttributes"] == {"gen_ai.request.model": "gpt-4o"}
    assert row["Events.Name"] == ["chunk"]
    assert row["Events.Timestamp"] == [shown(LATELY_NS + 5)]
    assert row["Events.Attributes"] == [{"size": "3"}]
    assert (row["Links.SpanId"], row["Links.Attributes"]) == ([f"{context.span_id:016x}"], [{"l": "1"}])


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_metrics_are_taken_without_complaint(stack: Stack, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """An application that exports metrics to the same endpoint gets no errors, though there is no table for them."""
    exporter: MetricExporter = OTLPMetricExporter(f"{stack.otlp_http_url}/v1/metrics")
    if kind == "grpc":
        exporter = GrpcMetricExporter(stack.otlp_grpc_url, insecure=True)
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)])
    provider.get_meter("m").create_counter("c").add(1)
    assert provider.force_flush()
    provider.shutdown()
    assert caplog.records == []


def test_json_is_otlp_json(stack: Stack) -> None:
    """Ids are hex, large numbers are strings, unknown fields are ignored, half a character costs nobody a record."""
    session = uuid.uuid4().hex
    record = {
        "timeUnixNano": str(LATELY_NS),
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "EEE19B7EC3C1B174",
        "eventName": "otel_costs.message",
        "fromTheFuture": {"a": 1},
        "attributes": [
            {"key": "session.id", "value": {"stringValue": session}},
            {"key": "n", "value": {"intValue": "7"}},
        ],
        "body": {"stringValue": "half \ud83d of it"},
    }
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    answer = send(f"{stack.otlp_http_url}/v1/logs", body, JSON)
    assert (answer.status, answer.headers["content-type"], json.loads(answer.body)) == (200, "application/json", {})
    (row,) = ask(stack.http_url, "SELECT * FROM otel_logs WHERE LogAttributes['session.id'] = {s:String}", s=session)
    assert (row["TraceId"], row["SpanId"]) == ("5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174")
    assert (row["LogAttributes"]["n"], row["Body"]) == ("7", "half \ufffd of it")


@pytest.mark.parametrize("signal", ["logs", "traces", "metrics"])
@pytest.mark.parametrize("content_type", ["application/x-protobuf", "application/json"])
def test_what_is_no_request_gets_400(stack: Stack, signal: str, content_type: str) -> None:
    """A body that is no protobuf, or no JSON, is refused for good; the answer is in its encoding, without its text."""
    answer = send(f"{stack.otlp_http_url}/v1/{signal}", b"\xff secret words \xff", {"Content-Type": content_type})
    assert answer.status == 400
    assert answer.headers["content-type"] == content_type
    assert b"secret" not in answer.body
    message = json.loads(answer.body)["message"] if "json" in content_type else Status.FromString(answer.body).message
    assert message == f"the body is no OTLP {signal} request in {content_type}"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"x"',
        b'{"resourceLogs": 7}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"xyz"}]}]}]}',
        b"[" * 100_000,
    ],
)
def test_json_of_another_shape_gets_400(stack: Stack, body: bytes) -> None:
    """JSON that is not OTLP's is refused for good, however deep it is."""
    assert send(f"{stack.otlp_http_url}/v1/logs", body, JSON).status == 400


def test_an_empty_request_is_fine(stack: Stack) -> None:
    """Nothing to store is stored."""
    assert send(f"{stack.otlp_http_url}/v1/logs", b"", PROTOBUF).status == 200
    assert export_logs(stack.otlp_http_url, []).status == 200


def test_other_content_types_get_415(stack: Stack) -> None:
    """What is neither protobuf nor JSON is not guessed at."""
    assert send(f"{stack.otlp_http_url}/v1/logs", b"x", {"Content-Type": "text/plain"}).status == 415


def test_an_unknown_encoding_gets_400(stack: Stack) -> None:
    """A compression that nobody here knows is named in the refusal, as is a body that is not what it says."""
    for encoding in ("br", "gzip"):
        answer = send(f"{stack.otlp_http_url}/v1/logs", b"x", PROTOBUF | {"Content-Encoding": encoding})
        assert answer.status == 400
        assert encoding in Status.FromString(answer.body).message


@pytest.mark.long
def test_a_body_over_the_limit_gets_413(stack: Stack) -> None:
    """20 MiB are the limit: before decompression, and after, so that a small bomb does not go off."""
    large = b"\0" * (20 * 2**20 + 1)
    assert send(f"{stack.otlp_http_url}/v1/logs", large, PROTOBUF).status == 413
    bomb = gzip.compress(b"\0" * (500 * 2**20), 9)
    assert len(bomb) < 2**20
    answer = send(f"{stack.otlp_http_url}/v1/logs", bomb, PROTOBUF | {"Content-Encoding": "gzip"})
    assert answer.status == 413
    assert "20971520" in Status.FromString(answer.body).message


def test_a_message_over_the_limit_is_refused_by_grpc(stack: Stack) -> None:
    """The limit is the same over gRPC, compressed or not."""
    request = logs_request([ledger_record("large", more={"pad": "x" * (21 * 2**20)})]).SerializeToString()
    with grpc.insecure_channel(stack.otlp_grpc_url.removeprefix("http://")) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(LOGS_METHOD)
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with pytest.raises(grpc.RpcError) as failed:
                export(request, compression=compression)
            assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_what_is_no_message_is_an_invalid_argument_in_grpc(stack: Stack) -> None:
    """A body that is no request is refused for good over gRPC too."""
    with grpc.insecure_channel(stack.otlp_grpc_url.removeprefix("http://")) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(LOGS_METHOD)
        with pytest.raises(grpc.RpcError) as failed:
            export(b"\xff\xff")
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_other_paths_and_methods(stack: Stack) -> None:
    """Only the three paths are there, and only for POST."""
    assert send(f"{stack.otlp_http_url}/v1/logs").status == 405
    assert send(f"{stack.otlp_http_url}/v1/profiles", b"", PROTOBUF).status == 404


@pytest.mark.long
def test_a_record_can_have_any_time(stack: Stack) -> None:
    """Records of 200 days, of 500 days ago, of 1970 and of the centuries to come are all acknowledged and kept.

    What is after 2262, where nanoseconds end, is kept at the last of them.
    """
    session = uuid.uuid4().hex
    ages = [LATELY_NS - day * 86_400 * 10**9 for day in (*range(200), 500)]
    far = [int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 10**9 for year in (2106, 2107, 2149, 2150, 2262, 2299)]
    times = [*ages, *far, 0, 1, 2**63 - 1, 2**63, 2**64 - 1]
    records = [ledger_record(session, time_ns=time, seq=seq) for seq, time in enumerate(times)]
    answer = export_logs(stack.otlp_http_url, records)
    assert ExportLogsServiceResponse.FromString(answer.body) == ExportLogsServiceResponse()
    query = "SELECT count() AS n, max(toYear(end_time)) AS y FROM calls FINAL WHERE session_id = {s:String}"
    assert ask(stack.http_url, query, s=session) == [{"n": len(times), "y": 2262}]
    assert json.loads(send(f"{stack.http_url}/sessions/{session}").body)["call_count"] == len(times)


def test_a_resent_request_is_counted_once(stack: Stack) -> None:
    """A client that heard no answer sends again; the calls and their cost stay what they were."""
    session = uuid.uuid4().hex
    records = [ledger_record(session, seq=seq) for seq in range(10)]
    for _ in range(3):
        assert export_logs(stack.otlp_http_url, records).status == 200
    answer = send(f"{stack.http_url}/sessions/{session}")
    assert json.loads(answer.body)["cost_usd"] == "0.117500"
    assert json.loads(answer.body)["call_count"] == 10
