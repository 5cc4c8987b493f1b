"""What an answer tells of a call: its model, usage and cost, what was said, and whether it is final."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_costs import messages
from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.messages import content
from otel_costs.messages.drafts import guessed_tokens
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers import unseen_sessions
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import messages as openai_messages
from otel_costs.providers.openai import options, reported_cost
from otel_costs.providers.openai import usage as openai_usage
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.usage import ModelUsage
from otel_costs.runtime import telemetry
from otel_costs.usage import Usage
from otel_costs.values import sanitize

_ESTIMATED: Final = ("chat", "completions", "responses")


@telemetry.never_raises("read the messages of a request")
def read_inputs(call: Call, request: Request) -> None:
    """Read what a request says, before the application can change it. What is kept nowhere is counted.

    That of a stream is read all the same: its length is what the tokens are estimated by, where no usage comes.
    """
    if call.keeps_messages or request.stream:
        call.inputs = openai_messages.read_request(request.endpoint.messages, request.body)
    else:
        call.message_count = openai_messages.count_request(request.endpoint.messages, request.body)
    call.tools = request.body.get("tools") if content.on_spans() else None


@telemetry.never_raises("describe a request")
def describe(call: Call, request: Request) -> None:
    """Tell on the span what was asked."""
    for name, value in request.attributes.items():
        call.show(name, value)
    if content.on_spans():
        call.show(names.REQUEST_STOP_SEQUENCES, messages.stop_sequences(request.body.get("stop")))


def read(call: Call, request: Request, body: Any, headers: Mapping[str, str]) -> Sequence[ModelUsage]:
    """Read an answer into its call, each part even if another fails; return what was used of other models.

    `body` is JSON, a text, a `Sound`, or None when nothing is known of it.
    """
    describe(call, request)
    _read_head(call, body)
    others = _read_usage(call, request, body, headers) or ()
    _read_outputs(call, request, body)
    if request.stream:
        _estimate(call, request)
    options.read(call, request, body)
    _identify(call, request, body, headers)
    return others


@telemetry.never_raises("read the head of an answer")
def _read_head(call: Call, body: Any) -> None:
    if not isinstance(body, dict):
        return
    call.response_model = _text(body.get("model"))
    call.bill.service_tier = _text(body.get("service_tier"))
    call.set(names.RESPONSE_ID, _text(body.get("id")))
    call.show(names.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, _text(body.get("system_fingerprint")))
    call.set(names.RESPONSE_FINISH_REASONS, _finish_reasons(body))
    if isinstance(conversation := body.get("conversation"), dict):
        call.show(names.CONVERSATION_ID, _text(conversation.get("id")))


def _finish_reasons(body: dict[str, Any]) -> list[str] | None:
    """Return why each choice ended; a response says it of itself, by its status or what it lacks."""
    if isinstance(choices := body.get("choices"), list):
        found = [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
    elif body.get("object") == "response":
        lacking = body.get("incomplete_details")
        found = [lacking.get("reason") if isinstance(lacking, dict) else body.get("status")]
    else:
        return None
    return [reason for reason in found if isinstance(reason, str)] or None


@telemetry.never_raises("read what a call used")
def _read_usage(call: Call, request: Request, body: Any, headers: Mapping[str, str]) -> Sequence[ModelUsage]:
    name = request.endpoint.name
    call.bill.usage = openai_usage.read_usage(name, body, request.body, request.host.provider)
    call.bill.price_model = openai_usage.priced_model(name, body, request.body)
    if reported_cost.HEADER in headers or request.host.provider in reported_cost.PROVIDERS:
        call.bill.reported, refused = reported_cost.reported_cost(body, headers, request.host.provider)
        call.bill.reasons += [refused] if refused else []
    if name == "batches":
        call.bill.processing = "batch"
    elif name == "decisions":
        call.bill.processing = "decisions"
    elif name == "containers" and isinstance(body, dict):
        call.bill.usage = Usage.of({"containers": 1})
        call.bill.price_model = f"container/{options.memory_of_container(call, request, body)}"
    others = openai_usage.read_others(name, body, request.body)
    if call.bill.usage is not None or not others:
        return others
    # The call itself used nothing: it stands for the first of the models, by name, so that it is always the same one.
    first, *others_left = sorted(others, key=lambda used: used.model or "")
    call.bill.usage, call.response_model = first.usage, first.model
    return others_left


@telemetry.never_raises("read the messages of an answer")
def _read_outputs(call: Call, request: Request, body: Any) -> None:
    if body is None:
        return
    if call.inputs is not None:
        call.choices = openai_messages.read_response(request.endpoint.messages, body)
    elif call.message_count is not None:
        call.message_count += openai_messages.count_response(request.endpoint.messages, body)


@telemetry.never_raises("estimate a usage")
def _estimate(call: Call, request: Request) -> None:
    """Guess the tokens of a stream that does not say its usage: four characters a token, OpenAI's rule of thumb.

    Of an answer that was not read nothing is guessed: all that is known of it is the question.
    """
    bill = call.bill
    if _has_tokens(bill.usage) or request.endpoint.messages not in _ESTIMATED or not call.inputs:
        return
    if not bill.reasons:
        bill.reasons.append(CostReason.USAGE_NOT_REPORTED)
    if CostReason.RESPONSE_NOT_READ not in bill.reasons:
        said = sum(map(guessed_tokens, call.choices))
        guessed = Usage.of({"input_tokens": guessed_tokens(call.inputs), "output_tokens": said}, estimated=True)
        bill.usage = guessed if bill.usage is None else bill.usage + guessed


def _has_tokens(usage: Usage | None) -> bool:
    """Whether a usage says tokens, or what else there is to say: tools alone are counted without a usage."""
    return usage is not None and not (usage.quantities and usage.quantities.keys() <= options.TOOL_UNITS)


@telemetry.never_raises("tell a job from a call")
def _identify(call: Call, request: Request, body: Any, headers: Mapping[str, str]) -> None:
    if request.endpoint.free and call.bill.usage is None:
        call.billed = False
    elif request.endpoint.unseen:
        unseen_sessions.begin(call, request.path, body, headers)
    elif request.endpoint.polls or request.endpoint.job or (isinstance(body, dict) and body.get("background") is True):
        openai_jobs.identify(call, request.endpoint, body)


def failure(body: Any) -> str | None:
    """Return the kind of error that an answer reports of itself; it is billed all the same."""
    error = (body.get("error") or body.get("last_error")) if isinstance(body, dict) else None
    if isinstance(error, dict):
        kind = error.get("code") or error.get("type")
        return sanitize.identifier(kind) if isinstance(kind, str) else "error"
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
