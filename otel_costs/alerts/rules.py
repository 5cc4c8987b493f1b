"""Rules: what is watched, and which receivers get messages; of a file, and one by one."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from otel_costs.sessions.reservations import WARNING
from otel_costs.values.yaml_nodes import NodeError, UnreadableError, compose, listed, mapping, text

BUDGET: Final = "budget"
SESSION_COST: Final = "session_cost"
SPEND_RATE: Final = "spend_rate"
NEW_MODEL: Final = "new_model"
UNPRICED_CALLS: Final = "unpriced_calls"
MISSING_CALLS: Final = "missing_calls"
DAY_TOTAL: Final = "day_total"
STORE_HEALTH: Final = "store_health"
RECONCILE: Final = "reconcile"

_LENGTHS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LIMIT: Final = Decimal(10**12)
_SMALLEST: Final = Decimal("1e-12")
"""What a rule may say, as the store holds money: what is beyond could not be compared with it."""
_MOST_SHARE: Final = 10
"""Of a budget: 80 is meant as percent, and would never be reached."""

_SIZES: Final = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


class RulesError(Exception):
    """A file of rules is none; the message names the file, the line and what to write."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is watched, under which name, and the receivers that are told; none named is all."""

    name: str
    when: str
    to: tuple[str, ...] = ()
    shares: tuple[Decimal, ...] = (WARNING, Decimal(1))
    usd: Decimal = Decimal(0)
    times: Decimal = Decimal(0)
    min_usd: Decimal = Decimal(1)
    by: str = "user"
    active: timedelta = timedelta(minutes=15)
    silent: timedelta | None = None
    zone: str = "UTC"
    percent: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a file, and the receivers' addresses, which are secrets, by name."""

    rules: tuple[Rule, ...]
    receivers: Mapping[str, str] = field(repr=False)


