"""AssemblyAI: transcripts, speech and its gateway to language models over HTTP, and its sockets.

A transcript is a job: it is submitted, looked at until it is completed, and billed once by its id. Its package tries
nothing again.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from otel_costs.messages.drafts import CONTEXT
from otel_costs.providers import kit
from otel_costs.providers.assemblyai.gateway import CHAT
from otel_costs.providers.assemblyai.sockets import claim
from otel_costs.providers.kit import speech_usage
from otel_costs.providers.openai.jobs import ENDED

_BILLED: Final = (
    "auto_chapters", "auto_highlights", "content_safety", "domain", "entity_detection", "iab_categories",
    "keyterms_prompt", "multichannel", "prompt", "redact_pii", "redact_pii_audio", "sentiment_analysis",
    "speech_understanding", "summarization",
)  # fmt: skip
"""Features that cost more, or may; what they cost is not known to us."""


def _model(asked: kit.Asked) -> str | None:
    wished: Any = asked.body.get("speech_models") or [None]
    first = wished[0] if isinstance(wished, list) and isinstance(wished[0], str) else None
    return first or asked.text("speech_model") or kit.asked_model(asked)


def _transcript(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    body, job_id = answer.json, answer.json.get("id")
    failed, seconds = body.get("status") == "error", body.get("audio_duration")
    model = body.get("speech_model_used") or body.get("speech_model")
    heard = kit.heard(body.get("text"), seconds)
    read = kit.Reading(
        model=model,
        response_id=job_id,
        job=kit.Job(job_id, failed or body.get("status") in ENDED) if isinstance(job_id, str) else None,
        inputs=[kit.Draft("", CONTEXT, key=job_id)] if heard and job_id else None,
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
        reasons=(kit.CostReason.FEATURE_NOT_PRICED,) if unpriced else (),
    )


def _short(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    milliseconds = answer.json.get("audio_duration_ms")
    return kit.Reading(
        speech_usage.heard(Decimal(milliseconds) / 1000) if isinstance(milliseconds, int) else None,
        response_id=answer.json.get("session_id"),
        outputs=[kit.heard(answer.json.get("text"))],
        price_model="sync" if "x-aai-model" in asked.headers and isinstance(milliseconds, int) else None,
    )


def _speech(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    usage = speech_usage.spoken(answer.headers.get("x-tts-billed-characters"), asked.body.get("text"))
    return kit.Reading(usage, answer.headers.get("x-tts-model"), answer.headers.get("x-request-id"))


VENDOR: Final = kit.Vendor(
    name="assemblyai",
    agent="assemblyai/",
    claim=claim,
    endpoints=(
        kit.Endpoint("speech_to_text", "POST", "/v2/transcript$", _transcript, _model),
        kit.Endpoint("speech_to_text", "GET", "/v2/transcript/[^/]+$", _transcript, is_poll=True),
        kit.Endpoint(
            "speech_to_text", "POST", "/v1/transcribe(/live)?$", _short, lambda asked: asked.headers.get("x-aai-model"),
            default_model="dictation",
        ),
        kit.Endpoint("text_to_speech", "POST", "/v1/speech$", _speech, inputs=kit.text_to_speak("text"), is_read=False),
        CHAT,
    ),
)  # fmt: skip
