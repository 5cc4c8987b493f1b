"""What Deepgram bills of a transcription: its seconds, by model, language and features, recorded or live."""

from collections.abc import Mapping
from typing import Final

from otel_costs.calls.reading import Reading
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.kit import speech_usage
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize

DEFAULT_MODEL: Final = "base-general"
"""The documented default where a request names none."""

_BILLED: Final = (
    "redact", "keyterm", "summarize", "sentiment", "topics", "intents", "detect_entities", "custom_topic",
    "custom_intent", "mip_opt_out",
)  # fmt: skip
"""Features that cost more, or may; what they cost is not known to us."""

_FREE: Final = frozenset({
    "alternatives", "bit_rate", "callback", "callback_method", "channels", "container", "custom_intent_mode",
    "custom_topic_mode", "detect_language", "diarize", "diarize_model", "diarize_version", "dictation",
    "eager_eot_threshold", "encoding", "endpointing", "eot_threshold", "eot_timeout_ms", "extra", "filler_words",
    "interim_results", "keywords", "language", "language_hint", "measurements", "model", "multichannel", "no_delay",
    "numerals", "paragraphs", "profanity_filter", "punctuate", "replace", "sample_rate", "search", "smart_format",
    "tag", "tier", "token", "utt_split", "utterance_end_ms", "utterances", "vad_events", "version",
})  # fmt: skip
"""What costs nothing, or is in the name that the price is listed under (deepgram-sdk 7.17, `listen`)."""


def billed(
    model: str | None, query: Mapping[str, list[str]], duration: object, *, channels: int = 1, live: bool = False
) -> Reading:
    """Return what `duration` seconds of each of `channels` are billed as; None where they are not known."""
    name = listed(model or DEFAULT_MODEL, query, live=live)
    price_model = None if name == (model or DEFAULT_MODEL) else name
    seconds = sanitize.number(duration)
    if seconds is None:
        unknown = None if duration is None else Usage({}, ("audio_seconds",))
        reason = CostReason.USAGE_NOT_REPORTED if duration is None else None
        return Reading(unknown, price_model=price_model, reasons=(reason,))
    return Reading(
        speech_usage.of_audio(EXACT.multiply(channels, seconds)),
        price_model=price_model,
        reasons=(CostReason.FEATURE_NOT_PRICED if any(_on(query, feature) for feature in _BILLED) else None,),
        unknown=tuple(name for name in query if name not in _FREE and name not in _BILLED and _on(query, name)),
    )


def listed(model: str, query: Mapping[str, list[str]], *, live: bool) -> str:
    """Return the name that the price is listed under: `nova-3/multilingual/streaming/diarize`, say."""
    name = model
    if "multi" in query.get("language", ()):
        name += "/multilingual"
    if live:
        name += "/streaming"
    return name + "/diarize" if _on(query, "diarize") or _on(query, "diarize_model") else name


def _on(query: Mapping[str, list[str]], name: str) -> bool:
    return any(value.lower() not in ("false", "0", "") for value in query.get(name, ()))
