"""The terms of a contract: rates of its own, discounts, what is reserved, what is committed to, in which currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from otel_costs.pricing.cost import CURRENCY
from otel_costs.pricing.price_entry import Match
from otel_costs.pricing.rates import EARLIEST, LATEST, Rate
from otel_costs.usage.numbers import EXACT

Weights = Mapping[str, Decimal]
"""Units of a usage, and how much one of each counts."""


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a contract: for the calls that `match`, and that ended from `start` until before `end`."""

    match: Match
    start: datetime = EARLIEST
    end: datetime = LATEST
    line: int = 0

    def holds(self, at: datetime) -> bool:
        """Return whether it holds at `at` (aware)."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class OwnRates(Term):
    """Rates that were agreed on, in the contract's currency: `usd` of each is an amount of that."""

    rates: Mapping[str, Rate] | None = None


@dataclass(frozen=True, slots=True)
class Tier:
    """A discount of `percent` on what is above `above` in a month."""

    above: Decimal
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Discount(Term):
    """A discount on list prices: one percentage, or by the volume of a calendar month (UTC).

    `measure` is what the volume is counted in, None is the cost at list prices. `on_all`: the tier that the month
    reaches is for all of it, not only for what is above.
    """

    id: str = ""
    tiers: tuple[Tier, ...] = ()
    measure: Weights | None = None
    on_all: bool = False

    @property
    def is_by_volume(self) -> bool:
        """Whether a month decides how much it is."""
        return len(self.tiers) > 1 or self.tiers[0].above > 0

    @property
    def first(self) -> Decimal:
        """The percentage of the first call of a month."""
        return self.tiers[0].percent if self.tiers[0].above == 0 else Decimal(0)


@dataclass(frozen=True, slots=True)
class Reservation(Term):
    """What is paid for by the hour, used or not: provisioned throughput, reserved capacity.

    `per_hour` is in the contract's currency. `measure` says how much of it a call uses, None is its cost at list
    prices; `capacity` is how much there is in an hour, None where that is not known.
    """

    id: str = ""
    per_hour: Decimal = Decimal(0)
    measure: Weights | None = None
    capacity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Commitment:
    """The least that is paid for the calls that end from `start` until before `end`, in the contract's currency."""

    id: str
    amount: Decimal
    start: datetime
    end: datetime
    line: int = 0


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract with one or more providers."""

    id: str
    providers: tuple[str, ...]
    match: Match
    currency: str = CURRENCY
    start: datetime = EARLIEST
    end: datetime = LATEST
    rates: tuple[OwnRates, ...] = ()
    discounts: tuple[Discount, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    source: str = ""
    line: int = 0

    def holds(self, at: datetime) -> bool:
        """Return whether it holds at `at` (aware)."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """Dollars for one unit of a currency, from the beginning of a day (UTC) on, until the next rate."""

    currency: str
    day: date
    usd: Decimal
    line: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What a price file says of contracts."""

    contracts: tuple[Contract, ...] = ()
    exchange_rates: tuple[ExchangeRate, ...] = ()


def midnight(day: date) -> datetime:
    """Return the beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def exchange_rate(rates: tuple[ExchangeRate, ...], currency: str, day: date) -> ExchangeRate | None:
    """Return the rate of `currency` on `day`: the last one until then, None before the first."""
    until = [rate for rate in rates if rate.currency == currency and rate.day <= day]
    return max(until, key=lambda rate: rate.day, default=None)


def amount_of(weights: Weights, quantities: Mapping[str, int | Decimal]) -> Decimal:
    """Return how much a usage is by `weights`."""
    found = Decimal(0)
    for unit, weight in weights.items():
        found = EXACT.add(found, EXACT.multiply(weight, Decimal(quantities.get(unit, 0))))
    return found
