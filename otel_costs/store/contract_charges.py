"""What contracts charge for what no call used: hours of reservations, and commitments that are over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from otel_costs.pricing.contract_terms import Commitment, Contract
from otel_costs.pricing.settlement import money
from otel_costs.store.rows import Row, rows, store_errors
from otel_costs.store.settling import Settling, charge

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def write_charges(client: "Client", settling: Settling) -> None:
    """Write what contracts charge in a month, and take away what an earlier settlement wrote, and they have no more.

    The calls of the month are settled. Raises StoreError.
    """
    written = list(settling.hours())
    _write(client, [*written, *_gone(client, settling, "reservation", written)])
    # The unused part of a reservation counts as used of a commitment.
    written = [_commitment(client, settling, *ended) for ended in settling.commitments()]
    _write(client, [*written, *_gone(client, settling, "commitment", written)])


def _gone(client: "Client", settling: Settling, kind: str, written: Sequence[Row]) -> list[Row]:
    """Return what is charged in the month so far, and is not among what is written for it now, as taken away."""
    found = rows(
        client,
        "select * except (settled_at) from contract_charges final where not deleted and kind = {kind:String}"
        " and period_start < {until:DateTime64(3, 'UTC')} and period_end > {since:DateTime64(3, 'UTC')}",
        {"kind": kind, "since": settling.since, "until": settling.until},
    )
    kept = {_identity(row) for row in written}
    return [{**row, "deleted": True} for row in found if _identity(row) not in kept]


def _identity(row: Row) -> tuple[str, str, datetime]:
    return row["contract_id"], row["name"], row["period_start"].replace(microsecond=0)


def _write(client: "Client", charges: Sequence[Row]) -> None:
    if charges:
        with store_errors("cannot store what the contracts charge"):
            names_ = list(charges[0])
            client.insert("contract_charges", [[row[name] for name in names_] for row in charges], column_names=names_)


def _commitment(client: "Client", settling: Settling, contract: Contract, commitment: Commitment) -> Row:
    """Return what was used of a commitment that is over: its calls, and what was reserved and not used."""
    (found,) = rows(
        client,
        "select count() as calls, coalesce(sum(contract_amount), 0) as used,"
        " (select coalesce(sum(unused_amount), 0) from contract_charges final where not deleted"
        " and contract_id = {contract:String} and currency = {currency:String} and kind = 'reservation'"
        " and period_start >= {since:DateTime64(3, 'UTC')} and period_start < {until:DateTime64(3, 'UTC')}) as unused"
        " from named_calls where contract_id = {contract:String} and contract_currency = {currency:String}"
        " and end_time >= {since:DateTime64(3, 'UTC')}"
        " and end_time < {until:DateTime64(3, 'UTC')}",
        {"contract": contract.id, "currency": contract.currency, "since": commitment.start, "until": commitment.end},
    )
    used, last = money(found["used"] + found["unused"]), commitment.end - timedelta(microseconds=1)
    usd = settling.usd(contract, last)
    dollars = (None, None) if usd is None else (money(commitment.amount * usd), money(used * usd))
    whole = (commitment.start, commitment.end)
    return charge(contract, "commitment", commitment.id, whole, money(commitment.amount), used, dollars, found["calls"])
