"""AssemblyAI: transcripts, speech and its gateway to language models over HTTP, and its sockets.

A transcript is a job: it is submitted, looked at until it is completed, and billed once by its id.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from otel_costs.cost_reason import CostReason
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.patching import Patches
from otel_costs.providers import speech_usage, spoken, vendor_http
from otel_costs.providers.assemblyai.sockets import claim
from otel_costs.providers.openai import folds
from otel_costs.providers.openai import messages as openai_messages
from otel_costs.providers.openai.jobs import ENDED
from otel_costs.providers.openai.usage import read_usage
from otel_costs.providers.vendor import Vendor
from otel_costs.providers.vendor_answer import Answer
from otel_costs.providers.vendor_request import Asked, Endpoint, asked_model, to_be_spoken
from otel_costs.reading import Job, Reading

__all__ = ["VENDOR", "claim", "install"]

_BILLED: Final = (
    "auto_chapters", "auto_highlights", "content_safety", "domain", "entity_detection", "iab_categories",
    "keyterms_prompt", "multichannel", "prompt", "redact_pii", "redact_pii_audio", "sentiment_analysis",
    "speech_understanding", "summarization",
)  # fmt: skip
"""Features that cost more, or may; what they cost is not known to us."""


def install(patches: Patches) -> None:
    """Record what is asked of AssemblyAI over HTTP; its package, which uses httpx as it is, does not try again."""
    vendor_http.install(patches, VENDOR)


def _model(asked: Asked) -> str | None:
    wished: Any = asked.body.get("speech_models") or [None]
    first = wished[0] if isinstance(wished, list) and isinstance(wished[0], str) else None
    return first or asked.text("speech_model") or asked_model(asked)


def _transcript(asked: Asked, answer: Answer) -> Reading:
    body, job_id = answer.json, answer.json.get("id")
    failed, seconds = body.get("status") == "error", body.get("audio_duration")
    model = body.get("speech_model_used") or body.get("speech_model")
    heard = spoken.heard(body.get("text"), seconds)
    read = Reading(
        model=model,
        response_id=job_id,
        job=Job(job_id, failed or body.get("status") in ENDED) if isinstance(job_id, str) else None,
        inputs=[Draft("", CONTEXT, key=job_id)] if heard and job_id else None,
        outputs=[heard] if heard else (),
    )
    if failed:
        return replace(read, refused=True, error="transcript_failed")  # it is not charged
    if seconds is None:
        return read
    said, unpriced = model or _model(asked), any(body.get(feature) for feature in _BILLED)
    return replace(
        read,
        usage=speech_usage.heard(seconds),
        price_model=f"{said}/diarize" if body.get("speaker_labels") and said else None,
        reasons=(CostReason.FEATURE_NOT_PRICED,) if unpriced else (),
    )


def _short(asked: Asked, answer: Answer) -> Reading:
    milliseconds = answer.json.get("audio_duration_ms")
    return Reading(
        speech_usage.heard(Decimal(milliseconds) / 1000) if isinstance(milliseconds, int) else None,
        response_id=answer.json.get("session_id"),
        outputs=[spoken.heard(answer.json.get("text"))],
        price_model="sync" if "x-aai-model" in asked.headers and isinstance(milliseconds, int) else None,
    )


def _speech(asked: Asked, answer: Answer) -> Reading:
    usage = speech_usage.spoken(answer.headers.get("x-tts-billed-characters"), asked.body.get("text"))
    return Reading(usage, answer.headers.get("x-tts-model"), answer.headers.get("x-request-id"))


def _chat(asked: Asked, answer: Answer) -> Reading:
    streamed = isinstance(answer.body, str)
    body = (folds.folded("chat/completions", answer.body.encode()) if streamed else answer.body) or {}
    return Reading(
        read_usage("chat/completions", body, asked.body, "assemblyai"),
        body.get("model"),
        body.get("request_id") or body.get("id"),
        outputs=openai_messages.read_response("chat", body),
    )


def _asked_in_chat(asked: Asked) -> Sequence[Draft]:
    return openai_messages.read_request("chat", asked.body)


VENDOR: Final = Vendor(
    name="assemblyai",
    agent="assemblyai/",
    endpoints=(
        Endpoint("speech_to_text", "POST", "/v2/transcript$", _transcript, _model),
        Endpoint("speech_to_text", "GET", "/v2/transcript/[^/]+$", _transcript, is_look=True),
        Endpoint(
            "speech_to_text", "POST", "/v1/transcribe(/live)?$", _short, lambda asked: asked.headers.get("x-aai-model"),
            default_model="dictation",
        ),
        Endpoint("text_to_speech", "POST", "/v1/speech$", _speech, inputs=to_be_spoken("text"), is_read=False),
        Endpoint("chat", "POST", "/v1/chat/completions$", _chat, inputs=_asked_in_chat, last_event="[DONE]"),
    ),
)  # fmt: skip
