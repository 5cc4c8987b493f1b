"""What a response and a transcription say that they used."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai.usage import heard
from otel_costs.usage import Usage
from otel_costs.usage.reported import read

_DETAILS: Final = (("input_tokens", "input_token_details"), ("output_tokens", "output_token_details"))


def of_response(usage: object, provider: str | None = None) -> tuple[Usage | None, CostReason | None]:
    """Return the tokens of a response, None if it does not say them, and why their price is an estimate."""
    if usage is None:
        return None, None
    found = read(usage, provider)
    if not isinstance(usage, Mapping):
        return found, None
    for whole, details in _DETAILS:
        if usage.get(whole) and not _tells_modalities(
            usage.get(details) or usage.get(details.replace("token_", "tokens_"))
        ):
            return found, CostReason.MODALITIES_UNKNOWN
    return found, None


def of_transcription(usage: object, heard_s: Decimal | None, provider: str | None = None) -> Usage | None:
    """Return what a transcription used: tokens or seconds, or the seconds that were heard, which is an estimate."""
    if usage is not None and (found := read(usage, provider)) is not None:
        return heard(found)
    return None if heard_s is None else _seconds(heard_s, estimated=True)


def _tells_modalities(details: Any) -> bool:
    return isinstance(details, Mapping) and any(
        details.get(name) is not None for name in ("text_tokens", "audio_tokens", "image_tokens")
    )


def _seconds(value: object, *, estimated: bool = False) -> Usage:
    return Usage.of({"audio_seconds": value, "input_audio_seconds": value}, estimated=estimated)


def of_sound_sent(seconds: object, said_s: object = None) -> Usage:
    """Return what a service that says nothing used: the sound that it was sent, and the sound that it made."""
    quantities = {"audio_seconds": seconds, "input_audio_seconds": seconds, "output_audio_seconds": said_s}
    return Usage.of(quantities, estimated=True)
