"""The shapes of answers and bodies, for the OpenAPI description: what each field is, and its unit."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictFloat, StrictInt, StrictStr, field_validator

from otel_costs.store.periods import moment
from otel_costs.web.exact_body import plain_numbers

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2262, 1, 1, tzinfo=UTC)  # where the store's nanoseconds end

Money = Annotated[
    str | float,
    Field(
        description="US dollars, exact: a text with six decimals or more, `0` for nothing; a number with money=number"
    ),
]
Time = Annotated[str, Field(description="a moment in ISO 8601, in UTC")]
Tags = dict[str, str]


class Shape(BaseModel):
    """What all shapes share: more fields than are named here may come."""

    model_config = ConfigDict(extra="allow")


class Error(Shape):
    """What went wrong, and what to do."""

    error: str


class Tokens(Shape):
    """Tokens by kind; none is in two of them."""

    text_input: int
    text_output: int
    audio_input: int
    audio_output: int
    cached_input: int


class Breakdown(Shape):
    """The parts of a cost; they add up to it. null where nothing has a price."""

    text_input: Money | None
    text_output: Money | None
    audio_input: Money | None
    audio_output: Money | None
    speech_to_text: Money | None
    text_to_speech: Money | None
    other: Money | None


_ERRORS: Final = "calls among them that failed"
_LISTED: Final = "the same at list prices, without any contract; where none is known, the cost"


class ChosenMeasures(Shape):
    """What calls cost together, and of what was used for it what `measures` names; what it leaves out is absent."""

    call_count: int
    unpriced_calls: int = Field(description="calls among them that have no price: they are not in cost_usd")
    cost_usd: Money
    error_count: int | None = Field(default=None, description=_ERRORS)
    list_usd: Money | None = Field(default=None, description=_LISTED)
    audio_seconds: float | None = None
    characters: int | None = None
    tokens: Tokens | None = None
    cost_breakdown: Breakdown | None = None


class Measures(ChosenMeasures):
    """What calls cost together, and what was used for it."""

    error_count: int = Field(description=_ERRORS)
    list_usd: Money = Field(description=_LISTED)
    audio_seconds: float
    characters: int
    tokens: Tokens
    cost_breakdown: Breakdown


class CostsRow(ChosenMeasures):
    """One group of calls. Its keys stand beside the measures under the names of `by`; null in the row of the others."""

    others: int = Field(default=0, description="how many groups the row adds up that have no row of their own")
    shared_usd: Money | None = Field(
        default=None,
        description="by a tag of which some spend is shared: the part of that which the group gets, below 0 for what is"
        " split; cost_usd is its own",
    )
    total_usd: Money | None = Field(default=None, description="cost_usd and shared_usd")


class Costs(Shape):
    """Costs by group; `total` is of all calls of the question."""

    since: Time | None
    until: Time | None
    tz: str
    by: list[str]
    total: ChosenMeasures
    costs: list[CostsRow]


class Before(Shape):
    """The period of the same length before the one that is asked for."""

    since: Time
    until: Time
    call_count: int
    cost_usd: Money
    change_usd: Money


class SessionFigures(Shape):
    """The sessions that began in the period, whole: a percentile is the cost of a session."""

    count: int
    cost_usd: Money
    mean_usd: Money | None
    p50_usd: Money | None
    p95_usd: Money | None


class Month(Shape):
    """The current month in the zone: so far, and at its end if it goes on as in the last seven days."""

    start: Time
    end: Time
    cost_usd: Money
    projected_usd: Money


class Summary(ChosenMeasures):
    """The figures of an overview."""

    since: Time | None
    until: Time | None
    tz: str
    cached_share: float | None = Field(
        default=None,
        description="cached tokens as a fraction of those that were sent; null without any. It comes with tokens",
    )
    before: Before | None
    sessions: SessionFigures
    month: Month


class Session(Shape):
    """A session: its user, time and cost. cost_usd is null where no call has a price."""

    session_id: str
    user_id: str
    kind: str
    scenario: str
    tags: Tags
    start_time: Time
    end_time: Time
    duration_seconds: float
    message_count: int
    call_count: int
    cost_usd: Money | None
    unpriced_calls: int
    error_count: int


class Sessions(Shape):
    """A page of sessions, and how many there are in all."""

    sessions: list[Session]
    total: int
    cursor: str | None = Field(default=None, description="there where more follow: give it back for the next page")
    sealed_not_searched: bool | None = Field(
        default=None, description="true where q was not looked for in all that was said, since some of it is sealed"
    )


class Message(Shape):
    """A message. `content` is absent without the right to read it."""

    timestamp: Time
    role: str
    type: str
    content: str | None = None
    metadata: dict[str, object]
    call_id: str = Field(description="the call that sent or answered it first; empty where that is not known")


class SessionCost(Shape):
    """What a session cost."""

    session_id: str
    start_time: Time
    duration_seconds: float
    cost_usd: Money | None
    tokens: Tokens
    audio_seconds: float
    characters: int
    cost_breakdown: Breakdown


class SessionReport(Session):
    """A session with its messages and what its cost is made of."""

    messages: list[Message]
    cost: SessionCost
    content_withheld: bool | None = Field(
        default=None, description="true where there may be content that the request has no right to read"
    )


# Strict, for true would be one dollar.
GivenDollars = StrictStr | StrictInt | StrictFloat | Annotated[Decimal, Strict()]
"""An amount of US dollars as a client may write it; of a number of JSON all digits count (ExactRoute)."""

_Name = Annotated[str, Field(min_length=1, max_length=1024)]
_OptionalName = Annotated[str | None, Field(default=None, max_length=1024)]
_GivenTags = Annotated[dict[str, str], Field(max_length=32)]


class Body(BaseModel):
    """What all bodies share: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class TrackedCall(Body):
    """A call that a program made and tells of."""

    operation: _Name = Field(description="what was done: chat, embeddings, speech_to_text, text_to_speech, ...")
    provider: _Name = Field(description="who is paid: openai, azure.ai.openai, deepgram, ...")
    model: _OptionalName = None
    usage: dict[str, Any] = Field(
        description="what was used, in the units of the price files (input_tokens, audio_seconds, input_characters),"
        " or the usage as the provider reported it. What is not understood is named in the answer's `unknown`"
    )
    session: _OptionalName = Field(default=None, description="the session; none: a call outside of any")
    user: _OptionalName = Field(default=None, description="the user; that of the session, where it was told")
    scenario: _OptionalName = None
    kind: _OptionalName = Field(default=None, description="the kind of the session; conversation if none is told")
    step: _OptionalName = None
    service: _OptionalName = Field(default=None, description="the program that made the call")
    tags: _GivenTags = Field(default_factory=dict, description="tags of the session, 32 at most")
    at: str | None = Field(
        default=None,
        max_length=64,
        description="when the call was made, in ISO 8601, UTC without an offset; now by default. Its price is that of"
        " this time",
    )
    service_tier: _OptionalName = Field(default=None, description="the service tier that the provider answered with")
    cost_usd: GivenDollars | None = Field(default=None, description="US dollars, where the provider itself reported it")
    error: _OptionalName = Field(default=None, description="the kind of error with which the call failed")
    idempotency_key: Annotated[str | None, Field(min_length=1, max_length=1024)] = Field(
        default=None,
        description="a key of your own: a call of the same session and user that is sent again with it is stored once."
        " Where several processes of this server stand side by side, give `at` too",
    )

    @field_validator("usage")
    @classmethod
    def _has_plain_numbers(cls, usage: dict[str, Any]) -> Any:
        return plain_numbers(usage)

    @field_validator("at")
    @classmethod
    def _is_moment(cls, text: str | None) -> str | None:
        if text is not None and not _EARLIEST <= moment(text) < _LATEST:
            raise ValueError(f"{text!r} is no time that can be stored")
        return text

    @property
    def moment(self) -> datetime | None:
        """When the call was made; None is now."""
        return None if self.at is None else moment(self.at)


