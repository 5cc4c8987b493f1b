"""What speech is billed by: the seconds that were heard, the characters that were spoken."""

from collections.abc import Iterable
from functools import reduce
from operator import add

from otel_costs.usage import Usage


def of_audio(seconds: object) -> Usage:
    """Return the usage of a transcription of so many seconds, which are all of them audio that came in."""
    return Usage.of({"audio_seconds": seconds, "input_audio_seconds": seconds})


def spoken(reported: object, text: object) -> Usage | None:
    """Return the usage of a synthesis: the characters that the service bills, else an estimate by the text's length.

    None where neither is known.
    """
    if reported is not None:
        return Usage.of({"input_characters": reported})
    return Usage.of({"input_characters": len(text)}, estimated=True) if isinstance(text, str) else None


def total(usages: Iterable[Usage | None]) -> Usage | None:
    """Return what several usages say together; None where none says anything."""
    found = [usage for usage in usages if usage is not None]
    return reduce(add, found) if found else None
