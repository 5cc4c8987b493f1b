"""Usage at rates to cost: disjoint lines that add up to the total.

Quantities come inclusive of their parts, and a line must not charge what another one charges. What is left of each unit
without its parts is a sum of the reported quantities, the same one for every call that reports the same units: it is
worked out once per set of units and kept with the rates. A call's cost is then a few exact multiplications.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.plan import Plan, Quantity, plan_of, quantity_of
from otel_costs.pricing.rates import (
    Rates,
    band,
)
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT
from otel_costs.usage.units import UNITS

__all__ = [
    "CURRENCY",
    "ESTIMATED",
    "PARTIAL",
    "PRICED",
    "UNPRICED",
    "Contracted",
    "Cost",
    "Line",
    "cost_of",
]

PRICED: Final = "priced"
PARTIAL: Final = "partial"
UNPRICED: Final = "unpriced"
ESTIMATED: Final = "estimated"

CURRENCY: Final = "USD"

_MONEY: Final = Decimal("1e-12")
_ZERO: Final = Decimal("0e-12")
_MAX_PLANS: Final = 256

# Looked up once: this runs in the user's call.
_multiply, _divide, _add, _quantize = EXACT.multiply, EXACT.divide, EXACT.add, EXACT.quantize


@dataclass(frozen=True, slots=True)
class Line:
    """One unit's share of a cost: `amount` = `quantity` × `rate` / `per` × `multiplier`, in the cost's currency.

    `quantity` is what other lines do not charge: of 11,000 input tokens with 10,000 of audio, 1,000 are on the line
    `input_tokens`.
    """

    unit: str
    quantity: Quantity
    rate: Decimal
    per: int
    amount: Decimal
    multiplier: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Contracted:
    """The contract that a cost is billed by, and what it would be without.

    `amount` is the cost in the contract's `currency` (ISO 4217), None where no rate of exchange is known. `list_usd` is
    that of the list, or the contract's where no list has a price. `contracted_usd` is the cost by the contract's prices
    and discounts, as if nothing were reserved; `reservation` is what was reserved and covers the call, empty where
    nothing does; `discount` names the one that it has. `reason` is why the cost is an estimate until the month is
    settled. Amounts are None where there is no price.
    """

    id: str
    currency: str
    amount: Decimal | None
    list_usd: Decimal | None
    contracted_usd: Decimal | None
    reservation: str = ""
    reason: CostReason | None = None
    discount: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a usage costs, in `currency`; amounts have twelve decimal places.

    `status` is one of four: `priced`; `partial`, where a quantity has no rate or is unknown, and `total` is a lower
    bound; `estimated`, where a quantity or a rate is an estimate; `unpriced`, where `total` is None, never 0. `reason`
    is None for `priced` alone.
    """

    total: Decimal | None
    status: str
    reason: CostReason | None
    lines: tuple[Line, ...]
    price_id: str | None
    currency: str
    unpriced_units: tuple[str, ...]
    book: str
    unknown: tuple[str, ...] = ()
    """Keys of the usage that are no unit, no part of one and not known to be free; and units of an application's own
    that have no rate."""
    contract: Contracted | None = None
    """The contract that `total` is by; None where it is the list price."""

    @property
    def list_usd(self) -> Decimal | None:
        """What the usage costs at list prices, without any contract."""
        return self.contract.list_usd if self.contract else self.total


def cost_of(usage: Usage, rates: Rates, book: str) -> Cost:
    """Return what `usage` costs at `rates` from the price book of version `book`."""
    if rates.price_id is None:
        return _unpriced(usage, rates, book, CostReason.UNKNOWN_MODEL)
    quantities = usage.quantities
    if not quantities:
        return _unpriced(usage, rates, book, _why_nothing(usage))
    above, priced = rates.bands[0]
    requests = quantities.get("requests", 0 if usage.several else 1)
    if len(rates.bands) > 1:
        entered = quantities.get("input_tokens", 0)
        if requests != 1:
            entered = EXACT.divide(entered, requests) if requests else 0  # a threshold is for each prompt
        above, priced = band(rates.bands, entered)
    units = tuple([unit for unit, quantity in quantities.items() if quantity or unit in rates.telling])
    plan = rates.plans.get((above, units))
    if plan is None:
        plan = plan_of(units, priced, rates)
        if len(rates.plans) >= _MAX_PLANS:
            rates.plans.clear()
        rates.plans[above, units] = plan
    found = _carry_out(plan, usage, rates, book)
    if requests != 1 and found.status == PRICED and _depends_on_each(plan, usage, rates):
        return replace(found, status=ESTIMATED, reason=CostReason.SEVERAL_REQUESTS)
    return found


def _depends_on_each(plan: Plan, usage: Usage, rates: Rates) -> bool:
    """Whether several requests may cost otherwise than one that is as large as they are together."""
    quantities = usage.quantities
    if len(rates.bands) > 1 and quantities.get("input_tokens", 0) > rates.bands[1][0]:
        return True
    charges = [charge for charge in plan.charges if charge.rate.usd]
    if any(charge.rate.minimum > 0 and quantity_of(charge.terms, quantities) > 0 for charge in charges):
        return True
    return "requests" not in quantities and any(charge.unit == "requests" for charge in charges)


