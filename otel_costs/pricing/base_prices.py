"""The base under all price files: genai-prices, read for its rates alone.

Its own `calc_price` is not used: it gives no lines, takes 80 µs and more, prices what it has no rate for at zero, and
an unknown tier at the standard price, all without a word. Only data and matching of the release that we pin are read;
`UpdatePrices` is never started, since it fetches over the network.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from otel_costs.pricing.rates import PROCESSING_NOT_PRICED, TIER_NOT_PRICED, Bands, Rate, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

# Imported when the first price is asked for: 11-21 ms, and 214-638 ms without bytecode.


@cache
def version() -> str:
    """Return the name and the release of the base."""
    import genai_prices  # noqa: PLC0415

    return f"genai-prices-{genai_prices.__version__}"


def warm_up() -> None:
    """Import what the first price would have to wait for."""
    version()
    _providers()
    _units()


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model that genai-prices knows, under a provider that offers it."""

    provider: str
    own: bool
    """Whether the provider has prices of its own for it, and not its maker's."""
    info: "ModelInfo"

    @property
    def price_id(self) -> str:
        """Name the price: where it comes from and whose it is."""
        return f"genai-prices:{self.provider}/{self.info.id}"

    def names(self) -> Iterator[str]:
        """Yield the names that it is known by in full; those that it is known by in part are no names."""
        yield from dict.fromkeys(name for name in (self.info.id, *_equals(self.info.match)) if self.info.is_match(name))

    def boundaries(self, at: datetime) -> Iterator[datetime]:
        """Yield the moments around `at` at which a price of this model may begin or end."""
        for constraint in self._constraints():
            if start := getattr(constraint, "start_date", None):
                yield datetime.combine(start, time(), UTC)  # its dates are days in UTC
            else:
                for days in (-1, 0, 1):
                    for moment in (constraint.start_time, constraint.end_time):
                        day = _shifted(at, days)
                        yield datetime.combine(day, moment, moment.tzinfo or UTC).astimezone(UTC)

    def rates(self, at: datetime, service_tier: str | None, processing: str | None) -> Rates:
        """Return the rates at `at`; with a reason, and the standard ones, if tier or processing have none."""
        context = {"processing": processing} if processing else {"service_tier": service_tier} if service_tier else {}
        # Variants are the provider's own: genai-prices, too, applies none to a model that it found at the maker's.
        variants = [
            variant
            for variant in self.info.price_variants or ()
            if self.own and variant.when == context and (variant.constraint is None or variant.constraint.active(at))
        ]
        prices = self.info.get_prices(at, context if variants else None)
        reason = None
        if context and not variants:
            reason = PROCESSING_NOT_PRICED if processing else TIER_NOT_PRICED
        price_id = self.price_id + "".join(f"?{key}={value}" for key, value in context.items() if variants)
        return Rates(_bands(prices.__dict__), price_id, reason=reason)

    def _constraints(self) -> Iterator[Any]:
        conditional = self.info.prices if isinstance(self.info.prices, list) else []
        for priced in (*conditional, *(self.info.price_variants or ())):
            if priced.constraint is not None:
                yield priced.constraint


def find(provider: str, model: str) -> BaseModel | None:
    """Return the model that `provider` calls `model`, None if genai-prices does not know either."""
    by_id = _providers()
    source = by_id.get(provider)
    if source is None:
        return None
    info = source.find_model(model, all_providers=list(by_id.values()))
    if info is None:
        return None
    return BaseModel(provider, any(info is mine for mine in source.models), info)


def providers() -> frozenset[str]:
    """Return the names of the providers that it has prices of."""
    return frozenset(_providers())


def models() -> Iterator[BaseModel]:
    """Yield every model with prices, by provider."""
    for name, source in _providers().items():
        for info in source.models:
            yield BaseModel(name, True, info)


@cache
def _providers() -> Mapping[str, "Provider"]:
    from genai_prices.data import providers  # noqa: PLC0415

    return {provider.id: provider for provider in providers}


@cache
def _units() -> Mapping[str, tuple[str, int]]:
    """Return price key to (unit, per): `input_mtok` to `input_tokens` by the million."""
    from genai_prices.data_units import unit_data  # noqa: PLC0415

    return {unit["price_key"]: (name, unit["per"]) for name, unit in unit_data.items()}


def _equals(match: Any) -> Iterator[str]:
    """Yield the whole names in a rule of genai-prices."""
    if (name := getattr(match, "equals", None)) is not None:
        yield name
    for part in getattr(match, "or_", ()):
        yield from _equals(part)


def _bands(prices: Mapping[str, Any]) -> Bands:
    units = _units()
    known = {units[key]: price for key, price in prices.items() if key in units and price is not None}
    starts = sorted({tier.start for price in known.values() for tier in getattr(price, "tiers", ())})
    return tuple(
        (above, _distinct({unit: Rate(_at(price, above), per) for (unit, per), price in known.items()}))
        for above in (-1, *starts)
    )


def _at(price: Any, above: int) -> Any:
    """Return the rate of `price` for more than `above` input tokens; -1 gives that of the first band."""
    rate = getattr(price, "base", price)
    for tier in getattr(price, "tiers", ()):
        if tier.start <= above:
            rate = tier.price
    return rate


def _distinct(rates: dict[str, Rate]) -> dict[str, Rate]:
    """Name each thing once."""
    # whisper-1 has the same rate for its seconds of audio and for the input part of them.
    if rates.get("input_audio_seconds") == rates.get("audio_seconds") is not None:
        del rates["input_audio_seconds"]
    # OpenAI's file search under our name for it.
    if "storage_searches" in rates:
        rates["file_searches"] = rates["storage_searches"]
    return rates


def _shifted(at: datetime, days: int) -> Any:
    try:
        return (at + timedelta(days=days)).date()
    except OverflowError:
        return at.date()
