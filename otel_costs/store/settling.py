"""What only a month's calls together can tell: discounts by volume, and the shares in what was reserved by the hour.

The calls are gone through twice, in the same order: the first time adds up, the second gives each call its share.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from otel_costs import pricing
from otel_costs.pricing.contract_prices import CallTerms
from otel_costs.pricing.contract_terms import Commitment, Contract, Discount, Reservation, amount_of
from otel_costs.pricing.cost import ESTIMATED, PRICED, UNPRICED, Cost, Line, cost_of
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.settlement import Hour, reserved_hour, volume_discount
from otel_costs.pricing.spread import Spread, spread
from otel_costs.store import stored_call
from otel_costs.store.rows import Row
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT

HOUR: Final = timedelta(hours=1)
UNSETTLED: Final = (CostReason.VOLUME_NOT_SETTLED, CostReason.RESERVATION_NOT_SETTLED)
"""Reasons of a call that a month's settlement takes away."""

_MOOT: Final = frozenset(
    {
        CostReason.ANSWER_UNKNOWN, CostReason.DATED_NAME, CostReason.MODALITY_NOT_PRICED, CostReason.OVERLAP_UNKNOWN,
        CostReason.PART_NOT_PRICED, CostReason.PROCESSING_NOT_PRICED, CostReason.RATE_ESTIMATED,
        CostReason.SIZE_NOT_PRICED, CostReason.TIER_NOT_PRICED, CostReason.UNIT_NOT_PRICED, CostReason.UNKNOWN_MODEL,
        CostReason.ZONE_NOT_PRICED,
    }
)  # fmt: skip
"""What a price list lacks does not matter where what was used of a reservation is measured by the usage itself."""

_ZERO: Final = Decimal("0e-12")
_ONE: Final = Decimal(1)

Key = tuple[int, datetime]
"""A discount or a reservation of the book in force, and the month or hour."""


@dataclass(slots=True)
class _Group:
    """Calls that share a month's discount, or an hour. `settled` counts those that have got their share."""

    terms: CallTerms
    calls: int = 0
    settled: int = 0
    weight: Decimal = Decimal(0)
    volume: Decimal = Decimal(0)
    hour: Hour | None = None
    amounts: Spread | None = None
    dollars: Spread | None = None

    def add(self, weight: Decimal, volume: Decimal) -> None:
        self.calls += 1
        self.weight = EXACT.add(self.weight, weight)
        self.volume = EXACT.add(self.volume, volume)

    def shared_by(self, weight: Decimal) -> Decimal:
        """Return by what a call has its share: all the same, where nothing was used."""
        return weight if self.weight else _ONE

    def over(self, amount: Decimal) -> Spread:
        return Spread(amount, self.weight or Decimal(self.calls))


@dataclass(frozen=True, slots=True)
class _Part:
    """A call's part in a group: what its share is by, and the cost that the share is taken from."""

    key: Key
    terms: CallTerms
    weight: Decimal
    volume: Decimal
    cost: Cost | None


