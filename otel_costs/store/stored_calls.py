"""Calls that are stored, found by their ids: those of a session, or of a user outside of any."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from otel_costs.store import stored_call
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_COLUMNS: Final = ", ".join(
    (
        *(*stored_call.COLUMNS, "cost_status", "cost_lines", "list_usd", "contract_amount", "contract_currency"),
        *("contract_id", "price_id", "price_book", "end_time"),
    )
)


def find(client: "Client", session_id: str, user: str, call_ids: Iterable[str]) -> dict[str, Row]:
    """Return the calls of a session that have these ids, by id; without a session, those of a user outside of any.

    Raises StoreError.
    """
    wanted = sorted(set(call_ids))
    if session_id:
        sql = f"select call_id, {_COLUMNS} from session_calls(session_id = {{session_id:String}}) where call_id in {{ids:Array(String)}}"  # noqa: S608, E501
    else:
        sql = (
            f"select lower(hex(c.call_id)) as id, {_COLUMNS} from owned_calls as c where c.session_id = ''"  # noqa: S608
            " and c.user_id = {user:String} and has(arrayMap(id -> toFixedString(unhex(id), 16), {ids:Array(String)}),"
            " c.call_id)"
        )
    found = rows(client, sql, {"session_id": session_id, "user": user, "ids": wanted})
    return {row.get("id") or row["call_id"]: row for row in found}
