"""The stand-in provider, through the real clients, which check every answer against their types."""

import asyncio
import base64
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from operator import attrgetter, methodcaller
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest

from tests.support.provider import REMOVED, Fault, Provider, tokens

ORDER_TOOL: Any = {
    "name": "lookup_order",
    "description": "Look an order up.",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
}
REFUND_TOOL: Any = {
    "name": "refund_order",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}, "reason": {"type": "string"}, "full": {"type": "boolean"}},
    },
}
HELLO: Any = [{"role": "user", "content": "Hello"}]
WAV = tokens.wav(2.5)


# Endpoints that are deprecated, or shut down for others, are billed where they are still served.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tests.test_provider_stand_in"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning"),
]


class Caller:
    """Makes the same call with the sync and with the async client."""

    def __init__(self, provider: Provider, kind: str) -> None:
        self.provider, self.kind = provider, kind
        self.options: dict[str, Any] = {
            "base_url": provider.base_url,
            "api_key": "sk-test",
            "_strict_response_validation": True,
        }

    def loosely(self) -> None:
        """Check no types: where the real answer, too, is none of the client's own types."""
        self.options["_strict_response_validation"] = False

    def __call__(self, make: Callable[[Any], Any]) -> Any:
        """Return what the call returns; of a stream, all its events."""
        if self.kind == "async":
            return asyncio.run(self._async(make))
        with openai.OpenAI(**self.options) as client:
            made = make(client)
            return list(made) if isinstance(made, openai.Stream) else made

    async def _async(self, make: Callable[[Any], Any]) -> Any:
        async with openai.AsyncOpenAI(**self.options) as client:
            made = make(client)
            made = await made if isinstance(made, Awaitable) else made
            if isinstance(made, openai.AsyncStream):
                return [event async for event in made]
            return made


@pytest.fixture(params=["sync", "async"])
def call(provider: Provider, request: pytest.FixtureRequest) -> Caller:
    return Caller(provider, request.param)


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url, api_key="sk-test", _strict_response_validation=True) as made:
        yield made


def counted(usage: Any) -> tuple[int, int, int]:
    return usage.prompt_tokens, usage.completion_tokens, usage.total_tokens


# --- chat


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


class Sentiment(pydantic.BaseModel):
    mood: str
    score: int
    words: list[str]


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


# --- chat, streamed


def test_stream(call: Caller) -> None:
    """Role first, then text, then the reason; without being asked for, there is no word of usage."""
    chunks = call(
        lambda c: c.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Count to 3"}], stream=True
        )
    )
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert "".join(delta.content or "" for delta in deltas) == "1 2 3"
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, None, "stop"]
    assert not any("usage" in chunk.model_fields_set for chunk in chunks)
    assert all(chunk.obfuscation for chunk in chunks)


def test_stream_with_usage(call: Caller) -> None:
    """Asked for, usage is null on every chunk, and then stands on one without choices."""
    options = {"include_usage": True, "include_obfuscation": False}
    chunks = call(
        lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True, stream_options=options)
    )
    *others, last = chunks
    assert all("usage" in chunk.model_fields_set and chunk.usage is None for chunk in others)
    assert last.choices == []
    assert counted(last.usage) == (9, 12, 21)
    assert not any("obfuscation" in chunk.model_fields_set for chunk in chunks)


def test_streams_of_choices_tools_and_sound(client: openai.OpenAI) -> None:
    """What streams amount to is what a whole answer is."""
    tools: Any = [{"type": "function", "function": ORDER_TOOL}]
    for extra in (
        {"n": 2},
        {"messages": [{"role": "user", "content": "Order A-1001 and order A-1002?"}], "tools": tools},
    ):
        options: Any = {"model": "gpt-4o", "messages": HELLO, **extra}
        whole = client.chat.completions.create(**options)
        with client.chat.completions.stream(**options, stream_options={"include_usage": True}) as stream:
            streamed = stream.get_final_completion()
        assert streamed.usage == whole.usage
        for one, other in zip(streamed.choices, whole.choices, strict=True):
            assert one.message.content == other.message.content
            assert one.finish_reason == other.finish_reason
            calls = [
                [(c.function.name, c.function.arguments) for c in m.message.tool_calls or []] for m in (one, other)
            ]
            assert calls[0] == calls[1]


