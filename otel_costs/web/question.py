"""What a URL's query asks: its parameters, read in one place, each with the sentence that documents it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from starlette.requests import Request

from otel_costs.chargeback.rules import Allocation
from otel_costs.store import costs, session_list
from otel_costs.store.periods import RANGES, in_order, moment, period, zone
from otel_costs.store.reports import CHOICES, COST, MEASURES, chosen
from otel_costs.store.rows import storable
from otel_costs.store.selection import TEXTS, Selection, dollars

TAG: Final = costs.TAG
_PREFIX: Final = "param_"
"""How the handlers of a ClickHouse server are given a parameter."""

MOST_TAGS: Final = 32
"""As many tags as a session may be given: one question asks for no more, of which each makes it slower."""

PERIOD: Final = ("range", "from", "to", "tz")
FILTERS: Final = (*TEXTS, "tag", "errors", "unpriced", "min_cost", "q")
FORM: Final = ("format", "money")

_TEXT: Final[Mapping[str, Any]] = {"type": "string"}
_FLAG: Final[Mapping[str, Any]] = {"type": "string", "enum": ["1", "0", "true", "false"]}

DESCRIPTIONS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "range": (f"what ended, or began, in it: {RANGES}", {"type": "string", "examples": ["7d", "2026-11"]}),
    "from": ("the same by its ends: from this day or time on", {"type": "string", "examples": ["2026-11-01"]}),
    "to": ("up to and with this day, or up to this time", {"type": "string", "examples": ["2026-11-30"]}),
    "tz": ("the time zone of days, an IANA name; OTEL_COSTS_TZ, or else UTC, by default", _TEXT),
    **{name: (sentence, _TEXT) for name, sentence in TEXTS.items()},
    "errors": ("1: calls that failed", _FLAG),
    "unpriced": ("1: calls without a price", _FLAG),
    "min_cost": ("sessions that cost at least so many US dollars", {"type": "string", "examples": ["0.5"]}),
    "q": ("sessions in which all of these words were said; needs the right to read conversations", _TEXT),
    "by": (
        f"what to split by, separated by commas: {', '.join(costs.DIMENSIONS)}, tag.NAME",
        {"type": "string", "examples": ["day,model"]},
    ),
    "measures": (
        (
            f"what is told beside {', '.join(COST)}, which are always there, separated by commas:"
            f" {', '.join(name for name in CHOICES if name not in COST)}; all by default, nothing else if it is empty"
        ),
        {"type": "string", "examples": ["cost_usd", "error_count,tokens"]},
    ),
    "cursor": ("where the page before ended, as it came with it", _TEXT),
    "format": ("json, or csv with a header", {"type": "string", "enum": ["json", "csv"], "default": "json"}),
    "money": ("number: money as numbers in JSON", {"type": "string", "enum": ["text", "number"], "default": "text"}),
}
"""Each parameter that is the same wherever it is known: what it means, and its schema."""


class ParameterError(ValueError):
    """A parameter that is none, or has a value that it cannot have; the message says what can be asked."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks: which calls and sessions, and how the answer is cut, ordered and written."""

    selection: Selection
    by: tuple[str, ...] = ()
    columns: tuple[str, ...] = MEASURES
    """The measures that rows of costs have."""
    sort: str = ""
    limit: int = 0
    cursor: str | None = None
    is_paged: bool = False
    """Whether it is said which part of a list is meant, by a limit or a cursor."""
    csv: bool = False
    numbers: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)
    """Parameters of one endpoint alone."""

    def check_cursor(self) -> None:
        """Raise ParameterError for a cursor that is none of a list in this order."""
        if self.cursor is not None:
            try:
                session_list.place(self.cursor, self.sort)
            except ValueError as error:
                raise ParameterError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of one endpoint: reads them out of a request, and describes them.

    `limit`: the default and the most; `sorts`: the ways to sort, the default first; `own`: texts that it alone knows.
    """

    names: tuple[str, ...] = ()
    limit: tuple[int, int] | None = None
    sorts: tuple[str, ...] = ()
    own: tuple[tuple[str, str], ...] = ()

    async def __call__(self, request: Request) -> Question:  # async, or FastAPI would call it in a thread
        """Read the query of a request. Raises ParameterError."""
        return self.read(request.query_params.multi_items(), request.app.state.allocation)

    def read(self, given: Iterable[tuple[str, str]], allocation: Allocation | None = None) -> Question:
        """Read parameters. Raises ParameterError for one that is not known, given twice, or has no such value.

        `allocation`: rules that give calls a value of a tag.
        """
        found = self._known(given)
        tz = _read("tz", found.get("tz", ""), lambda text: zone(text or None))
        since, until = _bounds(found, tz)
        return Question(
            Selection(
                since=since,
                until=until,
                tz=tz,
                **{name: found[name] for name in TEXTS if name in found},
                tags=tuple(sorted((name[len(TAG) :], found[name]) for name in found if name.startswith(TAG))),
                errors=_flag(found, "errors"),
                unpriced=_flag(found, "unpriced"),
                min_cost=_dollars(found.get("min_cost")),
                q=found.get("q") or None,
                allocation=allocation,
            ),
            by=_read("by", found.get("by", ""), _by),
            columns=_read("measures", found["measures"], _columns) if "measures" in found else MEASURES,
            sort=_one_of("sort", found.get("sort"), self.sorts) if self.sorts else "",
            limit=_limit(found.get("limit"), *self.limit) if self.limit else 0,
            cursor=found.get("cursor") or None,
            is_paged=not found.keys().isdisjoint(("limit", "cursor")),
            csv=_one_of("format", found.get("format"), ("json", "csv")) == "csv",
            numbers=_one_of("money", found.get("money"), ("text", "number")) == "number",
            texts={name: found[name] for name, _ in self.own if name in found},
        )

    @property
    def known(self) -> tuple[str, ...]:
        """The names of the parameters; of tags there are any number."""
        more = (*(["sort"] if self.sorts else []), *(["limit"] if self.limit else []))
        return (*(name for name in self.names if name != "tag"), *more, *(name for name, _ in self.own))

    @property
    def openapi(self) -> dict[str, Any]:
        """What the OpenAPI description of the endpoint has of them."""
        described = dict(DESCRIPTIONS) | {name: (sentence, _TEXT) for name, sentence in self.own}
        if self.sorts:
            described["sort"] = ("the order", {"type": "string", "enum": [*self.sorts], "default": self.sorts[0]})
        if self.limit:
            bounds = {"type": "integer", "minimum": 1, "maximum": self.limit[1], "default": self.limit[0]}
            described["limit"] = ("how many rows at most", bounds)
        found = [_parameter(name, *described[name]) for name in self.known]
        if "tag" in self.names:
            tags = {
                "type": "object",
                "propertyNames": {"pattern": r"^tag\..+$"},
                "additionalProperties": {"type": "string"},
                "examples": [{"tag.team": "sales"}],
            }
            sentence = "with this tag: tag.NAME=VALUE, as often as there are tags to ask for"
            found.append(_parameter("tags", sentence, tags) | {"style": "form", "explode": True})
        return {"parameters": found}

    def _known(self, given: Iterable[tuple[str, str]]) -> dict[str, str]:
        found: dict[str, str] = {}
        for written, value in given:
            name = written.removeprefix(_PREFIX)
            is_tag = "tag" in self.names and name.startswith(TAG) and len(name) > len(TAG)
            if name not in self.known and not is_tag:
                raise ParameterError(f"unknown parameter {written!r}; {self._named}")
            if name in found:
                raise ParameterError(f"{written!r} is given twice")
            found[name] = value
        if sum(name.startswith(TAG) for name in found) > MOST_TAGS:
            raise ParameterError(f"more than {MOST_TAGS} tags are asked for")
        return found

    @property
    def _named(self) -> str:
        if not self.known:
            return "there are none here"
        tags = f" and {TAG}NAME" if "tag" in self.names else ""
        return f"known are {', '.join(self.known)}{tags}"


def _parameter(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema)}


def _read(name: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise ParameterError(f"{name}: {error}") from None


def _bounds(found: Mapping[str, str], tz: Any) -> tuple[datetime | None, datetime | None]:
    try:
        if "range" not in found:
            first, last = found.get("from"), found.get("to")
            since = moment(first, tz=tz) if first else None
            until = moment(last, whole_day=True, tz=tz) if last else None
            in_order(since, until)
        elif "from" in found or "to" in found:
            raise ValueError("give either range, or from and to")
        else:
            since, until = period(found["range"], tz=tz)
        return since and storable(since), until and storable(until)
    except ValueError as error:
        raise ParameterError(str(error)) from None


def _by(text: str) -> tuple[str, ...]:
    found = tuple(text.split(",")) if text else ()
    costs.check(found)
    if len(found) > MOST_TAGS:
        raise ValueError(f"give {MOST_TAGS} at most")
    return found


def _columns(text: str) -> tuple[str, ...]:
    names = text.split(",") if text else ()
    if unknown := [name for name in names if name not in CHOICES]:
        raise ValueError(f"{unknown[0]!r} is no measure: give {', '.join(CHOICES)}")
    return chosen(names)


def _flag(found: Mapping[str, str], name: str) -> bool:
    return _one_of(name, found.get(name), ("0", "1", "false", "true")) in ("1", "true")


def _one_of(name: str, text: str | None, choices: Sequence[str]) -> str:
    if text is None:
        return choices[0]
    if text not in choices:
        raise ParameterError(f"{text!r} is nothing for {name}: give {', '.join(choices)}")
    return text


def _dollars(text: str | None) -> Decimal | None:
    return None if text is None else _read("min_cost", text, dollars)


def _limit(text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ParameterError(
            f"{text!r} is no limit: give 1 to {most}, and go on with the cursor that comes with a list"
        )
    return int(text)
