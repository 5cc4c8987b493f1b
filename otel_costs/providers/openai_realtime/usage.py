"""The usage of a transcription, and the seconds of sound where a service reports no usage."""

from decimal import Decimal

from otel_costs.providers.openai.usage import with_input_audio
from otel_costs.usage import Usage
from otel_costs.usage.reported import read


def of_transcription(usage: object, heard_s: Decimal | None, provider: str | None = None) -> Usage | None:
    """Return the usage of a transcription: the tokens or seconds reported, or `heard_s` as an estimate."""
    found = None if usage is None else read(usage, provider)
    if found is not None and not found.is_hollow:
        return with_input_audio(found)
    return None if heard_s is None else _seconds(heard_s, estimated=True)


def _seconds(value: object, *, estimated: bool = False) -> Usage:
    return Usage.of({"audio_seconds": value, "input_audio_seconds": value}, estimated=estimated)


def of_sound_sent(seconds: object, output_s: object = None) -> Usage:
    """Return the usage of a service that reports none: the seconds of sound sent to it, and made by it."""
    quantities = {"audio_seconds": seconds, "input_audio_seconds": seconds, "output_audio_seconds": output_s}
    return Usage.of(quantities, estimated=True)
