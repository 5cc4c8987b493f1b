"""A stored call as it might have been made: with another model, tier or processing window, at its price."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.calls.bill import Bill, cost_attributes
from otel_costs.pricing import ESTIMATED, PRICED, Line
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.store import stored_call
from otel_costs.store.settled_cost import as_settled
from otel_costs.usage import Usage

ANSWERING: Final = frozenset(
    {"chat", "text_completion", "generate_content", "invoke_agent", "batch", "realtime_inference"}
)
"""Operations in which a model answers. Another model takes these, and leaves those that transcribe, speak or embed."""

STAND_INS: Final = frozenset(
    {CostReason.MODALITY_NOT_PRICED, CostReason.PROCESSING_NOT_PRICED, CostReason.TIER_NOT_PRICED}
)
"""The price of something else was applied: of text for sound, of the standard tier for another one."""

_BATCH: Final = "batch"


@dataclass(frozen=True, slots=True)
class Alternative:
    """How calls might have been made; None is as they were. `processing` is a window: batch, standard, window_8h."""

    model: str | None = None
    provider: str | None = None
    service_tier: str | None = None
    processing: str | None = None

    def label(self) -> str:
        """Name it: `gpt-4o-mini, batch`."""
        prefix = f"{self.provider}:" if self.provider else ""
        model = f"{prefix}{self.model or ''}"
        return ", ".join(filter(None, [model, self.service_tier, self.processing])) or "as recorded"

    def takes(self, row: Mapping[str, Any], operation: str | None = None) -> bool:
        """Return whether it is for a call: all calls of `operation`, where the calls of that alone were asked for."""
        other_model = self.model is not None or self.provider is not None
        return not other_model or operation is not None or row["operation"] in ANSWERING


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call would have cost, in US dollars; None where no price tells, and `reason` and `units` say why."""

    usd: Decimal | None
    lines: tuple[Line, ...] = ()
    estimated: bool = False
    reason: str = ""
    units: tuple[str, ...] = ()
    settled: bool = False
    """Whether it is by the settlement of the call's month: the amounts of its lines are shares then."""
    reservation: str = ""
    """What is reserved and would have covered it."""


def outcome(
    row: Mapping[str, Any], alternative: Alternative, *, used: Usage | None = None, at: datetime | None = None
) -> Outcome:
    """Return what a call, a row of stored_call.COLUMNS, would have cost by the price book in force.

    `used`: what it would have used, None is what it did use. `at`: when it would have been made, for the prices of that
    time; None is when it was. A cost that lacks a part, or that is the price of something else, is None.
    """
    bill, models, provider = _bill(row, alternative)
    if bill.refused:
        return Outcome(Decimal(), reason=CostReason.REQUEST_REFUSED)
    if used is not None:
        bill.usage = used
    began, ended = (stored_call.nanoseconds(at or row[name]) for name in ("start_time", "end_time"))
    cost = bill.cost(provider, models, began, ended)
    if cost is not None and cost.status == PRICED and bill.accounts_for_all():
        return Outcome(cost.total, cost.lines)
    if at is None and (settled := as_settled(row, cost)) is not None:
        reservation = settled.contract.reservation if settled.contract else ""
        is_estimate = settled.status != PRICED
        return Outcome(settled.total, settled.lines, is_estimate, settled=True, reservation=reservation)
    attributes = cost_attributes(bill, cost)
    status, reason = attributes[names.COST_STATUS], attributes.get(names.COST_REASON, "")
    if cost is None or status not in (PRICED, ESTIMATED):
        units = (*(cost.unpriced_units if cost else ()), *attributes.get(names.COST_UNKNOWN, ()))
        return Outcome(None, reason=reason, units=tuple(dict.fromkeys(units)))
    if cost.reason in STAND_INS and alternative != _AS_IT_WAS:
        return Outcome(None, reason=str(cost.reason), units=_sound(bill) if _is_of_sound(cost.reason) else ())
    reservation = cost.contract.reservation if cost.contract else ""
    return Outcome(cost.total, cost.lines, status == ESTIMATED, reason, reservation=reservation)


_AS_IT_WAS: Final = Alternative()


def _bill(row: Mapping[str, Any], alternative: Alternative) -> tuple[Bill, tuple[str | None, str | None], str]:
    """Return the bill as it would have been, the models that would have answered and been asked, and the provider."""
    bill = stored_call.bill(row)
    bill.reported = None
    provider, model = alternative.provider or row["provider"], alternative.model or row["model"]
    models: tuple[str | None, str | None] = row["model"], row["request_model"]
    if provider != row["provider"]:
        bill.endpoint = None
    if (provider, model) != (row["provider"], row["model"]):
        models = model, None
        # A deployment has one model; a size is asked of any: `dall-e-3/hd/1024x1024`.
        listed, prefix = bill.price_model or "", f"{row['model']}/"
        bill.price_model = f"{model}/{listed.removeprefix(prefix)}" if listed.startswith(prefix) else None
        bill.deployment = None
    if alternative.service_tier is not None:
        # A batch has no tier: to have one, a call is made by itself.
        bill.service_tier, bill.processing = alternative.service_tier, None
    if alternative.processing is not None:
        bill.processing = alternative.processing
        if bill.service_tier == _BATCH:  # as some providers report a batch
            bill.service_tier = None
    return bill, models, provider


def _is_of_sound(reason: CostReason | None) -> bool:
    return reason == CostReason.MODALITY_NOT_PRICED


def _sound(bill: Bill) -> tuple[str, ...]:
    quantities = bill.usage.quantities if bill.usage else {}
    return tuple(unit for unit, quantity in quantities.items() if quantity and "audio" in unit)
