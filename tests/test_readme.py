"""The README is true: its code runs, and what it names is there."""

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from importlib.metadata import metadata
from pathlib import Path

import pytest

from otel_costs import semconv
from otel_costs.cli.app import COMMANDS
from otel_costs.local import Stack
from otel_costs.stand_in import Provider

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = re.search(r"```python\n(.*?)```", README, re.DOTALL)
PRICES = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
INSTALL, QUICK_START, LOOKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def store(emptied_stack: Stack) -> Stack:
    """Return the `otel-costs local` of the quick start, on ports of its own."""
    return emptied_stack


def bash(script: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run `script` as somebody would paste it, and return what it printed; fail if a line of it does."""
    scripts = sysconfig.get_path("scripts")
    mine = ("OTEL_", "OPENAI_", "COLUMNS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={**clean, "PATH": f"{scripts}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def after_quick_start(store: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Follow the quick start with the program of the README, and return what it showed."""
    first, rest = QUICK_START.split("\n", 1)
    assert first.startswith("otel-costs local &")
    assert PROGRAM is not None
    folder = tmp_path_factory.mktemp("app")
    (folder / "app.py").write_text(PROGRAM[1])
    with Provider() as provider:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": store.otlp_grpc_url,
            "OTEL_COSTS_DSN": store.http_url,
            "OPENAI_BASE_URL": provider.base_url,
            "OPENAI_API_KEY": "stand-in",
            "OTEL_COSTS_PROVIDERS": "127.0.0.1=openai",
        }
        return bash(rest, folder, environment)


def test_quick_start(after_quick_start: str) -> None:
    """Five lines, and a program's session and its user's report are there, with the cost that the program printed."""
    printed = after_quick_start.split("\n", 1)[0]
    assert re.fullmatch(r"0\.00\d+", printed)
    assert re.search(rf"abc-123 +user-1 +customer_service .*\${printed[:8]}", after_quick_start)
    assert f"User user-1 · all time · 1 session · 1 call · ${printed.rstrip('0')}" in after_quick_start


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_what_you_get(after_quick_start: str, store: Stack, tmp_path: Path) -> None:
    """The conversation and its cost by curl, SQL by curl, and what a call of a model costs."""
    assert after_quick_start
    shown = bash(LOOKS.replace("http://localhost:8123", store.http_url), tmp_path, {"OTEL_COSTS_DSN": store.http_url})
    assert re.search(r'"content": ?"Hello!"', shown)
    assert re.search(r"^user-1\t0\.00\d+$", shown, re.MULTILINE)
    assert re.search(r"\$0\.037125", shown)


def test_price_file(tmp_path: Path) -> None:
    """The price file of the README is in force when the variable names it."""
    assert PRICES is not None
    (tmp_path / "prices.yaml").write_text(PRICES[1])
    script = "otel-costs price acme-large-2 --provider acme input_tokens=1000000 output_tokens=100000"
    assert "$3.50" in bash(script, tmp_path, {"OTEL_COSTS_PRICES": "prices.yaml"})


def test_install() -> None:
    """What the README says to install is an extra of the package."""
    assert re.fullmatch(r"pip install 'otel-costs\[local\]'\n", INSTALL)
    assert "local" in (metadata("otel-costs").get_all("Provides-Extra") or [])


def test_names() -> None:
    """Every variable of ours that the README names is read, and every command is named."""
    known = {value for name, value in vars(semconv).items() if name.startswith("ENV_")}
    assert set(re.findall(r"\bOTEL_COSTS_[A-Z_]+\b", README)) <= known
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", README), command


def test_length_and_links() -> None:
    """At most 120 lines, and no link to what is not there."""
    assert len(README.splitlines()) <= 120
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
