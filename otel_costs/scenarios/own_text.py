"""A scenario of your own text: it is written, heard, held and spoken as those are that come with the package."""

from typing import Final

from otel_costs.scenarios.errors import ScenarioError
from otel_costs.scenarios.fields import NAME
from otel_costs.scenarios.steps import CHAT, Scenario, Speech, Step, Talk, Transcription

NAMED: Final = "own_text"
"""What it is called if nothing is said."""

MODEL: Final = "gpt-5.4-mini"
_SPEAKS: Final = "gpt-4o-mini-tts"
_HEARS: Final = "gpt-4o-mini-transcribe"
_MOST: Final = 100_000
"""Characters of a text: more than any model takes well at once."""

_WRITE: Final = (
    "From the text of the user, write the instructions for a model that plays the other side of a conversation about"
    " it: who it is, what happened, what it wants and knows. Write plainly, in at most ten sentences."
)
_OPENING: Final = "Good morning. I would like to talk with you about this. Where shall we begin?"
_QUESTION: Final = "What matters most to you in it?"


def of_text(text: str, name: str = NAMED) -> Scenario:
    """Return the scenario of a text: creation, speech, transcription, conversation, speech. Raises ScenarioError."""
    if not NAME.fullmatch(name):
        raise ScenarioError(f"{name!r} is no name: give letters, digits, - and _, at most 64")
    if not text.strip():
        raise ScenarioError("the text is empty: give what the conversation is about")
    if len(text) > _MOST:
        raise ScenarioError(f"the text has {len(text):,} characters: give at most {_MOST:,}")
    # What a text has of ${...} is the text's, and quotes no step.
    written = Talk(CHAT, _WRITE, (), (text.replace("${", "$${"),), None)
    dialogue = Talk(CHAT, "${write}", (), ("${hear}", _QUESTION), None)
    steps = (
        Step("write", "creation", MODEL, written),
        Step("speak", "speech", _SPEAKS, Speech(_OPENING, "alloy")),
        Step("hear", "transcription", _HEARS, Transcription(speech="speak")),
        Step("talk", "conversation", MODEL, dialogue),
        Step("say", "speech", _SPEAKS, Speech("${talk}", "sage")),
    )
    return Scenario(name, "A text of your own: written, heard, held and spoken.", None, {}, steps)
