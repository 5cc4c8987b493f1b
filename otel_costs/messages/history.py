"""Which messages of a conversation are the same: ids chained over its history.

A request sends its history again. A message's id is made of its conversation, the messages before it, and itself, so
that it is stored once whichever process sends it. Where records carry no content, ids are made of what a record tells
anyway. `docs/decisions/messages.md` has the reasons.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import count
from typing import Final, NamedTuple

from otel_costs.messages import content, redaction
from otel_costs.messages.drafts import CONTEXT, Draft
from otel_costs.values import sanitize
from otel_costs.values.recent import Recent

MAX_HASHED: Final = 1 << 20  # characters; a longer text is told from others by its length and samples of it
MAX_ARGUMENTS_KEPT: Final = 16_384  # characters, of a function call that waits for its result
_RANDOM_ID: Final = 16  # characters


class Message(NamedTuple):
    """A draft with its place in a conversation."""

    id: str
    """32 hex digits."""
    index: int  # type: ignore[assignment]  # shadows tuple.index
    draft: Draft


class Seen:
    """Which messages this process has written: the last 20,000 ids and more. An older one is written again."""

    def __init__(self, size: int = 20_000) -> None:
        self._ids: Recent[str, object] = Recent(size)

    def first(self, _conversation: str, message_id: str) -> bool:
        """Return whether the message is new here, and remember it. The id tells the conversation already."""
        mark = object()
        return self._ids.setdefault(message_id, mark) is mark


_steps: Recent[int, tuple[bytes, str]] = Recent(5000)
_first: Recent[bytes, int] = Recent(5000)
_twins: "Recent[bytes, tuple[count[int], dict[int, int]]]" = Recent(500)
_places: Recent[int, bytes] = Recent(5000)
_ends: Recent[bytes, tuple[int, bytes]] = Recent(1000)
_calls: Recent[str, tuple[str | None, str | None]] = Recent(500)


def identify(
    conversation: str, drafts: Iterable[Draft], *, index: int = 0, prefix: bytes | None = None
) -> tuple[list[Message], bytes]:
    """Return the messages of drafts, each with its id, and the prefix that continues the conversation.

    `index` and `prefix` place the drafts behind those of an earlier call. An answer that comes back as history gets the
    id that it had as an answer. Ids are made of content only where records carry it.
    """
    root = _root(conversation, _secret())
    drafts = list(drafts)
    with_content = content.on_events() and not redaction.is_set()
    begun = prefix is not None
    state = previous = prefix or _place(root, drafts, with_content)
    before = None
    if begun and (end := _ends.get(state)):
        before, previous = end
    messages: list[Message] = []
    for draft in drafts:
        if draft.type == CONTEXT:
            state, begun = sha256(root + (draft.key or "").encode("utf-8", "replace")).digest(), True
            continue
        if draft.role == "system":
            # Often it holds the time of day: it must not make a new conversation of each request.
            _, message_id, _ = _step(root if draft.instructions or not begun else state, draft, with_content)
        else:
            following, message_id, fingerprint = _step(state, draft, with_content)
            if before is not None:
                _places[hash((root, before, fingerprint))] = previous
            previous, state, before, begun = state, following, fingerprint, True
            if draft.key and draft.type.startswith("function"):
                draft = _joined(root, draft, draft.key)
        messages.append(Message(message_id, index, draft))
        index += 1
    if before is not None:
        _ends[state] = before, previous
    return messages, state


def joined(conversation: str, draft: Draft) -> Draft:
    """Return a function's result with the name and the arguments of its call; any other draft as it is."""
    if draft.key and draft.type.startswith("function"):
        return _joined(_root(conversation, _secret()), draft, draft.key)
    return draft


def _secret() -> bytes:
    """Return what ids are keyed with: a secret where content is sealed, else nothing."""
    sealer = content.sealer()
    return b"" if sealer is None else sealer.for_ids


@lru_cache(1000)
def _root(conversation: str, secret: bytes) -> bytes:
    """Return where the chain of a conversation begins. An id has half of a state: no chain goes on from there."""
    return sha256(secret + sanitize.identifier(conversation).encode()).digest()


