"""AssemblyAI: transcripts, speech and its gateway to language models over HTTP, and its sockets.

A transcript is a job: it is submitted, looked at until it is completed, and billed once by its id. A live transcription
is billed by the time that its connection is open, not by the sound that is sent.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qs

from otel_costs import attributes as names
from otel_costs.call import Call
from otel_costs.cost_reason import CostReason
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.patching import Patches
from otel_costs.providers import spoken, vendor_http
from otel_costs.providers.openai import folds, jobs
from otel_costs.providers.openai import messages as openai_messages
from otel_costs.providers.openai.usage import read_usage
from otel_costs.providers.vendor_call import Answer, Vendor
from otel_costs.providers.vendor_request import Asked, Endpoint
from otel_costs.providers.vendor_socket import Listening, Speaking
from otel_costs.sockets.claims import Handshake, Observer
from otel_costs.usage import Usage

_ENDPOINTS: Final = (
    Endpoint("transcript", "speech_to_text", "POST", re.compile(r"/v2/transcript$"), is_read=True),
    Endpoint("transcript", "speech_to_text", "GET", re.compile(r"/v2/transcript/[^/]+$"), is_read=True, is_look=True),
    Endpoint("sync", "speech_to_text", "POST", re.compile(r"/v1/transcribe(/live)?$"), is_read=True),
    Endpoint("speech", "text_to_speech", "POST", re.compile(r"/v1/speech$")),
    Endpoint("chat", "chat", "POST", re.compile(r"/v1/chat/completions$"), is_read=True),
)
_BILLED: Final = (
    "auto_chapters", "auto_highlights", "content_safety", "domain", "entity_detection", "iab_categories",
    "keyterms_prompt", "multichannel", "prompt", "redact_pii", "redact_pii_audio", "sentiment_analysis",
    "speech_understanding", "summarization",
)  # fmt: skip
"""Features that cost more, or may; what they cost is not known to us."""


def install(patches: Patches) -> None:
    """Patch httpx, which the package uses as it is; it does not try again."""
    jobs.forget()
    vendor_http.install(patches, VENDOR)


def _model(asked: Asked) -> str | None:
    if asked.endpoint.name == "sync":
        return asked.headers.get("x-aai-model") or "dictation"
    wished = asked.body.get("speech_models")
    first = wished[0] if isinstance(wished, list) and wished and isinstance(wished[0], str) else None
    return first or asked.text("speech_model") or asked.text("model")


def _inputs(asked: Asked) -> list[Draft]:
    if asked.endpoint.name == "chat":
        return openai_messages.read_request("chat", asked.body)
    return spoken.synthesized(asked.body.get("text")) if asked.endpoint.name == "speech" else [spoken.alone()]


def _is_due(asked: Asked, body: Any) -> bool:
    return isinstance(body, dict) and jobs.is_due(asked.host.provider, {"id": body.get("id"), "status": _status(body)})


def _status(body: Mapping[str, Any]) -> str:
    return "failed" if body.get("status") == "error" else str(body.get("status"))


def _read(call: Call, asked: Asked, answer: Answer) -> None:
    readers = {"transcript": _read_transcript, "sync": _read_sync, "speech": _read_speech, "chat": _read_chat}
    readers[asked.endpoint.name](call, asked, answer)


def _read_transcript(call: Call, _: Asked, answer: Answer) -> None:
    body = answer.body if isinstance(answer.body, dict) else {}
    call.set(names.RESPONSE_ID, body.get("id"))
    call.response_model = body.get("speech_model_used") or body.get("speech_model")
    status, seconds = _status(body), body.get("audio_duration")
    if status == "failed":
        call.bill.refused = True  # one that fails is not charged
        call.set(names.ERROR_TYPE, "transcript_failed")
    elif seconds is not None:
        call.bill.usage = Usage.of({"audio_seconds": seconds, "input_audio_seconds": seconds})
        model = call.response_model or call.request_model
        if body.get("speaker_labels") and model:
            call.bill.price_model = f"{model}/diarize"
        if any(body.get(feature) for feature in _BILLED):
            call.bill.reasons.append(CostReason.FEATURE_NOT_PRICED)
    if isinstance(job := body.get("id"), str):
        call.as_job(job, created_s=None, ended_s=None, ended=status in jobs.ENDED)
        if heard := spoken.heard(body.get("text"), seconds):
            call.inputs, call.choices = [Draft("", CONTEXT, key=job)], [heard]


def _read_sync(call: Call, asked: Asked, answer: Answer) -> None:
    body = answer.body if isinstance(answer.body, dict) else {}
    call.set(names.RESPONSE_ID, body.get("session_id"))
    milliseconds = body.get("audio_duration_ms")
    if isinstance(milliseconds, int):
        seconds = Decimal(milliseconds) / 1000
        call.bill.usage = Usage.of({"audio_seconds": seconds, "input_audio_seconds": seconds})
        call.bill.price_model = "sync" if "x-aai-model" in asked.headers else None
    call.choices = [spoken.heard(body.get("text"))]


def _read_speech(call: Call, asked: Asked, answer: Answer) -> None:
    call.set(names.RESPONSE_ID, answer.headers.get("x-request-id"))
    call.response_model = answer.headers.get("x-tts-model")
    billed, text = answer.headers.get("x-tts-billed-characters"), asked.body.get("text")
    if billed is not None:
        call.bill.usage = Usage.of({"input_characters": billed})
    elif isinstance(text, str):
        call.bill.usage = Usage.of({"input_characters": len(text)}, estimated=True)


def _read_chat(call: Call, asked: Asked, answer: Answer) -> None:
    streamed = isinstance(answer.body, str)
    body = folds.folded("chat/completions", answer.body.encode()) if streamed else answer.body
    if not isinstance(body, dict):
        return
    call.response_model = body.get("model")
    call.set(names.RESPONSE_ID, body.get("request_id") or body.get("id"))
    call.bill.usage = read_usage("chat/completions", body, asked.body, call.provider)
    call.choices = openai_messages.read_response("chat", body)


def claim(handshake: Handshake) -> Observer | None:
    """Return who follows a socket to AssemblyAI; None if nothing on it is billed, or we do not know it."""
    if handshake.path.endswith("/v3/ws"):
        return _Transcription(handshake)
    speaks = handshake.path.endswith("/v1/ws") and not handshake.host.startswith("agents.")
    return _Speech(handshake) if speaks else None


class _Transcription:
    """A live transcription, billed by the time that its connection is open; `Termination` says it."""

    def __init__(self, handshake: Handshake) -> None:
        asked = {name: values[0] for name, values in parse_qs(handshake.query).items()}
        self._formats = asked.get("format_turns", "").lower() == "true"
        self._is_plain = not asked.keys() & {
            "keyterms_prompt",
            "speaker_labels",
            "domain",
            "llm_gateway",
            "voice_focus",
        }
        model = asked.get("speech_model") or "universal-streaming-english"
        self._listening = Listening(handshake, model, self._bill, timed=True)

    def sent(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._listening.takes(len(frame))

    def received(self, frame: str | bytes) -> None:
        if not isinstance(frame, str) or not any(mark in frame for mark in _SAID):
            return
        event = json.loads(frame)
        if event.get("type") == "Termination":
            self._listening.reports(event.get("session_duration_seconds"))
        elif event.get("type") == "Turn" and (event.get("turn_is_formatted") or not self._formats):
            self._listening.hears(event.get("transcript"))

    def closed(self, error: str | None) -> None:
        self._listening.closed(error)

    def _bill(self, call: Call, seconds: Decimal) -> None:
        call.bill.usage = Usage.of({"audio_seconds": seconds, "input_audio_seconds": seconds})
        call.bill.price_model = f"{call.request_model}/streaming"
        if not self._is_plain:
            call.bill.reasons.append(CostReason.FEATURE_NOT_PRICED)


_SAID: Final = ('"Termination"', '"end_of_turn":true', '"end_of_turn": true')


class _Speech:
    """Texts that are spoken on one connection; `Termination` says the characters that are billed."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._speaking: Speaking | None = None
        self._characters: object = None

    def sent(self, frame: str | bytes) -> None:
        text = json.loads(frame).get("text")
        if isinstance(text, str) and text:
            self._speaking = self._speaking or Speaking(self._handshake, None)
            self._speaking.says(text)

    def received(self, frame: str | bytes) -> None:
        if self._speaking is not None and isinstance(frame, str):
            self._speaking.sounds()
            if '"Termination"' in frame:
                self._characters = json.loads(frame).get("total_input_char_length")

    def closed(self, error: str | None) -> None:
        if self._speaking is not None:
            self._speaking.closed(error, characters=self._characters)


VENDOR: Final = Vendor("assemblyai", "assemblyai/", _ENDPOINTS, _model, _inputs, _read, _is_due)
