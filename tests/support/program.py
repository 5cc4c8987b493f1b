"""Programs that know nothing of us, each in a process of its own under the real `opentelemetry-instrument`."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from otel_costs.stand_in import Provider

from .collector import PATIENCE_S, Collector

ROOT = Path(__file__).parents[2]

CLIENT = """
import openai
client = openai.OpenAI()

def ask(text="hi"):
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
"""
"""The head of a program that asks the stand-in."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a program: its exit code (negative: the signal that killed it) and what it wrote."""

    code: int
    out: str
    err: str


class Program:
    """A running program. `say` and `heard` are a conversation with it, line by line: no sleeps."""

    def __init__(
        self, source: str, folder: Path, environ: Mapping[str, str], *command: str, instrumented: bool = True
    ) -> None:
        path = folder / "app.py"
        path.write_text(textwrap.dedent(source))
        instrument = [str(Path(sys.executable).parent / "opentelemetry-instrument")] if instrumented else []
        self._process = subprocess.Popen(
            [*instrument, *(command or (sys.executable, str(path)))],
            cwd=folder,
            env={**_clean_environ(), **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its children, too
        self._process.communicate()

    def heard(self, line: str) -> None:
        """Wait until the program has printed `line`."""
        assert self._process.stdout
        for found in self._process.stdout:
            if found.rstrip() == line:
                return
        raise AssertionError(f"{line!r} was never printed:\n{self._process.communicate()[1]}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self, timeout_s: float = PATIENCE_S) -> Ended:
        """Wait for the end; `subprocess.TimeoutExpired` is a failure."""
        out, err = self._process.communicate(timeout=timeout_s)
        return Ended(self._process.returncode, out, err)


def environ(provider: Provider, collector: Collector | str) -> dict[str, str]:
    """Return the variables for a program that asks the stand-in and is recorded by the collector."""
    return {
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_API_KEY": "sk-none",
        "OTEL_COSTS_PROVIDERS": "127.0.0.1=openai",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector if isinstance(collector, str) else collector.endpoint,
        "OTEL_METRICS_EXPORTER": "none",
        # Long delays: what arrives was flushed by the end of the process, not by a timer.
        "OTEL_BLRP_SCHEDULE_DELAY": "600000",
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }


def _clean_environ() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_", "PYTEST_"))}
    return {**kept, "PYTHONPATH": str(ROOT)}
