"""Streamed chat completions."""

import base64
from typing import Any

import openai

from otel_costs.stand_in import tokens

from .asked import HELLO, ORDER_TOOL, counted
from .conftest import Caller


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
