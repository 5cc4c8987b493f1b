"""A flood of spans cannot starve money: whatever holds them up, ledger records are taken and stored meanwhile."""

import contextlib
import http.client
import itertools
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel_costs.local import Stack
from tests.local.support import LATELY_NS, key_values

from .fault_proxy import FaultProxy
from .support import AUTHORIZED, CONFIG, Caller, Collector, stored, wait_until

pytestmark = pytest.mark.timeout(1500)

MEMORY_MIB: Final = 512
"""What the collector may use: half of what docker-compose.yml gives it."""

QUEUE_BYTES: Final = 64 * 2**20
"""How much of the flood may wait on the disk, so that it is full after a second."""

SPANS_A_REQUEST: Final = 64
ATTRIBUTES: Final = {f"said.{number}": "x" * 1000 for number in range(20)}
"""20 KB a span: ten thousand of them are 200 MB."""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Say what percentages of the shipped configuration are of MEMORY_MIB, which no cgroup of the test's can."""
    shipped = yaml.safe_load(CONFIG.read_text())
    limits = {
        name: {
            "limit_mib": limiter["limit_percentage"] * MEMORY_MIB // 100,
            "spike_limit_mib": limiter["spike_limit_percentage"] * MEMORY_MIB // 100,
        }
        for name, limiter in shipped["processors"].items()
        if name.startswith("memory_limiter/")
    }
    queues = {
        name: {"sending_queue": {"queue_size": QUEUE_BYTES}} for name in ("clickhouse/traces", "otlp_grpc/jaeger")
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump({"processors": limits, "exporters": queues}))
    return path


@pytest.fixture
def to_store(stack: Stack) -> Iterator[FaultProxy]:
    with FaultProxy(stack.http_url) as proxy:
        yield proxy


@pytest.fixture
def hanging() -> Iterator[str]:
    """Return where somebody listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def run(program: Path, small: Path, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start the collector in MEMORY_MIB, before a store and a Jaeger."""
    with contextlib.ExitStack() as running:

        def start(store: str, jaeger: str = "") -> Collector:
            collector = Collector(
                program, tmp_path / "collector", store, jaeger, small, GOMEMLIMIT=f"{MEMORY_MIB * 3 // 4}MiB"
            )
            return running.enter_context(collector)

        yield start


def spans() -> bytes:
    """Make a request of large spans."""
    flood = [
        Span(
            trace_id=os.urandom(16),
            span_id=os.urandom(8),
            name="flood",
            start_time_unix_nano=LATELY_NS,
            end_time_unix_nano=LATELY_NS + 1,
            attributes=key_values(ATTRIBUTES),
        )
        for _ in range(SPANS_A_REQUEST)
    ]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=flood)])]
    ).SerializeToString()


@contextlib.contextmanager
def flooded(collector: Collector, senders: int = 6) -> Iterator[None]:
    """Send spans as fast as they are answered, whatever the answer, also while nobody is there."""
    body, ended = spans(), threading.Event()
    headers = {**AUTHORIZED, "Content-Type": "application/x-protobuf"}

    def send() -> None:
        while not ended.is_set():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", collector.http_port, timeout=60)) as wire:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    while not ended.is_set():
                        wire.request("POST", "/v1/traces", body, headers)
                        wire.getresponse().read()
                ended.wait(0.05)

    threads = [threading.Thread(target=send, name="flood", daemon=True) for _ in range(senders)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def memory_mib(collector: Collector) -> float:
    """Return what it holds without the pages of its files, which the kernel takes back when it needs them."""
    status = Path(f"/proc/{collector.pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def refused(collector: Collector, kind: str) -> float:
    return collector.metrics(f"otelcol_receiver_refused_{kind}")


@pytest.mark.long
@pytest.mark.parametrize("held_up_by", ["a store that refuses", "a store that hangs", "a Jaeger that hangs"])
def test_ledger_records_are_stored_while_spans_are_not(
    stack: Stack, to_store: FaultProxy, run: Callable[..., Collector], hanging: str, tmp_path: Path, held_up_by: str
) -> None:
    """Spans are refused by the thousand; of the calls made meanwhile none is refused, and all are stored."""
    to_store.refused = b"otel_traces" if held_up_by == "a store that refuses" else None
    to_store.held = b"otel_traces" if held_up_by == "a store that hangs" else None
    collector = run(to_store.url, hanging if held_up_by == "a Jaeger that hangs" else "")
    session = uuid.uuid4().hex
    used: list[float] = []

    def enough() -> bool:
        used.append(memory_mib(collector))
        return refused(collector, "spans") > 100 * SPANS_A_REQUEST and stored(stack.http_url, session)[0] > 50

    with Caller(tmp_path, session, collector.url) as caller, flooded(collector):
        wait_until(enough, "spans are refused, and calls are stored all the same")
        calls, usd = caller.stop()
        wait_until(lambda: min(stored(stack.http_url, session)[:2]) >= calls, f"{calls} calls are stored")
        used.append(memory_mib(collector))
        assert refused(collector, "log_records") == 0
    assert stored(stack.http_url, session) == (calls, calls, usd)
    assert max(used) < MEMORY_MIB


@pytest.mark.long
def test_a_collector_with_a_full_queue_starts_again(
    stack: Stack, to_store: FaultProxy, run: Callable[..., Collector], tmp_path: Path
) -> None:
    """Killed with -9 while spans wait, it takes calls again, and what waits on its disk does not fill its memory."""
    to_store.held = b"otel_traces"
    collector = run(to_store.url)
    session = uuid.uuid4().hex
    with Caller(tmp_path, session, collector.url) as caller, flooded(collector):
        for _ in range(2):
            wait_until(lambda: refused(collector, "spans") > SPANS_A_REQUEST, "the queue of spans is full")
            collector.kill()
            collector.start()
        calls, usd = caller.stop()
        wait_until(lambda: min(stored(stack.http_url, session)[:2]) >= calls, f"{calls} calls are stored")
        assert memory_mib(collector) < MEMORY_MIB
    assert stored(stack.http_url, session) == (calls, calls, usd)


def test_money_is_refused_last() -> None:
    """Each of the limits leaves room for what matters more."""
    shipped: dict[str, Any] = yaml.safe_load(CONFIG.read_text())["processors"]
    limiters = [shipped[f"memory_limiter/{name}"] for name in ("traces", "content", "ledger")]
    hard = [limiter["limit_percentage"] for limiter in limiters]
    soft = [limiter["limit_percentage"] - limiter["spike_limit_percentage"] for limiter in limiters]
    for lower, higher in itertools.pairwise(range(3)):
        assert hard[lower] < soft[higher]


def test_nothing_waits_in_memory() -> None:
    """Every queue is on the disk and counted in bytes, and so is what is taken from it at once."""
    shipped: dict[str, Any] = yaml.safe_load(CONFIG.read_text())["exporters"]
    assert len(shipped) == 4
    for name, exporter in shipped.items():
        queue = exporter["sending_queue"]
        assert queue["storage"] == "file_storage", name
        assert queue["sizer"] == queue["batch"]["sizer"] == "bytes", name
        assert queue["batch"]["min_size"] <= 2_000_000, name
