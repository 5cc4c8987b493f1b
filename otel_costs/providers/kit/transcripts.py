"""What was spoken or heard, as messages: of a text that is synthesized, and of a transcript."""

import itertools
import os

from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.values import sanitize

_count = itertools.count()
_secret = os.urandom(16).hex()


def alone() -> Draft:
    """Return what stands before a request without a history: each says something new, even in the same words."""
    # One secret for the process: to ask the system for randomness lets other threads in, in the middle of a call.
    return Draft("", CONTEXT, key=f"{_secret}{next(_count)}")


def synthesized(text: object) -> list[Draft]:
    """Return the messages of a text that is spoken."""
    return [alone(), Draft("assistant", "audio", text)] if isinstance(text, str) and text else [alone()]


def heard(transcript: object, seconds: object = None) -> list[Draft]:
    """Return the messages of a transcript; nothing if there is none."""
    if not isinstance(transcript, str) or not transcript:
        return []
    return [Draft("user", "audio", transcript, audio_seconds=sanitize.number(seconds))]


def _renew() -> None:
    global _secret
    _secret = os.urandom(16).hex()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
