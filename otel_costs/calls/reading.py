"""What a provider's module has read of a call's request and answer: one frozen value, which `writer` writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otel_costs.messages.drafts import Draft
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.usage import Usage


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is billed when it has ended, to the session that started it; its id is the same wherever it is polled.

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
    """The messages of the request, where only the answer has them; None leaves those of the request."""
    outputs: Sequence[Sequence[Draft]] = ()
    """The messages of the answer, a list for each of its alternatives."""
    message_count: int | None = None
    """The number of messages, where they are only counted."""
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
    """Options of the request whose cost is not known: the cost of the call is a lower bound."""
    finish_reasons: tuple[str | None, ...] = ()
    """Why each choice ended; None among them is left out."""
    error: str | None = None
    """The kind of error that the answer itself reports; None where it reports none."""
    refused: bool = False
    """Whether the provider did not do what was asked, and bills nothing."""
    job: Job | None = None
    is_billed: bool = True
    """Whether this is the bill of what was used; a poll of what is billed elsewhere leaves a span and nothing more."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Of the span alone."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of span and ledger record."""
    others: "Sequence[Reading]" = ()
    """What was used of other models, each a call of its own."""
    operation: str | None = None
    """What was done with another model; None is what its call does."""
