"""The contracts and rates of exchange of a price file: YAML to terms, or an error that names file, line and field."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any, Final, TypeVar

from otel_costs.pricing.contract_terms import (
    Commitment,
    Contract,
    Discount,
    ExchangeRate,
    OwnRates,
    Reservation,
    Term,
    Terms,
    Tier,
)
from otel_costs.pricing.cost import CURRENCY
from otel_costs.pricing.price_entry import Match, PriceFileError, provider_id
from otel_costs.pricing.price_fields import Fields
from otel_costs.pricing.rates import EARLIEST, LATEST, Rate
from otel_costs.usage.units import UNITS

_MAX_RATE: Final = Decimal(1_000_000)
_MAX_AMOUNT: Final = Decimal(100_000_000_000)
_HUNDRED: Final = Decimal(100)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)

_CONTRACT: Final = (
    *("id", "provider", "match", "from", "to", "currency", "rates", "discounts", "reservations", "commitments"),
    "source",
)
_OWN_RATES: Final = ("match", "from", "to", "rates")
_RATE: Final = ("amount", "per", "minimum")
_DISCOUNT: Final = ("id", "match", "from", "to", "percent", "tiers", "tiers_are_for", "measure")
_TIER: Final = ("above", "percent")
_RESERVATION: Final = ("id", "match", "from", "to", "amount_per_hour", "measure", "capacity_per_hour")
_COMMITMENT: Final = ("id", "amount", "from", "to")
_EXCHANGE_RATE: Final = ("currency", "from", "usd", "source")

_Term = TypeVar("_Term", bound=Term)
_Matched = Callable[[Fields], Match]


def parse(top: Fields, matched: _Matched) -> Terms:
    """Return what `top`, a price file, says of contracts; `matched` reads a `match`. Raises PriceFileError."""
    rates = tuple(_exchange_rates(top))
    currencies = {CURRENCY, *(rate.currency for rate in rates)}
    read = [(entry, _contract(entry, matched)) for entry in _entries(top, "contracts", _CONTRACT)]
    for entry, contract in read:
        if contract.currency not in currencies:
            entry.fail("currency", f"is {contract.currency}, of which exchange_rates has no rate")
    contracts = tuple(contract for _, contract in read)
    _refuse_same_id(read, "id")
    reservations = [one for contract in contracts for one in contract.reservations]
    for one, other in combinations(reservations, 2):
        if one.id == other.id:
            problem = f"{other.id} is that of the reservation in line {one.line}, too"
            raise PriceFileError(top.file, other.line, "reservations.id", problem)
    for (_, first), (entry, second) in combinations(read, 2):
        if (
            first.match.rivals(second.match)
            and set(first.providers) & set(second.providers)
            and _overlap(first, second)
        ):
            entry.fail("from", f"holds at the same time as the contract in line {first.line}, for the same calls")
    return Terms(contracts, rates)


def _contract(entry: Fields, matched: _Matched) -> Contract:
    start, end = _period(entry, EARLIEST, LATEST)
    currency = entry.optional("currency") or CURRENCY
    if not _CURRENCY.fullmatch(currency):
        entry.fail("currency", f"is {currency!r}; it must be one of ISO 4217, such as EUR")
    contract = Contract(
        id=_id(entry),
        providers=tuple(map(provider_id, entry.words("provider"))) or entry.fail("provider", "is missing"),
        match=matched(entry),
        currency=currency,
        start=start,
        end=end,
        rates=tuple(_terms(entry, "rates", _OWN_RATES, matched, (start, end), _own_rates)),
        discounts=tuple(_terms(entry, "discounts", _DISCOUNT, matched, (start, end), _discount)),
        reservations=tuple(_terms(entry, "reservations", _RESERVATION, matched, (start, end), _reservation)),
        commitments=tuple(_commitments(entry, start, end)),
        source=entry.optional("source") or "",
        line=entry.line,
    )
    if not (
        contract.rates or contract.discounts or contract.reservations or contract.commitments or entry.has("currency")
    ):
        entry.fail("id", "has no rates, no discounts, no reservations, no commitments and no currency: it says nothing")
    return contract


def _terms(
    entry: Fields,
    name: str,
    known: Sequence[str],
    matched: _Matched,
    within: tuple[datetime, datetime],
    read: Callable[[Fields, dict[str, Any]], _Term],
) -> Iterator[_Term]:
    """Yield the terms of a kind; two for the same calls at the same time are refused."""
    found: list[_Term] = []
    for given in _entries(entry, name, known):
        start, end = _period(given, *within)
        term = read(given, {"match": matched(given), "start": start, "end": end, "line": given.line})
        for other in found:
            if other.match.rivals(term.match) and _overlap(other, term):
                given.fail("from", f"holds at the same time as what is in line {other.line}, for the same calls")
        found.append(term)
        yield term


def _own_rates(given: Fields, common: dict[str, Any]) -> OwnRates:
    units = given.fields("rates", UNITS)
    rates: dict[str, Rate] = {}
    for unit in units.nodes:
        one = units.fields(unit, _RATE)
        minimum = one.whole("minimum", 0) if one.has("minimum") else -1
        rates[unit] = Rate(usd=one.decimal("amount", _MAX_RATE), per=one.whole("per", 1), minimum=minimum)
    if not rates:
        given.fail("rates", "are missing")
    return OwnRates(**common, rates=rates)


def _discount(given: Fields, common: dict[str, Any]) -> Discount:
    if given.has("percent") == given.has("tiers"):
        given.fail("percent", "or tiers must be given, one of both")
    if given.has("percent"):
        for name in ("tiers_are_for", "measure"):
            if given.has(name):
                given.fail(name, "is for tiers, and there is one percentage")
        tiers: tuple[Tier, ...] = (Tier(Decimal(0), given.decimal("percent", _HUNDRED)),)
    else:
        tiers = tuple(
            Tier(tier.decimal("above", _MAX_AMOUNT), tier.decimal("percent", _HUNDRED))
            for tier in given.entries("tiers", _TIER)
        )
        if any(low.above >= high.above for low, high in pairwise(tiers)):
            given.fail("tiers", "must begin at ever higher volumes")
    how = given.optional("tiers_are_for") or "above"
    if how not in ("above", "all"):
        given.fail("tiers_are_for", f"is {how!r}; it must be above (what is above the tier's beginning) or all")
    id_ = _id(given) if given.has("id") else common["match"].label()
    return Discount(**common, id=id_, tiers=tiers, measure=_measure(given), on_all=how == "all")


def _reservation(given: Fields, common: dict[str, Any]) -> Reservation:
    if common["start"] == EARLIEST:
        given.fail("from", "is missing, here and in the contract: an hourly sum has a beginning")
    capacity = given.decimal("capacity_per_hour", _MAX_AMOUNT) if given.has("capacity_per_hour") else None
    if capacity == 0:
        given.fail("capacity_per_hour", "is zero: leave it out where it is not known")
    for moment, name in ((common["start"], "from"), (common["end"], "to")):
        if moment not in (EARLIEST, LATEST) and (moment.minute or moment.second or moment.microsecond):
            given.fail(name, "must be a full hour (UTC)")
    return Reservation(
        **common,
        id=_id(given),
        per_hour=given.decimal("amount_per_hour", _MAX_RATE),
        measure=_measure(given),
        capacity=capacity,
    )


def _commitments(entry: Fields, start: datetime, end: datetime) -> Iterator[Commitment]:
    found: list[tuple[Fields, Commitment]] = []
    for given in _entries(entry, "commitments", _COMMITMENT):
        since, until = _period(given, start, end)
        if since == EARLIEST or until == LATEST:
            name = "from" if since == EARLIEST else "to"
            given.fail(name, "is missing, here and in the contract: a commitment is for a time")
        commitment = Commitment(_id(given), given.decimal("amount", _MAX_AMOUNT), since, until, given.line)
        found.append((given, commitment))
        yield commitment
    _refuse_same_id(found, "id")


def _exchange_rates(top: Fields) -> Iterator[ExchangeRate]:
    lines: dict[tuple[str, date], int] = {}
    for entry in _entries(top, "exchange_rates", _EXCHANGE_RATE):
        currency, day = entry.text("currency"), entry.day("from") or entry.fail("from", "is missing")
        if not _CURRENCY.fullmatch(currency) or currency == CURRENCY:
            entry.fail("currency", f"is {currency!r}; it must be one of ISO 4217 other than {CURRENCY}")
        if not (usd := entry.decimal("usd", _MAX_RATE)):
            entry.fail("usd", "is zero")
        if (line := lines.get((currency, day))) is not None:
            entry.fail("from", f"has a rate of {currency} in line {line}, too")
        lines[currency, day] = entry.line
        yield ExchangeRate(currency, day, usd, entry.line)


def _measure(given: Fields) -> dict[str, Decimal] | None:
    """Return the units that are counted, and how much one of each counts; None is the cost at list prices."""
    if not given.has("measure"):
        return None
    units = given.fields("measure", UNITS)
    weights = {unit: units.decimal(unit, _MAX_RATE) for unit in units.nodes}
    if not any(weights.values()):
        given.fail("measure", "counts nothing")
    return weights


def _period(given: Fields, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return from when to when a term holds: within the contract."""
    since, until = given.time("from") or start, given.time("to") or end
    if since >= until:
        given.fail("to", "is not after from")
    if since < start:
        given.fail("from", "is before the contract begins")
    if until > end:
        given.fail("to", "is after the contract ends")
    return since, until


def _id(given: Fields) -> str:
    found = given.text("id")
    if not _ID.fullmatch(found):
        given.fail("id", f"is {found!r}; it must be letters, digits, dots, hyphens and underscores, 64 at most")
    return found


def _entries(given: Fields, name: str, known: Sequence[str]) -> Iterator[Fields]:
    """Yield the mappings of a list, none where it is not given."""
    if given.has(name):
        yield from given.entries(name, known)


def _refuse_same_id(read: Iterable[tuple[Fields, Any]], name: str) -> None:
    lines: dict[str, int] = {}
    for entry, found in read:
        if (line := lines.get(found.id)) is not None:
            entry.fail(name, f"{found.id} is that of line {line}, too")
        lines[found.id] = found.line


def _overlap(one: Any, other: Any) -> bool:
    return bool(one.start < other.end and other.start < one.end)
