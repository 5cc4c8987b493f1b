"""What a request asks that changes its price, and what the answer tells of it: tier, window, tools, containers.

What is asked for is accounted for, or the call says so: a tier or a window without a factor makes an estimate, and so
does one that nobody confirms; a tool or a container that nobody knows makes a lower bound.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from otel_costs import clean, pricing, telemetry
from otel_costs.call import Call
from otel_costs.pricing.rates import NO_USAGE, PROCESSING_NOT_PRICED
from otel_costs.providers.openai import hosted_tools
from otel_costs.providers.openai import jobs as openai_jobs
from otel_costs.providers.openai import usage as openai_usage
from otel_costs.providers.openai.request import Request

WINDOW_NOT_KNOWN: Final = "completion_window_unknown"
"""Reason of an estimate: a response ran in the background, and whoever asked for it knows in which window."""

SOONEST: Final = "soonest"
"""The window of who names none, at the standard price."""

TIER_NOT_TOLD: Final = "tier_not_told"
"""Reason of an estimate: a service tier was asked for, and the answer does not say which one served."""

SEARCH_KIND_UNKNOWN: Final = "search_kind_unknown"
"""Reason of an estimate: a search of the web costs one price or another, by a tool that nobody named."""

TOOL_USE_NOT_REPORTED: Final = "tool_use_not_reported"
"""Reason of an estimate: a tool that costs something was offered, and the answer does not say how often it was used."""

TOOL_UNITS: Final = frozenset(
    {"web_searches", "preview_web_searches", "file_searches", "containers", *filter(None, hosted_tools.SIZES.values())}
)
"""What the items of a response count without a usage."""

_TIERED: Final = ("chat", "completions", "responses")
_UNTOLD_TIERS: Final = frozenset({"auto", "default", "standard", "standard_only", "on_demand"})
_HAVE_WINDOWS: Final = frozenset({"openai"})
"""Providers that take less for a response that may take its time (openai 3.57, background_options)."""

_TRAINED_BY_TOKENS: Final = frozenset({"supervised", "dpo"})
"""Methods of fine-tuning that are billed by the token; reinforcement is by the hour, which no answer tells."""

_SEARCHES: Final = ("web_searches", "social_searches", "storage_searches", "code_executions")


@telemetry.shielded("read the options of a request")
def read(call: Call, request: Request, body: Any) -> None:
    """Add to the bill of a call what its request asked for."""
    said = request.endpoint.said
    answer = openai_usage.response_of(body)
    if isinstance(answer, Mapping):
        _read_job(call, request.endpoint.name, answer)
    if said in _TIERED and isinstance(answer, Mapping):
        _read_tier(call, request)
    if said == "responses" and isinstance(answer, Mapping):
        _read_window(call, request, answer)
    if said in ("chat", "responses"):
        _read_tools(call, request, answer)
    if said == "responses" and call.bill.usage is not None and call.bill.usage.quantities.keys() <= TOOL_UNITS:
        call.bill.reasons += [NO_USAGE] * bool(call.bill.usage.quantities)


def _read_job(call: Call, endpoint: str, job: Mapping[str, Any]) -> None:
    """Take what a batch or a training is billed by beside its tokens."""
    if endpoint == "batches" and call.provider in _HAVE_WINDOWS and job.get("completion_window") not in (None, "24h"):
        call.bill.reasons.append(PROCESSING_NOT_PRICED)  # half the price is that of a day
    method = job.get("method") if endpoint == "fine_tuning/jobs" else None
    kind = method.get("type") if isinstance(method, Mapping) else None
    if isinstance(kind, str) and kind not in _TRAINED_BY_TOKENS:
        call.bill.unknown.append(kind)


def _read_tier(call: Call, request: Request) -> None:
    asked = request.body.get("service_tier")
    if call.bill.service_tier is None and isinstance(asked, str) and asked.strip().lower() not in _UNTOLD_TIERS:
        call.bill.service_tier = asked
        if call.bill.reported is None:
            call.bill.reasons.append(TIER_NOT_TOLD)


def _read_window(call: Call, request: Request, answer: Mapping[str, Any]) -> None:
    """Take the window of a response in the background from its request, now or when it was made."""
    if (answer.get("background") if "background" in answer else request.body.get("background")) is not True:
        return
    response_id, window = str(answer.get("id")), _window(answer) or _window(request.body)
    if request.endpoint.look:
        window = window or openai_jobs.window_of(call.provider, response_id)
    else:
        window = window or SOONEST
        openai_jobs.keep_window(call.provider, response_id, window)
    if (call.bill.service_tier or "default").lower() not in _UNTOLD_TIERS:
        return  # windows are of standard processing
    if window is not None:
        call.bill.processing = None if window == SOONEST else f"window_{window}"
    elif call.provider in _HAVE_WINDOWS:
        call.bill.reasons.append(WINDOW_NOT_KNOWN)


def _window(body: Mapping[str, Any]) -> str | None:
    options = body.get("background_options")
    window = options.get("completion_window") if isinstance(options, Mapping) else None
    return clean.label(window) if isinstance(window, str) and window else None


def _read_tools(call: Call, request: Request, answer: object) -> None:
    if call.bill.reported is not None:
        return  # who says the cost knows what its tools cost
    tools = hosted_tools.asked(answer, request.body)
    items = answer.get("output") if isinstance(answer, Mapping) else None
    call.bill.unknown += hosted_tools.unknown(tools, hosted_tools.objects(items))
    used = call.bill.usage.quantities if call.bill.usage is not None else {}
    if request.endpoint.said == "chat" and _costs_untold(tools, used):
        call.bill.reasons.append(TOOL_USE_NOT_REPORTED)
    if used.get("web_searches") and request.endpoint.said == "responses" and _kind_matters(call, tools):
        call.bill.reasons.append(SEARCH_KIND_UNKNOWN)


def _costs_untold(tools: list[Mapping[str, Any]], used: Mapping[str, object]) -> bool:
    """Whether a chat offered a tool that costs something and does not say whether it was used."""
    kinds = {hosted_tools.kind_of(tool) for tool in tools}
    return bool((kinds & hosted_tools.KNOWN_TOOLS) - hosted_tools.FREE_TOOLS) and not any(u in used for u in _SEARCHES)


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
