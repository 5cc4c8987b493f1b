"""The contracts in force: what their calls cost, what is left of commitments, and what was reserved and not used."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs import pricing
from otel_costs.pricing.contract_terms import Commitment, Contract, Reservation
from otel_costs.pricing.rates import EARLIEST, LATEST
from otel_costs.pricing.settlement import money
from otel_costs.store.projection import LATELY, projected
from otel_costs.store.rows import Row, between, rows
from otel_costs.store.session_figures import divided
from otel_costs.store.settling import HOUR
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

COLUMNS: Final = (
    "kind", "contract_id", "name", "currency", "start", "end", "call_count", "unpriced_calls", "unsettled_calls",
    "unconverted_calls", "unsettled_hours", "list_usd", "contracted_usd", "cost_usd", "saved_usd", "contract_amount",
    "amount", "used_amount", "unused_amount", "unused_usd", "left_amount", "used", "projected_amount", "missing_amount",
)  # fmt: skip
"""The columns of `part_rows`."""

_COSTS: Final = """
select
    c.contract_id as contract_id,
    c.contract_currency as currency,
    count() as call_count,
    countIf(c.cost_usd is null) as unpriced_calls,
    countIf(match(c.cost_reason, '_not_settled')) as unsettled_calls,
    countIf(c.contract_amount is null and c.cost_usd is not null) as unconverted_calls,
    coalesce(sum(coalesce(c.list_usd, c.cost_usd)), 0) as list_usd,
    coalesce(sum(coalesce(c.contracted_usd, c.list_usd, c.cost_usd)), 0) as contracted_usd,
    coalesce(sum(c.list_usd - c.cost_usd), 0) as saved_usd,
    coalesce(sum(c.cost_usd), 0) as cost_usd,
    coalesce(sum(c.contract_amount), 0) as contract_amount
from named_calls as c
where c.contract_id != ''
    and c.end_time >= {since:DateTime64(3, 'UTC')}
    and c.end_time < {until:DateTime64(3, 'UTC')}
group by contract_id, currency
order by contract_id, currency
"""
_HOURS: Final = """
select
    contract_id,
    name,
    count() as hours,
    sum(amount) as amount,
    sum(used_amount) as used_amount,
    sum(unused_amount) as unused_amount,
    if(countIf(unused_usd is null) > 0, null, sum(unused_usd)) as unused_usd,
    sum(call_count) as call_count
from contract_balances
where kind = 'reservation'
    and period_start >= {since:DateTime64(3, 'UTC')}
    and period_start < {until:DateTime64(3, 'UTC')}
group by contract_id, name
"""
_USED: Final = """
select
    coalesce(sum(c.contract_amount), 0) as used,
    coalesce(sumIf(c.contract_amount, c.end_time > {lately:DateTime64(3, 'UTC')}), 0) as lately,
    minIf(c.end_time, c.end_time > {lately:DateTime64(3, 'UTC')}) as first_time,
    countIf(c.end_time > {lately:DateTime64(3, 'UTC')}) as recent,
    count() as call_count,
    countIf(match(c.cost_reason, '_not_settled')) as unsettled_calls,
    countIf(c.contract_amount is null and c.cost_usd is not null) as unconverted_calls
from named_calls as c
where c.contract_id = {contract:String}
    and c.contract_currency = {currency:String}
    and c.end_time >= {since:DateTime64(3, 'UTC')}
    and c.end_time < {until:DateTime64(3, 'UTC')}