def test_stream_of_sound(call: Caller) -> None:
    """Transcript and sound come in pieces under one id; the expiry comes last."""
    chunks = call(
        lambda c: c.chat.completions.create(
            model="gpt-4o-audio-preview",
            messages=HELLO,
            modalities=["text", "audio"],
            audio={"voice": "alloy", "format": "pcm16"},
            stream=True,
        )
    )
    audio = [chunk.choices[0].delta.audio for chunk in chunks if chunk.choices[0].delta.audio]
    transcript = "".join(piece.transcript or "" for piece in audio)
    sound = b"".join(base64.b64decode(piece.data) for piece in audio if piece.data)
    assert transcript.startswith("Hello!")
    assert len(sound) == tokens.spoken_seconds(transcript) * 48_000
    assert audio[0].id
    assert audio[-1].expires_at


def test_done(client: openai.OpenAI) -> None:
    """The last thing that a stream says is [DONE]."""
    with client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO, stream=True) as raw:
        lines = list(raw.iter_lines())
    assert lines[-2] == "data: [DONE]"
    assert raw.headers["content-type"].startswith("text/event-stream")


# --- other texts


def test_completions(call: Caller) -> None:
    """Legacy completions answer every prompt, whole and streamed."""
    call.loosely()  # until the last, chunks have no finish_reason
    answer = call(lambda c: c.completions.create(model="gpt-3.5-turbo-instruct", prompt=["Hello", "Thanks"], n=2))
    assert len(answer.choices) == 4
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    options = {"include_usage": True}
    chunks = call(
        lambda c: c.completions.create(
            model="gpt-3.5-turbo-instruct", prompt=["Hello", "Thanks"], n=2, stream=True, stream_options=options
        )
    )
    assert chunks[-1].usage == answer.usage
    assert "".join(c.text for chunk in chunks for c in chunk.choices) == "".join(c.text for c in answer.choices)


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(call: Caller, encoding: str | None) -> None:
    """Embeddings are the same in either encoding, also in the client's own default."""
    call.loosely()  # base64 is decoded after it was checked
    wanted = {"encoding_format": encoding} if encoding else {}
    answer = call(
        lambda c: c.embeddings.create(model="text-embedding-3-small", input=["Hello", "Hi"], dimensions=8, **wanted)
    )
    vectors = [
        embedding.embedding
        if isinstance(embedding.embedding, list)
        else list(memoryview(base64.b64decode(embedding.embedding)).cast("f"))
        for embedding in answer.data
    ]
    assert [len(vector) for vector in vectors] == [8, 8]
    assert vectors[0] != vectors[1]
    assert answer.usage.model_dump() == {"prompt_tokens": 3, "total_tokens": 3}


def test_embedding_of_tokens(call: Caller) -> None:
    """Tokens count as many as they are."""
    call.loosely()
    answer = call(lambda c: c.embeddings.create(model="text-embedding-3-large", input=[[1, 2, 3], [4]], dimensions=4))
    assert answer.usage.prompt_tokens == 4


def test_decisions(call: Caller) -> None:
    """Each question has an answer of its kind."""
    answer = call(
        lambda c: c.decisions.create(
            model="gpt-6-luna",
            input="I want my money back!",
            questions=[
                {"type": "predicate", "instructions": "Is it a complaint?"},
                {"type": "choice", "instructions": "Which?", "choices": [{"value": "refund"}, {"value": "other"}]},
                {"type": "score", "instructions": "How angry?", "levels": [{"label": "calm"}, {"label": "angry"}]},
            ],
        )
    )
    assert [one.type for one in answer.answers] == ["predicate", "choice", "score"]
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_free_endpoints(call: Caller) -> None:
    """Moderations, models and files answer without usage."""
    assert len(call(lambda c: c.moderations.create(input=["a", "b"])).results) == 2
    assert call(lambda c: c.models.retrieve("gpt-4o")).id == "gpt-4o"
    file = call(lambda c: c.files.create(file=("lines.jsonl", b"{}\n"), purpose="batch"))
    assert (file.bytes, file.filename) == (3, "lines.jsonl")
    assert call(lambda c: c.files.retrieve(file.id)) == file
    assert call(lambda c: c.files.content(file.id)).content == b"{}\n"


