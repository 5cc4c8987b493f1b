"""What the provider reports laid beside what was recorded, and what each difference means."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from otel_costs.cli.reconciliation.naming import Names, model_of
from otel_costs.cli.reconciliation.reported import Number, Reported, Terms
from otel_costs.store.reconciliation import TOKENS, UNITS

AGREES: Final = "agrees"
NOT_RECORDED: Final = "not_recorded"
NOT_REPORTED: Final = "not_reported"
DIFFERS: Final = "differs"
LATE: Final = "late"
USAGE_DIFFERS: Final = "usage_differs"
BILLED_OTHERWISE: Final = "billed_otherwise"
ANOTHER_QUANTITY: Final = "another_quantity"
UNPRICED: Final = "unpriced"
CREDITED: Final = "credited"
ANOTHER_CURRENCY: Final = "another_currency"
ROUNDING: Final = "rounding"

WELL: Final = (AGREES, LATE, ROUNDING, CREDITED)
"""The states that are no finding: what is missing there is late, rounded, or taken off by a credit or a free tier."""

SETTLING: Final = timedelta(hours=6)
"""How long after its end a day is not held against a provider that has less than we: its report comes late."""

Counts = Mapping[str, Number | None]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is a difference: more than `tolerance`, a fraction of the larger side. `now` is what is late measured by.

    `settling`, `rounding` and `zone` are those of the provider's Terms.
    """

    tolerance: Decimal
    now: datetime
    settling: timedelta = SETTLING
    rounding: Mapping[str, Number] = field(default_factory=lambda: {"audio_seconds": 1})
    zone: tzinfo = UTC

    @classmethod
    def of(cls, terms: Terms, tolerance: Decimal, now: datetime) -> "Limits":
        """Return the limits for a provider's report."""
        return cls(tolerance, now, terms.settles_after, terms.rounding, ZoneInfo(terms.zone))

    def sign(self, theirs: Number, ours: Number, slack: Number = 0) -> int:
        """Return 1 where the provider has more, -1 where we have, 0 where they agree within tolerance and `slack`."""
        difference = Decimal(theirs - ours)
        allowed = self.tolerance * max(abs(Decimal(theirs)), abs(Decimal(ours)))
        if abs(difference) <= max(allowed, Decimal(slack)):
            return 0
        return 1 if difference > 0 else -1

    def is_settling(self, day: date) -> bool:
        """Return whether the provider may not have all of `day` yet."""
        return self.now < datetime.combine(day + timedelta(days=1), time(), self.zone) + self.settling


@dataclass(frozen=True, slots=True)
class Figure:
    """A unit on both sides, None where a side does not state it; `compared` says whether the two mean the same."""

    unit: str
    theirs: Number | None
    ours: Number | None
    compared: bool
    cause: str = AGREES

    @property
    def difference(self) -> Number | None:
        """What the provider has more than we; None for what is not compared."""
        return (self.theirs or 0) - (self.ours or 0) if self.compared else None


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What a model used in a day. `recorded_as` are our names for it, where they are others."""

    day: date
    model: str
    state: str
    figures: tuple[Figure, ...]
    recorded_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """What is billed for: a model or, where the line item is of none, the line item; None where a side has no such.

    `lines` is of how many lines of the bill it is the sum.
    """

    name: str
    theirs_usd: Decimal | None = None
    ours_usd: Decimal | None = None
    lines: int = 0
    cause: str = AGREES

    @property
    def difference_usd(self) -> Decimal:
        """What the provider bills more than we expect."""
        return (self.theirs_usd or Decimal()) - (self.ours_usd or Decimal())


@dataclass(frozen=True, slots=True)
class DayCosts:
    """What a day costs, in dollars; `unpriced_calls` of ours are not in it.

    Theirs is before `credits_usd`, which are below zero, and without `foreign`, amounts by currency.
    """

    day: date
    state: str
    theirs_usd: Decimal
    ours_usd: Decimal
    unpriced_calls: int
    items: tuple[Item, ...]
    credits_usd: Decimal = Decimal()
    foreign: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def difference_usd(self) -> Decimal:
        """What the provider bills more than we expect."""
        return self.theirs_usd - self.ours_usd


@dataclass(frozen=True, slots=True)
class Comparison:
    """Usage by day and model, and costs by day, in their order."""

    usage: tuple[ModelUsage, ...]
    costs: tuple[DayCosts, ...]

    @property
    def findings(self) -> int:
        """How many rows do not agree, where that is not for the provider's being late."""
        states = [*(row.state for row in self.usage), *(row.state for row in self.costs)]
        return sum(state not in WELL for state in states)


