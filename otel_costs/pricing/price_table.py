"""The table of prices in force, rate by rate, for people to read."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from otel_costs.pricing import updates
from otel_costs.pricing.base_prices import BaseBook, BaseModel
from otel_costs.pricing.builtin_prices import builtin_files
from otel_costs.pricing.price_book import PriceBook
from otel_costs.pricing.price_entry import Price, PriceFile, provider_id
from otel_costs.pricing.rates import EARLIEST, LATEST, Rate


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One rate of the table in force. `start` and `end` are None where the price has no such limit."""

    provider: str
    model: str
    unit: str
    usd: Decimal | None
    per: int | None
    multiplier: Decimal
    condition: str
    start: datetime | None
    end: datetime | None
    price_id: str
    source: str
    checked: str
    wins: bool | None = None
    """Whether calls of the model have it today; None where that depends on the call, or on which model of several."""
    winner: str | None = None
    """The price that they have, where it is another one."""
    contract: str | None = None
    """The contract that they are billed by today, where they have the rate and one is for them."""


@dataclass(frozen=True, slots=True)
class PriceSource:
    """A list of prices: what it is called, its version, and when it was fetched if an update did."""

    name: str
    version: str
    fetched_at: datetime | None = None


def sources(book: PriceBook) -> Iterator[PriceSource]:
    """Yield what the prices of `book` are from: what is first is over the others."""
    stored = updates.read().headers
    ours = builtin_files()
    for file in book.files:
        if file not in ours:
            fetched = stored.get(updates.BOOK, {})
            yield _source(fetched, file) if fetched.get("source") == file.name else PriceSource(file.name, file.version)
    if ours:
        yield PriceSource("the price files of this release", max(file.version for file in ours))
    fetched = stored.get(updates.BASE, {})
    if fetched.get("base") == book.base.version:
        yield _source(fetched, book.base)
    else:
        yield PriceSource("as this release was built", book.base.version)


def _source(header: Mapping[str, Any], prices: PriceFile | BaseBook) -> PriceSource:
    return PriceSource(header["source"], prices.version, datetime.fromisoformat(header["fetched_at"]))


def rows(book: PriceBook, provider: str | None = None, model: str | None = None) -> Iterator[PriceRow]:
    """Yield the rates of `book`, of one provider or of all: what wins comes first.

    With `model` in the model's name; of one provider, also those for models by a pattern that fits it.

    Of genai-prices the standard rates of today; what its tiers and batches cost, `price` tells.
    """
    for row in _rows(book, provider, model):
        yield _judged(book, row)


def _rows(book: PriceBook, provider: str | None, model: str | None) -> Iterator[PriceRow]:
    wanted = provider and provider_id(provider)
    part = (model or "").lower()
    for file in book.files:
        for price in file.of(wanted) if wanted else file.prices:
            by_pattern = wanted is not None and price.match.fits(part)
            if by_pattern or part in price.match.label():
                yield from _file_rows(price)
    for known in book.base.models(None if wanted is None else [wanted]):
        if part in known.id.lower():
            yield from _base_rows(known, book.base.version)


def _judged(book: PriceBook, row: PriceRow) -> PriceRow:
    """Return `row` with whether calls have its rate: one that is no pattern, asked in the standard way, today."""
    now = datetime.now(UTC)
    is_pattern = row.model.startswith("/") or set(row.model) & set("*,+")
    is_for_some = row.condition and not row.condition.startswith("as ")
    if is_pattern or is_for_some or not (row.start or EARLIEST) <= now < (row.end or LATEST):
        return row
    call = (row.provider, row.model, None, None, None, None)
    rates = book.rates(call, now)
    if rates.price_id is None:
        return row
    terms = book.terms(call, now)
    rate = rates.bands[0][1].get(row.unit)
    wins = row.price_id in rates.price_id.split(">") and rate is not None and (rate.usd, rate.per) == (row.usd, row.per)
    contract = terms.contract.id if terms and wins else None
    return replace(row, wins=wins, winner=None if wins else rates.price_id, contract=contract)


def _file_rows(price: Price) -> Iterator[PriceRow]:
    parts = {
        "service_tier": price.service_tier,
        "processing": price.processing,
        "input_tokens above": price.input_tokens_above,
    }
    condition = ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)
    if price.base is not None:
        condition = ", ".join(filter(None, [condition, f"as {price.base.provider}/{price.base.model or 'the same'}"]))
    rates: Mapping[str, Rate | None] = price.rates or {"*": None}
    for unit, rate in rates.items():
        yield PriceRow(
            provider=price.provider,
            model=price.match.label(),
            unit=unit,
            usd=rate.usd if rate else None,
            per=rate.per if rate else None,
            multiplier=price.multiplier,
            condition=condition,
            start=None if price.start == EARLIEST else price.start,
            end=None if price.end == LATEST else price.end,
            price_id=price.id,
            source=price.source,
            checked=price.checked.isoformat() if price.checked else "",
        )


def _base_rows(model: BaseModel, source: str) -> Iterator[PriceRow]:
    rates = model.rates(datetime.now(UTC), None, None)
    for above, units in rates.bands:
        for unit, rate in units.items():
            yield PriceRow(
                provider=model.provider,
                model=model.id,
                unit=unit,
                usd=rate.usd,
                per=rate.per,
                multiplier=rate.multiplier,
                condition=f"input_tokens above {above}" if above >= 0 else "",
                start=None,
                end=None,
                price_id=model.price_id,
                source=source,
                checked="",
            )


def nearest(book: PriceBook, provider: str, model: str, count: int = 3) -> list[str]:
    """Return the models of `provider` that have a price and a name like `model`, the likest first."""
    wanted = provider_id(provider)
    names = [known.id for known in book.base.models([wanted])]
    for file in book.files:
        for price in file.of(wanted):
            names += (*price.match.model, *price.match.starts_with)
    return difflib.get_close_matches(model.lower(), dict.fromkeys(names), count)