"""
_UNUSED: Final = (
    "select coalesce(sum(unused_amount), 0) as unused from contract_balances where contract_id = {contract:String}"
    " and currency = {currency:String} and kind = 'reservation' and period_start >= {since:DateTime64(3, 'UTC')}"
    " and period_start < {until:DateTime64(3, 'UTC')}"
)
_NO_CALLS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("call_count", "unpriced_calls", "unsettled_calls", "unconverted_calls"), 0),
    **dict.fromkeys(("list_usd", "contracted_usd", "cost_usd", "saved_usd", "contract_amount"), Decimal()),
}


def contracts(
    client: "Client", since: datetime | None = None, until: datetime | None = None, now: datetime | None = None
) -> list[Row]:
    """Return a row per contract of the prices in force, and of those that calls name: what their calls cost.

    Of the calls that ended in [since, until), None is no bound. `saved_usd` is what they cost less than at list prices,
    as far as both are known; where no list price is known, `list_usd` has the cost.
    `reservations` have the hours that were settled, and how many are not; `commitments`, whatever the time, how much is
    used until `now`, what is left, and what will be used at their end if it goes on as lately. Amounts are in the
    contract's `currency`, without `unconverted_calls`, whose cost is known in dollars alone. Raises StoreError.
    """
    now = now or datetime.now(UTC)
    bound = between(since, until)
    book = pricing.current().contracts
    known = {contract.id: contract for contract in (book.contracts if book else ())}
    found = {(row["contract_id"], row["currency"]): row for row in rows(client, _COSTS, bound)}
    for contract in known.values():
        key = contract.id, contract.currency
        found.setdefault(key, {"contract_id": contract.id, "currency": contract.currency, **_NO_CALLS})
    hours = {(row["contract_id"], row["name"]): row for row in rows(client, _HOURS, bound)}
    return [
        _entry(client, row, contract if contract and contract.currency == row["currency"] else None, hours, bound, now)
        for row in (found[key] for key in sorted(found))
        for contract in (known.get(row["contract_id"]),)
    ]


def _entry(
    client: "Client",
    row: Row,
    contract: Contract | None,
    hours: Mapping[tuple[str, str], Row],
    bound: Mapping[str, datetime],
    now: datetime,
) -> Row:
    reservations = contract.reservations if contract else ()
    return {
        **row,
        "providers": list(contract.providers) if contract else [],
        "start": _limit(contract.start if contract else EARLIEST),
        "end": _limit(contract.end if contract else LATEST),
        "in_force": contract is not None and contract.holds(now),
        "reservations": [
            _reservation(one, hours.get((row["contract_id"], one.id)), bound, now) for one in reservations
        ],
        "commitments": [_commitment(client, contract, one, now) for one in contract.commitments] if contract else [],
    }


def _reservation(reservation: Reservation, settled: Row | None, bound: Mapping[str, datetime], now: datetime) -> Row:
    start, end = max(bound["since"], reservation.start), min(bound["until"], reservation.end, now)
    first = -(-start.timestamp() // HOUR.total_seconds())
    over = max(0, int(end.timestamp() // HOUR.total_seconds() - first))
    zero = {"amount": Decimal(), "used_amount": Decimal(), "unused_amount": Decimal(), "unused_usd": Decimal()}
    found = settled or {"hours": 0, "call_count": 0, **zero}
    names = ("hours", "amount", "used_amount", "unused_amount", "unused_usd", "call_count")
    return {
        "name": reservation.id,
        "start": _limit(reservation.start),
        "end": _limit(reservation.end),
        "hourly_amount": reservation.per_hour,
        **{name: found[name] for name in names},
        "unsettled_hours": max(0, over - found["hours"]),
    }


def _commitment(client: "Client", contract: Contract, commitment: Commitment, now: datetime) -> Row:
    until = min(commitment.end, now)
    asked = {
        "contract": contract.id,
        "currency": contract.currency,
        "since": commitment.start,
        "until": max(until, commitment.start),
    }
    (found,) = rows(client, _USED, {**asked, "lately": now - LATELY})
    (unused,) = rows(client, _UNUSED, asked)
    used = money(EXACT.add(found["used"], unused["unused"]))
    first = found["first_time"] if found["recent"] else None
    ends_at = projected(used, found["lately"], first, now=now, end=commitment.end)
    return {
        "name": commitment.id,
        "start": commitment.start,
        "end": commitment.end,
        "amount": commitment.amount,
        "used_amount": used,
        "left_amount": _less(commitment.amount, used),
        "used": float(divided(used, commitment.amount)) if commitment.amount else None,
        "projected_amount": ends_at,
        "missing_amount": _less(commitment.amount, ends_at),
        "is_over": commitment.end <= now,
        "call_count": found["call_count"],
        "unsettled_calls": found["unsettled_calls"],
        "unconverted_calls": found["unconverted_calls"],
    }


def commitment_rows(found: Sequence[Row]) -> list[Row]:
    """Return the commitments of contracts, each with its contract and currency."""
    return _parts(found, "commitments")


def reservation_rows(found: Sequence[Row]) -> list[Row]:
    """Return the reservations of contracts, each with its contract and currency."""
    return _parts(found, "reservations")


def part_rows(found: Sequence[Row]) -> list[Row]:
    """Return a row of COLUMNS for each contract, and for each of its reservations and commitments."""
    parts = [
        (row, kind, part)
        for row in found
        for kind, listed in (("contract", [row]), *((name, row[f"{name}s"]) for name in ("reservation", "commitment")))
        for part in listed
    ]
    return [
        {
            **{name: part.get(name) for name in COLUMNS},
            "kind": kind,
            "contract_id": row["contract_id"],
            "currency": row["currency"],
        }
        for row, kind, part in parts
    ]


def _parts(found: Sequence[Row], name: str) -> list[Row]:
    return [
        {"contract_id": row["contract_id"], "currency": row["currency"], **part} for row in found for part in row[name]
    ]


def _less(amount: Decimal, used: Decimal) -> Decimal:
    """Return what is left of an amount, and never less than nothing."""
    return max(Decimal(), EXACT.subtract(amount, used))


def _limit(moment: datetime) -> datetime | None:
    return None if moment in (EARLIEST, LATEST) else moment
