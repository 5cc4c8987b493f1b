"""Sealed content, opened where its key is in the environment; elsewhere it is reported as sealed."""

from collections.abc import Iterable
from typing import Final

from otel_costs.privacy import keys, sealing
from otel_costs.privacy.keys import KeysError
from otel_costs.privacy.sealing import ARGUMENTS, CONTENT, NotOpenedError, Sealer
from otel_costs.store.connection import StoreError
from otel_costs.store.rows import Row

SEALED: Final = "sealed"
"""The state of content whose key is not there."""

ALTERED: Final = "altered"
"""The state of content whose key is there, and which does not open: it was changed, or belongs elsewhere."""


def opened_session(session: Row) -> Row:
    """Return a session, in the shape of session_report, with what the keys of the environment open of its messages.

    A message that stays sealed has neither content nor arguments, and says in `content_state` of its metadata why.
    Raises StoreError where the environment has what is no key.
    """
    messages = session["messages"]
    if all(message["metadata"].get("content_state") != SEALED for message in messages):
        return session
    sealer = _sealer()
    return {**session, "messages": [_message(sealer, session["session_id"], message) for message in messages]}


def has_keys() -> bool:
    """Return whether the environment has keys that may open something."""
    return bool(keys.given())


def opened_messages(messages: Iterable[Row]) -> Iterable[Row]:
    """Yield rows of session_messages, opened as far as the environment has their keys. Raises StoreError."""
    sealer = _sealer()
    for row in messages:
        if row["content_state"] != SEALED:
            yield row
            continue
        opened, state = _opened(sealer, row["session_id"], row["message_id"], row)
        yield {**row, **opened, "content_state": state or "recorded"}


def _sealer() -> Sealer | None:
    try:
        return sealing.of_environment() if has_keys() else None
    except KeysError as error:
        raise StoreError(str(error)) from error


def _message(sealer: Sealer | None, session_id: str, message: Row) -> Row:
    metadata = dict(message["metadata"])
    if metadata.get("content_state") != SEALED:
        return message
    written = {CONTENT: message["content"], ARGUMENTS: metadata.get(ARGUMENTS, "")}
    opened, state = _opened(sealer, session_id, metadata.pop("message_id", ""), written)
    del metadata["content_state"]
    found = {ARGUMENTS: opened[ARGUMENTS], "content_state": state}
    metadata = {**{name: value for name, value in metadata.items() if name != ARGUMENTS}, **_known(found)}
    return {**message, "content": opened[CONTENT], "metadata": metadata}


def _opened(sealer: Sealer | None, session_id: str, message_id: str, written: Row) -> tuple[dict[str, str], str]:
    """Return content and arguments in plain words, and why they are not there; "" where they are."""
    nothing = {CONTENT: "", ARGUMENTS: ""}
    if sealer is None:
        return nothing, SEALED
    try:
        return {field: _field(sealer, session_id, message_id, field, written[field]) for field in nothing}, ""
    except NotOpenedError as error:
        return nothing, ALTERED if error.has_key else SEALED


def _field(sealer: Sealer, session_id: str, message_id: str, field: str, text: str) -> str:
    return sealer.open(text, session_id, message_id, field) if sealing.is_sealed(text) else text


def _known(found: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in found.items() if value}