# --- responses

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


# --- sound


@pytest.mark.parametrize("kind", ["wav", "pcm", "mp3", "opus", "flac", "aac"])
def test_speech(call: Caller, kind: str) -> None:
    """Speech is bytes of the format that was asked for."""
    answer = call(
        lambda c: c.audio.speech.create(
            model="gpt-4o-mini-tts", voice="alloy", input="Hello there", response_format=kind
        )
    )
    begin = {"wav": b"RIFF", "mp3": b"\xff\xfb", "opus": b"OggS", "flac": b"fLaC", "aac": b"\xff\xf1", "pcm": b"\0\0"}
    assert answer.content.startswith(begin[kind])
    if kind == "pcm":
        assert len(answer.content) == tokens.spoken_seconds("Hello there") * 48_000


def test_speech_events(client: openai.OpenAI) -> None:
    """As events, speech says its usage at the end."""
    answer = client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="Hello", stream_format="sse")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1] == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 2, "output_tokens": 6, "total_tokens": 8},
    }


def test_transcription(call: Caller) -> None:
    """Models that are billed by tokens tell audio from text; whisper says seconds, each begun one."""
    file = ("call.wav", WAV)
    answer = call(lambda c: c.audio.transcriptions.create(model="gpt-4o-transcribe", file=file, prompt="Order A-1001"))
    assert answer.usage.model_dump() == {
        "type": "tokens",
        "input_tokens": 28,
        "input_token_details": {"audio_tokens": 25, "text_tokens": 3},
        "output_tokens": 15,
        "total_tokens": 43,
    }
    answer = call(lambda c: c.audio.transcriptions.create(model="whisper-1", file=file))
    assert answer.usage.model_dump() == {"type": "duration", "seconds": 3}


