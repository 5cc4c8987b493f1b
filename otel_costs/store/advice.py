"""Advice from figures: what a period would have cost in other ways, call by call, and only where it would cost less."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs import pricing
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.store.alternative import Alternative, Outcome, outcome
from otel_costs.store.ideas import COLUMNS, IDEAS, WINDOW, Idea
from otel_costs.store.line_sums import place
from otel_costs.store.rows import Row
from otel_costs.store.selected_calls import selected_calls
from otel_costs.store.selection import Selection
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_Key = tuple[str, str, str, str]
"""Provider, model, operation, and what the calls would have been."""

_AS_IT_WAS: Final = Alternative()
_OTHERS: Final[_Key] = ("", "", "", "others")


@dataclass(slots=True)
class _Saved:
    calls: int = 0
    estimated: int = 0
    recorded_usd: Decimal = Decimal()
    usd: Decimal = Decimal()


@dataclass(slots=True)
class _Found:
    """What an idea comes to: by group of calls, with the calls of which no price tells."""

    idea: Idea
    groups: dict[_Key, _Saved] = field(default_factory=dict)
    not_priced_calls: int = 0

    def add(self, row: Row) -> None:
        """Count a call, if the idea is for it."""
        found = None
        for way in self.idea.of(row):
            found = outcome(row, way.alternative, used=way.used) if way.made else Outcome(Decimal())
            if found.usd is not None:
                key = row["provider"], row["model"], row["operation"], way.to
                saved = self.groups.setdefault(place(self.groups, key, _OTHERS), _Saved())
                saved.calls += 1
                saved.estimated += found.estimated
                saved.recorded_usd = EXACT.add(saved.recorded_usd, row["cost_usd"])
                saved.usd = EXACT.add(saved.usd, found.usd)
                return
        # That there is no smaller model is no price that is missing.
        self.not_priced_calls += found is not None and found.reason != CostReason.UNKNOWN_MODEL

    def row(self, total: Decimal) -> Row | None:
        """Return the advice over the groups that would have cost less; None where none would."""
        groups = [self._group(key, saved) for key, saved in self.groups.items() if saved.usd < saved.recorded_usd]
        if not groups:
            return None
        sums = {
            name: sum((row[name] for row in groups), Decimal()) for name in ("recorded_usd", "cost_usd", "saved_usd")
        }
        return {
            "idea": self.idea.name,
            "title": self.idea.title,
            **sums,
            "period_usd": EXACT.subtract(total, sums["saved_usd"]),
            "call_count": sum(row["call_count"] for row in groups),
            "estimated_calls": sum(row["estimated_calls"] for row in groups),
            "not_priced_calls": self.not_priced_calls,
            "how": self.idea.how,
            "limits": self.idea.limits,
            "by": sorted(groups, key=lambda row: (-row["saved_usd"], row["provider"], row["model"], row["to"])),
        }

    def _group(self, key: _Key, saved: _Saved) -> Row:
        provider, model, operation, to = key
        return {
            "provider": provider,
            "model": model,
            "operation": operation,
            "to": to,
            "call_count": saved.calls,
            "estimated_calls": saved.estimated,
            "recorded_usd": saved.recorded_usd,
            "cost_usd": saved.usd,
            "saved_usd": EXACT.subtract(saved.recorded_usd, saved.usd),
        }


def advice(client: "Client", selection: Selection) -> Row:
    """Return what a selection cost, and each way in which it would have cost less, the one that saves most first.

    Each is by itself: of a call that two are for, the savings do not add up. Calls whose cost does not come of the
    prices that are known here, as one that the provider told, are in none: `other_price_calls`. Raises StoreError.
    """
    found = [_Found(idea) for idea in IDEAS]
    total, calls, unpriced, others = Decimal(), 0, 0, 0
    for row in selected_calls(client, selection, where=WINDOW, more=COLUMNS):
        calls += 1
        if row["cost_usd"] is None:
            unpriced += 1
            continue
        total = EXACT.add(total, row["cost_usd"])
        if not row["cost_usd"]:
            continue
        if row["cost_source"] == "provider" or outcome(row, _AS_IT_WAS).usd != row["cost_usd"]:
            others += 1
            continue
        for one in found:
            one.add(row)
    listed = [advised for one in found if (advised := one.row(total)) is not None]
    return {
        "since": selection.since,
        "until": selection.until,
        "tz": selection.tz.key,
        "price_book": pricing.current().version,
        "cost_usd": total,
        "call_count": calls,
        "unpriced_calls": unpriced,
        "other_price_calls": others,
        "advice": sorted(listed, key=lambda row: (-row["saved_usd"], row["idea"])),
    }
