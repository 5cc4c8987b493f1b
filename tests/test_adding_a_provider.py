"""The page on adding a provider is true: its own blocks, installed as a package, record what they say."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from otel_costs import semconv as names

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
PROJECT, HTTP, RPC, VOICE, PRICES = (text for _, text in BLOCKS)

USD = "0.0045"
"""1,000 input tokens at 2.50 and 200 output tokens at 10 per million."""

LIBRARIES = ("httpx", "httpx2")
KINDS = ("Client", "AsyncClient")


def install(folder: Path, entry_points: dict[str, str], **files: str) -> None:
    """Put files into a folder, with what an installer writes of their entry points."""
    about = folder / "acme_costs-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-costs\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (about / "entry_points.txt").write_text("\n".join(["[otel_costs_provider]", *lines, ""]))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def run(folder: Path, *arguments: str, **variables: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
    environ = {**clean, "PYTHONPATH": f"{folder}:{ROOT}", "OTEL_COSTS_PROVIDERS": "127.0.0.1=acme", **variables}
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Install the page's blocks, and use the SDK over each way."""
    folder = tmp_path_factory.mktemp("site")
    entry_points = tomllib.loads(PROJECT)["project"]["entry-points"]["otel_costs_provider"]
    modules = {"acme_costs__py": HTTP, "acme_rpc_costs__py": RPC, "acme_voice_costs__py": VOICE, "prices__yaml": PRICES}
    install(folder, entry_points, **modules)
    shutil.copytree(ROOT / "tests" / "support" / "acme", folder / "acme")
    captured = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "EVENT_ONLY"}
    walked: dict[str, Any] = json.loads(run(folder, "-m", "tests.support.walk", **captured).splitlines()[0])
    assert (walked["errors"], walked["said"]) == ([], [])
    return walked


WAYS = [f"{way} {kind}" for kind in KINDS for way in (*LIBRARIES, "gRPC")]


@pytest.mark.some(4)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["whole", "stream"])
def test_a_call(name: str, way: str, found: dict[str, Any]) -> None:
    """One record with its exact cost by the page's prices, and what was said, streamed or not."""
    done = found[f"{way} {name}"]
    (call,) = done["calls"]
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("priced", USD)
    assert (call[names.PROVIDER_NAME], call[names.REQUEST_MODEL], call[names.RESPONSE_MODEL]) == (
        "acme", "acme-large", "acme-large-2",
    )  # fmt: skip
    assert call[names.SESSION_ID] == f"{way} {name}"
    assert [one["body"] for one in done["messages"]] == ["hi", "It left on Friday"]


@pytest.mark.parametrize("way", WAYS)
def test_a_stream_that_is_left(way: str, found: dict[str, Any]) -> None:
    """It is one record, an estimate of what had come, with the reason."""
    (call,) = found[f"{way} left"]["calls"]
    assert call[names.COST_STATUS] == "estimated"
    reason = "stream_failed" if "gRPC" in way else "stream_closed_early"  # it is cancelled there
    assert call[names.COST_REASON] == f"{reason},usage_estimated"
    assert call["gen_ai.usage.output_tokens"] == 2  # `It left`


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_is_dropped(kind: str, found: dict[str, Any]) -> None:
    """Nobody need close it."""
    (call,) = found[f"gRPC {kind} dropped"]["calls"]
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("estimated", "stream_closed_early,usage_estimated")


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal(way: str, found: dict[str, Any]) -> None:
    """It costs nothing, and the SDK's own exception reaches the application."""
    done = found[f"{way} refused"]
    (call,) = done["calls"]
    assert done["ended"] in ("RefusedError", "_InactiveRpcError", "AioRpcError")
    assert (call[names.COST_USD], call[names.COST_REASON]) == ("0", "request_refused")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_tried_again(library: str, kind: str, found: dict[str, Any]) -> None:
    """However often the SDK tries, it is one call."""
    (call,) = found[f"{library} {kind} retried"]["calls"]
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("priced", USD)


def test_a_socket(found: dict[str, Any]) -> None:
    """A dictation is billed by the seconds that the service reports."""
    done = found["socket whole"]
    (call,) = done["calls"]
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("priced", "0.0025")  # 15 s at 0.60 an hour
    assert (call[names.OPERATION_NAME], call[names.REQUEST_MODEL]) == ("speech_to_text", "acme-ears")
    assert [one["body"] for one in done["messages"]] == ["where is my order"]


def test_uninstrument(found: dict[str, Any]) -> None:
    """Calls after that are not recorded."""
    assert found["uninstrumented"] == 0
