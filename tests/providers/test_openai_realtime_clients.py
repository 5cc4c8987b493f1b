"""A whole spoken session through real clients, against the stand-in: every record exact, whoever carries the events."""

import asyncio
import base64
import json
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import aiohttp
import openai
import pytest
import websockets.asyncio.client
import websockets.sync.client

import otel_costs
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.openai_realtime import frames
from otel_costs.providers.openai_realtime.connection import Connection
from otel_costs.stand_in import Provider, Turn
from tests.providers.conftest import usd
from tests.support.recorded import Recorded, instrumented

# openai 3.54 calls `connect` of the synchronous websockets without a `with` block.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")

Step = str | Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""An event's type to wait for; an event to send; or one to make of the last event that came."""

_TONE = struct.pack("<4h", 0, 800, 0, -800) * 6000  # a second at 24 kHz
_SILENCE = bytes(24_000)  # half a second, which ends a turn


def _sound(data: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}


def _usage(text: tuple[int, int], audio: tuple[int, int], said: tuple[int, int]) -> dict[str, Any]:
    """Return a usage of (tokens, cached of them) in, and (text, audio) out."""
    return {
        "total_tokens": text[0] + audio[0] + sum(said),
        "input_tokens": text[0] + audio[0],
        "output_tokens": sum(said),
        "input_token_details": {
            "text_tokens": text[0],
            "audio_tokens": audio[0],
            "image_tokens": 0,
            "cached_tokens": text[1] + audio[1],
            "cached_tokens_details": {"text_tokens": text[1], "audio_tokens": audio[1], "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": said[0], "audio_tokens": said[1]},
    }


TURNS = (
    Turn(
        heard="Where is my parcel A-1001?",
        calls=(("track_parcel", '{"parcel": "A-1001"}'),),
        transcribed="after",
        usage=_usage((1000, 0), (200, 0), (20, 0)),
        transcription_usage={
            "type": "tokens",
            "total_tokens": 75,
            "input_tokens": 60,
            "input_token_details": {"text_tokens": 0, "audio_tokens": 60},
            "output_tokens": 15,
        },
    ),
    Turn(
        says="It is in the depot in Leeds, and it will be with you tomorrow.",
        interrupted_after=2,
        usage=_usage((1050, 1024), (250, 128), (10, 40)),
    ),
    Turn(
        heard="Thank you.",
        says="You are welcome.",
        usage=_usage((1080, 1024), (330, 192), (5, 30)),
        transcription_usage={"type": "duration", "seconds": 1.5},
    ),
)
COSTS = [
    # gpt-realtime-2 costs 4 (cached 0.40) and 24 per million tokens of text, 32 (cached 0.40) and 64 of audio.
    ("realtime_inference", "0.01088"),  # 1,000 x 4 + 200 x 32 + 20 x 24 = 10,880
    ("speech_to_text", "0.0003"),  # gpt-4o-transcribe: 60 x 2.50 + 15 x 10 = 300
    ("realtime_inference", "0.0072688"),  # 26 x 4 + 1,024 x 0.4 + 122 x 32 + 128 x 0.4 + 10 x 24 + 40 x 64 = 7,268.8
    ("speech_to_text", "0.00015"),  # 1.5 s at 0.006 a minute
    ("realtime_inference", "0.0071664"),  # 56 x 4 + 1,024 x 0.4 + 138 x 32 + 192 x 0.4 + 5 x 24 + 30 x 64 = 7,166.4
]
TOTAL = Decimal("0.0257652")


def _result(last: Mapping[str, Any]) -> Mapping[str, Any]:
    (call,) = last["response"]["output"]
    item = {"type": "function_call_output", "call_id": call["call_id"], "output": "In Leeds."}
    return {"type": "conversation.item.create", "item": item}


def _truncation(last: Mapping[str, Any]) -> Mapping[str, Any]:
    (item,) = last["response"]["output"]
    return {"type": "conversation.item.truncate", "item_id": item["id"], "content_index": 0, "audio_end_ms": 300}


SPOKEN: Sequence[Step] = (
    "session.created",
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
            "tools": [{"type": "function", "name": "track_parcel", "parameters": {}}],
        },
    },
    "session.updated",
    _sound(_TONE),
    _sound(_SILENCE),
    "response.done",
    _result,
    {"type": "response.create"},
    "response.output_audio.delta",
    "response.output_audio.delta",
    _sound(_TONE),
    "response.done",
    _truncation,
    _sound(_SILENCE),
    "rate_limits.updated",
    "rate_limits.updated",
)
BETA: Sequence[Step] = (
    "session.created",
    {"type": "session.update", "session": {"input_audio_transcription": {"model": "gpt-4o-transcribe"}}},
    "session.updated",
    *SPOKEN[3:8],
    "response.audio.delta",
    "response.audio.delta",
    *SPOKEN[10:],
)


