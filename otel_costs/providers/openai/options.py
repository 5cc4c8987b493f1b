"""What a request asks that changes its price, and what the answer tells of it: tier, window, tools, containers.

What is asked for is accounted for, or the call says so: a tier or a window without a factor makes an estimate, and so
does one that nobody confirms; a tool or a container that nobody knows makes a lower bound.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from otel_costs import pricing
from otel_costs.calls.call import Call
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import usage as openai_usage
from otel_costs.providers.openai.request import Request
from otel_costs.runtime import telemetry
from otel_costs.values import sanitize

SOONEST: Final = "soonest"
"""The window of who names none, at the standard price."""

_ANYWHERE: Final = frozenset({"", "global", "not_available"})

_ORDINARY: Final = frozenset({"30m", "5m"})
_LASTING: Final[Mapping[str, str]] = {"cache_write_12h_tokens": "12h", "cache_write_1h_tokens": "1h"}

TOOL_UNITS: Final = frozenset(
    {"web_searches", "preview_web_searches", "file_searches", "containers", *filter(None, hosted_tools.SIZES.values())}
)
"""What the items of a response count without a usage."""

_TIERED: Final = ("chat/completions", "completions", "responses", "responses/compact")
_JOBS: Final = ("batches", "fine_tuning/jobs")
_UNTOLD_TIERS: Final = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand"})
_HAVE_WINDOWS: Final = frozenset({"openai"})
"""Providers that take less for a response that may take its time (openai 3.57, background_options)."""

_HAVE_BATCHES: Final = frozenset({"openai", "azure.ai.openai"})
"""Providers whose batches are half the price if they may take a day."""

_TRAINED_BY_TOKENS: Final = frozenset({"supervised", "dpo"})
"""Methods of fine-tuning that are billed by the token; reinforcement is by the hour, which no answer tells."""

_SEARCHES: Final = frozenset({"web_searches", "social_searches", "storage_searches", "code_executions"})


@telemetry.never_raises("read the options of a request")
def read(call: Call, request: Request, body: Any) -> None:
    """Add to the bill of a call what its request asked for."""
    said = request.endpoint.messages
    answer = openai_usage.response_of(body)
    if isinstance(answer, dict):
        if request.endpoint.name in _JOBS:
            _read_job(call, request.endpoint.name, answer)
        elif request.endpoint.name in _TIERED:
            _read_tier(call, request, answer)
            _read_retention(call, request, answer)
        if said == "responses":
            _read_window(call, request, answer)
    if said in ("chat", "completions", "responses") and _may_name_tools(call, request, answer):
        _read_tools(call, request, answer)
    if said == "responses" and call.bill.usage is not None and call.bill.usage.quantities.keys() <= TOOL_UNITS:
        call.bill.reasons += [CostReason.NO_USAGE] * bool(call.bill.usage.quantities)


def _read_job(call: Call, endpoint: str, job: Mapping[str, Any]) -> None:
    """Read what a batch or a training is billed by beside its tokens."""
    if endpoint == "batches" and call.provider in _HAVE_BATCHES and job.get("completion_window") not in (None, "24h"):
        call.bill.reasons.append(CostReason.WINDOW_NOT_PRICED)  # half the price is that of a day
    method = job.get("method") if endpoint == "fine_tuning/jobs" else None
    kind = method.get("type") if isinstance(method, Mapping) else None
    if isinstance(kind, str) and kind not in _TRAINED_BY_TOKENS:
        call.bill.unknown.append(kind)


def _read_tier(call: Call, request: Request, answer: Mapping[str, Any]) -> None:
    """Read the tier that the answer or its usage names (Anthropic's tier and speed), else the one that was asked."""
    spent = openai_usage.usage_in(answer)
    spent = spent if isinstance(spent, dict) else {}
    if call.bill.service_tier is None:
        told = map(_tier, (answer.get("service_tier"), spent.get("speed"), spent.get("service_tier")))
        call.bill.service_tier = next((tier for tier in told if tier.strip().lower() not in _UNTOLD_TIERS), None)
    if isinstance(geo := spent.get("inference_geo"), str) and geo not in _ANYWHERE:
        call.bill.reasons.append(CostReason.REGION_NOT_PRICED)
    asked = request.body.get("service_tier") or request.body.get("speed")
    if call.bill.service_tier is None and isinstance(asked, str) and asked.strip().lower() not in _UNTOLD_TIERS:
        call.bill.service_tier = asked
        if call.bill.reported is None:
            call.bill.reasons.append(CostReason.TIER_NOT_TOLD)


def _tier(told: object) -> str:
    return told if isinstance(told, str) else "" if told is None else sanitize.label(sanitize.to_json(told))


def _read_retention(call: Call, request: Request, answer: Mapping[str, Any]) -> None:
    """Bill what was written to the cache by the time that was asked for, where the usage does not tell the times."""
    usage = call.bill.usage
    written = usage.quantities.get("cache_write_tokens") if usage is not None else None
    if usage is None or not written or not _LASTING.keys().isdisjoint(usage.quantities):
        return
    ttl = _retention(answer) or _retention(request.body) or _longest_mark(request.body)
    unit = next((unit for unit, lifetime in _LASTING.items() if lifetime == ttl), None)
    if unit is not None:
        call.bill.usage = replace(usage, quantities={**usage.quantities, unit: written}, estimated=True)
    elif ttl not in (None, *_ORDINARY):
        call.bill.reasons.append(CostReason.CACHE_RETENTION_UNKNOWN)


def _longest_mark(body: Mapping[str, Any]) -> str | None:
    """Return the lifetime that a part of a request is marked with for Anthropic's cache, the one that lasts longer."""
    messages = hosted_tools.objects(body.get("messages"))
    parts = [part for message in messages for part in hosted_tools.objects(message.get("content"))]
    marks = (thing.get("cache_control") for thing in (body, *messages, *parts, *hosted_tools.asked(body)))
    lifetimes = {mark.get("ttl") for mark in marks if isinstance(mark, Mapping)}
    return next((ttl for ttl in lifetimes if isinstance(ttl, str) and ttl not in _ORDINARY), None)


def _retention(body: Mapping[str, Any]) -> str | None:
    options = body.get("prompt_cache_options")
    ttl = options.get("ttl") if isinstance(options, Mapping) else None
    return ttl if isinstance(ttl, str) else None


def _read_window(call: Call, request: Request, answer: Mapping[str, Any]) -> None:
    """Read the window of a response in the background from its request, now or when it was made."""
    if (answer.get("background") if "background" in answer else request.body.get("background")) is not True:
        return
    asked = request.body.get("background_options")
    call.bill.unknown += [str(key) for key in asked if key != "completion_window"] if isinstance(asked, Mapping) else []
    response_id, window = str(answer.get("id")), _window(answer) or _window(request.body)
    if request.endpoint.polls:
        window = window or openai_jobs.window_of(call.provider, response_id)
    else:
        window = window or SOONEST
        openai_jobs.keep_window(call.provider, response_id, window)
    if (call.bill.service_tier or "default").lower() not in _UNTOLD_TIERS:
        return  # windows are of standard processing
    if window is not None:
        call.bill.processing = None if window == SOONEST else f"window_{window}"
    elif call.provider in _HAVE_WINDOWS:
        call.bill.reasons.append(CostReason.COMPLETION_WINDOW_UNKNOWN)


def _window(body: Mapping[str, Any]) -> str | None:
    options = body.get("background_options")
    window = options.get("completion_window") if isinstance(options, Mapping) else None
    return sanitize.label(window if isinstance(window, str) else sanitize.to_json(window)) if window else None


def _may_name_tools(call: Call, request: Request, answer: object) -> bool:
    """Whether a request or its answer has what may name a tool: most have nothing of the kind."""
    return not (
        hosted_tools.FIELDS.isdisjoint(request.body)
        and (not isinstance(answer, dict) or hosted_tools.FIELDS.isdisjoint(answer))
        and call.provider not in hosted_tools.SEARCHING
    )


def _read_tools(call: Call, request: Request, answer: object) -> None:
    if call.bill.reported is not None:
        return  # who says the cost knows what its tools cost
    tools = hosted_tools.asked(answer, request.body)
    items = hosted_tools.objects(answer.get("output")) if isinstance(answer, dict) else []
    if tools or items:
        call.bill.unknown += hosted_tools.unknown(tools, items)
    if isinstance(answer, dict) and items and hosted_tools.undrawn(answer):
        call.bill.unknown.append("image_generation_call")
    used = call.bill.usage.quantities if call.bill.usage is not None else {}
    if not _tells_searches(openai_usage.usage_in(answer), used):
        fallbacks = request.body.get("models")
        models = (call.request_model, call.response_model, *(fallbacks if isinstance(fallbacks, list) else ()))
        call.bill.unknown += hosted_tools.implied(call.provider, models)
        if request.endpoint.messages == "chat" and (
            hosted_tools.may_cost(tools) or hosted_tools.may_search(request.body)
        ):
            call.bill.reasons.append(CostReason.TOOL_USE_NOT_REPORTED)
    if used.get("web_searches") and request.endpoint.messages == "responses" and _kind_matters(call, tools):
        call.bill.reasons.append(CostReason.SEARCH_KIND_UNKNOWN)


def _tells_searches(usage: object, used: Mapping[str, object]) -> bool:
    """Whether a chat says how often it searched, xAI by the number of its sources."""
    return not _SEARCHES.isdisjoint(used) or (isinstance(usage, dict) and "num_sources_used" in usage)


def _kind_matters(call: Call, tools: list[Mapping[str, Any]]) -> bool:
    if hosted_tools.preview_searches(tools) is not None:
        return False
    return pricing.costs_otherwise(
        "preview_web_searches",
        "web_searches",
        provider=call.provider,
        model=call.response_model,
        at=datetime.fromtimestamp(call.start_ns / 1e9, UTC),
        endpoint=call.bill.endpoint,
        deployment=call.bill.deployment,
        request_model=call.request_model,
    )


def memory_of_container(call: Call, request: Request, body: Mapping[str, Any]) -> str:
    """Return the memory of a container that a request made, as its price is listed; the smallest where none is said."""
    size = body.get("memory_limit") or request.body.get("memory_limit") or "1g"
    if size not in hosted_tools.SIZES:
        call.bill.unknown.append(str(size))
    return str(size)
