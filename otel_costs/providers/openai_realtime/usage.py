"""What a transcription says that it used, and what was heard and said where nothing says it."""

from decimal import Decimal

from otel_costs.providers.openai.usage import heard
from otel_costs.usage import Usage
from otel_costs.usage.reported import read


def of_transcription(usage: object, heard_s: Decimal | None, provider: str | None = None) -> Usage | None:
    """Return what a transcription used: tokens or seconds, or the seconds that were heard, which is an estimate."""
    found = None if usage is None else read(usage, provider)
    if found is not None and not found.is_hollow:
        return heard(found)
    return None if heard_s is None else _seconds(heard_s, estimated=True)


def _seconds(value: object, *, estimated: bool = False) -> Usage:
    return Usage.of({"audio_seconds": value, "input_audio_seconds": value}, estimated=estimated)


def of_sound_sent(seconds: object, said_s: object = None) -> Usage:
    """Return what a service that says nothing used: the sound that it was sent, and the sound that it made."""
    quantities = {"audio_seconds": seconds, "input_audio_seconds": seconds, "output_audio_seconds": said_s}
    return Usage.of(quantities, estimated=True)