def _event(frame: Any) -> Mapping[str, Any]:
    found = json.loads(frame) if isinstance(frame, str | bytes) else frame.to_dict()
    assert isinstance(found, dict)
    return found


def _play(steps: Sequence[Step], send: Callable[[Mapping[str, Any]], object], receive: Callable[[], Any]) -> None:
    last: Mapping[str, Any] = {}
    for step in steps:
        if isinstance(step, str):
            last = _event(receive())
            while last["type"] != step:
                last = _event(receive())
        else:
            send(step(last) if callable(step) else step)


async def _play_async(steps: Sequence[Step], send: Callable[[Any], Any], receive: Callable[[], Any]) -> None:
    last: Mapping[str, Any] = {}
    for step in steps:
        if isinstance(step, str):
            last = _event(await receive())
            while last["type"] != step:
                last = _event(await receive())
        else:
            await send(step(last) if callable(step) else step)


def _client(provider: Provider) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-sentinel-key", base_url=provider.base_url)


def _recv(provider: Provider, steps: Sequence[Step]) -> None:
    with _client(provider) as client, client.realtime.connect(model="gpt-realtime-2") as connection:
        _play(steps, connection.send, connection.recv)  # type: ignore[arg-type]


def _iteration(provider: Provider, steps: Sequence[Step]) -> None:
    with _client(provider) as client, client.realtime.connect(model="gpt-realtime-2") as connection:
        events = iter(connection)
        _play(steps, connection.send, lambda: next(events))  # type: ignore[arg-type]


def _async_client(provider: Provider, steps: Sequence[Step]) -> None:
    async def talk() -> None:
        async with (
            openai.AsyncOpenAI(api_key="sk-sentinel-key", base_url=provider.base_url) as client,
            client.realtime.connect(model="gpt-realtime-2") as connection,
        ):
            await _play_async(steps, connection.send, connection.recv)

    asyncio.run(talk())


def _async_iteration(provider: Provider, steps: Sequence[Step]) -> None:
    async def talk() -> None:
        client = openai.AsyncOpenAI(api_key="sk-sentinel-key", base_url=provider.base_url)
        connection = await client.realtime.connect(model="gpt-realtime-2").enter()
        events = aiter(connection)
        await _play_async(steps, connection.send, lambda: anext(events))
        await connection.close()
        await client.close()

    asyncio.run(talk())


def _address(provider: Provider) -> str:
    return provider.base_url.replace("http://", "ws://") + "/realtime?model=gpt-realtime-2"


_KEY = {"Authorization": "Bearer sk-sentinel-key"}


def _raw(provider: Provider, steps: Sequence[Step]) -> None:
    with websockets.sync.client.connect(_address(provider), additional_headers=_KEY) as socket:
        _play(steps, lambda event: socket.send(json.dumps(event)), socket.recv)


def _raw_async(provider: Provider, steps: Sequence[Step]) -> None:
    async def talk() -> None:
        async with websockets.asyncio.client.connect(_address(provider), additional_headers=_KEY) as socket:
            await _play_async(steps, lambda event: socket.send(json.dumps(event)), socket.recv)

    asyncio.run(talk())


