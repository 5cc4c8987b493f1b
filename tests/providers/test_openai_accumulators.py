"""What event streams amount to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.providers.openai import chat_accumulator
from otel_costs.providers.openai.accumulators import ACCUMULATORS, UsageAccumulator, accumulated
from otel_costs.providers.openai.chat_accumulator import ChatAccumulator
from otel_costs.usage.merging import merged

CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "service_tier": "default"}


def written(*said: Any, spaced: bool = False) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    data = [event if isinstance(event, str) else json.dumps(event, separators=separators) for event in said]
    return "".join(f"data: {one}\n\n" for one in data).encode()


def piece(text: str, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    return {**CHUNK, "choices": [choice], **more}


HEAD = {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
TAIL = {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@given(st.lists(st.text(max_size=30), max_size=10), st.booleans(), st.booleans())
def test_pieces_of_text(texts: list[str], spaced: bool, headed: bool) -> None:
    """Whatever is said, in whatever way it is written, the pieces are the text."""
    raw = written(*([HEAD] if headed else []), *map(piece, texts), TAIL, "[DONE]", spaced=spaced)
    body = accumulated("chat/completions", raw)
    assert body is not None
    (choice,) = body["choices"]
    assert (choice["message"]["content"] or "") == "".join(texts)
    assert choice["finish_reason"] == "stop"


def test_what_is_more_than_text() -> None:
    """A chunk that says more than a piece of text is read whole: another choice, a usage, a reason."""
    two = {**CHUNK, "choices": [piece("a")["choices"][0], piece("b", 1)["choices"][0]]}
    last = piece("c", usage={"prompt_tokens": 1})
    ended = piece("d")
    ended["choices"][0]["finish_reason"] = "length"
    body = accumulated("chat/completions", written(HEAD, two, last, ended))
    assert body is not None
    assert [choice["message"]["content"] for choice in body["choices"]] == ["acd", "b"]
    assert body["usage"] == {"prompt_tokens": 1}
    assert body["choices"][0]["finish_reason"] == "length"


def test_tool_calls() -> None:
    """Tool calls come in pieces, several at once, and by the old name, too."""

    def deltas(*calls: Any) -> dict[str, Any]:
        return {**CHUNK, "choices": [{"index": 0, "delta": {"tool_calls": list(calls)}, "finish_reason": None}]}

    raw = written(
        deltas({"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}),
        deltas({"index": 1, "id": "call_2", "function": {"name": "g", "arguments": "{"}}),
        deltas({"index": 0, "function": {"arguments": '{"a":'}}, {"index": 1, "function": {"arguments": "}"}}),
        deltas({"index": 0, "function": {"arguments": "1}"}}),
    )
    body = accumulated("chat/completions", raw)
    assert body is not None
    found = [
        (c["id"], c["function"]["name"], c["function"]["arguments"])
        for c in body["choices"][0]["message"]["tool_calls"]
    ]
    assert found == [("call_1", "f", '{"a":1}'), ("call_2", "g", "{}")]


@pytest.mark.parametrize(
    ("said", "complete"),
    [
        ([HEAD, piece("a")], False),
        ([HEAD, piece("a"), "[DONE]"], True),
        ([HEAD, TAIL, {**CHUNK, "choices": [], "usage": {"prompt_tokens": 1}}], True),
        ([HEAD, piece("a", usage={"prompt_tokens": 1})], False),
        ([HEAD, {"error": {"message": "no", "code": "server_error"}}, "[DONE]"], False),
    ],
)
def test_complete(said: list[Any], complete: bool) -> None:
    """A stream is complete when the provider says so, or has said why it ended and what it used."""
    adding = ChatAccumulator()
    for event in said:
        adding.add("", event if isinstance(event, str) else json.dumps(event))
    assert adding.complete is complete


def test_usage_in_a_choice() -> None:
    """Moonshot says the usage in the last choice."""
    last = {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 5}}]}
    body = accumulated("chat/completions", written(HEAD, last))
    assert body is not None
    assert body["usage"] == {"prompt_tokens": 5}


@pytest.mark.parametrize("named", [True, False])
def test_responses(named: bool) -> None:
    """The last event has the whole response; without it, what was said until then is kept."""
    response: dict[str, Any] = {"id": "r", "model": "gpt-4o", "status": "in_progress", "usage": None, "output": []}
    said = [
        {"type": "response.created", "response": response},
        {"type": "response.output_text.delta", "delta": "Hello"},
        {"type": "response.output_text.delta", "delta": ' {"delta": 1}'},
    ]
    done = {"type": "response.completed", "response": {**response, "status": "completed", "usage": {"input_tokens": 3}}}

    def body(*events: Any) -> Any:
        names = [f"event: {event['type']}\n" if named else "" for event in events]
        raw = "".join(f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True))
        return accumulated("responses", raw.encode())

    assert body(*said, done)["usage"] == {"input_tokens": 3}
    (message,) = body(*said)["output"]
    assert message["content"][0]["text"] == 'Hello {"delta": 1}'
    assert body(said[0], {"type": "error", "code": "server_error", "message": "no"})["error"]["code"] == "server_error"
    assert body() is None


def test_items_of_responses() -> None:
    """Items that were sent whole stand for their text, and for the output of a last event that comes without it."""
    response: dict[str, Any] = {"id": "r", "status": "in_progress"}
    item = {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
    events = [
        {"type": "response.created", "response": response},
        {"type": "response.output_text.delta", "item_id": "m1", "delta": "Hello"},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.output_text.delta", "item_id": "m2", "delta": "And"},
    ]
    done = {"type": "response.completed", "response": {**response, "status": "completed", "output": []}}
    raw = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    cut = accumulated("responses", raw.encode())
    assert cut is not None
    assert cut["output"][0] == item
    assert cut["output"][1]["content"][0]["text"] == "And"
    whole = accumulated("responses", f"{raw}data: {json.dumps(done)}\n\n".encode())
    assert whole is not None
    assert whole["output"] == [item]


KEYS = (
    "choices delta index content tool_calls function arguments audio usage response type error role text turn status id"
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(["chat/completions", "completions", "responses", "audio/transcriptions", "threads/runs",
                     "images/generations", "agents/turns", "unknown"]),
    st.lists(st.tuples(st.sampled_from(["", "error", "thread.run.completed", "response.completed",
                                        "response.output_text.delta", "agent.session.turn.completed"]), json_values)),
)  # fmt: skip
def test_nothing_raises(endpoint: str, said: list[tuple[str, Any]]) -> None:
    """Whatever a provider sends, adding it up raises nothing."""
    adding = ACCUMULATORS.get(endpoint, UsageAccumulator)()
    for name, value in said:
        adding.add(name, json.dumps(value))
    body = adding.body()
    assert body is None or isinstance(body, dict)
    assert adding.complete in (True, False)


USAGE: dict[str, Any] = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 64},
    "cost": 0.0035,
}
EMPTY: list[Any] = [
    {},
    None,
    {"cost": 0},
    {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    {"prompt_tokens_details": {"cached_tokens": 0}},
    {"prompt_tokens": 0, "prompt_tokens_details": {}, "cost": None},
    {"cost": 0.0035},
]


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("empty", EMPTY, ids=str)
@pytest.mark.parametrize("times", [1, 40])
def test_an_empty_usage_replaces_no_true_one(empty: Any, times: int, spaced: bool) -> None:
    """A chat's usage is the last of each number that is not zero, whatever follows it in whatever chunk."""
    last = [{**CHUNK, "model": "", "id": "", "choices": [], "usage": empty}] * times
    said = [HEAD, piece("a"), {**TAIL, "usage": USAGE}, *last, "[DONE]"]
    body = accumulated("chat/completions", written(*said, spaced=spaced))
    assert body is not None
    assert {name: body["usage"][name] for name in USAGE} == USAGE
    assert (body["model"], body["id"]) == ("gpt-4o", "c")


