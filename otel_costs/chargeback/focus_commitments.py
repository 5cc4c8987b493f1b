"""What is missing of commitments that are over and were settled: the least that is paid in a time, less what was used.

Such a commitment is what FOCUS calls a negotiated discount, and no commitment discount: nothing is bought in advance,
and no charge period has a part of it that is used or not. What is missing at its end is a charge that is neither of use
nor of a purchase: an Adjustment.
"""

from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import Row, between, count, rows
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_OF_COMMITMENTS: Final = (
    " from contract_balances where kind = 'commitment' and period_end > {since:DateTime64(3, 'UTC')}"
    " and period_end <= {until:DateTime64(3, 'UTC')} and unused_amount > 0"
)


def missing(client: "Client", selection: Selection) -> list[Row]:
    """Return them, of those that end in a selection of all calls, in dollars (usd) and their currency (amount).

    Of some calls, and of those whose rate in dollars is not known, there are none. Raises StoreError.
    """
    if selection.filters:
        return []
    return rows(
        client,
        "select contract_id, name, providers[1] as provider, currency, period_end, unused_usd as usd,"
        f" unused_amount as amount{_OF_COMMITMENTS} and unused_usd is not null order by period_end, contract_id, name",
        dict(between(selection.since, selection.until)),
    )


def without_rate(client: "Client", selection: Selection) -> int:
    """Return of how many commitments something is missing that has no amount in dollars. Raises StoreError."""
    if selection.filters:
        return 0
    return count(client, f"{_OF_COMMITMENTS} and unused_usd is null", between(selection.since, selection.until))


def charge(row: Row) -> Row:
    """Return the columns of what is missing of a commitment, a row of `missing`: it is paid once, and is all there is.

    Amounts of a charge that stands on no price are what is billed.
    """
    costs: Row = dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), row["usd"])
    return {
        **costs,
        "ChargeCategory": "Adjustment",
        "ChargeDescription": f"Commitment {row['name']}: what is missing of it at its end",
        "ChargeFrequency": "One-Time",
        "PricingCurrency": row["currency"],
        "PricingCurrencyEffectiveCost": row["amount"],
        "x_ContractId": row["contract_id"],
    }
