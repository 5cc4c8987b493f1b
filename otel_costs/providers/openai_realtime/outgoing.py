"""Items that the application has sent: each is a message once the service has added it, and none if it is refused."""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from otel_costs.messages import Draft
from otel_costs.providers.openai.parts import key

WAITING: Final = 32
"""Items that may wait; the oldest is forgotten, and is a message of what the service says of it."""


class Sent(NamedTuple):
    """An item that the service has not added yet."""

    event_id: str | None
    id: str | None
    """The id that the application gave it; mostly the service gives it one."""
    kind: tuple[str | None, ...]
    drafts: list[Draft]
    at_ns: int


class Outgoing:
    """The items of one connection that are on their way."""

    def __init__(self) -> None:
        self._waiting: deque[Sent] = deque(maxlen=WAITING)

    def put(self, fields: Mapping[str, Any], event_id: object, drafts: list[Draft]) -> None:
        """Note an item that the application sends now."""
        self._waiting.append(Sent(key(event_id), key(fields.get("id")), _kind(fields), drafts, time.time_ns()))

    def refused(self, event_id: object) -> None:
        """Forget what the application sent under this id: the service refused it."""
        if event_id and isinstance(event_id, str):
            self._waiting = deque((sent for sent in self._waiting if sent.event_id != event_id), maxlen=WAITING)

    def take(self, fields: Mapping[str, Any], drafts: list[Draft]) -> Sent | None:
        """Return the item that the service has added, as it was sent; None if it is not the application's.

        It says `drafts`, all but sound and images. The service takes one item after the other: what was sent before
        this one and is not there was refused, whether or not the refusal named it.
        """
        item_id, kind, words = key(fields.get("id")), _kind(fields), _words(drafts)
        for number, sent in enumerate(self._waiting):
            same = sent.id == item_id if sent.id else sent.kind == kind and words in ((), _words(sent.drafts))
            if same:
                for _ in range(number + 1):
                    self._waiting.popleft()
                return sent
        return None


def _kind(fields: Mapping[str, Any]) -> tuple[str | None, ...]:
    return tuple(key(fields.get(name)) for name in ("type", "role", "call_id"))


def _words(drafts: Iterable[Draft]) -> tuple[object, ...]:
    """Return what is repeated as it was sent: text, and a function's arguments and result."""
    return tuple(draft.body for draft in drafts if draft.type not in ("audio", "image") and draft.body)
