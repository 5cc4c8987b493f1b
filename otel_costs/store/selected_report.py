"""The report of a selection as the command shows it: the total, then days, models, scenarios, and users or sessions."""

from typing import TYPE_CHECKING, Final

from otel_costs.store import cost_parts, costs, reports, session_list
from otel_costs.store.periods import UTC_ZONE
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_PARTS: Final = {"days": ("day",), "models": ("provider", "model", "operation"), "scenarios": ("scenario",)}


def selected_report(client: "Client", selection: Selection, limit: int) -> Row:
    """Return what the calls of a selection cost, in the shape of `reports.report`, or `reports.user_report` of a user.

    Days are those of the selection's zone. `limit`: of users, or of the sessions of one. Raises StoreError.
    """
    since, until, user = selection.since, selection.until, selection.user
    if selection.tz == UTC_ZONE and selection.filters <= {"user"}:
        if user is None:
            return reports.report(client, since=since, until=until, limit=limit)
        return reports.user_report(client, user, since=since, until=until, limit=limit)
    parts = cost_parts.parts(client, selection, [*_PARTS.values()])
    found: Row = {"since": since, "until": until, **cost_parts.total(parts[0]), **dict(zip(_PARTS, parts, strict=True))}
    if user is None:
        users = costs.costs(client, selection, ("user",), limit)
        return found | {"users": [{"user_id": row.pop("user"), **row} for row in users]}
    listed = session_list.sessions(client, selection, limit=limit)
    return {"user_id": user, "session_count": listed["total"], **found, "sessions": listed["sessions"]}
