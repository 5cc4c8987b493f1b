"""Whether the store knows a user, a scenario, a model or a session at all."""

from typing import TYPE_CHECKING, Final

from otel_costs.store import costs, recorded_id, session_starts
from otel_costs.store.reports import COST
from otel_costs.store.rows import rows
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_OF_USER: Final = (
    "select 1 from sessions where user_id = {user:String} union all"
    " select 1 from named_calls where user_id = {user:String} limit 1"
)


def is_known(client: "Client", selection: Selection) -> bool:
    """Return whether there is a call of a selection, or a session of its user. Raises StoreError."""
    if selection.user is not None:
        return bool(rows(client, f"select 1 from ({_OF_USER}) limit 1", {"user": selection.user}))  # noqa: S608
    return bool(costs.total(client, selection, COST)["call_count"])


def is_session_known(client: "Client", session_id: str) -> bool:
    """Return whether there is a session, also one that was begun and has no call yet. Raises StoreError."""
    session_id = recorded_id.of_session(client, session_id)
    found = rows(client, "select 1 from sessions where session_id = {id:String} limit 1", {"id": session_id})
    return bool(found or session_starts.find(client, [session_id]))
