"""What a call is billed, as attributes: its cost by the price book, or by the provider's own word."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.pricing import price_book
from otel_costs.pricing.cost import ESTIMATED, PARTIAL, PRICED, UNPRICED, Contracted, Cost
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import telemetry
from otel_costs.usage import MAX_UNKNOWN, Usage
from otel_costs.usage.units import COUNTS
from otel_costs.values import sanitize

SUMS: Final = frozenset({"batch", "evaluation", "invoke_agent"})
"""Operations whose usage is the sum of several requests."""

_ADD_PRICE: Final = f"Add its price to the file of {names.ENV_PRICES}."
_NAME_PROVIDER: Final = f"Name its provider with {names.ENV_PROVIDERS}."


@dataclass(slots=True)
class Bill:
    """What is known of a call that its price depends on.

    `usage` None is unknown, which is not zero. `price_model` is the name that the price is listed under where it is
    more than the model's (`dall-e-3/standard/1024x1024`); `processing` is `batch` or None; `reported` is the cost in
    USD that the provider itself said. `reasons` say why a figure is unknown or an estimate. `refused`: the provider
    answered with an error status, and bills nothing. `unknown` names options of the request that change the price in a
    way that is not known, as `Usage.unknown` names keys of the usage: either makes the cost a lower bound.
    """

    usage: Usage | None = None
    price_model: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    endpoint: str | None = None
    deployment: str | None = None
    reported: Decimal | None = None
    reasons: list[CostReason] = field(default_factory=list)
    refused: bool = False
    unknown: list[str] = field(default_factory=list)

    def accounts_for_all(self) -> bool:
        """Return whether nothing but a price can make the cost less than priced."""
        return not (self.reasons or self.unknown or self.usage is None or self.usage.unknown or self.usage.estimated)

    def unaccounted(self, cost: Cost | None) -> list[str]:
        """Return what `cost` does not account for: at most 16 names of keys and options, clean, of 64 characters."""
        keys = (*(cost.unknown if cost else ()), *(self.usage.unknown if self.usage else ()), *self.unknown)
        return list(dict.fromkeys(map(sanitize.label, keys)))[:MAX_UNKNOWN] if keys else []

    def cost(
        self, provider: str, models: tuple[str | None, str | None], at_ns: int, ended_ns: int | None = None
    ) -> Cost | None:
        """Return what the usage costs, of a call of `models`: the one that answered, the one that was asked.

        `at_ns` is when it began, for its prices; `ended_ns` when it ended, for its contract: None is the same.

        None if the usage is unknown.
        """
        if self.usage is None:
            return None
        answered, asked = models
        found = price_book.price(
            self.usage,
            provider=provider,
            model=answered,
            request_model=asked,
            price_model=self.price_model,
            at=datetime.fromtimestamp(at_ns / 1e9, UTC),
            ended=None if ended_ns is None else datetime.fromtimestamp(ended_ns / 1e9, UTC),
            service_tier=self.service_tier,
            processing=self.processing,
            endpoint=self.endpoint,
            deployment=self.deployment,
        )
        return found if found.total is None or found.total < sanitize.MAX_USD else _without_amount(found)


def _without_amount(cost: Cost) -> Cost:
    """Return a cost too large for the ledger as unpriced: a trillion dollars come of a usage that is wrong."""
    units = tuple(line.unit for line in cost.lines)
    return replace(
        cost,
        total=None,
        status=UNPRICED,
        reason=CostReason.INVALID_USAGE,
        lines=(),
        unpriced_units=units,
        contract=None,
    )


def usage_attributes(usage: Usage) -> dict[str, Any]:
    """Return the quantities as attributes of a record: counts as ints, anything else as exact decimal strings.

    What is no count is a string also where it is whole, as 13 seconds are: an attribute has one type.
    """
    found: dict[str, Any] = {
        names.usage_attribute(unit): int(quantity) if unit in COUNTS else exact(quantity)
        for unit, quantity in usage.quantities.items()
    }
    if usage.invalid:
        found[names.USAGE_INVALID] = usage.invalid
    return found


def usage_numbers(usage: Usage) -> dict[str, float]:
    """Return the quantities that are no counts as attributes of a span, which are read as numbers."""
    return {
        names.usage_attribute(unit): float(quantity)
        for unit, quantity in usage.quantities.items()
        if unit not in COUNTS
    }


def cost_attributes(bill: Bill, cost: Cost | None) -> dict[str, Any]:
    """Return the cost, and what a later price needs beside the usage, as attributes.

    The amount goes last: the SDK keeps 128 attributes and drops the oldest.
    """
    found = _price_names(bill) if bill.price_model or bill.deployment or bill.processing else {}
    if bill.refused:
        return found | _money(PRICED, [CostReason.REQUEST_REFUSED], Decimal(0), "local", "USD")
    if bill.reported is not None:  # by the provider, which knows what all keys and options cost
        computed = _computed(cost) if cost is not None else {}
        return found | computed | _money(PRICED, bill.reasons, bill.reported, "provider", "USD")
    reasons = list(bill.reasons)
    has_unknown_usage = bool((cost and cost.unknown) or (bill.usage and bill.usage.unknown))
    if bill.unknown or has_unknown_usage:
        found[names.COST_UNKNOWN] = bill.unaccounted(cost)
        if bill.unknown:
            reasons.append(CostReason.UNKNOWN_OPTION)
        if has_unknown_usage:
            reasons.append(CostReason.UNKNOWN_USAGE)
    if cost is None:
        return found | _money(UNPRICED, reasons or [CostReason.USAGE_UNKNOWN], None, "local", "USD")
    found |= {names.COST_LINE_PREFIX + line.unit: exact(line.amount) for line in cost.lines}
    if cost.price_id:
        found[names.PRICE_ID] = cost.price_id
    found[names.PRICE_BOOK] = cost.book
    if cost.contract is not None:
        found |= _list_price(cost.contract) | _contract(cost.contract)
    status = cost.status
    if (names.COST_UNKNOWN in found or CostReason.NO_USAGE in reasons) and status != UNPRICED:
        status = PARTIAL
    elif reasons and status == PRICED:
        status = ESTIMATED
    if cost.reason:
        reasons.append(cost.reason)
    if cost.contract is not None and cost.contract.reason:
        reasons.append(cost.contract.reason)
    if bill.usage is not None and bill.usage.estimated and not bill.reasons:
        reasons.append(CostReason.USAGE_ESTIMATED)  # whatever the price says: a later one must know it
    return found | _money(status, reasons, cost.total, "local", cost.currency)


def _computed(cost: Cost) -> dict[str, Any]:
    """Return what the price book says beside a cost that the provider reported."""
    found = {} if cost.contract is None else _list_price(cost.contract)
    return found if cost.total is None else {names.COST_COMPUTED_USD: exact(cost.total), **found}


def _list_price(contract: Contracted) -> dict[str, Any]:
    """Return what the call costs without its contract, and without what is reserved by it, where that is more."""
    amounts = {names.COST_LIST_USD: contract.list_usd, names.COST_CONTRACTED_USD: contract.contracted_usd}
    return {name: exact(usd) for name, usd in amounts.items() if usd is not None}


def _contract(contract: Contracted) -> dict[str, Any]:
    found = {names.CONTRACT_ID: contract.id, names.CONTRACT_CURRENCY: contract.currency}
    if contract.amount is not None:
        found[names.CONTRACT_AMOUNT] = exact(contract.amount)
    if contract.reservation:
        found[names.CONTRACT_RESERVATION] = contract.reservation
    return found


def _price_names(bill: Bill) -> dict[str, Any]:
    """Return by which names the price was found, beside the model's and the tier's."""
    found = {
        names.PRICE_MODEL: bill.price_model,
        names.PRICE_DEPLOYMENT: bill.deployment,
        names.PRICE_PROCESSING: bill.processing,
    }
    return {name: value for name, value in found.items() if value}


def _money(
    status: str, reasons: Iterable[CostReason], total: Decimal | None, source: str, currency: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if codes := ",".join(dict.fromkeys(reason for reason in reasons if reason)):
        found[names.COST_REASON] = codes
    found[names.COST_STATUS] = status
    if total is not None:
        found[names.COST_CURRENCY] = currency
        found[names.COST_SOURCE] = source
        found[names.COST_AMOUNT] = float(total)
        found[names.COST_USD] = exact(total)
    return found


def exact(amount: int | Decimal) -> str:
    """Write a number exactly, without an exponent and without zeros behind its point."""
    text = f"{amount:f}" if isinstance(amount, Decimal) else str(amount)
    return text.rstrip("0").rstrip(".") if "." in text else text


def warn_unpriced(provider: str, model: str | None, cost: Cost) -> None:
    """Warn once for each model that its calls have no price, and where one is added."""
    model = sanitize.text(model or "unknown")
    telemetry.warn_once(
        f"unpriced:{provider}:{model}",
        "No price for model %r of provider %r (%s): its calls are recorded without a cost. %s",
        model,
        provider,
        cost.reason,
        _NAME_PROVIDER if provider == names.PROVIDER_UNKNOWN else _ADD_PRICE,
    )


def warn_unaccounted(provider: str, keys: Iterable[str]) -> None:
    """Warn once for each key of a usage, or option of a request, whose cost is not known."""
    for key in keys:
        telemetry.warn_once(
            f"unaccounted:{key}",
            "Provider %r said or was asked %r, which otel_costs does not know: what it costs is not in the cost of the"
            " call, which is recorded as partial. A newer version may know it.",
            provider,
            key,
        )
