"""A transcript of AssemblyAI's: a job that is submitted, polled until it is completed, and billed once by its id."""

from dataclasses import replace
from typing import Any, Final

from otel_costs.messages.drafts import CONTEXT
from otel_costs.providers import kit
from otel_costs.providers.kit import speech_usage
from otel_costs.providers.openai.jobs import ENDED

_BILLED: Final = (
    "auto_chapters", "auto_highlights", "content_safety", "domain", "entity_detection", "iab_categories",
    "keyterms_prompt", "multichannel", "prompt", "redact_pii", "redact_pii_audio", "sentiment_analysis",
    "speech_understanding", "summarization",
)  # fmt: skip
"""Features that cost more, or may; what they cost is not known to us."""


def model(asked: kit.Asked) -> str | None:
    """Return the model that is asked for, the first of those that may be taken."""
    wished: Any = asked.body.get("speech_models") or [None]
    first = wished[0] if isinstance(wished, list) and isinstance(wished[0], str) else None
    return first or asked.text("speech_model") or kit.asked_model(asked)


def read(asked: kit.Asked, answer: kit.Answer) -> kit.Reading:
    """Return what is known of a transcript by now."""
    body, job_id = answer.json, answer.json.get("id")
    failed, seconds = body.get("status") == "error", body.get("audio_duration")
    used = body.get("speech_model_used") or body.get("speech_model")
    heard = kit.heard(body.get("text"), seconds)
    found = kit.Reading(
        model=used,
        response_id=job_id,
        job=kit.Job(job_id, failed or body.get("status") in ENDED) if isinstance(job_id, str) else None,
        inputs=[kit.Draft("", CONTEXT, key=job_id)] if heard and job_id else None,
        outputs=[heard] if heard else (),
    )
    if failed:
        return replace(found, refused=True, error="transcript_failed")  # it is not charged
    if seconds is None:
        return found
    billed_model, unpriced = used or model(asked), any(body.get(feature) for feature in _BILLED)
    return replace(
        found,
        usage=speech_usage.of_audio(seconds),
        price_model=f"{billed_model}/diarize" if body.get("speaker_labels") and billed_model else None,
        reasons=(kit.CostReason.FEATURE_NOT_PRICED,) if unpriced else (),
    )
