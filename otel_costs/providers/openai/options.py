"""What a request asks that changes its price, and what the answer tells of it: tier, window, tools, containers.

What is asked for is accounted for, or the call says so: a tier or a window without a factor makes an estimate, and so
does one that is not confirmed; an unknown tool or container makes a lower bound.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, NamedTuple

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import usage as openai_usage
from otel_costs.providers.openai.request import Request
from otel_costs.runtime import telemetry
from otel_costs.usage import Usage
from otel_costs.usage.service_class import STANDARD, service_class
from otel_costs.values import sanitize

SOONEST: Final = "soonest"
"""The window of a request that names none, at the standard price."""

_ANYWHERE: Final = frozenset({"", "global", "not_available"})

_ORDINARY: Final = frozenset({"30m", "5m"})
_LASTING: Final[Mapping[str, str]] = {"cache_write_12h_tokens": "12h", "cache_write_1h_tokens": "1h"}

TOOL_UNITS: Final = frozenset(
    {"web_searches", "preview_web_searches", "file_searches", "containers", *filter(None, hosted_tools.SIZES.values())}
)
"""What the items of a response count without a usage."""

_TIERED: Final = ("chat/completions", "completions", "responses", "responses/compact")
_WITH_TOOLS: Final = ("chat/completions", "completions", "responses", "threads/runs")
_UNTOLD_TOOLS: Final = ("chat/completions", "threads/runs")
"""Endpoints whose answers do not say how often the tools were used that the provider runs itself."""
_COUNTS_TOOLS: Final = ("chat", "responses")
_JOBS: Final = ("batches", "fine_tuning/jobs")
_HAVE_WINDOWS: Final = frozenset({"openai"})
"""Providers that take less for a response that may take its time (openai 3.57, background_options)."""

BY_FIELDS: Final = frozenset({"openai", "azure.ai.openai"})
"""Providers whose price options are fields of a request, not a part of a model's name or a region."""

_HAVE_BATCHES: Final = BY_FIELDS
"""Providers whose batches are half the price if they may take a day."""

_TRAINED_BY_TOKENS: Final = frozenset({"supervised", "dpo"})
"""Methods of fine-tuning that are billed by the token; reinforcement is by the hour, which no answer tells."""

_SEARCHES: Final = frozenset({"web_searches", "social_searches", "storage_searches", "code_executions"})


class Terms(NamedTuple):
    """What the price of a call depends on beside its model, as far as it is known."""

    usage: Usage | None = None
    service_tier: str | None = None
    processing: str | None = None
    reported: Decimal | None = None
    """What the provider itself says that the call costs, in USD."""
    reasons: tuple[CostReason, ...] = ()
    unknown: tuple[str, ...] = ()
    """Options whose cost is not known."""

    def because(self, reason: CostReason) -> "Terms":
        """Return these terms with one more reason why a figure is unknown, or an estimate."""
        return self._replace(reasons=(*self.reasons, reason))

    def without(self, options: Iterable[str]) -> "Terms":
        """Return these terms with more options whose cost is not known."""
        return self._replace(unknown=(*self.unknown, *options))


@telemetry.never_raises("read the options of a request")
def read(request: Request, body: object, model: str | None, terms: Terms) -> Terms:
    """Return the terms of a call with what its request asked for; `model` is the one that answered."""
    endpoint, name = request.route.messages, request.route.name
    answer = openai_usage.response_of(body)
    if isinstance(answer, dict):
        if name in _JOBS:
            terms = _of_job(request, answer, terms)
        elif name in _TIERED:
            terms = _with_tier(request, answer, terms)
            if terms.usage is not None and (written := terms.usage.quantities.get("cache_write_tokens")):
                terms = _with_retention(request, answer, terms, terms.usage, written)
        if endpoint == "responses":
            terms = _with_window(request, answer, terms)
    # Most requests and answers have nothing that may name a tool.
    names_tools = not hosted_tools.FIELDS.isdisjoint(request.body) or (
        isinstance(answer, dict) and not hosted_tools.FIELDS.isdisjoint(answer)
    )
    if name in _WITH_TOOLS and (names_tools or request.host.provider in hosted_tools.SEARCHING):
        terms = _with_tools(request, answer, model, terms)
    if endpoint in _COUNTS_TOOLS and terms.usage is not None and terms.usage.quantities.keys() <= TOOL_UNITS:
        return terms.because(CostReason.NO_USAGE) if terms.usage.quantities else terms
    return terms


def _of_job(request: Request, job: Mapping[str, Any], terms: Terms) -> Terms:
    """Read what a batch or a training is billed by beside its tokens."""
    is_batch, window = request.route.name == "batches", job.get("completion_window")
    if is_batch and request.host.provider in _HAVE_BATCHES and window not in (None, "24h"):
        terms = terms.because(CostReason.WINDOW_NOT_PRICED)  # half the price is that of a day
    method = None if is_batch else job.get("method")
    kind = method.get("type") if isinstance(method, Mapping) else None
    return terms.without([kind]) if isinstance(kind, str) and kind not in _TRAINED_BY_TOKENS else terms


