"""Dollars as an application gives them, and as the log shows them: exact."""

from decimal import Decimal

from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize


def given(name: str, value: object) -> Decimal | None:
    """Return an amount that an application gives as the argument `name`; None is none. Raises ValueError."""
    amount = sanitize.number(value)
    if amount is None and value is not None:
        raise ValueError(f"{name} is {value!r}: give dollars, such as Decimal('0.50'), or None for no limit")
    return amount


def money(amount: Decimal) -> str:
    """Write exactly, with at least six decimals."""
    text = f"{amount.normalize(EXACT):f}"
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals:0<6}"
