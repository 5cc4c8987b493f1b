"""What was said: drafts that providers read from payloads, messages that have an identity, and their records.

A draft's fields are immutable, so that nothing of the application's is kept or changed. How identities are made, and
why, is in `docs/decisions/messages.md`.
"""

import json
import os
from collections.abc import Iterable, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, NamedTuple

from otel_costs import attributes as names
from otel_costs import clean, content, media
from otel_costs.recent import Recent

MAX_HASHED: Final = 1 << 20  # characters; a longer text is told from others by its length and samples of it
MAX_SPAN_CONTENT: Final = 262_144  # characters of all messages on one span
_ARGUMENTS_OF_RESULT: Final = clean.MAX_TEXT // 4

CONTEXT: Final = "context"
"""Type of a draft that is no message: what follows it continues `key`, which the provider holds."""


class Draft(NamedTuple):
    """One thing that was said, as a payload has it. A tuple: a frozen dataclass takes 1.5 us to make, fifty times a call."""

    role: str
    """system | user | assistant | function"""
    type: str
    """text | audio | function_call | function_result | image | file"""
    content: str | bytes | None = None
    """Text; or, where there is a `media_type`, a payload: bytes, base64 or a data URL."""
    function_name: str | None = None
    arguments: str | None = None
    audio_seconds: Decimal | None = None
    media_type: str | None = None
    key: str | None = None
    """The provider's own id of it: of a function call and its result, of a spoken answer."""
    part: bool = False
    """Whether it belongs to the same message of the provider's as the draft before."""
    instructions: bool = False
    """Whether it is sent beside the conversation, with each request anew."""


class Message(NamedTuple):
    """A draft with its place in a conversation."""

    id: str
    """32 hex digits."""
    index: int  # type: ignore[assignment]  # tuple.index, which nobody calls
    draft: Draft


class Seen:
    """Which messages this process has written: the last 20,000 to 40,000 ids; older ones are written again."""

    def __init__(self, size: int = 20_000) -> None:
        self._ids: Recent[str, bool] = Recent(size)

    def first(self, conversation: str, message_id: str) -> bool:
        """Return whether the message is new here, and remember it. Ids are made of the conversation already."""
        if self._ids.get(message_id):
            return False
        self._ids[message_id] = True
        return True


_secret: Final = os.urandom(32)
_ordinals: Recent[bytes, dict[int, int]] = Recent(4096)
_calls: Recent[str, tuple[str | None, str | None]] = Recent(1024)


def identify(
    conversation: str, drafts: Iterable[Draft], *, index: int = 0, prefix: bytes | None = None
) -> tuple[list[Message], bytes]:
    """Give each draft its id, and return them with the prefix that continues the conversation.

    `index` and `prefix` place the drafts behind those of an earlier call of this function. An answer that comes back as
    history gets the id that it had as an answer. Ids are made of what was said only where records carry that;
    otherwise of what a record tells without content.
    """
    root = sha256(clean.identifier(conversation).encode()).digest()
    state, told = prefix or root, content.on_events() and not content.is_redacted()
    messages: list[Message] = []
    for draft in drafts:
        kind = draft.type
        if kind == CONTEXT:
            state = sha256(b"%b%b" % (root, (draft.key or "").encode("utf-8", "replace"))).digest()
            continue
        # Instructions often hold the time of day: they must not make a new conversation of each request.
        leading = draft.instructions or (draft.role == "system" and state is root)
        digest = _digest(root if leading else state, draft, told)
        if draft.role != "system":
            state = digest
        if kind == "function_result" or kind == "function_call":
            draft = _joined(root, draft)
        messages.append(Message(digest[:16].hex(), index, draft))
        index += 1
    return messages, state


def _digest(state: bytes, draft: Draft, told: bool) -> bytes:
    """Chain `draft` to `state`: by the provider's id of it, else by what it says, else by how long it is."""
    role, kind, said, name, arguments, _, _, key, _, _ = draft
    if key:
        return sha256(b"%b%b" % (state, f"{role}\0{kind}\0{key}".encode("utf-8", "surrogatepass"))).digest()
    said = (arguments if kind == "function_call" else said) or ""
    if isinstance(said, str):
        said = said.strip()  # many applications strip an answer before they send it back
    head = f"{role}\0{kind}\0{name}\0{len(said)}\0".encode("utf-8", "surrogatepass")
    if told:
        return sha256(b"%b%b%b" % (state, head, _sample(said))).digest()
    digest = sha256(b"%b%b" % (state, head)).digest()
    ordinal = _ordinal(digest, said)
    return sha256(b"%b%d" % (digest, ordinal)).digest() if ordinal else digest


