"""OTLP requests and responses, protobuf and JSON, whatever brought them.

https://opentelemetry.io/docs/specs/otlp/
"""

import base64
import enum
import json
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

_ID_FIELDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})


class Signal(enum.Enum):
    """What a request carries."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class MalformedError(ValueError):
    """A body is not the OTLP request that it should be."""


_REQUESTS: Final[dict[Signal, type[Message]]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
_RESPONSES: Final[dict[Signal, tuple[type[Message], str]]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points"),
}


def decode(signal: Signal, body: bytes, content_type: str = PROTOBUF) -> Any:
    """Read the request of `signal` out of `body`. Raises MalformedError."""
    try:
        if content_type == JSON:
            content = json.loads(body)
            if not isinstance(content, dict):
                raise json_format.ParseError("no object")
            return json_format.ParseDict(_readable(content), _REQUESTS[signal](), ignore_unknown_fields=True)
        return _REQUESTS[signal].FromString(body)
    except (DecodeError, json_format.ParseError, ValueError, RecursionError) as error:
        # The error's own text may quote the body.
        raise MalformedError(f"the body is no OTLP {signal.value} request in {content_type}") from error


def response(signal: Signal, rejected: int = 0, reason: str = "") -> Message:
    """Make the answer to a request that was stored but for `rejected` records."""
    kind, field = _RESPONSES[signal]
    if not rejected:
        return kind()
    partial: dict[str, object] = {field: rejected, "error_message": reason}
    return kind(partial_success=partial)


def failure(code: int, message: str) -> Status:
    """Make the body of a failed request. `code` is a gRPC status code."""
    return Status(code=code, message=message)


def encode(message: Message, content_type: str) -> bytes:
    """Write a response in the encoding of its request."""
    if content_type == JSON:
        return json_format.MessageToJson(message, indent=None).encode()
    return message.SerializeToString()


def _readable(value: Any) -> Any:
    """Bring OTLP's JSON to protobuf's: ids are hex there, base64 here, and no string may hold half a character."""
    if isinstance(value, dict):
        return {
            name: _base64(item) if name in _ID_FIELDS and isinstance(item, str) else _readable(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _base64(hex_id: str) -> str:
    return base64.b64encode(bytes.fromhex(hex_id)).decode()
