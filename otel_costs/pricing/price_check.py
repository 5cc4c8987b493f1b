"""What a price file takes away from the prices below it, and which of its prices no call ever has."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Final

from otel_costs import semconv
from otel_costs.pricing.call_names import Name
from otel_costs.pricing.call_search import Call
from otel_costs.pricing.contract_terms import Contract
from otel_costs.pricing.cost import CURRENCY
from otel_costs.pricing.endpoint import host, region
from otel_costs.pricing.price_entry import PROVIDER_IDS, Price, PriceFile, provider_id
from otel_costs.pricing.price_search import Question, Search
from otel_costs.pricing.rates import EARLIEST, Rates
from otel_costs.usage.units import DIMENSIONS, WHOLES

if TYPE_CHECKING:
    from otel_costs.pricing.price_book import PriceBook

_TIERS: Final = (("flex", None), ("priority", None), (None, "batch"))
_MAX_LOST: Final = 8  # units, tiers and lengths that are named
_MAX_RATE_DAYS: Final = 45
"""How old the last rate of exchange may be: contracts have one by the day or by the month."""
_MAX_NAMES: Final = 200  # of models that one price is looked at for


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of the price that begins in a line of its file."""

    line: int
    price: str
    problem: str


def findings(file: PriceFile, below: "PriceBook", *, now: datetime | None = None) -> list[Finding]:
    """Return what there is to say of the prices in `file`, over the book `below`, in the order of their lines."""
    return sorted(
        (finding for _, found in by_price(file, below, now=now) for finding in found), key=lambda finding: finding.line
    )


def by_price(
    file: PriceFile, below: "PriceBook", *, now: datetime | None = None
) -> Iterator[tuple[Price, list[Finding]]]:
    """Yield each price with what there is to say of it, as it is looked at: a millisecond, or a few for a wide one."""
    check = _Check(file, below, now or datetime.now(UTC))
    for price in file.prices:
        yield price, [Finding(price.line, price.id, problem) for problem in check.problems(price)]
    for contract in file.terms.contracts if file.terms else ():
        whole, terms = _as_prices(contract)
        found = [Finding(contract.line, whole.id, problem) for problem in check.problems_of(contract, whole)]
        found += [Finding(term.line, term.id, problem) for term in terms for problem in check.problems_of_term(term)]
        yield whole, found


