"""A synthesis of speech, from when it is asked for until its end is known: one call, billed by its characters."""

import threading
from collections import deque
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import write
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.azure_speech import results, service, voices
from otel_costs.providers.azure_speech.open_calls import OpenCall
from otel_costs.providers.azure_speech.synthesis_input import SynthesisInput
from otel_costs.providers.kit import transcripts
from otel_costs.runtime import background, telemetry, unfinished
from otel_costs.usage import Usage
from otel_costs.usage.numbers import quotient

_MICROSECOND: Final = timedelta(microseconds=1)

_LATE: Final = 64
"""Results that are remembered until their event has come too."""


class SynthesizerState:
    """What is known of a synthesizer: the service that it talks to, and what it has still to say.

    It says one thing after the other; what waits gets its result's id when it begins.
    """

    def __init__(self) -> None:
        self.place: service.SpeechService | None = None
        self._waiting: deque[Synthesis] = deque()
        self._under_way: dict[str, Synthesis] = {}
        self._over: deque[str] = deque(maxlen=_LATE)
        # A finalizer may come while its own thread has it.
        self._changing = threading.RLock()
        self.is_gone = False
        """Whether the synthesizer is: then no events will tell of an end."""

    def observe(self, synthesizer: Any) -> service.SpeechService:
        """Return where the synthesizer talks to, and be told of its events and its end from now on."""
        if self.place is None:
            self.place = service.place_of(synthesizer.properties, "tts")
            results.listen(synthesizer, self)
            unfinished.when_collected(synthesizer, self._dropped)
        return self.place

    def add(self, synthesis: "Synthesis") -> None:
        """Have it said after what was asked for before."""
        self._waiting.append(synthesis)

    def on_event(self, name: str, event: Any) -> None:
        """Read an event, in a thread of the native library."""
        synthesis = self._that_has(event.result.result_id)
        if synthesis is not None and name != "synthesis_started":
            synthesis.got(event.result)

    def _that_has(self, result_id: str) -> "Synthesis | None":
        """Return what has the result; None if its future was faster."""
        with self._changing:
            if result_id in self._over:
                return None
            if result_id not in self._under_way and self._waiting:
                self._under_way[result_id] = self._waiting.popleft()
            return self._under_way.get(result_id)

    def owns(self, synthesis: "Synthesis", result_id: str) -> bool:
        """Whether a result is that of `synthesis`: not if another one took it, when an event told of it.

        Events say no more than the result's id, and what was asked for first is taken to be said first. On a busy
        machine the library's own threads overtake each other; a result from its own future is right then, and
        the synthesis that it was taken for gets the one that it had.
        """
        with self._changing:
            if result_id in self._over:
                return False
            other = self._under_way.get(result_id)
            if other is synthesis:
                return True
            taken_for = next((known for known, one in self._under_way.items() if one is synthesis), None)
            if taken_for is None:
                self._stop_waiting(synthesis)
            else:
                del self._under_way[taken_for]
            self._under_way[result_id] = synthesis
            if other is not None and taken_for is not None:
                self._under_way[taken_for] = other
            elif other is not None:
                self._waiting.appendleft(other)
            return True

    def forget(self, synthesis: "Synthesis", result_id: str | None) -> None:
        """Wait no longer for what is over."""
        with self._changing:
            if result_id:
                self._over.append(result_id)
                self._under_way.pop(result_id, None)
            self._stop_waiting(synthesis)

    def _stop_waiting(self, synthesis: "Synthesis") -> None:
        if synthesis in self._waiting:
            self._waiting.remove(synthesis)

    def _dropped(self) -> None:
        self.is_gone = True
        for synthesis in (*self._waiting, *self._under_way.values()):
            if not synthesis.readers:
                synthesis.give_up_from_finalizer(CostReason.SYNTHESIZER_DROPPED)