class SessionStartBody(Body):
    """What is told of a session; what is left out stays as it was told before."""

    user: _OptionalName = None
    kind: _OptionalName = Field(default=None, description="creation, or a word of yours; conversation if none is told")
    scenario: _OptionalName = None
    tags: Annotated[dict[str, str] | None, Field(max_length=32)] = None


class StartedSession(Shape):
    """A session as it was told: its calls get what they do not say themselves."""

    session_id: str
    user_id: str
    kind: str
    scenario: str
    tags: Tags


class TrackedAnswer(Shape):
    """What a call that was told of costs. It is stored when this is answered."""

    call_id: str
    session_id: str
    at: Time
    cost_usd: Money | None = Field(description="null: unpriced")
    status: str = Field(description="priced, partial, estimated or unpriced")
    reason: str = Field(description="why it is not simply priced (docs/reasons.md); empty where it is")
    unknown: list[str] = Field(description="keys of the usage that the cost does not account for")
    cost_lines: dict[str, Money] = Field(description="US dollars by unit")
    list_usd: Money | None = Field(description="at list prices, without any contract")
    contract_amount: Money | None = Field(description="the cost in contract_currency; null without a contract")
    contract_currency: str = Field(description="ISO 4217; empty without a contract")
    contract_id: str = Field(description="the contract that the call is billed by; empty where there is none")
    price_id: str
    price_book: str
    repeated: bool = Field(description="whether it had been stored before, with the same key")


