"""Usages and prices in places where they should not stand: each is in the cost, or said, through the real client."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import openai
import pytest

from otel_costs import semconv as names
from otel_costs.providers.openai.usage import read_usage
from otel_costs.stand_in import Fault, Provider
from otel_costs.transports.websocket import Handshake, observe
from tests.providers.conftest import HELLO
from tests.support.recorded import Recorded

TOKENS: Final = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
SPENT: Final = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
COST: Final = "0.0035"
"""Of either with gpt-4o."""

DRAWN: Final = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "QQ=="}
RAN: Final = {"type": "code_interpreter_call", "id": "ci_1", "status": "completed"}

Event = Mapping[str, Any]


@pytest.fixture
def client(provider: Provider) -> Any:
    """Open a client of the stand-in."""
    with openai.OpenAI(api_key="sk-sentinel-key", base_url=provider.base_url, max_retries=0) as opened:
        yield opened


def chat(client: openai.OpenAI, provider: Provider, *, usage: object = TOKENS, asked: Any = None, **more: Any) -> None:
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": choices}
    provider.script(Fault(status=200, error={**answer, "usage": usage, **more}))
    client.chat.completions.create(model="gpt-4o", messages=HELLO, **(asked or {}))


def respond(
    client: openai.OpenAI, provider: Provider, *, usage: object = SPENT, asked: Any = None, **more: Any
) -> None:
    answer = {"id": "r1", "object": "response", "status": "completed", "created_at": 1, "model": "gpt-4o", "output": []}
    provider.script(Fault(status=200, error={**answer, "usage": usage, **more}))
    client.responses.create(**{"model": "gpt-4o", "input": "Hi", **(asked or {})})


def stream(
    provider: Provider, events: list[Event], ask: Callable[[], Any], head: Mapping[str, Any] | None = None
) -> None:
    named = [(f"event: {event['type']}\n" if "type" in event else "", {**(head or {}), **event}) for event in events]
    said = "".join(f"{name}data: {json.dumps(event)}\n\n" for name, event in named) + "data: [DONE]\n\n"
    provider.script(Fault(status=200, error=said.encode(), headers={"content-type": "text/event-stream"}))
    list(ask())


def stream_chat(client: openai.OpenAI, provider: Provider, *chunks: Event) -> None:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    asked: Any = {"model": "gpt-4o", "messages": HELLO, "stream": True}
    stream(provider, list(chunks), lambda: client.chat.completions.create(**asked), head)


def stream_response(client: openai.OpenAI, provider: Provider, *events: Event) -> None:
    stream(provider, list(events), lambda: client.responses.create(model="gpt-4o", input="Hi", stream=True))


def completed(usage: object) -> Event:
    response = {"id": "r1", "object": "response", "status": "completed", "model": "gpt-4o", "output": []}
    return {"type": "response.completed", "sequence_number": 1, "response": {**response, "usage": usage}}


def outcome(recorded: Recorded) -> tuple[Any, Any, list[str]]:
    call = recorded.call
    return call[names.COST_STATUS], call.get(names.COST_USD), list(call.get(names.COST_UNKNOWN, ()))


@pytest.mark.parametrize(
    ("more", "unknown"),
    [
        ({"usage_breakdown": {"models": [{"usage": {"sent": 5}}]}}, "usage_breakdown.models.usage.sent"),
        ({"usage_metadata": {"gems": 3, "queue_time": 0.5}}, "usage_metadata.gems"),
        ({"tool_usage": {"web_search": {"num_requests": 3}}}, "tool_usage.web_search.num_requests"),
        ({"x_groq": {"usage": {**TOKENS, "gems": 3}}}, "gems"),
    ],
    ids=str,
)  # fmt: skip
def test_further_usages_of_a_chat(
    more: Any, unknown: str, client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """A chat with a second usage is a lower bound, and its numbers are named."""
    chat(client, provider, **more)
    assert outcome(recorded) == ("partial", COST, [unknown])


@pytest.mark.parametrize("more", [{"usage_metadata": {"total_time": 3, "gems": 0}}, {"x_groq": {"usage": TOKENS}}])
def test_further_usages_that_say_nothing(
    more: Any, client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """Times, zeros and what was said already change nothing."""
    chat(client, provider, **more)
    assert outcome(recorded) == ("priced", COST, [])


@pytest.mark.parametrize(
    ("more", "status", "unknown"),
    [
        ({"output": [DRAWN]}, "partial", ["image_generation_call"]),
        ({"output": [DRAWN], "tool_usage": {"image_gen": {"output_tokens": 0}}}, "partial", ["image_generation_call"]),
        ({"output": [{**DRAWN, "status": "failed"}]}, "priced", []),
        ({"tool_usage": {"image_gen": [{"output_tokens": 50}]}}, "partial", ["tool_usage.image_gen.output_tokens"]),
        ({"tool_usage": {"image_gen": 50}}, "partial", ["tool_usage.image_gen"]),
        ({"output": [{"type": "mcp_call", "usage": {"gems": 4}}]}, "partial", ["mcp_call.usage.gems"]),
        ({"tools": ["teleport"]}, "partial", ["teleport"]),
    ],
    ids=str,
)
def test_tools_whose_cost_the_answer_does_not_say(
    more: Any, status: str, unknown: list[str], client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """What a tool made and nobody counted is said, also where the answer writes it in another form."""
    respond(client, provider, **more)
    assert outcome(recorded) == (status, COST, unknown)


@pytest.mark.parametrize(
    ("tools", "item", "expected"),
    [
        (None, RAN, ("estimated", "0.0335", [])),
        ([{"type": "code_interpreter", "container": {"type": "auto"}}], RAN, ("estimated", "0.0335", [])),
        ([{"type": "code_interpreter", "container": "cntr_mine"}], RAN, ("priced", COST, [])),
        (
            [{"type": "code_interpreter", "container": {"type": "auto", "gpu": "h100"}}],
            {**RAN, "container_id": "cntr_1"},
            ("partial", "0.0335", ["gpu"]),
        ),
    ],
    ids=str,
)
def test_containers_that_are_told_in_part(
    tools: Any, item: Any, expected: object, client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """Code ran in a container, also where its item does not name it; what is asked of it beyond memory is said."""
    respond(client, provider, output=[item], asked={} if tools is None else {"tools": tools})
    assert outcome(recorded) == expected


@pytest.mark.parametrize(
    ("options", "status", "unknown"),
    [({"turbo": True}, "partial", ["turbo"]), ({"completion_window": {"hours": 8}}, "estimated", [])],
)
def test_options_of_the_background_that_nobody_knows(
    options: Any, status: str, unknown: list[str], client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """An option is named, and a window in another form than a text is one that has no factor."""
    asked = {"background": True, "extra_body": {"background_options": options}}
    respond(client, provider, model="gpt-6.1-sol", background=True, asked={**asked, "model": "gpt-6.1-sol"})
    assert outcome(recorded) == (status, "0.003", unknown)


@pytest.mark.parametrize(
    ("usage", "asked", "status", "usd"),
    [
        ({"service_tier": "standard", "inference_geo": "global", "speed": "standard"}, {}, "priced", "0.0045"),
        ({"service_tier": "batch"}, {}, "priced", "0.00225"),
        ({"service_tier": "priority"}, {}, "estimated", "0.0045"),
        ({"speed": "fast"}, {}, "estimated", "0.0045"),
        ({}, {"extra_body": {"speed": "fast"}}, "estimated", "0.0045"),
        ({"inference_geo": "us"}, {}, "estimated", "0.0045"),
    ],
    ids=str,
)
def test_labels_of_a_usage_that_change_the_price(
    usage: Any, asked: Any, status: str, usd: str, client: openai.OpenAI, provider: Provider, recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Anthropic says in its usage which tier served, how fast, and where: a factor that is not known is an estimate."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=anthropic")
    chat(client, provider, usage={**TOKENS, **usage}, model="claude-sonnet-4-5", asked=asked)
    assert outcome(recorded) == (status, usd, [])


@pytest.mark.parametrize(
    ("option", "usage", "status"),
    [
        ({"plugins": [{"id": "web"}]}, {}, "estimated"),
        ({"plugins": []}, {}, "priced"),
        ({"enable_search": True}, {}, "estimated"),
        ({"enable_search": False}, {}, "priced"),
        ({"search_parameters": {"mode": "auto"}}, {}, "estimated"),
        ({"search_parameters": {"mode": "off"}}, {}, "priced"),
        ({"search_parameters": {"mode": "auto"}}, {"num_sources_used": 0}, "priced"),
        ({"search_parameters": {"mode": "auto"}}, {"num_sources_used": 3}, "partial"),
        ({"top_k": 5, "chat_template_kwargs": {"thinking": True}}, {}, "priced"),
    ],
    ids=str,
)
def test_searches_that_are_no_tools(
    option: Any, usage: Any, status: str, client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """A chat that may search at a price, and does not say how often it did, is an estimate."""
    chat(client, provider, usage={**TOKENS, **usage}, asked={"extra_body": option})
    assert outcome(recorded)[:2] == (status, COST)


def test_a_tier_that_is_no_text(client: openai.OpenAI, provider: Provider, recorded: Recorded) -> None:
    """It is no standard tier."""
    respond(client, provider, service_tier=7)
    assert outcome(recorded) == ("estimated", COST, [])


DONE: Final = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([{"choices": [DONE], "usage": TOKENS}, {"choices": [], "usage": "1100"}], ("priced", COST, [])),
        ([{"choices": [{**DONE, "usage": TOKENS}]}], ("priced", COST, [])),
        ([{"choices": [{**DONE, "usage": TOKENS}, {**DONE, "index": 1, "usage": TOKENS}]}], ("priced", COST, [])),
        (
            [{"choices": [{**DONE, "usage": TOKENS}, {**DONE, "index": 1, "usage": {"completion_tokens": 70}}]}],
            ("partial", COST, ["choices.completion_tokens"]),
        ),
    ],
    ids=str,
)
def test_usages_of_chunks_and_choices(
    chunks: list[Event], expected: object, client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """What is no usage replaces none, and what two choices say each for itself is not chosen from in silence."""
    stream_chat(client, provider, *chunks)
    assert outcome(recorded) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([{**completed(SPENT), "usage": {**SPENT, "gems": 5}}], ("partial", COST, ["gems"])),
        ([{"type": "response.usage", "usage": {"gems": 5}}, completed(SPENT)], ("partial", COST, ["gems"])),
        ([{**completed(SPENT), "type": "response.expired"}], ("estimated", COST, [])),
    ],
    ids=["beside", "event", "ending"],
)
def test_events_that_nobody_knows(
    events: list[Event], expected: object, client: openai.OpenAI, provider: Provider, recorded: Recorded
) -> None:
    """The usage of an event counts, whatever the event is called and wherever in it the usage stands."""
    stream_response(client, provider, *events)
    assert outcome(recorded) == expected


@pytest.mark.parametrize(
    ("tools", "output", "status", "unknown"),
    [
        ([], [{"type": "message"}, {"type": "function_call"}, {"type": "mcp_call"}], "priced", []),
        ([], [{"type": "teleport_call"}], "partial", ["teleport_call"]),
        ([], [{"type": "web_search_call"}], "partial", ["web_search_call"]),
        ([{"type": "function", "name": "f"}], [], "priced", []),
        ([{"type": "web_search"}], [], "estimated", []),
        ([{"type": "teleport"}], [], "partial", ["teleport"]),
    ],
    ids=str,
)
def test_tools_of_a_spoken_turn(tools: Any, output: Any, status: str, unknown: list[str], recorded: Recorded) -> None:
    """No event says how often a hosted tool was used: one that may cost leaves an estimate, one that did, a bound."""
    observer = observe(Handshake("127.0.0.1", 443, "/v1/realtime", "model=gpt-realtime", {}))
    assert observer is not None
    session = {"id": "sess_0123456789abcdef", "type": "realtime", "model": "gpt-realtime", "tools": tools}
    details = {"input_token_details": {"text_tokens": 1000}, "output_token_details": {"text_tokens": 100}}
    response = {"id": "resp_1", "status": "completed", "output": output, "usage": {**SPENT, **details}}
    observer.received(json.dumps({"type": "session.created", "session": session}))
    observer.received(json.dumps({"type": "response.done", "response": response}))
    observer.closed(None)
    assert outcome(recorded) == (status, "0.0056", unknown)


@pytest.mark.parametrize(
    ("status", "usage", "billed"),
    [
        ("completed", SPENT, True),
        ("stopped_by_owner", SPENT, True),
        ("stopped_by_owner", {"input_tokens": 0}, False),
        ("finalizing", SPENT, False),
        ("cancelling", SPENT, False),
    ],
)
def test_a_job_in_a_status_that_nobody_knows(
    status: str, usage: Any, billed: bool, client: openai.OpenAI, recorded: Recorded, provider: Provider
) -> None:
    """It has ended if it says what it used; a status in which it goes on says so far, and is not billed."""
    begun = client.responses.create(model="gpt-4o", input="Hi", background=True)
    told = {"status": status, "usage": usage, "model": "gpt-4o"}
    provider.script(Fault(fields=told, times=2))
    for _ in range(2):
        client.responses.retrieve(begun.id)
    assert [call.get(names.COST_USD) for call in recorded.calls] == [None, *[COST] * billed]
    assert (read_usage("batches", told) is not None) == billed or usage is not SPENT