def _raw_beta(provider: Provider, _: Sequence[Step]) -> None:
    headers = {**_KEY, "OpenAI-Beta": "realtime=v1"}
    with websockets.sync.client.connect(_address(provider), additional_headers=headers) as socket:
        _play(BETA, lambda event: socket.send(json.dumps(event)), socket.recv)


def _aiohttp(provider: Provider, steps: Sequence[Step]) -> None:
    async def talk() -> None:
        async with aiohttp.ClientSession(headers=_KEY) as http, http.ws_connect(_address(provider)) as socket:
            await _play_async(steps, socket.send_json, socket.receive_str)

    asyncio.run(talk())


CLIENTS = [_recv, _iteration, _async_client, _async_iteration, _raw, _raw_async, _aiohttp]


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__.strip("_"))
def talk(request: pytest.FixtureRequest, provider: Provider) -> Callable[[Sequence[Step]], None]:
    """Talk to the stand-in through each client."""
    return lambda steps: request.param(provider, steps)


def test_a_session_is_exact_to_the_digit(
    recorded: Recorded, provider: Provider, talk: Callable[[Sequence[Step]], None]
) -> None:
    """Each response and each transcription is one call, at its own model's price, whoever carries the events."""
    provider.realtime.script(*TURNS)
    talk(SPOKEN)
    found = sorted(recorded.calls, key=lambda call: call[names.START_TIME_UNIX_NANO])
    assert sorted((call[names.OPERATION_NAME], call[names.COST_USD]) for call in found) == sorted(COSTS)
    assert [call[names.COST_STATUS] for call in found if call[names.OPERATION_NAME] == "realtime_inference"] == [
        "priced", "priced", "priced",
    ]  # fmt: skip
    assert [call.get(names.REALTIME_STATUS) for call in found if names.REALTIME_STATUS in call] == [
        "completed", "cancelled", "completed",
    ]  # fmt: skip
    (session,) = recorded.records(names.SESSION_EVENT)
    assert Decimal(session[names.COST_USD]) == TOTAL == sum(map(usd, found))
    assert session[names.SESSION_CALLS] == 5
    (opened,) = provider.realtime.sessions
    assert {call[names.SESSION_ID] for call in found} == {opened.id} == {session[names.SESSION_ID]}
    assert {call[names.REALTIME_SESSION_ID] for call in found} == {opened.id}


def test_the_conversation_reads_as_it_was(
    recorded: Recorded, provider: Provider, talk: Callable[[Sequence[Step]], None]
) -> None:
    """Each item is one message, in order; a transcript that comes after the answer stands before it."""
    content.configure(content.Capture.EVENT_ONLY)
    provider.realtime.script(*TURNS)
    talk(SPOKEN)
    found = sorted(recorded.messages, key=lambda message: (message["timestamp"], message[names.MESSAGE_INDEX]))
    assert [
        (
            message[names.MESSAGE_ROLE],
            message[names.MESSAGE_TYPE],
            message["body"],
            message.get(names.MESSAGE_ARGUMENTS),
        )
        for message in found
    ] == [
        ("user", "audio", "Where is my parcel A-1001?", None),
        ("assistant", "function_call", None, '{"parcel": "A-1001"}'),
        ("function", "function_result", "In Leeds.", '{"parcel": "A-1001"}'),
        ("assistant", "audio", "It is in the depot in Leeds,"[: len(found[3]["body"])], None),
        ("user", "audio", "Thank you.", None),
        ("assistant", "audio", "You are welcome.", None),
    ]
    assert [message[names.MESSAGE_INDEX] for message in found] == [0, 1, 2, 3, 4, 5]
    assert [message.get(names.MESSAGE_AUDIO_SECONDS) for message in found] == ["1.5", None, None, "0.3", "1.5", "1.100"]
    assert [message.get(names.MESSAGE_INTERRUPTED) for message in found] == [
        None,
        None,
        None,
        "turn_detected",
        None,
        None,
    ]
    assert [message[names.MESSAGE_BYTES] for message in found] == [72_000, 20, 9, 19_200, 72_000, 52_800]
    (opened,) = provider.realtime.sessions
    assert {message[names.SESSION_ID] for message in found} == {opened.id}
    assert len({message[names.MESSAGE_ID] for message in found}) == 6


