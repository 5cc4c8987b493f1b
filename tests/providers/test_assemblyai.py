"""AssemblyAI, through its own package: transcripts as jobs, speech, its gateway, and its sockets."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import assemblyai as aai
import pytest

import otel_costs
from otel_costs import pricing
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.assemblyai import sockets
from otel_costs.transports.websocket import Handshake
from tests.support.recorded import Recorded
from tests.support.speech import assemblyai as stand_in
from tests.support.speech.assemblyai import HEARD, AssemblyAI
from tests.support.speech.driver import Driver
from tests.support.speech.promises import Promises, said
from tests.support.speech.sockets import Part, SocketService

WAV = "https://example.com/a.wav"


class AssemblyAIDriver(Driver):
    """`transcribe` is of the sync API: that of jobs has tests of its own."""

    provider = "assemblyai"
    heard = HEARD

    def open(self) -> Any:
        url = self.service.url
        settings = aai.Settings(
            api_key="sentinel-key", base_url=url, sync_base_url=url, tts_base_url=url, llm_gateway_base_url=url,
            polling_interval=0.001,
        )  # fmt: skip
        return (aai.AsyncClient if self.is_async else aai.Client)(settings=settings)

    @property
    def refusal(self) -> type[Exception]:
        return aai.AssemblyAIError

    @property
    def breakage(self) -> type[Exception]:
        import assemblyai.tts as tts

        return tts.TTSError

    def speak(self) -> Any:
        return self._pieces_async() if self.is_async else self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        import assemblyai.tts as tts

        with tts.TextToSpeech(client=self.client).stream(self.text) as speech:
            yield from speech

    async def _pieces_async(self) -> AsyncIterator[bytes]:
        import assemblyai.tts as tts

        async with tts.AsyncTextToSpeech(client=self.client).stream(self.text) as speech:
            async for piece in speech:
                yield piece

    def transcribe(self) -> str:
        kind = aai.AsyncSyncTranscriber if self.is_async else aai.SyncTranscriber
        return str(self.run(kind(client=self.client).transcribe(stand_in.SOUND, _PCM)).text)

    def submit(self, **config: Any) -> Any:
        """Submit a transcript, and look at it until it is completed."""
        kind = aai.AsyncTranscriber if self.is_async else aai.Transcriber
        return self.run(kind(client=self.client).transcribe(WAV, aai.TranscriptionConfig(**config)))

    def look_again(self, transcript: Any) -> None:
        """Look at a transcript that is completed."""
        if self.is_async:
            self.run(aai.AsyncTranscriber(client=self.client).get_by_id(transcript.id))
        else:
            transcript.wait_for_completion()

    def look(self) -> None:
        kind = aai.AsyncTranscriber if self.is_async else aai.Transcriber
        self.run(kind(client=self.client).list_transcripts())

    def shut(self) -> Any:
        return self.client.aclose() if self.is_async else self.client.http_client.close()


_PCM = aai.SyncTranscriptionConfig(sample_rate=16000, channels=1)

pytestmark = pytest.mark.filterwarnings(r"ignore:(connect\(\) must|ConnectionClosed):DeprecationWarning")  # its own


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=assemblyai")


@pytest.fixture
def service() -> Iterator[AssemblyAI]:
    with AssemblyAI() as running:
        yield running
    assert running.errors == []


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest, service: AssemblyAI, _known: None) -> Iterator[Driver]:
    driving = AssemblyAIDriver(request.param, service)
    yield driving
    driving.close()


class TestPromises(Promises):
    @pytest.fixture(autouse=True)
    def _priced(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Give speech a price: nobody publishes its own."""
        mine = tmp_path / "mine.yaml"
        mine.write_text(
            "version: m\ncurrency: USD\nprices:\n  - provider: assemblyai\n    match: {model: tts-1}\n"
            '    rates: {input_characters: {usd: "1", per: 1000}}\n'
        )
        monkeypatch.setenv(names.ENV_PRICES, str(mine))
        pricing.use(None)
        yield
        pricing.use(None)


