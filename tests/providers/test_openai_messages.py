"""What is said in OpenAI's payloads."""

import base64
import copy
import hashlib
import io
import logging
import os
import wave
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.responses import Response

from otel_costs import messages
from otel_costs.messages.drafts import CONTEXT, Draft, text_length
from otel_costs.providers.openai.messages import count_response, measure_request, read_request, read_response
from otel_costs.runtime import telemetry

ENDPOINTS = (
    "chat",
    "completions",
    "responses",
    "decisions",
    "speech",
    "transcription",
    "translation",
    "images",
    "videos",
)
PNG = base64.b64encode(bytes(range(256))).decode()
CALL = {
    "id": "call_abcdefghijklmnop",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}


def ids(drafts: Sequence[Draft], conversation: str, prefix: bytes | None = None) -> tuple[list[str], bytes]:
    found, prefix = messages.identify(conversation, drafts, prefix=prefix)
    return [message.id for message in found], prefix


def said(drafts: Sequence[Draft]) -> list[tuple[Any, ...]]:
    """Return role, type and content of what is a message."""
    return [draft[:3] for draft in drafts if draft.type != CONTEXT]


def chat_answer(message: Mapping[str, Any]) -> list[Draft]:
    return read_response("chat", {"choices": [{"index": 0, "message": message}]})[0]


def wav(seconds: float) -> str:
    """Return a wav of silence as base64."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(int(16000 * seconds)))
    return base64.b64encode(target.getvalue()).decode()


def test_a_chat_is_its_messages() -> None:
    """Roles are ours: a developer is the system, a tool is a function."""
    body = {
        "model": "gpt-4o",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Weather?", "name": "ann"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": CALL["id"], "content": "sunny"},
            {"role": "assistant", "content": "Sunny."},
        ],
    }
    assert read_request("chat", body) == [
        Draft("system", "text", "Be brief."),
        Draft("user", "text", "Weather?"),
        Draft("assistant", "function_call", None, "weather", '{"city":"Paris"}', key="call_abcdefghijklmnop"),
        Draft("function", "function_result", "sunny", key="call_abcdefghijklmnop"),
        Draft("assistant", "text", "Sunny."),
    ]


def test_parts_of_a_message() -> None:
    """Text between payloads is one message, each payload is one; they belong together."""
    sound = wav(1.5)
    parts = [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PNG}", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "image_url", "image_url": {"url": "https://host/cat.png?signature=secret#x"}},
        {"type": "text", "text": "c"},
    ]
    assert read_request("chat", {"messages": [{"role": "user", "content": parts}]}) == [
        Draft("user", "text", "a\nb"),
        Draft("user", "image", f"data:image/png;base64,{PNG}", media_type="image", part=True),
        Draft("user", "audio", sound, media_type="audio/wav", audio_seconds=Decimal("1.500"), part=True),
        Draft("user", "audio", "AAAA", media_type="audio/mp3", part=True),
        Draft("user", "file", f"data:application/pdf;base64,{PNG}", media_type="application/octet-stream", part=True),
        Draft("user", "file", "file-1", part=True),
        Draft("user", "image", "https://host/cat.png", part=True),
        Draft("user", "text", "c", part=True),
    ]


def test_each_choice_is_an_answer() -> None:
    """Two choices are two lists, each with its reason to finish."""
    body = {
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a", "refusal": None}},
            {"index": 1, "finish_reason": "length", "message": {"role": "assistant", "content": "b"}},
        ]
    }
    assert read_response("chat", body) == [
        [Draft("assistant", "text", "a", finish_reason="stop")],
        [Draft("assistant", "text", "b", finish_reason="length")],
    ]


def test_a_refusal_and_a_legacy_function_call_are_said() -> None:
    """What stands beside the content is read, in order."""
    answer = {
        "role": "assistant",
        "content": "",
        "refusal": "I cannot.",
        "function_call": {"name": "f", "arguments": "{}"},
        "tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "g", "input": "raw"}}],
    }
    assert chat_answer(answer) == [
        Draft("assistant", "text", "I cannot."),
        Draft("assistant", "function_call", None, "g", "raw", key="call_1", part=True),
        Draft("assistant", "function_call", None, "f", "{}", part=True),
    ]


ANSWERS: list[dict[str, Any]] = [
    {"role": "assistant", "content": "Sunny.", "refusal": None, "annotations": []},
    {"role": "assistant", "content": None, "refusal": "No.", "annotations": []},
    {"role": "assistant", "content": "Let me see.", "refusal": None, "tool_calls": [CALL]},
    {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "call_ponmlkjihgfedcba"}]},
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {
        "role": "assistant",
        "content": None,
        "audio": {"id": "audio_1", "data": PNG, "transcript": "Sunny.", "expires_at": 1},
    },
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("form", ["dict", "model", "model_dump", "stripped", "trimmed"])
def test_an_answer_keeps_its_id_when_it_comes_back(answer: dict[str, Any], form: str) -> None:
    """As the dict, the SDK's object, its dump, with only what the API needs, or with whitespace: the same ids."""
    conversation = os.urandom(8).hex()
    asked = {"role": "user", "content": "Weather?"}
    model = ChatCompletionMessage.model_validate(answer)
    trimmed = {key: value for key, value in answer.items() if value}
    if "audio" in trimmed:
        trimmed["audio"] = {"id": answer["audio"]["id"]}
    sent_back: Any = {
        "dict": answer,
        "model": model,
        "model_dump": model.model_dump(),
        "stripped": {**answer, "content": answer["content"] and answer["content"] + "\n "},
        "trimmed": trimmed,
    }[form]
    first, prefix = ids(read_request("chat", {"messages": [asked]}), conversation)
    answered, _ = ids(chat_answer(answer), conversation, prefix)
    again, _ = ids(read_request("chat", {"messages": [asked, sent_back]}), conversation)
    assert again == first + answered


