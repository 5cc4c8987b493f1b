"""Lists of calls: those of a session or of a selection, in any order, page by page."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import costs, recorded_id
from otel_costs.store.reports import COST, TOKENS
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Condition, Selection, of_calls
from otel_costs.store.session_list import NEWEST, Order, cursor_of, place

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_BEGAN: Final = "toUnixTimestamp64Milli(c.start_time)"
_ORDERS: Final[Mapping[str, Order]] = {
    NEWEST: Order(_BEGAN),
    "oldest": Order(_BEGAN, rising=True),
    # What nothing is known of comes last.
    "cost": Order("coalesce(c.cost_usd, toDecimal128(-1, 12))", "Decimal(38, 12)"),
    "duration": Order(f"toUnixTimestamp64Milli(c.end_time) - {_BEGAN}"),
}

SORTS: Final = tuple(_ORDERS)
"""How a list can be sorted: by when calls began, or by what they have most of. Of equals the first by id."""

_TEXTS: Final = (
    "session_id", "user_id", "kind", "scenario", "step", "service", "operation", "provider", "request_model", "model",
    "error_type", "finish_reason", "realtime_status", "realtime_status_reason", "response_id", "cost_status",
    "cost_reason", "price_id", "price_book", "contract_currency", "contract_id", "reservation_id",
)  # fmt: skip
_COLUMNS: Final = (
    *_TEXTS, "tags", "start_time", "end_time", "duration_s", "time_to_first_chunk_s", "time_to_first_audio_s",
    *TOKENS, "input_audio_seconds", "output_audio_seconds", "cost_usd", "cost_lines", "list_usd",
    "contracted_usd", "contract_amount", "revision",
)  # fmt: skip
_SECONDS: Final = (
    "coalesce(toDecimal128(c.audio_seconds, 9),"
    " toDecimal128(coalesce(c.input_audio_seconds, 0), 9) + coalesce(c.output_audio_seconds, 0))"
)
_ANY: Final = (
    "(select c.* replace (lower(hex(c.call_id)) as call_id, lower(hex(c.trace_id)) as trace_id,"
    " lower(hex(c.span_id)) as span_id) from owned_calls as c) as c"
)
_OF_SESSION: Final = (
    "(select {session:String} as session_id, c.* replace (if(c.user_id != '', c.user_id, coalesce((select user_id"
    " from session_owners where session_id = {session:String}), '')) as user_id)"
    " from session_calls(session_id = {session:String}) as c) as c"
)
"""The calls of a session are found by its days; of any other condition all days are looked through."""


def calls(
    client: "Client",
    selection: Selection,
    *,
    session: str | None = None,
    sort: str = NEWEST,
    limit: int = 50,
    cursor: str | None = None,
) -> Row:
    """Return `{"calls": [...], "total": n}` of a selection, or of a `session` among them, and `cursor` where are more.

    `cost_lines` are unit and US dollars. `interrupted` says why an answer was broken off: turn_detected, where the user
    began to speak; empty where it was not. The cursor, given to the next call with the same selection and sort, goes on
    from there. Raises ValueError for a cursor that is none, StoreError.
    """
    session = None if session is None else recorded_id.of_session(client, session)
    source, order = _OF_SESSION if session else _ANY, _ORDERS[sort]
    condition = _condition(selection, session)
    bound: dict[str, Any] = {**condition.parameters, "session": session or "", "limit": limit + 1}
    after = ""
    if cursor is not None:
        bound |= dict(zip(("after", "after_id"), place(cursor, sort), strict=True))
        sign, value = ">" if order.rising else "<", f"{{after:{order.type}}}"
        after = f" and ({order.key} {sign} {value} or {order.key} = {value} and c.call_id > {{after_id:String}})"
    places = rows(
        client,
        f"select c.call_id as call_id, c.end_time as end_time, {order.key} as place from {source}"  # noqa: S608
        f" where {condition.sql}{after} order by place {'asc' if order.rising else 'desc'}, c.call_id"
        " limit {limit:UInt64}",
        bound,
    )
    found: Row = {
        "calls": _whole(client, source, session, places[:limit]),
        "total": _total(client, source, selection, session),
    }
    if len(places) <= limit:
        return found
    return found | {"cursor": cursor_of(sort, places[limit - 1]["place"], places[limit - 1]["call_id"])}


def _whole(client: "Client", source: str, session: str | None, places: Sequence[Row]) -> list[Row]:
    """Return calls whole, in the order of their places: of all others only what they are sorted by was read."""
    if not places:
        return []
    ends = [row["end_time"] for row in places]
    names = ", ".join(f"c.{name} as {name}" for name in _COLUMNS)
    sql = (
        f"select c.call_id as call_id, c.trace_id as trace_id, c.span_id as span_id, {names},"  # noqa: S608
        f" {_SECONDS} as audio_seconds, toInt64(coalesce(c.input_characters, 0)) as characters from {source}"
        " where c.call_id in {ids:Array(String)} and c.end_time >= {first:DateTime64(3, 'UTC')}"
        " and c.end_time <= {last:DateTime64(3, 'UTC')}"
    )
    ids = [row["call_id"] for row in places]
    bound = {"ids": ids, "first": min(ends), "last": max(ends), "session": session or ""}
    found = {row["call_id"]: _shaped(row) for row in rows(client, sql, bound)}
    return [found[call_id] for call_id in ids if call_id in found]


def _shaped(row: Row) -> Row:
    about = {name: value for name, value in row.items() if name not in TOKENS}
    interrupted = row["realtime_status_reason"] if row["realtime_status"] == "cancelled" else ""
    return {**about, "interrupted": interrupted, "tokens": {kind: row[kind] for kind in TOKENS}}


def _condition(selection: Selection, session: str | None) -> Condition:
    condition = of_calls(selection)
    outside = " and c.session_id = ''" if session == "" else ""  # an empty one has calls, and no days
    return Condition(condition.sql + outside, condition.parameters)


def _total(client: "Client", source: str, selection: Selection, session: str | None) -> int:
    if session is None:
        total: int = costs.total(client, selection, COST)["call_count"]
        return total
    condition = _condition(selection, session)
    sql = f"select count() as calls from {source} where {condition.sql}"  # noqa: S608
    (found,) = rows(client, sql, {**condition.parameters, "session": session})
    calls_: int = found["calls"]
    return calls_
