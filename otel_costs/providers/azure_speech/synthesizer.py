"""The methods of `SpeechSynthesizer` that speak, and the stream that their sound is read from."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

from otel_costs.providers.azure_speech import open_calls, results, synthesis_input
from otel_costs.providers.azure_speech.synthesis import Synthesis, SynthesizerState
from otel_costs.providers.kit.sdk_request import begun
from otel_costs.runtime import telemetry, unfinished
from otel_costs.runtime.patching import Wrapper

_synthesizers: WeakKeyDictionary[Any, SynthesizerState] = WeakKeyDictionary()
_read_from: WeakKeyDictionary[Any, Synthesis] = WeakKeyDictionary()
"""By the result of `start_speaking_*`, and by the AudioDataStream that is made of it."""


def _speaks(read: Callable[..., synthesis_input.SynthesisInput]) -> Wrapper:
    """Return the wrapper of a method that returns a ResultFuture."""

    def speak_async(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        synthesis = _begin(instance, read, args, kwargs)
        future = open_calls.asked(synthesis, wrapped, args, kwargs)
        if synthesis is not None:
            _follow(instance, future, synthesis)
        return future

    return speak_async


speak_text: Final = _speaks(lambda text: synthesis_input.Text(text))
speak_ssml: Final = _speaks(lambda ssml: synthesis_input.Document(ssml))
speak: Final = _speaks(lambda request: synthesis_input.of_request(request))


def start_speaking(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `start_speaking`, which returns a result and no future."""
    synthesis = _begin(instance, lambda request: synthesis_input.of_request(request), args, kwargs)
    result = open_calls.asked(synthesis, wrapped, args, kwargs)
    if synthesis is not None:
        _got(instance, synthesis, result)
    return result


def _begin(
    synthesizer: Any, read: Callable[..., synthesis_input.SynthesisInput], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Synthesis | None:
    """Start a call; raise BudgetExceeded, and nothing else, if the session has spent its budget."""
    return begun(
        lambda: Synthesis(synthesizer, _synthesizers.setdefault(synthesizer, SynthesizerState()), read(*args, **kwargs))
    )


@telemetry.never_raises("follow the result of a synthesis")
def _follow(synthesizer: Any, future: Any, synthesis: Synthesis) -> None:
    synthesis.has_end_listener = results.is_connected(synthesizer, "synthesis_completed")
    results.wait(future, partial(_take, synthesis), synthesis.failed)
    unfinished.when_collected(future, synthesis.result_dropped)


@telemetry.never_raises("follow the result of a synthesis")
def _got(synthesizer: Any, synthesis: Synthesis, result: Any) -> None:
    synthesis.has_end_listener = results.is_connected(synthesizer, "synthesis_completed")
    _take(synthesis, result)


def _take(synthesis: Synthesis, result: Any) -> None:
    """Read a result; where it is not the last, the end is told by an event, by a reader of the sound, or never."""
    synthesis.got(result)
    if not synthesis.is_over and result not in _read_from:
        _read_from[result] = synthesis
        synthesis.add_reader(result)


def data_stream_made(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `AudioDataStream.__init__`."""
    wrapped(*args, **kwargs)
    _note_stream(instance, *args, **kwargs)


@telemetry.never_raises("follow a stream of sound")
def _note_stream(stream: Any, result: Any) -> None:
    if (synthesis := _read_from.get(result)) is not None and not synthesis.is_over:
        _read_from[stream] = synthesis
        synthesis.add_reader(stream)


def data_read(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `AudioDataStream.read_data`, which returns 0 at the end."""
    number = wrapped(*args, **kwargs)
    if number == 0:
        _read_out(instance)
    return number


def data_saved(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `AudioDataStream.save_to_wav_file`, which returns at the end."""
    result = wrapped(*args, **kwargs)
    _read_out(instance)
    return result


@telemetry.never_raises("read the end of a stream of sound")
def _read_out(stream: Any) -> None:
    if (synthesis := _read_from.get(stream)) is None or synthesis.is_over:
        return
    details = stream.cancellation_details
    if details is None:
        synthesis.finish()
    else:
        synthesis.cut(details.error_code.name)
