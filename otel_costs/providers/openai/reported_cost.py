"""What an answer says that the call cost: some providers and proxies report their own price."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize

_Json = Mapping[str, Any]

HEADER: Final = "x-litellm-response-cost"
"""In which a proxy says the cost, whichever provider is behind it."""

_TICKS_PER_USD: Final = 10_000_000_000  # xAI


def reported_cost(body: object, headers: Mapping[str, str], provider: str) -> tuple[Decimal | None, CostReason | None]:
    """Return the cost in USD that the provider itself reports, None when it reports none, and why one was refused.

    OpenRouter's and Perplexity's `usage.cost`, xAI's ticks, and LiteLLM's header, whichever provider is behind it.
    A zero in that header is no cost: LiteLLM writes it for models whose price it does not know. What is no amount of
    money (negative, not finite, absurdly long) is refused, and never becomes one.
    """
    try:
        usage = body.get("usage") if isinstance(body, dict) else None
        reader = _COSTS.get(provider)
        costs = [*(reader(usage) if reader and isinstance(usage, dict) else ()), _in_header(headers)]
        is_fee = provider == "openrouter" and isinstance(usage, dict) and _is_fee_alone(usage)
    except Exception:  # noqa: BLE001
        return None, None
    found = [cost for cost in costs if cost is not None]
    usd = next((cost for cost in found if cost is not _REFUSED), None)
    if is_fee and not found:
        return None, CostReason.REPORTED_FEE_ALONE
    return usd, CostReason.REPORTED_COST_INVALID if usd is None and found else None


_REFUSED: Final = Decimal("NaN")
"""Stands for a cost that is said and is no amount."""


def _openrouter(usage: _Json) -> Iterator[Decimal | None]:
    cost = _money(usage.get("cost"))
    if cost is None or cost is _REFUSED or not usage.get("is_byok"):
        yield cost
        return
    # With a key of one's own, `cost` is OpenRouter's fee alone.
    upstream = _money(_field(usage, "cost_details", "upstream_inference_cost"))
    yield upstream if upstream is None or upstream is _REFUSED else EXACT.add(cost, upstream)


def _is_fee_alone(usage: _Json) -> bool:
    """Whether OpenRouter says what it takes itself, of a call with a key of one's own, and not what the call costs."""
    fee = _money(usage.get("cost"))
    upstream = _money(_field(usage, "cost_details", "upstream_inference_cost"))
    return bool(usage.get("is_byok")) and upstream is None and fee is not None and fee is not _REFUSED and fee > 0


def _x_ai(usage: _Json) -> Iterator[Decimal | None]:
    ticks = usage.get("cost_in_usd_ticks")
    exact = sanitize.number(ticks)
    yield _money(EXACT.divide(exact, _TICKS_PER_USD) if exact is not None else ticks)


def _perplexity(usage: _Json) -> Iterator[Decimal | None]:
    yield _money(_field(usage, "cost", "total_cost"))


_COSTS: Final[Mapping[str, Callable[[_Json], Iterator[Decimal | None]]]] = {
    "openrouter": _openrouter,
    "x_ai": _x_ai,
    "perplexity": _perplexity,
}


PROVIDERS: Final = frozenset(_COSTS)
"""Readers of the cost in a usage, by provider."""


def _in_header(headers: Mapping[str, str]) -> Decimal | None:
    value = headers.get(HEADER)
    cost = None if value in ("", "None") else _money(value)
    return cost if cost is None or cost is _REFUSED else cost or None


def _money(value: object) -> Decimal | None:
    """Return `value` as an amount, `_REFUSED` if it is none, None if nothing is said."""
    if value is None:
        return None
    amount = sanitize.money(value)
    return _REFUSED if amount is None else amount


def _field(usage: _Json, group: str, name: str) -> object:
    found = usage.get(group)
    return found.get(name) if isinstance(found, dict) else None
