"""Price files: YAML to prices, or an error that names file, line and field.

A price is written in quotes and with the number of units that it is for, since a float per second or per token is
already rounded. Everything is checked when the file is read: what a call would cost must not depend on luck.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

from otel_costs.pricing.price_entry import Base, Match, Price, PriceFile, PriceFileError, provider_id, settle
from otel_costs.pricing.price_fields import Fields, composed
from otel_costs.pricing.rates import EARLIEST, LATEST, ONE, Rate
from otel_costs.units import UNITS

_MAX_BYTES: Final = 8_000_000
_MAX_USD: Final = Decimal(1_000_000)  # with quantities below 2**63 an amount still fits ClickHouse's Decimal(38, 12)
_MAX_DEPTH: Final = 20
_MAX_MULTIPLIER: Final = Decimal(1_000)

_FILE: Final = ("version", "currency", "prices")
_PRICE: Final = (
    *("id", "provider", "match", "from", "to", "when"),
    *("rates", "covered_by", "base", "multiplier", "multiplies", "source", "checked"),
)
_MATCH: Final = ["model", "starts_with", "ends_with", "regex", "deployment", "endpoint", "region"]
_WHEN: Final = ("service_tier", "processing", "input_tokens_above")
_BASE: Final = ("provider", "model", "service_tier", "processing")
_RATE: Final = ("usd", "per", "minimum", "estimate")


def load(path: str | os.PathLike[str]) -> PriceFile:
    """Read and check the price file at `path`; raise PriceFileError if it cannot be used."""
    file = os.fspath(path)
    try:
        with open(file, "rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise PriceFileError(file, None, "", f"cannot be read: {problem}") from error
    if len(raw) > _MAX_BYTES:
        raise PriceFileError(file, None, "", f"is larger than {_MAX_BYTES:,} bytes")
    return parse(raw, file)


def parse(text: str | bytes, file: str) -> PriceFile:
    """Check `text`, the content of `file`; raise PriceFileError if it cannot be used."""
    root = composed(text, file, _MAX_DEPTH, "a price file", "version, currency and prices")
    top = Fields(file, "", root, _FILE)
    version = top.text("version")
    if top.text("currency") != "USD":
        top.fail("currency", "must be USD, since rates are given in usd")
    stem = Path(file).stem
    prices = tuple(_price(entry, stem) for entry in top.entries("prices", _PRICE))
    _refuse_overlaps(file, prices)
    _refuse_loose_ends(file, prices)
    return PriceFile(file, version, prices)


def _price(entry: Fields, file: str) -> Price:
    provider = provider_id(entry.text("provider"))
    match = _match(entry.fields("match", _MATCH))
    start, end = entry.time("from") or EARLIEST, entry.time("to") or LATEST
    if start >= end:
        entry.fail("to", "is not after from")
    name = entry.optional("id") or match.label()
    if provider != file:
        name = f"{provider}/{name}"
    when = entry.fields("when", _WHEN)
    tier, processing = settle(when.optional("service_tier"), when.optional("processing"))
    rates, base = _rates(entry), _base(entry, provider)
    if base is None and not rates:
        entry.fail("rates", "are missing: a price has rates, a base, or both")
    if base is None and entry.has("multiplier"):
        entry.fail("multiplier", "needs a base to multiply; without one, write the rates themselves")
    if entry.has("multiplies") and entry.text("multiplies") != "tokens":
        entry.fail("multiplies", f"is {entry.text('multiplies')!r}; it must be tokens, or left out for all units")
    return Price(
        id=f"{file}:{name}" + (f"@{start:%Y-%m-%d}" if start > EARLIEST else ""),
        provider=provider,
        match=match,
        rates=rates,
        start=start,
        end=end,
        service_tier=tier,
        processing=processing,
        input_tokens_above=when.whole("input_tokens_above", 0) if when.has("input_tokens_above") else None,
        base=base,
        multiplier=entry.decimal("multiplier", _MAX_MULTIPLIER) if entry.has("multiplier") else ONE,
        multiplies_tokens_only=entry.has("multiplies"),
        covered_by=_covered_by(entry),
        source=entry.optional("source") or "",
        checked=entry.day("checked"),
        line=entry.line,
    )


def _match(given: Fields) -> Match:
    pattern = given.optional("regex")
    try:
        regex = None if pattern is None else re.compile(pattern)
    except re.error as error:
        given.fail("regex", f"is no regular expression: {error}")
    deployment, endpoint = given.optional("deployment"), given.optional("endpoint")
    return Match(
        model=given.words("model"),
        starts_with=given.words("starts_with"),
        ends_with=given.words("ends_with"),
        regex=regex,
        deployment=deployment and deployment.lower(),
        endpoint=endpoint and endpoint.lower(),
        region=given.words("region"),
    )


def _base(entry: Fields, provider: str) -> Base | None:
    if not entry.has("base"):
        return None
    given = entry.fields("base", _BASE)
    model = given.optional("model")
    return Base(
        provider=provider_id(given.optional("provider") or provider),
        model=model and model.lower(),
        service_tier=given.optional("service_tier"),
        processing=given.optional("processing"),
    )


def _rates(entry: Fields) -> dict[str, Rate]:
    units = entry.fields("rates", UNITS)
    rates: dict[str, Rate] = {}
    for unit in units.nodes:
        given = units.fields(unit, _RATE)
        rates[unit] = Rate(
            usd=given.decimal("usd", _MAX_USD),
            per=given.whole("per", 1),
            minimum=given.whole("minimum", 0) if given.has("minimum") else 0,
            estimate=given.flag("estimate"),
        )
    return rates


def _covered_by(entry: Fields) -> dict[str, tuple[str, ...]]:
    units = entry.fields("covered_by", UNITS)
    covered = {unit: units.words(unit) for unit in units.nodes}
    for unit, others in covered.items():
        if not others or not UNITS.issuperset(others):
            units.fail(unit, "must be a unit or a list of units")
    return covered


def _refuse_overlaps(file: str, prices: Iterable[Price]) -> None:
    """Complain if two prices hold for the same calls at the same time: which one would be used?"""
    rivals: dict[Any, list[tuple[int, Price]]] = defaultdict(list)
    for number, price in enumerate(prices):
        match = price.match
        narrowed = (match.ends_with, match.regex, match.deployment, match.endpoint)
        for name in product(match.model or ("",), match.starts_with or ("",), match.region or ("",)):
            rivals[price.provider, name, narrowed, price.conditions(), price.input_tokens_above].append((number, price))
    for same in rivals.values():
        same.sort(key=lambda numbered: numbered[1].start)
        for (_, earlier), (number, later) in pairwise(same):
            if later.start < earlier.end:
                problem = f"holds at the same time as the price in line {earlier.line}, for the same calls"
                raise PriceFileError(file, later.line, f"prices[{number}].from", problem)


def _refuse_loose_ends(file: str, prices: Iterable[Price]) -> None:
    """Complain about a price for a longer context without one for the shorter: which price would that have?"""
    known = {(price.provider, price.match, price.conditions()) for price in prices if price.input_tokens_above is None}
    for number, price in enumerate(prices):
        if price.input_tokens_above is not None and (price.provider, price.match, price.conditions()) not in known:
            problem = "has no price below it; add one with the same match, without input_tokens_above"
            raise PriceFileError(file, price.line, f"prices[{number}].when.input_tokens_above", problem)
