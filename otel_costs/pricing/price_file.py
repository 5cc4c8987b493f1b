"""Price files: YAML to prices, or an error that names file, line and field.

A price is written in quotes and with the number of units that it is for, since a float per second or per token is
already rounded. Everything is checked when the file is read: what a call would cost must not depend on luck.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import pairwise, product
from pathlib import Path
from typing import Any, Final

from otel_costs.pricing import contract_file
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.deployments import ZONES, Deployment
from otel_costs.pricing.endpoint import host
from otel_costs.pricing.price_entry import Base, Match, Price, PriceFile, PriceFileError, Weekly, provider_id, settle
from otel_costs.pricing.price_fields import Fields, composed
from otel_costs.pricing.rates import EARLIEST, LATEST, ONE, Rate
from otel_costs.usage.units import UNITS

_MAX_BYTES: Final = 8_000_000
_MAX_USD: Final = Decimal(1_000_000)  # with quantities below 2**63 an amount still fits ClickHouse's Decimal(38, 12)
_MAX_DEPTH: Final = 20
_MAX_MULTIPLIER: Final = Decimal(1_000)

_FILE: Final = ("version", "currency", "prices", "deployments", "exchange_rates", "contracts")
_DEPLOYMENT: Final = ("provider", "deployment", "endpoint", "model", "zone", "region", "multiplier")
_PRICE: Final = (
    *("id", "provider", "match", "from", "to", "when"),
    *("rates", "covered_by", "base", "multiplier", "multiplies", "inherited", "on_top", "reason", "source", "checked"),
)
_MATCH: Final = ["model", "starts_with", "ends_with", "regex", "deployment", "endpoint", "region", "zone"]
_WHEN: Final = ("service_tier", "processing", "input_tokens_above", "days", "hours", "utc_offset")
_BASE: Final = ("provider", "model", "service_tier", "processing")
_RATE: Final = ("usd", "per", "minimum", "estimate", "times", "of")
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(0\d|1[0-4]):([0-5]\d)", re.ASCII)


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
    has_more = top.has("contracts") or top.has("deployments")
    prices: tuple[Price, ...] = ()
    if top.has("prices") or not has_more:
        prices = tuple(_price(entry, stem) for entry in top.entries("prices", _PRICE))
    _refuse_overlaps(file, prices)
    _refuse_loose_ends(file, prices)
    terms = None
    if top.has("contracts") or top.has("exchange_rates"):
        terms = contract_file.parse(top, lambda entry: _match(entry.fields("match", _MATCH)))
    return PriceFile(file, version, prices, terms=terms, deployments=tuple(_deployments(top)))


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
    rates, derived, base = _rates(entry), _derived(entry), _base(entry, provider)
    if base is None and derived:
        entry.fail("rates", "a multiple of another unit needs a base that has a rate for it")
    if base is None and not rates:
        entry.fail("rates", "are missing: a price has rates, a base, or both")
    if base is None and entry.has("multiplier"):
        entry.fail("multiplier", "needs a base to multiply; without one, write the rates themselves")
    if entry.has("multiplies") and entry.text("multiplies") != "tokens":
        entry.fail("multiplies", f"is {entry.text('multiplies')!r}; it must be tokens, or left out for all units")
    if entry.has("on_top") and (base is not None or derived):
        entry.fail("on_top", "goes without a base: it is added to the price of the model that answered")
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
        weekly=_weekly(when),
        base=base,
        derived=derived,
        multiplier=entry.decimal("multiplier", _MAX_MULTIPLIER) if entry.has("multiplier") else ONE,
        multiplies_tokens_only=entry.has("multiplies"),
        covered_by=_covered_by(entry),
        reason=_reason(entry),
        inherited=entry.flag("inherited") if entry.has("inherited") else True,
        on_top=entry.flag("on_top"),
        source=entry.optional("source") or "",
        checked=entry.day("checked"),
        line=entry.line,
    )


def _reason(entry: Fields) -> CostReason | None:
    given = entry.optional("reason")
    if given is None:
        return None
    if given != CostReason.REGION_NOT_PRICED:
        entry.fail("reason", f"is {given!r}; it must be {CostReason.REGION_NOT_PRICED.value}")
    if not entry.has("base"):
        entry.fail("reason", "needs a base, whose price is the estimate")
    return CostReason.REGION_NOT_PRICED


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
        zone=_zones(given),
    )


def _zones(given: Fields) -> tuple[str, ...]:
    zones = given.words("zone")
    if unknown := set(zones) - set(ZONES):
        given.fail("zone", f"{', '.join(sorted(unknown))} is none; they are {', '.join(ZONES)}")
    return zones


def _deployment(entry: Fields) -> Deployment:
    """Return which model, zone and region stand behind a deployment."""
    zones = _zones(entry)
    if len(zones) > 1:
        entry.fail("zone", "must be one")
    endpoint, model, region = entry.optional("endpoint"), entry.optional("model"), entry.optional("region")
    found = Deployment(
        provider=provider_id(entry.text("provider")),
        deployment=entry.text("deployment").lower(),
        endpoint=endpoint and endpoint.lower(),
        model=model and model.lower(),
        zone=zones[0] if zones else None,
        region=region and region.lower(),
        multiplier=entry.decimal("multiplier", _MAX_MULTIPLIER) if entry.has("multiplier") else None,
        line=entry.line,
    )
    if not (found.model or found.zone or found.region or found.multiplier is not None):
        entry.fail("deployment", "has no model, no zone, no region and no multiplier: it says nothing")
    if endpoint and host(endpoint) != found.endpoint:
        entry.fail("endpoint", f"is {endpoint!r}; it must be a host, such as acme.openai.azure.com")
    return found


def _deployments(top: Fields) -> Iterator[Deployment]:
    lines: dict[Any, int] = {}
    for entry in top.entries("deployments", _DEPLOYMENT) if top.has("deployments") else ():
        found = _deployment(entry)
        key = found.provider, found.deployment, found.endpoint
        if (line := lines.get(key)) is not None:
            entry.fail("deployment", f"{found.deployment} is the one of line {line}, too")
        lines[key] = entry.line
        yield found


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
        if given.has("times"):
            continue
        rates[unit] = Rate(
            usd=given.decimal("usd", _MAX_USD),
            per=given.whole("per", 1),
            minimum=given.whole("minimum", 0) if given.has("minimum") else -1,
            estimate=given.flag("estimate"),
        )
    return rates


def _derived(entry: Fields) -> dict[str, tuple[str, Decimal]]:
    """Return the units whose rate is a multiple of another unit's: `{times: "2", of: cache_write_tokens}`."""
    units = entry.fields("rates", UNITS)
    derived: dict[str, tuple[str, Decimal]] = {}
    for unit in units.nodes:
        given = units.fields(unit, _RATE)
        if not given.has("times"):
            continue
        if given.text("of") not in UNITS:
            given.fail("of", f"is {given.text('of')!r}, which is no unit")
        derived[unit] = given.text("of"), given.decimal("times", _MAX_MULTIPLIER)
    return derived