class Prompt(str):
    """A str of a template library's."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("chat", {"messages": [{"role": Prompt("user"), "content": Prompt("hello")}]}),
        ("chat", {"messages": [{"role": "user", "content": [Prompt("hello")]}]}),
        ("chat", {"messages": [{"role": "user", "content": [{"type": "text", "text": Prompt("hello")}]}]}),
        ("responses", {"input": Prompt("hello")}),
        ("responses", {"input": [{"role": "user", "content": Prompt("hello")}]}),
        ("completions", {"prompt": Prompt("hello")}),
        ("images", {"prompt": Prompt("hello")}),
    ],
)
def test_a_subclass_of_str_is_its_text(endpoint: str, body: dict[str, Any]) -> None:
    """What is sent is the text of it, whatever its methods say; a draft holds a plain str."""
    (found,) = [draft for draft in read_request(endpoint, body) if draft.type != CONTEXT]
    assert found[:3] == ("user", "text", "hello")
    assert type(found.content) is str


def test_images_of_other_providers_are_said() -> None:
    """OpenRouter's image models answer with images beside the content."""
    url = f"data:image/png;base64,{PNG}"
    answer = {"role": "assistant", "content": "Here.", "images": [{"type": "image_url", "image_url": {"url": url}}]}
    assert chat_answer(answer)[1] == Draft("assistant", "image", url, media_type="image", part=True)


def test_a_spoken_answer_is_its_transcript() -> None:
    """The audio itself is not kept; the transcript is the text, the audio's id is its identity."""
    assert chat_answer(ANSWERS[-1]) == [Draft("assistant", "audio", "Sunny.", key="audio_1")]
    sent_back = {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}
    assert read_request("chat", sent_back) == [Draft("assistant", "audio", None, key="audio_1")]


