"""What a provider read of a call, of what was asked and what was answered: one frozen value, and its one writer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import telemetry
from otel_costs.usage import Usage
from otel_costs.values import sanitize


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is billed when it has ended, to whoever started it: it has one id, whoever looks at it.

    Times are in seconds since 1970, None where they are not known.
    """

    id: str
    ended: bool
    created_s: int | None = None
    ended_s: int | None = None
    is_known: bool = False
    """Whether the usage is known before it has ended: it has its cost from its start, unless it fails."""
    reason: CostReason = CostReason.JOB_NOT_ENDED
    """Why it has no cost before it has ended."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is known of a call beside its time, its session, and the model that it asked for."""

    usage: Usage | None = None
    """What was used; None is unknown, which is not zero."""
    model: str | None = None
    """The model that answered; None where the answer names none."""
    response_id: str | None = None
    request_model: str | None = None
    """The model that was asked for, where that was not known when the call began."""
    inputs: Sequence[Draft] | None = None
    """What was said in the request, where the answer alone tells; None leaves what the request told."""
    outputs: Sequence[Sequence[Draft]] = ()
    """What was said in the answer, a list for each of its alternatives."""
    message_count: int | None = None
    """How many messages were said, where they are only counted."""
    tools: object = None
    """The definitions of tools in the request, for the span."""
    reported_cost: object = None
    """What the provider itself says that the call costs, in USD; it counts before any price."""
    price_model: str | None = None
    """What the price is listed under, where that is more than the model's name: `nova-3/multilingual`."""
    service_tier: str | None = None
    processing: str | None = None
    """`batch`, or None."""
    reasons: tuple[CostReason | None, ...] = ()
    """Why the usage is unknown, or an estimate; None among them is left out."""
    unknown: tuple[str, ...] = ()
    """Options of the request of which nobody here knows what they cost: the cost is a lower bound."""
    finish_reasons: tuple[str | None, ...] = ()
    """Why each choice ended; None among them is left out."""
    error: str | None = None
    """The kind of error that the answer itself tells; None where it tells none."""
    refused: bool = False
    """Whether the provider did not do what was asked, and bills nothing."""
    job: Job | None = None
    is_billed: bool = True
    """Whether this is the bill of what was used; a look at what is billed elsewhere leaves a span and nothing more."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Of the span alone."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of span and ledger record."""
    others: "Sequence[Reading]" = ()
    """What was used of other models, each a call of its own."""
    operation: str | None = None
    """What was done with another model; None is what its call does."""


def write(call: Call, read: Callable[[], Reading], error: str | None = None, *, refused: bool = False) -> None:
    """Read what is known of a call and write it; if it cannot be read, it is written all the same."""
    try:
        found = read()
    except Exception as bug:  # noqa: BLE001
        telemetry.warn_once("bug:answer", "otel_costs could not read an answer", error=bug)
        found = Reading(reasons=(CostReason.RESPONSE_NOT_READ,))
    finish(call, replace(found, refused=True) if refused else found, error)


def finish(call: Call, reading: Reading, error: str | None = None) -> None:
    """Write a call with what was read of it; `error` is the kind of error that ended it, None if none did.

    Never raises: of what cannot be written, the call says `response_not_read`. What was used of other models follows.
    """
    try:
        _write(reading, call)
    except Exception as bug:  # noqa: BLE001
        telemetry.warn_once(
            f"bug:answer:{call.provider}", "otel_costs could not write a call of provider %s", call.provider, error=bug
        )
        call.bill.reasons.append(CostReason.RESPONSE_NOT_READ)
    if error := error or reading.error:
        call.fail(error)
    else:
        call.finish()
    if reading.others and call.billed:
        _finish_others(call, reading.others)


@telemetry.never_raises("record what a call used of other models")
def _finish_others(call: Call, others: Sequence[Reading]) -> None:
    for reading in others:
        other = call.beside(reading.operation or call.operation, reading.model)
        finish(other, reading)


def _write(reading: Reading, call: Call) -> None:
    bill = call.bill
    call.response_model = reading.model or call.response_model
    call.choices = reading.outputs
    if call.request_model is None and reading.request_model:
        call.request_model = sanitize.text(reading.request_model)
        call.set(names.REQUEST_MODEL, reading.request_model)
    if reading.inputs is not None:
        call.inputs = reading.inputs
    if reading.message_count is not None:
        call.message_count = reading.message_count
    call.tools, call.billed = reading.tools, reading.is_billed
    call.set(names.RESPONSE_ID, reading.response_id)
    call.set(names.RESPONSE_FINISH_REASONS, list(filter(None, reading.finish_reasons)) or None)
    for name, value in reading.attributes.items():
        call.show(name, value)
    for name, value in reading.recorded.items():
        call.set(name, value)
    bill.usage, bill.price_model, bill.refused = reading.usage, reading.price_model, reading.refused
    bill.service_tier, bill.processing = reading.service_tier, reading.processing
    bill.reasons += filter(None, reading.reasons)
    bill.unknown += reading.unknown
    if reading.reported_cost is not None and (reported := sanitize.money(reading.reported_cost)) is not None:
        bill.reported = reported
    elif reading.reported_cost is not None:
        bill.reasons.append(CostReason.REPORTED_COST_INVALID)
    if (job := reading.job) is not None:
        call.as_job(job.id, created_s=job.created_s, ended_s=job.ended_s, ended=job.ended)
        if job.is_known:
            bill.usage = reading.usage
        if not job.ended:
            bill.reasons = [job.reason]
