"""The shapes of what-if: what is asked, and what is answered."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field, field_validator

from otel_costs.store.alternative import Alternative
from otel_costs.store.periods import moment
from otel_costs.store.rows import storable
from otel_costs.store.what_if import MOST_ALTERNATIVES
from otel_costs.web.models import Body, Money, Shape, Time

NOW: Final = "now"

_Name = Annotated[str | None, Field(min_length=1, max_length=256)]


class AlternativeBody(Body):
    """How calls might have been made; what is left out stays as it was."""

    model: _Name = Field(default=None, description="another model")
    provider: _Name = Field(default=None, description="another provider; that of the call by default")
    service_tier: _Name = Field(default=None, description="another service tier: default, flex, priority, ...")
    processing: _Name = Field(default=None, description="another window: batch, standard, window_2h, window_8h")

    @property
    def alternative(self) -> Alternative:
        """The same as a value."""
        return Alternative(self.model, self.provider, self.service_tier, self.processing)


class WhatIfBody(Body):
    """What to compare with what was recorded."""

    alternatives: Annotated[list[AlternativeBody], Field(min_length=1, max_length=MOST_ALTERNATIVES)]
    prices_at: str | None = Field(
        default=None,
        max_length=64,
        description="prices of this time: now, or a moment in ISO 8601; by default those of the time of each call",
    )

    @field_validator("prices_at")
    @classmethod
    def _is_moment(cls, text: str | None) -> str | None:
        prices_at(text)
        return text

    @property
    def at(self) -> datetime | None:
        """The time whose prices are meant; None is that of each call."""
        return prices_at(self.prices_at)


def prices_at(text: str | None) -> datetime | None:
    """Read a time whose prices are meant: now, or a moment; None is None. Raises ValueError."""
    if text is None:
        return None
    if text == NOW:
        return datetime.now(UTC)
    found = moment(text)
    if storable(found) != found:
        raise ValueError(f"{text!r} is no time that can be stored")
    return found


class LineSum(Shape):
    """The lines of many calls that have one unit and rate. quantity and rate are null where today's prices do not tell
    how the recorded amount came about."""

    provider: str
    model: str
    unit: str = Field(description="empty: a whole call, whose cost the provider told")
    quantity: float | None
    rate_usd: Money | None
    per: int | None
    multiplier: str | None
    amount_usd: Money
    call_count: int


class LineDifference(Shape):
    """A unit whose cost is another one; they add up to difference_usd."""

    unit: str
    recorded_usd: Money
    cost_usd: Money
    difference_usd: Money


class WithoutPrice(Shape):
    """Calls that have no cost the other way: they are in no sum but recorded_usd here."""

    provider: str
    model: str
    operation: str
    reason: str = Field(description="docs/reasons.md")
    units: list[str] = Field(description="what lacks a rate")
    call_count: int
    recorded_usd: Money


class Recorded(Shape):
    """What the calls cost."""

    call_count: int
    unpriced_calls: int
    other_price_calls: int = Field(
        description="calls whose cost does not come of the prices that are known here, as one that the provider told"
    )
    cost_usd: Money
    lines: list[LineSum]


class Compared(Shape):
    """What the calls that have a cost both ways would have cost, and did."""

    label: str
    provider: str | None
    model: str | None
    service_tier: str | None
    processing: str | None
    cost_usd: Money
    recorded_usd: Money = Field(description="what the same calls cost")
    difference_usd: Money = Field(description="cost_usd less recorded_usd: below zero it is cheaper")
    priced_calls: int
    estimated_calls: int = Field(description="calls among them whose cost is an estimate")
    kept_calls: int = Field(description="calls that another model does not take: they cost what they cost")
    kept_usd: Money
    reserved_usd: Money = Field(
        description="what of recorded_usd is for what is reserved by the hour, and would not have been used: it is paid"
        " all the same"
    )
    not_priced_calls: int
    lines: list[LineSum]
    differences: list[LineDifference]
    not_priced: list[WithoutPrice]


class WhatIf(Shape):
    """A comparison of what was recorded with each alternative."""

    since: Time | None
    until: Time | None
    tz: str
    session_id: str | None
    prices_at: Time | None
    price_book: str
    recorded: Recorded
    alternatives: list[Compared]