def _sample(said: str | bytes) -> bytes:
    """Return all of `said`, or of a long one its ends and 64 kilobytes in between."""
    if len(said) > MAX_HASHED:
        step = len(said) // 64
        parts = [said[i : i + 1024] for i in range(0, len(said), step)]
        parts += said[:65_536], said[-65_536:]
        said = "".join(parts) if isinstance(said, str) else b"".join(parts)  # type: ignore[arg-type]
    return said.encode("utf-8", "surrogatepass") if isinstance(said, str) else said


def _ordinal(digest: bytes, said: str | bytes) -> int:
    """Number the different texts that look the same without content: 0 for the first, in this process.

    The comparison is by Python's own hash, which is salted, cached in the str, and never leaves the process.
    """
    fingerprint = hash(said if len(said) <= MAX_HASHED else _sample(said))
    known = _ordinals.get(digest)
    if known is None:
        _ordinals[digest] = {fingerprint: 0}
        return 0
    ordinal = known.get(fingerprint)
    if ordinal is None:
        ordinal = known[fingerprint] = len(known)
    return ordinal


def _joined(root: bytes, draft: Draft) -> Draft:
    """Return a function's result with the name and the arguments of its call, which may be of an earlier request."""
    if not draft.key:
        return draft
    # OpenAI's ids are random; a local server's `call_0` is another one in each conversation.
    key = draft.key if len(draft.key) >= 16 else f"{root.hex()}{draft.key}"
    if draft.type == "function_call":
        _calls[key] = (draft.function_name, draft.arguments if content.on_events() else None)
        return draft
    name, arguments = _calls.get(key) or (None, None)
    return draft._replace(function_name=draft.function_name or name, arguments=draft.arguments or arguments)


def record(message: Message, *, with_content: bool) -> tuple[dict[str, Any], str | None]:
    """Return the attributes and the body of the message's record; without content the body is None.

    Without content `sha256` is keyed by a secret of this process: it tells equal messages, and nothing else.
    """
    draft = message.draft
    found: dict[str, Any] = {
        names.MESSAGE_ID: message.id,
        names.MESSAGE_INDEX: message.index,
        names.MESSAGE_ROLE: draft.role,
        names.MESSAGE_TYPE: draft.type,
    }
    if draft.function_name:
        found[names.MESSAGE_FUNCTION_NAME] = clean.identifier(draft.function_name)
    if draft.audio_seconds is not None:
        found[names.MESSAGE_AUDIO_SECONDS] = f"{draft.audio_seconds:f}"
    if with_content:
        return found, _add_content(found, draft)
    said = _said(draft)
    if said is not None:
        found.update(_measured(said, draft.media_type is not None))
    return found, None


def _said(draft: Draft) -> str | bytes | None:
    return draft.arguments if draft.type == "function_call" else draft.content


def _measured(said: str | bytes, is_payload: bool) -> dict[str, Any]:
    """Return what a record without content tells of it: its size and a keyed hash."""
    if is_payload:
        size = media.describe(said, hashed=False).bytes
    else:
        size = len(said) if isinstance(said, bytes) or said.isascii() else len(said.encode("utf-8", "replace"))
    found: dict[str, Any] = {names.MESSAGE_BYTES: size}
    if len(said) <= MAX_HASHED:
        # A secret prefix is a MAC as long as nobody may extend the message; here nobody may even see it.
        raw = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else said
        found[names.MESSAGE_SHA256] = sha256(_secret + raw).hexdigest()
    if size > clean.MAX_TEXT and not is_payload:
        found[names.MESSAGE_TRUNCATED] = True
    return found


