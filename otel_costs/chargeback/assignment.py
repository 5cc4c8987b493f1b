"""The value that a call has of a tag, as SQL: its own, else that of the first rule that matches it, else none.

SQL is made of fixed texts, and every value is bound. All that splits or chooses calls by a tag asks here, so that
reports, the API, statements and exports mean the same.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from otel_costs.chargeback.rules import Allocation, Days, Rule, TagRules
from otel_costs.values import sanitize

COLUMNS: Final[Mapping[str, str]] = {
    "user": "user_id", "kind": "kind", "scenario": "scenario", "step": "step", "service": "service",
    "provider": "provider", "model": "model", "operation": "operation",
}  # fmt: skip
"""The columns of calls that rules ask for."""

_TAG: Final = "tag."


class Names:
    """Names of parameters that are bound in one statement; each value gets one of its own."""

    def __init__(self, bound: dict[str, Any], prefix: str) -> None:
        self._bound = bound
        self._prefix = prefix

    def text(self, value: str) -> str:
        """Bind a text."""
        return self._name(value, "String")

    def texts(self, values: list[str]) -> str:
        """Bind several."""
        return self._name(values, "Array(String)")

    def moment(self, value: datetime) -> str:
        """Bind a moment."""
        return self._name(value, "DateTime64(3, 'UTC')")

    def _name(self, value: Any, kind: str) -> str:
        name = f"{self._prefix}_{len(self._bound)}"
        self._bound[name] = value
        return f"{{{name}:{kind}}}"


def value_of(tag: str, allocation: Allocation | None, bound: dict[str, Any], prefix: str) -> str:
    """Return the expression of the value of a tag of calls `c`; empty where nothing assigns one.

    Values are bound in `bound`, under names that begin with `prefix`.
    """
    names, tag = Names(bound, prefix), sanitize.asked_for(tag)
    own = f"toString(c.tags[{names.text(tag)}])"
    rules = allocation and allocation.tags.get(tag)
    if not allocation or not rules or not rules.rules:
        return own
    branches = [f"{own} != '', {own}"]
    branches += [f"{matched(rule, allocation, names)}, {names.text(rule.value)}" for rule in rules.rules]
    return f"multiIf({', '.join(branches)}, '')"


def rule_of(rules: TagRules, allocation: Allocation, bound: dict[str, Any], prefix: str) -> str:
    """Return the expression of which rule says whose a call is: from 1; 0 is its own tag, -1 none."""
    names = Names(bound, prefix)
    branches = [f"toString(c.tags[{names.text(rules.tag)}]) != '', toInt32(0)"]
    branches += [f"{matched(rule, allocation, names)}, toInt32({number})" for number, rule in enumerate(rules.rules, 1)]
    return f"multiIf({', '.join(branches)}, toInt32(-1))"


def matched(rule: Rule, allocation: Allocation, names: Names) -> str:
    """Return the condition of calls `c` that a rule is about, be there an earlier one or a tag of their own."""
    parts = [_has(_column(name, names), values, names) for name, values in rule.conditions.items()]
    return f"({' and '.join([*parts, *_within(rule.days, allocation, names)])})"


def _column(name: str, names: Names) -> str:
    if name.startswith(_TAG):
        return f"toString(c.tags[{names.text(name.removeprefix(_TAG))}])"
    return f"toString(c.{COLUMNS[name]})"


def _has(column: str, values: tuple[str, ...], names: Names) -> str:
    exact = [value for value in values if "*" not in value]
    found = [f"has({names.texts(exact)}, {column})"] if exact else []
    found += [f"{column} like {names.text(_pattern(value))}" for value in values if "*" in value]
    return f"({' or '.join(found)})"


def _pattern(value: str) -> str:
    """Return the pattern of `like`, in which only a star stands for anything."""
    escaped = "".join(f"\\{one}" if one in "\\%_" else one for one in value)
    return escaped.replace("*", "%")


def _within(days: Days, allocation: Allocation, names: Names) -> list[str]:
    since, until = days.between(allocation.zone)
    found = [f"c.end_time >= {names.moment(since)}"] if days.first else []
    return found + ([f"c.end_time < {names.moment(until)}"] if days.last else [])
