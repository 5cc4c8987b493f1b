"""The utterances of a Live session, put together from pieces of transcripts: no event says where a turn ends.

Both may speak at once. A role's words go on being one utterance until there was a pause and the other has begun to
speak, or a long one; or until they fill a message.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otel_costs.messages import Draft
from otel_costs.usage.numbers import quotient
from otel_costs.values import sanitize

PAUSE_MS: Final = 1000
LONG_PAUSE_MS: Final = 3000

_ROLES: Final = {"session.input_transcript.delta": "user", "session.output_transcript.delta": "assistant"}


class Utterance:
    """What one role said without a break."""

    __slots__ = ("_texts", "end_ms", "role", "size", "start_ms")

    def __init__(self, role: str, start_ms: int) -> None:
        self.role, self.start_ms, self.end_ms = role, start_ms, start_ms
        self._texts: list[str] = []
        self.size = 0

    def add(self, text: str, end_ms: int) -> None:
        self._texts.append(text)
        self.size += len(text)
        self.end_ms = max(self.end_ms, end_ms)

    @property
    def draft(self) -> Draft:
        """The message that it is."""
        seconds = quotient(self.end_ms - self.start_ms, 1000)
        return Draft(self.role, "audio", "".join(self._texts).strip(), audio_seconds=seconds)


class Transcript:
    """The utterances of one session, of which one of each role may be open."""

    def __init__(self) -> None:
        self._open: dict[str, Utterance] = {}
        self._last_ms: dict[str, int] = {}
        self.until_ms = 0
        """How far the session has got."""

    def add(self, event: Mapping[str, Any]) -> Iterator[Utterance]:
        """Yield the utterances that are over with an event."""
        role, text = _ROLES.get(str(event.get("type"))), event.get("delta")
        if role is None or not isinstance(text, str):
            return
        start_ms = _milliseconds(event.get("start_ms"), self.until_ms)
        end_ms = _milliseconds(event.get("end_ms"), start_ms)
        self.until_ms = max(self.until_ms, end_ms)
        for other in [other for other in self._open.values() if other.role != role]:
            if start_ms - other.end_ms > PAUSE_MS:
                yield self._open.pop(other.role)
        mine = self._open.get(role)
        if mine is not None and (self._is_over(mine, start_ms) or mine.size + len(text) > sanitize.MAX_TEXT):
            yield self._open.pop(role)
            mine = None
        if mine is None:
            mine = self._open[role] = Utterance(role, start_ms)
            self._last_ms[role] = start_ms
        mine.add(text, end_ms)

    def speaks(self, role: str, until_ms: int) -> bool:
        """Return whether a role's words are not over yet, now that the session has got so far."""
        utterance = self._open.get(role)
        return utterance is not None and max(until_ms, self.until_ms) - utterance.end_ms <= PAUSE_MS

    def end(self) -> Iterator[Utterance]:
        """Yield what is left, in order."""
        yield from sorted(self._open.values(), key=lambda utterance: utterance.start_ms)
        self._open.clear()

    def _is_over(self, mine: Utterance, start_ms: int) -> bool:
        others = [begun for role, begun in self._last_ms.items() if role != mine.role]
        pause_ms = start_ms - mine.end_ms
        return pause_ms > LONG_PAUSE_MS or (pause_ms > PAUSE_MS and any(begun >= mine.start_ms for begun in others))


def _milliseconds(value: object, otherwise: int) -> int:
    return value if type(value) is int and 0 <= value < 2**40 else otherwise
