"""Lines of many calls added up: quantity × rate, by model and unit and rate, in a bounded number of rows."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeVar

from otel_costs.pricing import Line
from otel_costs.store.recorded_lines import RecordedLine, recorded_lines
from otel_costs.store.rows import Row
from otel_costs.usage.numbers import EXACT

MOST: Final = 500
"""Rows of a sum. What is beyond them, which the price lists alone never are, is together in one more."""

Key = tuple[str, str, str, Decimal | None, int | None, Decimal | None]
"""Provider, model, unit, and rate in dollars, per, multiplier; None where what was multiplied is not known."""

_OTHERS: Final[Key] = ("", "", "others", None, None, None)

_K = TypeVar("_K", bound=Hashable)


@dataclass(slots=True)
class _Sum:
    quantity: int | Decimal | None = 0
    usd: Decimal = Decimal()
    calls: int = 0


@dataclass(slots=True)
class LineSums:
    """Sums of lines, in US dollars, exact: each is the sum of its calls' amounts, of twelve decimals each."""

    sums: dict[Key, _Sum] = field(default_factory=dict)

    def add(self, provider: str, model: str, line: Line) -> None:
        """Count a line of a call that `model` of `provider` answers."""
        self._add((provider, model, line.unit, line.rate, line.per, line.multiplier), line.quantity, line.amount)

    def add_recorded(self, provider: str, model: str, lines: Iterable[RecordedLine]) -> None:
        """Count the lines of a call as it was recorded."""
        for line in lines:
            if line.of is None:
                self._add((provider, model, line.unit, None, None, None), None, line.usd)
            else:
                self.add(provider, model, line.of)

    def by_unit(self) -> dict[str, Decimal]:
        """Return the sums by unit alone."""
        found: dict[str, Decimal] = {}
        for key, one in self.sums.items():
            found[key[2]] = EXACT.add(found.get(key[2], Decimal()), one.usd)
        return found

    def total(self) -> Decimal:
        """Return the sum of all."""
        found = Decimal()
        for one in self.sums.values():
            found = EXACT.add(found, one.usd)
        return found

    def rows(self) -> list[Row]:
        """Return a row for each line, the dearest first."""
        found = sorted(self.sums.items(), key=lambda item: (-item[1].usd, *map(str, item[0])))
        return [
            {
                "provider": provider,
                "model": model,
                "unit": unit,
                "quantity": one.quantity,
                "rate_usd": rate,
                "per": per,
                "multiplier": None if multiplier is None else f"{multiplier:f}",
                "amount_usd": one.usd,
                "call_count": one.calls,
            }
            for (provider, model, unit, rate, per, multiplier), one in found
        ]

    def _add(self, key: Key, quantity: int | Decimal | None, usd: Decimal) -> None:
        of = place(self.sums, key, _OTHERS)
        one = self.sums.get(of)
        if one is None:
            one = self.sums[of] = _Sum()
        if of is _OTHERS or one.quantity is None or quantity is None:
            one.quantity = None
        else:
            one.quantity = _sum(one.quantity, quantity)
        one.usd = EXACT.add(one.usd, usd)
        one.calls += 1


def as_recorded(row: Mapping[str, Any]) -> tuple[RecordedLine, ...]:
    """Return the lines of a call as it was recorded; they add up to its cost.

    A cost without lines of its own, as its provider reported it, is one line without a unit. No cost has none.
    """
    if row["cost_usd"] is None:
        return ()
    return tuple(recorded_lines(row)) if row["itemized"] else (RecordedLine("", row["cost_usd"], None),)


def place(table: Mapping[_K, Any], key: _K, others: _K) -> _K:
    """Return the key under which something counts in a table of MOST rows: its own, or that of the others."""
    return key if key in table or len(table) < MOST else others


def _sum(one: int | Decimal, other: int | Decimal) -> int | Decimal:
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return EXACT.add(Decimal(one), Decimal(other))
