"""Records of messages: what a conversation's table gets of a message, with its content and without."""

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from otel_costs import semconv as names
from otel_costs.messages import content, redaction
from otel_costs.messages.drafts import CONTEXT, Draft, Recording, count
from otel_costs.messages.history import MAX_HASHED, Message, Seen, identify, joined
from otel_costs.messages.span_messages import span_attributes, stop_sequences
from otel_costs.privacy import sealing
from otel_costs.runtime import telemetry
from otel_costs.values import media, sanitize

__all__ = [
    "CONTEXT",
    "Draft",
    "Message",
    "Recording",
    "Seen",
    "count",
    "hasher",
    "identify",
    "is_keyed",
    "joined",
    "record",
    "seal",
    "span_attributes",
    "stop_sequences",
]

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

_secret: Final = os.urandom(32)


def record(message: Message, *, with_content: bool) -> tuple[dict[str, Any], str | None]:
    """Return the attributes and the body of the message's record; without content the body is None.

    Without content `sha256` is keyed by a secret of this process: equal messages have equal ones, and it cannot be used
    to try out what they say. A text of more than 2**20 characters has none.
    """
    draft = message.draft
    found: dict[str, Any] = {
        names.MESSAGE_ID: message.id,
        names.MESSAGE_INDEX: message.index,
        names.MESSAGE_ROLE: draft.role,
        names.MESSAGE_TYPE: draft.type,
    }
    if draft.function_name:
        found[names.MESSAGE_FUNCTION_NAME] = sanitize.identifier(draft.function_name)
    if draft.audio_seconds is not None:
        found[names.MESSAGE_AUDIO_SECONDS] = f"{draft.audio_seconds:f}"
    if draft.interrupted:
        found[names.MESSAGE_INTERRUPTED] = sanitize.identifier(draft.interrupted)
        found[names.MESSAGE_TRUNCATED] = True
    kept = content.of(draft) if with_content else content.NOTHING
    if kept.arguments is not None:
        found[names.MESSAGE_ARGUMENTS] = kept.arguments
    if kept.bytes is None:
        _measure(found, draft)
    else:
        found[names.MESSAGE_BYTES] = kept.bytes
        if kept.sha256:
            found[names.MESSAGE_SHA256] = kept.sha256
        if kept.truncated:
            found[names.MESSAGE_TRUNCATED] = True
    if (recording := draft.recording) is not None:
        found[names.MESSAGE_BYTES] = recording.bytes
        found.pop(names.MESSAGE_SHA256, None)
        if recording.sha256:
            found[names.MESSAGE_SHA256] = recording.sha256
    if digest := found.get(names.MESSAGE_SHA256):
        found[names.MESSAGE_SHA256] = _keyed(digest)
    return found, kept.body


def seal(attributes: dict[str, Any], body: str | None, session_id: str) -> str | None:
    """Seal what a record has of content, where a key says so: the arguments among `attributes`, and the body.

    Return the body as it may be recorded. What cannot be sealed is dropped, with one warning. Never raises.
    """
    sealer = content.sealer()
    if sealer is None:
        return body
    arguments, message_id = attributes.pop(names.MESSAGE_ARGUMENTS, None), attributes[names.MESSAGE_ID]
    try:
        if arguments is not None:
            attributes[names.MESSAGE_ARGUMENTS] = sealer.seal(arguments, session_id, message_id, sealing.ARGUMENTS)
        return None if body is None else sealer.seal(body, session_id, message_id, sealing.CONTENT)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a panic of the library's is no Exception
        telemetry.warn_once("bug:seal", "Content cannot be sealed, and is dropped; costs are kept", error=error)
        return None


def is_keyed() -> bool:
    """Return whether hashes are keyed by a secret of this process: where nothing may be derived from content."""
    return not content.on_events() or redaction.is_set()


def hasher() -> "Hash":
    """Return what hashes a sound piece by piece, keyed or not."""
    return sha256(_secret) if is_keyed() else sha256()


def _keyed(digest: str) -> str:
    """Return a hash as it may be recorded: keyed where content is sealed, or withheld."""
    if content.is_withheld():
        return sha256(_secret + digest.encode()).hexdigest()
    sealer = content.sealer()
    return digest if sealer is None else sealer.keyed(digest)


def _measure(found: dict[str, Any], draft: Draft) -> None:
    """Add the size and the hash of content that the record does not have."""
    body = draft.body
    if body is None:
        return
    if draft.media_type is not None:
        size = media.describe(body, hashed=False).bytes
    else:
        size = len(body) if isinstance(body, bytes) else sanitize.size(body)
        if size > sanitize.MAX_TEXT:
            found[names.MESSAGE_TRUNCATED] = True
    found[names.MESSAGE_BYTES] = size
    if len(body) <= MAX_HASHED:
        # A secret in front makes a MAC of a hash, unless others may append to the text; here they may not even see it.
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        found[names.MESSAGE_SHA256] = sha256(_secret + raw).hexdigest()