def test_verbose_transcription(call: Caller) -> None:
    """A verbose transcript says the sound's own length too."""
    answer = call(
        lambda c: c.audio.transcriptions.create(
            model="whisper-1",
            file=("a.wav", WAV),
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    )
    assert (answer.duration, answer.usage.seconds) == (2.5, 3)
    assert (answer.segments[-1].end, answer.words[-1].end) == (2.5, 2.5)


def _written(create: Callable[[Any], Any], kind: str, client: Any) -> Any:
    return create(client)(model="whisper-1", file=("a.wav", WAV), response_format=kind)


@pytest.mark.parametrize(
    ("kind", "part"),
    [("text", "my order A-1001"), ("srt", "00:00:00,000 --> 00:00:02,500"), ("vtt", "00:00:00.000 --> 00:00:02.500")],
)
def test_written_transcription(call: Caller, kind: str, part: str) -> None:
    """As text, srt and vtt, a transcript is a text."""
    for resource in ("audio.transcriptions", "audio.translations"):
        create = attrgetter(f"{resource}.create")
        answer = call(partial(_written, create, kind))
        assert part in answer


def test_transcription_stream(call: Caller) -> None:
    """A streamed transcript ends with its text and its usage."""
    events = call(lambda c: c.audio.transcriptions.create(model="gpt-4o-transcribe", file=("a.wav", WAV), stream=True))
    assert "".join(event.delta for event in events[:-1]) == events[-1].text
    assert events[-1].usage.input_token_details.audio_tokens == 25


def test_diarized_transcription(call: Caller) -> None:
    """Who spoke when."""
    answer = call(
        lambda c: c.audio.transcriptions.create(
            model="gpt-4o-transcribe-diarize", file=("a.wav", WAV), response_format="diarized_json"
        )
    )
    assert answer.segments[0].speaker == "A"


def test_translation(call: Caller) -> None:
    """A translation says no usage; a verbose one its length."""
    assert set(call(lambda c: c.audio.translations.create(model="whisper-1", file=("a.wav", WAV))).model_dump()) == {
        "text"
    }
    verbose = call(
        lambda c: c.audio.translations.create(model="whisper-1", file=("a.wav", WAV), response_format="verbose_json")
    )
    assert verbose.duration == 2.5


# --- pictures


def test_images(call: Caller) -> None:
    """GPT images have usage with its details; dall-e's have a URL and none."""
    answer = call(lambda c: c.images.generate(model="gpt-image-2", prompt="A red hat", n=2, quality="high"))
    assert len(answer.data) == 2
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (3, 8320)
    answer = call(lambda c: c.images.generate(model="dall-e-3", prompt="A red hat"))
    assert answer.usage is None
    assert answer.data[0].url


def test_image_edits(call: Caller) -> None:
    """Pictures that were given count as input."""
    answer = call(lambda c: c.images.edit(model="gpt-image-2", prompt="Blue", image=[("a.png", b"1"), ("b.png", b"2")]))
    assert answer.usage.input_tokens_details.image_tokens == 2 * 323
    assert len(call(lambda c: c.images.create_variation(image=("a.png", b"1"), n=2)).data) == 2


def test_image_streams(call: Caller) -> None:
    """Partial pictures come first, the usage with the last one."""
    events = call(lambda c: c.images.generate(model="gpt-image-2", prompt="A red hat", stream=True, partial_images=2))
    assert [event.type.rpartition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    assert events[-1].usage.output_tokens == 1056 + 200
    events = call(lambda c: c.images.edit(model="gpt-image-2", prompt="Blue", image=("a.png", b"1"), stream=True))
    assert events[-1].type == "image_edit.completed"


# --- jobs


def looked(call: Caller, look: Callable[[Any], Any], times: int = 3) -> Any:
    """Look at a job as often as it takes to end."""
    for _ in range(times):
        job = call(look)
    return job


def test_videos(call: Caller) -> None:
    """A video is queued, made, and can be fetched."""
    video = call(lambda c: c.videos.create(model="sora-2", prompt="A sunset", seconds="8", size="1280x720"))
    assert video.status == "queued"
    video = looked(call, lambda c: c.videos.retrieve(video.id))
    assert (video.status, video.seconds, video.size) == ("completed", "8", "1280x720")
    remix = call(lambda c: c.videos.remix(video.id, prompt="A sunrise"))
    assert (remix.remixed_from_video_id, remix.seconds) == (video.id, "8")


def test_batches(call: Caller) -> None:
    """A batch has usage of its own when it is completed; what it has before is nothing."""
    line = {
        "custom_id": "1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o", "messages": HELLO},
    }
    file = call(lambda c: c.files.create(file=("b.jsonl", json.dumps(line).encode() * 1), purpose="batch"))
    batch = call(
        lambda c: c.batches.create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id=file.id)
    )
    assert (batch.status, batch.usage) == ("validating", None)
    running = call(lambda c: c.batches.retrieve(batch.id))
    assert (running.status, running.usage.total_tokens) == ("in_progress", 0)
    done = call(lambda c: c.batches.retrieve(batch.id))
    assert (done.status, done.model, done.request_counts.completed) == ("completed", "gpt-4o-2024-08-06", 1)
    assert done.usage.output_tokens == 40
    assert call(lambda c: c.batches.retrieve(batch.id)) == done


def test_cancelled_batch(call: Caller) -> None:
    """A batch can be cancelled until it has ended."""
    options: Any = {"completion_window": "24h", "endpoint": "/v1/embeddings", "input_file_id": "file-1"}
    batch = call(lambda c: c.batches.create(**options))
    assert call(lambda c: c.batches.cancel(batch.id)).status == "cancelled"
    with pytest.raises(openai.ConflictError):
        call(lambda c: c.with_options(max_retries=0).batches.cancel(batch.id))