def _carry_out(plan: Plan, usage: Usage, rates: Rates, book: str) -> Cost:
    quantities = usage.quantities
    lines: list[Line] = []
    total = _ZERO
    overdrawn = False
    for unit, rate, factor, divisor, only, terms, constant in plan.charges:
        quantity = quantities[only] if only is not None else quantity_of(terms, quantities) + constant
        if quantity <= 0:
            overdrawn = overdrawn or quantity < 0
            continue
        if quantity < rate.minimum:
            quantity = rate.minimum
        amount = _multiply(factor, quantity)
        amount = _quantize(amount if divisor == 1 else _divide(amount, divisor), _MONEY)
        total = _add(total, amount)
        lines.append(Line(unit, quantity, rate.usd, rate.per, amount, rate.multiplier))
    if overdrawn and (reconciled := _reconciled(plan, usage)):
        return _at_least_estimated(cost_of(reconciled, rates, book), CostReason.OVERLAP_UNKNOWN)
    unpriced: tuple[str, ...] = ()
    if plan.uncovered:
        unpriced = tuple(unit for unit, terms in plan.uncovered if quantity_of(terms, quantities) > 0)
    status, reason = PRICED, None
    unknown = _unknown(usage, unpriced) if unpriced or usage.unknown else ()
    if unpriced or usage.unknown or usage.invalid or rates.reason or plan.doubts or usage.estimated or overdrawn:
        status, reason = _judge(plan, usage, rates, unpriced, overdrawn)
    if not lines:
        if unpriced:
            return _unpriced(usage, rates, book, _why_unpriced(unpriced), unpriced)
        lines = _known_zeros(usage, rates)
    return Cost(total, status, reason, tuple(lines), rates.price_id, CURRENCY, unpriced, book, unknown)


def _unknown(usage: Usage, unpriced: tuple[str, ...]) -> tuple[str, ...]:
    return usage.unknown + tuple(unit for unit in unpriced if unit not in UNITS and unit not in usage.unknown)


def _why_unpriced(units: tuple[str, ...]) -> CostReason:
    return CostReason.UNIT_NOT_PRICED if any(unit in UNITS for unit in units) else CostReason.UNKNOWN_USAGE


def _known_zeros(usage: Usage, rates: Rates) -> list[Line]:
    """Return the lines of a usage that is known to be nothing."""
    charges = plan_of(tuple(usage.quantities), rates.bands[0][1], rates).charges
    return [Line(charge.unit, 0, charge.rate.usd, charge.rate.per, _ZERO, charge.rate.multiplier) for charge in charges]


def _why_nothing(usage: Usage) -> CostReason:
    if usage.unknown:
        return CostReason.UNKNOWN_USAGE
    return CostReason.INVALID_USAGE if usage.invalid else CostReason.NO_USAGE


def _judge(
    plan: Plan, usage: Usage, rates: Rates, unpriced: tuple[str, ...], overdrawn: bool
) -> tuple[str, CostReason | None]:
    """Return status and reason, the gravest ones first."""
    if unpriced:
        return PARTIAL, _why_unpriced(unpriced)
    if usage.unknown:
        return PARTIAL, CostReason.UNKNOWN_USAGE
    if usage.invalid:
        refused = any(unit not in usage.quantities for unit in usage.invalid)
        return PARTIAL if refused else ESTIMATED, CostReason.INVALID_USAGE
    if overdrawn:
        return ESTIMATED, CostReason.INVALID_USAGE
    if rates.reason:
        return ESTIMATED, rates.reason
    for reason, parts in plan.doubts:
        if all(quantity_of(terms, usage.quantities) > 0 for terms in parts):
            return ESTIMATED, reason
    return (ESTIMATED, CostReason.USAGE_ESTIMATED) if usage.estimated else (PRICED, None)


def _reconciled(plan: Plan, usage: Usage) -> Usage | None:
    """Return `usage` with the least overlap of two of its parts that lets no line be negative; None if none does.

    Cached tokens and audio tokens may be more together than all input tokens, where the provider does not say how many
    were both: those that are too many must have been.
    """
    quantities = usage.quantities
    excess = -min(quantity_of(charge.terms, quantities) for charge in plan.charges)
    for unit, one, other in plan.overlaps:
        overlap = min(excess, quantity_of(one, quantities), quantity_of(other, quantities))
        if overlap > 0:
            return replace(usage, quantities={**quantities, unit: overlap})
    return None


def _at_least_estimated(cost: Cost, reason: CostReason) -> Cost:
    return replace(cost, status=ESTIMATED, reason=reason) if cost.status in (PRICED, ESTIMATED) else cost


def _unpriced(usage: Usage, rates: Rates, book: str, reason: CostReason, units: tuple[str, ...] | None = None) -> Cost:
    if units is None:
        units = tuple(unit for unit, quantity in usage.quantities.items() if quantity)
    unknown = _unknown(usage, units if reason != CostReason.UNKNOWN_MODEL else ())
    return Cost(None, UNPRICED, reason, (), rates.price_id, CURRENCY, units, book, unknown)
