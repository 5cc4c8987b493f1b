"""An amount spread over calls: shares that add up to it, to the last digit.

A call gets what the rounded share of all calls up to it is more than that of all calls before it. So a share is less
than 1e-12 away from the exact one, none is negative, and nothing has to be in memory but the sum so far.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from otel_costs.usage.numbers import EXACT

_PLACES: Final = 12
"""Decimal places of money."""

_WEIGHT_PLACES: Final = 27
"""Decimal places of a weight that count: a quantity has nine at most, what it is multiplied by has eighteen."""


class Spread:
    """Spreads `amount` (not negative, of twelve decimal places) over weights that come to `weight` (more than zero)."""

    def __init__(self, amount: Decimal, weight: Decimal) -> None:
        """Raise ValueError where there is nothing to spread by, or where the amount is negative."""
        self._amount, self._whole = _digits(amount, _PLACES), _digits(weight, _WEIGHT_PLACES)
        if self._amount < 0 or self._whole <= 0:
            raise ValueError(f"{amount} cannot be spread over a weight of {weight}")
        self._weight_so_far = self._given = 0

    def share(self, weight: Decimal) -> Decimal:
        """Return the share of the next weight. Those of all of them add up to the amount."""
        self._weight_so_far += _digits(weight, _WEIGHT_PLACES)
        upto = (2 * self._amount * self._weight_so_far + self._whole) // (2 * self._whole)
        share, self._given = upto - self._given, upto
        return EXACT.scaleb(Decimal(share), -_PLACES)


def spread(amount: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Return the shares of `weights` in `amount`; equal ones where all weights are zero, none where there are none."""
    if not weights:
        return []
    given = weights if any(weights) else [Decimal(1)] * len(weights)
    whole = Decimal(0)
    for weight in given:
        whole = EXACT.add(whole, weight)
    spreading = Spread(amount, whole)
    return [spreading.share(weight) for weight in given]


def _digits(number: Decimal, places: int) -> int:
    return int(EXACT.scaleb(number, places))
