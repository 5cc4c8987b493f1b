"""One request to a provider and its answer, from the moment before it is sent until the call is written."""

from collections.abc import Mapping
from contextvars import copy_context
from copy import copy
from functools import partial
from typing import Any

from otel_costs.calls import writer
from otel_costs.calls.call import Call
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import agent_sessions, answer
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import request as openai_request
from otel_costs.providers.openai.accumulators import ACCUMULATORS, UsageAccumulator, accumulated
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.routes import UNKNOWN, Route
from otel_costs.providers.openai.usage_filter import UsageFilter
from otel_costs.runtime import background, decision_log, telemetry
from otel_costs.sessions.scope import has_budget
from otel_costs.transports.http import streaming
from otel_costs.transports.http.body import (
    KEPT,
    Answered,
    Body,
    BodyReader,
    EventReader,
    answered,
    is_text,
    json_or_text,
)
from otel_costs.values.audio_length import HEAD


class Exchange:
    """A request of the SDK on its way: made, then `received` or `failed`, or `not_received`.

    Its call starts with it. Of polls of jobs, and of routes that we do not know, most are not billed: their call
    starts when the answer says that it is, as if in the place where the request was made. So does that of a request
    that `passed_by` our wrapper, whose end is unknown where it was never answered.
    """

    __slots__ = (
        "_asks_for_usage",
        "_hides_usage",
        "_place",
        "_request",
        "_reservation",
        "args",
        "call",
        "is_answered",
        "kwargs",
        "options",
        "passed_by",
    )

    def __init__(
        self,
        client: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: Any,
        route: Route,
        *,
        passed_by: bool = False,
    ) -> None:
        """Start the call of a request that `client` is about to send; `options` are among the arguments.

        `passed_by`: it is under way already, and `asking` returns what is to be sent.
        Raises BudgetExceeded where it does not fit in a budget; a poll of what was started before is not stopped.
        """
        self.args, self.kwargs, self.options, self.passed_by = args, kwargs, options, passed_by
        stream = bool(kwargs.get("stream"))
        if passed_by:
            stream = isinstance(options.json_data, Mapping) and options.json_data.get("stream") is True
        self._request = request = Request.read(client, options, route, stream=stream)
        is_late = route.polls or route is UNKNOWN
        self._place = copy_context() if is_late else None
        begins = route.begins or not route.polls
        self._reservation = request.admitted() if begins and has_budget() else None
        self.call: Call | None = None if is_late or passed_by else request.start(reservation=self._reservation)
        self._asks_for_usage = stream and not is_late and request.may_ask_for_usage(client)
        self._hides_usage = self.is_answered = False
        if not passed_by:
            # A copy in any case: the application may be sending these options at the same time once more.
            asked = openai_request.with_usage(options) if self._asks_for_usage else None
            self._hides_usage, self.options = asked is not None, asked or copy(options)
            if "options" in kwargs:
                self.kwargs = {**kwargs, "options": self.options}
            else:
                self.args = (args[0], self.options, *args[2:])

    def asking(self, options: Any) -> Any:
        """Return the options to send of a request that passed by: they ask for the stream's usage if it may be."""
        sent = openai_request.with_usage(options) if self._asks_for_usage else None
        self._hides_usage = sent is not None
        return options if sent is None else sent

    @telemetry.never_raises("record a failed call")
    def failed(self, error: BaseException) -> None:
        """The request raised; what the SDK raises after it saw the response does not change what is billed."""
        if self.is_answered:
            return
        if self.passed_by:
            self._start_late()
        if (call := self.call) is None:
            if self._reservation is not None:
                self._reservation.release()
            return
        call.stop()
        read = partial(answer.unanswered, self._request)
        if isinstance(status := getattr(error, "status_code", None), int):
            read = partial(answer.refused, self._request, status, _answered(getattr(error, "response", None)))
        background.put(partial(writer.write, call, read, type(error).__name__))

    def _start_late(self) -> None:
        """Start the call of a request that has passed ours by, once: its response, or its error, may come again."""
        if self._place is None and self.call is None:
            self.call = self._request.start(reservation=self._reservation)

    def not_received(self) -> None:
        """The request returned, and its response never came by here: the SDK has changed."""
        if self.call is not None:
            # Said already, if the method was not there to be patched.
            unknown = "otel_costs saw no response: it does not know this version of openai"
            telemetry.warn_once("patch:openai._base_client", unknown)
            self._give_up(CostReason.RESPONSE_NOT_SEEN)

    def received(self, response: Any) -> None:
        """The response's head is here, and its body unless the application streams it."""
        self.is_answered = True
        try:
            if self.passed_by:
                self._start_late()
            headers = response.headers
            kind = headers.get("content-type", "")
            # A stream is decoded as events whatever its type says, unless it is an answer that did not stream.
            events = "text/event-stream" in kind or (self._request.stream and "json" not in kind)
            if response.is_closed:
                if self.call is not None:
                    self.call.stop()
                raw = response.content
                background.put(partial(self._read, headers, events, Body(raw, len(raw), True, None)))
                if self._hides_usage:
                    self._hide_usage(response)
            elif events:
                adding = ACCUMULATORS.get(self._request.route.name, UsageAccumulator)()
                reader = EventReader(self.call, adding, headers, self._finish)
                streaming.watch(response, reader, UsageFilter() if self._hides_usage else None)
            elif self._request.route is not UNKNOWN or is_text(headers):
                most = KEPT if is_text(headers) else HEAD
                streaming.watch(response, BodyReader(self.call, most, partial(self._read, headers, False)))
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
            response._content = visible = usage_filter.feed(response.content) + usage_filter.flush()
            if "content-length" in response.headers and "content-encoding" not in response.headers:
                response.headers["content-length"] = str(len(visible))

    def _read(self, headers: Mapping[str, str], events: bool, body: Body) -> None:
        """Finish with a body, in a job."""
        try:
            if events:
                found = Answered(headers, accumulated(self._request.route.name, body.kept))
            else:
                found = answered(headers, body)
        except Exception as error:  # noqa: BLE001
            telemetry.warn_once("bug:body", "otel_costs could not read a response", error=error)
            found = Answered(headers, doubts=(CostReason.RESPONSE_NOT_READ,))
        self._finish(found)

    @telemetry.never_raises("give a call up")
    def _give_up(self, reason: CostReason) -> None:
        """Finish a call of which nothing more is known."""
        if (call := self.call) is not None:
            call.stop()
            background.put(partial(writer.write, call, partial(answer.unanswered, self._request, reason)))

    def _finish(self, found: Answered) -> None:
        """Finish with the answer, in a job."""
        if self.call is not None:
            writer.write(self.call, partial(answer.read, self._request, found), found.error)
        elif self._place is not None and isinstance(found.body, Mapping):
            self._place.run(self._finish_late, found.body, found)

    def _finish_late(self, body: Mapping[str, Any], whole: Answered) -> None:
        request = self._request
        if request.route is UNKNOWN:
            found = [body] if isinstance(body.get("usage"), Mapping) else []
        elif request.route.name == "agents/turns":
            agent_sessions.read(request, body)
            return
        elif request.route.name == "responses":
            # A poll for which there is a convention.
            answer.write(request.start("fetch_response"), request, whole)
            return
        else:
            jobs = body["data"] if isinstance(body.get("data"), list) else [body]
            found = [job for job in jobs if isinstance(job, Mapping) and openai_jobs.is_due(request.host.provider, job)]
        if not found:
            decision_log.not_billed_answer(request.route.name)
        for one in found:
            answer.write(request.start(), request, whole._replace(body=one))


def _answered(response: Any) -> Answered:
    """Return the answer that the SDK raised as an error, without its body where it has not read that."""
    try:
        return Answered(response.headers, json_or_text(response.content))
    except Exception:  # noqa: BLE001  # httpx raises an error of its own where a body was not read
        return Answered({})
