"""The Responses API."""

import json
from operator import methodcaller
from typing import Any

import openai
import pytest

from otel_costs.stand_in import Fault

from .asked import HELLO, ORDER_TOOL, Sentiment
from .conftest import Caller

TOOLS: Any = [
    {"type": "web_search"},
    {"type": "file_search", "vector_store_ids": ["vs_1"]},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "image_generation", "model": "gpt-image-2"},
]
ALL_TOOLS = "Search the news, read the manual, calculate 6 * 7 and draw a picture"


def test_response(call: Caller) -> None:
    """A response reports all its details."""
    answer = call(
        lambda c: c.responses.create(model="gpt-5", input="Hello", instructions="Be kind.", service_tier="flex")
    )
    assert answer.output_text.startswith("Hello!")
    assert (answer.model, answer.service_tier, answer.status) == ("gpt-5-2025-08-07", "flex", "completed")
    assert answer.usage.input_tokens == 2 + 4 + 2 + 3
    assert answer.usage.output_tokens_details.reasoning_tokens == 128
    assert answer.usage.output_tokens == 128 + 12


def test_response_with_tools(call: Caller) -> None:
    """Built-in tools leave their items and their usage; opening a page is not a search."""
    answer = call(lambda c: c.responses.create(model="gpt-4o", input=ALL_TOOLS, tools=TOOLS))
    assert [item.type for item in answer.output] == [
        "web_search_call",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "message",
    ]
    assert answer.tool_usage.web_search.num_requests == 1
    assert answer.tool_usage.image_gen.output_tokens == 1056
    assert answer.output[3].container_id.startswith("cntr_")


def test_response_stream(call: Caller) -> None:
    """A stream's events are numbered, and end with the response as it would have been."""
    options: Any = {"model": "gpt-5", "input": ALL_TOOLS, "tools": TOOLS, "reasoning": {"summary": "auto"}}
    events = call(lambda c: c.responses.create(**options, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    whole = call(lambda c: c.responses.create(**options))
    assert events[-1].response.usage == whole.usage
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == whole.output_text


def test_response_stream_helper(client: openai.OpenAI) -> None:
    """The client's own helper takes the stream."""
    with client.responses.stream(model="gpt-4o", input="Hello", text_format=Sentiment) as stream:
        assert stream.get_final_response().output_parsed == Sentiment(mood="Hello", score=1, words=["Hello"])


def test_response_function_calls(call: Caller) -> None:
    """A function is called in one response and its result used in the next, which knows the first by its id."""
    tool: Any = {"type": "function", "strict": True, **ORDER_TOOL}
    first = call(lambda c: c.responses.create(model="gpt-4o", input="Where is my order A-1001?", tools=[tool]))
    (made,) = [item for item in first.output if item.type == "function_call"]
    assert json.loads(made.arguments) == {"order_id": "A-1001"}
    given: Any = [{"type": "function_call_output", "call_id": made.call_id, "output": '{"status": "shipped"}'}]
    second = call(
        lambda c: c.responses.create(model="gpt-4o", input=given, tools=[tool], previous_response_id=first.id)
    )
    assert "status shipped" in second.output_text
    assert second.usage.input_tokens > first.usage.input_tokens


def test_background_response(call: Caller) -> None:
    """A background response has no usage until it is completed."""
    answer = call(lambda c: c.responses.create(model="gpt-4o", input="Hello", background=True))
    retrieve = methodcaller("retrieve", answer.id)
    seen = [(answer.status, answer.usage)]
    for _ in range(3):
        answer = call(lambda c: retrieve(c.responses))
        seen.append((answer.status, answer.usage and answer.usage.total_tokens))
    assert seen == [("queued", None), ("in_progress", None), ("completed", 21), ("completed", 21)]


def test_background_stream_is_resumed(call: Caller) -> None:
    """A stream that was left is read on from the number that was seen last."""
    events = call(lambda c: c.responses.create(model="gpt-4o", input="Hello", background=True, stream=True))
    key = events[0].response.id
    rest = call(lambda c: c.responses.retrieve(key, stream=True, starting_after=3))
    assert rest == events[4:]
    assert rest[-1].type == "response.completed"


def test_cancelled_response(call: Caller) -> None:
    """What a running response has read is billed when it is cancelled."""
    answer = call(lambda c: c.responses.create(model="gpt-4o", input="Hello", background=True))
    call(lambda c: c.responses.retrieve(answer.id))
    answer = call(lambda c: c.responses.cancel(answer.id))
    assert (answer.status, answer.usage.input_tokens, answer.usage.output_tokens) == ("cancelled", 9, 0)


@pytest.mark.parametrize("outcome", ["failed", "incomplete"])
def test_response_that_does_not_complete(call: Caller, outcome: str) -> None:
    """A response may fail or stay incomplete, streamed or not, and is billed."""
    call.provider.script(Fault(outcome=outcome, times=2))
    answer = call(lambda c: c.responses.create(model="gpt-4o", input="Hello"))
    events = call(lambda c: c.responses.create(model="gpt-4o", input="Hello", stream=True))
    assert answer.status == outcome
    assert events[-1].type == f"response.{outcome}"
    assert events[-1].response.usage == answer.usage
    assert (answer.error is not None) == (outcome == "failed")


def test_incomplete_response(call: Caller) -> None:
    """A limit leaves a response incomplete."""
    answer = call(lambda c: c.responses.create(model="gpt-4o", input="Hello", max_output_tokens=2))
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens == 2


def test_compaction_and_counts(call: Caller) -> None:
    """Compaction has usage and no model; counting tokens says what creating would."""
    call.loosely()  # the user messages in it are no output items
    answer = call(lambda c: c.responses.compact(model="gpt-5", input=HELLO))
    assert answer.usage.total_tokens == answer.usage.input_tokens + 120
    assert [item.type for item in answer.output] == ["message", "compaction"]
    assert not hasattr(answer, "model")
    count = call(lambda c: c.responses.input_tokens.count(model="gpt-4o", input="Hello"))
    assert count.input_tokens == 9


def test_deleted_response(call: Caller) -> None:
    """A deleted response is gone."""
    answer = call(lambda c: c.responses.create(model="gpt-4o", input="Hello"))
    call(lambda c: c.responses.delete(answer.id))
    with pytest.raises(openai.NotFoundError):
        call(lambda c: c.responses.retrieve(answer.id))