def _with_tier(request: Request, answer: Mapping[str, Any], terms: Terms) -> Terms:
    """Read the tier that the answer or its usage names (Anthropic's tier and speed), else the one that was asked."""
    spent = openai_usage.usage_in(answer)
    spent = spent if isinstance(spent, dict) else {}
    if terms.service_tier is None:
        tiers = map(_tier, (answer.get("service_tier"), spent.get("speed"), spent.get("service_tier")))
        tier = next((tier for tier in tiers if tier.strip().lower() not in STANDARD), None)
        tier = tier or service_class(spent)
        terms = terms if tier is None else terms._replace(service_tier=tier)
    if isinstance(geo := spent.get("inference_geo"), str) and geo not in _ANYWHERE:
        terms = terms.because(CostReason.REGION_NOT_PRICED)
    asked = request.body.get("service_tier") or request.body.get("speed")
    if terms.service_tier is None and isinstance(asked, str) and asked.strip().lower() not in STANDARD:
        terms = terms._replace(service_tier=asked)
        if terms.reported is None:
            terms = terms.because(CostReason.TIER_NOT_TOLD)
    return terms


def _tier(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else sanitize.label(sanitize.to_json(value))


def _with_retention(
    request: Request, answer: Mapping[str, Any], terms: Terms, usage: Usage, written: int | Decimal
) -> Terms:
    """Bill what was written to the cache by the time that was asked for, where the usage does not tell the times."""
    if not _LASTING.keys().isdisjoint(usage.quantities):
        return terms
    ttl = _retention(answer) or _retention(request.body) or _longest_mark(request.body)
    unit = next((unit for unit, lifetime in _LASTING.items() if lifetime == ttl), None)
    if unit is not None:
        return terms._replace(usage=replace(usage, quantities={**usage.quantities, unit: written}, estimated=True))
    return terms if ttl in (None, *_ORDINARY) else terms.because(CostReason.CACHE_RETENTION_UNKNOWN)


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


def _with_window(request: Request, answer: Mapping[str, Any], terms: Terms) -> Terms:
    """Read the window of a response in the background from its request, now or when it was made."""
    if (answer.get("background") if "background" in answer else request.body.get("background")) is not True:
        return terms
    asked, provider = request.body.get("background_options"), request.host.provider
    if isinstance(asked, Mapping):
        terms = terms.without(str(key) for key in asked if key != "completion_window")
    response_id, window = str(answer.get("id")), _window(answer) or _window(request.body)
    if request.route.polls:
        window = window or openai_jobs.window_of(provider, response_id)
    else:
        window = window or SOONEST
        openai_jobs.keep_window(provider, response_id, window)
    if (terms.service_tier or "default").lower() not in STANDARD:
        return terms  # windows are of standard processing
    if window is not None:
        return terms._replace(processing=None if window == SOONEST else f"window_{window}")
    return terms.because(CostReason.COMPLETION_WINDOW_UNKNOWN) if provider in _HAVE_WINDOWS else terms


def _window(body: Mapping[str, Any]) -> str | None:
    options = body.get("background_options")
    window = options.get("completion_window") if isinstance(options, Mapping) else None
    return sanitize.label(window if isinstance(window, str) else sanitize.to_json(window)) if window else None


def _with_tools(request: Request, answer: object, model: str | None, terms: Terms) -> Terms:
    if terms.reported is not None:
        return terms  # a reported cost includes its tools
    endpoint = request.route.messages
    tools = hosted_tools.asked(answer, request.body)
    items = hosted_tools.objects(answer.get("output")) if isinstance(answer, dict) else []
    if tools or items:
        terms = terms.without(hosted_tools.unknown(tools, items))
    if isinstance(answer, dict) and items and hosted_tools.undrawn(answer):
        terms = terms.without(["image_generation_call"])
    used = terms.usage.quantities if terms.usage is not None else {}
    if not _reports_searches(openai_usage.usage_in(answer), used):
        fallbacks = request.body.get("models")
        models = (request.model, model, *(fallbacks if isinstance(fallbacks, list) else ()))
        terms = terms.without(hosted_tools.implied(request.host.provider, models))
        may_cost = hosted_tools.may_cost(tools) or hosted_tools.may_search(request.body)
        if may_cost and request.route.name in _UNTOLD_TOOLS:
            terms = terms.because(CostReason.TOOL_USE_NOT_REPORTED)
    if used.get("web_searches") and endpoint == "responses" and _kind_matters(request, model, tools):
        return terms.because(CostReason.SEARCH_KIND_UNKNOWN)
    return terms


def _reports_searches(usage: object, used: Mapping[str, object]) -> bool:
    """Whether a chat says how often it searched, xAI by the number of its sources."""
    return not _SEARCHES.isdisjoint(used) or (isinstance(usage, dict) and "num_sources_used" in usage)


def _kind_matters(request: Request, model: str | None, tools: list[Mapping[str, Any]]) -> bool:
    if hosted_tools.preview_searches(tools) is not None:
        return False
    return request.rates(model).costs_otherwise("preview_web_searches", "web_searches")


def memory_of_container(request: Request, body: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Return the memory of a container that a request made, where its cost is not known, and the name of its price.

    The smallest memory counts where none is named.
    """
    size = str(body.get("memory_limit") or request.body.get("memory_limit") or "1g")
    return () if size in hosted_tools.SIZES else (size,), f"container/{size}"