def read(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Rules:
    """Return the rules of a YAML file (docs/alerts.md). Raises RulesError, with the line of what is wrong.

    `environ` is where `url_env` is looked up; None is this process's environment.
    """
    try:
        tree = compose(path)
    except UnreadableError as error:
        raise RulesError(str(error)) from None
    try:
        return _rules(tree, os.environ if environ is None else environ)
    except NodeError as error:
        raise RulesError(f"{path}, line {error.line}: {error}") from None


def read_one(text: str) -> Rule:
    """Return the rule of a text of YAML or JSON; which receivers there are is not known here. Raises RulesError."""
    try:
        return _rule(yaml.compose(text, Loader=yaml.SafeLoader), None)
    except (yaml.YAMLError, RecursionError):
        raise RulesError("it is no YAML") from None
    except NodeError as error:
        raise RulesError(str(error)) from None


def text_of(fields: Mapping[str, Any]) -> str:
    """Return the fields of a rule, texts and lists of texts, as YAML that reads back as the same."""
    return yaml.safe_dump(dict(fields), sort_keys=False)


def fields_of(rule: Rule) -> dict[str, Any]:
    """Return a rule as a file has it: its name, `when`, the receivers it names, and the fields that `when` has."""
    found = {name: _written(getattr(rule, name)) for name in _FIELDS[rule.when]}
    named = {"name": rule.name, "when": rule.when, **({"to": list(rule.to)} if rule.to else {})}
    return named | {name: value for name, value in found.items() if value is not None}


def _written(value: Any) -> Any:
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        unit, size = next((unit, size) for unit, size in _SIZES if seconds % size == 0)
        return f"{seconds // size}{unit}"
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    if isinstance(value, Decimal):
        return f"{value:f}" if value else None  # no field may be 0: it is one that was not given
    return value


def _rules(tree: yaml.Node | None, environ: Mapping[str, str]) -> Rules:
    top = mapping(tree, ("receivers", "rules"))
    if "receivers" not in top:
        raise NodeError(tree, "give `receivers`, and `rules` beside those of the page")
    named = mapping(top["receivers"])
    if not named:
        raise NodeError(top["receivers"], "give at least one receiver")
    receivers = {name: _address(name, node, environ) for name, node in named.items()}
    rules: dict[str, Rule] = {}
    for node in listed(top["rules"]) if "rules" in top else ():
        rule = _rule(node, receivers)
        if rule.name in rules:
            raise NodeError(node, f"there are two rules {rule.name!r}: give each a name of its own")
        rules[rule.name] = rule
    return Rules(tuple(rules.values()), receivers)


def _address(name: str, node: yaml.Node, environ: Mapping[str, str]) -> str:
    given = mapping(node, ("url", "url_env"))
    if len(given) != 1:
        raise NodeError(node, f"receiver {name!r} needs one of `url` and `url_env`")
    if "url" in given:
        return text(given["url"])
    variable = text(given["url_env"])
    if not environ.get(variable):
        raise NodeError(given["url_env"], f"the environment variable {variable} of receiver {name!r} is not set")
    return environ[variable]


def _rule(node: yaml.Node | None, receivers: Mapping[str, str] | None) -> Rule:
    given = mapping(node)
    if "when" not in given:
        raise NodeError(node, f"`when` is missing: one of {', '.join(_FIELDS)}")
    when = text(given["when"])
    if when not in _FIELDS:
        raise NodeError(given["when"], f"`when` {when!r} is none of {', '.join(_FIELDS)}")
    allowed = ("when", "name", "to", *_FIELDS[when])
    mapping(node, allowed)
    for needed in _NEEDED.get(when, ()):
        if needed not in given:
            raise NodeError(node, f"a rule `{when}` needs `{needed}`")
    if when in _ONE_OF and not any(name in given for name in _ONE_OF[when]):
        raise NodeError(node, f"a rule `{when}` needs {' or '.join(f'`{name}`' for name in _ONE_OF[when])}")
    values: dict[str, Any] = {name: _READ[name](given[name]) for name in given.keys() - {"when"}}
    for receiver in values.get("to", ()):
        if receivers is not None and receiver not in receivers:
            raise NodeError(given["to"], f"there is no receiver {receiver!r}")
    return Rule(**{"name": when, **values, "when": when})


def _number(node: yaml.Node) -> Decimal:
    try:
        found = Decimal(text(node))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found <= 0:
        raise NodeError(node, "a number above 0 is wanted here")
    if found >= _LIMIT or found != found.quantize(_SMALLEST):
        raise NodeError(node, "a number below 10^12 with at most twelve decimals is wanted here")
    return found


def _share(node: yaml.Node) -> Decimal:
    found = _number(node)
    if found > _MOST_SHARE:
        raise NodeError(node, f"a share of at most {_MOST_SHARE} is wanted here: 0.8 is 80 %, 1 is all")
    return found


def _shares(node: yaml.Node) -> tuple[Decimal, ...]:
    found = tuple(_share(one) for one in listed(node))
    if not found:
        raise NodeError(node, "give at least one share, such as 0.8")
    return tuple(sorted(set(found)))


def _length(node: yaml.Node) -> timedelta:
    given = text(node)
    if not given[:-1].isdecimal() or given[-1] not in _LENGTHS or not 0 < int(given[:-1]) <= 10_000:
        raise NodeError(node, "a length of time is wanted here, such as 90s, 15m, 2h or 7d")
    return timedelta(**{_LENGTHS[given[-1]]: int(given[:-1])})


def _by(node: yaml.Node) -> str:
    given = text(node)
    if given not in ("user", "model", "service") and not (given.startswith("tag.") and len(given) > len("tag.")):
        raise NodeError(node, "`by` is user, model, service or tag.NAME")
    return given


def _zone(node: yaml.Node) -> str:
    try:
        return ZoneInfo(text(node)).key
    except (ValueError, KeyError, OSError):
        raise NodeError(node, "a time zone is wanted here, such as Europe/Berlin") from None


_READ: Final[Mapping[str, Callable[[yaml.Node], Any]]] = {
    "name": text,
    "to": lambda node: tuple(text(one) for one in listed(node)),
    "shares": _shares,
    "usd": _number,
    "times": _number,
    "min_usd": _number,
    "by": _by,
    "active": _length,
    "silent": _length,
    "zone": _zone,
    "percent": _number,
}
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    BUDGET: ("shares",),
    SESSION_COST: ("usd", "active"),
    SPEND_RATE: ("by", "times", "min_usd"),
    NEW_MODEL: (),
    UNPRICED_CALLS: (),
    MISSING_CALLS: (),
    DAY_TOTAL: ("usd", "zone"),
    STORE_HEALTH: ("silent",),
    RECONCILE: ("usd", "percent"),
}
KINDS: Final = tuple(_FIELDS)
"""What a rule may be of: its `when`."""

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    SESSION_COST: ("usd",),
    SPEND_RATE: ("by", "times"),
    DAY_TOTAL: ("usd",),
}
_ONE_OF: Final[Mapping[str, tuple[str, ...]]] = {RECONCILE: ("usd", "percent")}
