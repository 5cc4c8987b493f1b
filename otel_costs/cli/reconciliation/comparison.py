"""What the provider reports laid beside what was recorded, and what each difference means."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from otel_costs.cli.reconciliation.naming import Names, model_of
from otel_costs.cli.reconciliation.reported import Number, Reported
from otel_costs.store.reconciliation import TOKENS, UNITS

AGREES: Final = "agrees"
NOT_RECORDED: Final = "not_recorded"
NOT_REPORTED: Final = "not_reported"
DIFFERS: Final = "differs"
LATE: Final = "late"
USAGE_DIFFERS: Final = "usage_differs"
BILLED_OTHERWISE: Final = "billed_otherwise"

WELL: Final = (AGREES, LATE)
"""The states that are no finding."""

SETTLING: Final = timedelta(hours=6)
"""How long after its end a day is not held against a provider that has less than we: its report comes late."""

Counts = Mapping[str, Number | None]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is a difference: more than `tolerance`, a fraction of the larger side. `now` is what is late measured by."""

    tolerance: Decimal
    now: datetime

    def sign(self, theirs: Number, ours: Number, slack: Number = 0) -> int:
        """Return 1 where the provider has more, -1 where we have, 0 where they agree within tolerance and `slack`."""
        difference = Decimal(theirs - ours)
        allowed = self.tolerance * max(abs(Decimal(theirs)), abs(Decimal(ours)))
        if abs(difference) <= max(allowed, Decimal(slack)):
            return 0
        return 1 if difference > 0 else -1

    def is_settling(self, day: date) -> bool:
        """Return whether the provider may not have all of `day` yet."""
        return self.now < datetime.combine(day, time(), UTC) + timedelta(days=1) + SETTLING


@dataclass(frozen=True, slots=True)
class Figure:
    """A unit on both sides, None where a side does not state it; `compared` says whether the two mean the same."""

    unit: str
    theirs: Number | None
    ours: Number | None
    compared: bool

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
    """What is billed for: a model or, where the line item is of none, the line item; None where a side has no such."""

    name: str
    theirs_usd: Decimal | None = None
    ours_usd: Decimal | None = None

    @property
    def difference_usd(self) -> Decimal:
        """What the provider bills more than we expect."""
        return (self.theirs_usd or Decimal()) - (self.ours_usd or Decimal())


@dataclass(frozen=True, slots=True)
class DayCosts:
    """What a day costs, in dollars; `unpriced_calls` of ours are not in it."""

    day: date
    state: str
    theirs_usd: Decimal
    ours_usd: Decimal
    unpriced_calls: int
    items: tuple[Item, ...]

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


def compare(reported: Reported, usage: Sequence[Row], costs: Sequence[Row], limits: Limits) -> Comparison:
    """Compare a report with the rows of `store.reconciliation`; what one side alone has is there, too."""
    names = Names(reported.usage)
    rows = tuple(_usage(reported, usage, names, limits))
    differing = {row.day for row in rows if row.state not in WELL}
    return Comparison(rows, tuple(_costs(reported, costs, names, limits, differing)))


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
        recorded_as = tuple(name for name in (found.names if found else ()) if name != model)
        yield ModelUsage(day, model, _state(day, figures, limits), figures, recorded_as)


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


def _state(day: date, figures: Sequence[Figure], limits: Limits) -> str:
    signs = {_sign(figure, figures, limits) for figure in _telling(figures)}
    if not signs - {0}:
        return AGREES
    if {1, -1} <= signs:
        return DIFFERS
    if 1 in signs:
        return NOT_RECORDED
    return LATE if limits.is_settling(day) else NOT_REPORTED


def _telling(figures: Sequence[Figure]) -> list[Figure]:
    """Return what decides: what is billed; requests, which each side counts in its own way, only for want of it."""
    billed = [figure for figure in figures if figure.compared and figure.unit != "requests"]
    return billed or [figure for figure in figures if figure.compared]


def _sign(figure: Figure, figures: Sequence[Figure], limits: Limits) -> int:
    # Seconds are reported whole: each call may have been rounded.
    calls = max((max(each.theirs or 0, each.ours or 0) for each in figures if each.unit == "requests"), default=0)
    return limits.sign(figure.theirs or 0, figure.ours or 0, calls if figure.unit == "audio_seconds" else 0)


def _costs(
    reported: Reported, recorded: Sequence[Row], names: Names, limits: Limits, differing: set[date]
) -> Iterator[DayCosts]:
    for day in sorted({day for day, _ in reported.costs} | {row["day"] for row in recorded}):
        ours = [row for row in recorded if row["day"] == day]
        theirs = {item: usd for (when, item), usd in reported.costs.items() if when == day}
        items = tuple(_items(theirs, [(names.theirs(day, row["model"]), row["cost_usd"]) for row in ours]))
        sums = sum(theirs.values(), Decimal()), sum((row["cost_usd"] for row in ours), Decimal())
        sign = limits.sign(*sums)
        if sign == 0:
            state = AGREES
        elif sign < 0 and limits.is_settling(day):
            state = LATE
        else:
            state = USAGE_DIFFERS if day in differing else BILLED_OTHERWISE
        yield DayCosts(day, state, *sums, sum(row["unpriced_calls"] for row in ours), items)


def _items(theirs: Mapping[str, Decimal], ours: Sequence[tuple[str, Decimal]]) -> Iterator[Item]:
    """Yield what is billed by model where a line item names one of ours, and by line item where it names none."""
    here: dict[str, Decimal] = {}
    for model, usd in ours:
        here[model] = here.get(model, Decimal()) + usd
    there: dict[str, Decimal] = {}
    for item, usd in theirs.items():
        name = model_of(item, here)
        there[name] = there.get(name, Decimal()) + usd
    for name in sorted({*there, *here}):
        yield Item(name, there.get(name), here.get(name))
