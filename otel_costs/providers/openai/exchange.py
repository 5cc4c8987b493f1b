"""One request to a provider and its answer, from the moment before it is sent until the call is written."""

from collections.abc import Mapping, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, Self

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_costs import attributes as names
from otel_costs import outbox, streaming, telemetry
from otel_costs.call import Call
from otel_costs.identity import whose
from otel_costs.providers.openai import answer as openai_answer
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import request as openai_request
from otel_costs.providers.openai.body import BodyReader, is_text, read_body
from otel_costs.providers.openai.folds import fold, folded
from otel_costs.providers.openai.hiding import UsageHider
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.routes import UNKNOWN, find, may_be_billed
from otel_costs.providers.openai.stream import EventReader
from otel_costs.providers.openai.usage import ModelUsage
from otel_costs.session import current_scope


class Exchange:
    """A request of the SDK on its way: `begin`, then `received` or `failed`, then `returned`.

    Its call starts with it. Of looks at jobs, and of endpoints that we do not know, most are not billed: their call
    starts when the answer says that it is, as if in the place where the request was made.
    """

    __slots__ = ("_call", "_hides_usage", "_place", "_request", "_seen", "args", "kwargs")

    def __init__(self, request: Request, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._request, self.args, self.kwargs = request, args, kwargs
        self._call: Call | None = None
        self._place = copy_context() if self._is_late else None
        self._hides_usage = False
        self._seen = False

    @classmethod
    def begin(cls, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Self | None:
        """Start the call of a request; return None if it is not billed.

        Raises BudgetExceeded if the session has spent its budget; a look at what was started before is not stopped.
        """
        options = kwargs["options"] if "options" in kwargs else args[1]
        endpoint = find(options.method, options.url)
        if endpoint is None and not may_be_billed(options.method, options.url):
            return None
        if endpoint is None or not endpoint.look:
            _check_budget()
        request = Request.read(client, options, endpoint, stream=bool(kwargs.get("stream")))
        exchange = cls(request, args, kwargs)
        if not exchange._is_late:
            exchange._call = exchange._start()
            openai_answer.read_inputs(exchange._call, request)
            if request.may_ask_for_usage(client):
                exchange._ask_for_usage(options)
        return exchange

    @property
    def _is_late(self) -> bool:
        return self._request.endpoint.look or self._request.endpoint is UNKNOWN

    @property
    def context(self) -> Context | None:
        """The context to send the request in; None if it has no call yet."""
        return None if self._call is None else self._call.context

    def _start(self, shown_as: str | None = None) -> Call:
        request = self._request
        call = Call(
            request.endpoint.operation,
            request.host.provider,
            request.model,
            identity=whose(request.user, request.session_id),
            attributes=request.host.attributes,
            shown_as=shown_as,
            start_ns=request.start_ns,
        )
        call.set(names.OPENAI_API_TYPE, request.endpoint.api_type)
        call.bill.endpoint, call.bill.deployment = request.host.address, request.deployment
        return call

    @telemetry.shielded("ask for the usage of a stream")
    def _ask_for_usage(self, options: Any) -> None:
        asking = openai_request.with_usage(options)
        if "options" in self.kwargs:
            self.kwargs = {**self.kwargs, "options": asking}
        else:
            self.args = (self.args[0], asking, *self.args[2:])
        self._hides_usage = True

    @telemetry.shielded("record a failed call")
    def failed(self, error: BaseException) -> None:
        """The request raised; what the SDK raises after it saw the response does not change what is billed."""
        call = self._call
        if call is None or self._seen:
            return
        call.stop()
        refused = isinstance(getattr(error, "status_code", None), int)
        outbox.put(partial(self._write_error, call, type(error).__name__, refused=refused))

    def _write_error(self, call: Call, error: str, *, refused: bool) -> None:
        openai_answer.describe(call, self._request)
        if refused:
            call.refuse(error)
        else:
            call.fail(error)

    @telemetry.shielded("finish a call")
    def returned(self) -> None:
        """The request returned; if its response never came by here, the SDK has changed."""
        if self._call is not None and not self._seen:
            # Said already, if the method was not there to be patched.
            unknown = "otel_costs saw no response: it does not know this version of openai"
            telemetry.complain_once("patch:openai._base_client", unknown)
            self._give_up("response_not_seen")

    def received(self, response: Any) -> None:
        """The response's head is here, and its body unless the application streams it."""
        self._seen = True
        try:
            self._receive(response)
        except Exception as error:  # noqa: BLE001
            telemetry.complain_once("bug:response", "otel_costs could not read a response", error=error)
            self._give_up("response_not_read")
            self._hide_usage(response)

    @telemetry.shielded("hide the usage of a stream")
    def _hide_usage(self, response: Any) -> None:
        if self._hides_usage and not response.is_closed:
            streaming.watch(response, None, UsageHider())

    def _receive(self, response: Any) -> None:
        headers = response.headers
        kind = headers.get("content-type", "")
        # A stream is decoded as events whatever its type says, unless it is an answer that did not stream.
        events = "text/event-stream" in kind or (self._request.stream and "json" not in kind)
        if response.is_closed:
            if self._call is not None:
                self._call.stop()
            outbox.put(partial(self._read_whole, response.content, headers, events))
        elif events:
            reader = EventReader(self._call, fold(self._request.endpoint.name), partial(self._finish, headers))
            streaming.watch(response, reader, UsageHider() if self._hides_usage else None)
        elif self._request.endpoint is not UNKNOWN or is_text(headers):
            streaming.watch(response, BodyReader(self._call, headers, partial(self._finish, headers)))

    def _read_whole(self, raw: bytes, headers: Mapping[str, str], events: bool) -> None:
        body: Any = None
        try:
            body = folded(self._request.endpoint.name, raw) if events else read_body(raw, headers)
        except Exception as error:  # noqa: BLE001
            telemetry.complain_once("bug:body", "otel_costs could not read a response", error=error)
            if self._call is not None:
                self._call.bill.reasons.append("response_not_read")
        self._finish(headers, body, None)

    @telemetry.shielded("give a call up")
    def _give_up(self, reason: str) -> None:
        """Finish a call of which nothing more is known."""
        if (call := self._call) is not None:
            call.stop()
            call.bill.reasons.append(reason)
            outbox.put(call.finish)

    def _finish(self, headers: Mapping[str, str], body: Any, error: str | None) -> None:
        """Finish with the answer, in a job; `error` is the kind of error that ended it, None if none did."""
        if self._call is not None:
            self._write(self._call, body, headers, error)
        elif self._place is not None:
            self._place.run(self._finish_late, headers, body, error)

    def _finish_late(self, headers: Mapping[str, str], body: Any, error: str | None) -> None:
        if not isinstance(body, Mapping):
            return
        if self._request.endpoint is UNKNOWN:
            found = [body] if isinstance(body.get("usage"), Mapping) else []
        elif self._request.endpoint.name == "responses":
            self._write(self._start("fetch_response"), body, headers, error)  # a look for which there is a convention
            return
        else:
            jobs = body["data"] if isinstance(body.get("data"), list) else [body]
            provider = self._request.host.provider
            found = [job for job in jobs if isinstance(job, Mapping) and openai_jobs.is_due(provider, job)]
        for answer in found:
            self._write(self._start(), answer, headers, error)

    def _write(self, call: Call, body: Any, headers: Mapping[str, str], error: str | None) -> None:
        others: Sequence[ModelUsage] = ()
        try:
            others = openai_answer.read(call, self._request, body, headers)
            error = error or openai_answer.failure(body)
        except Exception as bug:  # noqa: BLE001
            telemetry.complain_once("bug:answer", "otel_costs could not read an answer", error=bug)
            if call.bill.usage is None:
                call.bill.reasons.append("response_not_read")
        if error:
            call.fail(error)
        else:
            call.finish()
        if others and call.billed:
            self._write_others(call, others, body)

    @telemetry.shielded("record what a call used of other models")
    def _write_others(self, call: Call, others: Sequence[ModelUsage], body: Any) -> None:
        """Write a call for each other model that a call used: it has a price of its own."""
        operation = "image_generation" if call.operation == "chat" else call.operation
        attached = otel_context.attach(call.context)
        try:
            for used in others:
                other = Call(
                    operation,
                    call.provider,
                    used.model,
                    identity=call.identity,
                    attributes=self._request.host.attributes,
                    start_ns=call.start_ns,
                )
                other.scope, other.response_model = call.scope, used.model
                other.bill.usage, other.bill.endpoint = used.usage, call.bill.endpoint
                openai_jobs.identify(other, self._request.endpoint, body, part=used.model or "")
                other.finish()
        finally:
            otel_context.detach(attached)


def _check_budget() -> None:
    if (scope := current_scope()) is not None and scope.session is not None:
        scope.session.check_budget()
