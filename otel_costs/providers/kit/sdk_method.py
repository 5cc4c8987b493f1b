"""Methods of an SDK that speaks over something else than what we see: gRPC, a native library, a socket of its own.

The method itself is wrapped, sync or async. What it returns is the answer, or a stream of messages, which is followed
as the application reads it, cancels it or drops it.
"""

import inspect
from asyncio import CancelledError
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import wrapt

from otel_costs import hosts
from otel_costs.calls import writer
from otel_costs.calls.call import Call, CallContext
from otel_costs.calls.estimate import Kind
from otel_costs.calls.reading import Reading
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.kit import transcripts
from otel_costs.providers.kit.sdk_request import SpeechRequest, error_name, is_refusal
from otel_costs.providers.kit.unfinished import unfinished
from otel_costs.runtime import background, telemetry
from otel_costs.runtime.patching import Patches
from otel_costs.runtime.unfinished import add as add_unfinished
from otel_costs.transports.http import streaming

KEPT: Final = 10_000
"""Messages of one stream that are kept until its end: the last ones."""


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A call of a method: the client, and the arguments as the application gave them, which are not changed."""

    client: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def argument(self, name: str, position: int = 0) -> Any:
        """Return an argument that may be given by its name or by its position; None where it is not given."""
        return self.kwargs.get(name, self.args[position] if position < len(self.args) else None)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a method answered: one message, or those of a stream as far as it was read."""

    messages: Sequence[Any]
    is_whole: bool = True
    """Whether the stream came to its end: it was not left, cut off or cancelled."""

    @property
    def last(self) -> Any:
        """The last message; None where there is none."""
        return self.messages[-1] if self.messages else None


def _no_model(_: MethodCall) -> str | None:
    return None


