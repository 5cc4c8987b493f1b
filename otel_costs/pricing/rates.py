"""Rates: what is charged for each unit, once provider, model, time and conditions are settled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.usage.numbers import EXACT
from otel_costs.usage.units import FAMILIES, JOINS, MODAL, OF_MODALITY

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)

ONE: Final = Decimal(1)

_TELLING: Final = JOINS | {"requests"}
_TELLING_MODALITIES: Final = _TELLING | MODAL


@dataclass(frozen=True, slots=True)
class Rate:
    """`usd` × `multiplier` for every `per` units."""

    usd: Decimal
    per: int
    multiplier: Decimal = ONE
    minimum: int = -1
    """The least that is billed of a quantity that is not zero; -1 where nothing is said of it."""
    estimate: bool = False
    """The provider bills another unit and gives this rate as a guide."""

    def times(self, multiplier: Decimal) -> "Rate":
        """Return the rate with `multiplier` on top of its own."""
        return self if multiplier == ONE else replace(self, multiplier=EXACT.multiply(self.multiplier, multiplier))

    def plus(self, other: "Rate") -> "Rate":
        """Return what both cost together, for each unit."""
        usd = [EXACT.multiply(EXACT.multiply(rate.usd, rate.multiplier), per) for rate, per in self._each_at(other)]
        per = self.per if self.per == other.per else self.per * other.per
        estimate = self.estimate or other.estimate
        return replace(self, usd=EXACT.add(*usd), per=per, multiplier=ONE, estimate=estimate)

    def _each_at(self, other: "Rate") -> "tuple[tuple[Rate, int], tuple[Rate, int]]":
        return ((self, 1), (other, 1)) if self.per == other.per else ((self, other.per), (other, self.per))


Bands: TypeAlias = tuple[tuple[int, Mapping[str, Rate]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """The rates of one model, asked one way, from `start` until before `end`."""

    bands: Bands
    """(threshold, rates): the last band whose threshold is below the call's `input_tokens` prices the whole call."""
    price_id: str | None
    """The price that was applied; None if the model is unknown."""
    start: datetime = EARLIEST
    end: datetime = LATEST
    reason: CostReason | None = None
    """Why these rates are an estimate: the tier, the processing, or the very name of the model has none of its own."""
    sized: bool = True
    """Whether the size and quality that were asked for have rates; if not, those of the plain model stand in."""
    covered_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Unit to the units that are billed in its place where usage has them: seconds of audio beside its tokens."""
    plans: dict[Any, Any] = field(default_factory=dict)
    """What `cost` works out once per set of units, kept here for as long as the rates are."""
    modal: frozenset[str] = field(init=False)
    """The units of tokens of all modalities of which those of one modality cost otherwise."""
    telling: frozenset[str] = field(init=False)
    """The units of which a zero tells something that the cost may depend on."""

    def __post_init__(self) -> None:
        """See of which tokens the modality matters."""
        own = {part: _whole(part) for _, rates in self.bands for part in rates if part in MODAL}
        modal = frozenset(
            whole
            for part, whole in own.items()
            for _, rates in self.bands
            if part in rates and rates[part] != rates.get(whole)
        )
        object.__setattr__(self, "modal", modal)
        object.__setattr__(self, "telling", _TELLING_MODALITIES if modal else _TELLING)

    def costs_otherwise(self, part: str, whole: str) -> bool:
        """Return whether `part` costs something else than `whole`, the unit that it is a part of, in a short prompt."""
        priced = self.bands[0][1]
        return part in priced and priced[part] != priced.get(whole)

    def map(self, change: Callable[[Mapping[str, Rate]], Mapping[str, Rate]], **changes: Any) -> "Rates":
        """Return a copy with `change` applied to every band and `changes` to the fields."""
        bands = tuple((above, change(rates)) for above, rates in self.bands)
        return replace(self, bands=bands, plans={}, **changes)


def _whole(part: str) -> str:
    return next(whole for whole, kind in FAMILIES[part] if kind == OF_MODALITY)


def band(bands: Bands, input_tokens: int | Decimal) -> tuple[int, Mapping[str, Rate]]:
    """Return the band for a call of `input_tokens`: a threshold is crossed by more than its number, not by it."""
    for found in reversed(bands):
        if input_tokens > found[0]:
            return found
    return bands[0]
