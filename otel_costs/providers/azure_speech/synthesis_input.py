"""What is to be spoken: a text, an SSML document, or pieces of text that are still being written."""

import re
from html import unescape
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from otel_costs.providers.azure_speech import characters, voices
from otel_costs.runtime import telemetry

_HEAD: Final = 16_384
"""Characters from the beginning of a document in which its first voice is looked for, while the application waits."""

_TAG: Final = re.compile(r"<[^<>]*+>")


class SynthesisInput(Protocol):
    """What is to be spoken. Its length and its words are read after the call."""

    voice: str
    """Empty where the synthesizer's own speaks."""
    kind: str | None
    """Of the voice, where its name does not tell."""

    @property
    def characters(self) -> int:
        """The characters that it is billed as."""
        ...

    @property
    def words(self) -> str:
        """What is said, without markup."""
        ...

    @property
    def has_several_kinds(self) -> bool:
        """Whether voices of more than one price speak."""
        ...


class Text:
    """A plain text."""

    voice: str = ""
    kind: str | None = None
    has_several_kinds = False

    def __init__(self, text: str) -> None:
        self.words = text

    @property
    def characters(self) -> int:
        return characters.of_text(self.words)


class Document:
    """An SSML document."""

    def __init__(self, ssml: str) -> None:
        self._ssml, head = ssml, ssml[:_HEAD]
        self.voice = next(iter(voices.named_in(head)), "")
        self.kind = voices.PERSONAL if voices.is_personal(head) else None

    @property
    def characters(self) -> int:
        return characters.of_ssml(self._ssml)

    @property
    def words(self) -> str:
        return " ".join(unescape(_TAG.sub(" ", self._ssml)).split())

    @property
    def has_several_kinds(self) -> bool:
        return len({voices.kind(voice) for voice in voices.named_in(self._ssml)}) > 1


class Pieces:
    """A text that is written in pieces while it is spoken."""

    has_several_kinds = False

    def __init__(self) -> None:
        self.voice = ""
        self.kind: str | None = None
        self.written: list[str] = []

    @property
    def characters(self) -> int:
        return sum(map(characters.of_text, self.written))

    @property
    def words(self) -> str:
        return "".join(self.written)


_streams: WeakKeyDictionary[Any, Pieces] = WeakKeyDictionary()
"""By the `input_stream` of a request."""


def of_request(request: Any) -> Pieces:
    """Return what is written to the stream of a request."""
    return _streams.setdefault(request.input_stream, Pieces())


def piece_written(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `SpeechSynthesisRequest.InputStream.write`."""
    result = wrapped(*args, **kwargs)
    _note_piece(instance, *args, **kwargs)
    return result


@telemetry.never_raises("read a piece of text")
def _note_piece(stream: Any, text: str) -> None:
    _streams.setdefault(stream, Pieces()).written.append(text)


def personal_voice_made(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `PersonalVoiceSynthesisRequest.__init__`."""
    wrapped(*args, **kwargs)
    _note_personal_voice(instance)


@telemetry.never_raises("read the voice of a request")
def _note_personal_voice(request: Any) -> None:
    of_request(request).kind = voices.PERSONAL
