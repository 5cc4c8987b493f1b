"""Amounts split by shares: exact, the same every time, and nothing lost."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.chargeback.shares import apportion, spread
from tests.support.selection import examples

UNIT = Decimal("1e-12")

amounts = st.integers(0, 10**20).map(lambda n: Decimal(n).scaleb(-12))
weights = st.lists(st.integers(0, 10**15).map(lambda n: Decimal(n).scaleb(-9)), min_size=1, max_size=6).filter(any)


def test_by_hand() -> None:
    """What is left goes to those that lost most, of equals to the first."""
    third = [Decimal("0.333333333334"), Decimal("0.333333333333"), Decimal("0.333333333333")]
    assert apportion(Decimal(1), [Decimal(1)] * 3) == third
    assert apportion(Decimal(10), [Decimal(60), Decimal(40)]) == [Decimal(6), Decimal(4)]
    assert apportion(Decimal("0.000000000002"), [Decimal(1), Decimal(3), Decimal(0)]) == [UNIT, UNIT, 0]
    assert apportion(Decimal("-0.000000000001"), [Decimal(1), Decimal(1)]) == [0, -UNIT]


@given(amounts, weights)
@examples(500)
def test_parts_add_up(total: Decimal, shares: list[Decimal]) -> None:
    """To the last digit; each is less than a unit from its share, and what has no weight gets nothing."""
    parts = apportion(total, shares)
    assert sum(map(Fraction, parts)) == Fraction(total)
    for part, share in zip(parts, shares, strict=True):
        exact = Fraction(total) * Fraction(share) / sum(map(Fraction, shares))
        assert abs(Fraction(part) - exact) < Fraction(UNIT)
        assert part == 0 or share > 0


@given(st.lists(amounts, max_size=12), weights)
@examples(500)
def test_parts_of_several_add_up_both_ways(several: list[Decimal], shares: list[Decimal]) -> None:
    """Each amount is the sum of its parts, and each share gets of all what it would get of their sum."""
    parts = spread(several, shares)
    assert [sum(map(Fraction, row)) for row in parts] == [Fraction(amount) for amount in several]
    columns = [sum(Fraction(row[place]) for row in parts) for place in range(len(shares))]
    assert columns == [Fraction(part) for part in apportion(sum(several, Decimal()), shares)]
    assert all(part >= 0 for row in parts for part in row)


@pytest.mark.parametrize("shares", [[], [Decimal(0)], [Decimal(-1), Decimal(2)]])
def test_no_shares(shares: list[Decimal]) -> None:
    """Shares that say nothing are refused, and so is money that is no amount of the store."""
    with pytest.raises(ValueError, match="not all of them 0"):
        apportion(Decimal(1), shares)
    with pytest.raises(ValueError, match="12 decimals"):
        apportion(Decimal("1e-13"), [Decimal(1)])
