"""The file of rules that assign spend (docs/chargeback.md), read and checked."""

import os
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from otel_costs.chargeback.rules import BY_SPEND, EVENLY, Allocation, Days, Rule, SharedCost, TagRules
from otel_costs.privacy import pseudonyms
from otel_costs.semconv import ENV_ALLOCATION
from otel_costs.store.periods import zone as zone_of
from otel_costs.values import iso_dates, sanitize
from otel_costs.values.yaml_nodes import NodeError, UnreadableError, compose, listed, mapping, text

CONDITIONS: Final = ("service", "user", "model", "provider", "operation", "scenario", "step", "kind")
"""What a rule may ask of a call, beside `tag.NAME` of another tag; under the names of reports."""

_TAG: Final = "tag."
_DAYS: Final = ("from", "until")


class AllocationError(ValueError):
    """A file of rules is none; the message names the file, the line and what to write."""


def of_environment(path: str | os.PathLike[str] | None = None) -> Allocation | None:
    """Return the rules of `path`, or else of OTEL_COSTS_ALLOCATION; None where neither is given. Raises as `read`."""
    given = path or os.environ.get(ENV_ALLOCATION, "").strip()
    return read(given) if given else None


def read(path: str | os.PathLike[str]) -> Allocation:
    """Return the rules of a YAML file. Raises AllocationError, with the line of what is wrong."""
    try:
        return _allocation(compose(path))
    except UnreadableError as error:
        raise AllocationError(str(error)) from None
    except NodeError as error:
        raise AllocationError(f"{path}, line {error.line}: {error}") from None


def _allocation(tree: yaml.Node | None) -> Allocation:
    top = mapping(tree, ("zone", "tags"))
    if "tags" not in top:
        raise NodeError(tree, "give `tags`, and below it each tag with its `rules`")
    tags = {
        sanitize.asked_for(name): _tag_rules(sanitize.asked_for(name), node)
        for name, node in mapping(top["tags"]).items()
    }
    if not tags:
        raise NodeError(top["tags"], "give at least one tag, such as `team`")
    return Allocation(_zone(top.get("zone")), tags)


def _tag_rules(tag: str, node: yaml.Node) -> TagRules:
    given = mapping(node, ("rules", "shared"))
    if not given:
        raise NodeError(node, f"give `rules` or `shared` of the tag {tag!r}")
    rules = tuple(_rule(one, tag) for one in listed(given["rules"])) if "rules" in given else ()
    nodes = listed(given["shared"]) if "shared" in given else []
    shared = tuple(_shared(one) for one in nodes)
    _check_shared(shared, nodes)
    return TagRules(tag, rules, shared)


def _rule(node: yaml.Node, tag: str) -> Rule:
    given = mapping(node)
    for name in given:
        if name not in ("assign", *_DAYS, *CONDITIONS) and not (name.startswith(_TAG) and len(name) > len(_TAG)):
            raise NodeError(given[name], f"`{name}` is no field of a rule; there are {_FIELDS}")
    if f"{_TAG}{tag}" in given:
        raise NodeError(given[f"{_TAG}{tag}"], f"a call that has the tag {tag!r} keeps it: no rule can ask for it")
    if "assign" not in given:
        raise NodeError(node, f"`assign` is missing: the value of {tag!r} that the rule gives")
    asked = {name: _texts(one, name) for name, one in given.items() if name not in ("assign", *_DAYS)}
    if not asked:
        raise NodeError(node, 'a rule needs a condition, such as `service: shop`; `service: "*"` is every call')
    return Rule(_value(given["assign"]), asked, _days(node, given))


_FIELDS: Final = ", ".join(("assign", *_DAYS, *CONDITIONS, "tag.NAME"))


def _texts(node: yaml.Node, name: str) -> tuple[str, ...]:
    """Return one text or several, of which an empty one is a call that has none."""
    nodes = listed(node) if isinstance(node, yaml.SequenceNode) else [node]
    found = []
    for one in nodes:
        if not isinstance(one, yaml.ScalarNode):
            raise NodeError(one, "a word is wanted here, or a list of words")
        if not one.value and one.style is None:
            raise NodeError(one, f'`{name}` says nothing: give a word, or "" for calls that have none')
        value = str(one.value)
        found.append(_recorded(name, value))
    if not found:
        raise NodeError(node, "give at least one word")
    return tuple(dict.fromkeys(found))


