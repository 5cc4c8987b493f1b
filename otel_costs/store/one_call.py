"""All that is stored of one call."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from otel_costs.store import recorded_id
from otel_costs.store.recorded_lines import recorded_lines
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def call(client: "Client", call_id: str, session_id: str | None = None) -> Row | None:
    """Return a billed call: every column of billed_calls, its `lines` with quantity and rate, and its `revisions`.

    None where it is not. A revision is how it was recorded: the first time, and by each re-price; the store forgets
    those that do not count any more when it merges its parts.

    `session_id`, where it is known, says where to look: without it every day is looked through. Raises StoreError.
    """
    ended: datetime | None = None
    if session_id is not None:
        known = rows(
            client,
            "select end_time from session_calls(session_id = {session_id:String}) where call_id = {call_id:String}",
            {"session_id": recorded_id.of_session(client, session_id), "call_id": call_id},
        )
        if not known:
            return None
        ended = known[0]["end_time"]
    found = rows(
        client,
        "select * from billed_calls where call_id = {call_id:String}"
        " and ({ended:Nullable(DateTime64(3, 'UTC'))} is null or end_time = {ended:Nullable(DateTime64(3, 'UTC'))})"
        " limit 1",
        {"call_id": call_id, "ended": ended},
    )
    return {**found[0], "lines": lines(found[0]), "revisions": _revisions(client, found[0])} if found else None


def _revisions(client: "Client", row: Row) -> list[Row]:
    """Return what is stored of a call's revisions, the oldest first."""
    return rows(
        client,
        "select * from call_revisions(call_id = {call_id:String}, session_id = {session_id:String},"
        " end_time = {end_time:DateTime64(3, 'UTC')}) order by revision",
        {name: row[name] for name in ("call_id", "session_id", "end_time")},
    )


def lines(row: Row) -> list[dict[str, Any]]:
    """Return the lines of a call; quantity and rate are None where today's prices do not come to the same amount."""
    return [
        {
            "unit": line.unit,
            "quantity": line.of and line.of.quantity,
            "rate_usd": line.of and line.of.rate,
            "per": line.of and line.of.per,
            "multiplier": line.of and f"{line.of.multiplier:f}",
            "amount_usd": line.usd,
        }
        for line in recorded_lines(row)
    ]
