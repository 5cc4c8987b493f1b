"""Numbers of a usage, in whatever form a provider writes them."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import reduce
from numbers import Integral
from typing import Any, Final

from otel_costs.usage.units import SECONDS, WHOLES

LIMIT: Final = 10**15
"""Quantities of this and more are refused: no call uses so much, and a sum of them would not fit a column."""

SECONDS_LIMIT: Final = 10**9
"""The same of seconds, which have nine digits behind the point: it is more than thirty years."""

EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[DivisionByZero, InvalidOperation, Overflow])
"""The arithmetic of quantities and of money. Its methods are called, so that the ambient context, which is the
application's, is neither used nor changed. 60 digits hold 2**63 units at any rate that a price file may state."""

_MAX_WRITTEN: Final = 80  # characters; what is longer is no quantity, and slow to parse


_MILLI: Final = Decimal("0.001")


def quotient(dividend: Decimal | int, divisor: Decimal | int) -> Decimal:
    """Return `dividend` / `divisor`, whatever the application's own context is; raise ZeroDivisionError for zero."""
    return EXACT.divide(dividend, divisor)


def total(amounts: Iterable[Decimal | int]) -> Decimal:
    """Return the sum of amounts, all digits of it, whatever the application's own context is."""
    return reduce(EXACT.add, amounts, Decimal())


def to_milliseconds(seconds: Decimal) -> Decimal:
    """Return seconds, rounded to the millisecond, whatever the application's own context is."""
    return seconds.quantize(_MILLI, context=EXACT)


def number(value: Any) -> Decimal | None:
    """Return a finite number exactly, None if `value` is none; `"12"` and `12.0` are 12.

    `"1_0"` is none: Python reads it as 10, and no provider writes a number like that.
    """
    if isinstance(value, bool) or not isinstance(value, Integral | float | str | Decimal):
        return None
    try:
        written = str(value)
        found = Decimal(written) if len(written) <= _MAX_WRITTEN and "_" not in written else None
    except (InvalidOperation, ValueError):
        return None
    return found if found is not None and found.is_finite() else None


def whole(unit: str, value: Any) -> Any:
    """Return a count of `unit` as an int, anything else as it is: it may be refused.

    None is an empty group in the place of a part, which Mistral writes where there is none.
    """
    if unit in WHOLES and (value == {} or value == []):
        return None
    if unit in SECONDS:
        return value
    found = number(value)
    return int(found) if found is not None and -LIMIT < found < LIMIT and found == int(found) else value


def is_number(value: Any) -> bool:
    """Return whether `value` is a number that is not zero, also one that `number` takes for none: not finite, `1_0`."""
    if type(value) is int:
        return value != 0
    if isinstance(value, float | Decimal):
        return not value == 0  # noqa: SIM201  # NaN
    if isinstance(value, str):
        value = value.replace(",", "").replace("_", "")  # of thousands
    return bool(number(value))


def is_within(part: Any, of: Any) -> bool:
    """Return whether `part` is a number that is not zero, and no more than `of`."""
    if type(part) is int and type(of) is int:
        return 0 < part <= of
    found, limit = number(part), number(of)
    return found is not None and limit is not None and 0 < found <= limit