class Settling:
    """The settlement of the calls that ended in a month: `add` each of them, `close`, then `settle` each of them."""

    def __init__(self, since: datetime, until: datetime, now: datetime) -> None:
        self.since, self.until, self._now = since, until, now
        self._groups: dict[Key, _Group] = {}

    def add(self, row: Row) -> None:
        """Add a call, a row of stored_call.COLUMNS."""
        if (part := self._part(row)) is not None:
            group = self._groups.setdefault(part.key, _Group(part.terms))
            group.add(part.weight, part.volume)

    def close(self) -> None:
        """Work out what there is to share, now that all calls are added."""
        for (_, start), group in self._groups.items():
            terms = group.terms
            if terms.reservation is not None:
                group.hour = reserved_hour(
                    terms.reservation, self.usd(terms.contract, start), group.weight, group.calls
                )
                group.amounts = group.over(group.hour.used)
                group.dollars = None if group.hour.used_usd is None else group.over(group.hour.used_usd)
            elif terms.discount is not None:
                group.dollars = group.over(volume_discount(terms.discount, group.weight, group.volume))

    def settle(self, row: Row, priced: Row) -> Row:
        """Return the columns that a price fills, of which `priced` are those before the month is settled."""
        part = self._part(row)
        if part is None or (group := self._groups.get(part.key)) is None:
            return priced
        group.settled += 1
        weight = group.shared_by(part.weight)
        if group.dollars is None:
            # No rate of exchange is known: the share is one in the contract's currency alone.
            return priced if group.amounts is None else {**priced, "contract_amount": group.amounts.share(weight)}
        share = group.dollars.share(weight)
        if group.amounts is not None:
            found = _reserved(part, share, group.amounts.share(weight))
        else:
            found = _discounted(part, share)
        return {**priced, **found, **self._status_and_reason(priced, part)}

    def is_whole(self) -> bool:
        """Whether every call of the groups has got its share, and no other one."""
        return all(group.settled == group.calls for group in self._groups.values())

    def hours(self) -> Iterator[Row]:
        """Yield the hours of reservations that are over, as rows of contract_charges."""
        book = pricing.current().contracts
        for contract in book.contracts if book else ():
            for reservation in contract.reservations:
                start = max(self.since, reservation.start)
                while start < min(self.until, reservation.end) and start + HOUR <= self._now:
                    yield self._hour(contract, reservation, start)
                    start += HOUR

    def commitments(self) -> Iterator[tuple[Contract, Commitment]]:
        """Yield the commitments that are over, and have a part in this month."""
        book = pricing.current().contracts
        for contract in book.contracts if book else ():
            for commitment in contract.commitments:
                if commitment.start < self.until and self.since < commitment.end <= self._now:
                    yield contract, commitment

    def _hour(self, contract: Contract, reservation: Reservation, start: datetime) -> Row:
        group = self._groups.get((id(reservation), start))
        found = group and group.hour
        hour = found or reserved_hour(reservation, self.usd(contract, start), Decimal(0), 0)
        return charge(
            contract, "reservation", reservation.id, (start, start + HOUR), hour.amount, hour.used,
            (hour.amount_usd, hour.used_usd), group.calls if group else 0,
        )  # fmt: skip

    def usd(self, contract: Contract, at: datetime) -> Decimal | None:
        """Return the dollars for one unit of a contract's currency on the day of `at`, None where no rate is known."""
        book = pricing.current().contracts
        return book.usd(contract.currency, at) if book else None

    def _part(self, row: Row) -> _Part | None:
        terms = stored_call.terms(row)
        bill = stored_call.bill(row) if terms and (terms.reservation or terms.is_by_volume) else None
        if terms is None or bill is None or bill.refused or bill.reported is not None or bill.usage is None:
            return None
        ended = row["end_time"].astimezone(UTC)
        if terms.reservation is not None:
            return _of_reservation(row, terms, terms.reservation, bill.usage, ended)
        return _of_volume(row, terms, bill.usage, self.since)

    def _status_and_reason(self, priced: Row, part: _Part) -> Row:
        """Return status and reason: what is settled is priced, as far as nothing else is in doubt."""
        reservation = part.terms.reservation
        end = part.key[1] + HOUR if reservation else self.until
        if end > self._now:
            status = ESTIMATED if priced["cost_status"] == UNPRICED else priced["cost_status"]
            return {"cost_status": status, "cost_source": "local"}
        moot = _MOOT if reservation and reservation.measure is not None else frozenset()
        left = [one for one in priced["cost_reason"].split(",") if one and one not in UNSETTLED and one not in moot]
        status = PRICED if not left else ESTIMATED if reservation else priced["cost_status"]
        return {"cost_status": status, "cost_reason": ",".join(left), "cost_source": "local"}


