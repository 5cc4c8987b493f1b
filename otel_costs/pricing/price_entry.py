"""An entry of a price file: the calls that it is for, from when to when, its conditions, and its base."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.rates import EARLIEST, LATEST, ONE, Rate
from otel_costs.values.sanitize import without_credentials

if TYPE_CHECKING:
    from otel_costs.pricing.contract_terms import Terms
    from otel_costs.pricing.deployments import Deployment

PLACE_RANK: Final = 10_000
"""From here on a rank of a match tells where a call is made, below it what its model is called."""

ANY_REGION: Final = "*"
"""What stands for all regions that a host may name, in a match."""

_STANDARD_TIERS: Final = frozenset({"default", "standard", "auto", "on_demand"})
_STANDARD_PROCESSING: Final = frozenset({"sync", "default", "standard", "stream", "background"})

PROVIDER_IDS: Final = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
"""The semantic conventions' provider names, where price sources have others. Only whole names are matched: to find
`openai` anywhere in a name would give a gateway's calls OpenAI's prices, unasked."""


def provider_id(name: str) -> str:
    """Return the name by which price sources know a provider."""
    name = name.strip().lower()
    return PROVIDER_IDS.get(name, name)


def settle(service_tier: str | None, processing: str | None) -> tuple[str | None, str | None]:
    """Return tier and processing in lower case, None for what has the standard price. A batch has no tier."""
    tier = (service_tier or "").strip().lower()
    way = (processing or "").strip().lower()
    if tier == "batch":  # OpenAI and Anthropic report it as a tier
        tier, way = "", "batch"
    if way in _STANDARD_PROCESSING:
        way = ""
    return (None if way or tier in _STANDARD_TIERS else tier or None), way or None


class PriceFileError(ValueError):
    """A price file cannot be used. Carries `file`, `line` (None if unknown), `field` (empty for the whole file).

    Where an address was given for a file, what may be a credential in it is not told.
    """

    def __init__(self, file: str, line: int | None, field: str, problem: str) -> None:
        file = without_credentials(file)
        self.file, self.line, self.field, self.problem = file, line, field, problem
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {field}: {problem}" if field else f"{where}: {problem}")


@dataclass(frozen=True, slots=True)
class Match:
    """Whom a price is for; what is not given matches all."""

    model: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    ends_with: tuple[str, ...] = ()
    regex: re.Pattern[str] | None = None
    deployment: str | None = None
    endpoint: str | None = None
    region: tuple[str, ...] = ()
    zone: tuple[str, ...] = ()

    def rank(
        self, model: str, deployment: str | None, endpoint: str | None, region: str | None, zone: str | None = None
    ) -> int | None:
        """Return how narrowly this matches (more is narrower), or None where it does not match."""
        # A call says its deployment in place of the model where the provider (Azure) knows models by deployment.
        if self.deployment is not None and self.deployment != (deployment or model):
            return None
        if self.endpoint is not None and not _is_host(endpoint, self.endpoint):
            return None
        if self.region and region not in self.region and (region is None or ANY_REGION not in self.region):
            return None
        if self.zone and zone not in self.zone:
            return None
        name = self._rank_name(model)
        if name is None:
            return None
        exact = self.endpoint is not None and not self.endpoint.startswith("*.")
        narrowed = (bool(self.zone), bool(self.region), self.endpoint is not None, exact, self.deployment is not None)
        return name + sum(PLACE_RANK << place for place, given in enumerate(narrowed) if given)

    def _rank_name(self, model: str) -> int | None:
        rank = 0
        if self.model:
            if model not in self.model:
                return None
            rank = 3000
        for affixes, fits in ((self.starts_with, model.startswith), (self.ends_with, model.endswith)):
            if affixes:
                longest = max((len(affix) for affix in affixes if fits(affix)), default=0)
                if not longest:
                    return None
                rank += 1000 + longest
        if self.regex is not None:
            return rank + 500 if self.regex.search(model) else None
        return rank

    def fits(self, model: str) -> bool:
        """Whether it is for a model of this name, wherever that is asked."""
        return self._rank_name(model) is not None

    def rivals(self, other: "Match") -> bool:
        """Return whether both are for some calls equally narrowly: they name the same fields, and some of the same."""
        named = all(
            set(mine) & set(theirs) if mine and theirs else mine == theirs
            for mine, theirs in (
                (self.model, other.model),
                (self.starts_with, other.starts_with),
                (self.ends_with, other.ends_with),
                (self.region, other.region),
                (self.zone, other.zone),
            )
        )
        return named and (self.regex, self.deployment, self.endpoint) == (other.regex, other.deployment, other.endpoint)

    def label(self) -> str:
        """Return what is matched as one word, for a price's id."""
        names = [*self.model, *(f"{name}*" for name in self.starts_with), *(f"*{name}" for name in self.ends_with)]
        if self.regex is not None:
            names.append(f"/{self.regex.pattern}/")
        return (
            "+".join(
                filter(
                    None, [",".join(names), self.deployment, self.endpoint, ",".join(self.region), ",".join(self.zone)]
                )
            )
            or "*"
        )


