"""A scenario: its user, and its steps, each of which asks a model in one way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

CHAT: Final = "chat"
RESPONSES: Final = "responses"

# $${ is written for ${ itself.
_QUOTED: Final = re.compile(r"\$(?:\$\{|\{([^{}]*)\})")


@dataclass(frozen=True, slots=True)
class Message:
    """What was said before the first turn."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Talk:
    """Turns of a conversation with a model, by chat completions or by responses; each is a request.

    `continues` is an earlier step whose conversation goes on here, None for a new one.
    """

    kind: str
    system: str | None
    history: tuple[Message, ...]
    turns: tuple[str, ...]
    continues: str | None

    operation: ClassVar[str] = "chat"


@dataclass(frozen=True, slots=True)
class Speech:
    """A text that is spoken."""

    text: str
    voice: str

    operation: ClassVar[str] = "text_to_speech"


@dataclass(frozen=True, slots=True)
class Transcription:
    """A sound that is written down: a file, a tone of so many seconds, or what an earlier step spoke."""

    file: Path | None = None
    seconds: int | None = None
    speech: str | None = None

    operation: ClassVar[str] = "speech_to_text"


@dataclass(frozen=True, slots=True)
class Step:
    """A named part of a scenario. `phase` is what its cost is added up under, empty for none.

    `parameters` are fields of the request beside those that the step has itself.
    """

    name: str
    phase: str
    model: str
    call: Talk | Speech | Transcription
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests it makes."""
        return len(self.call.turns) if isinstance(self.call, Talk) else 1


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scripted conversation, to see what it costs. `user` None is no user."""

    name: str
    description: str
    user: str | None
    tags: Mapping[str, str]
    steps: tuple[Step, ...]

    def asking(self, model: str | None, pinned: Mapping[str, str]) -> "Scenario":
        """Return the scenario with the steps of words asking `model`, and those of `pinned` theirs; None changes none.

        Speech and transcriptions have models of another kind: only `pinned`, step to model, changes those.
        """
        steps = [
            replace(step, model=pinned.get(step.name) or (model if isinstance(step.call, Talk) else None) or step.model)
            for step in self.steps
        ]
        return replace(self, steps=tuple(steps))


def quoted(text: str) -> tuple[str, ...]:
    """Return the steps that `text` quotes, as in "${hear}": what they answered or heard."""
    return tuple(found[1] for found in _QUOTED.finditer(text) if found[1] is not None)


def filled(text: str, texts: Mapping[str, str]) -> str:
    """Return `text` with what earlier steps said in the places that quote them."""
    return _QUOTED.sub(lambda found: "${" if found[1] is None else texts[found[1]], text)
