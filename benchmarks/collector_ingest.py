"""What the pipeline takes: calls at a steady rate through the real collector into ClickHouse, for a time.

    python benchmarks/collector_ingest.py [--rate 1000] [--seconds 60]

Each call is a ledger record and a span; the load, the collector (shipped configuration, queues on disk) and the store
share the machine. The base is the same load into plain tables of the exporter's columns, with no view behind them: what
the collector and its exporter cost alone. Needs `make collector`.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from benchmarks.local_ingest import _cpu_s, requests
from otel_costs.local import Stack
from tests.collector.support import AUTHORIZED, ROOT, Collector, Jaeger, wait_until
from tests.local.support import ask, key_values, send

BATCH = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run took. Depths are bytes in the ledger's queue on disk; CPU is seconds of each process."""

    name: str
    calls: int
    seconds: float
    drained_s: float
    depths: Sequence[float]
    collector_cpu_s: float
    store_cpu_s: float
    bytes_per_call: dict[str, float]

    def against(self, base: "Measured") -> str:
        """Write a line of the table."""
        collector, store = (cpu / self.calls * 1e6 for cpu in (self.collector_cpu_s, self.store_cpu_s))
        total = collector + store
        ratio = total / ((base.collector_cpu_s + base.store_cpu_s) / base.calls * 1e6)
        rate, deepest = self.calls / self.seconds, max(self.depths) / 1e6
        return (
            f"| {self.name:<22} | {rate:>7,.0f} | {deepest:>8.2f} | {self.drained_s:>7.1f} | {collector:>9.0f} |"
            f" {store:>8.0f} | {ratio:>5.2f} | {sum(self.bytes_per_call.values()):>7.0f} |"
        )


def spans(count: int) -> Iterator[bytes]:
    """Make requests of spans as calls leave them."""
    attributes = key_values(
        {f"gen_ai.attribute.{number}": f"a value {number}" for number in range(15)} | {"gen_ai.usage.input_tokens": 9}
    )
    for _ in range(0, count, BATCH):
        now_ns = time.time_ns()
        made = [
            Span(
                trace_id=os.urandom(16),
                span_id=os.urandom(8),
                name="chat gpt-4o",
                start_time_unix_nano=now_ns,
                end_time_unix_nano=now_ns + 10**9,
                attributes=attributes,
            )
            for _ in range(BATCH)
        ]
        request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=made)])])
        yield request.SerializeToString()


class Load:
    """Sends requests at a rate, on a few connections, until all are acknowledged."""

    def __init__(self, collector: Collector) -> None:
        self._port = collector.http_port
        self._own = threading.local()

    def post(self, path: str, body: bytes) -> None:
        """Send one request; the collector must take it."""
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port)
        headers = {**AUTHORIZED, "Content-Type": "application/x-protobuf"}
        self._own.connection.request("POST", path, body, headers)
        answer = self._own.connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status


def run(name: str, program: Path, rate: int, seconds: int, *, plain: bool) -> Measured:
    """Send `rate` calls a second for `seconds`, to a store of its own, and wait until all are stored."""
    calls = rate * seconds
    ledger, traces = requests(calls, BATCH), list(spans(calls))
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        stack = running.enter_context(Stack(folder / "data"))
        database = _plain(stack) if plain else "default"
        jaeger = running.enter_context(Jaeger())
        collector = Collector(program, folder, stack.http_url, jaeger.url, CLICKHOUSE_DATABASE=database)
        running.enter_context(collector)
        load, pool = Load(collector), running.enter_context(ThreadPoolExecutor(4))
        cpu = (_cpu_s(collector.pid), _cpu_s(stack.pid))
        depths, sent, started = [0.0], [], time.perf_counter()
        for number, (logs, trace) in enumerate(zip(ledger, traces, strict=True)):
            time.sleep(max(0.0, started + number * BATCH / rate - time.perf_counter()))
            sent += [pool.submit(load.post, "/v1/logs", logs), pool.submit(load.post, "/v1/traces", trace)]
            if number % max(1, rate // BATCH) == 0:
                depths.append(collector.metrics("otelcol_exporter_queue_size", exporter="clickhouse/ledger"))
        for each in sent:
            each.result()
        ended = time.perf_counter()
        _wait(stack, database, calls, plain=plain)
        drained = time.perf_counter()
        return Measured(
            name,
            calls,
            ended - started,
            drained - ended,
            depths,
            _cpu_s(collector.pid) - cpu[0],
            _cpu_s(stack.pid) - cpu[1],
            _sizes(stack, database, calls),
        )


def _plain(stack: Stack) -> str:
    """Make the exporter's tables without anything that reads them, and return their database."""
    name = f"plain_{uuid.uuid4().hex[:8]}"
    statements = [f"create database {name}"]
    for table in ("otel_logs", "otel_traces"):
        (made,) = ask(stack.http_url, f"select create_table_query as sql from system.tables where name = '{table}'")
        statements.append(made["sql"].replace(f"default.{table}", f"{name}.{table}", 1))
    for statement in statements:
        answer = send(f"{stack.http_url}/", statement.encode())
        assert answer.status == 200, answer.text
    return name


def _wait(stack: Stack, database: str, calls: int, *, plain: bool) -> None:
    ledger = f"{database}.otel_logs" if plain else "calls final"
    counts = f"select (select count() from {ledger}) as calls, (select count() from {database}.otel_traces) as spans"
    wait_until(lambda: {int(n) for n in ask(stack.http_url, counts)[0].values()} == {calls}, f"{calls} are stored")


def _sizes(stack: Stack, database: str, calls: int) -> dict[str, float]:
    sql = (
        "select table, sum(bytes_on_disk) as bytes from system.parts"
        f" where active and database = '{database}' group by table order by bytes desc"
    )
    return {row["table"]: int(row["bytes"]) / calls for row in ask(stack.http_url, sql)}


def main() -> None:
    """Run and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=int, default=1_000)
    options.add_argument("--seconds", type=int, default=60)
    given = options.parse_args()
    built = subprocess.run(
        [sys.executable, ROOT / "collector" / "build.py"], capture_output=True, text=True, check=True
    )
    program = Path(built.stdout.strip())
    print(f"{given.rate:,} calls a second for {given.seconds} s, a span with each, {os.cpu_count()} cores")
    print("| into                   | calls/s | queue MB | drain s | collector |    store | CPU x | B/call |")
    print("|------------------------|---------|----------|---------|-----------|----------|-------|--------|")
    base = run("plain tables", program, given.rate, given.seconds, plain=True)
    print(base.against(base), flush=True)
    ours = run("calls, views, reports", program, given.rate, given.seconds, plain=False)
    print(ours.against(base))
    print("CPU is microseconds a call. Stored = made in both runs. Bytes on disk a call, by table:")
    print("  " + ", ".join(f"{table} {size:.0f}" for table, size in ours.bytes_per_call.items() if size >= 1))


if __name__ == "__main__":
    main()
