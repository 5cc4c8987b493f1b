"""What was recorded of a provider's calls, in the figures that the provider itself reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import Row, between, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

TOKENS: Final = ("input_tokens", "cache_read_tokens", "output_tokens", "input_audio_tokens", "output_audio_tokens")
UNITS: Final = (
    "requests", *TOKENS, "cache_write_tokens", "input_characters", "audio_seconds", "images", "web_searches", "credits",
)  # fmt: skip
"""The units that are compared. Totals have their parts in them; audio is that which was listened to."""

# One call of ours is many requests of theirs.
_JOBS: Final = "('batch', 'evaluation', 'invoke_agent')"
# What providers list under its own price and not among the usage of models.
_ELSEWHERE: Final = "('moderation', 'video_generation', 'fine_tuning', 'create_container')"
# A call that failed and did not say what it used was not served, as far as is known.
_FAILED: Final = (
    "c.error_type != '' and hasAny(splitByChar(',', c.cost_reason), ['request_refused', 'usage_unknown', 'no_usage'])"
)
_OF: Final = """
from billed_calls as c
where c.provider in {providers:Array(String)}
    and c.end_time >= {since:DateTime64(3, 'UTC')} and c.end_time < {until:DateTime64(3, 'UTC')}
    and (empty({services:Array(String)}) or has({services:Array(String)}, c.service))
"""
_USAGE: Final = f"""
select
    toDate(c.end_time, {{zone:String}}) as day,
    toString(c.provider) as provider,
    c.model as model,
    countIf(c.operation not in {_JOBS} and not ({_FAILED})) as requests,
    countIf(c.operation in {_JOBS}) as jobs,
    sum(c.input_tokens) as input_tokens,
    if(count(c.input_tokens) > 0, sum(c.cached_input), null) as cache_read_tokens,
    sum(c.output_tokens) as output_tokens,
    sum(c.input_audio_tokens) as input_audio_tokens,
    sum(c.output_audio_tokens) as output_audio_tokens,
    sum(c.cache_write_tokens) as cache_write_tokens,
    sum(c.input_characters) as input_characters,
    nullIf(sumIf(c.audio_seconds, c.operation = 'speech_to_text'), 0) as audio_seconds,
    sum(c.images) as images,
    sum(c.web_searches) as web_searches,
    sum(toDecimal128OrNull(c.other_usage['credits'], 9)) as credits
{_OF} and c.operation not in {_ELSEWHERE}
group by day, provider, model
order by day, provider, model
"""  # words of ours, never a caller's
_COSTS: Final = f"""
select
    toDate(c.end_time, {{zone:String}}) as day,
    toString(c.provider) as provider,
    c.model as model,
    countIf(c.cost_usd is null) as unpriced_calls,
    coalesce(sum(c.cost_usd), 0) as cost_usd
{_OF}
group by day, provider, model
order by day, provider, model
"""
_MISSING: Final = """
select sum(missing_count) as missing_calls
from missing_calls
where last_time >= {since:DateTime64(3, 'UTC')} and first_time < {until:DateTime64(3, 'UTC')}
    and (empty({services:Array(String)}) or has({services:Array(String)}, service))
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which calls: of `providers`, ended in [since, until), made by one of `services`, or by any if there are none.

    Days begin in `zone`.
    """

    providers: Sequence[str]
    since: date
    until: date
    services: Sequence[str] = ()
    zone: str = "UTC"

    def parameters(self) -> dict[str, object]:
        """Return them as a query's parameters."""
        named = {"providers": list(self.providers), "services": list(self.services), "zone": self.zone}
        return {**named, **between(self.since, self.until)}


def recorded_usage(client: "Client", asked: Asked) -> list[Row]:
    """Return what each model used: a row per day, provider and model, with UNITS, None where no call has stated one.

    `jobs` are batches, runs and the like; they are not in `requests`. What is no usage of a model is left out:
    moderations, videos, training, containers.
    """
    return rows(client, _USAGE, asked.parameters())


def recorded_costs(client: "Client", asked: Asked) -> list[Row]:
    """Return what each model cost by day and provider: the sum of what is known, and how many calls have no price."""
    return rows(client, _COSTS, asked.parameters())


def missing_calls(client: "Client", asked: Asked) -> int:
    """Return how many records never arrived of the processes that were at work then, of any provider."""
    (found,) = rows(client, _MISSING, asked.parameters())
    return int(found["missing_calls"])
