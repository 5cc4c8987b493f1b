"""Realtime events as they come, one by one: what each of them leaves, and what no event can break."""

import base64
import hashlib
import json
import logging
import os
import signal
import threading
import tracemalloc
from collections.abc import Mapping
from decimal import Decimal, Inexact, localcontext
from functools import partial
from typing import Any

import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.calls import estimate
from otel_costs.calls.estimate import Kind
from otel_costs.messages import content
from otel_costs.providers.openai_realtime.turns import Turns
from otel_costs.runtime import background
from otel_costs.transports.websocket import Handshake, Observer, observe
from tests.providers.conftest import usd
from tests.support import garbage
from tests.support.recorded import Recorded, wait_for_records

SESSION = "sess_0123456789abcdef"
USAGE = {
    "total_tokens": 1260,
    "input_tokens": 1200,
    "output_tokens": 60,
    "input_token_details": {
        "text_tokens": 1000,
        "audio_tokens": 200,
        "image_tokens": 0,
        "cached_tokens": 0,
        "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 20, "audio_tokens": 40},
}
COST = "0.01328"
"""Of USAGE with gpt-realtime: 1,000 at 4, 200 at 32, 20 at 16 and 40 at 64 per million."""

PIECE = bytes(range(256)) * 8


class Wire:
    """A connection without a socket: what is sent on it and received, as the hooks tell it."""

    def __init__(self, query: str = "model=gpt-realtime", path: str = "/v1/realtime") -> None:
        observer = observe(Handshake("127.0.0.1", 443, path, query, {"authorization": "Bearer sk-sentinel-key"}))
        assert observer is not None
        self.observer: Observer = observer

    def client(self, kind: str, **fields: object) -> None:
        self.observer.sent(json.dumps({"type": kind, **fields}))

    def server(self, kind: str, **fields: object) -> None:
        self.observer.received(json.dumps({"type": kind, "event_id": "event_1", **fields}, separators=(",", ":")))

    def created(self, **session: object) -> "Wire":
        """Say how the session is set; it transcribes with whisper-1."""
        audio = {"input": {"format": {"type": "audio/pcm"}, "transcription": {"model": "whisper-1"}}}
        given = {"id": SESSION, "type": "realtime", "model": "gpt-realtime", "audio": audio, **session}
        self.server("session.created", session=given)
        return self

    def begin(self, response_id: str, **response: object) -> None:
        self.server("response.created", response={"id": response_id, "conversation_id": "conv_1", **response})

    def done(self, response_id: str, usage: object = USAGE, **response: object) -> None:
        fields = {"id": response_id, "status": "completed", "output": [], "usage": usage, **response}
        self.server("response.done", response=fields)

    def append(self, data: bytes) -> None:
        self.client("input_audio_buffer.append", audio=base64.b64encode(data).decode())

    def commit(self, item_id: str) -> None:
        self.server("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)

    def transcribe(self, item_id: str, transcript: str, usage: object = None, index: int = 0) -> None:
        kind = "conversation.item.input_audio_transcription.completed"
        self.server(kind, item_id=item_id, content_index=index, transcript=transcript, usage=usage)

    def close(self, error: str | None = None) -> None:
        self.observer.closed(error)


@pytest.fixture
def wire(recorded: Recorded) -> Wire:
    """Open a connection whose session is set."""
    return Wire().created()


@pytest.fixture
def told(recorded: Recorded) -> None:
    """Record content."""
    content.configure(content.Capture.EVENT_ONLY)


def _message(item_id: str, said: str, status: str = "completed", kind: str = "output_audio") -> dict[str, Any]:
    part = {"type": kind, "transcript" if "audio" in kind else "text": said}
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": [part]}


def _by_time(messages: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(messages, key=lambda message: (message["timestamp"], message[names.MESSAGE_INDEX]))


# What is billed.


def test_a_response_is_a_call(wire: Wire, recorded: Recorded) -> None:
    """With every kind of token, its status, its ids and its model."""
    wire.begin("resp_0123456789abcdef")
    wire.done("resp_0123456789abcdef")
    call = recorded.call
    assert call[names.OPERATION_NAME] == "realtime_inference"
    assert call[names.COST_USD] == COST
    assert call[names.COST_STATUS] == "priced"
    assert call[names.RESPONSE_ID] == "resp_0123456789abcdef"
    assert call[names.REALTIME_SESSION_ID] == SESSION
    assert {name: call[names.usage_attribute(name)] for name in ("input_text_tokens", "input_audio_tokens")} == {
        "input_text_tokens": 1000,
        "input_audio_tokens": 200,
    }
    assert call[names.usage_attribute("output_audio_tokens")] == 40


def test_images_and_their_cache_have_prices_of_their_own(wire: Wire, recorded: Recorded) -> None:
    """4,000 of images, 1,024 of them cached: 2,976 at 5 and 1,024 at 0.50."""
    details = {
        "text_tokens": 0, "audio_tokens": 0, "image_tokens": 4000, "cached_tokens": 1024,
        "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 1024},
    }  # fmt: skip
    usage = {"input_tokens": 4000, "output_tokens": 0, "total_tokens": 4000, "input_token_details": details}
    wire.done("resp_0123456789abcdef", usage=usage)
    assert recorded.call[names.COST_USD] == "0.015392"


def test_a_response_that_is_done_twice_is_billed_once(wire: Wire, recorded: Recorded) -> None:
    """By its id, on this connection."""
    wire.begin("resp_0123456789abcdef")
    for _ in range(2):
        wire.done("resp_0123456789abcdef")
    wire.begin("resp_0123456789abcdef")
    wire.close()
    assert recorded.call[names.COST_USD] == COST


def test_a_response_that_is_seen_twice_is_billed_once(recorded: Recorded) -> None:
    """By two connections of a process: a hook's, and one whose events the application brings."""
    wire = Wire().created()
    with otel_costs.session("brought") as session:
        for event in (
            {"type": "session.created", "session": {"id": SESSION, "model": "gpt-realtime"}},
            {"type": "response.done", "response": {"id": "resp_0123456789abcdef", "usage": USAGE}},
        ):
            otel_costs.observe_realtime_event(session, "server", event)
            wire.observer.received(json.dumps(event))
    wire.close()
    assert recorded.call[names.COST_USD] == COST


def test_a_local_servers_short_ids_are_others_each_time(recorded: Recorded) -> None:
    """`resp_1` of two connections is two responses."""
    for _ in range(2):
        wire = Wire().created()
        wire.done("resp_1")
        wire.close()
    assert [call[names.COST_USD] for call in recorded.calls] == [COST, COST]


def test_a_local_servers_short_items_are_others_each_time(recorded: Recorded) -> None:
    """`item_1` of two connections is two transcriptions, and two messages where one session has both."""
    with otel_costs.session("two calls"):
        for _ in range(2):
            wire = Wire().created()
            wire.commit("item_1")
            wire.transcribe("item_1", "Hello", {"type": "duration", "seconds": 10})
            wire.close()
    assert [call[names.COST_USD] for call in recorded.calls] == ["0.001", "0.001"]
    first, second = (message[names.MESSAGE_ID] for message in recorded.messages)
    assert first == "item_1"
    assert second.startswith("item_1~")


@pytest.mark.parametrize("expires_at", [2**63, -5, 0, 10**18])
def test_no_time_is_one_that_a_record_cannot_carry(recorded: Recorded, expires_at: int) -> None:
    """It would lose all that are sent with it: then the ids are random, and the times our own."""
    wire = Wire("call_id=rtc_0123456789abcdef").created(expires_at=expires_at)
    wire.done("resp_0123456789abcdef")
    call = recorded.call
    assert call[names.CALL_ID][12] == "4"
    assert 0 < call["timestamp"] < 2**63


def test_what_one_of_two_sockets_did_not_see_counts_by_the_other(recorded: Recorded) -> None:
    """A sideband that leaves early guesses, which is no bill where the other is told."""
    expires_at = 1_795_343_400 + 3600
    early, late = (Wire("call_id=rtc_0123456789abcdef").created(expires_at=expires_at) for _ in range(2))
    for wire in (early, late):
        wire.commit("item_0123456789abcdef")
        wire.begin("resp_0123456789abcdef")
    early.close()
    late.transcribe("item_0123456789abcdef", "Hello", {"type": "duration", "seconds": 10})
    late.done("resp_0123456789abcdef")
    late.close()
    newest: dict[str, Mapping[str, Any]] = {}
    for call in sorted(recorded.calls, key=lambda call: call[names.CALL_REVISION]):
        newest[call[names.CALL_ID]] = call
    assert sorted(call[names.COST_USD] for call in newest.values()) == ["0.001", COST]


def test_responses_may_overlap(wire: Wire, recorded: Recorded) -> None:
    """One aside of the conversation, another in it: each has its own tokens, and what is aside is no message."""
    wire.begin("resp_0123456789abcdef")
    wire.begin("resp_aside_456789abcdef", conversation_id=None)
    wire.done(
        "resp_aside_456789abcdef", conversation_id=None, output=[_message("item_a", "Aside.", kind="output_text")]
    )
    wire.done("resp_0123456789abcdef", output=[_message("item_b", "Here.", kind="output_text")])
    assert sorted(call[names.RESPONSE_ID] for call in recorded.calls) == [
        "resp_0123456789abcdef",
        "resp_aside_456789abcdef",
    ]
    assert [message[names.MESSAGE_ID] for message in recorded.messages] == ["item_b"]


@pytest.mark.parametrize(
    ("status", "details", "reason", "error"),
    [
        ("cancelled", {"type": "cancelled", "reason": "turn_detected"}, "turn_detected", None),
        ("cancelled", {"type": "cancelled", "reason": "client_cancelled"}, "client_cancelled", None),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, "max_output_tokens", None),
        ("failed", {"type": "failed", "error": {"code": "server_error"}}, "server_error", "server_error"),
    ],
)
def test_a_response_that_did_not_complete_is_billed_by_its_usage(
    wire: Wire, recorded: Recorded, status: str, details: object, reason: str, error: str | None
) -> None:
    """And says why; only a failure is an error."""
    wire.begin("resp_0123456789abcdef")
    wire.done("resp_0123456789abcdef", status=status, status_details=details)
    call = recorded.call
    assert (call[names.REALTIME_STATUS], call[names.REALTIME_STATUS_REASON]) == (status, reason)
    assert call.get(names.ERROR_TYPE) == error
    assert call[names.COST_USD] == COST


@pytest.mark.parametrize(
    ("usage", "status", "reason"),
    [
        (None, "unpriced", "usage_unknown"),
        ("odd", "unpriced", None),
        ({"input_tokens": 1200, "output_tokens": 60, "total_tokens": 1260}, "estimated", "modalities_unknown"),
        ({**USAGE, "input_tokens": -1}, None, "invalid_usage"),
        ({**USAGE, "output_tokens": 2**70}, None, "invalid_usage"),
        ({**USAGE, "input_token_details": "odd"}, "partial", None),
        ({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, "unpriced", "usage_unknown"),
        ({"input_tokens": 1200, "total_tokens": 1260}, "partial", "unknown_usage"),
    ],
)
def test_an_odd_usage_is_told_from_a_good_one(
    wire: Wire, recorded: Recorded, usage: object, status: str | None, reason: str | None
) -> None:
    """What is not known is not zero, and what is guessed is no price."""
    wire.done("resp_0123456789abcdef", usage=usage)
    call = recorded.call
    assert call[names.COST_STATUS] == (status or call[names.COST_STATUS])
    assert call[names.COST_STATUS] != "priced" or status == "priced"
    if reason is not None:
        assert reason in call[names.COST_REASON]


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_zeros_of_a_response_that_said_nothing_are_true(wire: Wire, recorded: Recorded, status: str) -> None:
    """It was cancelled, or failed, before its first word; one that has said something has used something."""
    zeros = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    wire.done("resp_0123456789abcdef", usage=zeros, status=status)
    said = [{"id": "item_1", "type": "message", "role": "assistant", "content": []}]
    wire.done("resp_0123456789abcdff", usage=zeros, status=status, output=said)
    assert [call.get(names.COST_USD) for call in recorded.calls] == ["0", None]


def test_time_to_first_audio_is_beside_that_to_the_first_chunk(wire: Wire, recorded: Recorded) -> None:
    """Words often come before their sound."""
    wire.begin("resp_0123456789abcdef")
    place = {"response_id": "resp_0123456789abcdef", "item_id": "item_1", "output_index": 0, "content_index": 0}
    wire.server("response.output_audio_transcript.delta", **place, delta="Hel")
    wire.server("response.output_audio.delta", **place, delta=base64.b64encode(PIECE).decode())
    wire.done("resp_0123456789abcdef", output=[_message("item_1", "Hello")])
    call = recorded.call
    assert 0 < call[names.RESPONSE_TIME_TO_FIRST_CHUNK] <= call[names.REALTIME_TIME_TO_FIRST_AUDIO]
    assert call[names.REALTIME_TIME_TO_FIRST_AUDIO] <= call[names.DURATION_S]


def test_a_response_is_found_without_its_beginning(wire: Wire, recorded: Recorded) -> None:
    """Who connects in the middle sees the end, and that says everything."""
    wire.done("resp_0123456789abcdef")
    assert recorded.call[names.COST_USD] == COST


@pytest.mark.parametrize("error", [None, "1011"])
def test_a_response_without_an_end_leaves_a_record(wire: Wire, recorded: Recorded, error: str | None) -> None:
    """Nobody knows what it used, which is said."""
    wire.begin("resp_0123456789abcdef")
    wire.close(error)
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "response_not_done")
    assert call[names.ERROR_TYPE] == error or "connection_closed"


@pytest.mark.parametrize(
    ("model", "rates"),
    [  # per million tokens: text in, cached, out; audio in, cached, out
        ("gpt-realtime", "4 0.4 16 32 0.4 64"),
        ("gpt-realtime-2025-08-28", "4 0.4 16 32 0.4 64"),
        ("gpt-realtime-1.5", "4 0.4 16 32 0.4 64"),
        ("gpt-realtime-2", "4 0.4 24 32 0.4 64"),
        ("gpt-realtime-2.1", "4 0.4 24 32 0.4 64"),
        ("gpt-realtime-mini", "0.6 0.06 2.4 10 0.3 20"),
        ("gpt-realtime-2.1-mini", "0.6 0.06 2.4 10 0.3 20"),
        ("gpt-4o-realtime-preview", "5 2.5 20 40 2.5 80"),
        ("gpt-4o-realtime-preview-2024-12-17", "5 2.5 20 40 2.5 80"),
        ("gpt-4o-realtime-preview-2025-06-03", "5 2.5 20 40 2.5 80"),
        ("gpt-4o-realtime-preview-2024-10-01", "5 2.5 20 100 20 200"),
        ("gpt-4o-mini-realtime-preview", "0.6 0.3 2.4 10 0.3 20"),
        ("gpt-4o-mini-realtime-preview-2024-12-17", "0.6 0.3 2.4 10 0.3 20"),
    ],
)
def test_every_models_prices(model: str, rates: str, recorded: Recorded) -> None:
    """A million of each kind of token, so that a line is a rate."""
    million = 1_000_000
    cached = {"text_tokens": million, "audio_tokens": million, "image_tokens": 0}
    details = {"text_tokens": 2 * million, "audio_tokens": 2 * million, "image_tokens": 0}
    usage = {
        "input_tokens": 4 * million,
        "output_tokens": 2 * million,
        "input_token_details": {**details, "cached_tokens": 2 * million, "cached_tokens_details": cached},
        "output_token_details": {"text_tokens": million, "audio_tokens": million},
    }
    wire = Wire(f"model={model}").created(model=model)
    wire.done("resp_0123456789abcdef", usage=usage)
    call = recorded.call
    assert call[names.COST_STATUS] == "priced"
    units = ("input", "cache_read", "output", "input_audio", "cache_audio_read", "output_audio")
    found = {unit: call.get(f"{names.COST_LINE_PREFIX}{unit}_tokens") for unit in units}
    assert {unit: Decimal(line) for unit, line in found.items() if line} == dict(
        zip(units, map(Decimal, rates.split()), strict=True)
    )


# What the transcription costs.


def test_a_transcription_is_a_call_of_its_own_model(wire: Wire, recorded: Recorded) -> None:
    """By seconds or by tokens, whichever it says, and once, whatever is said twice."""
    wire.append(PIECE)
    wire.commit("item_0123456789abcdef")
    for _ in range(2):
        wire.transcribe("item_0123456789abcdef", "Hello", {"type": "duration", "seconds": 3.2})
    call = recorded.call
    assert (call[names.OPERATION_NAME], call[names.REQUEST_MODEL]) == ("speech_to_text", "whisper-1")
    assert call[names.COST_USD] == "0.00032"  # 3.2 s at 0.36 an hour
    assert call["otel_costs.usage.audio_seconds"] == "3.2"


def test_each_part_of_an_item_is_transcribed_once(wire: Wire, recorded: Recorded) -> None:
    """Items may have several parts of sound."""
    for index in (0, 1, 0):
        wire.transcribe("item_0123456789abcdef", "Hello", {"type": "duration", "seconds": 3}, index)
    assert len(recorded.calls) == 2


def test_the_model_is_the_one_that_is_set_when_it_was_heard(wire: Wire, recorded: Recorded) -> None:
    """A session may change it; what is under way keeps its own."""
    wire.append(PIECE)
    wire.commit("item_0123456789abcdef")
    settings = {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
    wire.server("session.updated", session={"id": SESSION, **settings})
    wire.transcribe("item_0123456789abcdef", "Hello", {"type": "duration", "seconds": 3})
    wire.append(PIECE)
    wire.commit("item_1123456789abcdef")
    wire.transcribe("item_1123456789abcdef", "Hello", {"type": "tokens", "input_tokens": 10, "output_tokens": 2,
                    "input_token_details": {"audio_tokens": 10, "text_tokens": 0}})  # fmt: skip
    assert [call[names.REQUEST_MODEL] for call in recorded.calls] == ["whisper-1", "gpt-4o-transcribe"]
    assert [call[names.COST_USD] for call in recorded.calls] == ["0.0003", "0.000045"]  # 10 x 2.50 + 2 x 10


def test_what_a_client_asks_for_counts_when_the_service_repeats_it(wire: Wire, recorded: Recorded) -> None:
    """An update that was refused changes nothing."""
    wire.client("session.update", session={"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}})
    wire.server("error", error={"code": "invalid_value"})
    wire.transcribe("item_0123456789abcdef", "Hello", {"type": "duration", "seconds": 3})
    assert recorded.call[names.REQUEST_MODEL] == "whisper-1"


def test_the_betas_settings_are_read(recorded: Recorded) -> None:
    """The model that transcribes, and the format whose seconds are counted."""
    wire = Wire()
    session = {"id": SESSION, "model": "gpt-4o-realtime-preview", "input_audio_format": "g711_ulaw"}
    wire.server("session.created", session={**session, "input_audio_transcription": {"model": "whisper-1"}})
    wire.append(bytes(8_000))
    wire.commit("item_0123456789abcdef")
    wire.transcribe("item_0123456789abcdef", "Hello")  # which said no usage at first
    wire.close()
    call = recorded.call
    assert call["otel_costs.usage.audio_seconds"] == "1"
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("estimated", "0.0001")


@pytest.mark.parametrize(
    ("form", "seconds"),
    [
        ({"type": "audio/pcm", "rate": 24000}, "1.000"),
        ({"type": "audio/pcm", "rate": 16000}, "1.500"),
        ({"type": "audio/pcmu"}, "6.000"),
        ({"type": "audio/pcma", "rate": 8000}, "6.000"),
        ({"type": "audio/pcm", "rate": 0}, "1.000"),
        ({"type": "audio/pcm", "rate": "fast"}, "1.000"),
    ],
)
def test_seconds_follow_the_format(recorded: Recorded, form: object, seconds: str) -> None:
    """48,000 bytes are a second or six; others than OpenAI take several rates."""
    wire = Wire().created(audio={"input": {"format": form}})
    wire.append(bytes(48_000))
    wire.commit("item_user")
    (message,) = recorded.messages
    assert message[names.MESSAGE_AUDIO_SECONDS] == seconds


def test_what_is_committed_twice_is_heard_once(wire: Wire, recorded: Recorded) -> None:
    """Before and after its transcript: what was sent in between belongs to the next."""
    wire.append(PIECE)
    wire.commit("item_0")
    wire.append(PIECE * 2)
    wire.commit("item_0")
    wire.transcribe("item_0", "Hello", {"type": "duration", "seconds": 1})
    wire.commit("item_0")
    wire.commit("item_1")
    wire.close()
    assert [call[names.COST_STATUS] for call in recorded.calls] == ["priced", "estimated"]
    assert [message[names.MESSAGE_BYTES] for message in recorded.messages] == [len(PIECE), 2 * len(PIECE)]


def test_what_is_cleared_was_not_said(wire: Wire, recorded: Recorded) -> None:
    """Neither its bytes nor the seconds of speech in it are those of the next."""
    wire.append(PIECE)
    wire.server("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_0")
    wire.server("input_audio_buffer.speech_stopped", audio_end_ms=9000, item_id="item_0")
    wire.client("input_audio_buffer.clear")
    wire.append(bytes(48_000))
    wire.commit("item_1")
    wire.close()
    (message,) = recorded.messages
    assert (message[names.MESSAGE_BYTES], message[names.MESSAGE_AUDIO_SECONDS]) == (48_000, "1.000")


def test_a_transcription_that_fails_leaves_a_record(wire: Wire, recorded: Recorded) -> None:
    """Whether it is billed, nobody says; its message is written without words."""
    wire.append(PIECE)
    wire.commit("item_0123456789abcdef")
    wire.server(
        "conversation.item.input_audio_transcription.failed",
        item_id="item_0123456789abcdef", content_index=0, error={"code": "audio_unintelligible"},
    )  # fmt: skip
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "transcription_failed")
    assert call[names.ERROR_TYPE] == "audio_unintelligible"
    assert len(recorded.messages) == 1


def test_a_transcription_that_never_comes_is_an_estimate(wire: Wire, recorded: Recorded) -> None:
    """The connection ends before it: the seconds that were sent are known, the rest is said to be guessed."""
    wire.append(bytes(96_000))
    wire.commit("item_0123456789abcdef")
    wire.close()
    call = recorded.call
    assert call[names.COST_STATUS] == "estimated"
    assert "transcription_not_seen" in call[names.COST_REASON]
    assert call[names.COST_USD] == "0.0002"  # 2 s at 0.36 an hour
    assert len(recorded.messages) == 1


def test_nobody_transcribes_where_nothing_is_set(recorded: Recorded) -> None:
    """Then what was said is a message at once, without words."""
    wire = Wire().created(audio={"input": {"transcription": None}})
    wire.append(PIECE)
    wire.commit("item_0123456789abcdef")
    assert recorded.calls == []
    assert len(recorded.messages) == 1
    wire.close()
    assert recorded.calls == []


# What was said.


@pytest.mark.usefixtures("told")
def test_a_transcript_that_comes_late_stands_where_it_was_said(wire: Wire, recorded: Recorded) -> None:
    """The message waits for it, and keeps its time and its place."""
    wire.append(PIECE)
    wire.commit("item_user")
    wire.begin("resp_0123456789abcdef")
    wire.done("resp_0123456789abcdef", output=[_message("item_reply", "Sure.", kind="output_text")])
    assert [message["body"] for message in recorded.messages] == ["Sure."]
    wire.transcribe("item_user", "Can you help?", {"type": "duration", "seconds": 1})
    found = _by_time(recorded.messages)
    assert [(message["body"], message[names.MESSAGE_INDEX]) for message in found] == [
        ("Can you help?", 0),
        ("Sure.", 1),
    ]


def test_sound_is_told_by_seconds_bytes_and_hash(recorded: Recorded) -> None:
    """Piece by piece, without being kept; with content on the hash is that of the bytes."""
    content.configure(content.Capture.EVENT_ONLY)
    wire = Wire().created()
    for _ in range(20):
        wire.append(PIECE)
    wire.commit("item_user")
    wire.transcribe("item_user", "Hello", {"type": "duration", "seconds": 1})
    (message,) = recorded.messages
    assert message[names.MESSAGE_BYTES] == 20 * len(PIECE)
    assert message[names.MESSAGE_SHA256] == hashlib.sha256(PIECE * 20).hexdigest()
    assert message[names.MESSAGE_AUDIO_SECONDS] == "0.853"  # 40,960 bytes at 48,000 a second


def test_without_content_the_hash_of_sound_tells_nothing(wire: Wire, recorded: Recorded) -> None:
    """It is keyed by a secret of the process: nobody can try out what was said."""
    wire.append(PIECE)
    wire.commit("item_user")
    wire.transcribe("item_user", "Hello", {"type": "duration", "seconds": 1})
    (message,) = recorded.messages
    assert message[names.MESSAGE_BYTES] == len(PIECE)
    assert message[names.MESSAGE_SHA256] != hashlib.sha256(PIECE).hexdigest()
    assert message["body"] is None


def test_speech_that_the_service_found_has_its_length(wire: Wire, recorded: Recorded) -> None:
    """Of all that was sent, what was between the beginning and the end that it heard."""
    wire.append(bytes(96_000))
    wire.server("input_audio_buffer.speech_started", audio_start_ms=500, item_id="item_user")
    wire.server("input_audio_buffer.speech_stopped", audio_end_ms=1750, item_id="item_user")
    wire.commit("item_user")
    wire.transcribe("item_user", "Hello", {"type": "duration", "seconds": 1})
    (message,) = recorded.messages
    assert message[names.MESSAGE_AUDIO_SECONDS] == "1.25"


@pytest.mark.usefixtures("told")
def test_what_was_not_heard_is_marked(wire: Wire, recorded: Recorded) -> None:
    """A reply may be all there and yet be cut while it is played; that is known when the user has said more."""
    wire.begin("resp_0123456789abcdef")
    wire.server("response.output_item.added", response_id="resp_0123456789abcdef", output_index=0,
                item={**_message("item_1", "", "in_progress"), "content": []})  # fmt: skip
    place = {"response_id": "resp_0123456789abcdef", "item_id": "item_1", "output_index": 0, "content_index": 0}
    wire.server("response.output_audio.delta", **place, delta=base64.b64encode(bytes(96_000)).decode())
    wire.done("resp_0123456789abcdef", output=[_message("item_1", "A long story.")])
    wire.server("conversation.item.truncated", item_id="item_1", content_index=0, audio_end_ms=1200)
    assert recorded.messages == []
    wire.commit("item_user")
    (message,) = recorded.messages
    assert (message["body"], message[names.MESSAGE_AUDIO_SECONDS]) == ("A long story.", "1.2")
    assert (message[names.MESSAGE_INTERRUPTED], message[names.MESSAGE_TRUNCATED]) == ("truncated", True)
    assert message[names.MESSAGE_BYTES] == 96_000


@pytest.mark.usefixtures("told")
def test_what_was_all_heard_is_not_marked(wire: Wire, recorded: Recorded) -> None:
    """Applications ask to truncate what has ended already, which the service refuses."""
    wire.begin("resp_0123456789abcdef")
    place = {"response_id": "resp_0123456789abcdef", "item_id": "item_1", "output_index": 0, "content_index": 0}
    wire.server("response.output_audio.delta", **place, delta=base64.b64encode(bytes(48_000)).decode())
    wire.done("resp_0123456789abcdef", output=[_message("item_1", "Yes.")])
    wire.client("conversation.item.truncate", item_id="item_1", content_index=0, audio_end_ms=1800)
    wire.close()
    (message,) = recorded.messages
    assert message[names.MESSAGE_AUDIO_SECONDS] == "1.000"
    assert names.MESSAGE_INTERRUPTED not in message


@pytest.mark.usefixtures("told")
def test_an_item_that_its_response_leaves_out_was_not_interrupted(wire: Wire, recorded: Recorded) -> None:
    """A response that completed broke nothing off."""
    wire.begin("resp_0123456789abcdef")
    about = {"response_id": "resp_0123456789abcdef", "item_id": "item_1"}
    wire.server("response.output_item.added", response_id="resp_0123456789abcdef", item={"id": "item_1"})
    wire.server("response.output_text.delta", **about, delta="Yes.")
    wire.done("resp_0123456789abcdef")
    (message,) = recorded.messages
    assert message["body"] == "Yes."
    assert names.MESSAGE_INTERRUPTED not in message


@pytest.mark.usefixtures("told")
def test_a_transcript_that_nobody_expected_is_kept(recorded: Recorded) -> None:
    """Of a service that transcribes without being set to: another copy of the message has the words."""
    wire = Wire().created(audio={"input": {}})
    wire.append(PIECE)
    wire.commit("item_user")
    wait_for_records()
    wire.transcribe("item_user", "Hello", {"type": "duration", "seconds": 1})
    first, second = recorded.messages
    assert (first["body"], second["body"]) == (None, "Hello")
    for name in ("timestamp", names.MESSAGE_ID, names.MESSAGE_INDEX, names.MESSAGE_SHA256, names.MESSAGE_BYTES):
        assert first[name] == second[name]


def test_an_item_may_be_added_before_it_is_committed(wire: Wire, recorded: Recorded) -> None:
    """Others than OpenAI say it in that order: its sound is its own."""
    heard = {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    for status in ("completed", "in_progress"):
        wire.append(PIECE)
        wire.server("conversation.item.added", item={**heard, "id": f"item_{status}", "status": status})
        wire.commit(f"item_{status}")
    wire.close()
    assert [message[names.MESSAGE_BYTES] for message in recorded.messages] == [len(PIECE), len(PIECE)]
    assert len(recorded.calls) == 2


@pytest.mark.usefixtures("told")
def test_a_reply_may_be_interrupted_while_the_next_is_made(wire: Wire, recorded: Recorded) -> None:
    """A function's result asks for it at once, while the words in front of its call are still played."""
    wire.done("resp_0123456789abcdef", output=[_message("item_1", "One moment.")])
    result = {"type": "function_call_output", "call_id": "call_1", "output": "In Leeds."}
    wire.server("conversation.item.added", item={**result, "id": "item_2"})
    wire.begin("resp_1123456789abcdef")
    wire.client("conversation.item.truncate", item_id="item_1", content_index=0, audio_end_ms=300)
    wire.close()
    found = {message[names.MESSAGE_ID]: message for message in recorded.messages}
    assert found["item_1"][names.MESSAGE_INTERRUPTED] == "truncated"
    assert names.MESSAGE_INTERRUPTED not in found["item_2"]


@pytest.mark.usefixtures("told")
def test_a_history_that_is_sent_is_messages_once(wire: Wire, recorded: Recorded) -> None:
    """As sent, as added, as done; with the application's ids or the service's."""
    sound = {"type": "input_audio", "audio": base64.b64encode(PIECE).decode(), "transcript": "Where is it?"}
    history: list[tuple[str | None, dict[str, Any]]] = [
        ("item_mine", {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}),
        (None, {"role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}),
        (None, {"role": "user", "content": [sound]}),
    ]
    for number, (item_id, fields) in enumerate(history):
        item = {"type": "message", **fields, **({"id": item_id} if item_id else {})}
        wire.client("conversation.item.create", item=item)
        content_ = [{name: value for name, value in part.items() if name != "audio"} for part in fields["content"]]
        echo = {**item, "content": content_, "id": item_id or f"item_{number}", "status": "completed"}
        for kind in ("added", "done"):
            wire.server(f"conversation.item.{kind}", item=echo, previous_item_id=None)
    found = _by_time(recorded.messages)
    assert [(message[names.MESSAGE_ID], message[names.MESSAGE_ROLE], message["body"]) for message in found] == [
        ("item_mine", "user", "Hi"),
        ("item_1", "assistant", "Hello"),
        ("item_2", "user", "Where is it?"),
    ]
    assert found[2][names.MESSAGE_SHA256] == hashlib.sha256(PIECE).hexdigest()


@pytest.mark.usefixtures("told")
def test_an_item_that_is_refused_is_no_message(wire: Wire, recorded: Recorded) -> None:
    """It never was in the conversation, and takes no other's place."""
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Refused"}]}
    wire.client("conversation.item.create", event_id="mine_1", item=said)
    wire.server("error", error={"code": "invalid_value", "event_id": "mine_1"})
    other = {**said, "content": [{"type": "input_text", "text": "Taken"}]}
    wire.client("conversation.item.create", item=other)
    wire.server("conversation.item.added", item={**other, "id": "item_1"})
    wire.close()
    assert [message["body"] for message in recorded.messages] == ["Taken"]


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("error", [{"code": "invalid_value", "event_id": None}, None])
def test_an_item_that_is_refused_by_no_name_moves_nobodys_words(wire: Wire, recorded: Recorded, error: object) -> None:
    """Who gives his events no ids is not told which was refused: the service repeats those that were not."""
    parts = {"Refused": {"type": "input_text"}, "Taken": {"type": "input_text"}, "Last": {"type": "input_text"}}
    for number, (said, part) in enumerate(parts.items()):
        item = {"type": "message", "role": "user", "content": [{**part, "text": said}]}
        wire.client("conversation.item.create", item=item)
        if number:
            wire.server("conversation.item.added", item={**item, "id": f"item_{number}", "status": "completed"})
        elif error:
            wire.server("error", error=error)
    wire.close()
    assert [message["body"] for message in recorded.messages] == ["Taken", "Last"]


@pytest.mark.usefixtures("told")
def test_instructions_are_a_message_for_each_wording(wire: Wire, recorded: Recorded) -> None:
    """Only the application's own."""
    for said in ("Be brief.", "Be brief.", "Be kind."):
        wire.client("session.update", session={"instructions": said})
        wire.server("session.updated", session={"id": SESSION, "instructions": said})
    assert [(message[names.MESSAGE_ROLE], message["body"]) for message in recorded.messages] == [
        ("system", "Be brief."),
        ("system", "Be kind."),
    ]


@pytest.mark.usefixtures("told")
def test_a_tool_of_a_server_is_called_and_answers(wire: Wire, recorded: Recorded) -> None:
    """One item, two messages."""
    item = {"id": "mcp_1", "type": "mcp_call", "name": "search", "arguments": '{"q":1}', "output": "Found.",
            "server_label": "docs", "status": "completed"}  # fmt: skip
    wire.done("resp_0123456789abcdef", output=[item])
    assert [(message[names.MESSAGE_ID], message[names.MESSAGE_TYPE]) for message in recorded.messages] == [
        ("mcp_1", "function_call"),
        ("mcp_1/1", "function_result"),
    ]
    assert recorded.messages[1][names.MESSAGE_FUNCTION_NAME] == "search"


# Whose it is.


def test_the_log_tells_a_sessions_cost_by_kind(
    wire: Wire, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """When the connection closes, its session ends."""
    wire.done("resp_0123456789abcdef")
    with caplog.at_level(logging.INFO, "otel_costs"):
        wire.close()
        wait_for_records()
    assert (
        f"[COST] Session {SESSION}: $0.013280 (1 call; input_tokens 1200, output_tokens 60, input_text_tokens 1000, "
        "input_audio_tokens 200, output_text_tokens 20, output_audio_tokens 40)"
    ) in caplog.messages


def _function(call_id: str, name: str = "track") -> dict[str, Any]:
    return {"type": "function_call", "id": f"item_{call_id}", "call_id": call_id, "name": name, "arguments": '{"a": 1}'}


def test_a_function_is_a_span_from_its_call_to_its_result(wire: Wire, recorded: Recorded) -> None:
    """The application runs it: how long that took is seen beside the turns, without arguments, and costs nothing."""
    wire.done("resp_0123456789abcdef", output=[_function("call_1"), _function("call_2", "book")])
    assert not [span for span in recorded.spans if span.name.startswith("execute_tool")]
    wire.client("conversation.item.create", item={"type": "function_call_output", "call_id": "call_1", "output": "{}"})
    (span,) = (span for span in recorded.spans if span.name == "execute_tool track")
    found = dict(span.attributes or {})
    assert found[names.OPERATION_NAME] == "execute_tool"
    assert (found[names.TOOL_NAME], found[names.TOOL_CALL_ID], found[names.TOOL_TYPE]) == (
        "track",
        "call_1",
        "function",
    )
    assert found[names.SESSION_ID] == SESSION
    assert '"a"' not in repr(found)
    assert len(recorded.calls) == 1
    wire.close()
    (span,) = (span for span in recorded.spans if span.name == "execute_tool book")
    assert (span.attributes or {})[names.ERROR_TYPE] == "unanswered"


def test_functions_without_results_are_bounded(wire: Wire, recorded: Recorded) -> None:
    """An application that never answers holds no memory, and an odd call is no function's."""
    odd: list[Any] = [
        {"type": "function_call"},
        {"type": "function_call", "call_id": 7, "name": []},
        _function("call_0"),
    ]
    wire.done("resp_0123456789abcdef", output=[*odd, *(_function(f"call_{number}") for number in range(100))])
    assert len([span for span in recorded.spans if span.name == "execute_tool track"]) == 100 - 64
    wire.close()
    assert len([span for span in recorded.spans if span.name == "execute_tool track"]) == 100


def test_a_connection_on_which_nothing_happens_leaves_its_span(wire: Wire, recorded: Recorded) -> None:
    """No calls, no session."""
    wire.close()
    assert [span.name for span in recorded.spans] == ["realtime gpt-realtime"]
    assert recorded.records(names.SESSION_EVENT) == []


@pytest.mark.parametrize(
    ("path", "followed"),
    [
        ("/v1/realtime", True),
        ("/openai/realtime", True),
        ("/openai/v1/realtime", True),
        ("/v1/realtime/translations", True),
        ("/proxy/acme/v1/realtime/", True),
        ("/v1/speech-to-text/realtime", False),
        ("/v1/audio/transcriptions/realtime", False),
        ("/v1/realtime/ws", False),
        ("/v1/responses", False),
        ("/", False),
    ],
)
def test_paths_that_are_followed(recorded: Recorded, path: str, followed: bool) -> None:
    """By their end; others speak other protocols on paths that look alike."""
    found = observe(Handshake("127.0.0.1", 443, path, "model=gpt-realtime", {}))
    assert (type(found).__module__.startswith("otel_costs.providers.openai_realtime")) == followed


# What nothing can break.


@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "[]", "null", '"text"', "12", "{}", '{"type":null}', '{"type":["response.done"]}', b"\x00\x01",
        '{"type":"something.new","item":{"id":"item_1"}}', "[" * 100_000,
        '{"type":"response.output_audio.delta","delta":"', '{"type":"response.output_audio.delta","delta":7}',
        '{"type":"response.done"}', '{"type":"response.done","response":7}',
        '{"type":"response.created","response":[]}', '{"type":"session.updated","session":{"audio":7}}',
        '{"type":"conversation.item.added","item":{"id":"i","type":"message","role":7,"content":7}}',
        '{"type":"conversation.item.added","item":{"id":7,"type":"message"}}',
        '{"type":"conversation.item.truncated","item_id":"i","audio_end_ms":-1}',
        '{"type":"input_audio_buffer.committed"}', '{"type":"response.output_item.added","response_id":7}',
        '{"type":"conversation.item.input_audio_transcription.completed"}',
        '{"type":"error"}', '{"type":"response.output_audio.delta","response_id":"resp_0123456789abcdef","delta":"?!"}',
    ],
)  # fmt: skip
def test_whatever_comes_the_next_response_counts(wire: Wire, recorded: Recorded, frame: str | bytes) -> None:
    """An event that is malformed, unknown, or not what it should be costs itself at most."""
    wire.begin("resp_0123456789abcdef")
    for take in (wire.observer.received, wire.observer.sent):
        try:
            take(frame)
        except Exception as error:  # noqa: BLE001  # the hook keeps it from the application
            assert isinstance(error, UnicodeDecodeError)  # noqa: PT017
    wire.done("resp_0123456789abcdef")
    wire.close()
    assert COST in [call.get(names.COST_USD) for call in recorded.calls]


def test_an_event_may_be_written_in_any_way(wire: Wire, recorded: Recorded) -> None:
    """Spaces, another order, sound in front of its type, slashes with a backslash: the bytes are the same."""
    content.configure(content.Capture.EVENT_ONLY)
    wire = Wire().created()
    data = base64.b64encode(PIECE).decode()
    for frame in (
        f'{{"audio":"{data}","type":"input_audio_buffer.append"}}',
        f'{{ "type" : "input_audio_buffer.append" , "audio" : "{data}" }}',
        f'{{"event_id":"{"x" * 400}","type":"input_audio_buffer.append","audio":"{data}"}}',
        json.dumps({"type": "input_audio_buffer.append", "audio": data}).replace("/", "\\/").replace("+", "\\u002b"),
        json.dumps({"type": "input_audio_buffer.append", "audio": data}).encode(),
    ):
        wire.observer.sent(frame)
    wire.commit("item_user")
    wire.close()
    (message,) = recorded.messages
    assert message[names.MESSAGE_SHA256] == hashlib.sha256(PIECE * 5).hexdigest()


@pytest.mark.long
def test_an_hour_of_sound_leaves_the_memory_flat(wire: Wire, recorded: Recorded) -> None:
    """20,000 events of 8 KB both ways: none of the 320 MB is kept."""
    data = base64.b64encode(os.urandom(6144)).decode()
    place = '"response_id":"resp_0123456789abcdef","item_id":"item_1","output_index":0,"content_index":0'
    delta = f'{{"type":"response.output_audio.delta","event_id":"event_1",{place},"delta":"{data}"}}'
    append = f'{{"type":"input_audio_buffer.append","audio":"{data}"}}'
    wire.begin("resp_0123456789abcdef")

    def talk(events: int) -> None:
        for _ in range(events):
            wire.observer.sent(append + "")
            wire.observer.received(delta + "")
        wait_for_records()

    talk(500)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        talk(10_000)
        garbage.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000
    assert peak - before < 20_000_000
    wire.commit("item_0")
    wire.done("resp_0123456789abcdef", output=[_message("item_1", "An hour.")])
    wire.close()
    assert sorted(message[names.MESSAGE_BYTES] for message in recorded.messages) == [10_500 * 6144] * 2


@pytest.mark.long
def test_many_turns_leave_the_memory_flat(wire: Wire, recorded: Recorded) -> None:
    """Items that nobody ends are let go, and nothing grows with the turns."""

    def talk(turns: range) -> None:
        for turn in turns:
            wire.append(PIECE)
            wire.commit(f"item_{turn:016}")  # never transcribed
            wire.begin(f"resp_{turn:016}")
            wire.done(f"resp_{turn:016}", output=[_message(f"item_r{turn:016}", "Yes.")])
        wait_for_records()
        recorded.log_exporter.clear()
        recorded.span_exporter.clear()

    talk(range(1500))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        talk(range(1500, 3000))
        garbage.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2_000_000
    wire.close()


def test_events_may_be_brought(recorded: Recorded) -> None:
    """Whatever carries them: as dicts or JSON; when the session ends, so does what is under way."""
    content.configure(content.Capture.EVENT_ONLY)
    with otel_costs.session("mine", user="ada") as session, otel_costs.step("greeting"):
        created = {"type": "session.created", "session": {"id": SESSION, "model": "gpt-realtime"}}
        otel_costs.observe_realtime_event(session, "server", created)
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
        otel_costs.observe_realtime_event(session, "client", {"type": "conversation.item.create", "item": said})
        otel_costs.observe_realtime_event(
            session, "server", {"type": "conversation.item.added", "item": {**said, "id": "item_1"}}
        )
        otel_costs.observe_realtime_event(session, "client", '{"type":"response.create"}')
        done = {"type": "response.done", "response": {"id": "resp_0123456789abcdef", "usage": USAGE}}
        otel_costs.observe_realtime_event(session, "server", json.dumps(done))
        otel_costs.observe_realtime_event(
            session, "server", {"type": "response.created", "response": {"id": "resp_1123456789abcdef"}}
        )
        assert session.cost_usd == Decimal(COST)
    first, second = recorded.calls
    assert (first[names.SESSION_ID], first[names.USER_ID], first[names.STEP]) == ("mine", "ada", "greeting")
    assert usd(first) == Decimal(COST)
    assert second[names.COST_REASON] == "response_not_done"
    assert [message["body"] for message in recorded.messages] == ["Hi"]
    (ended,) = recorded.records(names.SESSION_EVENT)
    assert ended[names.SESSION_CALLS] == 2


def test_a_forked_child_brings_events_of_its_own(recorded: Recorded) -> None:
    """Whatever its parent's threads were doing: it waits for none of them, and bills what it sees, and no more."""
    created = {"type": "session.created", "session": {"id": SESSION, "model": "gpt-realtime"}}
    done = {"type": "response.done", "response": {"id": "resp_0123456789abcdef", "usage": USAGE}}
    with otel_costs.session("forked") as session:
        otel_costs.observe_realtime_event(session, "server", created)
        begun = {"type": "response.created", "response": {"id": "resp_1123456789abcdef"}}
        otel_costs.observe_realtime_event(session, "server", begun)
        held, released = threading.Event(), threading.Event()
        follower: Any = session.follower

        def hold() -> None:
            with follower._lock:
                held.set()
                released.wait(60)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(60)
        child = os.fork()
        if not child:
            signal.alarm(20)
            recorded.log_exporter.clear()
            for event in (created, done):
                otel_costs.observe_realtime_event(session, "server", event)
            os._exit(0 if [call.get(names.COST_USD) for call in recorded.calls] == [COST] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        released.set()
        holder.join()
    assert recorded.call[names.COST_REASON] == "response_not_done"


def test_a_bug_at_the_end_costs_no_more_than_its_part(
    wire: Wire, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is under way is told of each by itself: responses, transcriptions, messages, and the session."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    wire.append(PIECE)
    wire.commit("item_user")
    wire.begin("resp_0123456789abcdef")
    monkeypatch.setattr(Turns, "end", fail)
    wire.close()
    assert [call[names.COST_STATUS] for call in recorded.calls] == ["estimated"]
    assert len(recorded.messages) == 1
    assert len(recorded.records(names.SESSION_EVENT)) == 1


def test_a_response_that_was_refused_gives_its_step_to_none(recorded: Recorded) -> None:
    """The next one may be begun by whoever speaks."""
    with otel_costs.session("mine"):
        wire = Wire().created()
        with otel_costs.step("summary"):
            wire.client("response.create")
            wire.server("error", error={"code": "conversation_already_has_active_response"})
        wire.done("resp_0123456789abcdef")
        with otel_costs.step("farewell"):
            wire.client("response.create")
        wire.done("resp_1123456789abcdef")
    assert [call.get(names.STEP) for call in recorded.calls] == [None, "farewell"]


def test_brought_events_respect_the_budget_and_nothing_else(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug, or what is no event, is warned of once; a spent budget is raised."""
    with otel_costs.session("poor", budget_usd="0.01") as session:
        for odd in (7, None, {"type": 7}):
            otel_costs.observe_realtime_event(session, "server", odd)  # type: ignore[arg-type]
        otel_costs.observe_realtime_event(session, "sideways", {"type": "response.create"})  # type: ignore[arg-type]
        done = {"type": "response.done", "response": {"id": "resp_0123456789abcdef", "usage": USAGE}}
        created = {"type": "session.created", "session": {"id": SESSION, "model": "gpt-realtime"}}
        for event in (created, done):
            otel_costs.observe_realtime_event(session, "server", event)
        with pytest.raises(otel_costs.BudgetExceeded):
            otel_costs.observe_realtime_event(session, "client", {"type": "response.create"})
    assert len([text for text in caplog.messages if "Realtime event" in text]) == 1


def test_a_spent_budget_ends_the_turn_and_then_stops(recorded: Recorded) -> None:
    """Where the service itself begins each response: sound is sent until the last turn is over, and no further one."""
    sound = {"type": "input_audio_buffer.append", "audio": "AAAA"}
    response = {"id": "resp_0123456789abcdef"}
    with otel_costs.session("spoken", budget_usd="0.01") as session:
        bring = partial(otel_costs.observe_realtime_event, session)
        bring("server", {"type": "session.created", "session": {"id": SESSION, "model": "gpt-realtime"}})
        bring("client", sound)
        bring("server", {"type": "response.created", "response": response})
        limit = session.limit
        assert limit is not None
        assert limit.under_way == 1
        otel_costs.record("chat", provider="p", model="m", usage={}, cost_usd="0.01")
        bring("client", sound)
        bring("server", {"type": "response.done", "response": {**response, "usage": USAGE}})
        assert session.totals.calls == 2
        assert limit.under_way == 0
        with pytest.raises(otel_costs.BudgetExceeded):
            bring("client", sound)
        bring("client", {"type": "input_audio_buffer.clear"})
    assert len(recorded.calls) == 2


RESPONSE = Kind("realtime_inference", "openai", "gpt-realtime")


def asks(wire: Wire, **fields: object) -> bool:
    """Return whether a response may be asked for."""
    try:
        wire.client("response.create", **fields)
    except otel_costs.BudgetExceeded:
        return False
    return True


def test_a_response_is_reserved_from_when_it_is_asked_for(recorded: Recorded) -> None:
    """So that connections that ask at once do not pass a budget; until it is over or refused, or its line ends."""
    estimate.forget()
    estimate.note(RESPONSE, Decimal(0), Decimal("0.01"), bounded=False)
    with otel_costs.session("all", budget_usd="0.025") as session:
        one, other, third = (Wire().created(id=f"{SESSION}{number}") for number in range(3))
        limit = session.limit
        assert limit is not None
        assert [asks(wire) for wire in (one, other, third)] == [True, True, False]
        one.begin("resp_0123456789abcdef")
        assert limit.under_way == 2, "what was asked for has begun, and is no other one"
        one.server("error", error={"event_id": "evt_of_mine", "code": "invalid_value"})
        other.server("error", error={"event_id": None, "code": "invalid_value"})
        assert limit.under_way == 1
        assert [asks(other, event_id="evt_2"), asks(third)] == [True, False]
        other.server("error", error={"event_id": "evt_1", "code": "invalid_value"})
        assert limit.under_way == 2
        other.server("error", error={"code": "conversation_already_has_active_response"})
        assert limit.under_way == 1
        assert asks(third)
        for wire in (one, other, third):
            wire.close()
        assert session.totals.calls == 1
        assert (limit.under_way, limit.reserved_usd) == (0, Decimal(0))


@pytest.mark.parametrize(
    ("settings", "is_let"),
    [
        ({}, False),
        ({"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}, False),
        ({"audio": {"input": {"turn_detection": None}}}, True),
        ({"turn_detection": {"type": "server_vad", "create_response": False}}, True),
        ({"type": "transcription"}, True),
    ],
)
def test_no_turn_begins_in_what_others_have_reserved(
    recorded: Recorded, settings: dict[str, object], is_let: bool
) -> None:
    """Sound is refused that may begin a response which does not fit; it goes on when one of the others is over."""
    estimate.forget()
    estimate.note(RESPONSE, Decimal(0), Decimal("0.01"), bounded=False)
    with otel_costs.session("all", budget_usd="0.025") as session:
        one, other = (Wire().created(id=f"{SESSION}{number}") for number in range(2))
        third = Wire().created(id=f"{SESSION}3", **settings)
        third.append(b"x" * 480)
        one.begin("resp_0123456789abcdef")
        other.begin("resp_0123456789abcdf0")
        if is_let:
            third.append(b"x" * 480)
        else:
            with pytest.raises(otel_costs.BudgetExceeded, match="does not fit"):
                third.append(b"x" * 480)
        other.append(b"x" * 480)  # its turn goes on
        assert session.limit is not None
        assert session.limit.under_way == 2, "nothing is reserved for sound"
        one.close()
        background.drain()
        third.append(b"x" * 480)
        for wire in (other, third):
            wire.close()
        background.drain()
        assert session.limit.under_way == 0


def test_a_translation_stops_where_nothing_is_left(recorded: Recorded) -> None:
    """Its sound is let on for 15 seconds at a time; without a price it holds what the dearest has cost lately."""
    estimate.forget()
    estimate.note(Kind("realtime_inference", "openai", "gpt-none"), Decimal(0), Decimal("0.01"), bounded=False)
    second = b"x" * 48_000
    with otel_costs.session("all", budget_usd="0.01") as session:
        wire, other = (Wire("model=gpt-none", "/v1/realtime/translations").created() for _ in range(2))
        wire.append(second)
        assert session.limit is not None
        assert (session.limit.under_way, session.limit.reserved_usd) == (1, Decimal("0.01"))
        with pytest.raises(otel_costs.BudgetExceeded, match="does not fit"):
            other.append(second)
        otel_costs.record("chat", provider="p", model="m", usage={}, cost_usd="0.01")
        background.drain()
        for _ in range(14):
            wire.append(second)
        with pytest.raises(otel_costs.BudgetExceeded):
            wire.append(second)
        wire.close()
        other.close()
        background.drain()
        assert session.limit.under_way == 0


def test_a_responses_span_has_what_was_said_where_spans_may(recorded: Recorded) -> None:
    """What was added since the last response, and the answer; the records of messages have no content then."""
    content.configure(content.Capture.SPAN_ONLY)
    wire = Wire().created()
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    wire.server("conversation.item.added", item={**said, "id": "item_1"})
    wire.begin("resp_0123456789abcdef")
    wire.done("resp_0123456789abcdef", output=[_message("item_2", "Hello")])
    wire.close()
    (span,) = (span for span in recorded.spans if span.name.startswith("realtime_inference"))
    shown = dict(span.attributes or {})
    assert json.loads(str(shown[names.INPUT_MESSAGES])) == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
    ]
    assert json.loads(str(shown[names.OUTPUT_MESSAGES])) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}
    ]
    assert [message["body"] for message in recorded.messages] == [None, None]


def test_tools_of_a_session(recorded: Recorded) -> None:
    """A tool of a spoken session that nobody knows is named with each response."""
    wire = Wire().created(tools=[{"type": "function", "name": "f"}, {"type": "oracle"}, {"type": "mcp"}])
    wire.done("resp_0123456789abcdef")
    wire.server("session.updated", session={"type": "realtime", "tools": [{"type": "function", "name": "f"}]})
    wire.done("resp_1123456789abcdef")
    first, second = recorded.calls
    assert (first[names.COST_STATUS], list(first[names.COST_UNKNOWN])) == ("partial", ["oracle"])
    assert (second[names.COST_STATUS], second[names.COST_USD]) == ("priced", COST)


def test_tools_of_a_response(recorded: Recorded) -> None:
    """A tool that is asked for one response is named with that one."""
    wire = Wire().created()
    wire.client("response.create", response={"tools": [{"type": "oracle"}]})
    for response_id in ("resp_0123456789abcdef", "resp_1123456789abcdef"):
        wire.begin(response_id)
        wire.done(response_id)
    first, second = recorded.calls
    assert (first[names.COST_STATUS], list(first[names.COST_UNKNOWN])) == ("partial", ["oracle"])
    assert second[names.COST_STATUS] == "priced"


def test_the_context_of_the_application_loses_nothing(wire: Wire, recorded: Recorded) -> None:
    """Its Decimal context is its own, however few digits it has and whatever it forbids."""
    with localcontext() as context:
        context.prec = 3
        context.traps[Inexact] = True
        wire.append(bytes(20 * 48_000 + 480))
        wire.commit("item_0123456789abcdef")
        wire.close()
    call = recorded.call
    assert call["otel_costs.usage.input_audio_seconds"] == "20.01"
    assert "transcription_not_seen" in call[names.COST_REASON]
