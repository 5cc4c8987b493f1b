"""Shared costs: what the values of a tag cost of their own, and the parts that they get of what is shared.

What is shared is split month by month, in the zone of the rules. The shares of a month are those of the whole month,
whatever part of it is asked for: a month is split in one way.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from otel_costs.chargeback import shares
from otel_costs.chargeback.rules import BY_SPEND, Allocation, Days, SharedCost, TagRules
from otel_costs.store import costs
from otel_costs.store.periods import month_of
from otel_costs.store.reports import COST, MEASURES, summed
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SHARED: Final = "shared_usd"
TOTAL: Final = "total_usd"

Key = tuple[int, date]
"""Which of the shared costs of a tag, and the first day of the month."""


@dataclass(frozen=True, slots=True)
class Splits:
    """What each shared cost of a tag is split by, in each month: weights of other values. Without any it stays."""

    rules: TagRules
    weights: Mapping[Key, Mapping[str, Decimal]]

    def key(self, value: str, day: date) -> Key | None:
        """Return what splits the spend of a value on a day; None where it is not shared, or no value gets a part."""
        for number, one in enumerate(self.rules.shared):
            if one.value == value and _holds(one.days, day):
                found = number, day.replace(day=1)
                return found if found in self.weights else None
        return None


def shared_by(selection: Selection, by: Sequence[str]) -> TagRules | None:
    """Return the rules of the tag that costs are split by, where it is one alone, and some of it is shared."""
    found = selection.allocation.of(by[0]) if selection.allocation and len(by) == 1 else None
    return found if found and found.shared else None


def report(
    client: "Client", selection: Selection, by: Sequence[str], limit: int, columns: Collection[str] = MEASURES
) -> Row:
    """Return what `costs.report` does; where it is by one tag, and some of that is shared, with the parts of each.

    Then a row has `shared_usd`, below 0 for what is split, and `total_usd`, which is `cost_usd` and that. Both add up:
    the one to nothing, the other to the total. Raises as `costs.report` does.
    """
    rules, allocation = shared_by(selection, by), selection.allocation
    if rules is None or allocation is None:
        return costs.report(client, selection, by, limit, columns)
    (name,) = by
    found = split_days(client, selection, allocation, rules, columns)
    listed = _limited(found, name, limit, columns)
    total = summed([costs.flat(row) for row in listed], columns)
    return {
        "since": selection.since,
        "until": selection.until,
        "tz": selection.tz.key,
        "by": list(by),
        "total": {**total, SHARED: Decimal(), TOTAL: total["cost_usd"]},
        "costs": listed,
    }


def split_days(
    client: "Client",
    selection: Selection,
    allocation: Allocation,
    rules: TagRules,
    columns: Collection[str] = MEASURES,
) -> list[Row]:
    """Return a row for each value of the tag, without a limit, the dearest first: see `report`. Raises StoreError."""
    name = f"{costs.TAG}{rules.tag}"
    days = costs.costs(client, replace(selection, tz=allocation.zone), ("day", name), columns=columns)
    splits = splits_of(client, selection, allocation, rules, days)
    parts = parts_of(splits, [(row[name], date.fromisoformat(row["day"]), row["cost_usd"]) for row in days])
    own: dict[str, list[Row]] = {value: [] for value in parts}
    for row in days:
        own.setdefault(row[name], []).append(costs.flat(row))
    found = [_row(name, value, summed(listed, columns), parts.get(value, Decimal())) for value, listed in own.items()]
    return sorted(found, key=lambda row: (-row[TOTAL], -row["cost_usd"], row[name]))


def parts_of(splits: Splits, spent: Sequence[tuple[str, date, Decimal]]) -> dict[str, Decimal]:
    """Return what each value gets of what is shared, below 0 for what is split; they add up to nothing.

    `spent` is what each value cost on a day, in the zone of the rules.
    """
    pools: dict[Key, Decimal] = defaultdict(Decimal)
    found: dict[str, Decimal] = defaultdict(Decimal)
    for value, day, usd in spent:
        if (key := splits.key(value, day)) is not None:
            pools[key] += usd
            found[value] -= usd
    for key, usd in pools.items():
        weights = splits.weights[key]
        for value, part in zip(weights, shares.apportion(usd, list(weights.values())), strict=True):
            found[value] += part
    return dict(found)


def splits_of(
    client: "Client", selection: Selection, allocation: Allocation, rules: TagRules, days: Sequence[Row] | None = None
) -> Splits:
    """Return what the shared costs of a period are split by. Raises StoreError.

    `days` are the costs of `selection` by day and value, if they are known: they need not be asked for again where
    they are of whole months, and of all.
    """
    name = f"{costs.TAG}{rules.tag}"
    whole = _whole_months(selection, allocation.zone)
    if days is None or selection.filters or (whole.since, whole.until) != (selection.since, selection.until):
        days = costs.costs(client, whole, ("day", name), columns=COST)
    shared = {one.value for one in rules.shared}
    weights: dict[Key, Mapping[str, Decimal]] = {}
    for number, one in enumerate(rules.shared):
        spent: dict[date, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for row in days:
            day = date.fromisoformat(row["day"])
            if _holds(one.days, day):
                spent[day.replace(day=1)][row[name]] += row["cost_usd"]
        for month, of in spent.items():
            if found := _weights(one, {value: usd for value, usd in of.items() if value and value not in shared}):
                weights[number, month] = found
    return Splits(rules, weights)


def _weights(shared: SharedCost, spent: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return what a shared cost of a month is split by, in the order of names; nothing where no value gets a part."""
    if shared.shares:
        found = dict(shared.shares)
    else:
        values = spent if shared.among is None else shared.among
        by_spend = shared.split == BY_SPEND
        found = {value: max(spent.get(value, Decimal()), Decimal()) if by_spend else Decimal(1) for value in values}
    return {value: weight for value, weight in sorted(found.items()) if weight}


def _holds(days: Days, day: date) -> bool:
    return (days.first is None or days.first <= day) and (days.last is None or day <= days.last)


def _whole_months(selection: Selection, zone: ZoneInfo) -> Selection:
    """Return the selection of everything in the months that a period touches, in `zone`."""
    since = selection.since and month_of(selection.since, zone)[0]
    until = selection.until and month_of(selection.until - timedelta(microseconds=1), zone)[1]
    return Selection(since=since, until=until, tz=zone, allocation=selection.allocation)


def _row(name: str, value: str, own: Row, part: Decimal) -> Row:
    return {name: value, **own, SHARED: part, TOTAL: own["cost_usd"] + part}


def _limited(found: list[Row], name: str, limit: int, columns: Collection[str]) -> list[Row]:
    """Return the first rows, and the others as one."""
    first, rest = found[:limit], found[limit:]
    if not rest:
        return first
    sums = {column: sum((row[column] for row in rest), Decimal()) for column in (SHARED, TOTAL)}
    return [*first, {name: None, "others": len(rest), **summed([costs.flat(row) for row in rest], columns), **sums}]