def test_messages_of_the_sdk_are_read() -> None:
    """An object of the SDK's among the messages is what its fields say."""
    completion = ChatCompletion.model_validate(
        {"id": "x", "created": 1, "model": "m", "object": "chat.completion"}
        | {"choices": [{"index": 0, "finish_reason": "stop", "message": ANSWERS[2]}]}
    )
    sent: list[Any] = [completion.choices[0].message]
    assert said(read_request("chat", {"messages": sent})) == said(chat_answer(ANSWERS[2]))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2, 3], ["[3 tokens]"]),
        ([[1, 2], [3]], ["[2 tokens]", "[1 tokens]"]),
        (None, []),
    ],
)
def test_a_completion_has_prompts(prompt: Any, expected: list[str]) -> None:
    """One, several, or tokens, of which the number is told."""
    assert said(read_request("completions", {"prompt": prompt})) == [("user", "text", text) for text in expected]
    answers = read_response("completions", {"choices": [{"text": "x", "finish_reason": "stop"}, {"text": "y"}]})
    assert answers == [[Draft("assistant", "text", "x", finish_reason="stop")], [Draft("assistant", "text", "y")]]


def test_speech_is_what_the_assistant_says() -> None:
    """The text to speak is the assistant's audio; how to speak it are instructions."""
    body = {"model": "tts-1", "input": "Hello.", "voice": "alloy", "instructions": "Be cheerful."}
    assert said(read_request("speech", body)) == [("system", "text", "Be cheerful."), ("assistant", "audio", "Hello.")]
    assert read_response("speech", b"audio") == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("Hello.", None),
        ({"text": "Hello."}, None),
        ({"text": "Hello.", "duration": 1.25, "segments": []}, Decimal("1.25")),
        ({"text": "Hello.", "usage": {"type": "duration", "seconds": 2}}, Decimal(2)),
    ],
)
def test_a_transcription_is_what_the_user_said(body: Any, seconds: Decimal | None) -> None:
    """In every format the text is the user's audio, with its seconds where they are told."""
    for endpoint in ("transcription", "translation"):
        assert read_response(endpoint, body) == [[Draft("user", "audio", "Hello.", audio_seconds=seconds)]]
    request = {"file": ("a.wav", io.BytesIO(b"x")), "model": "whisper-1", "prompt": "Names: Ann."}
    assert said(read_request("transcription", request)) == [("system", "text", "Names: Ann.")]


def test_images_are_described() -> None:
    """Prompt, uploaded and made images; a file that is open is left to the application."""
    file = io.BytesIO(b"abc")
    body = {"prompt": "a cat", "image": [b"raw", ("b.png", b"named"), file], "mask": b"m"}
    assert said(read_request("images", body)) == [
        ("user", "text", "a cat"),
        ("user", "image", b"raw"),
        ("user", "image", b"named"),
        ("user", "image", None),
    ]
    assert file.tell() == 0
    made = {"output_format": "webp", "data": [{"b64_json": PNG}, {"url": "https://host/a.png?sig=secret"}]}
    assert read_response("images", made) == [
        [Draft("assistant", "image", PNG, media_type="image/webp"), Draft("assistant", "image", "https://host/a.png")]
    ]


def test_calls_without_a_history_are_new_each_time() -> None:
    """The same sentence that is spoken twice is two messages; a chat that is sent twice is one."""
    for endpoint, body in (
        ("speech", {"input": "Hi."}),
        ("images", {"prompt": "Hi."}),
        ("completions", {"prompt": "Hi."}),
    ):
        assert ids(read_request(endpoint, body), "c")[0] != ids(read_request(endpoint, body), "c")[0]
    chat = {"messages": [{"role": "user", "content": "Hi."}]}
    assert ids(read_request("chat", chat), "c")[0] == ids(read_request("chat", chat), "c")[0]


@pytest.mark.parametrize("endpoint", ["embeddings", "moderations", "unknown", ""])
def test_other_endpoints_say_nothing(endpoint: str) -> None:
    """No text of an embedding is ever a message."""
    assert read_request(endpoint, {"input": "secret", "messages": [{"role": "user", "content": "secret"}]}) == []
    assert read_response(endpoint, {"choices": [{"message": {"content": "secret"}}]}) == []


class Fields:
    """Like pydantic's models, and as wrong as they can be."""

    def __init__(self, dumped: Any) -> None:
        self._dumped = dumped

    def model_dump(self, **_: Any) -> Any:
        if isinstance(self._dumped, Exception):
            raise self._dumped
        return self._dumped


