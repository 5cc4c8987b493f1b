"""How many ledger records `otel-costs local` takes per second, over OTLP/HTTP and gRPC, and what one costs in CPU.

    python benchmarks/local_ingest.py [--records 51200] [--batch 512] [--clients 4]

Requests are made beforehand, so that the client costs little. The base is the engine alone, given the same rows by
inserts of a batch each, with the same tables and views behind them: no receiver can be cheaper than that.
"""

import argparse
import http.client
import os
import resource
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from otel_costs.local import Stack, rows
from otel_costs.store import connect, schema
from otel_costs.store.embedded import Engine

LOGS_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run took: wall and CPU seconds of the receiving process, for a number of records."""

    name: str
    records: int
    wall_s: float
    cpu_s: float

    def against(self, base: "Measured") -> str:
        """Write a line of the table."""
        rate, cpu_us = self.records / self.wall_s, self.cpu_s / self.records * 1e6
        wall = self.wall_s / self.records / (base.wall_s / base.records)
        cpu = self.cpu_s / self.records / (base.cpu_s / base.records)
        return f"| {self.name:<34} | {rate:>9,.0f} | {cpu_us:>7.1f} | {wall:>6.2f} | {cpu:>5.2f} |"


def record(number: int, now_ns: int) -> LogRecord:
    """Make a ledger record as a chat call leaves it: 31 attributes."""
    attributes: dict[str, str | int | float] = {
        "event.name": "otel_costs.call",
        "otel_costs.call.id": uuid.uuid4().hex,
        "otel_costs.process.id": "ab" * 16,
        "otel_costs.call.seq": number,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": f"chatcmpl-{uuid.uuid4().hex}",
        "openai.response.service_tier": "default",
        "openai.api.type": "chat_completions",
        "server.address": "api.openai.com",
        "session.id": f"session-{number // 7}",
        "user.id": f"user-{number // 70}",
        "otel_costs.scenario": "customer_service",
        "otel_costs.step": "analysis",
        "otel_costs.tag.kb_id": "kb_finance",
        "gen_ai.usage.input_tokens": 1500 + number % 100,
        "gen_ai.usage.output_tokens": 800,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cost.amount": 0.01175,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.01175",
        "otel_costs.cost.line.input_tokens": "0.00375",
        "otel_costs.cost.line.output_tokens": "0.008",
        "otel_costs.price.id": "openai/gpt-4o",
        "otel_costs.price.book": "2026.11",
        "otel_costs.duration_s": 1.234,
        "otel_costs.start_time_unix_nano": str(now_ns - 1_234_000_000),
    }
    found = LogRecord(time_unix_nano=now_ns + number, event_name="otel_costs.call", trace_id=os.urandom(16))
    found.attributes.extend(KeyValue(key=key, value=_value(value)) for key, value in attributes.items())
    return found


def _value(value: str | int | float) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def requests(records: int, batch: int) -> list[bytes]:
    """Make the bodies of requests of `batch` records each."""
    now_ns = time.time_ns()
    made = []
    for start in range(0, records, batch):
        batch_records = [record(number, now_ns) for number in range(start, min(start + batch, records))]
        logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=batch_records)])
        logs.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value="shop")))
        made.append(ExportLogsServiceRequest(resource_logs=[logs]).SerializeToString())
    return made


def engine_alone(bodies: Sequence[bytes], records: int) -> Measured:
    """Insert the rows of every request into the engine in this process."""
    batches = [rows.of_logs(ExportLogsServiceRequest.FromString(body).resource_logs) for body in bodies]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Engine(folder) as engine:
        client = connect(f"chdb://{folder}")
        schema.apply(client)
        engine.insert("INSERT INTO otel_logs", [b"\n".join(batches[0])])
        started, cpu = time.perf_counter(), _own_cpu_s()
        for lines in batches:
            engine.insert("INSERT INTO otel_logs", [b"\n".join(lines)])
        taken = Measured("engine alone, one insert a batch", records, time.perf_counter() - started, _own_cpu_s() - cpu)
        client.close()
    return taken


def over_http(stack: Stack, bodies: Sequence[bytes]) -> None:
    """Send every body over one connection."""
    address = urlsplit(stack.otlp_http_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    for body in bodies:
        connection.request("POST", "/v1/logs", body, {"Content-Type": "application/x-protobuf"})
        response = connection.getresponse()
        response.read()
        assert response.status == 200
    connection.close()


def over_grpc(stack: Stack, bodies: Sequence[bytes]) -> None:
    """Send every body over one channel."""
    with grpc.insecure_channel(stack.otlp_grpc_url.removeprefix("http://")) as channel:
        export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(LOGS_METHOD)
        for body in bodies:
            export(body)


def receiver(
    name: str, send: Callable[[Stack, Sequence[bytes]], None], bodies: Sequence[bytes], records: int, clients: int
) -> Measured:
    """Send all bodies by `clients` at the same time to a stack of its own, and check that all records are there."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Stack(Path(folder) / "data") as stack,
        ThreadPoolExecutor(clients) as pool,
    ):
        send(stack, requests(1, 1))
        started, cpu = time.perf_counter(), _cpu_s(stack.pid)
        list(pool.map(lambda part: send(stack, part), [bodies[index::clients] for index in range(clients)]))
        taken = Measured(name, records, time.perf_counter() - started, _cpu_s(stack.pid) - cpu)
        _check(stack, records + 1)
    return taken


def _check(stack: Stack, records: int) -> None:
    address = urlsplit(stack.http_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    connection.request("POST", "/", b"SELECT count() FROM calls FINAL")
    stored = int(connection.getresponse().read())
    connection.close()
    assert stored == records, f"{stored} calls stored instead of {records}"


def _own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=51_200)
    options.add_argument("--batch", type=int, default=512)
    options.add_argument("--clients", type=int, default=4)
    given = options.parse_args()
    bodies = requests(given.records, given.batch)
    size = sum(map(len, bodies)) / given.records
    print(f"{given.records:,} ledger records of {size:,.0f} bytes, {given.batch} a request, {os.cpu_count()} cores")
    print("| received by                        | records/s | CPU us  | wall x | CPU x |")
    print("|------------------------------------|-----------|---------|--------|-------|")
    base = engine_alone(bodies, given.records)
    print(base.against(base))
    for name, send in (("OTLP/HTTP", over_http), ("OTLP/gRPC", over_grpc)):
        for clients in (1, given.clients):
            counted = "1 client" if clients == 1 else f"{clients} clients"
            print(receiver(f"{name}, {counted}", send, bodies, given.records, clients).against(base), flush=True)


if __name__ == "__main__":
    main()
