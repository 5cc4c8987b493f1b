"""Speech, transcriptions and translations."""

import json
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

import openai
import pytest

from otel_costs.stand_in import tokens

from .asked import WAV
from .conftest import Caller

# Endpoints that are deprecated, or shut down for others, are billed where they are still served.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


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