def compare(
    reported: Reported, usage: Sequence[Row], costs: Sequence[Row], limits: Limits, terms: Terms | None = None
) -> Comparison:
    """Compare a report with the rows of `store.reconciliation`; what one side alone has is there, too."""
    known = {*reported.usage, *(reported.costs if terms is not None and terms.matches else ())}
    names = Names(sorted(known), terms.matches if terms else None)
    if terms is not None:
        usage, costs = (
            [{**row, "model": terms.ours(row["provider"], row["model"])} for row in rows] for rows in (usage, costs)
        )
    rows = tuple(_usage(reported, usage, names, limits)) if reported.has_usage else ()
    if not reported.has_costs:
        return Comparison(rows, ())
    return Comparison(rows, tuple(_Costs(reported, names, limits, rows).days(costs)))


@dataclass(slots=True)
class _Ours:
    """What we have under one name of theirs."""

    counts: dict[str, Number | None] = field(default_factory=dict)
    jobs: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        for unit in UNITS:
            before, more = self.counts.get(unit), row[unit]
            self.counts[unit] = more if before is None else before + (more or 0)
        self.jobs += row["jobs"]
        self.names.append(row["model"])


def _usage(reported: Reported, recorded: Sequence[Row], names: Names, limits: Limits) -> Iterator[ModelUsage]:
    ours: dict[tuple[date, str], _Ours] = {}
    for row in recorded:
        ours.setdefault((row["day"], names.theirs(row["day"], row["model"])), _Ours()).add(row)
    for key in sorted({*reported.usage, *ours}):
        day, model = key
        found = ours.get(key)
        figures = tuple(_figures(reported.usage.get(key), found))
        if not any(figure.theirs or figure.ours for figure in figures):
            continue  # calls that failed, say
        recorded_as = tuple(dict.fromkeys(name for name in (found.names if found else ()) if name != model))
        state, figures = _judged(day, figures, limits)
        yield ModelUsage(day, model, state, figures, recorded_as)


def _figures(theirs: Counts | None, ours: _Ours | None) -> Iterator[Figure]:
    counts: Counts = ours.counts if ours else {}
    for unit in UNITS:
        there, here = (theirs or {}).get(unit), counts.get(unit)
        if there is None and here is None:
            continue
        stated = theirs is None or there is not None
        # A model that is billed by tokens has no seconds and characters of ours: that is no difference.
        known = here is not None or unit in TOKENS or counts.get("input_tokens") is None
        of_jobs = unit == "requests" and ours is not None and ours.jobs > 0
        yield Figure(unit, there, here, compared=stated and known and not of_jobs)


def _judged(day: date, figures: Sequence[Figure], limits: Limits) -> tuple[str, tuple[Figure, ...]]:
    """Return the state of a model's day, and its figures with their causes."""
    deciding = _deciding(figures)
    calls = {figure.unit: figure for figure in figures}.get("requests")
    signs = {figure.unit: _sign(figure, figures, limits) for figure in deciding}
    # As many requests on both sides, and neither is without: the same calls, counted otherwise.
    same_calls = bool(calls and calls.compared and calls.theirs and calls.theirs == calls.ours and deciding != [calls])
    causes = {unit: _cause(sign, same_calls=same_calls, late=limits.is_settling(day)) for unit, sign in signs.items()}
    for figure in deciding:
        if not signs[figure.unit] and figure.difference and limits.sign(figure.theirs or 0, figure.ours or 0):
            causes[figure.unit] = ROUNDING
    judged = tuple(replace(figure, cause=causes.get(figure.unit, AGREES)) for figure in figures)
    found = {sign for sign in signs.values() if sign}
    if not found:
        return AGREES, judged
    if same_calls and LATE not in causes.values():
        return ANOTHER_QUANTITY, judged
    return (DIFFERS if len(found) > 1 else next(causes[unit] for unit, sign in signs.items() if sign)), judged


def _cause(sign: int, *, same_calls: bool, late: bool) -> str:
    if not sign:
        return AGREES
    if sign < 0 and late:
        return LATE
    if same_calls:
        return ANOTHER_QUANTITY
    return NOT_RECORDED if sign > 0 else NOT_REPORTED


def _deciding(figures: Sequence[Figure]) -> list[Figure]:
    """Return what decides: what is billed; requests, which each side counts in its own way, only for want of it."""
    billed = [figure for figure in figures if figure.compared and figure.unit != "requests"]
    return billed or [figure for figure in figures if figure.compared]


def _sign(figure: Figure, figures: Sequence[Figure], limits: Limits) -> int:
    # A unit that is reported whole, or at least so much, may have been rounded by each call.
    calls = max((max(each.theirs or 0, each.ours or 0) for each in figures if each.unit == "requests"), default=0)
    return limits.sign(figure.theirs or 0, figure.ours or 0, calls * limits.rounding.get(figure.unit, 0))