@pytest.mark.some(6)
@pytest.mark.parametrize(
    ("config", "model", "usd", "status"),
    [
        ({}, "universal-2", "0.000625", "priced"),  # 15 / 3600 * 0.15
        ({"speech_models": ["universal-3-5-pro"]}, "universal-3-5-pro", "0.000875", "priced"),
        ({"speaker_labels": True}, "universal-2", "0.000708333333", "priced"),
        ({"entity_detection": True}, "universal-2", "0.000625", "estimated"),
        ({"domain": "medical-v1"}, "universal-2", "0.000625", "estimated"),
        ({"prompt": "Names of ships"}, "universal-2", "0.000625", "estimated"),
    ],
)
def test_a_transcript(
    config: Any, model: str, usd: str, status: str, driver: AssemblyAIDriver, recorded: Recorded
) -> None:
    """A transcript is billed once, by its id, when a look finds it completed; until then its record is pending."""
    with otel_costs.session("s", user="u") as session:
        found = driver.submit(**config)
    assert found.text == HEARD
    assert driver.service.looks == {"t-1": 3}
    pending, billed = recorded.calls
    assert pending[names.CALL_ID] == billed[names.CALL_ID]
    assert pending[names.CALL_ID][12] == "5"
    assert (pending[names.CALL_REVISION], billed[names.CALL_REVISION]) == (0, 1)
    assert (pending[names.COST_STATUS], pending[names.COST_REASON]) == ("unpriced", "job_not_ended")
    assert billed[names.USAGE_PREFIX + "audio_seconds"] == "15"
    assert (billed[names.RESPONSE_MODEL], billed[names.COST_USD], billed[names.COST_STATUS]) == (model, usd, status)
    assert [call[names.SESSION_ID] for call in (pending, billed)] == ["s", "s"]
    assert billed[names.RESPONSE_ID] == "t-1"
    assert session.cost_usd == Decimal(usd)


def test_a_transcript_that_is_looked_at_again(driver: AssemblyAIDriver, recorded: Recorded) -> None:
    """Whoever looks, and however often: it is billed once, to the session that submitted it."""
    content.configure(content.Capture.EVENT_ONLY)
    with otel_costs.session("s"):
        found = driver.submit()
    with otel_costs.session("another") as another:
        for _ in range(2):
            driver.look_again(found)
    assert len(recorded.calls) == 2
    assert another.cost_usd == 0
    assert [(message["body"], message[names.SESSION_ID]) for message in recorded.messages] == [(HEARD, "s")]


def test_a_transcript_that_fails(driver: AssemblyAIDriver, recorded: Recorded) -> None:
    """A transcript that fails is not charged, and that is known."""
    driver.service.status = "error"
    assert driver.submit().error == "no sound"
    billed = recorded.calls[-1]
    assert (billed[names.COST_USD], billed[names.CALL_REVISION]) == ("0", 1)
    assert billed[names.ERROR_TYPE] == "transcript_failed"


def test_speech(driver: AssemblyAIDriver, recorded: Recorded) -> None:
    """The characters that the header says are billed; what they cost is not published."""
    driver.read(driver.speak())
    assert recorded.call[names.USAGE_PREFIX + "input_characters"] == 39
    assert (recorded.call[names.COST_STATUS], recorded.call[names.RESPONSE_MODEL]) == ("unpriced", "tts-1")


def test_the_sync_api(driver: AssemblyAIDriver, recorded: Recorded) -> None:
    """A transcription that is answered at once has its own price."""
    driver.transcribe()
    call = recorded.call
    assert said(call) == {
        "usage.audio_seconds": "15.5", "usage.input_audio_seconds": "15.5", "cost.status": "priced",
        "cost.usd": "0.001291666667",
    }  # fmt: skip  # 15.5 / 3600 * 0.30
    assert call[names.REQUEST_MODEL] == "universal-3-5-pro"