class _Check:
    def __init__(self, file: PriceFile, below: "PriceBook", now: datetime) -> None:
        self._file, self._below, self._now = file, below, now
        self._all = below.under(file)
        self._known: dict[str, tuple[str, ...]] = {}

    def problems(self, price: Price) -> Iterator[str]:
        """Yield what is to be said of `price`: first what it never holds for, as nothing else matters then."""
        never = next(filter(None, self._never(price)), None)
        if never is not None:
            yield never
        elif price.base is None and (lost := self._lost(price)):
            more = f" and {len(lost) - _MAX_LOST} more" if len(lost) > _MAX_LOST else ""
            yield (
                f"drops {', '.join(lost[:_MAX_LOST])}{more}; add `base:` to keep what the price below it has "
                f"(`base: {{provider: {price.provider}}}`)"
            )

    def problems_of(self, contract: Contract, whole: Price) -> Iterator[str]:
        """Yield what is to be said of a contract, of which `whole` is for whom it is."""
        for provider in contract.providers:
            if (problem := self._wrong_provider(replace(whole, provider=provider))) is not None:
                yield problem
        yield from self.problems_of_term(whole)
        if contract.end <= self._now and not any(
            other.end > self._now and set(other.providers) & set(contract.providers)
            for other in (self._file.terms.contracts if self._file.terms else ())
        ):
            yield f"ended on {contract.end:%Y-%m-%d}, and no contract in the file follows it"
        if contract.currency != CURRENCY:
            yield from self._rates_of_exchange(contract)

    def problems_of_term(self, term: Price) -> Iterator[str]:
        """Yield what a term, or a contract, never holds for: its host, or names of its models that are none."""
        yield from filter(None, (self._wrong_host(term), self._wrong_name(term)))

    def _rates_of_exchange(self, contract: Contract) -> Iterator[str]:
        given = self._file.terms.exchange_rates if self._file.terms else ()
        days = sorted(rate.day for rate in given if rate.currency == contract.currency)
        began = max(contract.start, EARLIEST)
        if days and began != EARLIEST and began.date() < days[0]:
            yield f"begins on {began:%Y-%m-%d}, and the first rate of {contract.currency} is that of {days[0]}"
        age = min(self._now, contract.end).date() - days[-1] if days else timedelta()
        if age.days > _MAX_RATE_DAYS:
            yield f"the last rate of {contract.currency} is that of {days[-1]}, {age.days} days ago"

    def _never(self, price: Price) -> Iterator[str | None]:
        yield self._wrong_provider(price)
        yield self._wrong_host(price)
        yield self._wrong_name(price)
        yield self._ended(price)
        names = self._names(price)
        if names:
            yield self._outranked(price, names)
            yield self._without_base(price, names)

    def _wrong_provider(self, price: Price) -> str | None:
        given = {pair.rpartition("=")[2].strip() for pair in os.environ.get(semconv.ENV_PROVIDERS, "").split(",")}
        known = {*self._below.base.providers(), *(p for file in self._below.files for p in file.providers())}
        if price.provider in known | {provider_id(name) for name in given if name}:
            return None
        names = sorted({*known, *PROVIDER_IDS})
        near = [name for name in names if price.provider in re.split(r"[._]", name)[1:]]
        near = near or get_close_matches(price.provider, names, 1, 0.8)
        return f"never holds: no provider is called {price.provider}; did you mean {near[0]}?" if near else None

    def _wrong_host(self, price: Price) -> str | None:
        given = price.match.endpoint
        if given is None or (meant := host(given)) == given:
            return None
        return f"never holds: its endpoint {given} is no host; write {meant or 'one'}"

    def _wrong_name(self, price: Price) -> str | None:
        match = price.match
        if match.model and not any(match.fits(name) for name in match.model):
            return "never holds: what else it matches by is not true of any of its models"
        known = self._models(price.provider)
        if match.regex is not None and not match.model and not any(match.regex.search(name) for name in known):
            relaxed = re.compile(match.regex.pattern, re.IGNORECASE)
            if any(relaxed.search(name) for name in known):
                return "never holds: names are compared in lower case, and its regex is not"
        by_letters = {_letters(name): name for name in reversed(known)}
        for name in match.model:
            meant = by_letters.get(_letters(name))
            if meant is not None and name not in known and not self._is_known(price.provider, name):
                return f"never holds: no model of {price.provider} is called {name}; did you mean {meant}?"
        return None

    def _ended(self, price: Price) -> str | None:
        if price.end > self._now:
            return None
        later = any(
            other.end > self._now and other.match == price.match and other.conditions() == price.conditions()
            for other in self._file.of(price.provider)
        )
        return None if later else f"ended on {price.end:%Y-%m-%d}, and no price in the file follows it"

    def _outranked(self, price: Price, names: Iterable[str]) -> str | None:
        """Return which price of the file is always before `price`."""
        now = _within(price, self._now)
        edges = {edge for other in self._file.of(price.provider) for edge in other.boundaries(now)}
        times = [at for at in (now, *edges) if price.holds(at)]
        before: Price | None = None
        for name in names:
            for at in times:
                for other, longer in self._in_turn(price, name, at):
                    if other is price or price in longer:
                        return None
                    if other.base is None:  # where one has a base, the next may be what it builds on
                        before = other
                        break
        return f"never holds: the price in line {before.line} is always before it" if before is not None else None

    def _in_turn(self, price: Price, name: str, at: datetime) -> Iterator[tuple[Price, list[Price]]]:
        question = _question(price, name)
        return Search((self._file,), self._below.base, at).candidates(self._file, question.names[0], question, ())

    def _without_base(self, price: Price, names: Iterable[str]) -> str | None:
        if price.base is None:
            return None
        at = _within(price, self._now)
        for name in names:
            rates = self._all.rates(_call(price, name), at)
            if rates.price_id is not None and price.id in rates.price_id.split(">"):
                return None
            first, _ = next(self._in_turn(price, name, at), (None, []))
            if first is not price:
                return None  # another one is before it today
        base = price.base
        return f"never holds: its base, {base.provider}/{base.model or 'the same model'}, has no price"

    def _lost(self, price: Price) -> list[str]:
        """Return the units, tiers and lengths that have a price below `price`, and none with it."""
        at = _within(price, self._now)
        units: dict[str, None] = {}
        others: dict[str, None] = {}
        for name in self._names(price):
            below = self._below.rates(_call(price, name), at)
            if below.price_id is None or self._all.rates(_call(price, name), at).price_id != price.id:
                continue
            units |= dict.fromkeys(_units_lost(price, below))
            others |= dict.fromkeys(self._ways_lost(price, name, below, at))
        if "file_searches" in units:
            units.pop("storage_searches", None)  # another name of it
        of_tokens = [unit for unit in DIMENSIONS if unit in units and "tokens" in DIMENSIONS[unit]]
        return [*of_tokens, *others, *(unit for unit in DIMENSIONS if unit in units and unit not in of_tokens)]

    def _ways_lost(self, price: Price, name: str, below: Rates, at: datetime) -> Iterator[str]:
        same = [other for other in self._file.of(price.provider) if other.match == price.match]
        longer = {other.input_tokens_above for other in same}
        if longer == {None}:
            yield from (f"the price above {above:,} input tokens" for above, _ in below.bands if above >= 0)
        if price.conditions() != (None, None):
            return
        given = {other.conditions() for other in same}
        for tier, processing in _TIERS:
            if (tier, processing) not in given:
                call = (price.provider, name, tier, processing, _endpoint(price), price.match.deployment)
                if self._below.rates(call, at).reason is None:
                    yield f"the price of {tier or processing}"

    def _names(self, price: Price) -> tuple[str, ...]:
        """Return names that calls may have for which `price` is: its own, and those of known models that it fits."""
        match = price.match
        given = (*match.model, *match.starts_with)
        known = () if match.model else self._models(price.provider)
        fitting = (name for name in dict.fromkeys((*given, *known)) if match.fits(name))
        return tuple(islice(fitting, _MAX_NAMES))

    def _models(self, provider: str) -> tuple[str, ...]:
        found = self._known.get(provider)
        if found is None:
            base = self._below.base
            sources = (provider, *base.section(provider)["fallback"])
            names = [name for known in base.models(sources) for name in known.names()]
            names += [name for file in self._below.files for price in file.of(provider) for name in price.match.model]
            found = self._known[provider] = tuple(dict.fromkeys(names))
        return found

    def _is_known(self, provider: str, name: str) -> bool:
        return self._below.rates((provider, name, None, None, None, None), self._now).price_id is not None


