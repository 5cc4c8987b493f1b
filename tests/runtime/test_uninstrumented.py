"""A program that is not instrumented, and uses what needs that: told once, and only when something is lost by it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = 'otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 8_000})'
WAYS = ("`opentelemetry-instrument python main.py`", "`otel_costs.CostsInstrumentor().instrument()`")

SAID = {
    "a session": ('with otel_costs.session("a"): pass', "calls of a session"),
    "a step": ('with otel_costs.step("a"): pass', "calls of a step"),
    "a step in a session": ('with otel_costs.session("a"), otel_costs.step("b"): pass', "calls of a session"),
    "a decorator": ('otel_costs.session("a")(print)()', "calls of a session"),
    "async": (
        """
        import asyncio
        async def main():
            async with otel_costs.session("a"): pass
        asyncio.run(main())
        """,
        "calls of a session",
    ),
    "a budget": ('with otel_costs.session("a", budget_usd=1): print("begun", file=sys.stderr)', "budget of a session"),
    "a record": (RECORD, "a record"),
    "events": (
        """
        with otel_costs.session("a") as session:
            otel_costs.observe_realtime_event(session, "server", {"type": "session.created", "session": {}})
        """,
        "events of a Realtime connection",
    ),
}

INSTRUMENT = "otel_costs.CostsInstrumentor().instrument(logger_provider=provider())"
SILENT = {
    "nothing is used": "otel_costs.price({'input_tokens': 1}, provider='openai', model='gpt-4o')",
    "imported, and instrumented": f'{INSTRUMENT}\nwith otel_costs.session("a", budget_usd=1): pass',
    "begun, and instrumented": f'with otel_costs.session("a"):\n    {INSTRUMENT}',
    "decorated, and instrumented": f'ask = otel_costs.session("a", budget_usd=1)(print)\n{INSTRUMENT}\nask()',
    "taken back": f'{INSTRUMENT}\notel_costs.CostsInstrumentor().uninstrument()\nwith otel_costs.session("a"): pass',
    "records that are kept": f'logs.set_logger_provider(provider())\nwith otel_costs.session("a"):\n    {RECORD}',
    "the SDK is off": 'os.environ["OTEL_SDK_DISABLED"] = "true"\nwith otel_costs.session("a", budget_usd=1): pass',
    "we are off": (
        'os.environ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] = "flask, otel_costs"\nwith otel_costs.session("a"): pass'
    ),
    "a budget of it": 'session = otel_costs.session("a", budget_usd=1)',
}

HEAD = """
import os, sys
from opentelemetry import _logs as logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
import otel_costs

def provider():
    made = LoggerProvider(shutdown_on_exit=False)
    made.add_log_record_processor(SimpleLogRecordProcessor(InMemoryLogRecordExporter()))
    return made
"""


def run(*programs: str) -> str:
    """Run programs in one process that knows of no instrumentation, and return what it wrote to stderr."""
    source = HEAD + "\n".join(textwrap.dedent(program) for program in programs)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTEST_"))}
    ran = subprocess.run(
        [sys.executable, "-c", source],
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stderr


@pytest.mark.some(1)
@pytest.mark.parametrize("name", SAID)
def test_said_once(name: str) -> None:
    """Whatever is used first, and however often: one line, with what is lost and the two ways to start."""
    program, lost = SAID[name]
    told = run(program, program, *(other for other, _ in SAID.values()))
    assert told.count("not instrumented") == 1, told
    line = next(line for line in told.splitlines() if "not instrumented" in line)
    assert lost in line
    assert all(way in line for way in WAYS)


def test_a_budget_is_said_before_it_is_needed() -> None:
    """A budget that limits nothing is said when it is opened, not when the money is spent."""
    assert "limits nothing" in run(SAID["a budget"][0]).partition("begun")[0]


@pytest.mark.some(2)
@pytest.mark.parametrize("name", SILENT)
def test_no_false_alarm(name: str) -> None:
    """Who instruments later, took it back, switched us off, or has everything kept, is told nothing."""
    assert run(SILENT[name]) == ""


def test_no_harm() -> None:
    """Nothing raises, and what is told by the program itself is counted."""
    told = run(f'with otel_costs.session("a", budget_usd=1) as s: {RECORD}', "print(s.cost_usd, file=sys.stderr)")
    assert told.splitlines()[-1] == "0.02"
