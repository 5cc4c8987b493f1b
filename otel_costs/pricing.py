"""Usage, model and time to cost: exact, line by line, with what could not be priced said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Final

from otel_costs.usage import Usage

PRICED: Final = "priced"
PARTIAL: Final = "partial"
UNPRICED: Final = "unpriced"
ESTIMATED: Final = "estimated"

_MONEY: Final = Decimal("1e-12")
_EXACT: Final = Context(prec=60)


@dataclass(frozen=True, slots=True)
class Line:
    """One unit's share of a cost: `amount` = `quantity` × `rate` / `per` × `multiplier`, in the cost's currency."""

    unit: str
    quantity: int | Decimal
    rate: Decimal
    per: int
    amount: Decimal
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a usage costs. `total` is None when no rate is known; with status `partial` it is a lower bound."""

    total: Decimal | None
    status: str
    reason: str | None
    lines: tuple[Line, ...]
    price_id: str | None
    currency: str
    unpriced_units: tuple[str, ...]
    book: str


def price(
    usage: Usage | Mapping[str, object],
    *,
    provider: str,
    model: str,
    at: datetime | None = None,
    service_tier: str | None = None,
    processing: str | None = None,
    endpoint: str | None = None,
    deployment: str | None = None,
    prices: object = None,
) -> Cost:
    """Return what `usage` costs. First cut: the standard prices of genai-prices, text only."""
    from genai_prices.data import providers  # noqa: PLC0415

    usage = usage if isinstance(usage, Usage) else Usage.of(usage)
    ids = {"azure.ai.openai": "azure"}
    source = next((p for p in providers if p.id == ids.get(provider, provider)), None)
    info = source.find_model(model, all_providers=providers) if source else None
    if info is None:
        return Cost(None, UNPRICED, "unknown_model", (), None, "USD", tuple(usage.quantities), "genai-prices-0.2.3")
    rates = info.get_prices(at or datetime.now(UTC)).__dict__
    lines = []
    for unit, key in (("input_tokens", "input_mtok"), ("output_tokens", "output_mtok")):
        rate = rates.get(key)
        if unit in usage.quantities and isinstance(rate, Decimal):
            quantity = usage.quantities[unit]
            amount = _EXACT.quantize(_EXACT.divide(_EXACT.multiply(rate, quantity), 1000000), _MONEY)
            lines.append(Line(unit, quantity, rate, 1000000, amount))
    total = sum((line.amount for line in lines), Decimal(0))
    return Cost(total, PRICED, None, tuple(lines), f"genai-prices:{info.id}", "USD", (), "genai-prices-0.2.3")