def _is_host(host: str | None, wanted: str) -> bool:
    """Return whether `host` is `wanted`, or under it where that is `*.acme.com`."""
    if host is None:
        return False
    return host.endswith(wanted[1:]) if wanted.startswith("*.") else host == wanted


@dataclass(frozen=True, slots=True)
class Weekly:
    """The hours of a week in which a price holds, in a zone with the same offset all year.

    `days` are 0 (Monday) to 6, `hours` begin (included) and end (excluded) in minutes after midnight.
    """

    days: tuple[int, ...]
    hours: tuple[tuple[int, int], ...]
    offset_minutes: int = 0

    def holds(self, at: datetime) -> bool:
        """Return whether the price holds at `at` (aware)."""
        local = at.astimezone(self._zone)
        minute = local.hour * 60 + local.minute
        return local.weekday() in self.days and any(start <= minute < end for start, end in self.hours)

    def boundaries(self, at: datetime) -> Iterator[datetime]:
        """Yield the moments around `at` at which it may begin or end to hold."""
        midnight = at.astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        for day in (-1, 0, 1):
            for hours in self.hours:
                for minute in hours:
                    with suppress(OverflowError):
                        yield (midnight + timedelta(days=day, minutes=minute)).astimezone(UTC)

    @property
    def _zone(self) -> timezone:
        return timezone(timedelta(minutes=self.offset_minutes))


@dataclass(frozen=True, slots=True)
class Base:
    """The price that another one builds on; None takes the call's own."""

    provider: str
    model: str | None = None
    service_tier: str | None = None
    processing: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """One entry of a price file."""

    id: str
    provider: str
    match: Match
    rates: Mapping[str, Rate]
    start: datetime = EARLIEST
    end: datetime = LATEST
    service_tier: str | None = None
    processing: str | None = None
    input_tokens_above: int | None = None
    weekly: Weekly | None = None
    """The hours of a week in which it holds; None is always."""
    base: Base | None = None
    multiplier: Decimal = ONE
    multiplies_tokens_only: bool = False
    """Whether fees of tools stay what the base says."""
    derived: Mapping[str, tuple[str, Decimal]] = field(default_factory=dict)
    """Units that cost a multiple of another unit of the base: unit to (that unit, the multiple)."""
    covered_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reason: CostReason | None = None
    """Why it is an estimate, where it is one."""
    inherited: bool = True
    """Whether prices of other providers that build on this provider's have it, too."""
    on_top: bool = False
    """Whether it is billed on top of the price of the model that answered."""
    source: str = ""
    checked: date | None = None
    line: int = 0

    def is_for(self, model: str) -> bool:
        """Whether it has a price for the model of this name, of which a base alone would not tell."""
        if self.base is None:
            return bool(self.match.label() != "*" and self.match.fits(model))
        return model in self.match.model

    def holds(self, at: datetime) -> bool:
        """Return whether it holds at `at` (aware)."""
        return self.start <= at < self.end and (self.weekly is None or self.weekly.holds(at))

    def boundaries(self, at: datetime) -> tuple[datetime, ...]:
        """Return the moments around `at` at which it may begin or end to hold."""
        return (self.start, self.end, *(self.weekly.boundaries(at) if self.weekly else ()))

    def conditions(self) -> tuple[str | None, str | None]:
        """Return the tier and the processing that this price is for, None for the standard ones."""
        return self.service_tier, self.processing


class PriceFile:
    """A price file that was read and found sound."""

    terms: "Terms | None" = None
    """What it says of contracts."""

    deployments: "tuple[Deployment, ...]" = ()

    def __init__(
        self,
        name: str,
        version: str,
        prices: Iterable[Price],
        *,
        terms: "Terms | None" = None,
        deployments: "tuple[Deployment, ...]" = (),
    ) -> None:
        self.name, self.version = name, version
        self.terms, self.deployments = terms, deployments
        self._by_provider: dict[str, tuple[Price, ...]] = {}
        for price in prices:
            self._by_provider[price.provider] = (*self._by_provider.get(price.provider, ()), price)

    @property
    def prices(self) -> tuple[Price, ...]:
        """All prices, by provider."""
        return tuple(price for provider in self.providers() for price in self.of(provider))

    def providers(self) -> tuple[str, ...]:
        """Return the providers that it has prices of."""
        return tuple(self._by_provider)

    def of(self, provider: str) -> tuple[Price, ...]:
        """Return the prices of `provider`, in the order of the file."""
        return self._by_provider.get(provider, ())
