"""What Deepgram bills of a transcription: its seconds, by model, language and features, recorded or live."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from otel_costs import clean
from otel_costs.call import Call
from otel_costs.usage import Usage

DEFAULT_MODEL: Final = "base-general"
"""The documented default where a request names none."""

_BILLED: Final = (
    "redact", "keyterm", "summarize", "sentiment", "topics", "intents", "detect_entities", "custom_topic",
    "custom_intent",
)  # fmt: skip
"""Features that cost more; what they cost is not known to us."""


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
            call.bill.reasons.append("usage_not_reported")
        return
    total = Decimal(channels) * seconds
    call.bill.usage = Usage.of({"audio_seconds": total, "input_audio_seconds": total})
    if any(_on(query, feature) for feature in _BILLED):
        call.bill.reasons.append("feature_not_priced")


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