def charge(
    contract: Contract,
    kind: str,
    name: str,
    period: tuple[datetime, datetime],
    amount: Decimal,
    used: Decimal,
    dollars: tuple[Decimal | None, Decimal | None],
    calls: int,
) -> Row:
    """Return a row of contract_charges; `dollars` are those of `amount` and of `used`, where a rate is known."""
    amount_usd, used_usd = dollars
    return {
        "contract_id": contract.id,
        "kind": kind,
        "name": name,
        "providers": list(contract.providers),
        "period_start": period[0],
        "period_end": period[1],
        "currency": contract.currency,
        "amount": amount,
        "used_amount": used,
        "unused_amount": max(_ZERO, EXACT.subtract(amount, used)),
        "amount_usd": amount_usd,
        "unused_usd": None
        if amount_usd is None or used_usd is None
        else max(_ZERO, EXACT.subtract(amount_usd, used_usd)),
        "call_count": calls,
        "deleted": False,
    }


def is_settled(row: Row, priced: Row) -> bool:
    """Return whether a stored call was settled, and `priced`, what it would be before that, is as it was then."""
    same = all(row[name] == priced[name] for name in ("list_usd", "contract_id", "contract_currency", "reservation_id"))
    if row["contract_amount"] is not None and priced["contract_amount"] is None:  # for want of a rate of exchange
        return same and row["cost_reason"] == priced["cost_reason"]
    return same and waits(priced) and not waits(row)


def waits(row: Mapping[str, Any]) -> bool:
    """Return whether a call has a reason that its month's settlement takes away."""
    return not set(row["cost_reason"].split(",")).isdisjoint(UNSETTLED)


def _of_reservation(row: Row, terms: CallTerms, reservation: Reservation, used: Usage, ended: datetime) -> _Part | None:
    cost = stored_call.cost(row)
    if reservation.measure is not None:
        weight = amount_of(reservation.measure, used.quantities)
    elif cost is None or cost.list_usd is None:
        return None
    else:
        weight = cost.list_usd
    hour = ended.replace(minute=0, second=0, microsecond=0)
    return _Part((id(reservation), hour), terms, weight, weight, cost)


def _of_volume(row: Row, terms: CallTerms, used: Usage, month: datetime) -> _Part | None:
    discount = terms.discount
    listed = stored_call.rates(row)
    cost = cost_of(used, terms.rates(listed, discounted=False), "")
    if discount is None or cost.total is None:
        return None
    base = _sum(line.amount for line in cost.lines if terms.is_discounted(line.unit))
    return _Part((id(discount), month), terms, base, _volume(discount, base, used.quantities), cost)


def _volume(discount: Discount, base: Decimal, quantities: Mapping[str, Any]) -> Decimal:
    return base if discount.measure is None else amount_of(discount.measure, quantities)


def _discounted(part: _Part, share: Decimal) -> Row:
    """Return what a call costs that gets `share` off the lines that have a discount."""
    lines = part.cost.lines if part.cost else ()
    discounted = [line for line in lines if part.terms.is_discounted(line.unit)]
    left = EXACT.subtract(_sum(line.amount for line in discounted), share)
    shares = iter(spread(left, [line.amount for line in discounted]))
    made = [replace(line, amount=next(shares)) if part.terms.is_discounted(line.unit) else line for line in lines]
    total = _sum(line.amount for line in made)
    return {
        "cost_usd": total,
        "contracted_usd": total,
        "cost_lines": {line.unit: line.amount for line in made},
        "contract_amount": part.terms.amount(made),
    }


def _reserved(part: _Part, usd: Decimal, amount: Decimal) -> Row:
    """Return what a call costs whose share of the hour is `amount`, in US dollars `usd`."""
    lines: tuple[Line, ...] = part.cost.lines if part.cost else ()
    shares = spread(usd, [line.amount for line in lines])
    return {
        "cost_usd": usd,
        "cost_lines": {line.unit: share for line, share in zip(lines, shares, strict=True)},
        "contract_amount": amount,
        "contract_id": part.terms.contract.id,
        "contract_currency": part.terms.contract.currency,
        "reservation_id": part.terms.reservation.id if part.terms.reservation else "",
    }


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = _ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
