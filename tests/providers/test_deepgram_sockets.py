"""Deepgram's sockets, through its own package, sync and async."""

import asyncio
import importlib
import json
import warnings
from contextlib import suppress
from typing import Any

import pytest

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.kit import speech_socket
from otel_costs.providers.kit.speech_socket import TranscriptionCall
from tests.support.recorded import Recorded
from tests.support.speech import deepgram as stand_in
from tests.support.speech.deepgram import HEARD
from tests.support.speech.promises import broken, said
from tests.support.speech.sockets import Part, SocketService

PCM = b"\x00\x01" * 8000
"""Half a second at 16,000 samples a second."""

pytestmark = pytest.mark.filterwarnings("ignore:websockets|:DeprecationWarning")  # the package's own


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=deepgram")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("listen.v1", "listen.v2", "speak.v1", "agent.v1"):
            importlib.import_module(f"deepgram.{module}.client")


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def environment(service: SocketService) -> Any:
    from deepgram.environment import DeepgramClientEnvironment

    url, web = service.url, service.http_url
    return DeepgramClientEnvironment(base=web, production=url, agent=url, agent_rest=web)


def converse(kind: str, service: SocketService, path: str, steps: list[Any], **options: Any) -> list[Any]:
    """Open a socket of the package, take the steps (bytes or messages are sent, a number is waited for), read the rest.

    Returns what was received.
    """
    from deepgram import AsyncDeepgramClient, DeepgramClient

    surface, version = path.split(".")
    if kind == "async":
        asynchronous = AsyncDeepgramClient(api_key="k", environment=environment(service))
        return asyncio.run(_converse(getattr(getattr(asynchronous, surface), version).connect(**options), steps))
    client = DeepgramClient(api_key="k", environment=environment(service))
    received: list[Any] = []
    with getattr(getattr(client, surface), version).connect(**options) as socket:
        for step in steps:
            if isinstance(step, int):
                received += [socket.recv() for _ in range(step)]
            else:
                socket._websocket.send(step)
        received += list(socket)
    return received


async def _converse(manager: Any, steps: list[Any]) -> list[Any]:
    received: list[Any] = []
    async with manager as socket:
        for step in steps:
            if isinstance(step, int):
                received += [await socket.recv() for _ in range(step)]
            else:
                await socket._websocket.send(step)
        received += [message async for message in socket]
    return received


CLOSE = json.dumps({"type": "CloseStream"})
LISTEN: Any = {"model": "nova-3", "encoding": "linear16", "sample_rate": 16000}


def served(part: Part) -> SocketService:
    return SocketService(part)


def test_live_transcription(kind: str, recorded: Recorded) -> None:
    """The seconds of the metadata are billed, at the live price, once for the connection."""
    content.configure(content.Capture.EVENT_ONLY)
    with served(stand_in.listen) as service, otel_costs.session("s", user="u"), otel_costs.step("hear"):
        received = converse(kind, service, "listen.v1", [PCM] * 4 + [CLOSE], **LISTEN)
    assert service.frames == [PCM] * 4 + [CLOSE]
    assert [message.type for message in received] == ["Results"] * 4 + ["Metadata"]
    call = recorded.call
    assert said(call) == {
        "usage.audio_seconds": "4.5", "usage.input_audio_seconds": "4.5",
        "cost.status": "estimated", "cost.reason": "rate_estimated", "cost.usd": "0.00036",
    }  # fmt: skip  # 4.5 / 60 * 0.0048
    wanted = {
        names.OPERATION_NAME: "speech_to_text", names.REQUEST_MODEL: "nova-3", names.PROVIDER_NAME: "deepgram",
        names.SESSION_ID: "s", names.USER_ID: "u", names.STEP: "hear",
    }  # fmt: skip
    assert wanted.items() <= call.items()
    assert [message["body"] for message in recorded.messages] == ["Where is my order", "A-1001?"]
    assert len(recorded.spans) == 1


