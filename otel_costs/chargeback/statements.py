"""Monthly statements: what each value of a tag cost, of its own and of what is shared, by model and by service."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from otel_costs.chargeback import shares
from otel_costs.chargeback.assignment import value_of
from otel_costs.chargeback.rules import TagRules
from otel_costs.chargeback.shared_costs import SHARED, TOTAL, Key, Splits, splits_of
from otel_costs.store import cost_parts, costs, reports
from otel_costs.store.periods import month, month_of
from otel_costs.store.reports import summed
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_calls
from otel_costs.usage import numbers
from otel_costs.values import sanitize

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

COLUMNS: Final = (
    "month", "tz", "value", "part", "name", "call_count", "unpriced_calls", "cost_usd", "shared_usd", "total_usd",
    "limit_usd",
)  # fmt: skip
"""The columns of statements as one table; `part` tells what a row is of."""

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {"by_model": ("provider", "model"), "by_service": ("service",)}
_WHOLE: Final[tuple[str, ...]] = ()

Name = tuple[str, ...]
"""What a row of a part is of: provider and model, or a service."""


@dataclass(slots=True)
class _Part:
    """What each value cost by something: its own rows, and what it gets of what is shared."""

    own: dict[str, dict[Name, list[Row]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    shared: dict[str, dict[Name, Decimal]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))

    def rows(self, value: str, names: Sequence[str]) -> list[Row]:
        """Return the rows of a value, the dearest first."""
        found = []
        for name in {**self.own[value], **self.shared[value]}:
            own, part = summed(self.own[value].get(name, [])), self.shared[value].get(name, Decimal())
            found.append(dict(zip(names, name, strict=True)) | own | {SHARED: part, TOTAL: own["cost_usd"] + part})
        return sorted(found, key=lambda row: (-row[TOTAL], -row["cost_usd"], *(row[name] for name in names)))


def last_month(tz: ZoneInfo, now: datetime | None = None) -> str:
    """Return the month before the current one, such as 2026-11."""
    first, _ = month_of(now or datetime.now(UTC), tz)
    return f"{(first.astimezone(tz) - timedelta(days=1)):%Y-%m}"


def statements(client: "Client", selection: Selection, of_month: str, by: str) -> Row:
    """Return the statements of a month such as 2026-11 by a tag, `tag.NAME`, those that pay most first.

    Each has what it costs of its own and of what is shared, by model and by service, what is not simply priced, what it
    gets of each shared value, and its budget of the month. The month is that of the selection's zone; its totals are
    those of `shared_costs.report`. Raises ValueError for what is no month or no tag, StoreError.
    """
    since, until = check(of_month, by, selection.tz)
    chosen = replace(selection, since=since, until=until)
    parts, from_ = _parts(client, chosen, by)
    not_priced, limits = _not_priced(client, chosen, by), _limits(client, by)
    listed = []
    for value in {*parts[_WHOLE].own, *parts[_WHOLE].shared}:
        (whole,) = parts[_WHOLE].rows(value, ()) or ({},)
        split = {part: parts[names].rows(value, names) for part, names in _PARTS.items()}
        listed.append(
            {"value": value, **whole, "shared_from": from_.get(value, []), **split}
            | {"not_priced": not_priced.get(value, []), "limit_usd": limits.get(value) if value else None}
        )
    listed.sort(key=lambda row: (row["value"] == "", -row[TOTAL], -row["cost_usd"], row["value"]))
    total = summed([costs.flat(row) for row in listed])
    paid = numbers.total(row[TOTAL] for row in listed)
    return {
        "month": of_month,
        "since": since,
        "until": until,
        "tz": selection.tz.key,
        "by": by,
        "total": {**total, SHARED: paid - total["cost_usd"], TOTAL: paid},
        "statements": listed,
    }


def check(of_month: str, by: str, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of a month, and that of the next. Raises ValueError for what is no month or no tag."""
    if not by.startswith(costs.TAG) or by == costs.TAG:
        raise ValueError(f"{by!r} is no tag: give tag.NAME, such as tag.team")
    return month(of_month, tz)


