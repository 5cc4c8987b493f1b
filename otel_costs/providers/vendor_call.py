"""One request to a vendor of speech and its answer: sync, async and streamed alike, however it ends."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from time import time_ns
from typing import Any, Final, Self

from opentelemetry.context import Context

from otel_costs import attributes as names
from otel_costs import outbox, streaming, telemetry
from otel_costs.call import Call
from otel_costs.cost_reason import CostReason
from otel_costs.messages.drafts import Draft
from otel_costs.providers import vendor_request
from otel_costs.providers.hosts import Host
from otel_costs.providers.openai.body import BodyReader, read_body
from otel_costs.providers.vendor_request import Asked, Endpoint
from otel_costs.reported_usage import with_reported
from otel_costs.session import check_budget

_FAILED: Final = 400  # and above: an answer that costs nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to the end that it was read to."""

    headers: Mapping[str, str]
    body: Any
    """JSON or text; None where it was not read, or nothing was to be read."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor whose SDK speaks over httpx: what of its API is billed, and how it is read."""

    provider: str
    agent: str
    """How its SDK names itself, in lower case: it is known by that at hosts that nobody knows."""
    endpoints: Sequence[Endpoint]
    model: Callable[[Asked], str | None]
    """The model that is asked for."""
    inputs: Callable[[Asked], list[Draft]]
    """What is said in a request."""
    read: Callable[[Call, Asked, Answer], None]
    """Read what a call used, and what was said in its answer."""
    is_due: Callable[[Asked, Any], bool] = lambda _, __: False
    """Whether a look found something to be billed now."""

    def endpoint(self, method: str, path: str) -> Endpoint | None:
        """Return the endpoint that is asked; None if what is asked is not billed."""
        path = "/" + path.lstrip("/")
        return next((one for one in self.endpoints if one.method == method and one.path.search(path)), None)


class VendorCall:
    """A request on its way: `begin`, then `received` or `failed`, for each attempt anew until it is `over`."""

    __slots__ = ("_asked", "_call", "_place", "_start_ns", "_vendor")

    def __init__(self, vendor: Vendor, asked: Asked) -> None:
        self._vendor, self._asked, self._start_ns = vendor, asked, time_ns()
        self._call: Call | None = None
        self._place = copy_context() if asked.endpoint.is_look else None

    @classmethod
    def begin(cls, vendor: Vendor, endpoint: Endpoint, host: Host, request: Any) -> Self:
        """Start the call of a request; raises BudgetExceeded if the session has spent its budget."""
        if not endpoint.is_look:
            check_budget()
        begun = cls(vendor, vendor_request.read(request, endpoint, host))
        if not endpoint.is_look:
            begun._call = begun._start()
        return begun

    def _start(self) -> Call:
        asked = self._asked
        call = Call(
            asked.endpoint.operation,
            asked.host.provider,
            self._vendor.model(asked),
            attributes=asked.host.attributes,
            start_ns=self._start_ns,
        )
        call.bill.endpoint = asked.host.address
        if asked.endpoint.operation == "text_to_speech":
            call.show(names.OUTPUT_TYPE, "speech")
        return call

    @telemetry.shielded("read the messages of a request")
    def _read_inputs(self, call: Call) -> None:
        call.inputs = self._vendor.inputs(self._asked)

    @property
    def context(self) -> Context | None:
        """The context to send the request in; None if it has no call yet."""
        return None if self._call is None else self._call.context

    @telemetry.shielded("record a failed call")
    def failed(self, error: BaseException | str, *, refused: bool = False) -> None:
        """No attempt got an answer, or the last one was an error status, which costs nothing."""
        if (call := self._call) is not None:
            call.stop()
            kind = error if isinstance(error, str) else type(error).__name__
            outbox.put(partial(self._end, call, call.refuse if refused else call.fail, kind))

    def _end(self, call: Call, end: Callable[..., object], *kind: str) -> None:
        self._read_inputs(call)
        end(*kind)

    def received(self, response: Any) -> None:
        """The head of a good answer is here, and its body unless the application streams it."""
        try:
            self._receive(response)
        except Exception as error:  # noqa: BLE001
            telemetry.complain_once("bug:response", "otel_costs could not read a response", error=error)
            self._give_up()

    def _receive(self, response: Any) -> None:
        headers, is_read, call = response.headers, self._asked.endpoint.is_read, self._call
        if response.is_closed:
            if call is not None:
                call.stop()
            outbox.put(partial(self._read_whole, response.content if is_read else None, headers))
            return
        finish = partial(self._finish, headers)
        streaming.watch(response, BodyReader(call, headers, finish) if is_read else _Ear(call, finish))

    @telemetry.shielded("give a call up")
    def _give_up(self) -> None:
        if (call := self._call) is not None:
            call.stop()
            call.bill.reasons.append(CostReason.RESPONSE_NOT_READ)
            outbox.put(partial(self._end, call, call.finish))

    def _read_whole(self, raw: bytes | None, headers: Mapping[str, str]) -> None:
        body: Any = None
        try:
            body = None if raw is None else read_body(raw, headers)
        except Exception as error:  # noqa: BLE001
            telemetry.complain_once("bug:body", "otel_costs could not read a response", error=error)
        self._finish(headers, body, None)

    def _finish(self, headers: Mapping[str, str], body: Any, error: str | None) -> None:
        """Finish with the answer, in a job; `error` is the kind of error that ended it, None if none did."""
        answer = Answer(headers, body)
        if self._call is not None:
            self._write(self._call, answer, error)
        elif self._place is not None:
            self._place.run(self._finish_late, answer)

    def _finish_late(self, answer: Answer) -> None:
        if self._vendor.is_due(self._asked, answer.body):
            self._write(self._start(), answer, None)

    def _write(self, call: Call, answer: Answer, error: str | None) -> None:
        if not self._asked.endpoint.is_look:
            self._read_inputs(call)
        try:
            self._vendor.read(call, self._asked, answer)
            if isinstance(answer.body, dict) and answer.body.get("usage"):
                call.bill.usage = with_reported(call.bill.usage, answer.body["usage"], call.provider)
        except Exception as bug:  # noqa: BLE001
            telemetry.complain_once("bug:answer", "otel_costs could not read an answer", error=bug)
            call.bill.reasons.append(CostReason.RESPONSE_NOT_READ)
        if error:
            call.fail(error)
        else:
            call.finish()


class _Ear:
    """Follows a sound that the application streams: nothing of it is kept."""

    __slots__ = ("_call", "_finish", "_heard")

    def __init__(self, call: Call | None, finish: Callable[[Any, str | None], object]) -> None:
        self._call, self._finish, self._heard = call, finish, False

    def feed(self, _: bytes) -> None:
        if not self._heard and self._call is not None:
            self._call.first_chunk()
            self._heard = True

    def end(self, error: BaseException | None) -> outbox.Job:
        if self._call is not None:
            self._call.stop()
        return partial(self._finish, None, None if error is None else type(error).__name__)


def is_refused(response: Any) -> bool:
    """Return whether an answer is an error status."""
    status = response.status_code
    return isinstance(status, int) and status >= _FAILED
