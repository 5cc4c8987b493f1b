"""What the demo runs: a store, a provider, and programs under `opentelemetry-instrument`."""

import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_costs.cli.failure import Failure
from otel_costs.semconv import ENV_CAPTURE_CONTENT, ENV_PROVIDERS
from otel_costs.stand_in import Provider as StandIn

if TYPE_CHECKING:
    from otel_costs.local import Stack

PROGRAM_TIMEOUT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Provider:
    """The providers that answer: OpenAI and Deepgram, or stand-ins for them at `base_url` and `speech_url`.

    `pace` is how fast people and stand-ins speak: 1 as they do, 0 without a pause.
    """

    base_url: str | None = None
    speech_url: str | None = None
    pace: float = 0

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program needs to ask them, and otel_costs to know their prices."""
        # In a browser each turn is seen when it has ended, and not up to five seconds later.
        pace = {"SUPPORT_PACE": f"{self.pace:g}", "OTEL_BLRP_SCHEDULE_DELAY": "500"} if self.pace else {}
        if self.base_url is None or self.speech_url is None:
            return pace
        speech = self.speech_url.removesuffix("/v1")
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": "stand-in",
            "DEEPGRAM_BASE_URL": speech,
            "DEEPGRAM_API_KEY": "stand-in",
            **pace,
            ENV_PROVIDERS: f"{_host(self.base_url)}=openai,{_host(speech)}=deepgram",
        }


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that ran: what it said, and what it said went wrong."""

    returncode: int
    output: str
    errors: str


@contextmanager
def store(data: Path | None) -> Iterator["Stack"]:
    """Run a store over `data`, or over a folder that is gone in the end; on the usual ports where they are free."""
    _need("local", "chdb", "clickhouse_cityhash", "grpc", "starlette", "uvicorn")
    _need("demo", "openai", "websockets", "deepgram")
    from otel_costs.local import Stack, StartError  # noqa: PLC0415  # an extra of ours

    with tempfile.TemporaryDirectory(prefix="otel-costs-demo-", ignore_cleanup_errors=True) as folder:
        try:
            with Stack(
                data or folder, otlp_http_port=_free(4318), otlp_grpc_port=_free(4317), http_port=_free(8123)
            ) as stack:
                yield stack
        except StartError as error:
            raise Failure(str(error)) from error


@contextmanager
def answering(*, stand_in: bool, pace: float = 0) -> Iterator[Provider]:
    """Use OpenAI where there is a key; start stand-ins where there is none, or where they are wanted."""
    if os.environ.get("OPENAI_API_KEY") and not stand_in:
        yield Provider(pace=pace)
        return
    with StandIn(pace=pace) as openai, StandIn() as deepgram:
        yield Provider(openai.base_url, deepgram.base_url, pace)


def settings(stack: "Stack", provider: Provider, service: str) -> dict[str, str]:
    """Return the environment that makes a program recorded: what a user would export."""
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_grpc_url,
        ENV_CAPTURE_CONTENT: "EVENT_ONLY",
        **provider.environment,
    }


def run(program: Path, environment: Mapping[str, str]) -> Ran:
    """Run a Python program under the real `opentelemetry-instrument`."""
    script = Path(sysconfig.get_path("scripts")) / "opentelemetry-instrument"
    if not script.exists():
        raise Failure(f"{script} is not here: pip install 'opentelemetry-distro'")
    command = [str(script), sys.executable, str(program)]
    try:
        done = _finish(command, {**_inherited(), **environment})
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{program} did not end within {PROGRAM_TIMEOUT_S:.0f} s") from error
    return Ran(done.returncode, done.stdout, done.stderr)


def _finish(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False, timeout=PROGRAM_TIMEOUT_S
    )


def _inherited() -> dict[str, str]:
    """Return our environment without other settings of OpenTelemetry."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OTEL_") or "COSTS" in name}


def _need(extra: str, *modules: str) -> None:
    """Raise Failure if one of `modules` is not installed: what fails in another process says less."""
    for module in modules:
        if find_spec(module) is None:
            raise Failure(f"{module} is not installed: pip install 'otel-costs[{extra}]'")


def _free(port: int) -> int:
    """Return `port` if it is free, else 0: any other."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