# fmt: off
keys = st.sampled_from([
    "role", "content", "type", "text", "messages", "input", "output", "tool_calls", "function", "arguments", "id",
    "name", "audio", "data", "image_url", "url", "choices", "message", "refusal", "transcript", "call_id",
    "format", "prompt", "instructions", "variables", "image", "images", "usage", "duration", "answers", "action",
    "results", "finish_reason", "input_audio", "file", "file_data", "conversation", "previous_response_id",
    "background", "function_call",
])
words = st.sampled_from([
    "user", "assistant", "tool", "system", "message", "function_call", "function_call_output", "image_url", "wav",
    "pcm16", "input_audio", "input_image", "input_text", "file", "mcp_call", "web_search_call",
    "image_generation_call", "text",
])
# fmt: on
odd = st.sampled_from(
    [Fields({"role": "user", "content": "x"}), Fields(5), object(), 2**70, bytearray(b"x"), {1}, (1,)]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | words | odd,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(st.characters()), inner, max_size=6),
    max_leaves=25,
)


@given(st.sampled_from(ENDPOINTS), values, st.booleans())
def test_no_payload_raises_and_none_is_changed(endpoint: str, payload: Any, with_content: bool) -> None:
    """Whatever is sent or comes back: there are drafts, they can be identified and recorded, and it is as it was."""
    telemetry._warned.discard("messages")
    before = repr(payload)
    bodies = [
        payload,
        {"messages": payload, "input": payload, "prompt": payload, "output": payload, "choices": payload},
    ]
    bodies.append({"choices": [{"message": payload}], "output": [payload], "messages": [payload], "data": [payload]})
    for body in bodies:
        for drafts in [read_request(endpoint, body), *read_response(endpoint, body)]:
            for message in messages.identify("c", drafts)[0]:
                attributes, text = messages.record(message, with_content=with_content)
                assert all(isinstance(value, str | int) for value in attributes.values())
                "".join([text or "", *(value for value in attributes.values() if isinstance(value, str))]).encode()
            for value in messages.span_attributes(drafts, [drafts], payload).values():
                value.encode()
    assert repr(payload) == before
    assert "messages" not in telemetry._warned  # nothing was given up either


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_nothing_is_taken_from_an_iterator(endpoint: str) -> None:
    """What the application passes lazily is still there for the SDK to send."""

    def lazy() -> Iterator[dict[str, Any]]:
        yield {"role": "user", "content": "hello"}

    iterators = [lazy() for _ in range(8)]
    body = dict(
        zip(("messages", "input", "prompt", "questions", "images", "image", "tools", "file"), iterators, strict=True)
    )
    read_request(endpoint, body)
    inner = lazy()
    read_request(
        endpoint, {"messages": [{"role": "user", "content": inner}], "input": [{"role": "user", "content": inner}]}
    )
    assert [len(list(iterator)) for iterator in [*iterators, inner]] == [1] * 9


def test_drafts_refer_to_nothing_that_can_change() -> None:
    """A draft holds str, bytes and numbers: what the application does to its lists later does not reach the record."""
    body = {
        "messages": [
            {"role": "user", "content": [{"type": "odd", "x": [1, {"y": b"z"}]}, {"type": "text", "text": "a"}]},
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": [1]}}}]},
            {"role": "tool", "tool_call_id": "1", "content": {"b": [2]}},
        ]
    }
    drafts = read_request("chat", copy.deepcopy(body))
    assert len(drafts) == 3
    for draft in drafts:
        assert all(isinstance(field, str | bytes | bool | Decimal | None) for field in draft)


REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "system", "content": "s3cret"},
            {"role": "user", "content": [{"type": "text", "text": "s3cret"}, {"type": "odd", "x": "s3cret"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://s3cret/s3cret.png"}}]},
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "weather", "arguments": "s3cret"}}]},
            {"role": "tool", "tool_call_id": CALL["id"], "content": "s3cret"},
        ]
    },
    "responses": {"instructions": "s3cret", "input": "s3cret", "prompt": {"variables": {"a": "s3cret"}}},
    "completions": {"prompt": ["s3cret"]},
    "speech": {"input": "s3cret", "instructions": "s3cret"},
    "transcription": {"prompt": "s3cret"},
    "images": {"prompt": "s3cret", "image": ("s3cret.png", b"s3cret")},
    "decisions": {"input": "s3cret", "questions": [{"instructions": "s3cret"}]},
}


