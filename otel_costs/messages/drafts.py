"""Drafts: messages as providers' modules read them from payloads, before they have a place in a conversation."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

CONTEXT: Final = "context"
"""Type of a draft that is no message: what follows it continues `key`, which the provider holds."""


class Recording(NamedTuple):
    """A sound that was not kept."""

    bytes: int
    sha256: str | None
    """Of the bytes; None where they were not hashed."""


class Draft(NamedTuple):
    """One thing that was said.

    Its fields are immutable, so that nothing of the application's is kept. A tuple, because a frozen dataclass takes
    1.5 us to make, and a history needs fifty.
    """

    role: str
    """system | user | assistant | function"""
    type: str
    """text | audio | function_call | function_result | image | file"""
    content: str | bytes | None = None
    """Text; or, where there is a `media_type`, a payload: bytes, base64 or a data URL. None where it is not known."""
    function_name: str | None = None
    arguments: str | None = None
    """Of a function's call, and of a result's call where the provider tells them."""
    audio_seconds: Decimal | None = None
    media_type: str | None = None
    key: str | None = None
    """The provider's own id: of a function's call and of its result, of a spoken answer."""
    part: bool = False
    """Whether it belongs to the same message of the provider's as the draft before it."""
    instructions: bool = False
    """Whether it stands beside the conversation and is sent anew with each request."""
    recording: Recording | None = None
    """The sound of what was spoken, where it is known: a message's size and hash are its own."""
    interrupted: str | None = None
    """Why it was broken off, or was not all heard."""
    finish_reason: str | None = None
    """Of the choice that begins with this draft."""

    @property
    def body(self) -> str | bytes | None:
        """What it is about: a function call's arguments, anything else's content."""
        return self.arguments if self.type == "function_call" else self.content


_CHARACTERS: Final = 4  # a token: OpenAI's rule of thumb


def text_length(drafts: Iterable[Draft]) -> int:
    """Return the number of characters of the texts of drafts; media have none."""
    texts = (text for draft in drafts if not draft.media_type for text in (draft.content, draft.arguments) if text)
    return sum(map(len, texts))


def tokens_of(characters: int) -> int:
    """Return the tokens that a text of so many characters may have."""
    return -(-characters // _CHARACTERS)


def guessed_tokens(drafts: Iterable[Draft]) -> int:
    """Return the tokens of what was said in text, by its length; media have none that could be guessed."""
    return tokens_of(text_length(drafts))


def count(*drafts: Iterable[Draft]) -> int:
    """Return how many messages they are."""
    return sum(draft.type != CONTEXT for several in drafts for draft in several)
