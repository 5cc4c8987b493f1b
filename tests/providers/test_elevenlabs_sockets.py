"""ElevenLabs' sockets, through its own package where that has them."""

import asyncio
import base64
import json
from typing import Any

import pytest
import websockets.sync.client

import otel_costs
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.elevenlabs import sockets
from tests.support.recorded import Recorded
from tests.support.speech import elevenlabs as stand_in
from tests.support.speech.elevenlabs import HEARD, SOUND
from tests.support.speech.promises import broken, said
from tests.support.speech.sockets import SocketService, break_off

pytestmark = pytest.mark.filterwarnings("ignore:ConnectionClosed:DeprecationWarning")  # the package's own


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=elevenlabs")


def speak(service: SocketService, *pieces: str, model: str = "eleven_flash_v2_5") -> list[bytes]:
    """Have the package speak a text that comes in pieces."""
    from elevenlabs.client import ElevenLabs

    client = ElevenLabs(api_key="k", base_url=service.http_url)
    speech: Any = client.text_to_speech
    speech._ws_base_url = service.url  # it would want TLS
    return list(speech.convert_realtime(voice_id="george", text=iter(pieces), model_id=model))


def test_speech(recorded: Recorded) -> None:
    """A text that is sent in pieces is one call, of its characters, at the price of the model."""
    content.configure(content.Capture.EVENT_ONLY)
    with SocketService(stand_in.speak) as service, otel_costs.session("s"):
        sounds = speak(service, "Hello there, ", "how are you?")
    assert sounds
    assert set(sounds) == {SOUND}
    sent = "".join(json.loads(frame)["text"] for frame in service.frames).strip()
    call = recorded.call
    # The package adds a space to what it sends, which is billed.
    assert call[names.USAGE_PREFIX + "input_characters"] == len(sent) + 1
    assert (call[names.COST_STATUS], call[names.REQUEST_MODEL]) == ("estimated", "eleven_flash_v2_5")
    assert call[names.SESSION_ID] == "s"
    assert [message["body"].strip() for message in recorded.messages] == [sent]
    assert len(recorded.spans) == 1


def test_speech_that_breaks_off(recorded: Recorded) -> None:
    """What was sent is billed, and the record says that the connection broke."""

    def part(service: SocketService, connection: Any) -> None:
        for _ in range(2):
            service.take(connection)
        break_off(connection)

    with SocketService(part) as service, pytest.raises(Exception, match=r"close|'data'|1006"):
        speak(service, "Hello there. ", "Bye. ")
    assert recorded.call[names.ERROR_TYPE] == "1006"
    assert recorded.call[names.COST_STATUS] == "estimated"


def test_several_texts_on_a_socket(recorded: Recorded) -> None:
    """Each context is a call of its own."""

    def part(service: SocketService, connection: Any) -> None:
        for _ in range(3):
            service.take(connection)
        connection.send(json.dumps({"is_final": True, "context_id": "a"}))
        service.take(connection)

    with SocketService(part) as service:
        url = f"{service.url}/v1/text-to-speech/george/multi-stream-input?model_id=eleven_v3"
        with websockets.sync.client.connect(url) as socket:
            for context, text in (("a", "One"), ("b", "Second"), ("a", "Two")):
                socket.send(json.dumps({"text": text, "context_id": context}))
            socket.recv()
            socket.send(json.dumps({"close_socket": True}))
    assert [call[names.USAGE_PREFIX + "input_characters"] for call in recorded.calls] == [6, 6]
    assert [call[names.COST_USD] for call in recorded.calls] == ["0.00048", "0.00048"]


async def transcribe(service: SocketService, size: int) -> list[Any]:
    from elevenlabs import AudioFormat
    from elevenlabs.realtime.scribe import ScribeRealtime

    options: Any = {"model_id": "scribe_v2_realtime", "audio_format": AudioFormat.PCM_16000, "sample_rate": 16000}
    connection = await ScribeRealtime("k", service.url).connect(options)
    heard: list[Any] = []
    done = asyncio.Event()

    def take(data: Any) -> None:
        heard.append(data)
        done.set()

    connection.on("committed_transcript", take)
    await connection.send({"audio_base_64": base64.b64encode(b"\0" * size).decode()})
    await connection.commit()
    await done.wait()
    await connection.close()
    return heard


@pytest.mark.parametrize(
    ("size", "seconds", "usd"), [(32_000, "1", "0.000108333333"), (16_001, "0.5", "0.000054166667")]
)
def test_live_transcription(size: int, seconds: Any, usd: str, recorded: Recorded) -> None:
    """The seconds of the sound that was sent are billed, as an estimate: the service says none."""
    content.configure(content.Capture.EVENT_ONLY)
    with SocketService(stand_in.listen) as service, otel_costs.session("s", user="u"):
        heard = asyncio.run(transcribe(service, size))
    assert [found["text"] for found in heard] == [HEARD]
    assert said(recorded.call) == {
        "usage.audio_seconds": seconds, "usage.input_audio_seconds": seconds, "cost.status": "estimated",
        "cost.reason": "usage_not_reported,usage_estimated", "cost.usd": usd,
    }  # fmt: skip
    assert recorded.call[names.USER_ID] == "u"
    assert [message["body"] for message in recorded.messages] == [HEARD]


@pytest.mark.parametrize(
    "name", ["_Transcription.sent", "_Transcription.received", "_decoded", "_Transcription.__init__"]
)
def test_a_bug_of_ours(name: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application hears what it would have, whatever of ours raises."""
    owner, _, attribute = name.rpartition(".")
    monkeypatch.setattr(getattr(sockets, owner) if owner else sockets, attribute, broken)
    with SocketService(stand_in.listen) as service:
        assert [found["text"] for found in asyncio.run(transcribe(service, 32_000))] == [HEARD]


@pytest.mark.parametrize("size", range(7))
def test_decoded(size: int) -> None:
    """The bytes of a sound are known from its base64."""
    frame = json.dumps({"audio_base_64": base64.b64encode(b"\0" * size).decode(), "commit": True})
    assert sockets._decoded(frame, frame.index('_64"') + 4) == size
    assert sockets._decoded('{"audio_base_64": 5}', 16) == 0
