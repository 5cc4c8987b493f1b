"""One request to a provider and its answer, from the moment before it is sent until the call is written."""

from collections.abc import Mapping
from contextvars import copy_context
from functools import partial
from typing import Any, Self

from opentelemetry.context import Context

from otel_costs.calls.call import Call
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import agent_sessions, calls
from otel_costs.providers.openai import answer as openai_answer
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import request as openai_request
from otel_costs.providers.openai.accumulators import accumulated, accumulator
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.routes import UNKNOWN, find, may_be_billed
from otel_costs.providers.openai.stream import EventReader
from otel_costs.providers.openai.usage_filter import UsageFilter
from otel_costs.runtime import background, decision_log, telemetry
from otel_costs.sessions.scope import check_budget
from otel_costs.transports.http import streaming
from otel_costs.transports.http.body import BodyReader, is_text, read_body


def options_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the options among the arguments of the SDK's `request`; None if they are not there."""
    return kwargs["options"] if "options" in kwargs else args[1] if len(args) > 1 else None


class Exchange:
    """A request of the SDK on its way: `begin`, then `received` or `failed`, then `returned`.

    Its call starts with it. Of looks at jobs, and of endpoints that we do not know, most are not billed: their call
    starts when the answer says that it is, as if in the place where the request was made. So does that of a request
    that `passed_by` our wrapper (`begin_passed_by`), of which nobody says how it ended where it was never answered.
    """

    __slots__ = (
        "_asks_for_usage",
        "_call",
        "_hides_usage",
        "_is_late",
        "_place",
        "_request",
        "_seen",
        "args",
        "kwargs",
        "passed_by",
    )

    def __init__(self, request: Request, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._request, self.args, self.kwargs = request, args, kwargs
        self._call: Call | None = None
        self._is_late = request.endpoint.polls or request.endpoint is UNKNOWN
        self._place = copy_context() if self._is_late else None
        self._asks_for_usage = self._hides_usage = False
        self._seen = False
        self.passed_by = False

    @classmethod
    def begin(cls, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Self | None:
        """Start the call of a request; return None if it is not billed.

        Raises BudgetExceeded if the session has spent its budget; a look at what was started before is not stopped.
        """
        options = options_of(args, kwargs)
        exchange = cls._of(client, options, args, kwargs, stream=bool(kwargs.get("stream")))
        if exchange is not None and not exchange._is_late:
            exchange._start()
            if exchange._asks_for_usage:
                exchange._ask_for_usage(options)
        return exchange

    @classmethod
    def begin_passed_by(cls, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Self | None:
        """Begin as `begin` does with a request that is under way already; `asking` returns what is to be sent."""
        options = options_of(args, kwargs)
        body = options.json_data
        exchange = cls._of(
            client, options, args, kwargs, stream=isinstance(body, Mapping) and body.get("stream") is True
        )
        if exchange is not None:
            exchange.passed_by = True
        return exchange

    @classmethod
    def _of(
        cls, client: Any, options: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, stream: bool
    ) -> Self | None:
        endpoint = find(options.method, options.url)
        if endpoint is None and not may_be_billed(options.method, options.url):
            decision_log.not_billed_route(options.method, options.url)
            return None
        if endpoint is None or endpoint.begins or not endpoint.polls:
            check_budget()
        exchange = cls(Request.read(client, options, endpoint, stream=stream), args, kwargs)
        if stream and not exchange._is_late:
            exchange._asks_for_usage = exchange._request.may_ask_for_usage(client)
        return exchange

    def _start(self) -> None:
        self._call = calls.start(self._request)
        openai_answer.read_inputs(self._call, self._request)

    @property
    def is_answered(self) -> bool:
        """Whether its response has been seen."""
        return self._seen

    @property
    def context(self) -> Context | None:
        """The context to send the request in; None if it has no call yet."""
        return None if self._call is None else self._call.context

    def _ask_for_usage(self, options: Any) -> None:
        asking = self.asking(options)
        if asking is options:
            return
        if "options" in self.kwargs:
            self.kwargs = {**self.kwargs, "options": asking}
        else:
            self.args = (self.args[0], asking, *self.args[2:])

    def asking(self, options: Any) -> Any:
        """Return the options to send: they ask for the stream's usage if it may be."""
        asking = self._with_usage(options) if self._asks_for_usage else None
        return options if asking is None else asking

    @telemetry.never_raises("ask for the usage of a stream")
    def _with_usage(self, options: Any) -> Any:
        asking = openai_request.with_usage(options)
        self._hides_usage = True
        return asking

    @telemetry.never_raises("record a failed call")
    def failed(self, error: BaseException) -> None:
        """The request raised; what the SDK raises after it saw the response does not change what is billed."""
        if self.passed_by:
            self._start_passed_by()
        call = self._call
        if call is None or self._seen:
            return
        call.stop()
        refused = isinstance(getattr(error, "status_code", None), int)
        background.put(partial(self._write_error, call, type(error).__name__, refused=refused))

    def _write_error(self, call: Call, error: str, *, refused: bool) -> None:
        openai_answer.describe(call, self._request)
        if refused:
            call.refuse(error)
        else:
            call.fail(error)

    def returned(self) -> None:
        """The request returned; if its response never came by here, the SDK has changed."""
        if self._call is not None and not self._seen:
            self._not_received()

    @telemetry.never_raises("finish a call")
    def _not_received(self) -> None:
        # Said already, if the method was not there to be patched.
        unknown = "otel_costs saw no response: it does not know this version of openai"
        telemetry.warn_once("patch:openai._base_client", unknown)
        self._give_up(CostReason.RESPONSE_NOT_SEEN)

    def received(self, response: Any) -> None:
        """The response's head is here, and its body unless the application streams it."""
        self._seen = True
        try:
            self._receive(response)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:response", "otel_costs could not read a response", error=error)
            self._give_up(CostReason.RESPONSE_NOT_READ)
            self._hide_usage(response)

    @telemetry.never_raises("hide the usage of a stream")
    def _hide_usage(self, response: Any) -> None:
        if not self._hides_usage:
            return
        usage_filter = UsageFilter()
        if not response.is_closed:
            streaming.watch(response, None, usage_filter)
        elif hasattr(response, "_content"):
            # A hook of the application's has read it: httpx keeps what was read here, and streams it from here.
            response._content = usage_filter.feed(response.content) + usage_filter.flush()

    def _start_passed_by(self) -> None:
        if self._call is None and not self._is_late:
            self._start()

    def _receive(self, response: Any) -> None:
        if self.passed_by:
            self._start_passed_by()
        headers = response.headers
        kind = headers.get("content-type", "")
        # A stream is decoded as events whatever its type says, unless it is an answer that did not stream.
        events = "text/event-stream" in kind or (self._request.stream and "json" not in kind)
        if response.is_closed:
            if self._call is not None:
                self._call.stop()
            background.put(partial(self._read_whole, response.content, headers, events))
            if self._hides_usage:
                self._hide_usage(response)
        elif events:
            reader = EventReader(self._call, accumulator(self._request.endpoint.name), partial(self._finish, headers))
            streaming.watch(response, reader, UsageFilter() if self._hides_usage else None)
        elif self._request.endpoint is not UNKNOWN or is_text(headers):
            streaming.watch(response, BodyReader(self._call, headers, partial(self._finish, headers)))

    def _read_whole(self, raw: bytes, headers: Mapping[str, str], events: bool) -> None:
        body: Any = None
        try:
            body = accumulated(self._request.endpoint.name, raw) if events else read_body(raw, headers)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:body", "otel_costs could not read a response", error=error)
            if self._call is not None:
                self._call.bill.reasons.append(CostReason.RESPONSE_NOT_READ)
        self._finish(headers, body, None)

    @telemetry.never_raises("give a call up")
    def _give_up(self, reason: CostReason) -> None:
        """Finish a call of which nothing more is known."""
        if (call := self._call) is not None:
            call.stop()
            call.bill.reasons.append(reason)
            background.put(call.finish)

    def _finish(self, headers: Mapping[str, str], body: Any, error: str | None) -> None:
        """Finish with the answer, in a job; `error` is the kind of error that ended it, None if none did."""
        if self._call is not None:
            calls.write(self._call, self._request, body, headers, error)
        elif self._place is not None:
            self._place.run(self._finish_late, headers, body, error)

    def _finish_late(self, headers: Mapping[str, str], body: Any, error: str | None) -> None:
        request = self._request
        if not isinstance(body, Mapping):
            return
        if request.endpoint is UNKNOWN:
            found = [body] if isinstance(body.get("usage"), Mapping) else []
        elif request.endpoint.name == "agents/turns":
            agent_sessions.read(request, body)
            return
        elif request.endpoint.name == "responses":
            # A look for which there is a convention.
            calls.write(calls.start(request, "fetch_response"), request, body, headers, error)
            return
        else:
            jobs = body["data"] if isinstance(body.get("data"), list) else [body]
            found = [job for job in jobs if isinstance(job, Mapping) and openai_jobs.is_due(request.host.provider, job)]
        if not found:
            decision_log.not_billed_answer(request.endpoint.name)
        for answer in found:
            calls.write(calls.start(request), request, answer, headers, error)