class Synthesis(OpenCall):
    """One synthesis. `got` its last result, `cut` with an error, or given up when no result can come any more."""

    def __init__(self, synthesizer: Any, state: SynthesizerState, synthesis_input: SynthesisInput) -> None:
        place = state.observe(synthesizer)
        voice = synthesis_input.voice or service.voice_of(synthesizer.properties)
        kind = synthesis_input.kind or voices.kind(voice, is_deployed=place.deployment is not None)
        self._call = place.call("text_to_speech", kind)
        super().__init__()
        self.state, self._input = state, synthesis_input
        self._error: str | None = None
        self._seconds: Decimal | None = None
        self._has_sound = False
        self._result_id: str | None = None
        self.has_end_listener = False
        """Whether the application listens to the event of the end, and so do we."""
        self.readers = 0
        """What the application has to read the sound as it comes: a result that is not the last, a stream of it."""
        self._voice = voice
        self._reasons: tuple[CostReason, ...] = ()

    def take_place(self) -> None:
        self.state.add(self)

    def got(self, result: Any) -> None:
        """Read a result: of the end, or of the beginning alone."""
        if not self.is_over and self.state.owns(self, result.result_id) and self._read(result) is not False:
            self.finish()

    @telemetry.never_raises("read the result of a synthesis")
    def _read(self, result: Any) -> bool:
        """Read a result and return whether it is the last."""
        reason = result.reason.name
        self._result_id = result.result_id
        if reason == "SynthesizingAudioStarted":
            self._call.first_chunk()
            return False
        if result.audio_duration:
            self._seconds = quotient(result.audio_duration // _MICROSECOND, 1_000_000)
        self._has_sound = self._seconds is not None or len(result.audio_data) > 0
        if reason == "Canceled":
            details = result.cancellation_details
            self._error = details.error_code.name if details.reason.name == "Error" else "Canceled"
        return True

    def add_reader(self, reader: Any) -> None:
        """Wait for the end until the application has nothing left to read the sound with."""
        self.readers += 1
        unfinished.when_collected(reader, self._reader_dropped)

    def _reader_dropped(self) -> None:
        self.readers -= 1
        self.result_dropped()

    def result_dropped(self) -> None:
        """Give up if the end can no longer be seen; called from a finalizer."""
        if not self.readers and (self.state.is_gone or not self.has_end_listener):
            self.give_up_from_finalizer(CostReason.RESULT_NOT_SEEN)

    def failed(self, error: BaseException) -> None:
        self._error = type(error).__name__
        self.finish()

    def cut(self, error: str) -> None:
        """End with the error that came while the sound was read."""
        self._error, self._has_sound = error, True
        self.finish()

    def finish(self) -> None:
        """It is over."""
        self.end(self._close)

    def close(self, reason: CostReason) -> background.Job:
        self._reasons += (reason,)
        return self._close()

    def _close(self) -> background.Job:
        self._call.stop()
        self.state.forget(self, self._result_id)
        return partial(write, self._call, self._reading, self._error)

    def _reading(self) -> Reading:
        is_refused = not self._has_sound and service.is_refusal(self._error)
        usage, reasons = (None if is_refused else self._used()) or (None, self._reasons)
        return Reading(
            usage=usage,
            response_id=self._result_id,
            inputs=None if is_refused else self._inputs(),
            reasons=reasons,
            refused=is_refused,
            attributes={names.OUTPUT_TYPE: "speech"},
            recorded={names.SPEECH_VOICE: self._voice or None},
        )

    @telemetry.never_raises("count the characters of a synthesis")
    def _used(self) -> tuple[Usage | None, tuple[CostReason, ...]]:
        reasons, spoken = self._reasons, self._input
        if self._error is not None:
            if not self._has_sound:
                return None, reasons  # perhaps it was not even connected
            reasons += (CostReason.SYNTHESIS_NOT_FINISHED,)
        if spoken.has_several_kinds:
            reasons += (CostReason.SEVERAL_KINDS_OF_VOICES,)
        seconds = {"audio_seconds": self._seconds, "output_audio_seconds": self._seconds}
        return Usage.of({"input_characters": spoken.characters, **seconds}, estimated=bool(reasons)), reasons

    @telemetry.never_raises("read what is spoken")
    def _inputs(self) -> list[Draft]:
        return transcripts.synthesized(self._input.words)
