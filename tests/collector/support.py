"""The real collector with its shipped configuration, and what tests ask it and the store behind it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent import futures
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.local.support import ask, free_ports

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector" / "config.yaml"
TOKEN = "token-of-the-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
PATIENCE_S = 300
"""How long a test waits for what must come. Only a failing test waits that long."""


def wait_until(holds: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until it holds; fail when it never does."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


class Collector:
    """A process of the collector on ports of its own; `start`, `kill` and `stop` as often as a test likes."""

    def __init__(self, program: Path, folder: Path, store: str, jaeger: str = "", *more: Path, **environ: str) -> None:
        """`more` are configurations on top of the shipped one."""
        self._program, self._folder = program, folder
        self._configs = [f"--config={path}" for path in (CONFIG, *more)]
        self.grpc_port, self.http_port, self._health_port, self._metrics_port = free_ports(4)
        self.environ = {
            "OTEL_COSTS_TOKEN": TOKEN,
            "CLICKHOUSE_ENDPOINT": store,
            "QUEUE_FOLDER": str(folder / "queue"),
            "OTLP_GRPC_PORT": str(self.grpc_port),
            "OTLP_HTTP_PORT": str(self.http_port),
            "HEALTH_PORT": str(self._health_port),
            "METRICS_PORT": str(self._metrics_port),
            **({"JAEGER_ENDPOINT": jaeger} if jaeger else {}),
            **environ,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self._folder / "collector.log").read_text()

    def start(self) -> None:
        """Start it, and wait until it is healthy; fails with what it said when it ends instead."""
        self._process = process = self.spawn()
        health = f"http://127.0.0.1:{self._health_port}/"
        wait_until(lambda: process.poll() is not None or _answers(health), "the collector is healthy")
        assert process.poll() is None, self.log

    def spawn(self, **environ: str) -> subprocess.Popen[bytes]:
        """Start it with other variables, and wait for nothing."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "collector.log").open("ab") as log:
            command = [str(self._program), *self._configs]
            clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            return subprocess.Popen(command, env={**clean, **self.environ, **environ}, stdout=log, stderr=log)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and wait for its end; return the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_S)
        self._process = None
        return code

    def metrics(self, name: str, **labels: str) -> float:
        """Return the sum of a metric of its own."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = [line for line in lines if re.match(rf"{name}(\{{|_total| )", line)]
        return sum(
            float(line.rpartition(" ")[2])
            for line in found
            if all(f'{label}="{value}"' in line for label, value in labels.items())
        )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


class Jaeger(TraceServiceServicer):
    """Receives traces over OTLP/gRPC, as Jaeger does, and keeps them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def Export(self, request: ExportTraceServiceRequest, context: object) -> ExportTraceServiceResponse:  # noqa: N802
        self.spans += [s for resource in request.resource_spans for scope in resource.scope_spans for s in scope.spans]
        return ExportTraceServiceResponse()

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()


def stored(url: str, session: str) -> tuple[int, int, Decimal]:
    """Return of a session's ledger: distinct calls, calls that the reports count, and their exact cost."""
    sql = (
        "select uniqExact(LogAttributes['otel_costs.call.id']) as calls from otel_logs"
        " where LogAttributes['session.id'] = {session:String}"
        " and LogAttributes['event.name'] = 'otel_costs.call'"
    )
    arrived = ask(url, sql, session=session)[0]["calls"]
    sums = (
        "select count() as calls, toString(sum(cost_usd)) as usd from billed_calls where session_id = {session:String}"
    )
    billed = ask(url, sums, session=session)[0]
    return int(arrived), int(billed["calls"]), Decimal(billed["usd"] or 0)


def instrumented_environ(collector_url: str, **more: str) -> Mapping[str, str]:
    """Return the variables of an application that sends to the collector."""
    return {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector_url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
        "OTEL_METRICS_EXPORTER": "none",
        **more,
    }


def session_json(url: str, session: str) -> dict[str, Any] | None:
    """Return what ClickHouse's own handler says of a session; None if it knows none."""
    try:
        with urllib.request.urlopen(f"{url}/sessions/{session}", timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError:
        return None


CALLER = """
import sys, threading, otel_costs
from opentelemetry.exporter.otlp.common.http import _OTLPHTTPClient
from otel_costs import CostsInstrumentor, spool
from otel_costs.spool import sender
# A tenth of what they pause otherwise before they try again.
_OTLPHTTPClient._compute_backoff = lambda exporter, retry: 0.1 * 2**retry
sender._RETRY_S = tuple(0.1 * pause for pause in sender._RETRY_S)
spool.install(CostsInstrumentor._patches)

told = threading.Semaphore(0)
threading.Thread(target=lambda: [told.release() for _ in sys.stdin], daemon=True).start()

calls = 0
with otel_costs.session(sys.argv[1]) as session:
    while not told.acquire(timeout=0.01):
        calls += 1
        usage = {"input_tokens": 1000 + calls, "output_tokens": 7 * calls, "input_audio_tokens": calls}
        otel_costs.record("chat", provider="openai", model="gpt-4o-audio-preview", usage=usage)
        if calls == 1:
            print("started", flush=True)
        if calls % 10 == 0:
            print("made", calls, file=sys.stderr, flush=True)
    print(calls, session.cost_usd, flush=True)
told.acquire()
"""
"""An application that makes calls until it is told to stop, says how many they were and what they cost, and stays."""


class Caller:
    """The application in a process under `opentelemetry-instrument`, sending to `url`."""

    def __init__(self, folder: Path, session: str, url: str, **environ: str) -> None:
        path = folder / "caller.py"
        path.write_text(CALLER)
        self.session = session
        fast = {
            "OTEL_BLRP_SCHEDULE_DELAY": "20",
            "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "8",
            "OTEL_TRACES_EXPORTER": "none",
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
        variables = {"PYTHONPATH": str(ROOT), "OTEL_BLRP_MAX_QUEUE_SIZE": "65536", "OTEL_TRACES_EXPORTER": "none"}
        instrument = str(Path(sys.executable).parent / "opentelemetry-instrument")
        with (folder / f"{session}.log").open("wb") as log:
            self._process = subprocess.Popen(
                [instrument, sys.executable, str(path), session],
                env={**clean, **instrumented_environ(url, **{**variables, **fast, **environ})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._line() == "started"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def stop(self) -> tuple[int, Decimal]:
        """Let it make no more calls, and return how many it made, and what they cost."""
        self._tell()
        calls, usd = self._line().split()
        return int(calls), Decimal(usd)

    def end(self) -> int:
        """Let it come to its end, and return its exit code."""
        self._tell()
        return self._process.wait(PATIENCE_S)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal, and wait for its end."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.communicate()

    def _tell(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()