@pytest.mark.parametrize(
    ("options", "seconds", "usd"),
    [
        ({"language": "multi"}, "4.5", "0.000435"),
        ({"diarize": True}, "4.5", "0.00051"),
        ({"multichannel": True, "channels": 2}, "9", "0.00072"),
    ],
)
def test_live_features(options: Any, seconds: Any, usd: str, kind: str, recorded: Recorded) -> None:
    """Language, features and channels change the price as they do for recordings."""
    with served(stand_in.listen) as service:
        converse(kind, service, "listen.v1", [PCM] * 4 + [CLOSE], **LISTEN, **options)
    assert recorded.call[names.USAGE_PREFIX + "audio_seconds"] == seconds
    assert recorded.call[names.COST_USD] == usd


def test_a_socket_that_breaks(kind: str, recorded: Recorded) -> None:
    """What was sent until the connection broke is billed as an estimate, and the record says that it broke."""
    with served(stand_in.listen_and_break) as service, pytest.raises(Exception, match="close"):
        converse(kind, service, "listen.v1", [PCM] * 3, **LISTEN)
    call = recorded.call
    assert call[names.ERROR_TYPE] == "1006"
    assert said(call) == {
        "usage.audio_seconds": "1.5", "usage.input_audio_seconds": "1.5", "cost.status": "estimated",
        "cost.reason": "usage_not_reported,rate_estimated", "cost.usd": "0.00012",
    }  # fmt: skip


def test_a_sound_of_unknown_length(kind: str, recorded: Recorded) -> None:
    """Where the sound's own format is not known, what was heard of it counts."""
    with served(stand_in.listen_and_break) as service, pytest.raises(Exception, match="close"):
        converse(kind, service, "listen.v1", [b"ogg"] * 3, model="nova-3")
    assert recorded.call[names.USAGE_PREFIX + "audio_seconds"] == "2"
    assert recorded.call[names.COST_STATUS] == "estimated"


def test_flux(kind: str, recorded: Recorded) -> None:
    """Flux says no seconds: those of the sound that was sent are an estimate, at its own price."""
    with served(stand_in.turns) as service:
        converse(
            kind, service, "listen.v2", [PCM, 4, CLOSE], model="flux-general-en", encoding="linear16",
            sample_rate=16000,
        )  # fmt: skip
    call = recorded.call
    assert call[names.USAGE_PREFIX + "audio_seconds"] == "0.5"
    assert (call[names.COST_USD], call[names.COST_STATUS]) == ("0.000054166667", "estimated")


def text(said: str) -> str:
    return json.dumps({"type": "Speak", "text": said})


FLUSH, END = json.dumps({"type": "Flush"}), json.dumps({"type": "Close"})


def test_speech(kind: str, recorded: Recorded) -> None:
    """Each flush is a call, of the characters that were sent until then; what was never flushed is one too."""
    content.configure(content.Capture.EVENT_ONLY)
    steps = [1, text("Hello "), text("there."), FLUSH, 2, text("Bye"), FLUSH, 2, text("unheard"), END]
    with served(stand_in.speak) as service, otel_costs.session("s"):
        converse(kind, service, "speak.v1", steps, model="aura-2-thalia-en")
    assert [
        (call[names.USAGE_PREFIX + "input_characters"], call[names.COST_USD], call[names.COST_STATUS])
        for call in recorded.calls
    ] == [(12, "0.00036", "estimated"), (3, "0.00009", "estimated"), (7, "0.00021", "estimated")]
    assert [message["body"] for message in recorded.messages] == ["Hello there.", "Bye", "unheard"]
    assert [names.RESPONSE_TIME_TO_FIRST_CHUNK in call for call in recorded.calls] == [True, True, False]


