"""Speech, transcriptions and translations: characters, seconds and tokens, in every format, whole and streamed."""

import io
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider, tokens
from tests.providers.conftest import Driver, usd
from tests.providers.test_openai_streams import close, settle
from tests.support.recorded import Recorded

TEXT = "Good morning! How may I help you today?"
HEARD = "Good morning, I would like to know where my order A-1001 is."
WAV = tokens.wav(15.0)


def said(found: Any) -> dict[str, Any]:
    """Return what a ledger record tells of usage and money, but for the amounts of the lines."""
    wanted = re.compile(r"usage\.(?!cost)|cost\.(usd|status)")
    return {name: value for name, value in found.items() if wanted.search(name)}


def speak(driver: Driver, **asked: Any) -> Any:
    return driver.run(driver.client.audio.speech.create(**{"model": "tts-1", "voice": "alloy", "input": TEXT, **asked}))


def streamed_bytes(driver: Driver, **asked: Any) -> bytes:
    options = {"model": "tts-1", "voice": "alloy", "input": TEXT, **asked}
    manager = driver.client.audio.speech.with_streaming_response.create(**options)
    return b"".join(driver.within(manager, lambda found: _all(found.iter_bytes())))


def _all(items: Any) -> Any:
    return items if hasattr(items, "__aiter__") else list(items)


@pytest.mark.parametrize("form", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
@pytest.mark.parametrize("streamed", [False, True])
def test_speech_by_characters(form: str, streamed: bool, driver: Driver, recorded: Recorded) -> None:
    """Speech is billed by the character, whatever its format and however it is read; some formats tell its length."""
    asked = {"response_format": form}
    data = streamed_bytes(driver, **asked) if streamed else speak(driver, **asked).content
    CostsInstrumentor().uninstrument()
    assert data == speak(driver, **asked).content
    call = recorded.call
    known = {"otel_costs.usage.audio_seconds": "2.6", "otel_costs.usage.output_audio_seconds": "2.6"}
    assert said(call) == {
        **(known if form in ("wav", "pcm") else {}),
        "otel_costs.usage.input_characters": len(TEXT),
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.000585",
    }
    assert usd(call) == len(TEXT) * Decimal(15) / 1_000_000
    assert call[names.OPERATION_NAME] == "text_to_speech"
    (span,) = recorded.spans
    assert span.name == "text_to_speech tts-1"
    assert span.attributes is not None
    assert span.attributes[names.SPEECH_VOICE] == "alloy"
    assert span.attributes[names.OUTPUT_TYPE] == "speech"
    assert (names.RESPONSE_TIME_TO_FIRST_CHUNK in call) is streamed


@pytest.mark.parametrize("form", ["wav", "pcm"])
@pytest.mark.parametrize("streamed", [False, True])
def test_speech_by_seconds(form: str, streamed: bool, driver: Driver, recorded: Recorded) -> None:
    """A model billed by tokens that it does not tell is an estimate by the seconds of what it said."""
    asked = {"model": "gpt-4o-mini-tts", "response_format": form}
    streamed_bytes(driver, **asked) if streamed else speak(driver, **asked)
    call = recorded.call
    assert call["otel_costs.usage.audio_seconds"] == call["otel_costs.usage.output_audio_seconds"] == "2.6"
    assert call["otel_costs.usage.input_characters"] == len(TEXT)
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_USD] == "0.00065"


@pytest.mark.parametrize("way", ["whole", "iterated", "lines"])
def test_speech_events(way: str, driver: Driver, recorded: Recorded) -> None:
    """Speech as events says its tokens in the last one: those are billed, however the body is read."""
    asked: Any = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "stream_format": "sse"}
    if way == "whole":
        assert b"speech.audio.done" in driver.run(driver.client.audio.speech.create(**asked)).content
    else:
        manager = driver.client.audio.speech.with_streaming_response.create(**asked)
        driver.within(manager, lambda found: _all(found.iter_lines() if way == "lines" else found.iter_bytes()))
    assert said(recorded.call) == {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 52,
        "gen_ai.usage.audio.output_tokens": 52,
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.00063",
    }