def test_the_calls_are_children_of_the_connection(
    recorded: Recorded, provider: Provider, talk: Callable[[Sequence[Step]], None]
) -> None:
    """The connection's span is the parent, and lasts the longest."""
    provider.realtime.script(*TURNS)
    talk(SPOKEN)
    (connection,) = (span for span in recorded.spans if span.name == "realtime gpt-realtime-2")
    assert connection.context is not None
    children = [span for span in recorded.spans if span is not connection]
    assert {span.parent and span.parent.span_id for span in children} == {connection.context.span_id}
    names_of = sorted(span.name.partition(" ")[0] for span in children)
    assert names_of == ["execute_tool", *["realtime_inference"] * 3, *["speech_to_text"] * 2]
    assert all((connection.start_time or 0) <= (span.start_time or 0) for span in children)
    assert all((connection.end_time or 0) >= (span.end_time or 0) for span in children)


def test_content_is_off_by_default(
    recorded: Recorded, provider: Provider, talk: Callable[[Sequence[Step]], None]
) -> None:
    """No word of it is anywhere; the money is the same."""
    provider.realtime.script(*TURNS)
    talk(SPOKEN)
    everything = repr([recorded.calls, recorded.messages, [dict(span.attributes or {}) for span in recorded.spans]])
    assert not [word for word in ("parcel A", "Leeds", "welcome", "sk-sentinel-key") if word in everything]
    assert sum(map(usd, recorded.calls)) == TOTAL
    assert len(recorded.messages) == 6


def test_the_beta_says_less_of_what_is_cached(recorded: Recorded, provider: Provider) -> None:
    """Its usage has no cached tokens by modality: then the price is an estimate, and says so."""
    provider.realtime.script(*TURNS)
    _raw_beta(provider, ())
    found = sorted(recorded.calls, key=lambda call: call[names.START_TIME_UNIX_NANO])
    inferred = [call for call in found if call[names.OPERATION_NAME] == "realtime_inference"]
    assert [call[names.COST_STATUS] for call in inferred] == ["priced", "estimated", "estimated"]
    assert inferred[0][names.COST_USD] == "0.01088"
    assert len(found) == 5
    assert len(recorded.messages) == 6


def test_an_open_session_has_the_calls(recorded: Recorded, provider: Provider) -> None:
    """Where a session is open at connect, the connection is part of it, with its user, step and tags."""
    provider.realtime.script(*TURNS)
    with otel_costs.session("call-7", user="ada", scenario="support", queue="parcels") as session:
        with otel_costs.step("greeting"):
            _recv(provider, SPOKEN)
        assert session.cost_usd == TOTAL
    assert {(call[names.SESSION_ID], call[names.USER_ID], call[names.SCENARIO]) for call in recorded.calls} == {
        ("call-7", "ada", "support")
    }
    assert {call[names.STEP] for call in recorded.calls} == {"greeting"}
    assert {call["otel_costs.tag.queue"] for call in recorded.calls} == {"parcels"}
    assert [record[names.SESSION_ID] for record in recorded.records(names.SESSION_EVENT)] == ["call-7"]


def test_a_session_that_is_opened_later_has_them_too(recorded: Recorded, provider: Provider) -> None:
    """What an application sends first says whose the connection is."""
    provider.realtime.script(Turn(says="Hello."))
    with (
        _client(provider) as client,
        client.realtime.connect(model="gpt-realtime-2") as connection,
        otel_costs.session("late"),
    ):
        _play([{"type": "response.create"}, "rate_limits.updated"], connection.send, connection.recv)  # type: ignore[arg-type]
    assert recorded.call[names.SESSION_ID] == "late"


