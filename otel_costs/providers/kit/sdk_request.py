"""A request to a speech service through its own SDK, from before it is sent until its call is written."""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from otel_costs.calls import error_status
from otel_costs.calls.admission import admit
from otel_costs.calls.call import Call, CallContext
from otel_costs.calls.estimate import Kind
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import write
from otel_costs.runtime import background, shutdown, signal_handlers, telemetry
from otel_costs.sessions.reservations import BudgetExceeded

T = TypeVar("T")

# Statuses that a gRPC client gives itself, or that say nothing of what the service did: what is billed is not known.
_UNKNOWN_OUTCOMES: Final = frozenset({"CANCELLED", "UNKNOWN", "DEADLINE_EXCEEDED", "UNAVAILABLE"})


class SpeechRequest:
    """A request on its way: `begin`, send it in a `with` block, then `answered`, or keep its `call` for a stream.

    What the block raises ends the call; `call` None is a request that is not recorded.
    """

    __slots__ = ("_asked", "_context", "call")

    def __init__(self, call: Call | None, asked: Callable[[], Reading] = Reading) -> None:
        self.call, self._asked = call, asked
        self._context = CallContext(call)

    @classmethod
    def begin(cls, start: Callable[[], Call], asked: Callable[[], Reading] = Reading, kind: Kind | None = None) -> Self:
        """Start the call of a request; raise `BudgetExceeded`, and nothing else, where it does not fit in a budget.

        `asked` returns what is known of a request that is not answered. `kind` tells what such calls cost lately; None
        is that of the place where they start.
        """
        return cls(begun(start, kind), asked)

    @telemetry.never_raises("finish a call")
    def answered(self, read: Callable[[], Reading]) -> None:
        """The answer is here: in a job, `read` returns what it says of the call, which is written."""
        if self.call is not None:
            self.call.stop()
            background.put(partial(write, self.call, read))

    def __enter__(self) -> Self:
        self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.__exit__()
        if error is not None:
            self._failed(error)

    @telemetry.never_raises("record a failed call")
    def _failed(self, error: BaseException) -> None:
        if (call := self.call) is not None:
            call.stop()
            background.put(partial(write, call, self._asked, error_name(error), refused=is_refusal(error)))


def begun(start: Callable[[], T], kind: Kind | None = None) -> T | None:
    """Return what `start` starts, a call or what has one, None if that fails; raise `BudgetExceeded` and no other."""
    try:
        shutdown.adopt_once()
        reservation = admit(kind or _kind(start))
        started = start()
        if reservation is not None:
            call = started if isinstance(started, Call) else getattr(started, "_call", None)
            if isinstance(call, Call):
                call.reservation = reservation
        return started
    except BudgetExceeded:
        raise
    except Exception as error:
        if signal_handlers.raised(error):
            raise
        telemetry.warn_once("bug:start", "otel_costs could not start a call; it is not recorded", error=error)
        return None


def _kind(start: Any) -> Kind:
    """Return the kind of what is started by one function: an SDK's method, before its arguments are read."""
    function = getattr(start, "func", start)
    return Kind(getattr(function, "__qualname__", ""), getattr(function, "__module__", None) or "", None)


def error_name(error: BaseException) -> str:
    """Return the kind of an error: gRPC's status where it has one (`INVALID_ARGUMENT`), else its class."""
    return _grpc_status(error) or type(error).__name__


def is_refusal(error: BaseException) -> bool:
    """Return whether the service itself answered that it does not do what was asked, which it does not bill."""
    if (status := _grpc_status(error)) is not None:
        return status not in _UNKNOWN_OUTCOMES
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's ClientError
        response = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = (getattr(error, "status_code", None), getattr(error, "error", None))  # of amazon-transcribe
        response = next((one for one in found if one), None) or getattr(response, "status_code", None)
    return isinstance(response, int) and error_status.is_free("", response)


def _grpc_status(error: BaseException) -> str | None:
    code: Any = getattr(error, "grpc_status_code", None)
    if code is None and callable(method := getattr(error, "code", None)):
        code = method()  # of gRPC's own error, which is the call
    name = getattr(code, "name", None)
    return name if isinstance(name, str) else None
