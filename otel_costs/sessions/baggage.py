"""Session and user in W3C baggage, between processes; off unless `OTEL_COSTS_BAGGAGE` asks for it.

Baggage from outside decides which session and user a call is charged to, so it is not trusted by default. Ours never
reaches a provider: while a provider is called, it is taken out of the context that HTTP instrumentations propagate.
"""

import os
from typing import Final

from opentelemetry import baggage, context
from opentelemetry.context import Context

from otel_costs import semconv as names
from otel_costs.values import sanitize

MODES: Final = ("none", "in", "out", "both")
NOBODY: Final = (None, None)

Ids = tuple[object, object]
"""The ids of a session and of a user; None where there is none."""

_NAMES: Final = (names.SESSION_ID, names.USER_ID)

mode = "none"
"""The one in force."""

BELIEVED: Final = ("in", "both")
"""Modes in which what comes in from outside is looked at."""


def configure(asked: str | None = None) -> str:
    """Set the mode, by default from the environment; an unknown one raises ValueError and leaves baggage off."""
    global mode
    chosen = (asked or os.environ.get(names.ENV_BAGGAGE) or "none").strip().lower()
    mode = chosen if chosen in MODES else "none"
    if chosen not in MODES:
        raise ValueError(f"{names.ENV_BAGGAGE} is {chosen!r}: baggage stays off. It is one of {', '.join(MODES)}.")
    return chosen


def carried() -> Ids:
    """Return the ids in the current context's baggage; `NOBODY` unless ours go out."""
    if mode in ("none", "in"):
        return NOBODY
    return baggage.get_baggage(names.SESSION_ID), baggage.get_baggage(names.USER_ID)


def carry(ids: Ids) -> None:
    """Put the ids into the current context's baggage; None takes out what is there."""
    if mode in ("none", "in"):
        return
    found = context.get_current()
    for name, value in zip(_NAMES, ids, strict=True):
        found = baggage.remove_baggage(name, found) if value is None else baggage.set_baggage(name, value, found)
    # Never detached: a generator may be closed in another context, where that would be logged as an error.
    context.attach(found)


def received() -> tuple[str | None, str | None]:
    """Return the session's and the user's id that came in from outside; None where nothing is believed."""
    if mode not in BELIEVED:
        return None, None
    session_id, user_id = (baggage.get_baggage(name) for name in _NAMES)
    return (
        sanitize.identifier(session_id) if isinstance(session_id, str) else None,
        sanitize.identifier(user_id) if isinstance(user_id, str) else None,
    )


def withheld(found: Context) -> Context:
    """Return the context without our baggage, for a call to a provider."""
    if mode == "none":
        return found
    for name in _NAMES:
        found = baggage.remove_baggage(name, found)
    return found
