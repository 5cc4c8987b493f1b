"""Records with times that no clock can have meant, through the collector: none is lost, and none holds others up."""

import uuid
from collections.abc import Sequence

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_costs.local import Stack
from tests.local.support import LATELY_NS, ask, export_logs, key_values, ledger_record, send

from .support import AUTHORIZED, Collector, wait_until

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]

DAY_NS = 86_400 * 10**9
TIMES = [
    LATELY_NS, 1, LATELY_NS - 500 * DAY_NS, 4_300_000_000 * 10**9, 5_700_000_000 * 10**9, 2**63 - 1, 2**63,
    10_400_000_000 * 10**9, 2**64 - 1,
]  # fmt: skip


def names(stack: Stack, sql: str, session: str) -> list[str]:
    return [str(row["n"]) for row in ask(stack.http_url, sql, s=session)]


def test_calls_of_any_time_are_stored(collector: Collector, stack: Stack) -> None:
    """Each is one call of the ledger, also beside others in a batch, up to the last nanosecond that OTLP has."""
    session = uuid.uuid4().hex
    records = [ledger_record(session, seq=number, time_ns=time) for number, time in enumerate(TIMES)]
    assert export_logs(collector.url, records, **AUTHORIZED).status == 200
    sql = "SELECT call_seq AS n FROM calls FINAL WHERE session_id = {s:String} ORDER BY call_seq"
    expected = [str(number) for number in range(len(TIMES))]
    wait_until(lambda: names(stack, sql, session) == expected, f"all are stored: {names(stack, sql, session)}")


def test_spans_of_any_time_are_stored(collector: Collector, stack: Stack) -> None:
    """So are spans."""
    service = uuid.uuid4().hex
    assert send(f"{collector.url}/v1/traces", _request(service, TIMES), _HEADERS).status == 200
    sql = "SELECT SpanName AS n FROM otel_traces WHERE ServiceName = {s:String} ORDER BY SpanName"
    expected = [str(number) for number in range(len(TIMES))]
    wait_until(lambda: names(stack, sql, service) == expected, f"all are stored: {names(stack, sql, service)}")


_HEADERS = {**AUTHORIZED, "Content-Type": "application/x-protobuf"}


def _request(service: str, times: Sequence[int]) -> bytes:
    spans = [
        Span(trace_id=uuid.uuid4().bytes, span_id=uuid.uuid4().bytes[:8], name=str(number), start_time_unix_nano=time)
        for number, time in enumerate(times)
    ]
    resource = ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])
    resource.resource.attributes.extend(key_values({"service.name": service}))
    return ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString()