def test_speech_left_early(driver: Driver, recorded: Recorded) -> None:
    """Speech that is not listened to is billed by its characters all the same."""
    asked: Any = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm"}
    driver.within(driver.client.audio.speech.with_streaming_response.create(**asked), lambda found: None)
    call = recorded.call
    assert call["otel_costs.usage.input_characters"] == len(TEXT)
    assert call[names.COST_USD] == "0.000585"


def transcribe(driver: Driver, file: Any = None, **asked: Any) -> Any:
    options = {"model": "whisper-1", "file": file or ("a.wav", WAV), **asked}
    return driver.run(driver.client.audio.transcriptions.create(**options))


@pytest.mark.parametrize("form", ["json", "verbose_json"])
def test_transcription_by_the_second(form: str, driver: Driver, recorded: Recorded) -> None:
    """A transcription that says its seconds is billed by them, to the second."""
    found = transcribe(driver, response_format=form)
    assert found.text == HEARD
    call = recorded.call
    assert said(call) == {
        "otel_costs.usage.audio_seconds": "15",
        "otel_costs.usage.input_audio_seconds": "15",
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.0015",
    }
    assert call[names.OPERATION_NAME] == "speech_to_text"


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
@pytest.mark.parametrize("streamed", [False, True])
def test_transcription_as_text(form: str, streamed: bool, driver: Driver, recorded: Recorded) -> None:
    """A transcript that is a mere text says nothing: the seconds are those of the file that was sent."""
    if streamed:
        manager = driver.client.audio.transcriptions.with_streaming_response.create(
            model="whisper-1", file=("a.wav", WAV), response_format=form
        )
        found = driver.within(manager, lambda response: response.text())
    else:
        found = transcribe(driver, response_format=form)
    assert isinstance(found, str)
    assert HEARD in found
    assert said(recorded.call) == {
        "otel_costs.usage.audio_seconds": "15",
        "otel_costs.usage.input_audio_seconds": "15",
        "otel_costs.cost.status": "estimated",
        "otel_costs.cost.usd": "0.0015",
    }


@pytest.mark.parametrize("kind", ["bytes", "tuple", "path", "file", "buffer"])
def test_uploads(kind: str, driver: Driver, recorded: Recorded, tmp_path: Path) -> None:
    """The length of an upload is read from whatever the SDK takes, and the application's file is left where it was."""
    path = tmp_path / "a.wav"
    path.write_bytes(WAV)
    buffer = io.BytesIO(WAV)
    buffer.name = "a.wav"
    with path.open("rb") as opened:
        opened.seek(3)
        files: dict[str, Any] = {
            "bytes": WAV,
            "tuple": ("a.wav", io.BytesIO(WAV), "audio/wav"),
            "path": path,
            "file": opened,
            "buffer": buffer,
        }
        transcribe(driver, files[kind], response_format="text")
        with_us = opened.tell()
        assert recorded.call["otel_costs.usage.audio_seconds"] == "15"
        CostsInstrumentor().uninstrument()
        opened.seek(3)
        transcribe(driver, files[kind], response_format="text")
        assert opened.tell() == with_us


