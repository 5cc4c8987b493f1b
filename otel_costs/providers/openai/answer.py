"""What a request and its answer tell of a call: its model, usage and cost, what was said, and whether it is final."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from otel_costs import semconv as names
from otel_costs.calls import error_status, writer
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Job, Reading
from otel_costs.messages import content, stop_sequences
from otel_costs.messages.drafts import Draft, guessed_tokens, text_length, tokens_of
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers import unseen_sessions
from otel_costs.providers.openai import hosted_tools, modalities, options, reported_cost
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import messages as openai_messages
from otel_costs.providers.openai import usage as openai_usage
from otel_costs.providers.openai.options import Terms
from otel_costs.providers.openai.request import Request, text
from otel_costs.providers.openai.usage import ModelUsage
from otel_costs.runtime import telemetry
from otel_costs.transports.http.body import Answered
from otel_costs.usage import Usage
from otel_costs.usage.merging import has_usage, in_one
from otel_costs.values import sanitize

_ESTIMATED: Final = ("chat", "completions", "responses")

_ATTRIBUTES: Final = (
    ("temperature", names.REQUEST_TEMPERATURE),
    ("top_p", names.REQUEST_TOP_P),
    ("max_tokens", names.REQUEST_MAX_TOKENS),
    ("max_completion_tokens", names.REQUEST_MAX_TOKENS),
    ("max_output_tokens", names.REQUEST_MAX_TOKENS),
    ("frequency_penalty", names.REQUEST_FREQUENCY_PENALTY),
    ("presence_penalty", names.REQUEST_PRESENCE_PENALTY),
    ("seed", names.REQUEST_SEED),
    ("n", names.REQUEST_CHOICE_COUNT),
    ("service_tier", names.OPENAI_REQUEST_SERVICE_TIER),
    ("reasoning_effort", names.REQUEST_REASONING_LEVEL),
    ("previous_response_id", names.REQUEST_PREVIOUS_RESPONSE_ID),
    ("dimensions", names.EMBEDDINGS_DIMENSION_COUNT),
    ("voice", names.SPEECH_VOICE),
    ("language", names.SPEECH_INPUT_LANGUAGE),
)
"""What the span tells of a request, by the field that says it."""
_FIELDS: Final = frozenset(field for field, _ in _ATTRIBUTES)

_PROCESSING: Final[Mapping[str, str]] = {"batches": "batch", "decisions": "decisions"}


class _Head(NamedTuple):
    """What an answer says of itself."""

    model: str | None = None
    service_tier: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    """Why each choice ended, or a response by its status or what it lacks."""
    error: str | None = None
    """The kind of error that it reports."""
    attributes: Mapping[str, object] = {}


class _Used(NamedTuple):
    """What an answer says that was used."""

    terms: Terms
    price_model: str | None = None
    others: Sequence[ModelUsage] = ()


class _Due(NamedTuple):
    """What of a call is billed now."""

    is_billed: bool = True
    job: Job | None = None
    reason: CostReason | None = None
    """Why its usage is not to be known; None where it is."""


def write(call: Call, request: Request, answered: Answered) -> None:
    """Finish a call with its answer."""
    writer.write(call, partial(read, request, answered), answered.error)


def read(request: Request, answered: Answered) -> Reading:
    """Return what is known of a call that was answered, each part even if another cannot be read."""
    body = answered.body
    head = _head(body) or _Head()
    terms, price_model, others = _used(request, answered, head.service_tier) or _Used(Terms(reasons=answered.doubts))
    model = head.model
    if others and terms.usage is None:
        # The call itself used nothing: it stands for the first of the models, by name, so that it is always the same.
        first, *others = sorted(others, key=lambda used: used.model or "")
        model, terms = first.model, terms._replace(usage=first.usage)
    spent = terms.usage
    if spent is not None and (
        modalities.INPUT.isdisjoint(spent.quantities) or modalities.OUTPUT.isdisjoint(spent.quantities)
    ):
        terms = _separate_text(request, body, model, terms) or terms
    outputs, count = _outputs(request, body) or ((), request.message_count)
    used = terms.usage.quantities if terms.usage is not None else None
    # Tools alone are counted without a usage.
    if request.stream and (used is None or (used and used.keys() <= options.TOOL_UNITS)):
        terms = _estimated(request, body, outputs, terms) or terms
    is_billed, job, reason = _Due()
    if not _is_ordinary(request, body, terms):
        terms = options.read(request, body, model, terms) or terms
        is_billed, job, reason = _due(request, answered, terms.usage) or _Due()
    attributes, tools = _described(request) or ({}, None)
    return Reading(
        usage=None if reason else terms.usage,
        model=model,
        response_id=head.response_id,
        inputs=request.inputs,
        outputs=outputs,
        message_count=count,
        tools=tools,
        reported_cost=terms.reported,
        price_model=price_model,
        service_tier=terms.service_tier,
        processing=terms.processing,
        reasons=(reason,) if reason else terms.reasons,
        unknown=terms.unknown,
        finish_reasons=head.finish_reasons,
        error=head.error,
        job=job,
        is_billed=is_billed,
        attributes={**attributes, **head.attributes},
        recorded={names.OPENAI_API_TYPE: request.route.api_type},
        others=[_other(request, used, job) for used in others],
    )


def refused(request: Request, status: int, answered: Answered) -> Reading:
    """Return what is known of a call that was answered with an error `status`: what it says that it used is billed.

    Where it says nothing, the cost is zero if the provider is known to bill no such answer, and unknown otherwise.
    """
    body = answered.body
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and has_usage(error.get("usage")):
        body = {**body, "usage": in_one((openai_usage.usage_in(body), error["usage"]))}
    if has_usage(openai_usage.usage_in(body)):
        return read(request, answered._replace(body=body))
    return unanswered(request, refused=error_status.is_free(request.host.provider, status, _code(body)))


def _code(body: Any) -> object:
    """Return what an error calls itself, in all the places where Azure says it."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return None
    inner = error.get("innererror") or error.get("inner_error")
    return [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]


