"""Messages on spans, as the GenAI conventions write them."""

import json
from collections.abc import Iterator

import pytest

from otel_costs import semconv as names
from otel_costs.messages import redaction
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.messages.span_messages import MAX_CONTENT, span_attributes


@pytest.fixture(autouse=True)
def reset() -> Iterator[None]:
    yield
    redaction.use(None)


def test_a_conversation_in_the_words_of_the_conventions() -> None:
    """Roles, parts, tool calls with their ids, finish reasons and instructions, exactly."""
    inputs = [
        Draft("", CONTEXT, key="resp_1"),
        Draft("system", "text", "Be brief.", instructions=True),
        Draft("system", "text", "You are a bot."),
        Draft("user", "text", "What is this?"),
        Draft("user", "image", "QUJD", media_type="image/png", part=True),
        Draft("assistant", "function_call", None, "look", '{"a": 1}', key="call_1"),
        Draft("function", "function_result", "a cat", "look", key="call_1"),
    ]
    outputs = [
        [Draft("assistant", "text", "A cat.", finish_reason="stop")],
        [Draft("assistant", "function_call", None, "feed", "{}", key="call_2", finish_reason="tool_calls")],
    ]
    found = {
        name: json.loads(value) for name, value in span_attributes(inputs, outputs, [{"type": "function"}]).items()
    }
    image = "[image/png, 3 bytes, sha256:b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78]"
    assert found == {
        names.SYSTEM_INSTRUCTIONS: [{"type": "text", "content": "Be brief."}],
        names.INPUT_MESSAGES: [
            {"role": "system", "parts": [{"type": "text", "content": "You are a bot."}]},
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is this?"},
                    {"type": "blob", "mime_type": "image/png", "modality": "image", "content": image},
                ],
            },
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "call_1", "name": "look", "arguments": '{"a": 1}'}],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]},
        ],
        names.OUTPUT_MESSAGES: [
            {"role": "assistant", "parts": [{"type": "text", "content": "A cat."}], "finish_reason": "stop"},
            {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "call_2", "name": "feed", "arguments": "{}"}],
                "finish_reason": "tool_call",
            },
        ],
        names.TOOL_DEFINITIONS: [{"type": "function"}],
    }


def test_nothing_said_is_nothing_written() -> None:
    """No messages and no tools leave no attribute, not an empty list."""
    assert span_attributes([], [[]], None) == {}
    assert span_attributes([Draft("", CONTEXT, key="x")], [], iter([1])) == {}


def test_the_oldest_messages_give_way() -> None:
    """A long history keeps its newest messages and the answer, as valid JSON."""
    inputs = [Draft("user", "text", f"{i} " + "x" * 10_000) for i in range(100)]
    found = span_attributes(inputs, [[Draft("assistant", "text", "answer")]])
    said = [message["parts"][0]["content"].split()[0] for message in json.loads(found[names.INPUT_MESSAGES])]
    assert said == [str(i) for i in range(100 - len(said), 100)]
    assert 20 < len(said) < 30
    assert len(found[names.INPUT_MESSAGES]) < MAX_CONTENT + 20_000
    assert "answer" in found[names.OUTPUT_MESSAGES]


def test_the_redactor_is_asked_for_spans_too() -> None:
    """What the redactor drops is on no span; a call of a function stays, without its arguments."""
    redaction.use(lambda text, draft: None)
    found = span_attributes(
        [Draft("user", "text", "secret"), Draft("assistant", "function_call", None, "f", "secret", key="c")], []
    )
    assert json.loads(found[names.INPUT_MESSAGES]) == [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": None}]}
    ]


def test_lone_surrogates_do_not_reach_a_span() -> None:
    """Text, names, ids and tools are UTF-8."""
    found = span_attributes(
        [Draft("user", "text", "\ud800"), Draft("assistant", "function_call", None, "\ud800", "\ud800", key="\ud800")],
        [[Draft("assistant", "text", "\ud800", finish_reason="\ud800")]],
        [{"\ud800": "\ud800"}],
    )
    assert len(found) == 3
    for value in found.values():
        value.encode()


def test_definitions_of_tools_are_redacted_too() -> None:
    """They are written by hand, and may name what nobody should read: no content leaves without the redactor."""
    tools = [{"type": "function", "description": "Ask Ada"}]
    redaction.use(lambda text, _: text.replace("Ada", "[name]"))
    try:
        assert json.loads(span_attributes((), (), tools)[names.TOOL_DEFINITIONS])[0]["description"] == "Ask [name]"
        redaction.use(lambda *_: None)
        assert names.TOOL_DEFINITIONS not in span_attributes((), (), tools)
    finally:
        redaction.use(None)
