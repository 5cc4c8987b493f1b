"""The contract that a call is billed by, and what it makes of a list price.

What only a month's or an hour's calls together can tell is an estimate here: `otel_costs/store/settling.py` settles it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Final, TypeAlias, TypeVar

from otel_costs.pricing.contract_terms import (
    Contract,
    Discount,
    Reservation,
    Term,
    Terms,
    exchange_rate,
    midnight,
)
from otel_costs.pricing.cost import CURRENCY, ESTIMATED, PRICED, Contracted, Cost, Line, cost_of
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.price_entry import PLACE_RANK, Match
from otel_costs.pricing.price_search import Question
from otel_costs.pricing.rates import EARLIEST, LATEST, ONE, Rate, Rates
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT

_ZERO: Final = Decimal("0e-12")
_MONEY: Final = Decimal("1e-12")
_HUNDRED: Final = Decimal(100)
_MAX_KEPT: Final = 8

_M = TypeVar("_M", bound=Contract | Term)
_T = TypeVar("_T", bound=Term)

_Rank: TypeAlias = tuple[int, bool, int, int]


@dataclass(slots=True, eq=False)
class CallTerms:
    """What a contract says of one way of calling, from `start` until before `end`.

    `own` are the rates that were agreed on, in the contract's currency. `usd` are the dollars for one unit of it, None
    where no rate of exchange is known.
    """

    contract: Contract
    own: Mapping[str, Rate]
    discount: Discount | None
    reservation: Reservation | None
    usd: Decimal | None
    start: datetime = EARLIEST
    end: datetime = LATEST
    kept: list[tuple[Rates, bool, Rates]] = field(default_factory=list)
    """Rates that were asked for, with the discount or without, and what the contract makes of them."""

    @property
    def is_by_volume(self) -> bool:
        """Whether the volume of the month decides what the call costs."""
        return self.reservation is None and self.discount is not None and self.discount.is_by_volume

    @property
    def reason(self) -> CostReason | None:
        """Why a cost by these terms is an estimate until it is settled."""
        if self.usd is None:
            return CostReason.EXCHANGE_RATE_UNKNOWN
        if self.reservation is not None:
            return CostReason.RESERVATION_NOT_SETTLED
        return CostReason.VOLUME_NOT_SETTLED if self.is_by_volume else None

    def rates(self, listed: Rates, *, discounted: bool = True) -> Rates:
        """Return the rates by the contract where the list has `listed`, in US dollars."""
        for asked, with_discount, found in self.kept:
            if asked is listed and with_discount == discounted:
                return found
        usd = self.usd
        own = {} if usd is None else {u: replace(r, usd=EXACT.multiply(r.usd, usd)) for u, r in self.own.items()}
        percent = self.discount.first if self.discount and discounted else Decimal(0)
        left = EXACT.subtract(ONE, EXACT.divide(percent, _HUNDRED))
        made = listed
        if own or left != ONE:
            made = listed.map(
                lambda rates: {**{unit: rate.times(left) for unit, rate in rates.items()}, **own},
                price_id=listed.price_id or (f"contract:{self.contract.id}" if own else None),
                reason=None if own and listed.price_id is None else listed.reason,
            )
        self.kept[:] = [(listed, discounted, made), *self.kept[: _MAX_KEPT - 1]]
        return made

    def is_discounted(self, unit: str) -> bool:
        """Whether a discount is for `unit`: what has a rate that was agreed on has none."""
        return self.usd is None or unit not in self.own

    def amount(self, lines: Iterable[Line]) -> Decimal | None:
        """Return what lines in US dollars come to in the contract's currency, None where no rate is known."""
        if self.usd is None:
            return None
        total = _ZERO
        for line in lines:
            rate = self.own.get(line.unit)
            if rate is None:
                found = self.converted(line.amount)
            else:
                found = EXACT.quantize(EXACT.divide(EXACT.multiply(rate.usd, line.quantity), rate.per), _MONEY)
            total = EXACT.add(total, found)
        return total

    def converted(self, usd: Decimal) -> Decimal:
        """Return US dollars in the contract's currency, at the day's rate, which must be known."""
        return usd if self.usd == ONE else EXACT.quantize(EXACT.divide(usd, self.usd or ONE), _MONEY)