def _audio_alone(_: MethodCall) -> Sequence[Draft]:
    return [transcripts.alone()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of a package that sends a request that is billed, and how that and its answer are read."""

    path: str
    """`module:Class.method`. It is wrapped when the module is imported."""
    operation: str
    """`chat`, `embeddings`, `text_to_speech`, ...: by the GenAI conventions where they have one."""
    read: Callable[[MethodCall, Answered], Reading]
    """What a request and its answer say of the call; called when the answer is over, not in the application's call."""
    model: Callable[[MethodCall], str | None] = _no_model
    """The model that is asked for."""
    inputs: Callable[[MethodCall], Sequence[Draft]] = _audio_alone
    """What is said in a request."""
    host: Callable[[Any], str] | None = None
    """The `host:port` or the URL that a client talks to; None is the vendor's own first host."""
    is_stream: bool = False
    """Whether what it returns, or awaits, is iterated for the messages of the answer."""


def install(patches: Patches, provider: str, own_host: str, methods: Sequence[Method]) -> None:
    """Record the calls of `methods`; those of a module that is not imported yet are wrapped when it is."""
    for method in methods:
        module, _, path = method.path.partition(":")
        wrapper = partial(_called, _Calls(method, provider, own_host))
        patches.on_import(module, partial(_install, module, path, wrapper), f"{__name__}:{method.path}")


def _install(module: str, path: str, wrapper: Any, patches: Patches) -> None:
    patches.wrap(module, path, wrapper)


@dataclass(frozen=True, slots=True)
class _Calls:
    """Starts and finishes the calls of one method."""

    method: Method
    provider: str
    own_host: str

    def begin(self, asked: MethodCall) -> SpeechRequest:
        """Raise BudgetExceeded, and nothing else, where the budget is spent."""
        return SpeechRequest.begin(
            partial(self._start, asked), kind=Kind(self.method.path, self.provider, self.method.model(asked))
        )

    def _start(self, asked: MethodCall) -> Call:
        method = self.method
        host = hosts.at(*hosts.address_of(method.host(asked.client) if method.host else self.own_host))
        provider = host.provider if method.host else self.provider
        return Call(
            method.operation,
            provider,
            method.model(asked),
            attributes=host.attributes,
            endpoint=host.address,
            route=method.path,
        )

    def finish(
        self, call: Call, asked: MethodCall, answered: Answered, error: str | None = None, *, refused: bool = False
    ) -> None:
        """Read a call and write it, in a job."""
        inputs: Sequence[Draft] | None = None
        try:
            inputs = self.method.inputs(asked)
            read = Reading() if refused else self.method.read(asked, answered)
            if not answered.is_whole and not refused:
                read = unfinished(read, self.method.operation, inputs, failed=error is not None)
        except Exception as bug:  # noqa: BLE001
            warning = "otel_costs could not read an answer of provider %s"
            telemetry.warn_once(f"bug:answer:{call.provider}", warning, call.provider, error=bug)
            read = Reading(reasons=(CostReason.RESPONSE_NOT_READ,))
        read = replace(read, inputs=inputs if read.inputs is None else read.inputs, refused=refused or read.refused)
        writer.finish(call, read, error)


def _called(calls: _Calls, wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    asked = MethodCall(client, args, kwargs)
    if inspect.iscoroutinefunction(wrapped):
        return _called_async(calls, wrapped, asked)
    if inspect.isgeneratorfunction(wrapped) or inspect.isasyncgenfunction(wrapped):
        return _followed(wrapped(*args, **kwargs), calls, asked, None)  # nothing is sent before it is iterated
    with calls.begin(asked) as request:
        found = wrapped(*args, **kwargs)
    return _answered(calls, asked, request, found)


async def _called_async(calls: _Calls, wrapped: Any, asked: MethodCall) -> Any:
    with calls.begin(asked) as request:
        found = await wrapped(*asked.args, **asked.kwargs)
    return _answered(calls, asked, request, found)


def _answered(calls: _Calls, asked: MethodCall, request: SpeechRequest, found: Any) -> Any:
    if (call := request.call) is None:
        return found
    try:
        if calls.method.is_stream:
            return _followed(found, calls, asked, call)
        call.stop()
        background.put(partial(calls.finish, call, asked, Answered((found,))))
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:method", "otel_costs could not follow an answer", error=error)
    return found


class _Reader:
    """Keeps the messages of a stream, and writes its call at the end."""

    def __init__(self, call: Call, finish: Callable[..., None]) -> None:
        self._call, self._finish = call, finish
        self._messages: deque[Any] = deque(maxlen=KEPT)
        self._read_out = False

    def feed(self, message: Any) -> None:
        self._call.first_chunk()
        self._call.chunks += 1
        self._messages.append(message)

    def read_out(self) -> None:
        self._read_out = True

    def end(self, error: BaseException | None) -> background.Job:
        self._call.stop()
        answered = Answered(self._messages, self._read_out)
        kind = None if error is None else error_name(error)
        # What was refused before its first message was not done.
        refused = error is not None and not self._messages and is_refusal(error)
        return partial(self._finish, answered, kind, refused=refused)


class MessageStream(wrapt.ObjectProxy):  # type: ignore[misc, type-arg, unused-ignore]
    """A stream of an SDK, as the SDK made it, with every message that is read of it seen.

    The call of one that is a generator begins with its first message: nothing is sent before.
    """

    def __init__(self, stream: Any, calls: _Calls, asked: MethodCall, call: Call | None) -> None:
        super().__init__(stream)
        self._self_calls, self._self_asked = calls, asked
        self._self_watch: streaming.Watch | None = None
        self._self_call: Call | None = None
        self._self_has_begun = call is not None
        if call is not None:
            self._follow(call)

    def _follow(self, call: Call) -> None:
        reader = _Reader(call, partial(self._self_calls.finish, call, self._self_asked))
        self._self_call, self._self_watch = call, streaming.Watch(reader, None)
        add_unfinished(self._self_watch, self, self._self_watch.end_from_finalizer)

    def _begun(self) -> CallContext | nullcontext[None]:
        """Return the context for the next message: that of the call where the message begins it."""
        if self._self_has_begun:
            return nullcontext()
        self._self_has_begun = True
        if (call := self._self_calls.begin(self._self_asked).call) is not None:
            self._follow(call)
        return CallContext(self._self_call)

    def _observed(self, message: Any) -> Any:
        if self._self_watch is not None:
            self._self_watch.feed(message)
        return message

    def _ended(self, error: BaseException) -> None:
        if self._self_watch is None:
            return
        if isinstance(error, StopIteration | StopAsyncIteration):
            self._self_watch.read_out()
        else:
            self._self_watch.end(error)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.__wrapped__, name)
        return partial(self._stopped, found, name) if name in _STOPS else found

    def _stopped(self, stop: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return stop(*args, **kwargs)
        finally:
            if name == "cancel" and self._self_watch is not None:
                self._self_watch.end(CancelledError())
            else:
                self._closed()

    def _closed(self) -> None:
        if self._self_watch is not None:
            self._self_watch.closed()


class SyncStream(MessageStream):
    """A stream that is iterated in a thread."""

    def take(self, messages: Any) -> Any:
        """Return the next message of an iterator over the stream."""
        with self._begun():
            try:
                message = next(messages)
            except BaseException as error:
                self._ended(error)
                raise
        return self._observed(message)

    def __iter__(self) -> Iterator[Any]:
        return _Messages(self, iter(self.__wrapped__))

    def __next__(self) -> Any:
        return self.take(self.__wrapped__)

    def __enter__(self) -> Any:
        entered = self.__wrapped__.__enter__()
        return self if entered is self.__wrapped__ else entered

    def __exit__(self, *raised: Any) -> Any:
        try:
            return self.__wrapped__.__exit__(*raised)
        finally:
            self._closed()


class AsyncStream(MessageStream):
    """A stream that is iterated in a task."""

    async def take(self, messages: Any) -> Any:
        """Return the next message of an iterator over the stream."""
        with self._begun():
            try:
                message = await anext(messages)
            except BaseException as error:
                self._ended(error)
                raise
        return self._observed(message)

    def __aiter__(self) -> AsyncIterator[Any]:
        return _AsyncMessages(self, aiter(self.__wrapped__))

    async def __anext__(self) -> Any:
        return await self.take(self.__wrapped__)

    async def __aenter__(self) -> Any:
        entered = await self.__wrapped__.__aenter__()
        return self if entered is self.__wrapped__ else entered

    async def __aexit__(self, *raised: Any) -> Any:
        try:
            return await self.__wrapped__.__aexit__(*raised)
        finally:
            self._closed()


class _Messages(Iterator[Any]):
    """An iterator over a stream. No generator: one that is left early would keep the stream until it is collected."""

    def __init__(self, stream: SyncStream, messages: Any) -> None:
        self._stream, self._messages = stream, messages

    def __next__(self) -> Any:
        return self._stream.take(self._messages)


class _AsyncMessages(AsyncIterator[Any]):
    def __init__(self, stream: AsyncStream, messages: Any) -> None:
        self._stream, self._messages = stream, messages

    async def __anext__(self) -> Any:
        return await self._stream.take(self._messages)


def _followed(stream: Any, calls: _Calls, asked: MethodCall, call: Call | None) -> MessageStream:
    return (AsyncStream if hasattr(stream, "__aiter__") else SyncStream)(stream, calls, asked, call)


_STOPS: Final = frozenset({"cancel", "close", "aclose"})
