"""The prices in force: the user's file, over our own, over genai-prices; the rates of a call, found once and kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Final, TypeAlias

from otel_costs import base_prices
from otel_costs.endpoint import host, region
from otel_costs.price_entry import Base, Price, PriceFile, provider_id, settle
from otel_costs.price_file import load, parse
from otel_costs.rates import EARLIEST, LATEST, PROCESSING_NOT_PRICED, TIER_NOT_PRICED, UNKNOWN_MODEL, Bands, Rates
from otel_costs.rates import band as band_of
from otel_costs.units import DIMENSIONS

_MAX_CALLS: Final = 2048  # ways of calling whose rates are kept; a model name may come from the user's own users
_MAX_TIMES: Final = 8  # intervals that are kept of each


Call: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""Provider, model, service tier, processing, endpoint and deployment, as the caller names them."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A call in the names that prices have, and what was passed over already for it."""

    provider: str
    model: str
    tier: str | None
    processing: str | None
    endpoint: str | None
    region: str | None
    deployment: str | None
    at: datetime
    used: tuple[Price, ...] = ()


class PriceBook:
    """Prices from files, the earlier ones over the later ones, and all of them over genai-prices."""

    def __init__(self, files: Sequence[PriceFile], *, version: str) -> None:
        self.files = tuple(files)
        self.version = version
        self._kept: dict[Call, tuple[Rates, ...]] = {}

    def rates(self, call: Call, at: datetime) -> Rates:
        """Return the rates for `call` at `at` (aware); without any, and with no price id, if the model is unknown."""
        kept = self._kept.get(call)
        if kept is not None:
            for rates in kept:
                if rates.start <= at < rates.end:
                    return rates
        rates = self._find(call, at)
        if len(self._kept) >= _MAX_CALLS:
            self._kept.clear()
        self._kept[call] = (rates, *(kept or ()))[:_MAX_TIMES]
        return rates

    def _find(self, call: Call, at: datetime) -> Rates:
        at = at.astimezone(UTC)
        provider, model, service_tier, way, address, deployment = call
        tier, processing = settle(service_tier, way)
        endpoint = host(address)
        question = _Question(
            provider=provider_id(provider or ""),
            model=(model or "").strip().lower(),
            tier=tier,
            processing=processing,
            endpoint=endpoint,
            region=region(endpoint),
            deployment=deployment.strip().lower() if deployment else None,
            at=at,
        )
        moments: set[datetime] = set()
        found = self._resolve(question, moments) if question.provider and question.model else None
        sized = True
        # `dall-e-3/hd/1024x1024` without a price of its own is priced as `dall-e-3`, and said to be an estimate.
        while found is None and "/" in question.model and question.provider:
            question = replace(question, model=question.model.rpartition("/")[0])
            found, sized = self._resolve(question, moments), False
        if found is None:
            found = Rates(((-1, {}),), None, reason=UNKNOWN_MODEL)
        start = max((moment for moment in moments if moment <= at), default=EARLIEST)
        end = min((moment for moment in moments if moment > at), default=LATEST)
        return replace(found, start=start, end=end, sized=sized, plans={})

    def _resolve(self, question: _Question, moments: set[datetime]) -> Rates | None:
        """Return the rates that answer `question`; add the moments at which the answer may be another."""
        for price, above in self._candidates(question, moments):
            found = self._apply(price, above, replace(question, used=(*question.used, price)), moments)
            if found is not None:
                return found
        model = base_prices.find(question.provider, question.model)
        if model is None:
            return None
        moments.update(model.boundaries(question.at))
        return model.rates(question.at, question.tier, question.processing)

    def _candidates(self, question: _Question, moments: set[datetime]) -> Iterator[tuple[Price, list[Price]]]:
        """Yield the prices that fit, the best first, each with those for a longer context that go with it."""
        for file in self.files:
            fitting = [
                (rank, price)
                for price in file.prices
                if price.provider == question.provider
                and price not in question.used
                and price.conditions() in ((None, None), (question.tier, question.processing))
                and (rank := price.match.rank(question.model, question.deployment, question.endpoint, question.region))
                is not None
            ]
            moments.update(moment for _, price in fitting for moment in (price.start, price.end))
            active = [(rank, price) for rank, price in fitting if price.start <= question.at < price.end]
            # A price for this tier before one for all of them, then the narrower before the wider.
            active.sort(key=lambda ranked: (ranked[1].conditions() == (None, None), -ranked[0]))
            for rank, price in active:
                if price.input_tokens_above is None:
                    yield (
                        price,
                        [
                            longer
                            for other, longer in active
                            if other == rank
                            and longer.match == price.match
                            and longer.conditions() == price.conditions()
                            and longer.input_tokens_above is not None
                        ],
                    )

    def _apply(
        self, price: Price, longer: Sequence[Price], question: _Question, moments: set[datetime]
    ) -> Rates | None:
        found = self._on_base(price, question, moments)
        for other in sorted(longer, key=lambda entry: entry.input_tokens_above or 0):
            above = self._on_base(other, question, moments)
            if found is None or above is None:
                return None
            found = replace(found, bands=_joined(found.bands, other.input_tokens_above or 0, above.bands), plans={})
        return found

    def _on_base(self, price: Price, question: _Question, moments: set[datetime]) -> Rates | None:
        """Return the rates of `price`; None if it has a base and that is unknown, for it would be half a price."""
        if price.base is None:
            return Rates(((-1, price.rates),), price.id, reason=_reason(price, question), covered_by=price.covered_by)
        found = self._resolve(_question_of(price.base, question), moments)
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


def _question_of(base: Base, question: _Question) -> _Question:
    """Return what `base` is asked: the call, as far as the base does not say otherwise."""
    tier, processing = question.tier, question.processing
    if base.service_tier is not None or base.processing is not None:
        tier, processing = settle(base.service_tier or tier, base.processing or processing)
    same_provider = base.provider == question.provider
    return replace(
        question,
        provider=base.provider,
        model=base.model or question.model,
        tier=tier,
        processing=processing,
        endpoint=question.endpoint if same_provider else None,
        region=question.region if same_provider else None,
        deployment=question.deployment if same_provider and base.model is None else None,
    )


def _reason(price: Price, question: _Question) -> str | None:
    """Return why `price` is an estimate for the question: it is for the standard way of calling, and this is not."""
    if price.conditions() == (question.tier, question.processing):
        return None
    return PROCESSING_NOT_PRICED if question.processing else TIER_NOT_PRICED


def _joined(bands: Bands, above: int, longer: Bands) -> Bands:
    thresholds = sorted({-1, above, *(start for start, _ in bands), *(start for start, _ in longer if start > above)})
    return tuple((start, band_of(longer if start >= above else bands, start + 1)[1]) for start in thresholds)


@cache
def builtin_files() -> tuple[PriceFile, ...]:
    """Return our own price files, one per provider."""
    folder = resources.files("otel_costs") / "prices"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return tuple(parse((folder / name).read_bytes(), name) for name in names)


@cache
def builtin() -> PriceBook:
    """Return the book of our own files over genai-prices."""
    files = builtin_files()
    return PriceBook(files, version=_version(files))


def with_file(path: str) -> PriceBook:
    """Return the built-in book with the price file at `path` over it; raise PriceFileError if it cannot be used."""
    own = load(path)
    files = builtin_files()
    return PriceBook((own, *files), version=f"{own.version}+{_version(files)}")


def _version(files: Sequence[PriceFile]) -> str:
    return (
        "+".join([*[max(file.version for file in files)][:1], base_prices.version()])
        if files
        else base_prices.version()
    )