def contracted(listed: Cost, usage: Usage, rates: Rates, terms: CallTerms) -> Cost:
    """Return what `usage` costs by a contract, where it costs `listed` at `rates`, the list's."""
    made = terms.rates(rates)
    found = listed if made is rates else cost_of(usage, made, listed.book)
    reservation = terms.reservation.id if terms.reservation else ""
    contract = Contracted(
        terms.contract.id,
        terms.contract.currency,
        None if found.total is None else terms.amount(found.lines),
        found.total if listed.total is None else listed.total,
        found.total,
        reservation,
        terms.reason,
        terms.discount.id if terms.discount else "",
    )
    if terms.reason is not None and found.status == PRICED:
        return replace(found, status=ESTIMATED, reason=terms.reason, contract=contract)
    return replace(found, contract=contract)


class ContractBook:
    """The contracts of price files, the earlier files over the later ones."""

    def __init__(self, terms: Iterable[Terms]) -> None:
        listed = tuple(terms)
        self.contracts = tuple(contract for each in listed for contract in each.contracts)
        self.exchange_rates = tuple(rate for each in listed for rate in each.exchange_rates)
        self._moments = sorted({EARLIEST, LATEST, *self._boundaries()})

    def find(self, question: Question, at: datetime) -> CallTerms | None:
        """Return the terms for a call that ended at `at` (aware), None if no contract is for it."""
        contract = _narrowest(
            (one for one in self.contracts if question.provider in one.providers and one.holds(at)), question
        )
        if contract is None:
            return None
        own = self._term(contract.rates, question, at)
        return CallTerms(
            contract,
            (own.rates or {}) if own else {},
            self._term(contract.discounts, question, at),
            self._term(contract.reservations, question, at),
            self.usd(contract.currency, at),
        )

    def within(self, at: datetime) -> tuple[datetime, datetime]:
        """Return from when to when the terms of a call are those that it has at `at`."""
        after = bisect_right(self._moments, at)
        return self._moments[after - 1], self._moments[after] if after < len(self._moments) else LATEST

    def usd(self, currency: str, at: datetime) -> Decimal | None:
        """Return the dollars for one unit of `currency` on the day of `at` (UTC), None where no rate is known."""
        if currency == CURRENCY:
            return ONE
        found = exchange_rate(self.exchange_rates, currency, at.astimezone(UTC).date())
        return found.usd if found else None

    def _term(self, terms: Iterable[_T], question: Question, at: datetime) -> _T | None:
        return _narrowest((term for term in terms if term.holds(at)), question)

    def _boundaries(self) -> Iterable[datetime]:
        for contract in self.contracts:
            terms: Iterable[Term] = chain(contract.rates, contract.discounts, contract.reservations)
            yield from (contract.start, contract.end, *(moment for term in terms for moment in (term.start, term.end)))
        yield from (midnight(rate.day) for rate in self.exchange_rates)


def _narrowest(terms: "Iterable[_M]", question: Question) -> "_M | None":
    """Return the term with the narrowest match, of equally narrow ones the first; None if none matches."""
    best: _M | None = None
    best_rank: _Rank | None = None
    for term in terms:
        rank = _rank(term.match, question)
        if rank is not None and (best_rank is None or rank > best_rank):
            best, best_rank = term, rank
    return best


def _rank(match: Match, question: Question) -> _Rank | None:
    """Return how narrowly a term matches a call, None if it does not.

    First by where the call was made, then by its model: a term that is for the name that answered, and not for the one
    that was asked, goes before one that is for that too, and an earlier name before a later one, as with list prices.
    """
    place = question.deployment, question.endpoint, question.region, question.zone
    found: list[_Rank] = []
    for number, name in enumerate(question.names):
        is_own = bool(name.asked) and not any(match.fits(spelling) for spelling in name.asked)
        for spelling in name.spellings:
            if (rank := match.rank(spelling, *place)) is not None:
                of_place, of_name = divmod(rank, PLACE_RANK)
                found.append((of_place, is_own, of_name, -number))
    return max(found, default=None)
