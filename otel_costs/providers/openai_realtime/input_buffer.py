"""The input audio buffer of a session: the sound that was sent since the last commit, and the speech in it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from otel_costs.providers.openai_realtime.sound import PassingAudio
from otel_costs.usage.numbers import quotient


class InputBuffer:
    """What the service has heard since it last made an item of it."""

    def __init__(self) -> None:
        self._sound = PassingAudio()
        self._began_ms: int | None = None
        self._speech_s: Decimal | None = None

    def add(self, data: str) -> None:
        """Add a piece of sound in base64."""
        self._sound.add(data)

    def clear(self) -> None:
        """Forget what was sent since the last commit."""
        self._sound, self._began_ms, self._speech_s = PassingAudio(), None, None

    def speech_started(self, event: Mapping[str, Any]) -> None:
        """Note where the service heard speech begin, in milliseconds of all sound."""
        self._began_ms = milliseconds(event.get("audio_start_ms"))

    def speech_stopped(self, event: Mapping[str, Any]) -> None:
        """Note where it heard speech end."""
        ended_ms = milliseconds(event.get("audio_end_ms"))
        if ended_ms is not None and self._began_ms is not None and ended_ms >= self._began_ms:
            self._speech_s = quotient(ended_ms - self._began_ms, 1000)

    def take(self, bytes_per_second: int) -> tuple[PassingAudio, Decimal | None]:
        """Return the sound since the last commit and its seconds, of speech if it is known; begin anew."""
        sound, seconds = self._sound, self._speech_s
        self.clear()
        return sound, sound.seconds(bytes_per_second) if seconds is None else seconds


def milliseconds(value: object) -> int | None:
    """Return a plausible number of milliseconds; None if it is none."""
    return value if type(value) is int and 0 <= value < 2**40 else None
