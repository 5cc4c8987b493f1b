"""Recognition, transcription and translation of speech: one call for each that is started, however it ends."""

from decimal import ROUND_CEILING, Decimal
from functools import partial
from time import perf_counter_ns
from typing import Any, Final
from weakref import WeakKeyDictionary

from otel_costs import semconv as names
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import write
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.azure_speech import open_calls, results, service
from otel_costs.providers.azure_speech.audio_input import Source, source_of
from otel_costs.providers.azure_speech.open_calls import OpenCall
from otel_costs.providers.kit import transcripts
from otel_costs.providers.kit.sdk_request import begun
from otel_costs.runtime import background, telemetry, unfinished
from otel_costs.runtime.patching import Wrapper
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT, quotient, to_milliseconds

_TICKS: Final = 10_000_000  # per second

# The SDK sends what it has as fast as this, whatever it is given: measured with 1.53, as documented.
_BURST_S: Final = 5
_SPEED: Final = 2

MAX_PHRASES: Final = 10_000
"""Phrases of one recognition that are kept as messages, until it ends."""


class RecognizerState:
    """What is known of a recognizer: the service that it talks to, the sound it is given, what it is doing."""

    def __init__(self, source: Source, *, is_offline: bool) -> None:
        self.source, self.is_offline = source, is_offline
        self.position_s = Decimal(0)
        """Where in the sound the next recognition begins."""
        self.running: Recognition | None = None
        self.place: service.SpeechService | None = None
        self.model = service.STANDARD
        self.price_model: str | None = None
        self.language: str | None = None
        self.channels = 1
        """Channels that are recognized apart."""

    def observe(self, recognizer: Any) -> service.SpeechService:
        """Return where the recognizer talks to, and be told of its events and its end from now on.

        Its properties are read once: each takes 8 us.
        """
        if self.place is None:
            properties = recognizer.properties
            place = service.place_of(properties, "stt")
            self.model = service.model_of(recognizer, place)
            self.language = service.language_of(properties)
            if service.identifies_languages(properties):
                self.price_model = f"{self.model}/language-identification"
            if self.source.channels > 1 and service.separates_channels(properties):
                self.channels = self.source.channels
            results.listen(recognizer, self)
            unfinished.when_collected(recognizer, self._dropped)
            self.place = place
        return self.place

    def on_event(self, name: str, event: Any) -> None:
        """Read an event, in a thread of the native library."""
        if (running := self.running) is not None:
            running.on_event(name, event)

    def _dropped(self) -> None:
        if (running := self.running) is not None:
            running.give_up_from_finalizer(CostReason.RECOGNIZER_DROPPED)


class Recognition(OpenCall):
    """One recognition, from its start until its result, its stop, or the end of the recognizer."""

    def __init__(self, recognizer: Any, state: RecognizerState, *, once: bool) -> None:
        place = state.observe(recognizer)
        self._call = place.call("speech_to_text", state.model)
        super().__init__()
        self.state, self._once = state, once
        self._end_ticks = 0
        self._begin_s = state.position_s
        self._started_ns = perf_counter_ns()
        self._seconds: Decimal | None = None
        self._has_ended = False  # the sound, to its end
        self._error: str | None = None
        self._drafts: list[Draft] = []
        self._reasons: tuple[CostReason, ...] = ()
        self._response_id: str | None = None

    def on_event(self, name: str, event: Any) -> None:
        """Read an event: a phrase, an error, the end."""
        if name != "session_stopped":
            self.observe(event.result)
        self._response_id = event.result.result_id if self._once else event.session_id
        if self._once or name in ("canceled", "session_stopped"):
            self.finish()

    @telemetry.never_raises("read the result of a recognition")
    def observe(self, result: Any) -> None:
        """Read a final result."""
        if self.is_over:
            return
        if result.reason.name == "Canceled":
            details = result.cancellation_details
            self._has_ended = details.reason.name == "EndOfStream"
            self._error = details.code.name if details.reason.name == "Error" else None
            return
        self._end_ticks = max(self._end_ticks, result.offset + result.duration)
        if len(self._drafts) < MAX_PHRASES:
            self._drafts += transcripts.heard(result.text, quotient(result.duration, _TICKS))
            translations = getattr(result, "translations", None) or {}
            self._drafts += [Draft("assistant", "text", words) for words in translations.values() if words]

    def take_place(self) -> None:
        before, self.state.running = self.state.running, self
        if before is not None:
            before.give_up(CostReason.STARTED_AGAIN)

    def got(self, result: Any) -> None:
        """Read what a future has: the result of `recognize_once_async`, or nothing of a start."""
        if not self._once:
            return
        self.observe(result)
        if not self.is_over:
            self._response_id = getattr(result, "result_id", None)
        self.finish()

    def failed(self, error: BaseException) -> None:
        self._error = type(error).__name__
        self.finish()

    def finish(self) -> None:
        """It is over."""
        self.end(self._close)

    def close(self, reason: CostReason) -> background.Job:
        if self._once and reason == CostReason.RECOGNIZER_DROPPED:
            self._error = self._error or "Canceled"  # as the application is told
        self._reasons += (reason,)
        return self._close()

    def _close(self) -> background.Job:
        self._call.stop()
        state = self.state
        if state.running is self:
            state.running = None
        self._seconds, doubt = self._sent_s()
        if doubt is not None:
            self._reasons += (doubt,)
        heard_s = quotient(self._end_ticks, _TICKS)
        if self._has_ended and (given_s := state.source.seconds) is not None:
            state.position_s = given_s
        elif heard_s:
            state.position_s = heard_s  # the SDK sends what came after it again
        return partial(write, self._call, self._read, self._error)

    def _sent_s(self) -> tuple[Decimal | None, CostReason | None]:
        """Return the seconds that were sent, and why they are an estimate; None for what is not known."""
        source, given_s = self.state.source, self.state.source.seconds
        heard_s = max(Decimal(0), EXACT.subtract(quotient(self._end_ticks, _TICKS), self._begin_s))
        if self._error is not None and not heard_s:
            return None, None  # perhaps it was not even connected
        elapsed_s = quotient(perf_counter_ns() - self._started_ns, 1_000_000_000)
        if given_s is not None:
            given_s = max(Decimal(0), EXACT.subtract(given_s, self._begin_s))
            most_s = EXACT.fma(_SPEED, elapsed_s, _BURST_S)
            if self._has_ended or given_s <= most_s:
                return max(given_s, heard_s), CostReason.CONNECTION_LOST if self._error else None
            return max(most_s, heard_s), CostReason.AUDIO_SENT_NOT_KNOWN
        if source.is_live:
            return max(elapsed_s, heard_s), CostReason.AUDIO_SENT_NOT_KNOWN
        return (heard_s, CostReason.AUDIO_SENT_NOT_KNOWN) if heard_s else (None, None)

    def _read(self) -> Reading:
        is_refused = not self._end_ticks and service.is_refusal(self._error)
        usage, reasons = (None if is_refused else self._used()) or (None, self._reasons)
        return Reading(
            usage=usage,
            response_id=self._response_id,
            inputs=[transcripts.alone()],
            outputs=[self._drafts] if self._drafts and not is_refused else (),
            price_model=self.state.price_model,
            reasons=reasons,
            refused=is_refused,
            recorded={names.SPEECH_INPUT_LANGUAGE: self.state.language},
        )

    @telemetry.never_raises("count the seconds of a recognition")
    def _used(self) -> tuple[Usage | None, tuple[CostReason, ...]]:
        """Return the "hours of audio sent to the service, billed in second increments", each channel for itself."""
        reasons = self._reasons
        if self._seconds is None:
            return None, reasons
        if self.state.channels > 1:
            reasons += (CostReason.BILLING_OF_CHANNELS_NOT_PUBLISHED,)
        sent_s = EXACT.multiply(self._seconds, self.state.channels)
        quantities = {
            "audio_seconds": sent_s.to_integral_value(ROUND_CEILING, context=EXACT),
            "input_audio_seconds": to_milliseconds(sent_s),
        }
        return Usage.of(quantities, estimated=bool(reasons)), reasons