def unanswered(request: Request, *reasons: CostReason, refused: bool = False) -> Reading:
    """Return what is known of a call that was not answered, or of whose answer nothing is known."""
    attributes, tools = _described(request) or ({}, None)
    return Reading(
        inputs=request.inputs,
        message_count=request.message_count,
        tools=tools,
        reasons=reasons,
        refused=refused,
        attributes=attributes,
        recorded={names.OPENAI_API_TYPE: request.route.api_type},
    )


@telemetry.never_raises("tell an ordinary call from others")
def _is_ordinary(request: Request, body: Any, terms: Terms) -> bool:
    """Return whether this is a chat of which nothing but its tokens and the tier that it names is billed: most are."""
    return (
        request.route.messages == "chat"
        and request.host.provider in options.BY_FIELDS
        and terms.service_tier is not None
        and terms.usage is not None
        and "input_tokens" in terms.usage.quantities
        and "cache_write_tokens" not in terms.usage.quantities
        and "background" not in body
        and hosted_tools.FIELDS.isdisjoint(request.body)
        and hosted_tools.FIELDS.isdisjoint(body)
    )


@telemetry.never_raises("describe a request")
def _described(request: Request) -> tuple[Mapping[str, object], object]:
    """Return what the span tells of what was asked, and the tools that were offered."""
    body = request.body
    found: dict[str, object] = {}
    if not _FIELDS.isdisjoint(body):
        for key, name in _ATTRIBUTES:
            if key in body and isinstance(body[key], str | int | float):
                found[name] = body[key]
    reasoning = body.get("reasoning")
    if isinstance(reasoning, Mapping) and isinstance(reasoning.get("effort"), str):
        found[names.REQUEST_REASONING_LEVEL] = reasoning["effort"]
    if request.route.output_type:
        found[names.OUTPUT_TYPE] = request.route.output_type
    if request.stream:
        found[names.REQUEST_STREAM] = True
    tools, stop = body.get("tools"), body.get("stop")
    if not (tools or stop) or not content.on_spans():
        return found, None
    found[names.REQUEST_STOP_SEQUENCES] = stop_sequences(stop)
    return found, tools


