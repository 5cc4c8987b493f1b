"""The calls of a selection as they are stored, one after the other: a block of them in memory at a time."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import recorded_id, stored_call
from otel_costs.store.rows import Row, rows, store_errors
from otel_costs.store.selection import Condition, Selection, of_calls

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

COLUMNS: Final = (
    *stored_call.COLUMNS, "session_id", "kind", "cost_status", "cost_lines", "itemized", "computed_usd",
    "cached_input", "time_to_first_chunk_s", "list_usd", "contract_id", "reservation_id",
)  # fmt: skip
"""What a call is read with: all that its price depends on, and what tells one from another."""


def selected_calls(
    client: "Client",
    selection: Selection,
    *,
    session: str | None = None,
    where: str = "",
    more: str = "",
    bound: Mapping[str, Any] | None = None,
) -> Iterator[Row]:
    """Yield every call of a selection, in no order, as rows of COLUMNS.

    `session`: only of this session. `where` and `more` are fixed texts of SQL: another condition of calls `c`, and
    columns that are read beside the others; `bound` are values that are bound in them. Raises StoreError.
    """
    condition = _condition(client, selection, session)
    names = ", ".join(f"c.{name} as {name}" for name in COLUMNS)
    sql = f"select {names}{more} from owned_calls as c where {condition.sql}{where}"  # noqa: S608
    with store_errors():
        stream = client.query_rows_stream(sql, parameters={**condition.parameters, **(bound or {})}, tz_mode="aware")
        with stream:
            columns = stream.source.column_names  # type: ignore[union-attr]  # a query's result, behind a base class
            for row in stream:
                yield dict(zip(columns, row, strict=True))


def count(
    client: "Client", selection: Selection, *, session: str | None = None, where: str = "", most: int | None = None
) -> int:
    """Return how many calls those are; past `most` they are not counted, and it is one more. Raises StoreError."""
    condition = _condition(client, selection, session)
    limit = "" if most is None else f" limit {most + 1}"
    counted = f"select 1 from owned_calls as c where {condition.sql}{where}{limit}"  # noqa: S608
    (found,) = rows(client, f"select count() as calls from ({counted})", condition.parameters)  # noqa: S608
    calls: int = found["calls"]
    return calls


def _condition(client: "Client", selection: Selection, session: str | None) -> Condition:
    condition = of_calls(selection)
    if session is None:
        return condition
    session = recorded_id.of_session(client, session)
    # When its calls ended says in which days to look. What a reader may not see, the tables, is not read here.
    (ends,) = rows(
        client,
        "select min(end_time) as first, max(end_time) as last from session_calls(session_id = {session:String})",
        {"session": session},
    )
    sql = (
        f"{condition.sql} and c.session_id = {{session:String}} and c.end_time >= {{first:DateTime64(3, 'UTC')}}"
        " and c.end_time <= {last:DateTime64(3, 'UTC')}"
    )
    return Condition(sql, {**condition.parameters, **ends, "session": session})
