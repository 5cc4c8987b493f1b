"""Google Cloud Text-to-Speech: the characters that are sent, by Google's rule, at the price of the kind of voice.

No answer says what is billed. The rule is published: all characters count, spaces, line breaks and SSML markup too, but
not `<mark>`. Gemini-TTS is billed by tokens that no answer names: its characters are recorded, without a price.
"""

import re
from typing import Any, Final, NamedTuple

from otel_costs import semconv as names
from otel_costs.calls.reading import Reading
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.google_speech.fields import field, text
from otel_costs.providers.google_speech.task import Task
from otel_costs.providers.kit import transcripts
from otel_costs.usage import Usage

_KIND: Final = re.compile(r"^[a-z]{2,3}-[A-Za-z]+-([A-Z][A-Za-z]*\d?(?:-HD)?)(?:-|$)")
_MARK: Final = re.compile(r"</?mark\b[^<>]*>")


class Synthesis(Task):
    """One synthesis: of a text, of a stream of texts, or of a text that is long."""

    operation = "text_to_speech"

    def __init__(self) -> None:
        super().__init__()
        self._streamed: list[_Input] = []

    @property
    def _voice(self) -> Any:
        return field(self.request, "streaming_config", "voice") or field(self.request, "voice")

    def model(self) -> str | None:
        """Return the kind of voice, which stands in its name; None if no voice is named, and Google chooses one."""
        voice = self._voice
        if model := text(voice, "model_name"):
            return model
        if field(voice, "voice_clone"):
            return "Instant-Custom-Voice"
        if field(voice, "custom_voice"):
            return "Custom"
        found = _KIND.match(text(voice, "name") or "")
        return found[1] if found else None

    def asked(self, request: Any) -> None:
        if field(request, "streaming_config"):
            self.request = request
        else:
            self._streamed.append(_read_input(field(request, "input")))

    def answered(self, answer: Any) -> None:
        """An answer is sound alone."""

    def reading(self) -> Reading:
        inputs = [*self._streamed, _read_input(field(self.request, "input"))]
        model = self.model()
        return Reading(
            Usage.of({"input_characters": sum(one.characters for one in inputs)}),
            request_model=model,
            reasons=(_reason(model), None if self.complete else CostReason.STREAM_NOT_FINISHED),
            inputs=transcripts.synthesized("".join(one.text for one in inputs)),
            attributes={names.OUTPUT_TYPE: "speech", names.SPEECH_VOICE: text(self._voice, "name")},
        )


def _reason(model: str | None) -> CostReason | None:
    """Return why a model's characters are not its bill."""
    if model is None:
        return CostReason.VOICE_NOT_NAMED
    return CostReason.TOKENS_NOT_REPORTED if model.startswith("gemini") else None


class _Input(NamedTuple):
    text: str
    characters: int


def _read_input(given: Any) -> _Input:
    """Return what is given to be spoken, and how many characters of it count."""
    if ssml := text(given, "ssml"):
        return _Input(ssml, len(_MARK.sub("", ssml)))
    if plain := text(given, "text") or text(given, "markup"):
        return _Input(plain, len(plain))
    turns = [text(turn, "text") or "" for turn in field(given, "multi_speaker_markup", "turns") or ()]
    return _Input("\n".join(turns), sum(map(len, turns)))