@telemetry.never_raises("read the head of an answer")
def _head(body: Any) -> _Head:
    if not isinstance(body, dict):
        return _Head()
    fingerprint, conversation = body.get("system_fingerprint"), body.get("conversation")
    ended: list[object] = []
    if isinstance(choices := body.get("choices"), list):
        ended = [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
    elif body.get("object") == "response":
        lacking = body.get("incomplete_details")
        ended = [lacking.get("reason") if isinstance(lacking, dict) else body.get("status")]
    return _Head(
        text(body.get("model")),
        text(body.get("service_tier")),
        text(body.get("id")),
        tuple(reason for reason in ended if isinstance(reason, str)),
        failure(body) if body.get("error") or body.get("last_error") else None,
        {
            names.OPENAI_RESPONSE_SYSTEM_FINGERPRINT: text(fingerprint),
            names.CONVERSATION_ID: text(conversation.get("id")) if isinstance(conversation, dict) else None,
        },
    )


@telemetry.never_raises("read what a call used")
def _used(request: Request, answered: Answered, service_tier: str | None) -> _Used:
    name, body, provider = request.route.name, answered.body, request.host.provider
    reported, doubts = None, answered.doubts
    unknown: tuple[str, ...] = ()
    price_model = None
    if name.startswith(openai_usage.PRICED_BY_SIZE):
        price_model = openai_usage.priced_model(name, body, request.body)
    if reported_cost.HEADER in answered.headers or provider in reported_cost.PROVIDERS:
        reported, refused = reported_cost.reported_cost(body, answered.headers, provider)
        doubts += (refused,) if refused else ()
    if name == "containers" and isinstance(body, dict):
        unknown, price_model = options.memory_of_container(request, body)
        usage: Usage | None = Usage.of({"containers": 1})
    else:
        usage = openai_usage.read_usage(name, body, request.body, provider)
    terms = Terms(usage, service_tier, _PROCESSING.get(name), reported, doubts, unknown)
    others = openai_usage.read_others(name, body, request.body) if name in openai_usage.WITH_OTHERS else ()
    return _Used(terms, price_model, others)


@telemetry.never_raises("tell text from other modalities")
def _separate_text(request: Request, body: Any, model: str | None, terms: Terms) -> Terms:
    if terms.usage is None:
        return terms
    return terms._replace(usage=modalities.separate_text(request, body, model, terms.usage))


@telemetry.never_raises("read the messages of an answer")
def _outputs(request: Request, body: Any) -> tuple[Sequence[Sequence[Draft]], int | None]:
    """Return the messages of an answer, or, where they are not kept, their number with those of the request."""
    endpoint, count = request.route.messages, request.message_count
    if request.inputs is not None:
        return () if body is None else openai_messages.read_response(endpoint, body), None
    return (), count if body is None or count is None else count + openai_messages.count_response(endpoint, body)


@telemetry.never_raises("estimate a usage")
def _estimated(request: Request, body: Any, outputs: Sequence[Sequence[Draft]], terms: Terms) -> Terms:
    """Guess the tokens of a stream that does not say its usage: four characters a token, OpenAI's rule of thumb.

    Of an answer that was not read nothing is guessed: all that is known of it is the question.
    """
    endpoint = request.route.messages
    input_length = text_length(request.inputs) if request.inputs else request.text_length
    if input_length is None or endpoint not in _ESTIMATED:
        return terms
    if not terms.reasons:
        terms = terms.because(CostReason.USAGE_NOT_REPORTED)
    if CostReason.RESPONSE_NOT_READ in terms.reasons:
        return terms
    if request.inputs is None and body is not None:
        outputs = openai_messages.read_response(endpoint, body)
    quantities = {"input_tokens": tokens_of(input_length), "output_tokens": sum(map(guessed_tokens, outputs))}
    guessed = Usage.of(quantities, estimated=True)
    return terms._replace(usage=guessed if terms.usage is None else terms.usage + guessed)


@telemetry.never_raises("tell a job from a call")
def _due(request: Request, answered: Answered, usage: Usage | None) -> _Due:
    route, body = request.route, answered.body
    if route.free and usage is None:
        return _Due(False)
    if route.unseen:
        begun_s = request.start_ns // 1_000_000_000
        job = unseen_sessions.begun(request.host.provider, begun_s, request.path, body, answered.headers)
        return _Due(True, job, CostReason.USAGE_NOT_VISIBLE)
    if route.polls or route.job or (isinstance(body, dict) and body.get("background") is True):
        return _Due(*openai_jobs.identified(route, body))
    return _Due()


def _other(request: Request, used: ModelUsage, job: Job | None) -> Reading:
    """Return the reading of another model that a call used: it has a price of its own."""
    return Reading(
        usage=used.usage,
        model=used.model,
        job=job and replace(job, id=f"{job.id}/{used.model or ''}"),
        operation="image_generation" if request.route.operation == "chat" else None,
    )


def failure(body: Any) -> str | None:
    """Return the kind of error that an answer reports of itself; it is billed all the same."""
    error = (body.get("error") or body.get("last_error")) if isinstance(body, dict) else None
    if isinstance(error, dict):
        kind = error.get("code") or error.get("type")
        return sanitize.identifier(kind) if isinstance(kind, str) else "error"
    return None
