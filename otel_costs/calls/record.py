"""Calls that no patch sees, recorded by the application itself."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import finish
from otel_costs.runtime import background, telemetry, uninstrumented
from otel_costs.sessions.session import MAX_TAGS
from otel_costs.usage import Usage
from otel_costs.usage.reported import read_of_call
from otel_costs.usage.service_class import service_class
from otel_costs.values import sanitize


def record(
    operation: str,
    *,
    provider: str,
    model: str | None,
    usage: Mapping[str, object] | Usage,
    cost_usd: Decimal | str | int | None = None,
    at: datetime | None = None,
    service_tier: str | None = None,
    **tags: object,
) -> Decimal | None:
    """Record a call that no patch sees, and return its cost in USD; None if its price is unknown.

    `usage` has the units of the price files, such as `{"audio_seconds": 15}`, or is a usage as a provider reports it.
    `cost_usd` is the cost that the provider itself reported, if it did; what is no amount of money is refused, with the
    reason `reported_cost_invalid`. `at` is when the call was made: now by default. Never raises.
    """
    return _recorded(operation, provider, model, usage, cost_usd, at, service_tier, tags)


@telemetry.never_raises("record a call")
def _recorded(
    operation: str,
    provider: str,
    model: str | None,
    usage: Mapping[str, object] | Usage,
    cost_usd: object,
    at: datetime | None,
    service_tier: str | None,
    tags: Mapping[str, object],
) -> Decimal | None:
    uninstrumented.warn_without_ledger(uninstrumented.RECORD)
    start_ns = int(at.timestamp() * 1e9) if at else None
    request_model = None if model is None else str(model)
    call = Call(sanitize.identifier(operation), sanitize.identifier(provider), request_model, start_ns=start_ns)
    reading = Reading(
        usage=usage if isinstance(usage, Usage) else read_of_call(usage, call.provider),
        reported_cost=cost_usd,
        service_tier=service_tier or (None if isinstance(usage, Usage) else service_class(usage)),
        recorded={names.TAG_PREFIX + key: value for key, value in list(tags.items())[:MAX_TAGS]},
    )
    if at is not None:
        call.duration_s = 0.0  # how long it took is not known, and not how long ago it was
    found: list[Decimal | None] = []
    # As a job, done here and now: what is no Exception does not get out of it either.
    background.put(lambda: found.append(finish(call, reading)))
    background.drain()
    return found[0] if found else None
