"""The shapes of answers and bodies, for the OpenAPI description: what each field is, and its unit."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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


class Measures(Shape):
    """What calls cost together, and what was used for it."""

    call_count: int
    unpriced_calls: int = Field(description="calls among them that have no price: they are not in cost_usd")
    error_count: int = Field(description="calls among them that failed")
    cost_usd: Money
    audio_seconds: float
    characters: int
    tokens: Tokens
    cost_breakdown: Breakdown


class CostsRow(Measures):
    """One group of calls. Its keys stand beside the measures under the names of `by`; null in the row of the others."""

    others: int = Field(default=0, description="how many groups the row adds up that have no row of their own")


class Costs(Shape):
    """Costs by group; `total` is of all calls of the question."""

    since: Time | None
    until: Time | None
    tz: str
    by: list[str]
    total: Measures
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


class Summary(Measures):
    """The figures of an overview."""

    since: Time | None
    until: Time | None
    tz: str
    cached_share: float | None = Field(
        description="cached tokens as a fraction of those that were sent; null without any"
    )
    before: Before | None
    sessions: SessionFigures
    month: Month


class Session(Shape):
    """A session: who, when, how much. cost_usd is null where no call has a price."""

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


class Message(Shape):
    """A message. `content` is not there for who may not read it."""

    timestamp: Time
    role: str
    type: str
    content: str | None = None
    metadata: dict[str, object]


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
