"""The configuration of a session: its model, the model that transcribes, its formats; as GA and the beta name them."""

from collections.abc import Mapping
from typing import Any, Final

from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai.parts import key, mapping
from otel_costs.values import sanitize

PCM_BYTES_PER_SECOND: Final = 48_000  # 24,000 samples a second of 16 bits
_G711_BYTES_PER_SECOND: Final = 8_000

SESSION_S: Final = 3600
"""How long a session may last: it expires so long after it began."""

_TIMES: Final = range(SESSION_S, 2**33)  # one that a record cannot carry would lose all that are sent with it
_RATES: Final = range(1, 384_001)


class Configuration:
    """The configuration of one session, as far as it is known."""

    __slots__ = (
        "expires_at",
        "id",
        "input_rate",
        "instructions",
        "is_confirmed",
        "kind",
        "may_cost",
        "model",
        "output_rate",
        "responds",
        "transcriber",
        "unknown_tools",
    )

    def __init__(self) -> None:
        self.id: str | None = None
        self.kind: str | None = None
        """realtime | transcription | translation; None in the beta, and before it is known."""
        self.model: str | None = None
        self.transcriber: str | None = None
        """Model that transcribes the input; None if none does."""
        self.input_rate = self.output_rate = PCM_BYTES_PER_SECOND
        self.instructions: str | None = None
        self.expires_at: int | None = None
        """In seconds since 1970."""
        self.unknown_tools: list[str] = []
        """Types of tools whose cost is not known."""
        self.may_cost = False
        """Whether a tool is offered that costs something when it is used, which no event tells."""
        self.responds = True
        """Whether the service begins a response by itself after a turn of the user, as it does by default."""
        self.is_confirmed = False
        """Whether the server has reported it: then what clients request counts only once the server repeats it."""

    def requested(self, session: Mapping[str, Any]) -> None:
        """Read a client's `session.update`."""
        if isinstance(instructions := session.get("instructions"), str):
            self.instructions = instructions
        if not self.is_confirmed:
            self._read(session)

    def reported(self, session: Mapping[str, Any]) -> None:
        """Read the server's `session.created` or `session.updated`."""
        self.is_confirmed = True
        self.id = key(session.get("id")) or self.id
        if isinstance(model := key(session.get("model")), str):
            self.model = sanitize.text(model)
        if type(expires_at := session.get("expires_at")) is int and expires_at in _TIMES:
            self.expires_at = expires_at
        self._read(session)

    def _read(self, session: Mapping[str, Any]) -> None:
        self.kind = key(session.get("type")) or self.kind
        if "tools" in session:
            tools = hosted_tools.asked(session)
            self.unknown_tools, self.may_cost = hosted_tools.unknown(tools), hosted_tools.may_cost(tools)
        audio = mapping(session.get("audio"))
        input_, output = mapping(audio.get("input")), mapping(audio.get("output"))
        for fields in (input_, session):
            if "turn_detection" in fields:
                detection = fields["turn_detection"]
                self.responds = detection is not None and mapping(detection).get("create_response") is not False
        if self.kind == "transcription":
            self.responds = False
        for fields, name in ((input_, "transcription"), (session, "input_audio_transcription")):
            if name in fields:
                asked = mapping(fields[name])
                self.transcriber = key(asked.get("model")) or ("unknown" if asked else None)
        self.input_rate = _rate(input_.get("format"), session.get("input_audio_format")) or self.input_rate
        self.output_rate = _rate(output.get("format"), session.get("output_audio_format")) or self.output_rate


def _rate(*formats: object) -> int | None:
    """Return the bytes a second of the first format that is given."""
    for form in formats:
        fields = mapping(form)
        name = form if isinstance(form, str) else fields.get("type")
        if isinstance(name, str):
            compressed = "pcmu" in name or "pcma" in name or "g711" in name
            known = _G711_BYTES_PER_SECOND if compressed else PCM_BYTES_PER_SECOND
            # OpenAI takes one rate; others that speak its protocol, several.
            samples = fields.get("rate")
            return samples * (1 if compressed else 2) if type(samples) is int and samples in _RATES else known
    return None