def statement_rows(found: Row) -> Iterator[Row]:
    """Yield statements as the rows of one table of COLUMNS; rows of the part `total` add up to the total of all."""
    for one in found["statements"]:
        about = {"month": found["month"], "tz": found["tz"], "value": one["value"]}
        yield {**about, "part": "total", "name": "", **_figures(one), "limit_usd": one["limit_usd"]}
        for part, names in _PARTS.items():
            for row in one[part]:
                yield {**about, "part": part.removeprefix("by_"), "name": " ".join(row[name] for name in names)} | (
                    _figures(row)
                )
        for row in one["shared_from"]:
            yield {**about, "part": "shared_from", "name": row["value"], SHARED: row[SHARED]}
        for row in one["not_priced"]:
            name = f"{row['cost_status']} {row['cost_reason']}".strip()
            yield {**about, "part": "not_priced", "name": name, "call_count": row["call_count"]}


def _figures(row: Row) -> Row:
    return {name: row[name] for name in ("call_count", "unpriced_calls", "cost_usd", SHARED, TOTAL)}


def _parts(client: "Client", selection: Selection, by: str) -> tuple[dict[Name, _Part], dict[str, list[Row]]]:
    """Return what each value cost, in all and by each part, and the parts that it gets of shared values."""
    allocation = selection.allocation
    rules = (allocation and allocation.of(by)) or TagRules(by.removeprefix(costs.TAG), ())
    in_zone = replace(selection, tz=allocation.zone if allocation else selection.tz)
    kinds = (_WHOLE, *_PARTS.values())
    found = cost_parts.parts(client, in_zone, [("day", by, *names) for names in kinds])
    splits = splits_of(client, selection, allocation, rules) if allocation and rules.shared else Splits(rules, {})
    parts, from_ = {}, {}
    for names, listed in zip(kinds, found, strict=True):
        parts[names], moved = _part(listed, by, names, splits)
        if names == _WHOLE:
            from_ = moved
    return parts, from_


def _part(listed: Sequence[Row], by: str, names: Name, splits: Splits) -> tuple[_Part, dict[str, list[Row]]]:
    made = _Part()
    pools: dict[Key, dict[Name, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    given: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in listed:
        value, name = row[by], tuple(row[one] for one in names)
        made.own[value][name].append(costs.flat(row))
        if (key := splits.key(value, date.fromisoformat(row["day"]))) is not None:
            pools[key][name] += row["cost_usd"]
            made.shared[value][name] -= row["cost_usd"]
    for key, pool in pools.items():
        weights, of = splits.weights[key], splits.rules.shared[key[0]].value
        ordered = sorted(pool)
        spread = shares.spread([pool[name] for name in ordered], list(weights.values()))
        for name, split in zip(ordered, spread, strict=True):
            for value, part in zip(weights, split, strict=True):
                made.shared[value][name] += part
                given[value, of] += part
    from_: dict[str, list[Row]] = defaultdict(list)
    for (value, of), part in sorted(given.items()):
        from_[value].append({"value": of, SHARED: part})
    return made, from_


def _not_priced(client: "Client", selection: Selection, by: str) -> dict[str, list[Row]]:
    """Return the calls of each value that are not simply priced, by why."""
    condition = of_calls(selection)
    bound: dict[str, Any] = dict(condition.parameters)
    value = value_of(by.removeprefix(costs.TAG), selection.allocation, bound, "value")
    found: dict[str, list[Row]] = defaultdict(list)
    sql = (
        f"select {value} as of_value, toString(c.cost_status) as cost_status, toString(c.cost_reason) as cost_reason,"  # noqa: S608
        f" count() as call_count from owned_calls as c where {condition.sql} and c.cost_status != 'priced'"
        " group by of_value, cost_status, cost_reason order by call_count desc, cost_status, cost_reason"
    )
    for row in rows(client, sql, bound):
        found[row.pop("of_value")].append(row)
    return found


def _limits(client: "Client", by: str) -> dict[str, Decimal]:
    """Return the limits of budgets for a month, by value of the tag, as they are set now."""
    tag = f"{sanitize.asked_for(by.removeprefix(costs.TAG))}="
    return {
        row["name"].removeprefix(tag): row["limit_usd"]
        for row in reports.budget_status(client)
        if row["scope"] == "tag" and row["period"] == "month" and row["name"].startswith(tag)
    }
