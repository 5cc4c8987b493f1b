"""The id that a session is stored under: a long one is cut by us, and whole where others wrote it."""

from typing import TYPE_CHECKING

from otel_costs.store.rows import rows
from otel_costs.values import sanitize

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def of_session(client: "Client", session_id: str) -> str:
    """Return the id under which a session is stored, or would be if there is none. Raises StoreError."""
    cut = sanitize.asked_for(session_id)
    if cut == session_id:
        return cut
    whole = rows(client, "select 1 from sessions where session_id = {id:String} limit 1", {"id": session_id})
    return session_id if whole else cut