def test_a_spent_budget_stops_a_response(recorded: Recorded, provider: Provider) -> None:
    """Only for who asked for it: the next `response.create` raises before it is sent, and the connection lives on."""
    provider.realtime.script(Turn(says="Hello.", usage=_usage((1000, 0), (0, 0), (10, 10))), Turn(says="Never."))
    with otel_costs.session("poor", budget_usd="0.004") as session:
        with _client(provider) as client, client.realtime.connect(model="gpt-realtime-2") as connection:
            _play([{"type": "response.create"}, "rate_limits.updated"], connection.send, connection.recv)  # type: ignore[arg-type]
            with pytest.raises(otel_costs.BudgetExceeded):
                connection.response.create()
            connection.session.update(session={"type": "realtime", "instructions": "Say goodbye."})
            _play(["session.updated"], connection.send, connection.recv)  # type: ignore[arg-type]
        assert session.cost_usd == Decimal("0.00488")  # 1,000 x 4 + 10 x 24 + 10 x 64
    sent = [json.loads(frame)["type"] for frame in provider.realtime.sent]
    assert sent.count("response.create") == 1


def test_a_socket_that_drops_leaves_a_record_that_says_so(recorded: Recorded, provider: Provider) -> None:
    """A response whose end never comes is a call without a price, and what was heard of it is a message."""
    content.configure(content.Capture.EVENT_ONLY)
    provider.realtime.script(Turn(says="This will break off in the middle of it.", cut_after=8))
    with pytest.raises(Exception, match="no close frame"):  # noqa: SIM117
        with _client(provider) as client, client.realtime.connect(model="gpt-realtime-2") as connection:
            _play([{"type": "response.create"}, "response.done"], connection.send, connection.recv)  # type: ignore[arg-type]
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "response_not_done")
    assert names.COST_USD not in call
    assert call[names.ERROR_TYPE] == "1006"
    (message,) = recorded.messages
    assert message["body"]
    assert "This will break off in the middle of it.".startswith(message["body"])
    assert message[names.MESSAGE_INTERRUPTED] == "1006"


def test_two_sockets_on_one_call_bill_it_once(recorded: Recorded, provider: Provider) -> None:
    """What a sideband connection sees of a call, another may see too: ids and times follow from the provider's."""
    content.configure(content.Capture.EVENT_ONLY)
    provider.realtime.script(Turn(says="Hello.", usage=_usage((1000, 0), (0, 0), (10, 10))))
    with _client(provider) as client, client.realtime.connect(call_id="rtc_0123456789abcdef") as one:
        _play(["session.created"], one.send, one.recv)  # type: ignore[arg-type]
        with client.realtime.connect(call_id="rtc_0123456789abcdef") as other:
            _play(["session.created"], other.send, other.recv)  # type: ignore[arg-type]
            _play([{"type": "response.create"}, "rate_limits.updated"], one.send, one.recv)  # type: ignore[arg-type]
            _play(["rate_limits.updated"], other.send, other.recv)  # type: ignore[arg-type]
    call = recorded.call
    assert call[names.CALL_ID][12] == "5"
    assert call[names.COST_USD] == "0.0048"  # gpt-realtime: 1,000 x 4 + 10 x 16 + 10 x 64
    (opened,) = provider.realtime.sessions
    assert call[names.START_TIME_UNIX_NANO] == (opened.config["expires_at"] - 3600) * 1_000_000_000
    assert [message["body"] for message in recorded.messages] == ["Hello."]


