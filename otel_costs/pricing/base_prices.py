"""The base under all price files: what genai-prices publishes, kept as a book of ours and read for its rates alone.

Its own `calc_price` is not used: it gives no lines, takes 80 µs and more, prices what it has no rate for at zero, and
an unknown tier at the standard price, all without a word. Nor is its package needed where calls are priced: importing
it takes half a second. `genai_prices_data` reads its data when ours are built or updated.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.model_names import compact_date
from otel_costs.pricing.rates import Bands, Rate, Rates

Json: TypeAlias = Any
"""Lists and texts, as they are stored: what has no need to be an object at the first call does not become one."""

_FIRST: Final = -1  # the threshold below all others
_NO_MODELS: Final[Mapping[str, Json]] = {"fallback": (), "models": ()}


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model under a provider that offers it.

    `match` is a rule: `["equals", name]`, also `starts_with`, `ends_with`, `contains`, `regex`, or `["or", [rules]]`,
    `["and", [rules]]`. `revisions` are [since, prices, variants], the first of them since ever (None): a price that an
    update replaced holds for the calls before it. Prices are [constraint, {unit: [usd, per]}], with
    [[above, usd], ...] as a third part where they depend on the input's tokens; variants have a `when` before that.
    """

    provider: str
    source: str
    """The provider whose prices they are: the model's maker, where `provider` has none of its own for it."""
    id: str
    match: Json
    revisions: Json
    book: str = "genai-prices"

    @property
    def price_id(self) -> str:
        """Name the price: where it comes from and whose it is."""
        return f"{self.book}:{self.provider}/{self.id}"

    def names(self) -> Iterator[str]:
        """Yield the names that it is known by in full; those that it is known by in part are no names."""
        equal = (name for kind, name in _leaves(self.match) if kind == "equals")
        yield from dict.fromkeys(name for name in (self.id.lower(), *equal) if matches(self.match, name))

    def boundaries(self, at: datetime) -> Iterator[datetime]:
        """Yield the moments around `at` at which a price of this model may begin or end."""
        for since, prices, variants in self.revisions:
            if since is not None:
                yield datetime.fromisoformat(since)
            for constraint in (*(price[0] for price in prices), *(variant[1] for variant in variants)):
                if constraint is None:
                    continue
                if "start_date" in constraint:
                    yield datetime.combine(_day(constraint), time(), UTC)  # its dates are days in UTC
                    continue
                for days in (-1, 0, 1):
                    for moment in _hours(constraint):
                        yield datetime.combine(_shifted(at, days), moment, UTC)

    def rates(self, at: datetime, service_tier: str | None, processing: str | None) -> Rates:
        """Return the rates at `at`; with a reason, and the standard ones, if tier or processing have none."""
        _, prices, variants = self._revision(at)
        context = {"processing": processing} if processing else {"service_tier": service_tier} if service_tier else {}
        # Variants are the provider's own: genai-prices, too, applies none to a model that it found at the maker's.
        own = variants if context and self.provider == self.source else ()
        chosen = [units for when, constraint, units in own if when == context and _holds(constraint, at)]
        # The last that holds counts, of variants the first; without one that holds, the first of all.
        standard = next((units for constraint, units in reversed(prices) if _holds(constraint, at)), prices[0][1])
        units = dict(standard)
        for variant in reversed(chosen):
            units |= variant
        reason = None
        if context and not chosen:
            reason = CostReason.PROCESSING_NOT_PRICED if processing else CostReason.TIER_NOT_PRICED
        price_id = self.price_id + "".join(f"?{key}={value}" for key, value in context.items() if chosen)
        return Rates(_bands(units), price_id, reason=reason)

    def _revision(self, at: datetime) -> Json:
        for revision in reversed(self.revisions):
            if revision[0] is None or datetime.fromisoformat(revision[0]) <= at:
                return revision
        return self.revisions[0]


class BaseBook:
    """Models by provider, each provider's read from its stored text when it is first asked for.

    `sections` have a JSON text per provider: `{"fallback": [providers], "models": [[id, match, revisions], ...]}`.
    """

    def __init__(self, version: str, sections: Mapping[str, str]) -> None:
        self.version = version
        self.sections = sections
        self._read: dict[str, Json] = {}

    def providers(self) -> frozenset[str]:
        """Return the names of the providers that it has prices of."""
        return frozenset(self.sections)

    def find(self, provider: str, model: str) -> BaseModel | None:
        """Return the model that `provider` calls `model`, None if one of them is not known."""
        model = model.lower()
        dashed = compact_date(model)
        return self._match(provider, model) or (self._match(provider, dashed) if dashed else None)

    def models(self, providers: Iterable[str] | None = None) -> Iterator[BaseModel]:
        """Yield every model with prices, of some providers or by provider of all."""
        for provider in self.sections if providers is None else providers:
            for id_, match, revisions in self.section(provider)["models"]:
                yield BaseModel(provider, provider, id_, match, revisions)

    def section(self, provider: str) -> Json:
        """Return what is stored of `provider`; no models, if that is nothing."""
        found = self._read.get(provider)
        if found is None:
            if provider not in self.sections:
                return _NO_MODELS
            found = self._read[provider] = json.loads(self.sections[provider])
        return found

    def _match(self, provider: str, model: str) -> BaseModel | None:
        for source in (provider, *self.section(provider)["fallback"]):
            for id_, match, revisions in self.section(source)["models"]:
                if matches(match, model):
                    return BaseModel(provider, source, id_, match, revisions)
        return None


def matches(rule: Json, name: str) -> bool:
    """Whether `name` (in lower case) is one that `rule` is for."""
    kind, value = rule
    if kind == "equals":
        return bool(name == value)
    if kind == "or":
        return any(matches(part, name) for part in value)
    if kind == "starts_with":
        return name.startswith(value)
    if kind == "contains":
        return value in name
    if kind == "ends_with":
        return name.endswith(value)
    if kind == "and":
        return all(matches(part, name) for part in value)
    return re.search(value, name) is not None


def _leaves(rule: Json) -> Iterator[tuple[str, str]]:
    kind, value = rule
    if kind in ("or", "and"):
        for part in value:
            yield from _leaves(part)
    else:
        yield kind, value


def _holds(constraint: Json, at: datetime) -> bool:
    if constraint is None:
        return True
    if "start_date" in constraint:
        return bool(at.astimezone(UTC).date() >= _day(constraint))
    start, end = _hours(constraint)
    now = at.astimezone(UTC).time()
    return start <= now < end if start <= end else now >= start or now < end


def _day(constraint: Json) -> Any:
    return datetime.fromisoformat(constraint["start_date"]).date()


def _hours(constraint: Json) -> tuple[time, time]:
    return time.fromisoformat(constraint["start_time"]), time.fromisoformat(constraint["end_time"])


def _bands(units: Mapping[str, Json]) -> Bands:
    starts = sorted({above for rate in units.values() if len(rate) > 2 for above, _ in rate[2]})
    return tuple(
        (above, {unit: Rate(_at(rate, above), rate[1]) for unit, rate in units.items()}) for above in (_FIRST, *starts)
    )


def _at(rate: Json, above: int) -> Decimal:
    """Return the rate for more than `above` input tokens; -1 gives that of the first band."""
    usd = rate[0]
    for start, other in rate[2] if len(rate) > 2 else ():
        if start <= above:
            usd = other
    return Decimal(usd)


def _shifted(at: datetime, days: int) -> Any:
    try:
        return (at + timedelta(days=days)).date()
    except OverflowError:
        return at.date()
