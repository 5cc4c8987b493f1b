"""The shape of a comparison."""

from pydantic import Field

from otel_costs.web.models import Measures, Money, SessionFigures, Shape, Time


class ComparedSide(Measures):
    """One of two sides: its calls, and the sessions that began in it."""

    name: str = Field(description="as it was given, or `before` and `now`")
    since: Time | None
    until: Time | None
    sessions: SessionFigures


class Difference(Shape):
    """What a part cost on either side. null is not known."""

    name: str | None = Field(description="null: the groups that have no row of their own")
    a_usd: Money | None
    b_usd: Money | None
    change_usd: Money | None = Field(description="B less A")
    change_share: float | None = Field(description="the change as a fraction of A; null where A is nothing")


class GroupDifference(Difference):
    """The same of a group of calls."""

    a_calls: int
    b_calls: int
    a_unpriced: int = Field(description="calls among them without a price: they are not in a_usd")
    b_unpriced: int
    others: int = Field(default=0, description="how many groups the row adds up that have no row of their own")


class TokenDifference(Shape):
    """Tokens of a kind on either side."""

    name: str
    a_tokens: int
    b_tokens: int
    change_tokens: int
    change_share: float | None


class Comparison(Shape):
    """Two sides, and where the difference is. Groups and breakdown add up to the total, but for groups by modality."""

    tz: str
    by: str
    a: ComparedSide
    b: ComparedSide
    total: GroupDifference
    breakdown: list[Difference] = Field(description="by the parts of cost_breakdown")
    tokens: list[TokenDifference]
    sessions: list[Difference] = Field(description="of sessions: cost (in all), mean, p50, p95")
    groups: list[GroupDifference] = Field(description="the largest change first")
