"""What the tests of the local stack send and ask."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

LATELY_NS = (time.time_ns() // 10**9 - 3600) * 10**9
"""An hour ago, in nanoseconds. What is too old is not kept: no fixed time would do for ever."""


def shown(time_ns: int) -> str:
    """Write a time as ClickHouse shows a DateTime64(9)."""
    seconds, rest = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def send(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, method: str | None = None
) -> Answer:
    """Send a request: POST with a body, else GET."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def ask(url: str, sql: str, **parameters: str) -> list[dict[str, Any]]:
    """Run a SELECT on ClickHouse's HTTP interface and return its rows."""
    values = {f"param_{name}": value for name, value in parameters.items()}
    query = urllib.parse.urlencode({"default_format": "JSONEachRow", **values})
    answer = send(f"{url}/?{query}", sql.encode())
    assert answer.status == 200, answer.text
    return [json.loads(line) for line in answer.body.split(b"\n") if line]


def ledger_record(
    session: str, *, seq: int = 1, time_ns: int = LATELY_NS, more: Mapping[str, object] | None = None
) -> LogRecord:
    """Make the ledger record of a chat call that cost 0.01175 dollars; `more` are other attributes."""
    attributes = {
        "event.name": "otel_costs.call",
        "otel_costs.call.id": uuid.uuid4().hex,
        "otel_costs.process.id": "ab" * 16,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "session.id": session,
        "user.id": "user-1",
        "gen_ai.usage.input_tokens": 1500,
        "gen_ai.usage.output_tokens": 800,
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.01175",
        "otel_costs.cost.line.input_tokens": "0.00375",
        "otel_costs.cost.line.output_tokens": "0.008",
        "otel_costs.call.seq": seq,
        "otel_costs.start_time_unix_nano": str(time_ns - 10**9),
        **(more or {}),
    }
    return LogRecord(time_unix_nano=time_ns, event_name="otel_costs.call", attributes=key_values(attributes))


def logs_request(records: Sequence[LogRecord], service: str = "shop") -> ExportLogsServiceRequest:
    """Put records into one request."""
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])
    logs.resource.attributes.extend(key_values({"service.name": service}))
    return ExportLogsServiceRequest(resource_logs=[logs])


def export_logs(url: str, records: Sequence[LogRecord], **headers: str) -> Answer:
    """Send records over OTLP/HTTP."""
    content_type = {"Content-Type": "application/x-protobuf"}
    return send(f"{url}/v1/logs", logs_request(records).SerializeToString(), content_type | headers)


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Served:
    """`otel-costs local` in a process of its own. `prelude` is Python that runs there before it."""

    def __init__(self, data: Path, ports: Sequence[int], options: Mapping[str, object], prelude: str = "") -> None:
        arguments = {"otlp_http_port": ports[0], "otlp_grpc_port": ports[1], "http_port": ports[2], **options}
        program = (
            f"{prelude}\nimport sys; from otel_costs.local import EndedError, StartError, run\n"
            f"try: sys.exit(run({str(data)!r}, announce=lambda text: print(text, flush=True), **{arguments!r}))\n"
            "except (EndedError, StartError) as error: sys.exit(str(error))"
        )
        self.otlp_http_url, self.otlp_grpc_url, self.http_url = (f"http://127.0.0.1:{port}" for port in ports)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def wait_until_ready(self) -> str:
        """Read what it announces. Fails with what it said when it ends instead."""
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith("  Data"):
                return "".join(lines)
        raise AssertionError(f"it ended: {self.process.communicate()[1]}")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and standard error."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Wait for its end; return the exit code and standard error."""
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said

    def kill(self) -> None:
        """Kill it, if it still runs, and close its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def key_values(attributes: Mapping[str, object]) -> list[KeyValue]:
    return [
        KeyValue(
            key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=str(value))
        )
        for key, value in attributes.items()
    ]