def test_fine_tuning(call: Caller) -> None:
    """Trained tokens are known when the job has succeeded."""
    job = call(lambda c: c.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1"))
    assert job.trained_tokens is None
    job = looked(call, lambda c: c.fine_tuning.jobs.retrieve(job.id))
    assert (job.status, job.trained_tokens) == ("succeeded", 5768)
    assert job.fine_tuned_model.startswith("ft:gpt-4o-mini-2024-07-18")


def test_evaluations(call: Caller) -> None:
    """An evaluation has a usage for each of its models."""
    criterion: Any = {"type": "string_check", "name": "same", "operation": "eq", "input": "a", "reference": "b"}
    made = call(
        lambda c: c.evals.create(
            data_source_config={"type": "custom", "item_schema": {"type": "object"}}, testing_criteria=[criterion]
        )
    )
    source: Any = {
        "type": "completions",
        "model": "gpt-4o-mini",
        "source": {"type": "file_id", "id": "file-1"},
    }
    run = call(lambda c: c.evals.runs.create(made.id, data_source=source))
    run = looked(call, lambda c: c.evals.runs.retrieve(run.id, eval_id=made.id))
    assert [spent.run_model_name for spent in run.per_model_usage] == ["gpt-4o-mini-2024-07-18", "o3-2025-04-16"]
    assert run.status == "completed"


def test_graders(call: Caller) -> None:
    """A grader that asks a model says what it used of it."""
    grader: Any = {
        "type": "score_model",
        "name": "g",
        "model": "gpt-4o",
        "input": [{"role": "user", "content": "{{x}}"}],
    }
    answer = call(lambda c: c.fine_tuning.alpha.graders.run(grader=grader, model_sample="Hello"))
    assert answer.api_model_grader_token_usage_per_model["gpt-4o"]["completion_tokens"] == 12


def test_runs_of_threads(call: Caller) -> None:
    """A run asks for its tools, and says its usage when it is done; streamed, it is the same."""
    tool: Any = {"type": "function", "function": ORDER_TOOL}
    assistant = call(lambda c: c.beta.assistants.create(model="gpt-4o", tools=[tool]))
    message: Any = {"role": "user", "content": "Where is my order A-1001?"}
    run = call(lambda c: c.beta.threads.create_and_run(assistant_id=assistant.id, thread={"messages": [message]}))
    assert (run.status, run.usage) == ("queued", None)
    run = looked(call, lambda c: c.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id), 2)
    assert run.status == "requires_action"
    outputs: Any = [
        {"tool_call_id": one.id, "output": '{"status": "shipped"}'}
        for one in run.required_action.submit_tool_outputs.tool_calls
    ]
    place: Any = {"thread_id": run.thread_id, "tool_outputs": outputs}
    call(lambda c: c.beta.threads.runs.submit_tool_outputs(run.id, **place))
    run = call(lambda c: c.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id))
    assert (run.status, run.usage.total_tokens) == ("completed", run.usage.prompt_tokens + run.usage.completion_tokens)

    events = call(
        lambda c: c.beta.threads.create_and_run(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello"}]}, stream=True
        )
    )
    assert [event.event for event in events[:3]] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    assert events[-1].event == "thread.run.completed"
    assert events[-1].data.usage.completion_tokens == 12


# --- others who speak the protocol


def test_azure(provider: Provider) -> None:
    """Azure's deployments are paths, and answer with the model behind them; its newer paths are OpenAI's."""
    azure = openai.AzureOpenAI(azure_endpoint=provider.root, api_key="k", api_version="2024-10-21")
    with azure:
        answer = azure.chat.completions.create(model="prod-chat-eu", messages=HELLO)
    assert answer.model == "gpt-4o-2024-08-06"
    assert provider.requests[-1].path == "/openai/deployments/prod-chat-eu/chat/completions"
    assert provider.requests[-1].query == "api-version=2024-10-21"
    with openai.OpenAI(base_url=f"{provider.root}/openai/v1/", api_key="k") as client:
        assert client.responses.create(model="gpt-4o", input="Hello").status == "completed"


