"""What a user, or everybody, cost in a time: by kind of session, day, model and scenario, with the sessions."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.sessions.session import CONVERSATION
from otel_costs.store import cost_parts, session_list
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_sessions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CREATION: Final = "creation"

PARTS: Final = {"by_day": ("day",), "by_model": ("provider", "model", "operation"), "by_scenario": ("scenario",)}
"""What a report has besides its summary, and what it is by."""


def user_report(client: "Client", selection: Selection, limit: int) -> Row:
    """Return the report of a selection; calls count that ended in it, sessions that began in it.

    Each part adds up to the total, also while records arrive. `sessions` are the newest `limit`. Raises StoreError.
    """
    *parts, kinds_of_calls = cost_parts.parts(client, selection, [*PARTS.values(), ("kind",)])
    total = cost_parts.total(parts[0])
    kinds = _by_kind(client, selection, kinds_of_calls)
    return {
        "user": selection.user,
        "from": selection.since,
        "to": selection.until,
        "tz": selection.tz.key,
        "summary": {
            "total_cost_usd": total["cost_usd"],
            "sessions": sum(row["sessions"] for row in kinds.values()),
            "conversations": kinds.get(CONVERSATION, {}).get("sessions", 0),
            "creations": kinds.get(CREATION, {}).get("sessions", 0),
            "calls": total["call_count"],
            "unpriced_calls": total["unpriced_calls"],
            "error_count": total["error_count"],
            "tokens": total["tokens"],
            "cost_breakdown": total["cost_breakdown"],
            "by_kind": kinds,
        },
        **dict(zip(PARTS, parts, strict=True)),
        "sessions": session_list.sessions(client, selection, limit=limit)["sessions"],
    }


def _by_kind(client: "Client", selection: Selection, calls: Sequence[Row]) -> dict[str, Row]:
    """Return, for each kind, the sessions that began and the calls that ended; the calls outside of any under ""."""
    condition = of_sessions(selection)
    sql = f"select s.kind as kind, count() as sessions from sessions as s where {condition.sql} group by kind"  # noqa: S608
    sessions = {row["kind"]: row["sessions"] for row in rows(client, sql, condition.parameters)}
    found = {row["kind"]: row for row in calls}
    return {
        kind: {
            "sessions": sessions.get(kind, 0),
            "calls": found[kind]["call_count"] if kind in found else 0,
            "cost_usd": found[kind]["cost_usd"] if kind in found else Decimal(),
        }
        for kind in sorted(sessions.keys() | found.keys())
    }
