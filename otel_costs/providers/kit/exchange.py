"""One request to a vendor and its answer: sync, async and streamed alike, however it ends."""

from collections.abc import Mapping, Sequence
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from time import time_ns
from typing import Any, Final, Self

from otel_costs import semconv as names
from otel_costs.calls import error_status, jobs, writer
from otel_costs.calls.admission import admit
from otel_costs.calls.call import Call
from otel_costs.calls.estimate import Kind
from otel_costs.calls.reading import Reading
from otel_costs.calls.request_size import of_request
from otel_costs.hosts import Host
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.kit.answer import Answer
from otel_costs.providers.kit.request import Asked, Endpoint
from otel_costs.providers.kit.request import read as read_request
from otel_costs.providers.kit.unfinished import unfinished
from otel_costs.runtime import background, telemetry
from otel_costs.sessions.reservations import Reservation
from otel_costs.transports.http import streaming
from otel_costs.transports.http.body import KEPT, Body, BodyReader
from otel_costs.usage.merging import with_reported

_SPOKEN: Final[Mapping[str, object]] = {names.OUTPUT_TYPE: "speech"}

_FIRST_ERROR_STATUS: Final = 400  # it and those above


class VendorCall:
    """A request on its way: `begin`, then `received` or `failed`, for each attempt anew until it is `over`."""

    __slots__ = ("_asked", "_context", "_start_ns", "call")

    def __init__(self, asked: Asked) -> None:
        self._asked, self._start_ns = asked, time_ns()
        self.call: Call | None = None
        """None as long as it has none, as a poll."""
        self._context = copy_context() if asked.endpoint.is_poll else None

    @classmethod
    def begin(cls, endpoint: Endpoint, host: Host, request: Any, reservation: Reservation | None = None) -> Self:
        """Start the call of a request; raises BudgetExceeded where it does not fit in a budget.

        `reservation` is what was reserved for it before, when the SDK was asked.
        """
        begun = cls(read_request(request, endpoint, host))
        if not endpoint.is_poll:
            reservation = reservation or begun._admitted()
            begun.call = begun._start()
            begun.call.reservation = reservation
        return begun

    def _admitted(self) -> Reservation | None:
        asked, endpoint = self._asked, self._asked.endpoint
        kind = Kind(endpoint.operation, asked.host.provider, endpoint.model(asked) or endpoint.default_model)
        return admit(kind, lambda: of_request(endpoint.operation, asked.body), endpoint=asked.host.address)

    def _start(self) -> Call:
        asked, endpoint = self._asked, self._asked.endpoint
        return Call(
            endpoint.operation,
            asked.host.provider,
            endpoint.model(asked) or endpoint.default_model,
            attributes=asked.host.attributes,
            endpoint=asked.host.address,
            route=endpoint.path,
            start_ns=self._start_ns,
        )

    @telemetry.never_raises("record a failed call")
    def failed(self, error: BaseException | str, *, status: int | None = None) -> None:
        """No attempt got an answer, or the last one was an error `status`, most of which cost nothing."""
        if (call := self.call) is not None:
            call.stop()
            refused = status is not None and error_status.is_free(call.provider, status)
            kind = error if isinstance(error, str) else type(error).__name__
            background.put(partial(writer.write, call, partial(self._with_inputs, Reading()), kind, refused=refused))

    def _with_inputs(self, read: Reading) -> Reading:
        """Return a reading with the messages of the request, unless it has messages of its own."""
        endpoint = self._asked.endpoint
        attributes = {**_SPOKEN, **read.attributes} if endpoint.operation == "text_to_speech" else read.attributes
        inputs = self._inputs() if read.inputs is None else read.inputs
        return replace(read, inputs=inputs, attributes=attributes)

    @telemetry.never_raises("read the messages of a request")
    def _inputs(self) -> Sequence[Draft]:
        return self._asked.endpoint.inputs(self._asked)

    def received(self, response: Any) -> None:
        """The head of a good answer is here, and its body unless the application streams it."""
        try:
            self._receive(response)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:response", "otel_costs could not read a response", error=error)
            self._give_up()

    def _receive(self, response: Any) -> None:
        headers, is_read, call = response.headers, self._asked.endpoint.is_read, self.call
        if response.is_closed:
            if call is not None:
                call.stop()
            raw = response.content if is_read else b""
            background.put(partial(self._finish, headers, Body(raw, len(raw), True, None)))
        else:
            streaming.watch(response, BodyReader(call, KEPT if is_read else 0, partial(self._finish, headers)))

    @telemetry.never_raises("give a call up")
    def _give_up(self) -> None:
        if (call := self.call) is not None:
            call.stop()
            call.doubts.append(CostReason.RESPONSE_NOT_READ)
            background.put(partial(writer.write, call, partial(self._with_inputs, Reading())))

    def _finish(self, headers: Mapping[str, str], body: Body) -> None:
        """Finish with the answer, in a job."""
        read = self._read(headers, body)
        if (call := self.call) is not None:
            writer.write(call, partial(self._with_inputs, read), body.error)
        elif self._context is not None and _is_due(self._asked, read):
            self._context.run(lambda: writer.finish(self._start(), read))

    def _read(self, headers: Mapping[str, str], body: Body) -> Reading:
        """Return what the answer says; of one that was not read to its end, what is known and what can be guessed."""
        asked, endpoint = self._asked, self._asked.endpoint
        is_too_long = endpoint.is_read and len(body.kept) < body.size
        try:
            raw = body.kept if endpoint.is_read and not is_too_long else None
            answer = Answer.of(headers, raw, read_out=body.is_read_out, last_event=endpoint.last_event)
            found = endpoint.read(asked, answer)
            if (reported := answer.json.get("usage")) and isinstance(reported, Mapping):
                usage = with_reported(found.usage, reported, asked.host.provider)
                found = replace(found, usage=usage)
            if endpoint.is_read and not answer.is_whole:
                found = unfinished(found, endpoint.operation, endpoint.inputs(asked), failed=body.error is not None)
        except Exception as bug:  # noqa: BLE001
            telemetry.warn_once(f"bug:answer:{asked.host.provider}", _UNREAD, asked.host.provider, error=bug)
            return Reading(reasons=(CostReason.RESPONSE_NOT_READ,))
        return replace(found, reasons=(CostReason.RESPONSE_NOT_READ, *found.reasons)) if is_too_long else found


_UNREAD: Final = "otel_costs could not read an answer of provider %s"


def _is_due(asked: Asked, read: Reading) -> bool:
    """Whether a poll is the first that finds that its job has ended."""
    return read.job is not None and read.job.ended and jobs.is_first_poll(asked.host.provider, read.job.id)


def is_refused(response: Any) -> bool:
    """Return whether an answer is an error status."""
    status = response.status_code
    return isinstance(status, int) and status >= _FIRST_ERROR_STATUS
