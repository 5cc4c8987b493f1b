"""The calls of OpenAI's endpoints, whatever they are sent over: started with a request, written with its answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import context as otel_context

from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.calls.jobs import Owner
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import answer as openai_answer
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.usage import ModelUsage
from otel_costs.runtime import telemetry
from otel_costs.sessions.attribution import attribution
from otel_costs.sessions.scope import current_scope


def owner(request: Request) -> Owner:
    """Return whose a request is, by the place where it was made."""
    return Owner(current_scope(), attribution(request.user, request.session_id))


def start(request: Request, shown_as: str | None = None) -> Call:
    """Start the call of a request, at the time and in the session that it was made."""
    call = Call(
        request.endpoint.operation,
        request.host.provider,
        request.model,
        identity=attribution(request.user, request.session_id),
        attributes=request.host.attributes,
        shown_as=shown_as,
        start_ns=request.start_ns,
    )
    call.log_route(request.endpoint.name)
    call.set(names.OPENAI_API_TYPE, request.endpoint.api_type)
    call.bill.endpoint, call.bill.deployment = request.host.address, request.deployment
    return call


def write(call: Call, request: Request, body: Any, headers: Mapping[str, str], error: str | None) -> None:
    """Finish a call with its answer; `error` is the kind of error that ended it, None if none did.

    `body` is JSON, a text, a `Sound`, or None when nothing is known of it.
    """
    others: Sequence[ModelUsage] = ()
    try:
        others = openai_answer.read(call, request, body, headers)
        error = error or openai_answer.failure(body)
    except Exception as bug:  # noqa: BLE001
        telemetry.warn_once("bug:answer", "otel_costs could not read an answer", error=bug)
        if call.bill.usage is None:
            call.bill.reasons.append(CostReason.RESPONSE_NOT_READ)
    if error:
        call.fail(error)
    else:
        call.finish()
    if others and call.billed:
        _write_others(call, request, others, body)


@telemetry.never_raises("record what a call used of other models")
def _write_others(call: Call, request: Request, others: Sequence[ModelUsage], body: Any) -> None:
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
                attributes=request.host.attributes,
                start_ns=call.start_ns,
            )
            other.scope, other.response_model = call.scope, used.model
            other.bill.usage, other.bill.endpoint = used.usage, call.bill.endpoint
            openai_jobs.identify(other, request.endpoint, body, part=used.model or "")
            other.finish()
    finally:
        otel_context.detach(attached)
