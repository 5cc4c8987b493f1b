"""What an answer says that the call cost: some providers and proxies report their own price."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

_Json = Mapping[str, Any]

_TICKS_PER_USD: Final = 10_000_000_000  # xAI


def reported_cost(body: object, headers: Mapping[str, str], provider: str) -> Decimal | None:
    """Return the cost in USD that the provider itself reports, None when it reports none.

    OpenRouter's and Perplexity's `usage.cost`, xAI's ticks, and LiteLLM's header, whichever provider is behind it.
    A zero in that header is no cost: LiteLLM writes it for models whose price it does not know.
    """
    try:
        usage = body.get("usage") if isinstance(body, dict) else None
        reader = _COSTS.get(provider)
        cost = reader(usage) if reader and isinstance(usage, dict) else None
        return cost if cost is not None else _money(headers.get("x-litellm-response-cost")) or None
    except Exception:  # noqa: BLE001
        return None


def _openrouter(usage: _Json) -> Decimal | None:
    cost = _money(usage.get("cost"))
    if cost is None or not usage.get("is_byok"):
        return cost
    # With a key of one's own, `cost` is OpenRouter's fee alone.
    upstream = _money(_field(usage, "cost_details", "upstream_inference_cost"))
    return None if upstream is None else cost + upstream


def _x_ai(usage: _Json) -> Decimal | None:
    ticks = _money(usage.get("cost_in_usd_ticks"))
    return None if ticks is None else ticks / _TICKS_PER_USD


_COSTS: Final[Mapping[str, Callable[[_Json], Decimal | None]]] = {
    "openrouter": _openrouter,
    "x_ai": _x_ai,
    "perplexity": lambda usage: _money(_field(usage, "cost", "total_cost")),
}


def _money(value: object) -> Decimal | None:
    """Return `value` as an amount, None if it is none: negative, not finite, no number."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < 10**12 else None


def _field(usage: _Json, group: str, name: str) -> object:
    found = usage.get(group)
    return found.get(name) if isinstance(found, dict) else None
