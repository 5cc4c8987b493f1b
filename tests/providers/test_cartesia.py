"""Cartesia, through its own package: speech and transcription over HTTP and on sockets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.messages import content
from tests.support.recorded import Recorded
from tests.support.speech import cartesia as stand_in
from tests.support.speech.cartesia import HEARD, Cartesia
from tests.support.speech.driver import Driver
from tests.support.speech.promises import Promises, Retries, said
from tests.support.speech.sockets import SocketService

VOICE: Any = {"id": "v-1", "mode": "id"}
RAW: Any = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16000}
PCM = b"\x00\x01" * 8000
"""Half a second at 16,000 samples a second."""


class CartesiaDriver(Driver):
    provider = "cartesia"
    heard = HEARD

    def open(self) -> Any:
        from cartesia import AsyncCartesia, Cartesia

        return (AsyncCartesia if self.is_async else Cartesia)(api_key="sentinel-key", base_url=self.service.url)

    @property
    def refusal(self) -> type[Exception]:
        from cartesia import APIStatusError

        return APIStatusError

    @property
    def asked(self) -> Any:
        return {"model_id": "sonic-3.5", "voice": VOICE, "output_format": RAW, "transcript": self.text}

    def speak(self) -> Any:
        return self._pieces_async() if self.is_async else self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        with self.client.tts.with_streaming_response.generate(**self.asked) as answer:
            yield from answer.iter_bytes()

    async def _pieces_async(self) -> AsyncIterator[bytes]:
        async with self.client.tts.with_streaming_response.generate(**self.asked) as answer:
            async for piece in answer.iter_bytes():
                yield piece

    def listen(self, **asked: Any) -> Any:
        return self.run(self.client.stt.transcribe(**{"file": b"sound", "model": "ink-whisper", **asked}))

    def transcribe(self) -> str:
        return str(self.listen().text)

    def look(self) -> None:
        found = self.client.voices.list()
        self.read(found) if self.is_async else list(found)

    def shut(self) -> Any:
        return self.client.close()


pytestmark = pytest.mark.filterwarnings("ignore:connect\\(\\) must:DeprecationWarning")  # the package's own


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=cartesia")


@pytest.fixture
def service() -> Iterator[Cartesia]:
    with Cartesia() as running:
        yield running
    assert running.errors == []


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest, service: Cartesia, _known: None) -> Iterator[Driver]:
    driving = CartesiaDriver(request.param, service)
    yield driving
    driving.close()


class TestPromises(Promises, Retries):
    pass


@pytest.mark.parametrize("way", ["whole", "streamed", "events"])
def test_speech(way: str, driver: CartesiaDriver, recorded: Recorded) -> None:
    """Characters are billed at about a credit each, whichever way: an estimate."""
    if way == "whole":
        driver.run(driver.client.tts.generate(**driver.asked))
    elif way == "streamed":
        driver.read(driver.speak())
    else:
        driver.read(driver.run(driver.client.tts.generate_sse(**driver.asked)))
    call = recorded.call
    assert said(call) == {
        "usage.input_characters": 39, "cost.status": "estimated", "cost.reason": "rate_estimated,usage_estimated",
        "cost.usd": "0.00195",
    }  # fmt: skip
    assert call[names.REQUEST_MODEL] == "sonic-3.5"


def test_infill(driver: CartesiaDriver, recorded: Recorded) -> None:
    """An infill costs 300 credits beside its characters."""
    infill: Any = {
        "output_format": RAW,
        "model_id": "sonic-2",
        "language": "en",
        "transcript": "and then",
        "voice_id": "v-1",
    }
    driver.run(driver.client.tts.infill(left_audio=b"l", right_audio=b"r", **infill))
    assert recorded.call[names.COST_USD] == "0.0154"
    assert recorded.call[names.COST_STATUS] == "estimated"


@pytest.mark.parametrize(
    ("model", "usd"), [("ink-whisper", "0.0003875"), ("ink-whisper-2025-06-04", "0.0003875"), ("ink-9", None)]
)
def test_transcription(model: str, usd: Any, driver: CartesiaDriver, recorded: Recorded) -> None:
    """The seconds of a recording are billed as they are reported."""
    driver.listen(model=model)
    call = recorded.call
    assert call[names.USAGE_PREFIX + "audio_seconds"] == "15.5"
    assert call.get(names.COST_USD) == usd
    assert call[names.COST_STATUS] == ("priced" if usd else "unpriced")
    assert call[names.RESPONSE_ID] == "r-1"


def test_a_duration_that_is_not_said(driver: CartesiaDriver, recorded: Recorded) -> None:
    """Seconds that nobody reports are unknown."""
    driver.service.seconds = None
    driver.listen()
    assert said(recorded.call) == {"cost.status": "unpriced", "cost.reason": "usage_not_reported"}


def speak_on_socket(kind: str, service: SocketService) -> list[str]:
    """Speak two texts at once, one of them in pieces, then one that fails; return the types of what came."""
    from cartesia import AsyncCartesia
    from cartesia import Cartesia as Client

    about: Any = {"model_id": "sonic-3.5", "voice": VOICE, "output_format": RAW}
    texts: list[Any] = [
        {**about, "context_id": "a", "transcript": "Hello ", "continue": True},
        {**about, "context_id": "b", "transcript": "Second"},
        {**about, "context_id": "a", "transcript": "there."},
        {**about, "context_id": "c", "transcript": "fail"},
    ]

    async def talk() -> list[str]:
        async with (
            AsyncCartesia(api_key="k", websocket_base_url=service.url) as client,
            client.tts.websocket_connect() as found,
        ):
            for text in texts:
                await found.send(text)
            return [(await found.recv()).type for _ in range(5)]

    if kind == "async":
        return asyncio.run(talk())
    with Client(api_key="k", websocket_base_url=service.url) as client, client.tts.websocket_connect() as socket:
        for text in texts:
            socket.send(text)
        return [socket.recv().type for _ in range(5)]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_speech_on_a_socket(kind: str, recorded: Recorded) -> None:
    """Each context is a call of its characters, sent in one piece or several; one that fails costs nothing."""
    content.configure(content.Capture.EVENT_ONLY)
    with SocketService(stand_in.speak) as service, otel_costs.session("s"):
        assert speak_on_socket(kind, service) == ["chunk", "done", "chunk", "done", "error"]
    calls = recorded.calls
    assert [(call.get(names.USAGE_PREFIX + "input_characters"), call[names.COST_USD]) for call in calls] == [
        (6, "0.0003"), (12, "0.0006"), (4, "0"),
    ]  # fmt: skip
    assert [call.get(names.ERROR_TYPE) for call in calls] == [None, None, "400"]
    assert [names.RESPONSE_TIME_TO_FIRST_CHUNK in call for call in calls] == [True, True, False]
    assert {call[names.SESSION_ID] for call in calls} == {"s"}
    assert [message["body"] for message in recorded.messages] == ["Second", "Hello there.", "fail"]


def listen_on_socket(kind: str, service: SocketService) -> list[str]:
    from cartesia import AsyncCartesia
    from cartesia import Cartesia as Client

    asked: Any = {"encoding": "pcm_s16le", "model": "ink-2", "sample_rate": 16000}

    async def talk() -> list[str]:
        async with (
            AsyncCartesia(api_key="k", websocket_base_url=service.url) as client,
            client.stt.manual_finalize.websocket(**asked) as found,
        ):
            for frame in (PCM, PCM, "close"):
                await found.send_raw(frame)
            return [(await found.recv()).type for _ in range(5)]

    if kind == "async":
        return asyncio.run(talk())
    with (
        Client(api_key="k", websocket_base_url=service.url) as client,
        client.stt.manual_finalize.websocket(**asked) as socket,
    ):
        for frame in (PCM, PCM, "close"):
            socket.send_raw(frame)
        return [socket.recv().type for _ in range(5)]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_live_transcription(kind: str, recorded: Recorded) -> None:
    """The seconds of the sound that was sent are billed at the live price, as an estimate."""
    content.configure(content.Capture.EVENT_ONLY)
    with SocketService(stand_in.listen) as service:
        assert listen_on_socket(kind, service) == ["transcript"] * 4 + ["done"]
    assert said(recorded.call) == {
        "usage.audio_seconds": "1", "usage.input_audio_seconds": "1", "cost.status": "estimated",
        "cost.reason": "usage_not_reported,usage_estimated", "cost.usd": "0.00015",
    }  # fmt: skip
    assert [message["body"] for message in recorded.messages] == ["Where is ", "my order"]
