"""What collector/config.yaml promises, kept by the real collector that runs it."""

import gzip
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_costs.local import Stack
from tests.local.support import LATELY_NS, Answer, ask, export_logs, key_values, ledger_record, logs_request, send

from .support import AUTHORIZED, Collector, Jaeger, stored, wait_until

pytestmark = [pytest.mark.timeout(1500), pytest.mark.long]  # the first of them may have to build the collector

SECRETS = "anna.b@example.com pays with 4111 1111 1111 1111, key sk-abcdefghijklmnopqrstuvwxyz, AKIAIOSFODNN7EXAMPLE"


def said(session: str, text: str | None = None, **more: str) -> LogRecord:
    """Make the record of a message."""
    attributes = {
        "event.name": "otel_costs.message",
        "session.id": session,
        "user.id": "anna@example.com",
        "otel_costs.message.id": uuid.uuid4().hex,
        "otel_costs.message.role": "user",
        "otel_costs.message.type": "text",
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    record = LogRecord(time_unix_nano=LATELY_NS, attributes=key_values(attributes))
    if text is not None:
        record.body.string_value = text
    return record


def export_spans(collector: Collector, *spans: Span) -> Answer:
    """Send spans over OTLP/HTTP."""
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])])
    headers = {**AUTHORIZED, "Content-Type": "application/x-protobuf"}
    return send(f"{collector.url}/v1/traces", request.SerializeToString(), headers)


def messages(stack: Stack, session: str, count: int = 1) -> list[dict[str, Any]]:
    """Return the messages of a session from the raw table, when all have come."""
    sql = "select Body, LogAttributes from otel_logs where LogAttributes['session.id'] = {session:String} order by Body"
    wait_until(lambda: len(ask(stack.http_url, sql, session=session)) >= count, f"{count} messages are stored")
    return ask(stack.http_url, sql, session=session)


@pytest.fixture
def session() -> str:
    return uuid.uuid4().hex


def test_it_does_not_start_without_a_token(program: Path, tmp_path: Path) -> None:
    """There is no default that everybody knows."""
    collector = Collector(program, tmp_path, "http://127.0.0.1:1")
    assert collector.spawn(OTEL_COSTS_TOKEN="").wait(60) != 0
    assert "no bearer token provided" in collector.log


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer another"}, {"Authorization": "Basic YTpi"}])
def test_who_has_no_token_is_refused(collector: Collector, headers: dict[str, str]) -> None:
    """Without the token nothing is taken."""
    assert export_logs(collector.url, [ledger_record("nobody's")], **headers).status == 401


