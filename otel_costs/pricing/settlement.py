"""What a month's or an hour's calls make of a discount by volume, and of what was reserved: to twelve decimals."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Final

from otel_costs.pricing.contract_terms import Discount, Reservation
from otel_costs.usage.numbers import EXACT

_MONEY: Final = Decimal("1e-12")
_ZERO: Final = Decimal("0e-12")
_HUNDRED: Final = Decimal(100)


def volume_discount(discount: Discount, base: Decimal, volume: Decimal) -> Decimal:
    """Return what a month of `volume` that costs `base` without the discount gets off.

    A tier is reached by more than its beginning. Of what is in a tier, `base` has the same share as `volume` has.
    """
    reached = [tier for tier in discount.tiers if volume > tier.above]
    if not reached:
        return _ZERO
    if discount.on_all:
        return money(EXACT.divide(EXACT.multiply(base, reached[-1].percent), _HUNDRED))
    ends = [*(high.above for _, high in pairwise(reached)), volume]
    weighted = Decimal(0)
    for tier, end in zip(reached, ends, strict=True):
        weighted = EXACT.add(weighted, EXACT.multiply(EXACT.subtract(end, tier.above), tier.percent))
    return money(EXACT.divide(EXACT.multiply(base, weighted), EXACT.multiply(volume, _HUNDRED)))


@dataclass(frozen=True, slots=True)
class Hour:
    """What an hour of a reservation costs, and what of it was used; in US dollars None where no rate is known."""

    amount: Decimal
    used: Decimal
    amount_usd: Decimal | None
    used_usd: Decimal | None


def reserved_hour(reservation: Reservation, usd: Decimal | None, used: Decimal, calls: int) -> Hour:
    """Return an hour of which `calls` used as much as `used`, at `usd` dollars for a unit of the contract's currency.

    Without a capacity an hour that has calls is used as a whole.
    """
    amount = money(reservation.per_hour)
    amount_usd = None if usd is None else money(EXACT.multiply(amount, usd))
    return Hour(
        amount,
        _part(amount, reservation.capacity, used, calls),
        amount_usd,
        None if amount_usd is None else _part(amount_usd, reservation.capacity, used, calls),
    )


def money(amount: Decimal) -> Decimal:
    """Return an amount of twelve decimals, half even."""
    return EXACT.quantize(amount, _MONEY)


def _part(amount: Decimal, capacity: Decimal | None, used: Decimal, calls: int) -> Decimal:
    if not calls:
        return _ZERO
    if capacity is None or used >= capacity:
        return amount
    return money(EXACT.divide(EXACT.multiply(amount, used), capacity))
