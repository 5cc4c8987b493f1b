"""A provider's report of what was used and what it costs, in our words, and what its module says of that report."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from otel_costs.usage.numbers import EXACT

Number = int | Decimal

USD: Final = "USD"
PROJECT: Final = "project"
API_KEY: Final = "api-key-id"
USAGE: Final = "usage"
CREDIT: Final = "credit"

ATOM: Final = Decimal("1e-12")
"""As the store keeps money; what is finer is the noise of a float."""

MOST_ROWS: Final = 500_000
"""Days and names of one report; more are refused, so that it stays in memory."""


class ProviderError(Exception):
    """The provider did not report; the message says what to do next, and has no key in it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a provider's report: what was used of a model in a day, what that costs, or both.

    `name` is the model as the provider calls it or, of what is of no model, the line item. `quantities` are in our
    units. `amount`, in `currency`, is before credits; those are lines of their own, of kind CREDIT, below zero.
    """

    day: date
    name: str
    quantities: Mapping[str, Number] = field(default_factory=dict)
    amount: Decimal | None = None
    currency: str = USD
    kind: str = USAGE


@dataclass(frozen=True, slots=True)
class Reported:
    """Usage by day and model, in our units; dollars by day and line item, as the provider calls those.

    A unit that is absent is one that the provider does not state. A model that it does not name is "". `unavailable`
    are the parts of the report that it does not have. `credits` are dollars that a day is billed less, below zero;
    `foreign` is what is billed in another currency, by day and currency; `free` are days and models of which something
    was used and costs nothing; `line_counts` is of how many lines a cost is the sum. A report without `has_usage` or
    `has_costs` does not tell that.
    """

    usage: Mapping[tuple[date, str], Mapping[str, Number]]
    costs: Mapping[tuple[date, str], Decimal]
    unavailable: tuple[str, ...] = ()
    credits: Mapping[date, Decimal] = field(default_factory=dict)
    foreign: Mapping[tuple[date, str], Decimal] = field(default_factory=dict)
    free: frozenset[tuple[date, str]] = frozenset()
    has_usage: bool = True
    has_costs: bool = True
    line_counts: Mapping[tuple[date, str], int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether it has no line at all."""
        return not (self.usage or self.costs or self.credits or self.foreign)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a provider: the days of [since, until), of some projects and keys or of all.

    `rates` are dollars for one of another currency.
    """

    since: datetime
    until: datetime
    projects: Sequence[str] = ()
    api_keys: Sequence[str] = ()
    rates: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Ask for each project and key once: what is asked for twice would be billed twice."""
        for name in ("projects", "api_keys"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))

    def has(self, day: date) -> bool:
        """Return whether a day is asked for."""
        return self.since.date() <= day < self.until.date()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a module says of its provider's report.

    `providers` are those of the ledger that it bills; `ours` names a row of the ledger as the report can tell it.
    `settles_after` is how long after a day's end less there is not held against it. `rounding` is how much a unit may
    be rounded by, for each call; `usd` for each line. `filters` are what of an account can be asked for alone. Days
    begin in `zone`. `read` is when its documentation was read. `matches` says whether two names mean the same model.
    """

    name: str
    title: str
    providers: tuple[str, ...]
    grain: str
    settles_after: timedelta
    cannot_tell: str
    documentation: str
    read: str
    env_key: str = ""
    which_key: str = ""
    base_url: str = ""
    files: str = ""
    zone: str = "UTC"
    filters: tuple[str, ...] = (PROJECT,)
    rounding: Mapping[str, Number] = field(default_factory=dict)
    ours: Callable[[str, str], str] = lambda _provider, model: model
    matches: Callable[[str, str], bool] | None = None


class Report:
    """Adds up the lines of a report. Raises ProviderError where there are too many to be one."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._usage: dict[tuple[date, str], dict[str, Number]] = {}
        self._costs: dict[tuple[date, str], Decimal] = {}
        self._credits: dict[date, Decimal] = {}
        self._foreign: dict[tuple[date, str], Decimal] = {}
        self._free: set[tuple[date, str]] = set()
        self._line_counts: dict[tuple[date, str], int] = {}
        self.unavailable: list[str] = []

    def add(self, line: Line) -> None:
        """Add a line, unless it is of a day that was not asked for."""
        if not self._question.has(line.day):
            return
        if len(self._usage) + len(self._costs) > MOST_ROWS:
            raise ProviderError(f"the report has more than {MOST_ROWS:,} days and names: ask for fewer days")
        key = line.day, line.name
        if line.quantities:
            counts = self._usage.setdefault(key, {})
            for unit, quantity in line.quantities.items():
                counts[unit] = counts.get(unit, 0) + quantity
        if line.amount is not None:
            self._charge(line, line.amount)
            if not line.amount and any(line.quantities.values()):
                self._free.add(key)

    def add_all(self, lines: Iterable[Line]) -> None:
        """Add lines."""
        for line in lines:
            self.add(line)

    def _charge(self, line: Line, amount: Decimal) -> None:
        currency = line.currency.upper() or USD
        rate = Decimal(1) if currency == USD else self._question.rates.get(currency)
        if rate is None:
            key = line.day, currency
            self._foreign[key] = EXACT.add(self._foreign.get(key, Decimal()), amount)
            return
        usd = EXACT.multiply(amount, rate)
        if line.kind == CREDIT:
            self._credits[line.day] = EXACT.add(self._credits.get(line.day, Decimal()), usd)
        else:
            named = line.day, line.name
            self._line_counts[named] = self._line_counts.get(named, 0) + 1
            self._costs[named] = EXACT.add(self._costs.get(named, Decimal()), usd)

    def whole(self, *, has_usage: bool = True, has_costs: bool = True) -> Reported:
        """Return the report."""
        return Reported(
            self._usage,
            {key: EXACT.quantize(amount, ATOM) for key, amount in self._costs.items()},
            tuple(self.unavailable),
            {day: EXACT.quantize(amount, ATOM) for day, amount in self._credits.items()},
            {key: EXACT.quantize(amount, ATOM) for key, amount in self._foreign.items()},
            frozenset(self._free),
            has_usage,
            has_costs,
            self._line_counts,
        )

    def of_files(self) -> Reported:
        """Return the report that files have: what no line of theirs tells, they do not tell at all."""
        has_costs = bool(self._costs or self._foreign or self._credits)
        return self.whole(has_usage=bool(self._usage) or not has_costs, has_costs=has_costs or not self._usage)


class NoNumberError(ValueError):
    """A value is no number, or is not written as one is: 1234.5."""


def number(value: object) -> Number:
    """Return a quantity of JSON or CSV, exact. Raises NoNumberError, and TypeError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str | float):
        raise TypeError("no number")
    try:
        found: Number = value if isinstance(value, int) else Decimal(str(value).strip())
    except ArithmeticError:
        raise NoNumberError from None
    if not Decimal(found).is_finite() or abs(Decimal(found)) > 10**24:
        raise NoNumberError
    if isinstance(found, Decimal) and found == found.to_integral_value():
        return int(found)
    return found


def money(value: Any) -> Decimal:
    """Return an amount of JSON or CSV, exact; empty is nothing. Raises as `number` does."""
    found = Decimal(0 if value is None or value == "" else number(value))
    if abs(found) > 10**15:
        raise NoNumberError
    return found


def utc_day(value: object) -> date:
    """Return the day of a date or a time: that in UTC, in which a time is that names no zone. Raises ValueError."""
    text = str(value).strip().replace(" UTC", "Z")
    if len(text) == len("2026-11-22"):
        return date.fromisoformat(text)
    found = datetime.fromisoformat(text)
    return found.date() if found.tzinfo is None else found.astimezone(UTC).date()
