"""The shapes of calls: one in a list, and one with its lines and revisions."""

from pydantic import Field

from otel_costs.web.models import Money, Shape, Tags, Time, Tokens


class ListedCall(Shape):
    """A call: when, of what, how long it took, and what it cost. null is not known; cost_usd null is unpriced."""

    call_id: str
    trace_id: str
    span_id: str
    session_id: str
    user_id: str
    kind: str
    scenario: str
    step: str
    tags: Tags
    service: str
    operation: str
    provider: str
    request_model: str
    model: str
    error_type: str = Field(description="why the call failed; empty where it did not")
    finish_reason: str
    interrupted: str = Field(description="why an answer was broken off, as by a user who spoke; empty where it was not")
    response_id: str
    start_time: Time
    end_time: Time
    duration_s: float | None
    time_to_first_chunk_s: float | None
    time_to_first_audio_s: float | None
    tokens: Tokens
    audio_seconds: float
    input_audio_seconds: float | None
    output_audio_seconds: float | None
    characters: int
    cost_usd: Money | None
    cost_status: str = Field(description="priced, partial, estimated or unpriced")
    cost_reason: str = Field(description="why it is not simply priced (docs/reasons.md); empty where it is")
    cost_lines: dict[str, Money] = Field(description="US dollars by unit")
    list_usd: Money | None = Field(description="at list prices, without any contract")
    contracted_usd: Money | None = Field(description="with the discounts of a contract, as if nothing were reserved")
    contract_amount: Money | None = Field(description="cost_usd in contract_currency; null without a contract")
    contract_currency: str = Field(description="ISO 4217; empty without a contract")
    contract_id: str = Field(description="the contract that the call is billed by; empty where there is none")
    reservation_id: str = Field(description="what was reserved by the contract, where the call used it")
    price_id: str
    price_book: str
    revision: int


class Calls(Shape):
    """A page of calls, and how many there are in all."""

    calls: list[ListedCall]
    total: int
    cursor: str | None = Field(default=None, description="there where more follow: give it back for the next page")


class CallLine(Shape):
    """A line of a call's cost. quantity and rate are null where today's prices do not come to the same amount."""

    unit: str
    quantity: float | None
    rate_usd: Money | None
    per: int | None
    multiplier: str | None
    amount_usd: Money


class CallRevision(Shape):
    """A call as it was recorded once: the first time, and by each re-price. The store forgets old ones in time."""

    revision: int
    recorded_at: Time
    cost_usd: Money | None
    list_usd: Money | None
    contract_amount: Money | None
    contract_currency: str
    cost_status: str
    cost_reason: str
    cost_source: str
    price_id: str
    price_book: str
    repriced: bool


class Call(Shape):
    """All of a call: the columns of the view billed_calls (docs/sql.md), and its lines."""

    call_id: str
    session_id: str
    user_id: str
    operation: str
    provider: str
    model: str
    cost_usd: Money | None
    cost_status: str
    cost_reason: str
    list_usd: Money | None = Field(description="at list prices, without any contract")
    contracted_usd: Money | None = Field(description="with the discounts of a contract, as if nothing were reserved")
    contract_amount: Money | None = Field(description="cost_usd in contract_currency; null without a contract")
    contract_currency: str = Field(description="ISO 4217; empty without a contract")
    contract_id: str = Field(description="the contract that the call is billed by; empty where there is none")
    reservation_id: str = Field(description="what was reserved by the contract, where the call used it")
    revision: int = Field(description="rises where a call is recorded again, as by a re-price")
    repriced: bool
    lines: list[CallLine]
    revisions: list[CallRevision] = Field(description="what the store still has of them, the oldest first")
