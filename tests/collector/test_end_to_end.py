"""All the way: an application that knows nothing of us, the real collector, ClickHouse, and the report."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_costs.cli import demo_env
from otel_costs.cli.demo import PROGRAMS
from otel_costs.local import Stack
from tests.cli.support import run
from tests.local.support import ask, send

from .fault_proxy import FaultProxy
from .support import ROOT, Collector, instrumented_environ, wait_until

pytestmark = [pytest.mark.timeout(1500), pytest.mark.long]

COUNTS = "select countIf(EventName = 'otel_costs.call') as calls, count() as records from otel_logs"
SPANS = "select count() as spans from otel_traces"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run `otel-costs local`, which takes the records without a collector."""
    with Stack(tmp_path_factory.mktemp("local")) as running:
        yield running


@pytest.fixture(scope="module")
def demonstrated(collector: Collector, emptied_stack: Stack, local: Stack) -> None:
    """Run the demo's programs before the collector, and send the very same requests to `otel-costs local`."""
    with FaultProxy(collector.url) as wire, demo_env.answering(stand_in=True) as answering:
        for service, name in PROGRAMS.items():
            program = ROOT / "examples" / "support_assistant" / name
            environ = instrumented_environ(
                wire.url,
                OTEL_SERVICE_NAME=service,
                OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_AND_EVENT",
                **answering.environment,
            )
            _run(program, {**environ})
        for head, body in wire.taken:
            _send_again(local, head, body)
    for sql in (COUNTS, SPANS):
        direct = ask(local.http_url, sql)
        wait_until(lambda sql=sql, direct=direct: ask(emptied_stack.http_url, sql) == direct, f"{direct} is stored")  # type: ignore[misc]


def _run(program: Path, environ: dict[str, str]) -> None:
    instrument = str(Path(sys.executable).parent / "opentelemetry-instrument")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
    command = [instrument, sys.executable, str(program)]
    done = subprocess.run(command, env={**clean, **environ}, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def _send_again(local: Stack, head: bytes, body: bytes) -> None:
    path = head.split(b" ", 2)[1].decode()
    fields = dict(line.split(": ", 1) for line in head.decode().lower().split("\r\n")[1:-2])
    kept: dict[str, str] = {name: fields[name] for name in ("content-type", "content-encoding") if name in fields}
    assert send(local.otlp_http_url + path, body, kept).status == 200


def told(url: str, *command: str) -> bytes:
    """Return what a command of ours prints about a store."""
    done = run(*command, url=url)
    assert done.exit_code == 0, done.output
    return done.stdout_bytes


@pytest.mark.usefixtures("demonstrated")
def test_every_session_is_the_same_through_the_collector(stack: Stack, local: Stack) -> None:
    """The JSON of each of the demo's sessions, with every message, cost and time, is equal byte for byte."""
    listed = json.loads(told(stack.http_url, "sessions", "--format", "json"))["sessions"]
    assert len(listed) >= 2
    for session in (row["session_id"] for row in listed):
        through = told(stack.http_url, "session", session, "--format", "json")
        assert through == told(local.http_url, "session", session, "--format", "json")
        found = json.loads(through)
        assert found["call_count"] > 0
        assert float(found["cost"]["cost_usd"]) > 0
        assert any(message["content"] for message in found["messages"])


@pytest.mark.usefixtures("demonstrated")
@pytest.mark.parametrize("command", [["sessions"], ["report"], ["report", "--user", "ada"], ["search", "refund"]])
def test_reports_are_the_same_through_the_collector(stack: Stack, local: Stack, command: list[str]) -> None:
    """So are all reports that are made of them."""
    through = told(stack.http_url, *command, "--format", "json")
    assert through == told(local.http_url, *command, "--format", "json")
    assert len(through) > 100


@pytest.mark.usefixtures("demonstrated")
def test_every_row_is_the_same_through_the_collector(stack: Stack, local: Stack) -> None:
    """The exporter and `otel-costs local` write the same columns of a record; its spans lose their content alone."""
    assert rows(stack, "otel_logs") == rows(local, "otel_logs")
    said = ("input.messages", "output.messages", "system_instructions")
    done = ("tool.definitions", "tool.call.arguments", "tool.call.result")
    content = {f"gen_ai.{name}" for name in said + done}
    direct = rows(local, "otel_traces")
    assert any(content & set(row["SpanAttributes"]) for row in direct)
    for row in direct:
        row["SpanAttributes"] = {key: value for key, value in row["SpanAttributes"].items() if key not in content}
    assert rows(stack, "otel_traces") == direct


def rows(stack: Stack, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table in an order of their own: the maps in them have none."""
    found = ask(stack.http_url, f"select * from {table}")
    return sorted(found, key=lambda row: (row["Timestamp"], row["SpanId"], json.dumps(row, sort_keys=True)))