def _step(state: bytes, draft: Draft, with_content: bool) -> tuple[bytes, str, int]:
    """Return the state behind `draft`, its id and its fingerprint; remembered, as a history comes back often."""
    fingerprint, compared, size = _fingerprint(draft)
    step = hash((state, fingerprint, with_content))
    known = _steps.get(step)
    if known is None:
        role, kind, _, name, _, _, _, key, _, _, _, _, _ = draft
        if key:  # the provider's id of it says enough: the rest may come back in other words
            digest = _chained(state, f"{role}\0{kind}\0{key}")
        else:
            digest = _chained(state, f"{role}\0{kind}\0{name}\0{size}")
            digest = _chained(digest, compared) if with_content else _apart(digest, fingerprint)
        known = _steps[step] = digest, digest[:16].hex()
    return known[0], known[1], fingerprint


def _fingerprint(draft: Draft) -> tuple[int, str | bytes, int]:
    """Return Python's own hash of `draft`, what of its content is compared, and how long that is.

    The hash is salted, kept in a str, and must not leave the process.
    """
    role, kind, body, name, arguments, _, _, key, _, _, _, _, _ = draft
    if key:
        return hash((role, kind, key)), "", 0
    body = (arguments if kind == "function_call" else body) or ""
    if isinstance(body, str):
        body = body.strip()  # many applications strip an answer before they send it back
    size = len(body)
    if size > MAX_HASHED:
        body = _sample(body)
    return hash((role, kind, name, size, body)), body, size


def _apart(state: bytes, fingerprint: int) -> bytes:
    """Return a state for texts that look alike without content: the first here keeps `state`, others get a number."""
    if _first.setdefault(state, fingerprint) == fingerprint:
        return state
    return _chained(state, str(_ordinal(state, fingerprint)))


def _chained(state: bytes, part: str | bytes) -> bytes:
    return sha256(state + (part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part)).digest()


def _sample(body: str | bytes) -> str | bytes:
    """Return the ends of a long text and 64 pieces in between: to hash 10 MB takes 7 to 30 ms."""
    starts = range(0, len(body), len(body) // 64)
    if isinstance(body, str):
        return body[:65_536] + "".join(body[i : i + 1024] for i in starts) + body[-65_536:]
    return body[:65_536] + b"".join(body[i : i + 1024] for i in starts) + body[-65_536:]


def _ordinal(state: bytes, fingerprint: int) -> int:
    """Number the texts that look like an earlier one without content: from 0 on, in this process."""
    numbers, known = _twins.setdefault(state, (count(), {}))
    ordinal = known.get(fingerprint)
    if ordinal is None:
        if len(known) >= 4096:
            known.clear()
        ordinal = known.setdefault(fingerprint, next(numbers))
    return ordinal


def _place(root: bytes, drafts: Sequence[Draft], with_content: bool) -> bytes:
    """Return the state before the first draft: the root, unless the application left out the oldest messages.

    Then the first two that are left are found where one followed the other in an earlier call of this process.
    """
    if len(drafts) < 2:
        return root
    first = [draft for draft in drafts[:12] if draft.role != "system"][:2]
    if len(first) < 2 or first[0].type == CONTEXT:
        return root
    one, other = _fingerprint(first[0])[0], _fingerprint(first[1])[0]
    begun = _steps.get(hash((root, one, with_content)))
    if begun and _steps.get(hash((begun[0], other, with_content))):
        return root
    return _places.get(hash((root, one, other))) or root


def _joined(root: bytes, draft: Draft, key: str) -> Draft:
    """Return a function's result with the name and the arguments of its call, which may be of an earlier request."""
    if len(key) < _RANDOM_ID:
        key = f"{root.hex()}{key}"  # OpenAI's ids are random; a local server's `call_0` is another in each conversation
    if draft.type == "function_call":
        arguments = draft.arguments if content.on_events() or content.on_spans() else None
        _calls[key] = (draft.function_name, arguments and arguments[:MAX_ARGUMENTS_KEPT])
        return draft
    name, arguments = _calls.get(key) or (None, None)
    return draft._replace(function_name=draft.function_name or name, arguments=draft.arguments or arguments)
