"""Which lines a usage becomes: what is left of each unit without its parts, and at which rate it is charged."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import combinations
from typing import Final, NamedTuple, TypeAlias

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.rates import (
    Rate,
    Rates,
)
from otel_costs.usage.numbers import EXACT
from otel_costs.usage.units import BY_MODALITY, DIMENSIONS, WHOLES, join, meet

_SIZED_UNITS: Final = frozenset({"images", "video_seconds"})
_PRICED_APART: Final = frozenset({"cache_write", "1h", "12h", "paused", "preview", "4g", "16g", "64g"})
"""Dimensions of parts that cost otherwise than their whole: writes to a cache cost up to twice what the input does, a
container of 64 GB 64 times as much."""

_ENTERED_OR_MADE: Final = frozenset({"input_tokens", "output_tokens"})
_TEXT: Final = frozenset({"output_reasoning_tokens", "output_citation_tokens", "input_tool_tokens"})
_CACHED: Final = frozenset({"cache_read_tokens", "cache_write_tokens"})

_OTHER_COUNTS: Final = frozenset({"credits", "requests"})
_SIZES: Final = frozenset({"4g", "16g", "64g"})
_NO_SIZE: Final[frozenset[str]] = frozenset()

_ORDER: Final = {unit: number for number, unit in enumerate(DIMENSIONS)}

Quantity: TypeAlias = int | Decimal
Terms: TypeAlias = tuple[tuple[str, int], ...]
"""A sum of reported quantities: (unit, times)."""


class Charge(NamedTuple):
    """How a line is worked out: the sum of `terms` (quantity × factor) and `constant`, at `rate`."""

    unit: str
    rate: Rate
    factor: Decimal  # what one unit costs, or `divisor` units where a division would not be exact
    divisor: int
    only: str | None  # the unit whose quantity is the line's, in the usual case that `terms` are no more than that
    terms: Terms
    constant: int


class Doubt(NamedTuple):
    """What makes a cost an estimate if all of `quantities` are more than zero."""

    reason: CostReason
    quantities: tuple[Terms, ...]


class Plan(NamedTuple):
    charges: tuple[Charge, ...]  # in the units' order
    uncovered: tuple[tuple[str, Terms], ...]
    doubts: tuple[Doubt, ...]
    overlaps: tuple[tuple[str, Terms, Terms], ...]  # (the unreported part of both, the rest of one, of the other)


def plan_of(units: tuple[str, ...], priced: Mapping[str, Rate], rates: Rates) -> Plan:
    """Work out the lines for a usage that reports `units`."""
    remainders = _remainders(units)
    shares: dict[str, Counter[str]] = {}
    uncovered: list[tuple[str, Terms]] = []
    for unit, remainder in remainders.items():
        if _is_covered(unit, units, rates.covered_by) or _is_another_count(unit, units, priced):
            continue
        line = priced_as(unit, priced)
        if line is None:
            uncovered.append((unit, _terms(remainder)))
        else:
            shares.setdefault(line, Counter()).update(remainder)
    charges = [_charge(line, priced[line], _terms(shares[line]), 0) for line in sorted(shares, key=_ORDER.__getitem__)]
    if "requests" in priced and "requests" not in units:
        charges.append(_charge("requests", priced["requests"], (), 1))  # every call is one
    overlaps = tuple(_overlaps(remainders, priced))
    doubts = (
        *_doubts(charges, remainders, priced, sized=rates.sized),
        *(Doubt(CostReason.OVERLAP_UNKNOWN, (one, other)) for _, one, other in overlaps),
        *(Doubt(CostReason.MODALITIES_UNKNOWN, (terms,)) for terms in _of_no_modality(units, priced)),
    )
    return Plan(tuple(charges), tuple(uncovered), tuple(doubts), overlaps)


def _remainders(units: Iterable[str]) -> dict[str, Counter[str]]:
    """Return for each unit what is left of it without its reported parts, as factors of the reported quantities."""
    remainders: dict[str, Counter[str]] = {}
    for unit in sorted(units, key=lambda unit: -len(DIMENSIONS.get(unit, ()))):
        remainder = Counter({unit: 1})
        for part, left in remainders.items():
            if unit in WHOLES.get(part, ()):
                remainder.subtract(left)
        remainders[unit] = remainder
    return remainders


def _terms(factors: Mapping[str, int]) -> Terms:
    return tuple((unit, times) for unit, times in factors.items() if times)


def _is_covered(unit: str, units: tuple[str, ...], covered_by: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether what is billed in place of `unit` is used: that unit, or a part of it which is not of another size."""
    names = (unit, *WHOLES.get(unit, ())) if covered_by else ()
    covering = {other for name in names for other in covered_by.get(name, ())}
    return bool(covering) and any(
        used in covering or (not covering.isdisjoint(WHOLES.get(used, ())) and _is_of_size(used, unit))
        for used in units
    )


