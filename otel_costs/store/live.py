"""What has just arrived: new calls, the sessions that they are in, and what today costs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from otel_costs.store import costs
from otel_costs.store.periods import period
from otel_costs.store.reports import SESSION
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MOST: Final = 500
"""Calls that are told of one look; of more the newest."""

_NEW: Final = (
    "select call_id, session_id, user_id, kind, scenario, step, service, operation, provider, model, cost_usd,"
    " cost_status, cost_reason, error_type, end_time, revision from billed_calls"
    " where inserted_at > {after:DateTime64(3, 'UTC')} order by inserted_at desc, call_id limit {most:UInt64}"
)


def now(client: "Client") -> datetime:
    """Return the time of the store's clock, by which its records arrive. Raises StoreError."""
    (found,) = rows(client, "select now64(3, 'UTC') as now")
    moment: datetime = found["now"]
    return moment


def calls(client: "Client", after: datetime) -> list[Row]:
    """Return the billed calls whose records arrived after a moment, the newest first. Raises StoreError."""
    return rows(client, _NEW, {"after": after, "most": MOST})


def sessions(client: "Client", session_ids: Sequence[str]) -> list[Row]:
    """Return sessions as the lists have them. Raises StoreError."""
    wanted = sorted(set(session_ids) - {""})
    if not wanted:
        return []
    sql = f"select {SESSION} from sessions where session_id in {{ids:Array(String)}} order by end_time desc, session_id"  # noqa: S608
    return rows(client, sql, {"ids": wanted})


def today(client: "Client", tz: ZoneInfo) -> Row:
    """Return what the calls cost that have ended today in a zone. Raises StoreError."""
    since, until = period("today", datetime.now(UTC), tz)
    selection = Selection(since=since, until=until, tz=tz)
    return {"day": since.astimezone(tz).date().isoformat(), "tz": tz.key, **costs.total(client, selection)}
