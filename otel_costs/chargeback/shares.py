"""Amounts split by shares, to the last digit: the parts add up to the whole, and the same is always split alike.

By largest remainder (Hamilton's method): each gets its share rounded down to the last of twelve decimals, and what is
left goes, a unit each, to those that lost most by it, of equals to the first.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Final

DECIMALS: Final = 12
"""Decimals of an amount, as the store has them."""

_UNIT: Final = 10**DECIMALS


def apportion(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Return the parts of an amount that stand to each other as `weights`, and add up to it.

    Weights are from 0 on, and not all of them 0. What has none gets nothing.
    """
    return [_amount(part) for part in _apportioned(_units(total), _integers(weights))]


def spread(amounts: Sequence[Decimal], weights: Sequence[Decimal]) -> list[list[Decimal]]:
    """Return the parts of each of several amounts, so that all parts of one weight add up to that of the sum.

    A row of parts for each amount, which add up to it; the columns add up to `apportion(sum(amounts), weights)`. No
    part of what is from 0 on is below 0.
    """
    whole, shares = [_units(amount) for amount in amounts], _integers(weights)
    total = sum(shares)
    parts = [[amount * share // total for share in shares] for amount in whole]
    wanted = _apportioned(sum(whole), shares)
    # Rounded down, all are too small: what the rows lack is what the columns lack, and goes where it lacks most.
    lacking = [wanted[place] - sum(row[place] for row in parts) for place in range(len(shares))]
    for amount, row in zip(whole, parts, strict=True):
        for _ in range(amount - sum(row)):
            place = max(range(len(shares)), key=lambda one: (lacking[one], -one))
            row[place] += 1
            lacking[place] -= 1
    return [[_amount(part) for part in row] for row in parts]


def _apportioned(total: int, shares: Sequence[int]) -> list[int]:
    whole = sum(shares)
    parts = [total * share // whole for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda place: (-(total * shares[place] % whole), place))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def _integers(weights: Sequence[Decimal]) -> list[int]:
    """Return numbers that stand to each other as `weights`."""
    if any(weight < 0 for weight in weights) or not any(weights):
        raise ValueError("shares are from 0 on, and not all of them 0")
    exact = [Fraction(weight) for weight in weights]
    common = lcm(*(one.denominator for one in exact))
    return [int(one * common) for one in exact]


def _units(amount: Decimal) -> int:
    found = Fraction(amount) * _UNIT
    if found.denominator != 1:
        raise ValueError(f"an amount has {DECIMALS} decimals at most")
    return found.numerator


def _amount(units: int) -> Decimal:
    sign, digits = ("-" if units < 0 else ""), f"{abs(units):0{DECIMALS + 1}d}"
    return Decimal(f"{sign}{digits[:-DECIMALS]}.{digits[-DECIMALS:]}")
