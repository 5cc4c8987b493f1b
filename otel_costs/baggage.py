"""Session and user in W3C baggage, between processes; off unless `OTEL_COSTS_BAGGAGE` asks for it.

Baggage from outside decides whose bill a call goes on, so nobody is believed by default. Ours never reaches a provider:
while a provider is called, it is taken out of the context that HTTP instrumentations propagate.
"""

import os
from typing import Final

from opentelemetry import baggage, context
from opentelemetry.context import Context

from otel_costs import attributes as names
from otel_costs import clean

MODES: Final = ("none", "in", "out", "both")

_mode = "none"


def configure(mode: str | None = None) -> str:
    """Set the mode, by default from the environment; an unknown one raises ValueError."""
    global _mode
    chosen = (mode or os.environ.get(names.ENV_BAGGAGE) or "none").strip().lower()
    if chosen not in MODES:
        _mode = "none"
        raise ValueError(f"{names.ENV_BAGGAGE}={chosen!r} is none of {', '.join(MODES)}")
    _mode = chosen
    return chosen


def carry(session_id: str | None, user_id: str | None) -> None:
    """Put the session and the user into the current context's baggage, or take them out with None."""
    if _mode not in ("out", "both"):
        return
    found = context.get_current()
    for name, value in ((names.SESSION_ID, session_id), (names.USER_ID, user_id)):
        found = baggage.set_baggage(name, value, found) if value else baggage.remove_baggage(name, found)
    context.attach(found)


def received() -> tuple[str | None, str | None]:
    """Return the session's and the user's id that came in from outside; None where nothing is believed."""
    if _mode not in ("in", "both"):
        return None, None
    session_id, user_id = (baggage.get_baggage(name) for name in (names.SESSION_ID, names.USER_ID))
    return (
        clean.identifier(session_id) if isinstance(session_id, str) else None,
        clean.identifier(user_id) if isinstance(user_id, str) else None,
    )


def withheld(found: Context) -> Context:
    """Return the context without our baggage, for a call to a provider."""
    if _mode == "none":
        return found
    for name in (names.SESSION_ID, names.USER_ID):
        found = baggage.remove_baggage(name, found)
    return found
