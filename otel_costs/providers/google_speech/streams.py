"""Streams of gRPC, followed within: the application holds the SDK's own stream, reads, cancels and drops it as ever.

The SDK's stream keeps gRPC's in an attribute of its own; a proxy takes its place there and sees every message.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from functools import partial
from typing import Any, Final

import wrapt

from otel_costs.calls.call import Call
from otel_costs.calls.writer import write
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.google_speech.task import Task
from otel_costs.providers.kit.sdk_request import SpeechRequest, error_name, is_refusal
from otel_costs.runtime import background, telemetry, unfinished
from otel_costs.transports.http import streaming

_END: Final[Any] = object()  # fed where a stream was read to its end


class _Reader:
    """Tells a task of a stream's answers, and writes its call at the end."""

    def __init__(self, call: Call, task: Task) -> None:
        self._call, self._task = call, task
        task.complete = False

    def feed(self, chunk: Any) -> None:
        if chunk is _END:
            self._task.complete = True
            return
        self._call.first_chunk()
        self._call.chunks += 1
        self._task.answered(chunk)

    def end(self, error: BaseException | None) -> background.Job:
        self._call.stop()
        if error is None:
            return partial(write, self._call, self._task.reading)
        # What was refused before its first answer was not done.
        refused = not self._call.chunks and is_refusal(error)
        return partial(write, self._call, self._task.reading, error_name(error), refused=refused)


class _Followed(wrapt.ObjectProxy):  # type: ignore[misc, type-arg, unused-ignore]
    """gRPC's sync stream."""

    def __init__(self, stream: Any, watch: streaming.Watch) -> None:
        super().__init__(stream)
        self._self_watch = watch

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            answer = next(self.__wrapped__)
        except StopIteration:
            self._self_watch.feed(_END)
            self._self_watch.end(None)
            raise
        except BaseException as error:
            self._self_watch.end(error)
            raise
        self._self_watch.feed(answer)
        return answer

    def cancel(self) -> Any:
        done = self.__wrapped__.cancel()
        self._self_watch.end(CancelledError())
        return done


class _FollowedAsync(wrapt.ObjectProxy):  # type: ignore[misc, type-arg, unused-ignore]
    """gRPC's async stream, which is iterated or read and written."""

    def __init__(self, stream: Any, watch: streaming.Watch, task: Task) -> None:
        super().__init__(stream)
        self._self_watch, self._self_task = watch, task

    async def __aiter__(self) -> AsyncIterator[Any]:
        # A generator that is closed is no end: the SDK keeps it, and the stream may be read on.
        try:
            async for answer in self.__wrapped__:
                self._self_watch.feed(answer)
                yield answer
        except GeneratorExit:
            raise
        except BaseException as error:
            self._self_watch.end(error)
            raise
        self._self_watch.feed(_END)
        self._self_watch.end(None)

    async def read(self) -> Any:
        try:
            answer = await self.__wrapped__.read()
        except BaseException as error:
            self._self_watch.end(error)
            raise
        if _is_end(answer):
            self._self_watch.feed(_END)
            self._self_watch.end(None)
        else:
            self._self_watch.feed(answer)
        return answer

    async def write(self, request: Any) -> None:
        await self.__wrapped__.write(request)
        _note_request(self._self_task, request)

    def cancel(self) -> Any:
        done = self.__wrapped__.cancel()
        self._self_watch.end(CancelledError())
        return done


class _ObservedRequests:
    """What the application sends, as gRPC takes it from its iterator."""

    def __init__(self, requests: Any, task: Task) -> None:
        self._requests, self._task = requests, task

    def __iter__(self) -> "_ObservedRequests":
        return _ObservedRequests(iter(self._requests), self._task)

    def __next__(self) -> Any:
        request = next(self._requests)
        _note_request(self._task, request)
        return request


class _ObservedRequestsAsync:
    """The same from an async iterator."""

    def __init__(self, requests: AsyncIterable[Any], task: Task) -> None:
        self._requests, self._task = requests, task

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for request in self._requests:
            _note_request(self._task, request)
            yield request


@telemetry.never_raises("read what is sent in a stream")
def _note_request(task: Task, request: Any) -> None:
    task.asked(request)


def observed(request: SpeechRequest, task: Task, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of a call, its requests observed; those by keyword are changed in place."""
    requests = args[0] if args else kwargs.get("requests")
    if request.call is None or requests is None:
        return args
    wrapper = _ObservedRequestsAsync if isinstance(requests, AsyncIterable) else _ObservedRequests
    wrapped_requests = wrapper(requests, task)
    if args:
        return (wrapped_requests, *args[1:])
    kwargs["requests"] = wrapped_requests
    return args


def follow(request: SpeechRequest, task: Task, stream: Any) -> None:
    """Follow a sync stream of the SDK to its end; its first answer may be there already."""
    if (watch := _watch(request, task)) is None:
        return
    try:
        stream._wrapped = _Followed(stream._wrapped, watch)
        if (first := getattr(stream, "_stored_first_result", None)) is not None:
            watch.feed(first)
        unfinished.add(watch, stream, watch.end_from_finalizer)
    except Exception as error:  # noqa: BLE001
        _give_up(request, watch, error)


def follow_async(request: SpeechRequest, task: Task, stream: Any) -> None:
    """Follow an async stream of the SDK to its end."""
    if (watch := _watch(request, task)) is None:
        return
    try:
        stream._call = _FollowedAsync(stream._call, watch, task)
        unfinished.add(watch, stream, watch.end_from_finalizer)
    except Exception as error:  # noqa: BLE001
        _give_up(request, watch, error)


def _watch(request: SpeechRequest, task: Task) -> streaming.Watch | None:
    return None if request.call is None else streaming.Watch(_Reader(request.call, task), None)


def _give_up(request: SpeechRequest, watch: streaming.Watch, error: Exception) -> None:
    telemetry.warn_once("bug:stream", "otel_costs could not follow a stream of Google's", error=error)
    if request.call is not None:
        request.call.doubts.append(CostReason.RESPONSE_NOT_READ)
    watch.end(None)


def _is_end(answer: Any) -> bool:
    return type(answer).__name__ == "_EOF"  # `grpc.aio.EOF`, which need not be imported for it