class TrackedAnswers(Shape):
    """The answers to several calls, in their order."""

    calls: list[TrackedAnswer]


class Kind(Shape):
    """The sessions of a kind that began, and its calls that ended."""

    sessions: int
    calls: int
    cost_usd: Money


class ReportSummary(Shape):
    """The whole of a report."""

    total_cost_usd: Money
    sessions: int
    conversations: int
    creations: int
    calls: int
    unpriced_calls: int
    error_count: int
    tokens: Tokens
    cost_breakdown: Breakdown
    by_kind: dict[str, Kind] = Field(description="by kind of session; calls outside of any under an empty one")


class Report(Shape):
    """What a user, or everybody, cost in a time. Each part adds up to the total."""

    user: str | None
    from_: Time | None = Field(alias="from")
    to: Time | None
    tz: str
    summary: ReportSummary
    by_day: list[Measures]
    by_model: list[Measures]
    by_scenario: list[Measures]
    sessions: list[Session]


class NotPriced(Shape):
    """Calls of one model that are not simply priced, for one reason."""

    cost_status: str
    cost_reason: str
    provider: str
    model: str
    operation: str
    call_count: int
    cost_usd: Money
    last_time: Time
    last_call_id: str


class Reason(Shape):
    """Why a cost is not simply priced."""

    reason: str = Field(description="as in cost_reason, where several are separated by commas")
    meaning: str = Field(description="one sentence")
    remedy: str = Field(description="what to do")


class Reasons(Shape):
    """All reasons."""

    reasons: list[Reason]


class Missing(Shape):
    """Calls of a process whose records never arrived."""

    process_id: str
    service: str
    first_seq: int
    last_seq: int
    missing_count: int
    noticed_at: Time
    first_time: Time
    last_time: Time


class DearSession(Session):
    """A session that cost ten times the median of its kind."""

    median_usd: Money


class DearDay(Shape):
    """A day that cost three times an average day of the four weeks before."""

    day: str
    cost_usd: Money
    average_usd: Money


class BillDifference(Shape):
    """A difference between a provider's bill and what was recorded: of money or of a quantity."""

    vendor: str = Field(description="whose bill it is: openai, azure, anthropic, google, elevenlabs, deepgram, aws")
    part: str = Field(description="what of it was compared: projects, keys and services; empty for all")
    day: str
    model: str = Field(description="model or line item as the bill has it; empty for the whole day")
    unit: str = Field(description="input_tokens, ...; usd for money, day_usd for the money of the whole day")
    theirs: float | None = Field(description="what is billed; null for money, and where there is no such")
    ours: float | None = Field(description="what was recorded; null for money, and where there is no such")
    difference: float | None = Field(description="what is billed beyond what was recorded; null for money")
    theirs_usd: Money | None
    ours_usd: Money | None
    difference_usd: Money | None
    cause: str
    found_at: Time
    compared_at: Time


