"""What cached tokens saved: what they would have cost as fresh input at the same price, less what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import stored_call
from otel_costs.store.alternative import Alternative, outcome
from otel_costs.store.line_sums import place
from otel_costs.store.rows import Row
from otel_costs.store.selected_calls import count, selected_calls
from otel_costs.store.selection import Selection
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_CACHED: Final = " and c.cached_input > 0"
_AS_IT_WAS: Final = Alternative()

# Why a call is not counted, where no reason of its cost says so.
_TOLD: Final = "cost_of_the_provider"
_OTHER_PRICE: Final = "other_price_here"
_NO_TOTAL: Final = "input_not_told"
_TOO_MANY: Final = "too_many_calls"
_OTHERS: Final = ("", "", "others")


@dataclass(slots=True)
class _Left:
    calls: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Savings:
    """What the cache saved, in US dollars, over the calls of which it is known; `left_out` are the others."""

    usd: Decimal = Decimal()
    calls: int = 0
    left_out: dict[tuple[str, str, str], _Left] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count a call that read from a cache."""
        found = saved(row)
        if isinstance(found, str):
            key = row["provider"], row["model"], found
            left = self.left_out.setdefault(place(self.left_out, key, _OTHERS), _Left())
            left.calls += 1
            left.tokens += row["cached_input"]
        else:
            self.calls += 1
            self.usd = EXACT.add(self.usd, found)

    def row(self) -> Row:
        """Return what was found; `saved_usd` is None where no call tells."""
        return {
            "saved_usd": self.usd if self.calls or not self.left_out else None,
            "counted_calls": self.calls,
            "not_counted_calls": sum(left.calls for left in self.left_out.values()),
            "not_counted": [
                {
                    "provider": provider,
                    "model": model,
                    "reason": reason,
                    "call_count": left.calls,
                    "cached_tokens": left.tokens,
                }
                for (provider, model, reason), left in sorted(
                    self.left_out.items(), key=lambda item: (-item[1].calls, item[0])
                )
            ],
        }


def savings(client: "Client", selection: Selection, *, most: int | None = None) -> Row:
    """Return what the cache saved the calls of a selection.

    More calls than `most` that read from a cache are not looked at: none of them counts then, and `not_counted` has
    `most` + 1 of them. Raises StoreError.
    """
    if most is not None and (calls := count(client, selection, where=_CACHED, most=most)) > most:
        return Savings(left_out={("", "", _TOO_MANY): _Left(calls)}).row()
    found = Savings()
    for row in selected_calls(client, selection, where=_CACHED):
        found.add(row)
    return found.row()


def saved(row: Mapping[str, Any]) -> Decimal | str:
    """Return what the cache saved a call, in US dollars, or why that cannot be told."""
    if row["cost_source"] == "provider":
        return _TOLD
    did = outcome(row, _AS_IT_WAS)
    if row["cost_usd"] is None or did.usd is None:
        return row["cost_reason"] or did.reason
    if did.usd != row["cost_usd"]:
        return _OTHER_PRICE
    used = fresh(stored_call.usage(row))
    if used is None:
        return _NO_TOTAL
    would = outcome(row, _AS_IT_WAS, used=used)
    return would.reason if would.usd is None else EXACT.subtract(would.usd, did.usd)


def fresh(used: Usage) -> Usage | None:
    """Return a usage with nothing of it read from a cache; None where its input is not told as a whole."""
    read = {unit for unit in used.quantities if unit.startswith("cache_") and unit.endswith("read_tokens")}
    most = max((used.quantities[unit] for unit in read), default=0)
    if used.quantities.get("input_tokens", 0) < most:
        return None
    left = {unit: quantity for unit, quantity in used.quantities.items() if unit not in read}
    return Usage(left, used.invalid, used.estimated, used.unknown)