def test_an_upload_that_cannot_be_read_twice(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A file that is no wav has no length that we know: srt tells by its last timestamp, text does not."""
    transcribe(driver, ("a.mp3", b"\xff\xfb\x90\x64" + bytes(8000)), response_format="srt")
    transcribe(driver, ("a.mp3", b"\xff\xfb\x90\x64" + bytes(8000)), response_format="text")
    by_srt, unknown = recorded.calls
    assert by_srt["otel_costs.usage.audio_seconds"] == "2.001"
    assert by_srt[names.COST_STATUS] == "estimated"
    assert unknown[names.COST_STATUS] == "unpriced"
    assert unknown[names.COST_REASON] == "usage_unknown"


def test_uploads_arrive_whole(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """What the provider gets of a file is what it gets without us."""
    transcribe(driver, ("a.wav", io.BytesIO(WAV)), response_format="text")
    assert provider.requests[-1].files["file"][0].data == WAV
    assert len(recorded.calls) == 1


@pytest.mark.parametrize("form", ["json", "diarized_json"])
def test_transcription_by_the_token(form: str, driver: Driver, recorded: Recorded) -> None:
    """A transcription that says its tokens is billed by them, audio at its own price."""
    model = "gpt-4o-transcribe-diarize" if form == "diarized_json" else "gpt-4o-transcribe"
    transcribe(driver, model=model, response_format=form)
    assert said(recorded.call) == {
        "gen_ai.usage.input_tokens": 150,
        "gen_ai.usage.audio.input_tokens": 150,
        "gen_ai.usage.text.input_tokens": 0,
        "gen_ai.usage.output_tokens": 15,
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.000525",
    }


@pytest.mark.parametrize("piece", [None, 1])
def test_streamed_transcription(piece: int | None, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The tokens of a streamed transcription stand in its last event."""
    provider.script(Fault(piece=piece))
    events = driver.read(transcribe(driver, model="gpt-4o-transcribe", stream=True))
    assert events[-1].text == HEARD
    call = recorded.call
    assert said(call) == {
        "gen_ai.usage.input_tokens": 150,
        "gen_ai.usage.audio.input_tokens": 150,
        "gen_ai.usage.text.input_tokens": 0,
        "gen_ai.usage.output_tokens": 15,
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.000525",
    }
    assert call[names.RESPONSE_TIME_TO_FIRST_CHUNK] >= 0


def test_streamed_transcription_left_early(driver: Driver, recorded: Recorded) -> None:
    """Left early, it is an estimate by the length of the file, which was sent whole."""
    found = transcribe(driver, model="gpt-4o-transcribe", stream=True)
    close(driver, found)
    settle(driver)
    call = recorded.call
    assert call["otel_costs.usage.audio_seconds"] == "15"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("stream_closed_early")
    assert call[names.COST_USD] == "0.0015"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
@pytest.mark.parametrize("form", ["json", "verbose_json", "text", "srt"])
def test_translation(form: str, driver: Driver, recorded: Recorded) -> None:
    """A translation says no usage: the seconds are those of the answer, or else of the file."""
    create = driver.client.audio.translations.create
    driver.run(create(model="whisper-1", file=("a.wav", WAV), response_format=form))
    call = recorded.call
    assert call["otel_costs.usage.audio_seconds"] == "15"
    assert call[names.COST_USD] == "0.0015"
    assert call[names.COST_STATUS] == ("priced" if form == "verbose_json" else "estimated")


def test_spoken_answer(driver: Driver, recorded: Recorded) -> None:
    """A spoken answer of a chat is billed by its audio tokens, streamed or not."""
    asked: Any = {
        "model": "gpt-4o-audio-preview",
        "messages": [{"role": "user", "content": "Hello"}],
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "pcm16"},
    }
    whole = driver.run(driver.client.chat.completions.create(**asked))
    chunks = driver.read(driver.run(driver.client.chat.completions.create(**asked, stream=True)))
    assert whole.choices[0].message.audio.transcript
    assert all(chunk.choices for chunk in chunks)
    first, second = recorded.calls
    assert said(first) == said(second)
    assert first["gen_ai.usage.audio.output_tokens"] > 0
    assert first[names.COST_STATUS] == "priced"
    audio = first["gen_ai.usage.audio.output_tokens"]
    text = first["gen_ai.usage.output_tokens"] - audio
    read = first["gen_ai.usage.input_tokens"]
    assert usd(first) == (Decimal(audio) * 80 + Decimal(text) * 10 + Decimal(read) * Decimal("2.5")) / 1_000_000
