"""What is asked of the ledger: one value that says which calls and sessions are meant, and its conditions in SQL.

A selection is read from the query of a URL or from the options of a command, and every report of it means the same
calls: those that ended in [since, until) and match all that is given. A session is meant where it began in that time,
and is of that user, kind and scenario, has those tags, and has a call that matches the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

from otel_costs.chargeback.assignment import value_of
from otel_costs.chargeback.rules import Allocation
from otel_costs.privacy import pseudonyms
from otel_costs.store.periods import UTC_ZONE
from otel_costs.store.rows import between
from otel_costs.values import sanitize

CALL_COLUMNS: Final = {
    "user": "user_id",
    "kind": "kind",
    "scenario": "scenario",
    "step": "step",
    "service": "service",
    "provider": "provider",
    "model": "model",
    "operation": "operation",
}
"""The filters that are a column of calls, and its name."""

TEXTS: Final[Mapping[str, str]] = {
    "user": "calls and sessions of this user; a call without one is the first user's of its session",
    "kind": "of this kind of session: conversation, creation, or a word of the application; empty is outside of any",
    "scenario": "of this scenario",
    "step": "calls of this step",
    "service": "calls of this service",
    "provider": "calls of this provider",
    "model": "calls of this model",
    "operation": "calls of this operation: chat, speech_to_text, ...",
}
"""The filters that are a text, an empty one too, and what each means."""

_MOST_USD: Final = Decimal(10) ** 12

_OF_SESSIONS: Final = ("user", "kind", "scenario")
"""Those that are a column of sessions too, under the same name."""

_CUT: Final = ("kind", "scenario", "step", "provider", "operation")
"""Those that are recorded as `sanitize.identifier` leaves them, beside the user; models and services are not."""

_COUNTED: Final = {"errors": "error_count", "unpriced": "unpriced_calls"}
"""The columns of sessions that count calls of a condition."""

_FOUND: Final = 1_000_000
"""How many messages that have the words of `q` are looked at."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls and sessions are meant. None, False and nothing are no condition; an empty text is one.

    `tz`: the zone in which days and months are cut. `allocation`: rules that give calls a value of a tag that they do
    not have; tags are meant as they assign them. `min_cost` in US dollars: of sessions that cost at least as much;
    `q`: of sessions in which these words were said. `errors`: calls that failed. `unpriced`: calls without a price.
    """

    since: datetime | None = None
    until: datetime | None = None
    tz: ZoneInfo = UTC_ZONE
    user: str | None = None
    kind: str | None = None
    scenario: str | None = None
    step: str | None = None
    service: str | None = None
    provider: str | None = None
    model: str | None = None
    operation: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    errors: bool = False
    unpriced: bool = False
    min_cost: Decimal | None = None
    q: str | None = None
    allocation: Allocation | None = None

    def __post_init__(self) -> None:
        """Mean names as they are recorded: a long one cut, and a user by the pseudonym, where there are some."""
        if self.user:
            object.__setattr__(self, "user", pseudonyms.asked(self.user))
        for name in _CUT:
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, sanitize.asked_for(value))
        tags = tuple((sanitize.asked_for(name), sanitize.asked_for(value)) for name, value in self.tags)
        object.__setattr__(self, "tags", tags)

    @property
    def filters(self) -> frozenset[str]:
        """The names of the conditions that are given, but for the time."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        # Not by equality alone: an amount of 0 equals False.
        found = (name for name, value in values.items() if not (value is None or value is False or value == ()))
        return frozenset(found) - {"since", "until", "tz", "allocation"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL, made of fixed texts, and the values that are bound to its parameters."""

    sql: str
    parameters: Mapping[str, Any]


def dollars(text: str) -> Decimal:
    """Read an amount in US dollars, as `min_cost` is given. Raises ValueError with what to write."""
    try:
        found = Decimal(text)
        if not text.isascii() or "_" in text or not 0 <= found < _MOST_USD or found != round(found, 12):
            raise ValueError(text)
    except (InvalidOperation, ValueError):
        raise ValueError(f"{text!r} is no amount: give dollars, such as 0.25") from None
    return found


def of_calls(selection: Selection) -> Condition:
    """Return the condition of calls `c`, rows of owned_calls."""
    bound: dict[str, Any] = {**between(selection.since, selection.until), "tz": selection.tz.key}
    parts = ["c.end_time >= {since:DateTime64(3, 'UTC')}", "c.end_time < {until:DateTime64(3, 'UTC')}"]
    parts += _of_one_call(selection, bound, CALL_COLUMNS)
    if selection.min_cost is not None:
        bound["min_cost"] = selection.min_cost
        parts.append(
            "c.session_id global in (select session_id from sessions where cost_usd >= {min_cost:Decimal(38, 12)})"
        )
    if selection.q is not None:
        parts.append(f"c.session_id global in ({_sessions_with_words(selection.q, bound)})")
    return Condition(" and ".join(parts), bound)


def of_sessions(selection: Selection) -> Condition:
    """Return the condition of sessions `s`, rows of the view sessions."""
    bound: dict[str, Any] = {**between(selection.since, selection.until), "tz": selection.tz.key}
    parts = ["s.start_time >= {since:DateTime64(3, 'UTC')}", "s.start_time < {until:DateTime64(3, 'UTC')}"]
    for name in _OF_SESSIONS:
        if (value := getattr(selection, name)) is not None:
            bound[name] = value
            parts.append(f"s.{CALL_COLUMNS[name]} = {{{name}:String}}")
    own, assigned = _tags(selection)
    parts += _tagged("s", own, bound)
    if assigned:
        has = " and ".join(_assigned(selection, assigned, bound))
        parts.append(
            "s.session_id global in (select session_id from owned_calls as c"  # noqa: S608
            f" where c.end_time >= {{since:DateTime64(3, 'UTC')}} and {has})"
        )
    if selection.min_cost is not None:
        bound["min_cost"] = selection.min_cost
        parts.append("s.cost_usd >= {min_cost:Decimal(38, 12)}")
    if selection.q is not None:
        parts.append(f"s.session_id global in ({_sessions_with_words(selection.q, bound)})")
    rest = {name: column for name, column in CALL_COLUMNS.items() if name not in _OF_SESSIONS}
    if (counted := _of_counted(selection, bound, rest)) is not None:
        return Condition(" and ".join([*parts, *counted]), bound)
    # A call does not end before its session began.
    of_call = _of_one_call(Selection(**_only(selection, *rest, "errors", "unpriced")), bound, rest)
    if of_call:
        parts.append(
            "s.session_id global in (select session_id from owned_calls as c"  # noqa: S608
            f" where c.end_time >= {{since:DateTime64(3, 'UTC')}} and {' and '.join(of_call)})"
        )
    return Condition(" and ".join(parts), bound)


def _of_counted(selection: Selection, bound: dict[str, Any], columns: Mapping[str, str]) -> list[str] | None:
    """Return the conditions of what a session's calls are, where its row tells them; None where only the calls do.

    A session has a call of each of two conditions, and perhaps none of both.
    """
    given = [name for name in columns if getattr(selection, name) is not None]
    flags = [counted for name, counted in _COUNTED.items() if getattr(selection, name)]
    if len(given) + len(flags) > 1 or any(getattr(selection, name) == "" for name in given):
        return None
    bound.update({name: getattr(selection, name) for name in given})
    return [*(f"has(s.{columns[name]}s, {{{name}:String}})" for name in given), *(f"s.{one} > 0" for one in flags)]


def _of_one_call(selection: Selection, bound: dict[str, Any], columns: Mapping[str, str]) -> list[str]:
    parts = []
    for name, column in columns.items():
        if (value := getattr(selection, name)) is not None:
            bound[name] = value
            parts.append(f"c.{column} = {{{name}:String}}")
    own, assigned = _tags(selection)
    parts += _tagged("c", own, bound)
    parts += _assigned(selection, assigned, bound)
    if selection.errors:
        parts.append("c.error_type != ''")
    if selection.unpriced:
        parts.append("c.cost_usd is null")
    return parts


def _tagged(table: str, tags: Sequence[tuple[str, str]], bound: dict[str, Any]) -> list[str]:
    parts = []
    for number, (name, value) in enumerate(tags):
        bound[f"tag_{number}"], bound[f"tagged_{number}"] = name, value
        # What is not there is empty, too: an empty value asks for what has no such tag.
        parts.append(f"{table}.tags[{{tag_{number}:String}}] = {{tagged_{number}:String}}")
    return parts


def _tags(selection: Selection) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the tags that are asked for as calls bring them, and those of which rules say the value."""
    assigned = [tag for tag in selection.tags if is_assigned(selection, tag[0])]
    return [tag for tag in selection.tags if tag not in assigned], assigned


def is_assigned(selection: Selection, tag: str) -> bool:
    """Return whether rules give calls a value of a tag."""
    found = selection.allocation and selection.allocation.tags.get(tag)
    return bool(found and found.rules)


def _assigned(selection: Selection, tags: Sequence[tuple[str, str]], bound: dict[str, Any]) -> list[str]:
    parts = []
    for number, (name, value) in enumerate(tags):
        bound[f"assigned_{number}"] = value
        found = value_of(name, selection.allocation, bound, f"rule_{number}")
        parts.append(f"{found} = {{assigned_{number}:String}}")
    return parts


def _sessions_with_words(words: str, bound: dict[str, Any]) -> str:
    bound["q"], bound["found"] = words, _FOUND
    return "select session_id from search_messages(words = {q:String}, up_to = {found:UInt64})"


def _only(selection: Selection, *names: str) -> dict[str, Any]:
    return {name: getattr(selection, name) for name in names}
