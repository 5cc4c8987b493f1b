"""The parts of a call, one for each unit that it used: what each cost at list prices, by contract and in effect."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from otel_costs.chargeback import shares
from otel_costs.pricing.plan import priced_as
from otel_costs.pricing.rates import Rates, band
from otel_costs.store import stored_call
from otel_costs.usage.numbers import EXACT

_REQUESTS: Final = "requests"
_NOTHING: Final = Decimal(0)
_LAST_DIGIT: Final = Decimal(1).scaleb(-shares.DECIMALS)

Line = tuple[str, Decimal, Decimal]
"""A unit, its quantity, and what it cost in effect, in US dollars."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one unit of a call cost: at list prices, by contract, in effect, and that in the contract's currency."""

    unit: str
    quantity: Decimal
    listed: Decimal
    contracted: Decimal
    effective: Decimal
    in_currency: Decimal


def parts_of(call: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the parts of a call, which add up to its four amounts; a cost that is of no units, and none, is of one
    request.

    `call` is a row of selected_calls with what a contract makes of it. What it cost at list prices is split as the
    list prices its units, and what it cost by contract as the contract does: as the cost in effect is where the prices
    in force here do not come to what was recorded.
    """
    effective: Decimal = call["cost_usd"] or _NOTHING
    listed = _or(call["list_usd"], effective)
    contracted = _or(call["contracted_usd"], listed)
    in_currency = _or(call["contract_amount"], effective)
    lines = _lines(call)
    if not lines:
        yield Part(_REQUESTS, Decimal(1), listed, contracted, effective, in_currency)
        return
    amounts = [usd for _, _, usd in lines]
    at_list, by_contract = _priced(call, lines) if call["contract_id"] else (amounts, amounts)
    split = (
        _split(listed, at_list, amounts),
        _split(contracted, by_contract, amounts),
        amounts,
        _split(in_currency, amounts, amounts),
    )
    for (unit, quantity, _), *costs in zip(lines, *split, strict=True):
        yield Part(unit, quantity, *costs)


def _lines(call: Mapping[str, Any]) -> list[Line]:
    """Return the lines of a call; nothing where their quantities are not known."""
    if not call["itemized"] or not call["cost_lines"] or any(usd < 0 for usd in call["cost_lines"].values()):
        return []
    cost = stored_call.cost(call)
    quantities = {line.unit: Decimal(line.quantity) for line in cost.lines} if cost else {}
    if not call["cost_lines"].keys() <= quantities.keys():
        return []
    found = [(unit, quantities[unit], usd) for unit, usd in sorted(call["cost_lines"].items())]
    if any(usd and not quantity for _, quantity, usd in found):
        return []
    return [line for line in found if line[1]]


def _priced(call: Mapping[str, Any], lines: Sequence[Line]) -> tuple[list[Decimal], list[Decimal]]:
    """Return what lines come to at the list prices that hold here, and by the contract, if one is for it."""
    listed, terms = stored_call.rates(call), stored_call.terms(call)
    sent = call["input_tokens"] or 0
    return _at(listed, sent, lines), _at(terms.rates(listed), sent, lines) if terms else []


def _at(rates: Rates, sent: int | Decimal, lines: Sequence[Line]) -> list[Decimal]:
    """Return what lines of a call with `sent` input tokens come to at `rates`: at that of the whole where a unit has
    none of its own, and nothing where no unit that it is a part of has one."""
    _, priced = band(rates.bands, sent)
    found = []
    for unit, quantity, _ in lines:
        name = priced_as(unit, priced)
        if name is None:
            found.append(_NOTHING)
            continue
        rate = priced[name]
        usd = EXACT.multiply(EXACT.multiply(rate.usd, rate.multiplier), max(quantity, Decimal(rate.minimum)))
        found.append(EXACT.quantize(EXACT.divide(usd, rate.per), _LAST_DIGIT))
    return found


def _split(amount: Decimal, found: Sequence[Decimal], effective: Sequence[Decimal]) -> list[Decimal]:
    """Return an amount split as `found`, if that comes to it but for what rounding makes; else as `effective` is."""
    total = _NOTHING
    for part in found:
        total = EXACT.add(total, part)
    if found and total == amount:
        return list(found)
    if any(found) and abs(EXACT.subtract(total, amount)) <= _LAST_DIGIT * len(found):
        return shares.apportion(amount, found)
    # A call that costs nothing in effect, since it was paid for before, has a list price all the same.
    weights = effective if any(effective) else [Decimal(1)] * len(effective)
    return shares.apportion(amount, weights)


def _or(amount: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if amount is None else amount