def _is_of_size(one: str, other: str) -> bool:
    return DIMENSIONS.get(one, _NO_SIZE) & _SIZES <= DIMENSIONS.get(other, _NO_SIZE)


def _is_another_count(unit: str, units: tuple[str, ...], priced: Mapping[str, Rate]) -> bool:
    """Whether `unit` counts what this price is for: requests, where it has no fee for each; credits of a speech service
    beside what is spoken or heard. Beside tokens it is not known what credits are."""
    if unit not in _OTHER_COUNTS or unit in priced:
        return False
    lines = {priced_as(other, priced) for other in units} - {None}
    return bool(lines) if unit == "requests" else any("tokens" not in DIMENSIONS[line] for line in lines if line)


def priced_as(unit: str, priced: Mapping[str, Rate]) -> str | None:
    """Return the unit at whose rate `unit` is charged: itself, or the narrowest whole that has a rate."""
    if unit in priced:
        return unit
    wholes = [whole for whole in WHOLES.get(unit, ()) if whole in priced]
    # Cached audio without a rate of its own is cached before it is audio: fresh audio costs up to eighty times more.
    return max(wholes, key=lambda whole: (len(DIMENSIONS[whole]), whole.startswith("cache_")), default=None)


def _charge(unit: str, rate: Rate, terms: Terms, constant: int) -> Charge:
    factor, divisor = EXACT.multiply(rate.usd, rate.multiplier), rate.per
    if set(str(divisor)[1:]) <= {"0"} and str(divisor)[0] == "1":  # a power of ten: no digit is lost
        factor, divisor = EXACT.divide(factor, divisor), 1
    only = terms[0][0] if len(terms) == 1 and terms[0][1] == 1 else None
    return Charge(unit, rate, factor, divisor, only, terms, constant)


def _doubts(
    charges: Iterable[Charge], remainders: Mapping[str, Counter[str]], priced: Mapping[str, Rate], *, sized: bool
) -> Iterator[Doubt]:
    for unit, remainder in remainders.items():
        line = priced_as(unit, priced)
        # Text and images are often one price; audio at the price of text is wrong by a factor of up to eight.
        if line and {"tokens", "audio"} <= DIMENSIONS[unit] and "audio" not in DIMENSIONS[line]:
            yield Doubt(CostReason.MODALITY_NOT_PRICED, (_terms(remainder),))
        if line and (DIMENSIONS[unit] - DIMENSIONS[line]) & _PRICED_APART:
            yield Doubt(CostReason.PART_NOT_PRICED, (_terms(remainder),))
    for charge in charges:
        if charge.rate.estimate:
            # What is charged of every call, as its request is, has no quantity to be more than zero.
            yield Doubt(CostReason.RATE_ESTIMATED, (charge.terms,) if charge.terms else ())
        if not sized and charge.unit in _SIZED_UNITS:
            yield Doubt(CostReason.SIZE_NOT_PRICED, (charge.terms,))


def _of_no_modality(units: tuple[str, ...], priced: Mapping[str, Rate]) -> Iterator[Terms]:
    """Yield the tokens whose modality, by which the price differs, was not reported.

    Where audio or images are reported and text is not, the others are text, as OpenAI and Gemini report it. What was
    thought, cited or made by tools is text; what was cached may be left out of the text (LiteLLM).
    """
    for whole, parts in BY_MODALITY.items():
        named = [part for part in parts if part in units]
        if whole not in units or (parts[0] not in named if named else whole not in _ENTERED_OR_MADE):
            continue
        rates = {priced[line] for each in (whole, *parts) if (line := priced_as(each, priced)) is not None}
        if len(rates) > 1:
            others = [unit for unit in (_TEXT | _CACHED if named else _TEXT) if unit in units and whole in WHOLES[unit]]
            yield ((whole, 1), *((unit, -1) for unit in (*named, *others)))


def _overlaps(remainders: Mapping[str, Counter[str]], priced: Mapping[str, Rate]) -> Iterator[tuple[str, Terms, Terms]]:
    """Yield the parts of two reported units that were not reported, though they would change the cost."""
    for one, other in combinations(remainders, 2):
        both, whole = join(one, other), meet(one, other)
        if both is None or whole is None or both in remainders:
            continue
        apart = sorted((priced_as(one, priced) or "", priced_as(other, priced) or ""))
        together = sorted((priced_as(both, priced) or "", priced_as(whole, priced) or ""))
        if apart != together:
            yield both, _terms(remainders[one]), _terms(remainders[other])


def quantity_of(terms: Terms, quantities: Mapping[str, Quantity]) -> Quantity:
    """Return the sum of `terms`."""
    total: Quantity = 0
    for unit, times in terms:
        quantity = quantities[unit]
        if type(quantity) is int and type(total) is int:
            total += quantity * times
        else:
            total = EXACT.fma(Decimal(quantity), times, Decimal(total))
    return total
