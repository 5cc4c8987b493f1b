"""Where the SDK's results pass: futures that are waited for, and events that the application listens to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from otel_costs.runtime import telemetry


@dataclass(frozen=True, slots=True)
class Waiting:
    """Receives the end of a future: its result, maybe more than once, or the error that waiting for it raised."""

    got: Callable[[Any], object]
    failed: Callable[[BaseException], object]


class Listener(Protocol):
    """Receives the events of a recognizer or a synthesizer."""

    def on_event(self, name: str, event: Any) -> None:
        """The event of the signal `name` is about to be given to the application's callbacks."""
        ...


_waiting: WeakKeyDictionary[Any, Waiting] = WeakKeyDictionary()
_listeners: WeakKeyDictionary[Any, Listener] = WeakKeyDictionary()

_SIGNALS: Final = (
    "recognized", "transcribed", "canceled", "session_stopped",
    "synthesis_started", "synthesis_completed", "synthesis_canceled",
)  # fmt: skip


def wait(future: Any, got: Callable[[Any], object], failed: Callable[[BaseException], object]) -> None:
    """Call `got` with the result of a ResultFuture, when and if the application gets it, or `failed` with its error.

    Neither may refer to the future.
    """
    _waiting[future] = Waiting(got, failed)


def listen(owner: Any, listener: Listener) -> None:
    """Pass the events of a recognizer or synthesizer that the application is connected to, to `listener`."""
    _listeners[owner] = listener


def is_connected(owner: Any, name: str) -> bool:
    """Return whether the application listens to a signal."""
    signal = _signals(owner).get(name)
    return signal is not None and bool(signal.is_connected())


def future_got(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `ResultFuture.get`."""
    try:
        result = wrapped(*args, **kwargs)
    except BaseException as error:
        _pass_error(instance, error)
        raise
    _pass_result(instance, result)
    return result


@telemetry.never_raises("read the result of a future")
def _pass_result(future: Any, result: Any) -> None:
    if (waiting := _waiting.get(future)) is not None:
        waiting.got(result)


@telemetry.never_raises("read the error of a future")
def _pass_error(future: Any, error: BaseException) -> None:
    if (waiting := _waiting.get(future)) is not None:
        waiting.failed(error)


def signalled(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Wrap `EventSignal.signal`, which runs in a thread of the native library, in an empty context."""
    _pass_event(instance, *args, **kwargs)
    return wrapped(*args, **kwargs)


@telemetry.never_raises("read an event")
def _pass_event(signal: Any, payload: Any) -> None:
    owner = signal._EventSignal__context.get()
    listener = None if owner is None else _listeners.get(owner)
    if listener is not None:
        name = next((name for name, known in _signals(owner).items() if known is signal), None)
        if name is not None:
            listener.on_event(name, payload)


def _signals(owner: Any) -> Mapping[str, Any]:
    """Return the signals that were ever looked at, by name: they stand under the name of the class that has them."""
    found = {}
    for attribute, value in vars(owner).items():
        name = attribute.partition("__")[2].removesuffix("_signal")
        if attribute.endswith("_signal") and name in _SIGNALS:
            found[name] = value
    return found
