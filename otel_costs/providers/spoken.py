"""What was spoken or heard, as messages: of a text that is synthesized, and of a transcript."""

import os

from otel_costs import clean
from otel_costs.messages.drafts import CONTEXT, Draft


def alone() -> Draft:
    """Return what stands before a request without a history: each says something new, even in the same words."""
    return Draft("", CONTEXT, key=os.urandom(16).hex())


def synthesized(text: object) -> list[Draft]:
    """Return the messages of a text that is spoken."""
    return [alone(), Draft("assistant", "audio", text)] if isinstance(text, str) and text else [alone()]


def heard(transcript: object, seconds: object = None) -> list[Draft]:
    """Return the messages of a transcript; nothing if there is none."""
    if not isinstance(transcript, str) or not transcript:
        return []
    return [Draft("user", "audio", transcript, audio_seconds=clean.number(seconds))]