def test_a_usage_that_grows_ends_with_the_last() -> None:
    """Some say the usage so far with every chunk, before the text or behind it."""
    chunks = [{"usage": {"prompt_tokens": 9, "completion_tokens": count}, **piece("a")} for count in range(1, 200)]
    body = accumulated("chat/completions", written(HEAD, *chunks, TAIL, "[DONE]"))
    assert body is not None
    assert body["usage"] == {"prompt_tokens": 9, "completion_tokens": 199}
    assert body["choices"][0]["message"]["content"] == "a" * 199


def test_a_usage_of_a_stream_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred chunks with a usage are not scanned one by one: the last few are, at the end."""
    scanned: list[object] = []

    def counting(earlier: object, later: object) -> Any:
        scanned.append(later)
        return merged(earlier, later)

    monkeypatch.setattr(chat_accumulator, "merged", counting)
    chunks = [{**piece("a"), "usage": {"prompt_tokens": 9, "completion_tokens": count}} for count in range(1, 200)]
    accumulated("chat/completions", written(HEAD, *chunks, TAIL, "[DONE]"))
    assert len(scanned) < 20


@pytest.mark.parametrize("empty", EMPTY, ids=str)
def test_an_empty_response_replaces_no_true_one(empty: Any) -> None:
    """The last word on a response does not take back what was said in it before."""
    true = {"id": "r", "model": "gpt-4o", "status": "in_progress", "usage": USAGE, "output": []}
    events: list[Any] = [
        {"type": "response.in_progress", "response": true},
        {"type": "response.completed", "response": {"id": "r", "model": "", "status": "completed", "usage": empty}},
    ]
    body = accumulated("responses", written(*events))
    assert body is not None
    assert {name: body["usage"][name] for name in USAGE} == USAGE
    assert (body["model"], body["status"]) == ("gpt-4o", "completed")


@pytest.mark.parametrize(
    ("endpoint", "ending", "name"),
    [
        ("audio/transcriptions", "transcript.text.done", ""),
        ("audio/speech", "speech.audio.done", ""),
        ("images/generations", "image_generation.completed", ""),
        ("threads/runs", "thread.run.completed", "thread.run.completed"),
        ("threads/runs", "thread.run.completed", "thread.run.step.completed"),
        ("unknown", "anything", ""),
    ],
)
@pytest.mark.parametrize("empty", EMPTY, ids=str)
def test_nor_does_an_empty_event(endpoint: str, ending: str, name: str, empty: Any) -> None:
    """Of an event that comes twice the usage is the true one."""
    said = [{"type": ending, "id": "x", "usage": USAGE}, {"type": ending, "id": "x", "usage": empty}]
    heads = ("thread.run.completed", name) if name else ("", "")
    raw = "".join(
        (f"event: {head}\n" if head else "") + f"data: {json.dumps(event)}\n\n"
        for head, event in zip(heads, said, strict=True)
    )
    body = accumulated(endpoint, raw.encode())
    assert body is not None
    assert {key: body["usage"][key] for key in USAGE} == USAGE


def test_the_parts_of_a_message_of_anthropics_are_put_together() -> None:
    """Its stream says the input at the start and the output at the end."""
    events: list[Any] = [
        {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "message_delta", "usage": {"output_tokens": 50}},
    ]
    body = accumulated("unknown", written(*events))
    assert body is not None
    assert body["usage"] == {"input_tokens": 9, "output_tokens": 50}