def _recorded(name: str, value: str) -> str:
    """Return a text that a field is compared with as calls have it: a user's pseudonym, a long one cut."""
    if not value or "*" in value or name in ("service", "model"):
        return value
    return pseudonyms.asked(value) if name == "user" else sanitize.asked_for(value)


def _shared(node: yaml.Node) -> SharedCost:
    given = mapping(node, ("value", "split", "among", *_DAYS))
    for needed in ("value", "split"):
        if needed not in given:
            raise NodeError(node, f"`{needed}` is missing")
    value, split = _value(given["value"]), given["split"]
    shares = _shares(split) if isinstance(split, yaml.MappingNode) else {}
    kind = "shares" if shares else text(split)
    if not shares and kind not in (EVENLY, BY_SPEND):
        raise NodeError(split, f"`split` is {EVENLY}, {BY_SPEND}, or shares such as {{sales: 60, support: 40}}")
    among = None
    if "among" in given:
        if shares:
            raise NodeError(given["among"], "`among` goes with evenly and by_spend: shares name who gets a part")
        among = tuple(dict.fromkeys(_value(one) for one in listed(given["among"])))
        if not among:
            raise NodeError(given["among"], "name at least one value that gets a part")
    if value in (*shares, *(among or ())):
        raise NodeError(node, f"{value!r} is what is split: it gets no part of itself")
    return SharedCost(value, kind, shares, among, _days(node, given))


def _value(node: yaml.Node) -> str:
    """Return a value of a tag, as calls have it."""
    return sanitize.asked_for(text(node))


def _shares(node: yaml.Node) -> Mapping[str, Decimal]:
    found = {}
    for name, one in mapping(node).items():
        try:
            share = Decimal(text(one))
        except InvalidOperation:
            share = Decimal("NaN")
        if not share.is_finite() or not 0 <= share <= 10**9 or share != round(share, 9):
            raise NodeError(one, "a share is a number from 0 on, with nine decimals at most")
        found[sanitize.asked_for(name)] = share
    if not sum(found.values()):
        raise NodeError(node, "shares add up to more than nothing")
    return found


def _check_shared(shared: tuple[SharedCost, ...], nodes: list[yaml.Node]) -> None:
    """Refuse what would be split twice, or into what is itself split."""
    values = {one.value for one in shared}
    for one, node in zip(shared, nodes, strict=True):
        if other := sorted(values & {*one.shares, *(one.among or ())}):
            raise NodeError(node, f"{other[0]!r} is shared itself: it cannot get a part of {one.value!r}")
    for value in values:
        listed_ = [(one, node) for one, node in zip(shared, nodes, strict=True) if one.value == value]
        in_time = sorted(listed_, key=lambda pair: pair[0].days.first or date.min)
        for (before, _), (after, node) in pairwise(in_time):
            if (before.days.last or date.max) >= (after.days.first or date.min):
                raise NodeError(node, f"{value!r} is shared in two ways on the same day: give them days apart")


def _days(node: yaml.Node, given: Mapping[str, yaml.Node]) -> Days:
    first, last = (_day(given[name]) if name in given else None for name in _DAYS)
    if first and last and last < first:
        raise NodeError(given["until"], "`until` is the last day: it cannot be before `from`")
    return Days(first, last, node.start_mark.line + 1)


def _day(node: yaml.Node) -> date:
    written = text(node)
    try:
        found = iso_dates.day(written)
    except ValueError:
        raise NodeError(node, "a day is wanted here, such as 2026-11-22") from None
    if not date(1970, 1, 2) <= found <= date(2261, 12, 31):
        raise NodeError(node, "no call is of this day: give one from 1970-01-02 to 2261-12-31")
    return found


def _zone(node: yaml.Node | None) -> ZoneInfo:
    """Return the zone of the rules' days; where none is given that of OTEL_COSTS_TZ, or else UTC."""
    read_: Callable[[], Any] = zone_of if node is None else lambda: zone_of(text(node))
    try:
        found: ZoneInfo = read_()
    except ValueError as error:
        raise NodeError(node, str(error)) from None
    return found