@pytest.mark.parametrize(
    ("flavour", "expected"),
    [
        ("deepseek", {"prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 9}),
        ("openrouter", {"cost": 0.000057}),
        ("xai", {"cost_in_usd_ticks": 570000}),
        ("perplexity", {"search_context_size": "low"}),
    ],
)
def test_dialects(provider: Provider, flavour: str, expected: dict[str, Any]) -> None:
    """Others write their own fields into the usage, and the client keeps them."""
    with openai.OpenAI(base_url=provider.url(flavour), api_key="k") as client:
        answer = client.chat.completions.create(model="some-model", messages=HELLO)
    assert answer.usage is not None
    assert expected.items() <= (answer.usage.model_extra or {}).items()


def test_thoughts_beside_the_completion(provider: Provider) -> None:
    """xAI counts reasoning beside the completion, and both in the total."""
    with openai.OpenAI(base_url=provider.url("xai"), api_key="k") as client:
        usage = client.chat.completions.create(model="grok-4", messages=HELLO).usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + 128


def test_cost_header(provider: Provider) -> None:
    """LiteLLM says the cost in a header, and not on streams."""
    with openai.OpenAI(base_url=provider.url("litellm"), api_key="k") as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
        streamed = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO, stream=True)
        streamed.parse().close()
    assert raw.headers["x-litellm-response-cost"] == "0.000057"
    assert "x-litellm-response-cost" not in streamed.headers


def test_hosts_behind_a_proxy(provider: Provider) -> None:
    """As an HTTP proxy, the stand-in answers for any host, in its dialect."""
    transport = openai.DefaultHttpxClient(proxy=provider.root)
    with openai.OpenAI(base_url="http://openrouter.ai/api/v1", api_key="k", http_client=transport) as client:
        answer = client.chat.completions.create(model="openai/gpt-4o", messages=HELLO)
    assert answer.usage is not None
    assert (answer.usage.model_extra or {})["cost"] > 0
    assert provider.requests[-1].headers["host"] == "openrouter.ai"


# --- faults


def test_a_retried_call_is_answered(call: Caller) -> None:
    """A scripted 429 strikes once; the client's retry is answered."""
    call.provider.script(Fault(status=429, headers={"retry-after-ms": "1", "x-should-retry": "true"}))
    call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO))
    assert [request.headers["x-stainless-retry-count"] for request in call.provider.requests] == ["0", "1"]


def test_a_fault_from_a_header(call: Caller) -> None:
    """A request may ask for its fault itself, for its first attempts."""
    fault = json.dumps({"status": 500, "headers": {"retry-after-ms": "1"}, "times": 2})
    call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, extra_headers={"x-stand-in-fault": fault}))
    assert len(call.provider.requests) == 3


def test_refusals(call: Caller) -> None:
    """What OpenAI refuses is refused in its words."""
    with pytest.raises(openai.BadRequestError) as refused:
        call(lambda c: c.chat.completions.create(model="gpt-4o", messages=[]))
    assert refused.value.param == "messages"
    with pytest.raises(openai.NotFoundError):
        call(lambda c: c.get("/nowhere", cast_to=object))
    with pytest.raises(openai.AuthenticationError):
        call(
            lambda c: c.chat.completions.create(
                model="m", messages=HELLO, extra_headers={"Authorization": openai.Omit()}
            )
        )


@pytest.mark.parametrize("cut", [-1, 0, 10])
def test_cut_connections(call: Caller, cut: int) -> None:
    """A connection is cut before the answer or within it."""
    call.provider.script(Fault(cut=cut))
    with pytest.raises(openai.APIConnectionError):
        call(lambda c: c.with_options(max_retries=0).chat.completions.create(model="gpt-4o", messages=HELLO))


def test_cut_streams(call: Caller) -> None:
    """A stream is cut between two events, or within one."""
    for fault in (Fault(cut_events=3), Fault(cut=700)):
        call.provider.script(fault)
        with pytest.raises(openai.APIConnectionError):
            call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))


def test_error_in_a_stream(call: Caller) -> None:
    """A stream may end with an error."""
    call.provider.script(Fault(error_event=2))
    with pytest.raises(openai.APIError, match="The server had an error"):
        call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))


