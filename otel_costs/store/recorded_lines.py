"""The lines of a recorded call, with quantity and rate: what was multiplied to come to an amount."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from otel_costs.pricing import Line
from otel_costs.store import stored_call

_ORDER: Final = ("input", "cache", "output")


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """An amount of a call, in dollars. `of` is how it comes about, None where the prices known here do not give it."""

    unit: str
    usd: Decimal
    of: Line | None


def recorded_lines(call: Mapping[str, Any]) -> Iterator[RecordedLine]:
    """Yield the lines of `call`, a row of the store: what went in, what was cached, what came out, and the rest.

    The ledger has amounts, not rates. Prices may have changed since, or have come from a file that is not here:
    quantity and rate are said only where they come to the same amount to the last digit.
    """
    again = {line.unit: line for line in _price_again(call)}
    for unit in sorted(call["cost_lines"], key=_place):
        usd, line = call["cost_lines"][unit], again.get(unit)
        yield RecordedLine(unit, usd, line if line is not None and line.amount == usd else None)


def _place(unit: str) -> tuple[int, str]:
    kind = unit.partition("_")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER), unit


def _price_again(call: Mapping[str, Any]) -> tuple[Line, ...]:
    cost = stored_call.cost(call)
    return cost.lines if cost else ()