def _add_content(found: dict[str, Any], draft: Draft) -> str | None:
    """Add what the content tells, and return the body."""
    body = arguments = None
    if draft.media_type is not None and draft.content is not None:
        payload = media.describe(draft.content, draft.media_type)
        found[names.MESSAGE_BYTES] = payload.bytes
        if payload.sha256:
            found[names.MESSAGE_SHA256] = payload.sha256
        return content.redact(str(payload), draft)
    room = clean.MAX_TEXT
    if draft.arguments is not None:
        limit = room if draft.type == "function_call" else _ARGUMENTS_OF_RESULT
        arguments = _kept(found, draft.arguments, draft, limit, measured=draft.type == "function_call")
        if arguments is not None:
            found[names.MESSAGE_ARGUMENTS] = arguments
            room -= len(arguments.encode())
    if draft.content is not None and draft.type != "function_call":
        body = _kept(found, draft.content, draft, room, measured=True)
    return body


def _kept(found: dict[str, Any], said: str | bytes, draft: Draft, limit: int, *, measured: bool) -> str | None:
    """Return what is recorded of `said`, at most `limit` bytes: redacted whole, then freed of base64, cleaned and cut."""
    if isinstance(said, bytes):
        said = str(media.describe(said))
    redacted = content.redact(said, draft)
    if redacted is None:
        if measured:
            found.update(_measured(said, is_payload=False))
        return None
    whole = redacted if len(redacted) > MAX_HASHED else clean.text(redacted)
    size = len(whole) if whole.isascii() else len(whole.encode("utf-8", "replace"))
    if measured:
        found[names.MESSAGE_BYTES] = size
        if len(whole) <= MAX_HASHED:
            found[names.MESSAGE_SHA256] = sha256(whole.encode()).hexdigest()
    kept = media.replace_embedded(whole, limit) if len(whole) >= media.MIN_EMBEDDED else whole
    cut = clean.cut(clean.text(kept[: limit + 1]), limit)
    if len(cut) < len(kept):
        found[names.MESSAGE_TRUNCATED] = True
    return cut


def span_attributes(
    inputs: Sequence[Draft], outputs: Sequence[Sequence[Draft]], tools: object = None
) -> dict[str, str]:
    """Return the conventions' messages as JSON for a span: for whoever switched content on for spans.

    Together they hold at most 256 K characters; the oldest inputs give way first.
    """
    room = [MAX_SPAN_CONTENT]
    answers = [_wire(drafts, room) for drafts in outputs]
    said = _wire([draft for draft in inputs if not draft.instructions], room)
    instructions = [part for draft in inputs if draft.instructions for part in _parts(draft, room)]
    found: dict[str, str] = {}
    if said:
        found[names.INPUT_MESSAGES] = json.dumps(said, ensure_ascii=False)
    if instructions:
        found[names.SYSTEM_INSTRUCTIONS] = json.dumps(instructions, ensure_ascii=False)
    if any(answers):
        found[names.OUTPUT_MESSAGES] = json.dumps(
            [message for answer in answers for message in answer], ensure_ascii=False
        )
    if isinstance(tools, list | tuple) and tools:
        found[names.TOOL_DEFINITIONS] = clean.to_json(tools)
    return found


def _wire(drafts: Sequence[Draft], room: list[int]) -> list[dict[str, Any]]:
    """Return `[{role, parts}]`, made from the newest to the oldest for as long as there is room."""
    wire: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for draft in reversed(drafts):
        if draft.type == CONTEXT:
            continue
        parts = _parts(draft, room) + parts
        if not draft.part and parts:
            wire.append({"role": "tool" if draft.role == "function" else draft.role, "parts": parts})
            parts = []
    return wire[::-1]


def _parts(draft: Draft, room: list[int]) -> list[dict[str, Any]]:
    """Return `draft` as the conventions' parts: none when there is no room left, or the redactor drops it."""
    if room[0] <= 0:
        return []
    found: dict[str, Any] = {}
    body = _add_content(found, draft)
    arguments = found.get(names.MESSAGE_ARGUMENTS)
    room[0] -= len(body or "") + len(arguments or "") + 64
    name = clean.identifier(draft.function_name)
    if draft.type == "function_call":
        return [{"type": "tool_call", "id": clean.identifier(draft.key), "name": name, "arguments": arguments}]
    if draft.type == "function_result":
        return [{"type": "tool_call_response", "id": clean.identifier(draft.key), "response": body}]
    if body is None:
        return []
    if draft.media_type is not None:
        return [
            {"type": "blob", "mime_type": clean.identifier(draft.media_type), "modality": draft.type, "content": body}
        ]
    return [{"type": "text", "content": body}]