def test_a_body_over_the_limit_is_refused(collector: Collector) -> None:
    """20 MiB, after decompression too."""
    headers = {**AUTHORIZED, "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    records = [said("too long", "x" * 2**20, event__name="otel_costs.session") for _ in range(21)]
    for count, status in ((19, 200), (21, 400)):
        body = gzip.compress(logs_request(records[:count]).SerializeToString(), 1)
        assert send(f"{collector.url}/v1/logs", body, headers).status == status


def test_a_call_is_stored_with_its_event_name(collector: Collector, stack: Stack, session: str) -> None:
    """A ledger record reaches the reports as it was sent."""
    assert export_logs(collector.url, [ledger_record(session)], **AUTHORIZED).status == 200
    wait_until(lambda: stored(stack.http_url, session)[1] == 1, "the call is billed")
    assert str(stored(stack.http_url, session)[2]) == "0.01175"
    found = ask(
        stack.http_url, "select EventName from otel_logs where LogAttributes['session.id'] = {s:String}", s=session
    )
    assert found == [{"EventName": "otel_costs.call"}]


def test_what_was_said_is_redacted(collector: Collector, stack: Stack, session: str) -> None:
    """Addresses, card numbers and keys do not get past the collector; whose conversation it is, does."""
    arguments = '{"to": "anna@example.com", "n": 3}'
    export_logs(collector.url, [said(session, SECRETS, otel_costs__message__arguments=arguments)], **AUTHORIZED)
    (row,) = messages(stack, session)
    assert row["Body"] == "[redacted] pays with [redacted], key [redacted], [redacted]"
    attributes = row["LogAttributes"]
    assert attributes["otel_costs.message.arguments"] == '{"to": "[redacted]", "n": 3}'
    assert attributes["user.id"] == "anna@example.com"


def test_content_that_cannot_be_read_is_dropped_and_the_record_is_not(
    collector: Collector, stack: Stack, session: str
) -> None:
    """The layer fails closed: bytes, which no pattern sees, go; a structure is looked through; nothing stays so."""
    raw, structured = said(session), said(session)
    raw.body.bytes_value = b"anna@example.com"
    structured.body.kvlist_value.values.extend(key_values({"from": "anna@example.com", "n": 1}))
    export_logs(collector.url, [raw, structured, said(session)], **AUTHORIZED)
    found = [row["Body"] for row in messages(stack, session, 3)]
    assert found == ["", "", '{"from":"[redacted]","n":1}']


def test_content_of_other_instrumentations_is_dropped(collector: Collector, stack: Stack, session: str) -> None:
    """Attributes that hold prompts are taken from log records; nobody would find them again to erase them."""
    export_logs(collector.url, [said(session, "x", gen_ai__input__messages="[...]")], **AUTHORIZED)
    (row,) = messages(stack, session)
    assert "gen_ai.input.messages" not in row["LogAttributes"]


@pytest.mark.parametrize("with_event", [False, True])
def test_no_content_reaches_traces(collector: Collector, stack: Stack, jaeger: Jaeger, with_event: bool) -> None:
    """Spans arrive in ClickHouse and in Jaeger, with tokens and costs, and without what was said."""
    trace_id = uuid.uuid4().bytes
    attributes = {
        "gen_ai.input.messages": "hello",
        "gen_ai.output.messages": "world",
        "gen_ai.usage.input_tokens": 7,
        "otel_costs.cost.usd": "0.1",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.call.result": "found",
    }
    span = Span(
        trace_id=trace_id,
        span_id=b"12345678",
        name="chat",
        start_time_unix_nano=LATELY_NS,
        end_time_unix_nano=LATELY_NS + 1,
        attributes=key_values(attributes),
    )
    if with_event:
        span.events.append(Span.Event(name="choice", attributes=key_values(attributes)))
    assert export_spans(collector, span).status == 200
    sql = "select SpanAttributes as a, Events.Attributes as e from otel_traces where TraceId = {t:String}"
    wait_until(lambda: ask(stack.http_url, sql, t=trace_id.hex()), "the span is stored")
    kept = {"gen_ai.usage.input_tokens": "7", "otel_costs.cost.usd": "0.1", "gen_ai.tool.name": "search"}
    kept["gen_ai.tool.call.id"] = "call_1"
    assert ask(stack.http_url, sql, t=trace_id.hex()) == [{"a": kept, "e": [kept] * with_event}]
    wait_until(lambda: any(found.trace_id == trace_id for found in jaeger.spans), "Jaeger has the span")
    shown = next(found for found in jaeger.spans if found.trace_id == trace_id)
    assert {pair.key for pair in shown.attributes} == set(kept)


@pytest.mark.parametrize("times", [(2**64 - 1, LATELY_NS), (LATELY_NS, 2**64 - 1)])
def test_no_time_of_a_span_stops_the_others(collector: Collector, stack: Stack, times: tuple[int, int]) -> None:
    """Neither a span's own time nor an event's keeps the batch from being stored."""
    (start, at), trace_id = times, uuid.uuid4().bytes
    event = Span.Event(time_unix_nano=at, name="e")
    span = Span(trace_id=trace_id, span_id=b"12345678", name="n", start_time_unix_nano=start, events=[event])
    other = Span(trace_id=trace_id, span_id=b"abcdefgh", name="n", start_time_unix_nano=LATELY_NS)
    assert export_spans(collector, span, other).status == 200
    sql = "select SpanId from otel_traces where TraceId = {t:String}"
    wait_until(lambda: {"SpanId": b"abcdefgh".hex()} in ask(stack.http_url, sql, t=trace_id.hex()), "it is stored")


@pytest.mark.parametrize("time_ns", [2**64 - 1, 2**63 - 1, 2**63])
def test_a_time_that_clickhouse_does_not_have_costs_its_neighbours_nothing(
    collector: Collector, stack: Stack, session: str, time_ns: int
) -> None:
    """A batch with an impossible time is stored, and not sent again for ever."""
    impossible = ledger_record(session, seq=2)
    impossible.time_unix_nano = time_ns
    now = ledger_record(session, seq=3)
    now.time_unix_nano, now.observed_time_unix_nano = 0, time.time_ns()
    export_logs(collector.url, [ledger_record(session), impossible, now], **AUTHORIZED)
    wait_until(lambda: stored(stack.http_url, session)[1] >= 2, "its neighbours are billed")
    wait_until(lambda: collector.metrics("otelcol_exporter_queue_size") == 0, "the queue is empty")


def test_the_collector_tells_how_it_is(collector: Collector) -> None:
    """Its own metrics have the depth of every queue."""
    for exporter in ("clickhouse/ledger", "clickhouse/content", "clickhouse/traces", "otlp_grpc/jaeger"):
        assert collector.metrics("otelcol_exporter_queue_capacity", exporter=exporter) > 0