class _Costs:
    """Costs by day, laid beside ours."""

    def __init__(self, reported: Reported, names: Names, limits: Limits, usage: Sequence[ModelUsage]) -> None:
        self._reported, self._names, self._limits = reported, names, limits
        self._usage = {(row.day, row.model): row.state for row in usage}
        self._differing = {row.day for row in usage if row.state not in WELL}

    def days(self, recorded: Sequence[Row]) -> Iterator[DayCosts]:
        """Yield what each day costs on either side."""
        ours: dict[date, list[Row]] = {}
        for row in recorded:
            ours.setdefault(row["day"], []).append(row)
        theirs: dict[date, dict[str, Decimal]] = {}
        for (day, item), usd in self._reported.costs.items():
            theirs.setdefault(day, {})[item] = usd
        foreign: dict[date, dict[str, Decimal]] = {}
        for (day, currency), amount in self._reported.foreign.items():
            foreign.setdefault(day, {})[currency] = amount
        for day in sorted({*ours, *theirs, *foreign, *self._reported.credits}):
            yield self._day(day, theirs.get(day, {}), ours.get(day, []), foreign.get(day, {}))

    def _day(
        self, day: date, theirs: Mapping[str, Decimal], ours: Sequence[Row], foreign: Mapping[str, Decimal]
    ) -> DayCosts:
        billed, recorded = sum(theirs.values(), Decimal()), sum((row["cost_usd"] for row in ours), Decimal())
        unpriced: dict[str, int] = {}
        named = [(self._names.theirs(day, row["model"]), row) for row in ours]
        for name, row in named:
            unpriced[name] = unpriced.get(name, 0) + row["unpriced_calls"]
        counts = {item: self._reported.line_counts.get((day, item), 1) for item in theirs}
        pairs = tuple(_items(theirs, counts, [(name, row["cost_usd"]) for name, row in named]))
        credits_usd = self._reported.credits.get(day, Decimal())
        items = tuple(replace(item, cause=self._item_cause(day, item, unpriced)) for item in pairs)
        state = self._state(day, billed, recorded, credits_usd, items)
        if any(foreign.values()):
            state = ANOTHER_CURRENCY
        return DayCosts(day, state, billed, recorded, sum(unpriced.values()), items, credits_usd, foreign)

    def _state(self, day: date, billed: Decimal, recorded: Decimal, credits_usd: Decimal, items: Sequence[Item]) -> str:
        slack = self._slack(sum(item.lines for item in items))
        sign = self._limits.sign(billed, recorded, slack)
        if sign == 0:
            moved = self._moved(items)
            if moved and not any(item.ours_usd is None for item in items):
                return USAGE_DIFFERS if day in self._differing else BILLED_OTHERWISE
            if credits_usd:
                return CREDITED
            return ROUNDING if billed != recorded and self._limits.sign(billed, recorded) else AGREES
        if self._limits.sign(billed + credits_usd, recorded, slack) == 0:
            return AGREES  # ours is what is left to pay
        if sign < 0 and self._limits.is_settling(day):
            return LATE
        if day in self._differing:
            return USAGE_DIFFERS
        causes = {item.cause for item in items if item.difference_usd} - {AGREES, ROUNDING}
        return causes.pop() if len(causes) == 1 and causes <= {UNPRICED, CREDITED} else BILLED_OTHERWISE

    def _moved(self, items: Sequence[Item]) -> bool:
        """Return whether models that both sides name cost otherwise, though the day's sums agree."""
        both = [item for item in items if item.theirs_usd is not None and item.ours_usd is not None]
        return any(self._item_sign(item) for item in both)

    def _item_sign(self, item: Item) -> int:
        return self._limits.sign(item.theirs_usd or 0, item.ours_usd or 0, self._slack(item.lines))

    def _slack(self, lines: int) -> Number:
        """Return how much so many lines may be rounded by."""
        return lines * self._limits.rounding.get("usd", 0)

    def _item_cause(self, day: date, item: Item, unpriced: Mapping[str, int]) -> str:
        sign = self._item_sign(item)
        if not sign:
            return ROUNDING if item.difference_usd else AGREES
        usage = self._usage.get((day, item.name), AGREES)
        if usage not in WELL:
            return usage
        if sign < 0 and (day, item.name) in self._reported.free:
            return CREDITED
        if sign < 0 and self._limits.is_settling(day):
            return LATE
        if sign > 0 and unpriced.get(item.name):
            return UNPRICED
        return BILLED_OTHERWISE


def _items(
    theirs: Mapping[str, Decimal], counts: Mapping[str, int], ours: Sequence[tuple[str, Decimal]]
) -> Iterator[Item]:
    """Yield what is billed by model where a line item names one of ours, and by line item where it names none."""
    here: dict[str, Decimal] = {}
    for model, usd in ours:
        here[model] = here.get(model, Decimal()) + usd
    there: dict[str, Decimal] = {}
    lines: dict[str, int] = {}
    for item, usd in theirs.items():
        name = model_of(item, here)
        there[name] = there.get(name, Decimal()) + usd
        lines[name] = lines.get(name, 0) + counts[item]
    for name in sorted({*there, *here}):
        yield Item(name, there.get(name), here.get(name), lines.get(name, 0))
