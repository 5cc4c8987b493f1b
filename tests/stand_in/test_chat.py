"""Chat completions."""

import base64
import json
from typing import Any

from otel_costs.stand_in import tokens

from .asked import HELLO, ORDER_TOOL, REFUND_TOOL, WAV, Sentiment, counted
from .conftest import Caller


def test_chat(call: Caller) -> None:
    """A chat completion has the dated model, the served tier and a usage that adds up."""
    answer = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, service_tier="fast"))
    assert (answer.model, answer.service_tier) == ("gpt-4o-2024-08-06", "priority")
    assert counted(answer.usage) == (9, 12, 21)


def test_figures_are_reproducible(call: Caller) -> None:
    """The same request costs the same, and its answer has another id."""
    one, other = (call(lambda c: c.chat.completions.create(model="o3", messages=HELLO)) for _ in range(2))
    assert one.usage == other.usage
    assert one.choices == other.choices
    assert one.id != other.id


def test_choices(call: Caller) -> None:
    """Every choice has its text, and the usage is that of all of them."""
    answer = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, n=3))
    texts = [choice.message.content for choice in answer.choices]
    assert len(set(texts)) == 3
    assert answer.usage.completion_tokens == sum(tokens.count(text) for text in texts)


def test_reasoning(call: Caller) -> None:
    """A reasoning model's thoughts are in its output; the effort decides how long they are."""
    answer = call(lambda c: c.chat.completions.create(model="gpt-5", messages=HELLO, reasoning_effort="high"))
    assert answer.usage.completion_tokens_details.reasoning_tokens == 512
    assert answer.usage.completion_tokens == 512 + 12


def test_a_history_that_was_sent_before_is_cached(call: Caller) -> None:
    """Of a long conversation, what an earlier turn has sent is cached, in steps of 128."""
    long = {"role": "system", "content": "You help. " * 600}
    first = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=[long, *HELLO]))
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    turns = [long, *HELLO, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Thanks"}]
    second = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=turns))
    assert second.usage.prompt_tokens_details.cached_tokens == 1408
    assert second.usage.prompt_tokens > 1408


def test_length(call: Caller) -> None:
    """A limit cuts the text, and says so."""
    answer = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, max_completion_tokens=2))
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 2


def rounds(call: Caller, question: str, results: dict[str, Any], **extra: Any) -> tuple[list[Any], Any]:
    """Let the assistant call tools until it answers; return the calls and the last answer."""
    tools = [{"type": "function", "function": ORDER_TOOL}, {"type": "function", "function": REFUND_TOOL}]
    messages: list[Any] = [{"role": "user", "content": question}]
    made: list[Any] = []
    while True:
        answer = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=messages, tools=tools, **extra))
        said = answer.choices[0].message
        if not said.tool_calls:
            return made, answer
        messages.append(said.model_dump(exclude_none=True))
        for one in said.tool_calls:
            assert answer.choices[0].finish_reason == "tool_calls"
            made.append((one.function.name, json.loads(one.function.arguments)))
            messages.append({"role": "tool", "tool_call_id": one.id, "content": json.dumps(results[one.function.name])})


def test_support_assistant(call: Caller) -> None:
    """Asked about an order, it looks it up, does what is asked, and answers with what the tools said."""
    results = {"lookup_order": {"status": "delivered"}, "refund_order": {"refunded": "12.50 EUR"}}
    made, answer = rounds(call, "Please refund my order A-1001", results)
    assert made == [
        ("lookup_order", {"order_id": "A-1001"}),
        ("refund_order", {"order_id": "A-1001", "reason": "Please refund my order A-1001", "full": True}),
    ]
    assert "delivered" in answer.choices[0].message.content
    assert "12.50 EUR" in answer.choices[0].message.content


def test_parallel_tool_calls(call: Caller) -> None:
    """Two orders are looked up at once, unless parallel calls are not wanted."""
    made, _ = rounds(call, "Where are orders A-1001 and A-1002?", {"lookup_order": {}})
    assert [arguments["order_id"] for _, arguments in made] == ["A-1001", "A-1002"]
    made, _ = rounds(call, "Where are orders A-1001 and A-1002?", {"lookup_order": {}}, parallel_tool_calls=False)
    assert len(made) == 1


def test_no_tool_without_a_reason(call: Caller) -> None:
    """A greeting is answered without tools; a forced tool is called all the same."""
    tools = [{"type": "function", "function": ORDER_TOOL}]
    answer = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, tools=tools))
    assert answer.choices[0].message.tool_calls is None
    answer = call(
        lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, tools=tools, tool_choice="required")
    )
    assert answer.choices[0].message.tool_calls[0].function.name == "lookup_order"


def test_parse(call: Caller) -> None:
    """A structured output fits its schema."""
    answer = call(lambda c: c.chat.completions.parse(model="gpt-4o", messages=HELLO, response_format=Sentiment))
    assert answer.choices[0].message.parsed == Sentiment(mood="Hello", score=1, words=["Hello"])


def test_spoken_answer(call: Caller) -> None:
    """A spoken answer has sound and transcript, and audio tokens for it."""
    answer = call(
        lambda c: c.chat.completions.create(
            model="gpt-4o-audio-preview",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Hello"},
                        {
                            "type": "input_audio",
                            "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"},
                        },
                    ],
                }
            ],
            modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "wav"},
        )
    )
    spoken = answer.choices[0].message.audio
    assert tokens.heard_seconds(base64.b64decode(spoken.data)) == tokens.spoken_seconds(spoken.transcript)
    assert answer.choices[0].message.content is None
    assert answer.usage.prompt_tokens_details.audio_tokens == 25
    assert answer.usage.completion_tokens_details.audio_tokens == round(tokens.spoken_seconds(spoken.transcript) * 20)