class Inbox(Shape):
    """What needs a look."""

    not_priced: list[NotPriced]
    missing_calls: list[Missing]
    dear_sessions: list[DearSession]
    dear_days: list[DearDay]
    misdated_calls: int = Field(description="calls whose time no clock can have meant")
    bill_differences: list[BillDifference]
    refused_records: int | None = Field(description="records that were refused since the start; null: not known here")


class BurnDown(Shape):
    """What was spent of a budget in a piece of its period."""

    piece: str = Field(description="a day, or of a budget of a day the beginning of an hour, in the budget's zone")
    spent_usd: Money
    total_usd: Money = Field(description="what was spent from the period's start until the end of the piece")


class Budget(Shape):
    """A budget, and what was spent of it in its current period."""

    scope: str
    name: str
    period: str
    period_start: Time
    period_end: Time
    zone: str = Field(description="time zone that its days begin in")
    limit_usd: Money
    carried_usd: Money = Field(description="what was left of the period before, of a budget with rollover")
    spent_usd: Money
    remaining_usd: Money
    used: float | None = Field(description="the spent part, 1 is all of it; null for what was spent of nothing")
    state: str = Field(description="ok, warning (80 % and more) or over")
    unpriced_calls: int
    soft: bool = Field(description="calls past it are warned of, and sent")
    rollover: bool = Field(description="what was left of the period before is added")
    since: Time = Field(description="when it was set for the first time")


class BurningBudget(Budget):
    """A budget, and with days=1 how it is being spent."""

    projected_usd: Money | None = Field(default=None, description="the period's cost, as it goes on")
    burn_down: list[BurnDown] | None = None


class Budgets(Shape):
    """All budgets."""

    budgets: list[BurningBudget]


class EnforcedBudget(Shape):
    """A budget as a program is held to it."""

    scope: str
    name: str
    period: str
    period_start: Time
    period_end: Time
    limit_usd: Money = Field(description="with what was carried over")
    spent_usd: Money
    soft: bool


class EnforcedBudgets(Shape):
    """What a program is held to."""

    seen_seq: int = Field(description="the last of its calls that the sums have; 0 where that is not known")
    budgets: list[EnforcedBudget]


class BudgetBody(Body):
    """The limit of a budget."""

    limit_usd: GivenDollars = Field(description="US dollars, from 0 on")
    soft: bool = Field(False, description="calls past it are warned of, and sent")
    rollover: bool = Field(False, description="what was left of the period before is added")
    zone: str = Field("UTC", max_length=64, description="time zone that its days begin in, such as Europe/Berlin")


class Removed(Shape):
    """Something is not there any more."""

    removed: bool


class PriceSource(Shape):
    """A list of prices."""

    name: str
    version: str
    fetched_at: Time | None


class Price(Shape):
    """A rate of the table in force."""

    provider: str
    model: str
    unit: str
    rate_usd: Money | None
    per: int | None
    multiplier: str
    condition: str
    start: Time | None
    end: Time | None
    price_id: str
    source: str
    checked: str
    wins: bool | None
    winner: str | None
    contract: str | None = Field(description="the contract that calls which have the rate are billed by today")


class Prices(Shape):
    """The table in force; of its sources the first is over the others."""

    version: str
    sources: list[PriceSource]
    prices: list[Price]
    more: bool


class MissingPrice(Shape):
    """A model that has calls without a price, or without a whole one."""

    provider: str
    model: str = Field(description="what its price is listed under")
    call_count: int
    unpriced_calls: int = Field(description="calls among them that have no price at all")
    last_time: Time
    last_call_id: str
    reasons: list[str] = Field(description="docs/reasons.md")
    units: list[str] = Field(description="what lacks a rate today; none: a re-price gives the calls their price")
    stanza: str | None = Field(description="YAML for the list `prices` of a price file, its rates to be filled in")


class MissingPrices(Shape):
    """The models that have calls without a price, those with most calls first."""

    missing: list[MissingPrice]