def test_azure_names_a_deployment_and_the_session_its_model(
    recorded: Recorded, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The price is that of the model that `session.created` names."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=azure")
    provider.deployments["prod-voice-eu"] = "gpt-realtime-2"
    provider.realtime.script(Turn(says="Hello.", usage=_usage((1000, 0), (0, 0), (10, 10))))
    with (
        openai.AzureOpenAI(
            api_key="k",
            api_version="2026-01-01",
            azure_endpoint=provider.root,
            websocket_base_url=provider.root.replace("http", "ws") + "/openai",
        ) as client,  # fmt: skip
        client.realtime.connect(model="prod-voice-eu") as connection,
    ):
        _play([{"type": "response.create"}, "rate_limits.updated"], connection.send, connection.recv)  # type: ignore[arg-type]
    call = recorded.call
    assert call[names.PROVIDER_NAME] == "azure.ai.openai"
    assert (call[names.REQUEST_MODEL], call[names.RESPONSE_MODEL]) == ("prod-voice-eu", "gpt-realtime-2")
    assert call[names.PRICE_DEPLOYMENT] == "prod-voice-eu"
    assert call[names.COST_USD] == "0.00488"


def test_an_unknown_host_has_no_prices(recorded: Recorded, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind it may be another vendor's model under the same name."""
    monkeypatch.delenv(names.ENV_PROVIDERS)
    provider.realtime.script(Turn(says="Hello."))
    with _client(provider) as client, client.realtime.connect(model="gpt-realtime-2") as connection:
        _play([{"type": "response.create"}, "rate_limits.updated"], connection.send, connection.recv)  # type: ignore[arg-type]
    assert recorded.call[names.PROVIDER_NAME] == "unknown"
    assert recorded.call[names.COST_STATUS] == "unpriced"


def test_a_transcription_session_is_transcriptions_alone(recorded: Recorded, provider: Provider) -> None:
    """Its only calls are those of the model that transcribes."""
    settings = {
        "type": "session.update",
        "session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}},
    }
    provider.realtime.script(Turn(heard="One."), Turn(heard="Two."))
    completed = "conversation.item.input_audio_transcription.completed"
    with (
        _client(provider) as client,
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        spoken: Sequence[Step] = [_sound(_TONE), _sound(_SILENCE), completed]
        _play(["session.created", settings, *spoken, *spoken], connection.send, connection.recv)  # type: ignore[arg-type]
    assert [(call[names.OPERATION_NAME], call[names.COST_USD]) for call in recorded.calls] == [
        ("speech_to_text", "0.00015"),  # 1.5 s at 0.36 an hour
        ("speech_to_text", "0.00015"),
    ]


def test_a_translation_is_billed_by_the_sound_that_was_sent(recorded: Recorded, provider: Provider) -> None:
    """Nobody says what was used: seconds are counted, and the status says that they were."""
    content.configure(content.Capture.EVENT_ONLY)
    append = {**_sound(_TONE), "type": "session.input_audio_buffer.append"}
    with (
        _client(provider) as client,
        client.realtime.translations.connect(model="gpt-realtime-translate") as connection,
    ):
        steps = ["session.created", append, append, append, {"type": "session.close"}, "session.closed"]
        _play(steps, connection.send, connection.recv)  # type: ignore[arg-type]
    call = recorded.call
    assert call["otel_costs.usage.audio_seconds"] == "3"
    assert call[names.COST_USD] == "0.0017"  # 3 s at 2.04 an hour
    assert call[names.COST_STATUS] == "estimated"
    assert [(message[names.MESSAGE_ROLE], message[names.MESSAGE_AUDIO_SECONDS]) for message in recorded.messages] == [
        ("user", "3.000"), ("assistant", "3.000"),
    ]  # fmt: skip


@pytest.mark.some(8)
@pytest.mark.parametrize("broken", ["event_received", "event_sent", "sound"])
def test_a_bug_of_ours_leaves_the_conversation_intact(
    recorded: Recorded,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    talk: Callable[[Sequence[Step]], None],
    broken: str,
) -> None:
    """The application sees what it would have seen, and one warning says what is lost."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(frames if broken == "sound" else Connection, broken, fail)
    provider.realtime.script(*TURNS)
    talk(SPOKEN)
    sent = [json.loads(frame)["type"] for frame in provider.realtime.sent]
    append = "input_audio_buffer.append"
    assert sent == ["session.update", append, append, "conversation.item.create", "response.create", append,
                    "conversation.item.truncate", append]  # fmt: skip
    assert len([text for text in caplog.messages if "RuntimeError" in text]) == 1
    assert "secret" not in caplog.text


def test_a_spent_budget_stops_an_async_response(recorded: Recorded, provider: Provider) -> None:
    """As the sync one: it raises where it is awaited, before it is sent."""
    provider.realtime.script(Turn(says="Hello.", usage=_usage((1000, 0), (0, 0), (10, 10))))

    async def talk() -> None:
        async with (
            openai.AsyncOpenAI(api_key="sk-sentinel-key", base_url=provider.base_url) as client,
            client.realtime.connect(model="gpt-realtime-2") as connection,
        ):
            await _play_async([{"type": "response.create"}, "rate_limits.updated"], connection.send, connection.recv)
            with pytest.raises(otel_costs.BudgetExceeded):
                await connection.response.create()

    with otel_costs.session("poor", budget_usd="0.004"):
        asyncio.run(talk())
    assert [json.loads(frame)["type"] for frame in provider.realtime.sent] == ["response.create"]


def test_a_process_that_ends_in_the_middle_says_so(provider: Provider) -> None:
    """The connection is open, a response and a transcription are under way: each leaves its record, not too late."""
    provider.realtime.script(Turn(heard="Where is it?", transcribed="never"), Turn(says="Here.", interrupted_after=1))
    source = f"""
        import base64, json, struct
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, BatchLogRecordProcessor
        from otel_costs import CostsInstrumentor

        logs = LoggerProvider()
        exporter = ConsoleLogRecordExporter(formatter=lambda record: record.to_json(indent=None) + "\\n")
        logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
        CostsInstrumentor().instrument(logger_provider=logs)
        from websockets.sync.client import connect
        socket = connect({_address(provider)!r}, additional_headers={_KEY!r}, proxy=None)

        def until(kind):
            while json.loads(socket.recv())["type"] != kind: pass

        until("session.created")
        update = {{"audio": {{"input": {{"transcription": {{"model": "whisper-1"}}}}}}}}
        socket.send(json.dumps({{"type": "session.update", "session": update}}))
        until("session.updated")
        for sound in (struct.pack("<4h", 0, 800, 0, -800) * 6000, bytes(24_000)):
            sound = base64.b64encode(sound).decode()
            socket.send(json.dumps({{"type": "input_audio_buffer.append", "audio": sound}}))
        until("response.done")
        socket.send(json.dumps({{"type": "response.create"}}))
        until("response.output_audio.delta")
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    written = [json.loads(line)["attributes"] for line in ran.stdout.splitlines()]
    calls = [record for record in written if record[names.EVENT_NAME] == names.CALL_EVENT]
    assert sorted(call.get(names.COST_REASON, "") for call in calls) == [
        "", "response_not_done", "transcription_not_seen,usage_estimated",
    ]  # fmt: skip
    assert [record[names.EVENT_NAME] for record in written].count(names.SESSION_EVENT) == 1


def test_after_uninstrumenting_nobody_listens(provider: Provider) -> None:
    """A connection that is open then, and those that follow, leave nothing."""
    kept = Recorded()
    provider.realtime.script(Turn(says="Hello."), Turn(says="Hello again."), Turn(says="And again."))
    asks: Sequence[Step] = ({"type": "response.create"}, "rate_limits.updated")
    with instrumented(kept):
        client = _client(provider)
        manager = client.realtime.connect(model="gpt-realtime-2")
        connection = manager.enter()
        _play(asks, connection.send, connection.recv)  # type: ignore[arg-type]
        assert len(kept.calls) == 1
    _play(asks, connection.send, connection.recv)  # type: ignore[arg-type]
    connection.close()
    _recv(provider, asks)
    client.close()
    assert len(kept.calls) == 1
