"""spread(): shares that add up to the amount, to the last digit."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.pricing.spread import Spread, spread

AMOUNTS = st.decimals(0, 10**12, places=12, allow_nan=False)
WEIGHTS = st.lists(st.decimals(0, 10**9, places=9, allow_nan=False), min_size=1, max_size=60)


@given(AMOUNTS, WEIGHTS)
def test_shares_add_up_and_are_in_proportion(amount: Decimal, weights: list[Decimal]) -> None:
    """Each is less than a unit of the last digit away from the exact share, and none is negative."""
    shares = spread(amount, weights)
    assert sum(map(Fraction, shares)) == Fraction(amount)
    whole = sum(map(Fraction, weights))
    for share, weight in zip(shares, weights, strict=True):
        exact = Fraction(amount) * Fraction(weight) / whole if whole else Fraction(amount) / len(weights)
        assert share >= 0
        assert abs(Fraction(share) - exact) <= Fraction(1, 10**12)
        assert share.as_tuple().exponent == -12


@given(AMOUNTS, WEIGHTS)
def test_the_same_weights_have_the_same_shares(amount: Decimal, weights: list[Decimal]) -> None:
    """One by one or all at once."""
    whole = Decimal(sum(map(Fraction, weights)).numerator) / sum(map(Fraction, weights)).denominator
    if not whole:
        return
    spreading = Spread(amount, whole)
    assert [spreading.share(weight) for weight in weights] == spread(amount, weights)


def test_a_dollar_in_three() -> None:
    """Worked out by hand: 0.333333333333, 0.666666666667 less that, and what is left of one."""
    assert list(map(str, spread(Decimal(1), [Decimal(1)] * 3))) == [
        "0.333333333333",
        "0.333333333334",
        "0.333333333333",
    ]


def test_nothing_to_spread_over() -> None:
    """Without calls there are no shares; without a weight there is an error, and no division by zero."""
    assert spread(Decimal(1), []) == []
    with pytest.raises(ValueError, match="cannot be spread"):
        Spread(Decimal(1), Decimal(0))
    with pytest.raises(ValueError, match="cannot be spread"):
        Spread(Decimal(-1), Decimal(1))