@pytest.mark.parametrize("stream", [False, True])
def test_the_gateway(stream: bool, driver: AssemblyAIDriver, recorded: Recorded) -> None:
    """Tokens of a language model behind the gateway are recorded; the gateway's own prices are not known."""
    kind = aai.AsyncLLMGateway if driver.is_async else aai.LLMGateway
    gateway: Any = kind(client=driver.client)
    asked: Any = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hello"}]}
    if stream:
        chunks = driver.run(gateway.chat.completions.create(**asked, stream=True))
        assert driver.read(chunks)[0].choices[0].delta.content == HEARD
    else:
        assert driver.run(gateway.chat.completions.create(**asked)).choices[0].message.content == HEARD
    call = recorded.call
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == (120, 30)
    assert (call[names.OPERATION_NAME], call[names.REQUEST_MODEL]) == ("chat", "gpt-4.1")
    assert call[names.COST_STATUS] == "unpriced"


def stream(part: Part, *sounds: bytes, terminate: bool = True, **params: Any) -> tuple[SocketService, list[str]]:
    """Have the package transcribe live; return the server, and the transcripts of turns that ended."""
    from assemblyai.streaming.v3 import (
        RealTimeEvents,
        RealTimeParameters,
        RealTimeTranscriber,
        RealTimeTranscriberOptions,
    )

    turns: list[str] = []
    heard, gone = threading.Event(), threading.Event()
    with SocketService(part) as service:
        client = RealTimeTranscriber(RealTimeTranscriberOptions(api_key="k", api_host=service.url, connect_timeout=30))

        def take(_: Any, event: Any) -> None:
            if event.end_of_turn:
                turns.append(event.transcript)
                heard.set()

        client.on(RealTimeEvents.Turn, take)
        client.on(RealTimeEvents.Error, lambda *_: gone.set())
        asked: Any = {"sample_rate": 16000, "speech_model": "universal-streaming-english", **params}
        client.connect(RealTimeParameters(**asked))
        for sound in sounds:
            client.stream(sound)
        (heard if terminate else gone).wait(30)
        client.disconnect(terminate=terminate)
    return service, turns


@pytest.mark.parametrize(
    ("model", "usd"),
    [("universal-streaming-english", "0.000625"), ("u3-rt-pro", "0.001875"), ("whisper-rt", "0.00125")],
)
def test_live_transcription(model: str, usd: str, recorded: Recorded) -> None:
    """The time of the connection is billed, not the seconds of the sound."""
    content.configure(content.Capture.EVENT_ONLY)
    with otel_costs.session("s", user="u"):
        _, turns = stream(stand_in.listen, b"\0" * 1600, speech_model=model)
    assert turns == ["where is my order"]
    assert said(recorded.call) == {
        "usage.audio_seconds": "15", "usage.input_audio_seconds": "15", "cost.status": "priced", "cost.usd": usd,
    }  # fmt: skip
    wanted = {names.SESSION_ID: "s", names.USER_ID: "u", names.REQUEST_MODEL: model}
    assert wanted.items() <= recorded.call.items()
    assert [message["body"] for message in recorded.messages] == ["where is my order"]


def test_turns_that_are_formatted(recorded: Recorded) -> None:
    """A turn that comes twice, plain and formatted, is one message."""
    content.configure(content.Capture.EVENT_ONLY)
    stream(stand_in.listen, b"\0" * 1600, format_turns=True)
    assert [message["body"] for message in recorded.messages] == [HEARD]


def test_a_connection_that_breaks(recorded: Recorded) -> None:
    """Without a word about its time, the time that it was seen open is an estimate."""
    stream(stand_in.listen_and_break, b"\0" * 1600, terminate=False)
    call = recorded.call
    assert (call[names.ERROR_TYPE], call[names.COST_STATUS]) == ("1006", "estimated")
    assert 0 < Decimal(call[names.USAGE_PREFIX + "audio_seconds"]) < 60


def test_speech_on_a_socket(recorded: Recorded) -> None:
    """The characters that the termination says are billed."""
    observer = sockets.match(Handshake("127.0.0.1", 80, "/v1/ws", "", {}))
    assert observer is not None
    for frame in ({"type": "Generate", "text": "Hello "}, {"type": "Generate", "text": "there"}, {"type": "Flush"}):
        observer.sent(json.dumps(frame))
    observer.received(json.dumps({"type": "Termination", "total_input_char_length": 10}))
    observer.closed(None)
    assert recorded.call[names.USAGE_PREFIX + "input_characters"] == 10
    assert sockets.match(Handshake("agents.assemblyai.com", 443, "/v1/ws", "", {})) is None
