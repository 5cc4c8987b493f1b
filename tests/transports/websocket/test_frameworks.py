"""Frameworks for voice, as they are installed, leave the records of any other client: the hooks are beneath them.

Each is driven without devices or a service of its own, by a program of `frameworks/`, in an environment that is
kept: with those at hand this takes some seconds. Two run at a time.
"""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.support import environments
from tests.support.environments import HERE, Environment
from tests.transports.websocket.realtime_turns import COSTS, EAR, MODEL

# The stand-in is on websockets, too.
NEEDS = {
    "agents": ("openai-agents==0.24.0",),
    "livekit": ("livekit-plugins-openai==1.8.9", "websockets"),
    "pipecat": ("pipecat-ai[openai]==1.14.0", "websockets"),
}
HEARS = ["speech_to_text", EAR, str(COSTS["hears"]), None]


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Future[tuple[str, str]]]]:
    """Run the programs, two at a time."""
    if environments.uv() is None:
        pytest.skip("no uv to make environments with")
    with ThreadPoolExecutor(2) as pool:
        yield {
            name: pool.submit(
                environments.run,
                Environment(f"frameworks/{name}", HERE, needs, free=None),
                "-m",
                f"tests.transports.websocket.frameworks.{name}",
            )
            for name, needs in NEEDS.items()
        }


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [*NEEDS])
def test_framework(name: str, outcomes: dict[str, Future[tuple[str, str]]]) -> None:
    """A function call and an answer, and where it is spoken to its transcription: each a call, to the digit."""
    outcome, output = outcomes[name].result()
    if outcome == "skipped":
        pytest.skip(output.strip())
    assert outcome == "passed", output
    asks, says = (["realtime_inference", MODEL, str(COSTS[what]), None] for what in ("asks", "says"))
    heard = [] if name == "pipecat" else [HEARS]  # its audio comes from a transport only
    assert json.loads(output.strip().splitlines()[-1]) == [asks, *heard, says]