def _weekly(when: Fields) -> Weekly | None:
    """Return the days and hours of a week that a price is for, None if it is for all."""
    if not when.has("days") and not when.has("hours"):
        return None
    days, hours = when.words("days") or _DAYS, when.words("hours") or ("00:00-24:00",)
    if unknown := set(days) - set(_DAYS):
        when.fail("days", f"{', '.join(sorted(unknown))} is no day; they are {', '.join(_DAYS)}")
    spans = []
    for span in hours:
        match = _HOURS.fullmatch(span)
        if match is None:
            when.fail("hours", f"is {span!r}; it must be hours such as 09:00-12:00")
        start = int(match[1]) * 60 + int(match[2])
        end = 24 * 60 if match[3] is None else int(match[3]) * 60 + int(match[4])
        if start >= end:
            when.fail("hours", f"{span} ends before it begins; give the hours after midnight apart")
        spans.append((start, end))
    offset = _OFFSET.fullmatch(when.optional("utc_offset") or "+00:00")
    if offset is None:
        when.fail("utc_offset", "must be an offset such as +08:00")
    minutes = int(offset[2]) * 60 + int(offset[3])
    return Weekly(tuple(sorted(map(_DAYS.index, days))), tuple(spans), -minutes if offset[1] == "-" else minutes)


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
        narrowed = (match.ends_with, match.regex, match.deployment, match.endpoint, match.zone)
        for name in product(match.model or ("",), match.starts_with or ("",), match.region or ("",)):
            when = (price.conditions(), price.input_tokens_above, price.weekly)
            rivals[price.provider, name, narrowed, when].append((number, price))
    for same in rivals.values():
        same.sort(key=lambda numbered: numbered[1].start)
        for (_, earlier), (number, later) in pairwise(same):
            if later.start < earlier.end:
                problem = f"holds at the same time as the price in line {earlier.line}, for the same calls"
                raise PriceFileError(file, later.line, f"prices[{number}].from", problem)


def _refuse_loose_ends(file: str, prices: Iterable[Price]) -> None:
    """Complain about a price for a longer context without one for the shorter: which price would that have?"""
    known = {
        (price.provider, price.match, price.conditions(), price.weekly)
        for price in prices
        if price.input_tokens_above is None
    }
    for number, price in enumerate(prices):
        shorter = (price.provider, price.match, price.conditions(), price.weekly)
        if price.input_tokens_above is not None and shorter not in known:
            problem = "has no price below it; add one with the same match, without input_tokens_above"
            raise PriceFileError(file, price.line, f"prices[{number}].when.input_tokens_above", problem)
