"""Calls that are under way in the native library: each ends once, at the exit of the process at the latest."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import background, telemetry, unfinished


class OpenCall:
    """A call under way. It holds no reference to what the application holds, so that this can be collected."""

    def __init__(self) -> None:
        self._ended = threading.Lock()
        unfinished.add(self)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._ended.locked()

    def take_place(self) -> None:
        """Be what the next events are of: the native library is about to be asked."""
        raise NotImplementedError

    def failed(self, error: BaseException) -> None:
        """End with an exception of the SDK's: nothing was started, or waiting for it was given up."""
        raise NotImplementedError

    def close(self, reason: CostReason) -> background.Job:
        """Note that nothing more will be known, and why; return what is left to do. It may be in a finalizer."""
        raise NotImplementedError

    def end(self, job: Callable[[], background.Job], put: Callable[[background.Job], object] = background.put) -> None:
        """Put what `job` returns, unless the call has ended before. Never raises."""
        if not self._ended.acquire(blocking=False):
            return
        unfinished.discard(self)
        try:
            put(job())
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:speech", "otel_costs could not finish a call of Azure Speech", error=error)

    def give_up(self, reason: CostReason) -> None:
        """End it with what is known."""
        self.end(partial(self.close, reason))

    def give_up_from_finalizer(self, reason: CostReason) -> None:
        """End it as the collector wants it: the rest is done later, in the background."""
        self.end(partial(self.close, reason), background.put_from_finalizer)

    def end_with_process(self, _wait_s: float) -> None:
        """End it with the process, or with what we follow."""
        self.give_up_from_finalizer(CostReason.PROCESS_ENDED)

    def forget(self) -> None:
        """Leave the end to another process: after a fork, to the parent."""
        self._ended.acquire(blocking=False)


def asked(call: OpenCall | None, wrapped: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Ask the native library, for `call` if there is one; its events may come before this returns."""
    if call is None:
        return wrapped(*args, **kwargs)
    _take_place(call)
    try:
        return wrapped(*args, **kwargs)
    except BaseException as error:
        _failed(call, error)
        raise


@telemetry.never_raises("follow a call of Azure Speech")
def _take_place(call: OpenCall) -> None:
    call.take_place()


@telemetry.never_raises("record what was not started")
def _failed(call: OpenCall, error: BaseException) -> None:
    call.failed(error)
