"""Clients that are not covered, of the vendors' own packages, against a stand-in: said once, when they are used."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

import pytest

from otel_costs.stand_in import Provider
from tests.support import environments
from tests.support.environments import HERE, ROOT, Environment
from tests.support.selection import long

ENVIRONMENT = Environment(
    "not-covered",
    HERE,
    (
        "anthropic>=2,<3",
        "boto3>=1.44,<2",
        "cohere>=7,<8",
        "google-genai>=3,<4",
        "groq>=1,<2",
        "litellm>=1.110,<2",
        "mistralai>=3,<4",
        "ollama>=0.6,<1",
        "openai<4",
    ),
    None,
)

CLIENTS = ("anthropic", "boto3 (bedrock-runtime)", "cohere", "google.genai", "groq", "litellm", "mistralai", "ollama")
ASYNC = ("anthropic", "cohere", "litellm", "ollama")
SILENT = {"litellm openai/": 2, "async litellm openai/": 2, "anthropic models": 0, "ollama list": 0}
"""What passes OpenAI's client, and what costs nothing, with how many calls of two are recorded."""


QUICK = ("anthropic", "async ollama", "async litellm openai/", "anthropic models")


def _selected(names: Iterable[str]) -> list[Any]:
    return [name if name in QUICK else long(name) for name in names]


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Use each client without us, twice with us, and after we were taken back."""
    if environments.uv() is None:
        pytest.skip("no uv to make environments with")
    variables = {"OTEL_COSTS_PROVIDERS": "127.0.0.1=openai", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    named = [] if request.config.getoption("long") else QUICK
    with Provider() as provider:
        ends, text = environments.run(
            ENVIRONMENT, "-m", "tests.support.not_covered", provider.base_url, *named, **variables
        )
    if ends == "skipped":
        pytest.skip(text)
    assert ends == "passed", text
    used: dict[str, Any] = json.loads(text.splitlines()[-1])
    return used


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", _selected([*CLIENTS, *(f"async {name}" for name in ASYNC)]))
def test_said_with_the_first_use(name: str, found: dict[str, Any]) -> None:
    """Not when it is imported, once when it is used, with what helps; and the client ends as it does without us."""
    used = found[name]
    imported, first, second, after = used["said"]
    assert (imported, second, after) == ([], [], [])
    (line,) = first
    assert line.startswith(f"Calls of `{name.removeprefix('async ')}` are not recorded. ")
    assert "`otel_costs.record(...)`" in line
    assert len(set(used["ends"])) == 1
    assert used["calls"] == 0


@pytest.mark.long
@pytest.mark.parametrize("name", _selected(SILENT))
def test_not_said(name: str, found: dict[str, Any]) -> None:
    """What passes OpenAI's client is recorded; what is free is neither recorded nor said."""
    used = found[name]
    assert used["said"] == [[], [], [], []]
    assert used["calls"] == SILENT[name]
    assert len(set(used["ends"])) == 1


def test_nothing_is_imported_for_it() -> None:
    """A program that has none of them imports nothing, and one of another shape is no warning."""
    program = """
        import sys, types
        from otel_costs import CostsInstrumentor
        from otel_costs.providers import not_covered
        made = types.ModuleType("mistralai.basesdk")
        sys.modules["mistralai"], sys.modules["mistralai.basesdk"] = types.ModuleType("mistralai"), made
        CostsInstrumentor().instrument()
        roots = {client.module.partition(".")[0] for client in not_covered.CLIENTS} - {"google", "mistralai"}
        assert not roots & sys.modules.keys(), roots & sys.modules.keys()
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    ran = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, "basesdk" in ran.stderr) == (0, False), ran.stderr
