"""Jaeger, as it is released, and what it knows of a trace."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.jaeger import build
from tests.local.support import free_ports

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Jaeger:
    """A running Jaeger: where it takes OTLP over HTTP, and where it is asked."""

    otlp_url: str
    query_url: str

    def traces(self, service: str) -> list[dict[str, Any]]:
        """Return the traces of a service, as its page gets them."""
        asked = f"{self.query_url}/api/traces?{urlencode({'service': service, 'limit': 100})}"
        with urllib.request.urlopen(asked, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]
        return found


@pytest.fixture(scope="session")
def program() -> Path:
    """Return the program. CI builds it and fails where it cannot; elsewhere a test waits for nobody's compiler."""
    if not build.program().exists() and os.environ.get("CI") != "true":
        pytest.skip("Jaeger is not built, so traces are not looked at there: `make jaeger` builds it, with Go")
    try:
        return build.built()
    except build.BuildError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def jaeger(program: Path) -> Iterator[Jaeger]:
    """Run Jaeger until the last test of the module."""
    otlp, query = free_ports(2)
    ports: Mapping[str, str] = {"OTLP_PORT": str(otlp), "QUERY_PORT": str(query)}
    command = [str(program), "--config", str(Path(__file__).with_name("jaeger.yaml"))]
    with subprocess.Popen(
        command, env={**os.environ, **ports}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            found = Jaeger(f"http://127.0.0.1:{otlp}", f"http://127.0.0.1:{query}")
            _await(found, process)
            yield found
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)


def _await(jaeger: Jaeger, process: "subprocess.Popen[str]") -> None:
    """Wait until it answers at both of its addresses."""
    end = time.monotonic() + PATIENCE_S
    while not (_answers(f"{jaeger.query_url}/api/services") and _answers(f"{jaeger.otlp_url}/v1/traces")):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f"Jaeger did not start: {process.communicate()[1][-2000:]}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True  # it takes no GET there
    except OSError:
        return False
    return True