_recognizers: WeakKeyDictionary[Any, RecognizerState] = WeakKeyDictionary()


def recognizer_made(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `__init__` of a recognizer."""
    wrapped(*args, **kwargs)
    _note(instance, (*args, *kwargs.values()))


@telemetry.never_raises("look at a recognizer")
def _note(recognizer: Any, given: tuple[Any, ...]) -> None:
    config = next((one for one in given if _is_a(one, "AudioConfig")), None)
    is_offline = any(_is_a(one, "EmbeddedSpeechConfig") for one in given)
    _recognizers[recognizer] = RecognizerState(source_of(config), is_offline=is_offline)


def _is_a(found: Any, name: str) -> bool:
    return any(base.__name__ == name for base in type(found).__mro__)


def _starts(*, once: bool) -> Wrapper:
    """Return the wrapper of a method that starts a recognition, and returns a ResultFuture."""

    def start(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        recognition = _begin(instance, once=once)
        future = open_calls.asked(recognition, wrapped, args, kwargs)
        if recognition is not None:
            _wait(recognition, future)
        return future

    return start


recognize_once: Final = _starts(once=True)
"""Wraps `recognize_once_async`, which `recognize_once` calls."""

start: Final = _starts(once=False)
"""Wraps the start of a recognition that goes on until it is stopped."""


def stop(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap the stop of a recognition: it is over when its future is, or `session_stopped` says so."""
    future = wrapped(*args, **kwargs)
    _stop(instance, future)
    return future


@telemetry.never_raises("follow the end of a recognition")
def _stop(recognizer: Any, future: Any) -> None:
    state = _recognizers.get(recognizer)
    if state is not None and (recognition := state.running) is not None:
        results.wait(future, lambda _: recognition.finish(), lambda _: recognition.finish())
        if not results.is_connected(recognizer, "session_stopped"):
            # Nothing else will report it, if its result is not waited for.
            unfinished.when_collected(future, partial(recognition.give_up_from_finalizer, CostReason.STOP_NOT_AWAITED))


def _begin(recognizer: Any, *, once: bool) -> Recognition | None:
    """Start a call; raise BudgetExceeded, and nothing else, if the session has spent its budget."""
    state = _recognizers.get(recognizer)
    if state is not None and state.is_offline:
        return None
    return begun(lambda: Recognition(recognizer, state or _older(recognizer), once=once))


def _older(recognizer: Any) -> RecognizerState:
    """Return what is known of a recognizer that is older than our patches."""
    state = _recognizers[recognizer] = RecognizerState(Source(), is_offline=False)
    return state


@telemetry.never_raises("follow the result of a recognition")
def _wait(recognition: Recognition, future: Any) -> None:
    results.wait(future, recognition.got, recognition.failed)
