"""What-if: the usage of a session, or of a selection of calls, at the prices of other models, tiers and windows.

Call by call, for a price may depend on the length of a call's context. Each alternative is compared on the calls that
have a cost both ways; every other call is named, with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs import pricing
from otel_costs.store.alternative import Alternative, Outcome, outcome
from otel_costs.store.line_sums import LineSums, as_recorded, place
from otel_costs.store.recorded_lines import RecordedLine
from otel_costs.store.rows import Row
from otel_costs.store.selected_calls import count, selected_calls
from otel_costs.store.selection import Selection
from otel_costs.store.settled_cost import was_settled
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MOST_ALTERNATIVES: Final = 16

Group = tuple[str, str, str, str, tuple[str, ...]]
"""Provider, model and operation of calls, why they have no cost the other way, and the units that lack a rate."""

_OTHERS: Final[Group] = ("", "", "", "others", ())
_NOT_RECORDED: Final = "unpriced_as_recorded"
"""Why a call is not compared that itself has no cost."""


class TooManyCallsError(ValueError):
    """The selection has more calls than were to be looked at; the message says how many."""


@dataclass(slots=True)
class _Group:
    calls: int = 0
    recorded_usd: Decimal = Decimal()


@dataclass(slots=True)
class _Compared:
    """An alternative beside what was recorded, over the calls that have a cost both ways."""

    alternative: Alternative
    priced_calls: int = 0
    estimated_calls: int = 0
    kept_calls: int = 0
    kept_usd: Decimal = Decimal()
    reserved_usd: Decimal = Decimal()
    lines: LineSums = field(default_factory=LineSums)
    recorded: LineSums = field(default_factory=LineSums)
    not_priced: dict[Group, _Group] = field(default_factory=dict)

    def add(self, row: Row, recorded: Sequence[RecordedLine], found: Outcome) -> None:
        """Count a call that is made otherwise."""
        usd = row["cost_usd"]
        if found.usd is None or usd is None:
            self._leave_out(row, found)
            return
        self.priced_calls += 1
        self.estimated_calls += found.estimated
        self.recorded.add_recorded(row["provider"], row["model"], recorded)
        provider = self.alternative.provider or row["provider"]
        model = self.alternative.model or row["model"]
        if row["reservation_id"] and found.reservation != row["reservation_id"]:
            self.reserved_usd = EXACT.add(self.reserved_usd, usd)
        if found.settled:
            # Shares of a month or an hour: nothing was multiplied to come to them.
            shares = [RecordedLine(line.unit, line.amount, None) for line in found.lines]
            self.lines.add_recorded(provider, model, shares or [RecordedLine("", found.usd, None)])
            return
        for line in found.lines:
            self.lines.add(provider, model, line)

    def keep(self, row: Row) -> None:
        """Count a call that stays as it is."""
        if row["cost_usd"] is None:
            self._leave_out(row, Outcome(None))
        else:
            self.kept_calls += 1
            self.kept_usd = EXACT.add(self.kept_usd, row["cost_usd"])

    def row(self) -> Row:
        """Return what was found; `differences` add up to `difference_usd`."""
        priced, recorded = self.lines.total(), self.recorded.total()
        return {
            "label": self.alternative.label(),
            "provider": self.alternative.provider,
            "model": self.alternative.model,
            "service_tier": self.alternative.service_tier,
            "processing": self.alternative.processing,
            "cost_usd": EXACT.add(priced, self.kept_usd),
            "recorded_usd": EXACT.add(recorded, self.kept_usd),
            "difference_usd": EXACT.subtract(priced, recorded),
            "priced_calls": self.priced_calls,
            "estimated_calls": self.estimated_calls,
            "kept_calls": self.kept_calls,
            "kept_usd": self.kept_usd,
            "reserved_usd": self.reserved_usd,
            "not_priced_calls": sum(one.calls for one in self.not_priced.values()),
            "lines": self.lines.rows(),
            "differences": self._differences(),
            "not_priced": self._not_priced(),
        }

    def _leave_out(self, row: Row, found: Outcome) -> None:
        reason = found.reason if found.usd is None and found.reason else row["cost_reason"] or _NOT_RECORDED
        key = row["provider"], row["model"], row["operation"], reason, found.units
        group = self.not_priced.setdefault(place(self.not_priced, key, _OTHERS), _Group())
        group.calls += 1
        group.recorded_usd = EXACT.add(group.recorded_usd, row["cost_usd"] or Decimal())

    def _differences(self) -> list[Row]:
        before, after = self.recorded.by_unit(), self.lines.by_unit()
        found = []
        for unit in dict.fromkeys((*before, *after)):
            was, would_be = before.get(unit, Decimal()), after.get(unit, Decimal())
            change = EXACT.subtract(would_be, was)
            if change:
                found.append({"unit": unit, "recorded_usd": was, "cost_usd": would_be, "difference_usd": change})
        return sorted(found, key=lambda row: (-abs(row["difference_usd"]), row["unit"]))

    def _not_priced(self) -> list[Row]:
        return [
            {
                "provider": provider,
                "model": model,
                "operation": operation,
                "reason": reason,
                "units": list(units),
                "call_count": group.calls,
                "recorded_usd": group.recorded_usd,
            }
            for (provider, model, operation, reason, units), group in sorted(
                self.not_priced.items(), key=lambda item: (-item[1].calls, item[0])
            )
        ]


def what_if(
    client: "Client",
    selection: Selection,
    alternatives: Sequence[Alternative],
    *,
    session: str | None = None,
    at: datetime | None = None,
    most: int | None = None,
) -> Row:
    """Return what the calls of a selection, or of a `session` among them, cost, and would have cost.

    `recorded` is what they cost, with its lines; `other_price_calls` of them have a cost that does not come of the
    prices that are known here, as one that the provider told. `alternatives` are in the order in which they were given.
    `at` is when they would have been made, for the prices of that time; None is when each was. Raises TooManyCallsError
    where there are more calls than `most`, ValueError for more alternatives than MOST_ALTERNATIVES, StoreError.
    """
    if len(alternatives) > MOST_ALTERNATIVES:
        raise ValueError(f"{len(alternatives)} alternatives: give {MOST_ALTERNATIVES} at most")
    if most is not None and (calls := count(client, selection, session=session)) > most:
        raise TooManyCallsError(f"these are {calls:,} calls, and {most:,} are looked at at most: give a shorter time")
    compared = [_Compared(alternative) for alternative in alternatives]
    recorded, total, calls, unpriced, others = LineSums(), Decimal(), 0, 0, 0
    for row in selected_calls(client, selection, session=session):
        calls += 1
        unpriced += row["cost_usd"] is None
        total = EXACT.add(total, row["cost_usd"] or Decimal())
        lines = as_recorded(row)
        others += any(line.of is None for line in lines) and not was_settled(row)
        recorded.add_recorded(row["provider"], row["model"], lines)
        for one in compared:
            if one.alternative.takes(row, selection.operation):
                one.add(row, lines, outcome(row, one.alternative, at=at))
            else:
                one.keep(row)
    return {
        "since": selection.since,
        "until": selection.until,
        "tz": selection.tz.key,
        "session_id": session,
        "prices_at": at,
        "price_book": pricing.current().version,
        "recorded": {
            "call_count": calls,
            "unpriced_calls": unpriced,
            "other_price_calls": others,
            "cost_usd": total,
            "lines": recorded.rows(),
        },
        "alternatives": [one.row() for one in compared],
    }
