"""What Deepgram bills of a transcription: its seconds, by model, language and features, recorded or live."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from otel_costs import clean
from otel_costs.call import Call
from otel_costs.cost_reason import CostReason
from otel_costs.usage import Usage

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


def bill(
    call: Call, query: Mapping[str, list[str]], duration: object, *, channels: int = 1, live: bool = False
) -> None:
    """Bill `duration` seconds of each of `channels`; None where they are not known."""
    name = listed(call.request_model or DEFAULT_MODEL, query, live=live)
    call.bill.price_model = None if name == call.request_model else name
    seconds = clean.number(duration)
    if seconds is None:
        if duration is not None:
            call.bill.usage = Usage({}, ("audio_seconds",))
        else:
            call.bill.reasons.append(CostReason.USAGE_NOT_REPORTED)
        return
    total = Decimal(channels) * seconds
    call.bill.usage = Usage.of({"audio_seconds": total, "input_audio_seconds": total})
    if any(_on(query, feature) for feature in _BILLED):
        call.bill.reasons.append(CostReason.FEATURE_NOT_PRICED)
    call.bill.unknown += [name for name in query if name not in _FREE and name not in _BILLED and _on(query, name)]


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
