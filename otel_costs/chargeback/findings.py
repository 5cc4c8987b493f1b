"""What the rules of a tag do over a period: what each assigns, what never matches, and what nothing assigns."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.chargeback.assignment import Names, matched, rule_of, value_of
from otel_costs.chargeback.rules import Allocation, Rule, TagRules
from otel_costs.chargeback.shared_costs import split_days
from otel_costs.store import costs
from otel_costs.store.reports import COST
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_calls

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NO_MATCH: Final = "matches no call"
LATE: Final = "matches only what an earlier rule has already"
NOT_SPLIT: Final = "not split: nobody gets a part"
UNASSIGNED: Final = "not assigned to anybody"

OWN_TAG: Final = "own tag"
RULE: Final = "rule"
SHARED: Final = "shared"
REST: Final = "unassigned"

_MEASURES: Final = (
    "count() as call_count, countIf(c.cost_usd is null) as unpriced_calls, coalesce(sum(c.cost_usd), 0) as cost_usd"
)

_NOTHING: Final[Row] = {"call_count": 0, "unpriced_calls": 0, "cost_usd": Decimal()}


def check(client: "Client", selection: Selection, allocation: Allocation, most: int) -> Iterator[Row]:
    """Yield what each part of the rules does with the calls of a selection, tag by tag; `finding` is None where well.

    `part` is `own tag` (calls that bring the tag), `rule`, `unassigned` or `shared`; those of the first three add up
    to all calls. Of what nothing assigns there is a row for each of the `most` dearest services, users and models
    together, and one for the others. Raises StoreError.
    """
    chosen = replace(selection, allocation=allocation)
    for rules in allocation.tags.values():
        yield from _assigned(client, chosen, allocation, rules)
        yield from _unassigned(client, chosen, rules.tag, most)
        if rules.shared:
            yield from _shared(client, chosen, allocation, rules)


def _assigned(client: "Client", selection: Selection, allocation: Allocation, rules: TagRules) -> Iterator[Row]:
    condition = of_calls(selection)
    bound: dict[str, Any] = dict(condition.parameters)
    names = Names(bound, "any")
    own = value_of(rules.tag, None, bound, "own")
    each = [f"countIf({own} = '' and {matched(rule, allocation, names)})" for rule in rules.rules]
    sql = (
        f"select {rule_of(rules, allocation, bound, 'first')} as rule, {_MEASURES},"  # noqa: S608
        f" [{', '.join(each)}]::Array(UInt64) as matching from owned_calls as c where {condition.sql} group by rule"
    )
    found = rows(client, sql, bound)
    by_rule = {row["rule"]: row for row in found}
    matching = [sum(counts) for counts in zip(*(row["matching"] for row in found), strict=True)]
    yield _row(rules.tag, OWN_TAG, "", by_rule.get(0, _NOTHING), None)
    for number, rule in enumerate(rules.rules, 1):
        of = by_rule.get(number, _NOTHING)
        could = matching[number - 1] if matching else 0
        finding = None if of["call_count"] else LATE if could else NO_MATCH
        yield {**_row(rules.tag, RULE, rule.value, of, finding), "line": rule.days.line, "asks": _asks(rule)}


def _unassigned(client: "Client", selection: Selection, tag: str, most: int) -> Iterator[Row]:
    without = replace(selection, tags=(*selection.tags, (tag, "")))
    by = ("service", "user", "model")
    for row in costs.costs(client, without, by, most, COST):
        asks = ", ".join(f"{name}: {row[name] or '(none)'}" for name in by) if row["model"] is not None else ""
        others = row.get("others", 0)
        yield {**_row(tag, REST, "", row, UNASSIGNED), "asks": asks or f"{others} others"}


def _shared(client: "Client", selection: Selection, allocation: Allocation, rules: TagRules) -> Iterator[Row]:
    name = f"{costs.TAG}{rules.tag}"
    found = {row[name]: row for row in split_days(client, selection, allocation, rules, COST)}
    for one in dict.fromkeys(shared.value for shared in rules.shared):
        row = found.get(one)
        lines = [shared.days.line for shared in rules.shared if shared.value == one]
        if row is None:
            yield {**_row(rules.tag, SHARED, one, _NOTHING, NO_MATCH), "line": lines[0]}
        else:
            finding = NOT_SPLIT if row["total_usd"] else None
            yield {**_row(rules.tag, SHARED, one, row, finding), "line": lines[0]}


def _row(tag: str, part: str, value: str, of: Row, finding: str | None) -> Row:
    return {
        "tag": tag,
        "part": part,
        "line": None,
        "value": value,
        "asks": "",
        "call_count": of["call_count"],
        "unpriced_calls": of["unpriced_calls"],
        "cost_usd": of["cost_usd"],
        "finding": finding,
    }


def _asks(rule: Rule) -> str:
    """Return the conditions of a rule in a line."""
    found = [f"{name}: {_either(values)}" for name, values in rule.conditions.items()]
    found += [f"from: {rule.days.first}"] if rule.days.first else []
    return ", ".join(found + ([f"until: {rule.days.last}"] if rule.days.last else []))


def _either(values: Sequence[str]) -> str:
    return " or ".join(value or "(none)" for value in values)
