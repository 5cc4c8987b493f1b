"""The search for the prices of a call: which entry answers, on which base, and from when to when.

A book goes before a name: each price file is looked through for all names of the call before the next one is, and
genai-prices comes last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from otel_costs.pricing.base_prices import BaseBook
from otel_costs.pricing.call_names import Name
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.plan import priced_as
from otel_costs.pricing.price_entry import Base, Price, PriceFile, settle
from otel_costs.pricing.rates import Bands, Rate, Rates, band
from otel_costs.usage.units import DIMENSIONS, WHOLES

_MAX_BASES: Final = 32  # prices on top of each other


@dataclass(frozen=True, slots=True)
class Question:
    """A call in the names that prices have: lower case, None for what has the standard price.

    `names` are looked for in turn in each book.
    """

    provider: str
    names: tuple[Name, ...]
    service_tier: str | None = None
    processing: str | None = None
    endpoint: str | None = None
    region: str | None = None
    zone: str | None = None
    deployment: str | None = None
    asked_of: str = ""
    """The provider that was called, where the question is one of a base: `provider` is whose price it is then."""


class Search:
    """One look through price files, first to last, and genai-prices below them.

    `moments` are the times at which the answer may be another one.
    """

    def __init__(self, files: Sequence[PriceFile], base: BaseBook, at: datetime) -> None:
        self.moments: set[datetime] = set()
        self._files, self._base = files, base
        self.at = at
        self._failed: list[tuple[Question, frozenset[int]]] = []

    def find(self, question: Question) -> Rates | None:
        """Return the rates that answer `question`, None if nothing does."""
        return self._resolve(question, ())

    def _resolve(self, question: Question, used: tuple[Price, ...]) -> Rates | None:
        tried = frozenset(map(id, used))
        # What found nothing finds nothing with fewer prices to look at. Without this, an unknown name would
        # be looked up in every order of the prices that fit any name.
        if len(used) > _MAX_BASES or any(question == other and fewer <= tried for other, fewer in self._failed):
            return None
        below = used
        for file in self._files:
            for name in question.names:
                for price, longer in self.candidates(file, name, question, used):
                    below = (*below, price)  # a base looks below what was tried: no price builds on itself
                    found = self._apply(price, longer, name, question, below)
                    if found is not None:
                        return found
        for name in question.names:
            if (found := self._in_base(name, question)) is not None:
                return found
        self._failed.append((question, tried))
        return None

    def _in_base(self, name: Name, question: Question) -> Rates | None:
        for spelling in name.spellings:
            model = self._base.find(question.provider, spelling)
            if model is not None:
                self.moments.update(model.boundaries(self.at))
                found = model.rates(self.at, question.service_tier, question.processing)
                return replace(found, sized=name.sized, plans={})
        return None

    def candidates(
        self, file: PriceFile, name: Name, question: Question, used: tuple[Price, ...]
    ) -> Iterator[tuple[Price, list[Price]]]:
        """Yield the prices of `file` that fit, the best first, each with those for a longer context that go with it."""
        fitting = [
            (rank, price)
            for price in file.of(question.provider)
            if price not in used
            and not price.on_top
            and (price.inherited or question.asked_of in ("", price.provider))
            and price.conditions() in ((None, None), (question.service_tier, question.processing))
            and (rank := _rank(price, name, question)) is not None
        ]
        self.moments.update(moment for _, price in fitting for moment in price.boundaries(self.at))
        active = [(rank, price) for rank, price in fitting if price.holds(self.at)]
        # A price for this tier before one for all of them, one for these hours before one for all, then the narrower.
        active.sort(key=lambda ranked: (ranked[1].conditions() == (None, None), ranked[1].weekly is None, -ranked[0]))
        for _, price in active:
            if price.input_tokens_above is None:
                yield price, [other for _, other in active if _is_longer(other, price)]

    def on_top(self, question: Question) -> Iterator[Price]:
        """Yield the prices that are billed on top of that of the model that answered."""
        for file in self._files:
            for price in file.of(question.provider):
                if price.on_top and any(_rank(price, name, question) is not None for name in question.names):
                    self.moments.update(price.boundaries(self.at))
                    if price.holds(self.at):
                        yield price

    def _apply(
        self, price: Price, longer: Sequence[Price], name: Name, question: Question, used: tuple[Price, ...]
    ) -> Rates | None:
        found = self._on_base(price, name, question, used)
        for other in sorted(longer, key=lambda entry: entry.input_tokens_above or 0):
            above = self._on_base(other, name, question, used)
            if found is None or above is None:
                return None
            found = replace(found, bands=_joined(found.bands, other.input_tokens_above or 0, above.bands), plans={})
        return found

    def _on_base(self, price: Price, name: Name, question: Question, used: tuple[Price, ...]) -> Rates | None:
        """Return the rates of `price`; None if it has a base and that is unknown, for it would be half a price."""
        if price.base is None:
            below = self._resolve(question, used)
            covered_by = _covered_by(price, below)
            bands = ((-1, _with_minimum(price.rates, below.bands[0][1] if below else {})),)
            return Rates(bands, price.id, reason=_reason(price, question), covered_by=covered_by, sized=name.sized)
        found = self._resolve(_question_of(price.base, question), used)
        if found is None:
            return None
        reason = found.reason or price.reason
        if any("tokens" in DIMENSIONS[unit] for unit in price.rates):
            reason = _reason(price, question) or reason
        return found.map(
            lambda rates: _derived(price, {unit: _multiplied(price, unit, rate) for unit, rate in rates.items()}),
            price_id=f"{price.id}>{found.price_id}",
            reason=reason,
            covered_by={**found.covered_by, **price.covered_by},
        )


def _covered_by(price: Price, below: Rates | None) -> Mapping[str, tuple[str, ...]]:
    """Return what is billed in place of units of `price`: what it says, and what the price below it knows."""
    if below is None or not below.covered_by:
        return price.covered_by
    inherited = {
        unit: others
        for unit in price.rates
        if (others := tuple(other for other in below.covered_by.get(unit, ()) if priced_as(other, price.rates)))
    }
    return {**inherited, **price.covered_by}


def _with_minimum(rates: Mapping[str, Rate], below: Mapping[str, Rate]) -> dict[str, Rate]:
    """Return `rates`, each with the least that is billed of its unit: that of the price below, if it says nothing."""
    return {
        unit: replace(rate, minimum=other.minimum)
        if rate.minimum < 0 and (other := below.get(unit)) is not None and other.minimum > 0
        else rate
        for unit, rate in rates.items()
    }


def _rank(price: Price, name: Name, question: Question) -> int | None:
    def best(spellings: Sequence[str]) -> int | None:
        place = question.deployment, question.endpoint, question.region, question.zone
        ranks = [price.match.rank(spelling, *place) for spelling in spellings]
        return max((rank for rank in ranks if rank is not None), default=None)

    rank = best(name.spellings)
    return None if rank is not None and best(name.asked) is not None else rank


def _multiplied(price: Price, unit: str, rate: Rate) -> Rate:
    return rate if price.multiplies_tokens_only and "tokens" not in DIMENSIONS[unit] else rate.times(price.multiplier)


def _derived(price: Price, below: dict[str, Rate]) -> dict[str, Rate]:
    """Return the rates of `price` over those of its base.

    A fee of its own is that of the parts, too, of which it says nothing: what a tool costs in one place says nothing of
    what its sizes and kinds cost in another. A rate of tokens leaves what is cached or heard as it is.
    """
    below = {
        unit: rate
        for unit, rate in below.items()
        if "tokens" in DIMENSIONS[unit] or price.rates.keys().isdisjoint(WHOLES.get(unit, ()))
    }
    multiples = {unit: below[other].times(times) for unit, (other, times) in price.derived.items() if other in below}
    return {**below, **multiples, **_with_minimum(price.rates, below)}


def _is_longer(other: Price, price: Price) -> bool:
    """Return whether `other` is what `price` becomes for a longer context."""
    same = other.match == price.match and other.conditions() == price.conditions() and other.weekly == price.weekly
    return same and other.input_tokens_above is not None


def _question_of(base: Base, question: Question) -> Question:
    """Return what `base` is asked: the call, as far as the base does not say otherwise."""
    tier, processing = question.service_tier, question.processing
    if base.service_tier is not None or base.processing is not None:
        tier, processing = settle(base.service_tier or tier, base.processing or processing)
    asked: dict[str, Any] = {"service_tier": tier, "processing": processing}
    if base.model is not None:
        asked |= {"names": (Name((base.model,)),), "deployment": None}
    if base.provider != question.provider:  # the host and the deployment are those of the other provider
        asked |= {
            "provider": base.provider,
            "asked_of": question.asked_of or question.provider,
            "endpoint": None,
            "region": None,
            "zone": None,
            "deployment": None,
        }
    return replace(question, **asked)


def _reason(price: Price, question: Question) -> CostReason | None:
    """Return why `price` is an estimate for the question: it is for the standard way of calling, and this is not."""
    if price.conditions() == (question.service_tier, question.processing):
        return None
    return CostReason.PROCESSING_NOT_PRICED if question.processing else CostReason.TIER_NOT_PRICED


def _joined(bands: Bands, above: int, longer: Bands) -> Bands:
    thresholds = sorted({-1, above, *(start for start, _ in bands), *(start for start, _ in longer if start > above)})
    return tuple((start, band(longer if start >= above else bands, start + 1)[1]) for start in thresholds)