@pytest.mark.parametrize(
    "fault", [Fault(piece=1), Fault(piece=7), Fault(piece=100_000), Fault(gzip=True), Fault(gzip=True, piece=5)]
)
def test_odd_chunks(call: Caller, fault: Fault) -> None:
    """However the bytes are cut, joined or compressed, they are the same answer."""
    plain = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    call.provider.script(fault, fault)
    odd = call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    assert [chunk.choices for chunk in odd] == [chunk.choices for chunk in plain]
    call(lambda c: c.chat.completions.create(model="gpt-4o", messages=HELLO))


@pytest.mark.parametrize(
    "usage", [None, {"prompt_tokens": -1}, {"prompt_tokens": "9"}, {"prompt_tokens": 2**70}, "many"]
)
def test_spoilt_usage(provider: Provider, usage: object) -> None:
    """Usage is written as a test wants it, also into the last chunk of a stream and into a response's last event."""
    provider.script(Fault(usage=usage, times=3))
    with openai.OpenAI(base_url=provider.base_url, api_key="k") as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
        assert json.loads(raw.content)["usage"] == usage
        options: Any = {"stream": True, "stream_options": {"include_usage": True}}
        with client.chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=HELLO, **options
        ) as stream:
            events = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: {")]
        assert events[-1]["usage"] == usage
        assert all(event["usage"] is None for event in events[:-1])
        with client.responses.with_streaming_response.create(model="gpt-4o", input="Hello", stream=True) as stream:
            events = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: {")]
        assert events[-1]["response"]["usage"] == usage


def test_spoilt_fields(provider: Provider) -> None:
    """Fields are changed, added and removed; a lone surrogate comes as an escape."""
    provider.script(Fault(fields={"model": "gpt-\ud800", "id": REMOVED, "novel": {"a": 1}}))
    with openai.OpenAI(base_url=provider.base_url, api_key="k") as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
    body = json.loads(raw.content)
    assert body["model"] == "gpt-\ud800"
    assert b"\\ud800" in raw.content
    assert "id" not in body
    assert body["novel"] == {"a": 1}


def test_a_gate_holds_a_stream(provider: Provider, client: openai.OpenAI) -> None:
    """What is behind the gate is not sent before it is opened."""
    gate = threading.Event()
    provider.script(Fault(gate=gate, gate_events=2))
    stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    first = [next(stream), next(stream)]
    assert first[1].choices[0].delta.content == "Hello!"
    gate.set()
    assert [chunk.choices[0].finish_reason for chunk in stream][-1] == "stop"


def test_unknown_endpoint(client: openai.OpenAI) -> None:
    """An endpoint of the future says its usage, and fields that nobody knows."""
    answer: Any = client.post("/future/things", body={"model": "gpt-9", "wish": "peace"}, cast_to=object)
    assert answer["usage"]["output_tokens"] == 7
    assert answer["usage"]["dream_tokens"] == 3


def test_requests_are_recorded(provider: Provider, client: openai.OpenAI) -> None:
    """Every request is kept as it came, and forgotten on demand."""
    client.chat.completions.create(model="gpt-4o", messages=HELLO, user="u-1")
    client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAV), language="en")
    chat, audio = provider.requests
    assert (chat.method, chat.path, chat.json["user"]) == ("POST", "/v1/chat/completions", "u-1")
    assert chat.headers["authorization"] == "Bearer sk-test"
    assert (audio.json, audio.files["file"][0].data) == ({"model": "whisper-1", "language": "en"}, WAV)
    provider.reset()
    assert provider.requests == []


@pytest.mark.parametrize("how", [["-m", "tests.support.provider"], ["tests/support/provider"]])
def test_it_runs_alone(how: list[str]) -> None:
    """Started by name or by path, without anything installed, it says its address and stops on SIGTERM."""
    root = Path(__file__).parent.parent
    with subprocess.Popen([sys.executable, "-S", *how], cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=base_url, api_key="k") as client:
            assert client.chat.completions.create(model="gpt-4o", messages=HELLO).object == "chat.completion"
        process.terminate()
        assert process.wait(10) == 0