PLAIN = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    "sent",
    [
        [PLAIN, {"role": "assistant", "content": "Hi"}],
        [PLAIN, {"role": "assistant", "content": ""}],
        [PLAIN, {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]}],
        [PLAIN, {"content": "Hi", "tool_calls": [CALL]}],
        [{"role": "tool", "content": "sunny", "tool_call_id": CALL["id"]}],
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        [PLAIN, "no message", 7],
        (PLAIN, PLAIN),
        [],
        None,
    ],
)
def test_what_is_counted_is_what_would_be_read(sent: object) -> None:
    """A message that is kept nowhere is counted without being read, and counts as many, and as long, as if it was."""
    drafts = read_request("chat", {"messages": sent})
    assert measure_request("chat", {"messages": sent}) == (len(drafts), text_length(drafts) if drafts else None)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "Hi"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None, "refusal": "No"},
        {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": [CALL, CALL]},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
        {"role": "assistant", "content": "Hi", "audio": {"transcript": "Hi"}},
        {"role": "user", "content": ""},
        {"content": "Hi"},
        {},
        None,
    ],
)
def test_answers_are_counted_as_they_would_be_read(message: object) -> None:
    """The same of what is answered."""
    body = {"choices": [{"message": message, "finish_reason": "stop"}, {"message": PLAIN}, "none"]}
    assert count_response("chat", body) == sum(map(len, read_response("chat", body)))


@pytest.mark.parametrize("endpoint", REQUESTS)
def test_without_content_no_word_of_it_is_recorded(endpoint: str) -> None:
    """Not in a body, an attribute or a name; and no hash that the words would give."""
    found, _ = messages.identify(os.urandom(8).hex(), read_request(endpoint, REQUESTS[endpoint]))
    assert found
    for message in found:
        recorded = messages.record(message, with_content=False)
        assert recorded[1] is None
        assert "s3cret" not in str(recorded)
        assert hashlib.sha256(b"s3cret").hexdigest() not in str(recorded)
        assert recorded[0]["otel_costs.message.role"] in ("system", "user", "assistant", "function")
    told = str([messages.record(message, with_content=True) for message in found])
    assert "s3cret" in told or endpoint == "images"


def test_deep_and_cyclic_arguments_are_harmless() -> None:
    """Arguments that are no str, 2,000 levels deep or in a circle, are read without an error."""
    deep: Any = []
    for _ in range(2000):
        deep = [deep]
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    for arguments in (deep, cycle):
        call = {"id": "1", "function": {"name": "f", "arguments": arguments}}
        for content in (None, arguments, [arguments]):
            body = {"messages": [{"role": "assistant", "content": content, "tool_calls": [call]}]}
            drafts = read_request("chat", body)
            assert drafts[-1].function_name == "f"
            assert drafts[-1].arguments


def test_a_bug_is_told_once_and_without_content(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A payload that fails in its own code costs its messages, not the call; one warning quotes nothing of it."""
    monkeypatch.setattr(telemetry, "_warned", set())
    caplog.set_level(logging.DEBUG)
    for _ in range(3):
        assert read_request("chat", {"messages": [Fields(ValueError("secret"))]}) == []
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


def test_a_whole_response_of_the_sdk_is_read() -> None:
    """The SDK's own types and ours agree on a response, sent back as its output."""
    response = Response.model_validate(
        {"id": "resp_1", "created_at": 1, "model": "gpt-4o", "object": "response", "parallel_tool_calls": True}
        | {"tool_choice": "auto", "tools": []}
        | {
            "output": [
                {"id": "rs_1", "type": "reasoning", "summary": []},
                {
                    "id": "msg_1",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "Sunny.", "annotations": []}],
                },
                {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            ]
        }
    )
    answered = read_response("responses", response.model_dump(mode="json"))
    sent_back = read_request("responses", {"input": response.output})
    assert answered == [sent_back]
    assert said(sent_back) == [("assistant", "text", "Sunny."), ("assistant", "function_call", None)]
