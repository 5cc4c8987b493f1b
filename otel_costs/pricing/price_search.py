"""The search for the prices of a call: which entry answers, on which base, and from when to when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from otel_costs.pricing import base_prices
from otel_costs.pricing.price_entry import Base, Price, PriceFile, settle
from otel_costs.pricing.rates import PROCESSING_NOT_PRICED, TIER_NOT_PRICED, Bands, Rates, band
from otel_costs.units import DIMENSIONS

_MAX_BASES: Final = 32  # prices on top of each other


@dataclass(frozen=True, slots=True)
class Question:
    """A call in the names that prices have: lower case, None for what has the standard price."""

    provider: str
    model: str
    service_tier: str | None = None
    processing: str | None = None
    endpoint: str | None = None
    region: str | None = None
    deployment: str | None = None


class Search:
    """One look through price files, first to last, and genai-prices below them.

    `moments` are the times at which the answer may be another one.
    """

    def __init__(self, files: Sequence[PriceFile], at: datetime) -> None:
        self.moments: set[datetime] = set()
        self._files = files
        self._at = at
        self._failed: list[tuple[Question, frozenset[int]]] = []

    def find(self, question: Question) -> Rates | None:
        """Return the rates that answer `question`, None if nothing does."""
        return self._resolve(question, ())

    def _resolve(self, question: Question, used: tuple[Price, ...]) -> Rates | None:
        tried = frozenset(map(id, used))
        # What found nothing finds nothing with fewer prices to look at. Without this, a name that nobody knows would
        # be looked up in every order of the prices that fit any name.
        if len(used) > _MAX_BASES or any(question == other and fewer <= tried for other, fewer in self._failed):
            return None
        below = used
        for price, longer in self._candidates(question, used):
            below = (*below, price)  # a base looks below what was tried: no price builds on itself
            found = self._apply(price, longer, question, below)
            if found is not None:
                return found
        model = base_prices.find(question.provider, question.model)
        if model is None:
            self._failed.append((question, tried))
            return None
        self.moments.update(model.boundaries(self._at))
        return model.rates(self._at, question.service_tier, question.processing)

    def _candidates(self, question: Question, used: tuple[Price, ...]) -> Iterator[tuple[Price, list[Price]]]:
        """Yield the prices that fit, the best first, each with those for a longer context that go with it."""
        for file in self._files:
            fitting = [
                (rank, price)
                for price in file.prices
                if price.provider == question.provider
                and price not in used
                and price.conditions() in ((None, None), (question.service_tier, question.processing))
                and (rank := _rank(price, question)) is not None
            ]
            self.moments.update(moment for _, price in fitting for moment in (price.start, price.end))
            active = [(rank, price) for rank, price in fitting if price.start <= self._at < price.end]
            # A price for this tier before one for all of them, then the narrower before the wider.
            active.sort(key=lambda ranked: (ranked[1].conditions() == (None, None), -ranked[0]))
            for _, price in active:
                if price.input_tokens_above is None:
                    yield price, [other for _, other in active if _is_longer(other, price)]

    def _apply(
        self, price: Price, longer: Sequence[Price], question: Question, used: tuple[Price, ...]
    ) -> Rates | None:
        found = self._on_base(price, question, used)
        for other in sorted(longer, key=lambda entry: entry.input_tokens_above or 0):
            above = self._on_base(other, question, used)
            if found is None or above is None:
                return None
            found = replace(found, bands=_joined(found.bands, other.input_tokens_above or 0, above.bands), plans={})
        return found

    def _on_base(self, price: Price, question: Question, used: tuple[Price, ...]) -> Rates | None:
        """Return the rates of `price`; None if it has a base and that is unknown, for it would be half a price."""
        if price.base is None:
            return Rates(((-1, price.rates),), price.id, reason=_reason(price, question), covered_by=price.covered_by)
        found = self._resolve(_question_of(price.base, question), used)
        if found is None:
            return None
        reason = found.reason
        if any("tokens" in DIMENSIONS[unit] for unit in price.rates):
            reason = _reason(price, question) or reason
        return found.map(
            lambda rates: {unit: rate.times(price.multiplier) for unit, rate in rates.items()} | dict(price.rates),
            price_id=f"{price.id}>{found.price_id}",
            reason=reason,
            covered_by={**found.covered_by, **price.covered_by},
        )


def _rank(price: Price, question: Question) -> int | None:
    return price.match.rank(question.model, question.deployment, question.endpoint, question.region)


def _is_longer(other: Price, price: Price) -> bool:
    """Return whether `other` is what `price` becomes for a longer context."""
    same = other.match == price.match and other.conditions() == price.conditions()
    return same and other.input_tokens_above is not None


def _question_of(base: Base, question: Question) -> Question:
    """Return what `base` is asked: the call, as far as the base does not say otherwise."""
    tier, processing = question.service_tier, question.processing
    if base.service_tier is not None or base.processing is not None:
        tier, processing = settle(base.service_tier or tier, base.processing or processing)
    asked: dict[str, Any] = {"service_tier": tier, "processing": processing, "model": base.model or question.model}
    if base.model is not None:
        asked["deployment"] = None
    if base.provider != question.provider:  # the host and the deployment are those of the other provider
        asked |= {"provider": base.provider, "endpoint": None, "region": None, "deployment": None}
    return replace(question, **asked)


def _reason(price: Price, question: Question) -> str | None:
    """Return why `price` is an estimate for the question: it is for the standard way of calling, and this is not."""
    if price.conditions() == (question.service_tier, question.processing):
        return None
    return PROCESSING_NOT_PRICED if question.processing else TIER_NOT_PRICED


def _joined(bands: Bands, above: int, longer: Bands) -> Bands:
    thresholds = sorted({-1, above, *(start for start, _ in bands), *(start for start, _ in longer if start > above)})
    return tuple((start, band(longer if start >= above else bands, start + 1)[1]) for start in thresholds)