def test_speech_that_is_counted() -> None:
    """The second API says the characters that it bills, of a text that was interrupted too."""
    kept = Recorded()
    CostsInstrumentor().instrument(**kept.providers)
    try:
        from otel_costs.providers.deepgram.sockets import match
        from otel_costs.transports.websocket import Handshake

        observer = match(Handshake("api.deepgram.com", 443, "/v2/speak", "model=aura-2-thalia-en", {}))
        assert observer is not None
        for sent, received in (
            (text("Hello\x07"), {"type": "SpeechMetadata", "billable_character_count": 5}),
            (text("Never mind"), {"type": "SpeechInterrupted", "metadata": {"billable_character_count": 4}}),
        ):
            observer.sent(sent)
            observer.sent(FLUSH)
            observer.received(json.dumps({"type": "Flushed"}))
            observer.received(json.dumps(received))
        observer.received(json.dumps({"type": "SessionMetadata", "total_billable_character_count": 9}))
        observer.closed(None)
        found = [(call[names.USAGE_PREFIX + "input_characters"], call[names.COST_STATUS]) for call in kept.calls]
        assert found == [(5, "priced"), (4, "priced")]
    finally:
        CostsInstrumentor().uninstrument()


def test_a_voice_agent(kind: str, recorded: Recorded) -> None:
    """A conversation with an agent is recorded with its seconds and its words; its price is not known."""
    content.configure(content.Capture.EVENT_ONLY)
    with served(stand_in.converse) as service:
        converse(kind, service, "agent.v1", [1, json.dumps({"type": "Settings"}), 4, json.dumps({"type": "KeepAlive"})])
    call = recorded.call
    assert (call[names.OPERATION_NAME], call[names.COST_STATUS]) == ("realtime_inference", "unpriced")
    assert float(call[names.USAGE_PREFIX + "audio_seconds"]) > 0
    assert [(found[names.MESSAGE_ROLE], found["body"]) for found in recorded.messages] == [
        ("user", HEARD),
        ("assistant", "It is on its way."),
    ]


def test_content_is_off(kind: str, recorded: Recorded) -> None:
    """No word of what was heard leaves the process."""
    with served(stand_in.listen) as service, otel_costs.session("s"):
        converse(kind, service, "listen.v1", [PCM] * 4 + [CLOSE], **LISTEN)
    everything = repr([found.log_record for found in recorded.log_exporter.get_finished_logs()])
    assert "order" not in everything
    assert [message["body"] for message in recorded.messages] == [None, None]


def test_a_budget_that_is_spent(kind: str, recorded: Recorded) -> None:
    """Neither sound nor text is sent once the budget is spent."""
    with otel_costs.session("s", budget_usd="0.000001") as session:
        otel_costs.record("chat", provider="acme", model="m", usage={"input_tokens": 1}, cost_usd="1")
        assert session.cost_usd == 1
        with served(stand_in.listen) as service:
            with pytest.raises(otel_costs.BudgetExceeded):
                converse(kind, service, "listen.v1", [PCM], **LISTEN)
            assert service.frames == []
        with served(stand_in.speak) as service:
            with pytest.raises(otel_costs.BudgetExceeded):
                converse(kind, service, "speak.v1", [text("Hello")], model="aura-2-thalia-en")
            assert service.frames == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *((TranscriptionCall, name) for name in ("__init__", "audio_sent", "transcript_received", "closed", "_finish")),
        (speech_socket, "_start"),
    ],
)
def test_a_bug_of_ours(owner: Any, name: str, kind: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application sends and receives what it would have, whatever of ours raises."""
    monkeypatch.setattr(owner, name, broken)
    with served(stand_in.listen) as service:
        received = converse(kind, service, "listen.v1", [PCM] * 4 + [CLOSE], **LISTEN)
    assert service.frames == [PCM] * 4 + [CLOSE]
    assert len(received) == 5


@pytest.mark.parametrize(
    "said", ["", "{", "[]", "null", '{"type": "Metadata"}', '{"type": "Results", "is_final": true}']
)
def test_a_message_that_nobody_knows(said: str, kind: str, recorded: Recorded) -> None:
    """A malformed or unknown message passes, and the record is there."""

    def part(service: SocketService, connection: Any) -> None:
        service.take(connection)
        connection.send(said)

    with (
        served(part) as service,
        suppress(ValueError, AttributeError, TypeError),
    ):  # the package takes not every message
        converse(kind, service, "listen.v1", [PCM], **LISTEN)
    assert recorded.call[names.USAGE_PREFIX + "audio_seconds"] == "0.5"
