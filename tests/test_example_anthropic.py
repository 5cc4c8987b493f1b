"""The example of a provider in a package of its own, installed beside Anthropic's package, against a stand-in."""

import json
import tomllib
from typing import Any

import pytest

from otel_costs import semconv as names

from .support import environments
from .support.environments import HERE, ROOT, Environment

EXAMPLE = ROOT / "examples" / "otel_costs_anthropic"
ENVIRONMENT = Environment("anthropic-example", HERE, ("anthropic>=2,<3",), None, packages=(EXAMPLE,))

USD = "0.0057"
"""1,000 at 3, 500 from the cache at 0.3, 200 written to it at 3.75 and 100 for an hour at 6, 80 at 15 per million."""
SYSTEM, USER = ("system", "text", "Be kind."), ("user", "text", "Where is my order?")
ANSWER = ("assistant", "text", "The order left on Friday.")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Do everything with the sync and the async client, and then without us."""
    if environments.uv() is None:
        pytest.skip("no uv to make environments with")
    ends, text = environments.run(ENVIRONMENT, "-m", "tests.support.anthropic")
    if ends == "skipped":
        pytest.skip(text)
    assert ends == "passed", text
    done: dict[str, Any] = json.loads(text.splitlines()[-1])
    assert done["errors"] == []
    return done


pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

kinds = pytest.mark.parametrize("kind", ["sync", "async"])


def said(done: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (one[names.MESSAGE_ROLE], one[names.MESSAGE_TYPE], one["body"] or one.get(names.MESSAGE_ARGUMENTS))
        for one in done["messages"]
    ]


def test_it_is_small() -> None:
    """A vendor over HTTP is one module of at most 60 lines, and one entry point."""
    assert len((EXAMPLE / "otel_costs_anthropic.py").read_text().splitlines()) <= 60
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"otel_costs_provider": {"anthropic": "otel_costs_anthropic:ANTHROPIC"}}


@kinds
@pytest.mark.parametrize("name", ["whole", "stream", "helper", "retried"])
def test_a_message(name: str, kind: str, found: dict[str, Any]) -> None:
    """One record with the exact cost, one span, and what was said, streamed or not, however often it is tried."""
    done = found[f"{kind} {name}"]
    (call,) = done["calls"]
    assert (call[names.COST_STATUS], call[names.COST_USD], done["spans"]) == ("priced", USD, 1)
    assert call[names.REQUEST_MODEL] == "claude-sonnet-4-5"
    assert call[names.RESPONSE_MODEL] == "claude-sonnet-4-5-20250929"
    assert (call[names.RESPONSE_ID], call[names.RESPONSE_FINISH_REASONS]) == ("msg_1", ["end_turn"])
    assert call[names.SESSION_ID] == f"{kind} {name}"
    assert said(done) == [SYSTEM, USER, ANSWER]


@kinds
@pytest.mark.parametrize(("name", "arguments"), [("tool", '{"id": "7"}'), ("tool stream", '{"id":"7"}')])
def test_a_tool(name: str, arguments: str, kind: str, found: dict[str, Any]) -> None:
    """A tool that is called is a message with its arguments; with its result in the history, it has that, too."""
    done, after = found[f"{kind} {name}"], found[f"{kind} after tool"]
    (call,) = done["calls"]
    assert call[names.COST_USD] == USD
    assert said(done) == [SYSTEM, USER, ("assistant", "function_call", arguments)]
    result = ("function", "function_result", "left on Friday")
    assert said(after) == [SYSTEM, USER, ("assistant", "function_call", '{"id": "7"}'), result, ANSWER]


@kinds
@pytest.mark.parametrize(
    ("name", "ended", "reason", "tokens"),
    [
        ("left", "5", "stream_closed_early", 4),
        ("cut", "RemoteProtocolError", "stream_failed", 3),
        ("cancelled", {"sync": "KeyError", "async": "CancelledError"}, "stream_failed", 1),
        ("overloaded", "APIStatusError", "stream_failed", 3),
    ],
)
def test_a_stream_without_its_end(
    name: str, ended: Any, reason: str, tokens: int, kind: str, found: dict[str, Any]
) -> None:
    """It is one record, an estimate with its reason: the input as it was reported, the output by the text that came."""
    done = found[f"{kind} {name}"]
    (call,) = done["calls"]
    assert done["ended"] == (ended[kind] if isinstance(ended, dict) else ended)
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("estimated", f"{reason},usage_estimated")
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == (1800, tokens)
    assert call.get(names.ERROR_TYPE) == (None if name == "left" else done["ended"])


@kinds
def test_a_stream_that_nobody_reads(kind: str, found: dict[str, Any]) -> None:
    """It is one record of what was asked, an estimate by the text of it."""
    (call,) = found[f"{kind} never read"]["calls"]
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("estimated", "stream_closed_early,usage_estimated")
    assert call["gen_ai.usage.input_tokens"] == 7


@kinds
def test_a_request_that_is_refused(kind: str, found: dict[str, Any]) -> None:
    """It costs nothing, and the package's own exception reaches the application."""
    done = found[f"{kind} refused"]
    (call,) = done["calls"]
    assert (done["ended"], call[names.COST_USD], call[names.COST_REASON]) == ("BadRequestError", "0", "request_refused")


@kinds
def test_a_budget_that_is_spent(kind: str, found: dict[str, Any]) -> None:
    """What comes after is not sent, and raises our exception and none of the package's."""
    done = found[f"{kind} spent"]
    assert (done["ended"], len(done["calls"])) == ("0", 1)


@kinds
def test_what_is_free(kind: str, found: dict[str, Any]) -> None:
    """Counting tokens leaves nothing."""
    assert found[f"{kind} free"]["calls"] == []
    assert found[f"{kind} free"]["spans"] == 0


def test_what_the_example_leaves_out_is_said(found: dict[str, Any]) -> None:
    """The client is known as covered but for what no endpoint of the example is: the first batch says so, once."""
    (line,) = [line for line in found["said"] if "[COST]" not in line]
    assert line.startswith("Calls of `anthropic` are not recorded.")
    assert line in found["sync batch"]["said"]
    assert line not in found["sync free"]["said"]


def test_uninstrument(found: dict[str, Any]) -> None:
    """Calls after that are not recorded."""
    assert found["uninstrumented"] == 0
