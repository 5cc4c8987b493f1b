"""Calls that are stored, found by their ids: those of sessions, or of users outside of any."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from otel_costs.store import stored_call
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_COLUMNS: Final = ", ".join(
    (
        *(*stored_call.COLUMNS, "cost_status", "cost_lines", "list_usd", "contract_amount", "contract_currency"),
        *("contract_id", "price_id", "price_book", "error_type"),
    )
)

_IN_SESSIONS: Final = (
    f"select call_id as id, {_COLUMNS} from calls_of_sessions(session_ids = {{session_ids:Array(String)}})"  # noqa: S608
    " where call_id in {ids:Array(String)}"
)
_OUTSIDE: Final = (
    f"select lower(hex(c.call_id)) as id, {_COLUMNS} from owned_calls as c where c.session_id = ''"  # noqa: S608
    " and c.user_id in {users:Array(String)}"
    " and has(arrayMap(id -> toFixedString(unhex(id), 16), {ids:Array(String)}), c.call_id)"
)


def find(client: "Client", session_ids: Iterable[str], users: Iterable[str], call_ids: Iterable[str]) -> dict[str, Row]:
    """Return the calls that have these ids, by id: those of the sessions, and those of the users outside of any.

    However many they are, it is one question for each of the two. Raises StoreError.
    """
    sessions, owners, wanted = (sorted(set(some)) for some in (session_ids, users, call_ids))
    found: list[Row] = []
    if sessions:
        found += rows(client, _IN_SESSIONS, {"session_ids": sessions, "ids": wanted})
    if owners:
        found += rows(client, _OUTSIDE, {"users": owners, "ids": wanted})
    return {row["id"]: row for row in found}
