"""The shape of the usage report."""

from pydantic import Field

from otel_costs.web.models import Measures, Money, Shape, Time


class PerDay(Shape):
    """An average day of the period."""

    cost_usd: Money
    call_count: float
    session_count: float


class KindUsage(Shape):
    """The sessions of a kind that began in the period; a percentile is the cost of a session."""

    kind: str
    session_count: int
    sessions_per_day: float
    unpriced_sessions: int = Field(description="sessions of which no call has a price: they are in no cost")
    cost_usd: Money
    mean_usd: Money | None
    p50_usd: Money | None
    p95_usd: Money | None


class KindDay(Shape):
    """The sessions of a kind that began on a day of the zone."""

    day: str
    kind: str
    session_count: int
    cost_usd: Money


class HourOfWeek(Shape):
    """An hour of all weeks together, in the zone. Hours without calls have no row."""

    weekday: int = Field(description="1 is Monday")
    hour: int
    call_count: int
    cost_usd: Money


class Bucket(Shape):
    """The sessions of a kind that cost from so much on to less than that: steps of 1, 2 and 5."""

    kind: str
    from_usd: Money
    to_usd: Money | None = Field(description="null: the last bucket, which has no end")
    count: int


class CacheNotCounted(Shape):
    """Calls that read from a cache, of which it is not known what that saved."""

    provider: str
    model: str
    reason: str
    call_count: int
    cached_tokens: int


class CacheSavings(Shape):
    """What tokens that were read from a cache would have cost more at the input rate of the same price."""

    saved_usd: Money | None = Field(description="null: no call tells")
    counted_calls: int
    not_counted_calls: int = Field(description="too many to be looked at are one more than are looked at")
    not_counted: list[CacheNotCounted]


class CacheUsage(CacheSavings):
    """Tokens that were read from a cache, and what that saved."""

    cached_tokens: int
    share: float | None = Field(description="cached tokens as a fraction of those that were sent; null without any")


class Usage(Shape):
    """How much was used, and when."""

    user: str | None
    since: Time | None
    until: Time | None
    tz: str
    days: float = Field(description="length of the period, up to now; one at least")
    total: Measures
    per_day: PerDay
    by_kind: list[KindUsage]
    by_day: list[KindDay]
    by_hour: list[HourOfWeek]
    distribution: list[Bucket] = Field(description="of each kind, from the first bucket that has any to the last")
    cache: CacheUsage
