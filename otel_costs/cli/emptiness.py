"""Why a list of sessions is empty, and what to do: not every store without sessions is an empty one."""

from typing import TYPE_CHECKING, Final

from otel_costs.cli import formatting

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NOTHING_YET: Final = "no sessions yet: run a program under opentelemetry-instrument, or `otel-costs demo`"
WHY_UNPRICED: Final = "`otel-costs doctor` tells why calls have no price, by reason, and what to do"
NAME_THEM: Final = (
    "name one with `with otel_costs.session(ID):`, or in OpenAI's own fields: metadata={'session_id': ID}, conversation"
)


def no_sessions(client: "Client") -> str:
    """Return what the store has where a list of sessions shows none. Raises StoreError."""
    from otel_costs.store import reports  # noqa: PLC0415

    total = reports.sessions(client, limit=1)["total"]
    if total:
        return f"no session matches; `otel-costs sessions` lists all {total:,}"
    return outside(client) or NOTHING_YET


def outside(client: "Client") -> str:
    """Return how many calls are in no session, what they cost, and how to name one; empty where there are none."""
    from otel_costs.store import reports  # noqa: PLC0415

    found = reports.sessionless_calls(client)
    if not found["call_count"]:
        return ""
    cost = formatting.total(found["cost_usd"], found["unpriced_calls"])
    are = "is" if found["call_count"] == 1 else "are"
    return f"{formatting.many(found['call_count'], 'call')} {are} in no session ({cost}): {NAME_THEM}"