def _as_prices(contract: Contract) -> tuple[Price, list[Price]]:
    """Return for whom a contract and each of its terms is, as prices: names and hosts are checked as theirs are."""
    provider = contract.providers[0]
    whole = Price(f"contract {contract.id}", provider, contract.match, {}, line=contract.line)
    terms = [*contract.rates, *contract.discounts, *contract.reservations]
    return whole, [replace(whole, match=term.match, line=term.line) for term in terms]


def _units_lost(price: Price, below: Rates) -> Iterator[str]:
    for _, rates in below.bands:
        for unit, rate in rates.items():
            if unit in price.rates or unit in price.derived or unit in price.covered_by:
                continue
            # What costs as the whole that it is part of goes on doing so.
            wholes = [whole for whole in WHOLES.get(unit, ()) if whole in price.rates and whole in rates]
            if not any(rates[whole] == rate for whole in wholes):
                yield unit


def _within(price: Price, now: datetime) -> datetime:
    """Return the moment nearest to `now` at which `price` holds."""
    if now < price.start:
        return price.start
    return now if now < price.end else max(price.end - timedelta(microseconds=1), EARLIEST)


def _endpoint(price: Price) -> str | None:
    given = price.match.endpoint
    return given and given.replace("*", "any", 1)


def _call(price: Price, name: str) -> Call:
    return price.provider, name, price.service_tier, price.processing, _endpoint(price), price.match.deployment


def _question(price: Price, name: str) -> Question:
    endpoint = _endpoint(price)
    return Question(
        provider=price.provider,
        names=(Name((name,)),),
        service_tier=price.service_tier,
        processing=price.processing,
        endpoint=endpoint,
        region=next(iter(price.match.region), region(endpoint)),
        deployment=price.match.deployment,
    )


def _letters(name: str) -> str:
    return re.sub(r"[-_. ]", "", name)
