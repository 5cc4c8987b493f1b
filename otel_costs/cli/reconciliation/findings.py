"""The findings of a comparison as the store keeps them: one for each day, model and unit."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from otel_costs.cli.reconciliation import comparison as states
from otel_costs.cli.reconciliation.comparison import Comparison, DayCosts, ModelUsage
from otel_costs.cli.reconciliation.reported import ATOM, Number
from otel_costs.store.bill_differences import DAY_USD, USD, Difference
from otel_costs.usage.numbers import EXACT

_MOST: Final = Decimal(10) ** 25  # what the store's Decimal(38, 12) holds


def findings(found: Comparison) -> Iterator[Difference]:
    """Yield what differs: the figures of models, the costs of models and items, and of the day, to which those add up.

    Amounts in another currency are of the day, and have no other side.
    """
    for usage in found.usage:
        if usage.state not in states.WELL:
            yield from _usage(usage)
    for costs in found.costs:
        if costs.state == states.ANOTHER_CURRENCY:
            for currency, amount in sorted(costs.foreign.items()):
                yield _difference(costs, "", currency.lower(), amount, None, amount, costs.state)
        elif costs.state not in states.WELL:
            yield from _costs(costs)


def _usage(usage: ModelUsage) -> Iterator[Difference]:
    for figure in usage.figures:
        if figure.cause not in states.WELL and figure.difference:
            yield _difference(
                usage, usage.model, figure.unit, figure.theirs, figure.ours, figure.difference, figure.cause
            )


def _costs(costs: DayCosts) -> Iterator[Difference]:
    for item in costs.items:
        if item.difference_usd:
            yield _difference(costs, item.name, USD, item.theirs_usd, item.ours_usd, item.difference_usd, item.cause)
    yield _difference(costs, "", DAY_USD, costs.theirs_usd, costs.ours_usd, costs.difference_usd, costs.state)


def _difference(
    row: ModelUsage | DayCosts,
    model: str,
    unit: str,
    theirs: Number | None,
    ours: Number | None,
    difference: Number,
    cause: str,
) -> Difference:
    return Difference(row.day, model, unit, _known(theirs), _known(ours), _kept(difference), cause)


def _known(number: Number | None) -> Decimal | None:
    return None if number is None else _kept(number)


def _kept(number: Number) -> Decimal:
    """Return a number as the store can keep it."""
    found = max(-_MOST, min(_MOST, Decimal(number)))
    return EXACT.quantize(found, ATOM)
