"""What the settlement of a month makes of a call that might have been made otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from otel_costs.pricing.cost import ESTIMATED, Cost
from otel_costs.pricing.settlement import money
from otel_costs.pricing.spread import spread
from otel_costs.store import stored_call
from otel_costs.store.settling import UNSETTLED, waits
from otel_costs.usage.numbers import EXACT


def was_settled(row: Mapping[str, Any]) -> bool:
    """Return whether the cost of a call is one that its month's settlement gave it, by the contract that is known here.

    `row` has stored_call.COLUMNS, and what a contract makes of a cost.
    """
    cost = stored_call.cost(row) if row["contract_id"] else None
    contract = cost.contract if cost else None
    if contract is None or contract.reason not in UNSETTLED or row["cost_usd"] is None:
        return False
    recorded = (row["contract_id"], row["reservation_id"], row["list_usd"])
    return not waits(row) and recorded == (contract.id, contract.reservation, contract.list_usd)


def as_settled(row: Mapping[str, Any], cost: Cost | None) -> Cost | None:
    """Return `cost`, what a call would have cost made otherwise, as the settlement of its month has it.

    None where that does not tell: it has no such contract, or the call was not settled. Within the same reservation the
    share stays, since the hour is paid for. With the same discount by volume the same share is off, which is an
    estimate, unless the call is the very one.
    """
    contract = cost.contract if cost else None
    if cost is None or contract is None or contract.reason not in UNSETTLED or not was_settled(row):
        return None
    before = stored_call.cost(row)
    if before is None or before.contract is None or contract.reservation != before.contract.reservation:
        return None
    if contract.reservation:
        return _with_total(cost, row["cost_usd"], row["cost_status"])
    if (contract.id, contract.discount) != (before.contract.id, before.contract.discount):
        return None
    if cost.total is None or not before.total:
        return None
    if cost.lines == before.lines:
        lines = tuple(replace(line, amount=row["cost_lines"].get(line.unit, line.amount)) for line in cost.lines)
        return replace(cost, total=row["cost_usd"], lines=lines, status=row["cost_status"], reason=None)
    total = money(EXACT.divide(EXACT.multiply(cost.total, row["cost_usd"]), before.total))
    return _with_total(cost, total, ESTIMATED)


def _with_total(cost: Cost, total: Decimal, status: str) -> Cost:
    shares = spread(total, [line.amount for line in cost.lines])
    lines = tuple(replace(line, amount=share) for line, share in zip(cost.lines, shares, strict=True))
    return replace(cost, total=total, lines=lines, status=status, reason=None)
