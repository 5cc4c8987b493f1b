"""Content: whether it may be recorded, and what of it is."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from hashlib import sha256
from typing import Final, NamedTuple

from otel_costs.messages import redaction
from otel_costs.messages.drafts import Draft
from otel_costs.privacy import sealing
from otel_costs.privacy.keys import KeysError
from otel_costs.privacy.sealing import Sealer
from otel_costs.semconv import ENV_CAPTURE_CONTENT, ENV_CONTENT_KEY
from otel_costs.values import media, sanitize

MAX_HASHED: Final = 1 << 20  # characters of text
_ARGUMENTS_OF_RESULT: Final = sanitize.MAX_TEXT // 4  # bytes: they stand beside the result

_log = logging.getLogger("otel_costs")


class Capture(Enum):
    """Where content goes, in the words of the GenAI conventions."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"


is_on = False
"""Whether content goes anywhere. Messages of a session are recorded with content or without, others where it is on."""

_capture: Capture | None = None
_sealer: Sealer | None = None
_withheld: ContextVar[bool] = ContextVar("otel_costs_content_withheld", default=False)


def configure(capture: Capture | None = None) -> Capture:
    """Set where content goes, from the environment when `capture` is None, and return it.

    A value that is not one of the four switches content off, with a warning: a typing error must not publish prompts.
    So does a key that content cannot be sealed with. Where it can, no content goes to spans.
    """
    global is_on, _capture, _sealer
    asked = capture or _parse(os.environ.get(ENV_CAPTURE_CONTENT, ""))
    _capture, _sealer = _sealed(asked)
    is_on = _capture is not Capture.NO_CONTENT
    return _capture


def capture() -> Capture:
    """Return where content goes; the environment is read once."""
    return _capture or configure()


def sealer() -> Sealer | None:
    """Return what seals the content of records; None where it is recorded in plain words, or not at all."""
    return _sealer


@contextmanager
def withheld() -> Iterator[None]:
    """Make message records without content in a `with` block, for a session that asked for it."""
    token = _withheld.set(True)
    try:
        yield
    finally:
        _withheld.reset(token)


def is_withheld() -> bool:
    """Return whether this is such a block, so that nothing may be derived from content."""
    return _withheld.get()


def on_spans() -> bool:
    """Return whether spans carry content."""
    return capture() in (Capture.SPAN_ONLY, Capture.SPAN_AND_EVENT)


def on_events() -> bool:
    """Return whether message records carry content."""
    return capture() in (Capture.EVENT_ONLY, Capture.SPAN_AND_EVENT) and not _withheld.get()


class Kept(NamedTuple):
    """What is recorded of a draft's content. `bytes` None: nothing is known of it, or the redactor dropped it."""

    body: str | None = None
    arguments: str | None = None
    bytes: int | None = None
    """Of the body, or of a function call's arguments, before they were cut."""
    sha256: str | None = None
    truncated: bool = False
    media_type: str | None = None


NOTHING: Final = Kept()


def of(draft: Draft) -> Kept:
    """Return the content of `draft`: redacted whole, then freed of base64, cleaned and cut to 64 KB. Never raises."""
    original = draft.body
    if draft.media_type is not None and original is not None:
        found = media.describe(original, draft.media_type)
        body = redaction.redacted(str(found), draft)
        return NOTHING if body is None else Kept(body, None, found.bytes, found.sha256, media_type=found.media_type)
    if isinstance(original, bytes):
        original = str(media.describe(original))
    if draft.type == "function_call":
        arguments, size, digest, truncated = _text(original, draft, sanitize.MAX_TEXT)
        return Kept(None, arguments, size, digest, truncated)
    arguments, _, _, cut = _text(draft.arguments, draft, _ARGUMENTS_OF_RESULT)
    body, size, digest, truncated = _text(original, draft, sanitize.MAX_TEXT - sanitize.size(arguments or ""))
    return Kept(body, arguments, size, digest, truncated or cut)


def _text(text: str | None, draft: Draft, limit: int) -> tuple[str | None, int | None, str | None, bool]:
    """Return at most `limit` bytes of a text, the size of all of it, its SHA-256 and whether it was cut."""
    whole = None if text is None else redaction.redacted(text, draft)
    if whole is None:
        return None, None, None, False
    whole = sealing.unlike_sealed(whole)
    if len(whole) <= MAX_HASHED:
        whole = sanitize.text(whole)
        raw = whole.encode()
        size, digest = len(raw), sha256(raw).hexdigest()
    else:
        size, digest = sanitize.size(whole), None
    kept = media.replace_embedded(whole, limit) if len(whole) >= media.MIN_EMBEDDED else whole
    cut = sanitize.cut(sanitize.text(kept[: limit + 1]), limit)
    return cut, size, digest, len(cut) < len(kept)


def _sealed(asked: Capture) -> tuple[Capture, Sealer | None]:
    """Return where content may go, and what seals it there; where it cannot be sealed as it should, nowhere."""
    if asked is Capture.NO_CONTENT:
        return asked, None
    try:
        found = sealing.of_environment()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a broken installation of cryptography panics past Exception
        why = error if isinstance(error, KeysError) else f"cryptography fails with {type(error).__name__}"
        _log.error("No content is recorded, since %s cannot be used; costs are kept: %s.", ENV_CONTENT_KEY, why)
        return Capture.NO_CONTENT, None
    if found is None or asked is Capture.EVENT_ONLY:
        return asked, found
    _log.warning(
        "%s is %s, and content on spans is not sealed: with %s set, spans have none. Set it to EVENT_ONLY.",
        ENV_CAPTURE_CONTENT,
        asked.name,
        ENV_CONTENT_KEY,
    )
    return (Capture.EVENT_ONLY, found) if asked is Capture.SPAN_AND_EVENT else (Capture.NO_CONTENT, None)


def _parse(value: str) -> Capture:
    name = value.strip().upper()
    if name in Capture.__members__:
        return Capture[name]
    if name:
        known = ", ".join(Capture.__members__)
        _log.warning("%s is %.40r: content stays off. It is one of %s.", ENV_CAPTURE_CONTENT, value, known)
    return Capture.NO_CONTENT
