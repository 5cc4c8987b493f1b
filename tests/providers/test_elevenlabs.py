"""ElevenLabs, through its own package: speech, transcription, voices and sounds, and its sockets."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from otel_costs import semconv as names
from otel_costs.providers.elevenlabs import transcription
from tests.support.recorded import Recorded
from tests.support.speech.driver import Driver
from tests.support.speech.elevenlabs import HEARD, ElevenLabs
from tests.support.speech.promises import Promises, Retries, said

TEXT = Driver.text
LENGTH = len(TEXT)


class ElevenLabsDriver(Driver):
    provider = "elevenlabs"
    heard = HEARD

    def open(self) -> Any:
        from elevenlabs.client import AsyncElevenLabs, ElevenLabs

        kind = AsyncElevenLabs if self.is_async else ElevenLabs
        return kind(api_key="sentinel-key", base_url=self.service.url)

    @property
    def refusal(self) -> type[Exception]:
        from elevenlabs.core.api_error import ApiError

        return ApiError

    def speak(self, **asked: Any) -> Any:
        return self.client.text_to_speech.convert(**{"voice_id": "george", "text": self.text, **asked})

    def listen(self, **asked: Any) -> Any:
        return self.run(self.client.speech_to_text.convert(**{"model_id": "scribe_v1", "file": b"sound", **asked}))

    def transcribe(self) -> str:
        return str(self.listen().text)

    def look(self) -> None:
        self.run(self.client.models.list())

    def shut(self) -> Any:
        client = self.client._client_wrapper.httpx_client.httpx_client
        return client.aclose() if self.is_async else client.close()


@pytest.fixture
def service() -> Iterator[ElevenLabs]:
    with ElevenLabs() as running:
        yield running
    assert running.errors == []


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest, service: ElevenLabs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=elevenlabs")
    driving = ElevenLabsDriver(request.param, service)
    yield driving
    driving.close()


class TestPromises(Promises, Retries):
    pass


@pytest.mark.some(11)
@pytest.mark.parametrize(
    ("model", "cost", "usd"),
    [
        ("eleven_multilingual_v2", LENGTH, "0.00312"),
        ("eleven_v3", LENGTH, "0.00312"),
        ("eleven_flash_v2_5", 19, "0.00152"),
        ("a_model_of_tomorrow", LENGTH, "0.00312"),
    ],
)
@pytest.mark.parametrize("way", ["convert", "stream", "convert_with_timestamps", "stream_with_timestamps"])
def test_speech(way: str, model: str, cost: int, usd: str, driver: ElevenLabsDriver, recorded: Recorded) -> None:
    """What the header says is billed, at the price of a credit, whichever way and model."""
    found = getattr(driver.client.text_to_speech, way)(voice_id="george", text=TEXT, model_id=model)
    driver.run(found) if way == "convert_with_timestamps" else driver.read(found)
    call = recorded.call
    assert said(call) == {
        "usage.credits": cost, "usage.input_characters": LENGTH, "cost.status": "priced", "cost.usd": usd
    }  # fmt: skip
    assert call[names.REQUEST_MODEL] == model
    assert call[names.RESPONSE_ID] == "r-1"


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        (None, "0.00312"),
        ("eleven_flash_v2_5", "0.00156"),
        ("eleven_turbo_v2", "0.00156"),
        ("a_model_of_tomorrow", None),
    ],
)
def test_speech_that_nobody_counted(model: Any, usd: Any, driver: ElevenLabsDriver, recorded: Recorded) -> None:
    """Without the header the characters of the text are an estimate, at the price of the model."""
    driver.service.counts = False
    driver.read(driver.speak(**({"model_id": model} if model else {})))
    call = recorded.call
    assert call[names.USAGE_PREFIX + "input_characters"] == LENGTH
    assert call.get(names.COST_USD) == usd
    assert call[names.COST_STATUS] == ("estimated" if usd else "unpriced")


def test_a_generator_that_nobody_iterates(driver: ElevenLabsDriver, recorded: Recorded) -> None:
    """`convert` sends nothing until it is iterated: no request, no record."""
    sound = driver.speak()
    driver.run(sound.aclose()) if driver.is_async else sound.close()
    assert driver.service.asked == []
    assert (recorded.calls, recorded.spans) == ([], [])


def test_a_dialogue(driver: ElevenLabsDriver, recorded: Recorded) -> None:
    """The lines of a dialogue are counted together."""
    lines: Any = [{"text": "Hello", "voice_id": "a"}, {"text": "Hi there", "voice_id": "b"}]
    driver.read(driver.client.text_to_dialogue.convert(inputs=lines))
    assert said(recorded.call) == {
        "usage.credits": 13, "usage.input_characters": 13, "cost.status": "priced", "cost.usd": "0.00104"
    }  # fmt: skip
    recorded.log_exporter.clear()
    driver.service.counts = False
    driver.read(driver.client.text_to_dialogue.convert(inputs=lines))
    assert recorded.call[names.USAGE_PREFIX + "input_characters"] == 13


def test_every_option_of_a_transcription_is_known() -> None:
    """A release of the package that has another one fails here, until somebody has looked at what it costs."""
    from elevenlabs.speech_to_text.client import SpeechToTextClient

    asked = set(inspect.signature(SpeechToTextClient.convert).parameters) - {"self", "request_options"}
    assert asked == transcription._FREE | transcription._BILLED
    assert not transcription._FREE & transcription._BILLED


@pytest.mark.parametrize(
    ("asked", "usd", "status"),
    [
        ({}, "0.000947222222", "priced"),  # 15.5 / 3600 * 0.22
        ({"model_id": "scribe_v2"}, "0.000947222222", "priced"),
        ({"diarize": True}, "0.000947222222", "priced"),
        ({"entity_detection": "pii"}, "0.000947222222", "estimated"),
        ({"use_multi_channel": True}, "0.000947222222", "estimated"),
        ({"use_multi_channel": False}, "0.000947222222", "priced"),
        ({"transcript_edit": "as a list"}, "0.000947222222", "estimated"),
        ({"temperature": 0.5, "seed": 7, "no_verbatim": True}, "0.000947222222", "priced"),
        ({"request_options": {"additional_body_parameters": {"hologram": "3d"}}}, "0.000947222222", "partial"),
    ],
)
def test_transcription(asked: Any, usd: str, status: str, driver: ElevenLabsDriver, recorded: Recorded) -> None:
    """Seconds are billed as they are reported; with what costs more they are an estimate."""
    driver.listen(**asked)
    call = recorded.call
    assert call[names.USAGE_PREFIX + "audio_seconds"] == call[names.USAGE_PREFIX + "input_audio_seconds"] == "15.5"
    assert (call[names.COST_USD], call[names.COST_STATUS]) == (usd, status)
    assert call[names.RESPONSE_ID] == "t-1"
    assert call[names.REQUEST_MODEL] == asked.get("model_id", "scribe_v1")


def test_a_transcription_by_webhook(driver: ElevenLabsDriver, recorded: Recorded) -> None:
    """What is answered elsewhere is recorded with an unknown cost, not with none."""
    driver.listen(webhook=True)
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "usage_not_reported")


def test_voices_and_sounds(driver: ElevenLabsDriver, recorded: Recorded) -> None:
    """Credits of other products are an estimate in USD."""
    driver.read(driver.client.speech_to_speech.convert(voice_id="george", audio=b"sound"))
    driver.read(driver.client.text_to_sound_effects.convert(text="A door"))
    driver.read(driver.client.audio_isolation.convert(audio=b"sound"))
    assert [
        (call[names.OPERATION_NAME], call[names.USAGE_PREFIX + "credits"], call[names.COST_USD],
         call[names.COST_STATUS])
        for call in recorded.calls
    ] == [
        ("speech_to_speech", 258, "0.0258", "estimated"),
        ("sound_generation", 100, "0.01", "estimated"),
        ("audio_isolation", 250, "0.025", "estimated"),
    ]  # fmt: skip
