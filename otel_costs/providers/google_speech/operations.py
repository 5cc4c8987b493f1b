"""Long-running operations: the session that started each, and its result when the application finds them done.

The SDK's future asks for its operation with a function that it keeps; ours takes its place there and looks at what
comes. Nothing is asked for on our own: an operation that is not waited for stays pending in the ledger.
"""

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from otel_costs.calls.call import Call
from otel_costs.calls.jobs import is_first_poll
from otel_costs.calls.reading import Job, Reading
from otel_costs.calls.writer import write
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.google_speech.fields import epoch_s
from otel_costs.providers.google_speech.task import Task
from otel_costs.providers.kit.sdk_request import SpeechRequest
from otel_costs.runtime import background, telemetry

_CODES: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""gRPC's codes by their numbers."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What is kept of a call that started an operation; the future is not, so that it can be dropped."""

    started: Call
    task: Task
    result: Any
    metadata: Any
    place: Context

    def poll(self, operation: Any) -> None:
        """Read an operation as it is now; the first time that it is done it is billed."""
        try:
            if operation.done and is_first_poll(self.started.provider, operation.name):
                background.put(partial(self.place.run, self._finish, operation))
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:operation", "otel_costs could not read an operation", error=error)

    def _finish(self, operation: Any) -> None:
        call = self.started.again()
        call.stop()
        write(call, partial(self.read, operation, started=False), error=_error(operation))

    def read(self, operation: Any, *, started: bool) -> Reading:
        """Return what an operation says of the call that started it, or of the one that found its end."""
        ended = bool(operation.done)
        if ended and operation.HasField("response"):
            self.task.answered(self.result.deserialize(operation.response.value))
        metadata = self.metadata.deserialize(operation.metadata.value) if operation.HasField("metadata") else None
        read = self.task.reading()
        if ended and operation.HasField("error"):
            read = replace(read, usage=None, reasons=(CostReason.JOB_FAILED,))
        return replace(
            read,
            response_id=operation.name,
            inputs=read.inputs if started or read.outputs else None,  # its start told what is spoken
            job=Job(
                operation.name,
                ended,
                epoch_s(metadata, "start_time") or epoch_s(metadata, "create_time"),
                (epoch_s(metadata, "last_update_time") or epoch_s(metadata, "update_time")) if ended else None,
                is_known=not ended,  # of a text it is known already, unless it fails
            ),
        )


def follow(request: SpeechRequest, task: Task, future: Any) -> None:
    """Write what was started, and look at the operation whenever the future does."""
    if (job := _started(request, task, future)) is not None:
        future._refresh = partial(_refresh, future._refresh, job.poll)


def follow_async(request: SpeechRequest, task: Task, future: Any) -> None:
    """Do the same for the future of an async client."""
    if (job := _started(request, task, future)) is not None:
        future._refresh = partial(_refresh_async, future._refresh, job.poll)


@telemetry.never_raises("follow an operation")
def _started(request: SpeechRequest, task: Task, future: Any) -> _Job | None:
    if (call := request.call) is None:
        return None
    operation = future.operation
    job = _Job(call, task, future._result_type, future._metadata_type, copy_context())
    if operation.done:
        is_first_poll(call.provider, operation.name)
    request.answered(partial(job.read, operation, started=True))
    return job


def _refresh(refresh: Callable[..., Any], poll: Callable[[Any], None], *args: Any, **kwargs: Any) -> Any:
    operation = refresh(*args, **kwargs)
    poll(operation)
    return operation


async def _refresh_async(
    refresh: Callable[..., Awaitable[Any]], poll: Callable[[Any], None], *args: Any, **kwargs: Any
) -> Any:
    operation = await refresh(*args, **kwargs)
    poll(operation)
    return operation


def _error(operation: Any) -> str | None:
    if not operation.HasField("error"):
        return None
    code = operation.error.code
    return _CODES[code] if 0 <= code < len(_CODES) else f"code {code}"
