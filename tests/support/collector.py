"""A collector on loopback: it takes OTLP over HTTP as the real exporter sends it, and keeps it."""

import contextlib
import gzip
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from otel_costs.semconv import SCOPE

PATIENCE_S = 60
"""How long a test waits for what must come. Only a failing test waits that long."""


class Collector:
    """Keeps the log records and spans that arrive. While `open` is not set, it takes requests and answers none."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.logs: list[dict[str, Any]] = []
        self.spans: list[dict[str, Any]] = []
        self.requests = 0
        self.status = 200
        """What requests are answered with; what is refused is not kept."""
        self._changed = threading.Condition()
        handler = type("_Handler", (_Handler,), {"collector": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def records(self, event: str) -> list[dict[str, Any]]:
        """Return the attributes of the records of one event."""
        with self._changed:
            return [record for record in self.logs if record.get("event.name") == event]

    def calls(self, **having: str) -> list[dict[str, Any]]:
        """Return the ledger; `session="a"` narrows it to a session."""
        wanted = {f"{name}.id": value for name, value in having.items()}
        return [call for call in self.records("otel_costs.call") if wanted.items() <= call.items()]

    def wait_for(self, enough: Callable[[Self], bool]) -> None:
        """Wait until what has arrived is enough; fail when it never is."""
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self), PATIENCE_S), "it has not arrived"

    def take(self, path: str, body: bytes) -> int:
        """Keep what came, when it may be answered, and return the status; 400 for what is no OTLP."""
        with self._changed:
            self.requests += 1
            self._changed.notify_all()
        self.open.wait()  # at the latest, it is set when the collector is left
        if self.status != 200:
            return self.status
        try:
            logs, spans = (logs_of(body), []) if path == "/v1/logs" else ([], spans_of(body))
        except DecodeError:
            return 400
        with self._changed:
            self.logs += logs
            self.spans += spans
            self._changed.notify_all()
        return 200


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    collector: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        status = self.collector.take(self.path, body)
        with contextlib.suppress(OSError):  # the client did not wait
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def logs_of(body: bytes) -> list[dict[str, Any]]:
    """Return the attributes of each log record of a request, with its body and its time in nanoseconds."""
    return [
        {**_attributes(record.attributes), "body": record.body.string_value, "time_ns": record.time_unix_nano}
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def spans_of(body: bytes) -> list[dict[str, Any]]:
    """Return the attributes of each span of ours in a request, with its name and its id."""
    return [
        {**_attributes(span.attributes), "name": span.name, "span_id": span.span_id.hex()}
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        if scope.scope.name == SCOPE
        for span in scope.spans
    ]


def _attributes(found: Any) -> Mapping[str, Any]:
    return {pair.key: _value(pair) for pair in found}


def _value(pair: KeyValue) -> Any:
    kind = pair.value.WhichOneof("value")
    if kind == "array_value":
        return [value.string_value for value in pair.value.array_value.values]
    return getattr(pair.value, kind) if kind else None
