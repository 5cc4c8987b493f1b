"""OTLP records as rows of otel_logs and otel_traces, as the collector's clickhouse exporter (v0.161.0) writes them.

A row is one line of JSON. Every record becomes a row that the tables can take: what has no place there (a time after
2262, say) is clamped, so that a record never costs its neighbours their place.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

_LATEST_NS: Final = 2**63 - 1  # 2262-04-11, where DateTime64(9) ends
_KINDS: Final = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUSES: Final = ("Unset", "Ok", "Error")

Row = dict[str, object]


def of_logs(resources: Iterable[ResourceLogs]) -> list[bytes]:
    """Write each log record as a row of otel_logs."""
    return [
        _line(_log_row(record, shared))
        for resource_logs in resources
        for shared, scope_logs in _log_scopes(resource_logs)
        for record in scope_logs
    ]


def of_traces(resources: Iterable[ResourceSpans]) -> list[bytes]:
    """Write each span as a row of otel_traces."""
    return [
        _line(_span_row(span, shared))
        for resource_spans in resources
        for shared, spans in _span_scopes(resource_spans)
        for span in spans
    ]


def text(value: AnyValue) -> str:
    """Write an attribute's value as the exporter does: strings as they are, bytes in base64, lists and maps in JSON."""
    # Nearly every value is a string, and asking which one it is costs more than reading it.
    if string := value.string_value:
        return string
    kind = value.WhichOneof("value")
    return _TEXTS[kind](value) if kind else ""


def _log_scopes(resource_logs: ResourceLogs) -> Iterator[tuple[Row, Sequence[LogRecord]]]:
    shared = _resource(resource_logs.resource) | {"ResourceSchemaUrl": resource_logs.schema_url}
    for logs in resource_logs.scope_logs:
        scope = {"ScopeSchemaUrl": logs.schema_url, "ScopeAttributes": _map(logs.scope.attributes)}
        yield shared | _scope(logs.scope) | scope, logs.log_records


def _log_row(record: LogRecord, shared: Row) -> Row:
    return {
        "Timestamp": _time(record.time_unix_nano or record.observed_time_unix_nano),
        "TraceId": record.trace_id.hex(),
        "SpanId": record.span_id.hex(),
        "TraceFlags": record.flags & 0xFF,
        "SeverityText": record.severity_text,
        "SeverityNumber": record.severity_number & 0xFF,
        "Body": text(record.body),
        "LogAttributes": _map(record.attributes),
        "EventName": record.event_name,
        **shared,
    }


def _span_scopes(resource_spans: ResourceSpans) -> Iterator[tuple[Row, Sequence[Span]]]:
    shared = _resource(resource_spans.resource)
    for spans in resource_spans.scope_spans:
        yield shared | _scope(spans.scope), spans.spans


def _span_row(span: Span, shared: Row) -> Row:
    return {
        "Timestamp": _time(span.start_time_unix_nano),
        "TraceId": span.trace_id.hex(),
        "SpanId": span.span_id.hex(),
        "ParentSpanId": span.parent_span_id.hex(),
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": _named(_KINDS, span.kind),
        "SpanAttributes": _map(span.attributes),
        # A clock that went backwards gives no duration, not one of 584 years.
        "Duration": max(0, span.end_time_unix_nano - span.start_time_unix_nano),
        "StatusCode": _named(_STATUSES, span.status.code),
        "StatusMessage": span.status.message,
        "Events.Timestamp": [_time(event.time_unix_nano) for event in span.events],
        "Events.Name": [event.name for event in span.events],
        "Events.Attributes": [_map(event.attributes) for event in span.events],
        "Links.TraceId": [link.trace_id.hex() for link in span.links],
        "Links.SpanId": [link.span_id.hex() for link in span.links],
        "Links.TraceState": [link.trace_state for link in span.links],
        "Links.Attributes": [_map(link.attributes) for link in span.links],
        **shared,
    }


def _resource(resource: Resource) -> Row:
    attributes = _map(resource.attributes)
    return {"ServiceName": attributes.get("service.name", ""), "ResourceAttributes": attributes}


def _scope(scope: InstrumentationScope) -> Row:
    return {"ScopeName": scope.name, "ScopeVersion": scope.version}


def _map(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value or text(attribute.value) for attribute in attributes}


def _line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(min(nanoseconds, _LATEST_NS), 1_000_000_000)
    return f"{seconds:010}.{rest:09}"  # fewer digits would be read as a year


def _named(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else names[0]


def _plain(value: AnyValue) -> Any:
    """Return what `value` is in JSON."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value) for item in value.kvlist_value.values}
    if kind == "bytes_value":
        return text(value)
    return getattr(value, kind) if kind else None


def _json(value: AnyValue) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _float(number: float) -> str:
    """Write a double as Go's JSON does: no exponent between 1e-6 and 1e21, no `.0`."""
    if number != number or abs(number) == float("inf"):
        return str(number)
    shortest = repr(number)
    if 1e-6 <= abs(number) < 1e21 or not number:
        plain = format(Decimal(shortest), "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return shortest.replace("e-0", "e-").replace(".0e", "e")


_TEXTS: Final[dict[str, Callable[[AnyValue], str]]] = {
    "string_value": lambda value: value.string_value,
    "bool_value": lambda value: "true" if value.bool_value else "false",
    "int_value": lambda value: str(value.int_value),
    "double_value": lambda value: _float(value.double_value),
    "bytes_value": lambda value: base64.b64encode(value.bytes_value).decode(),
    "array_value": _json,
    "kvlist_value": _json,
}
