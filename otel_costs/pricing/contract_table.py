"""The contracts in force, term by term, for people to read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from otel_costs.pricing.contract_terms import Commitment, Contract, Discount, OwnRates, Reservation, Term
from otel_costs.pricing.price_book import PriceBook
from otel_costs.pricing.price_entry import provider_id
from otel_costs.pricing.rates import EARLIEST, LATEST


@dataclass(frozen=True, slots=True)
class TermRow:
    """One term of a contract. `match` is for whom, `said` what; `start` and `end` are None where there is no limit."""

    contract_id: str
    providers: tuple[str, ...]
    kind: str
    """`rates`, `discount`, `reservation`, `commitment`, or `currency` of a contract that has no other term."""
    match: str
    said: str
    currency: str
    start: datetime | None
    end: datetime | None
    in_force: bool


def rows(book: PriceBook, now: datetime, provider: str | None = None) -> Iterator[TermRow]:
    """Yield the terms of the contracts of `book`, of one provider or of all, in the order of the files."""
    wanted = provider and provider_id(provider)
    for contract in book.contracts.contracts if book.contracts else ():
        if wanted is None or wanted in contract.providers:
            yield from _rows(contract, now)


def _rows(contract: Contract, now: datetime) -> Iterator[TermRow]:
    terms: list[Term | Commitment] = [
        *contract.rates, *contract.discounts, *contract.reservations, *contract.commitments,
    ]  # fmt: skip
    for term in terms:
        kind, text = _describe_term(term, contract.currency)
        yield TermRow(
            contract_id=contract.id,
            providers=contract.providers,
            kind=kind,
            match=contract.match.label() if isinstance(term, Commitment) else _label(contract, term),
            said=text,
            currency=contract.currency,
            start=None if term.start == EARLIEST else term.start,
            end=None if term.end == LATEST else term.end,
            in_force=contract.holds(now) and term.start <= now < term.end,
        )
    if not terms:
        start, end = (None if moment in (EARLIEST, LATEST) else moment for moment in (contract.start, contract.end))
        text = f"billed in {contract.currency}"
        yield TermRow(
            contract.id, contract.providers, "currency", contract.match.label(), text, contract.currency, start, end,
            contract.holds(now),
        )  # fmt: skip


def _describe_term(term: Term | Commitment, currency: str) -> tuple[str, str]:
    if isinstance(term, Commitment):
        return "commitment", f"{term.id}: {_plain(term.amount)} {currency}"
    if isinstance(term, Reservation):
        capacity = "" if term.capacity is None else f", of {_plain(term.capacity)} an hour"
        return "reservation", f"{term.id}: {_plain(term.per_hour)} {currency} an hour{capacity}"
    if isinstance(term, OwnRates):
        rates = (f"{unit} {_plain(rate.usd)} per {rate.per:,}" for unit, rate in (term.rates or {}).items())
        return "rates", f"{', '.join(rates)} {currency}"
    if isinstance(term, Discount) and term.is_by_volume:
        tiers = ", ".join(f"{_plain(tier.percent)} % above {_plain(tier.above)}" for tier in term.tiers)
        return "discount", f"{tiers}{' of all' if term.on_all else ''}, by month"
    return "discount", f"{_plain(term.first if isinstance(term, Discount) else Decimal(0))} %"


def _label(contract: Contract, term: Term) -> str:
    """Return for whom a term is: what the contract matches, and what the term does."""
    found = [label for label in (contract.match.label(), term.match.label()) if label != "*"]
    return "+".join(dict.fromkeys(found)) or "*"


def _plain(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
