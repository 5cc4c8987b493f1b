"""Whether what was said may be recorded, and the application's last word on it."""

import logging
import os
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from otel_costs.attributes import ENV_CAPTURE_CONTENT

if TYPE_CHECKING:
    from otel_costs.messages import Draft

_log = logging.getLogger("otel_costs")

Redactor = Callable[[str, "Draft"], str | None]


class Capture(Enum):
    """Where content goes, in the words of the GenAI conventions."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"


_capture: Capture | None = None
_redactor: Redactor | None = None
_warned = False


def configure(capture: Capture | str | None = None) -> Capture:
    """Set where content goes, from the environment when `capture` is None, and return it.

    A value that is not one of the four switches content off, with a warning: a typing error must not publish prompts.
    """
    global _capture
    if not isinstance(capture, Capture):
        capture = _parse(os.environ.get(ENV_CAPTURE_CONTENT, "") if capture is None else capture)
    _capture = capture
    return capture


def capture() -> Capture:
    """Return where content goes; the environment is read once."""
    return _capture or configure()


def on_spans() -> bool:
    """Tell whether spans carry content."""
    return capture() in (Capture.SPAN_ONLY, Capture.SPAN_AND_EVENT)


def on_events() -> bool:
    """Tell whether message records carry content."""
    return capture() in (Capture.EVENT_ONLY, Capture.SPAN_AND_EVENT)


def set_redactor(redactor: Redactor | None) -> None:
    """Let `redactor(text, message)` change every text before it is recorded; None from it drops the text.

    It sees a message's content and a function call's arguments, whole, before they are cut. When it raises, or returns
    anything but a str, the text is dropped and the call's cost is kept. `set_redactor(None)` removes it.
    """
    global _redactor, _warned
    _redactor = redactor
    _warned = False


def is_redacted() -> bool:
    """Tell whether a redactor is set: then nothing may be derived from the original text either, not even a hash."""
    return _redactor is not None


def redact(text: str, message: "Draft") -> str | None:
    """Return what the redactor leaves of `text`; None when it, or its failure, drops it. Never raises."""
    if _redactor is None:
        return text
    try:
        redacted: Any = _redactor(text, message)
    except Exception as error:
        _warn(f"raised {type(error).__name__}")  # the exception's text may quote the content
        return None
    if redacted is None or isinstance(redacted, str):
        return redacted
    _warn(f"returned {type(redacted).__name__} instead of str")
    if hasattr(redacted, "close"):
        redacted.close()  # an async function's coroutine would warn that it was never awaited
    return None


def _warn(what: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        _log.warning("The redact hook %s: content is dropped, costs are kept. Said once.", what)


def _parse(value: str) -> Capture:
    name = value.strip().upper()
    if not name:
        return Capture.NO_CONTENT
    try:
        return Capture[name]
    except KeyError:
        _log.warning(
            "%s is %.40r: content stays off. It is one of %s.",
            ENV_CAPTURE_CONTENT,
            value,
            ", ".join(c.name for c in Capture),
        )
        return Capture.NO_CONTENT
