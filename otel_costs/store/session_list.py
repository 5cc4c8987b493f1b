"""Lists of sessions: those of a selection, in any order, page by page."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import reports
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, is_assigned, of_sessions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NEWEST: Final = "newest"

_PICODOLLARS: Final = 12
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a list: what is compared, its type, and whether the least comes first."""

    key: str
    type: str = "Int64"
    rising: bool = False


_BEGAN: Final = "toUnixTimestamp64Milli(s.start_time)"
_ORDERS: Final[Mapping[str, Order]] = {
    NEWEST: Order(_BEGAN),
    "oldest": Order(_BEGAN, rising=True),
    # What nothing is known of comes last.
    "cost": Order("coalesce(s.cost_usd, toDecimal128(-1, 12))", "Decimal(38, 12)"),
    "duration": Order(f"toUnixTimestamp64Milli(s.end_time) - {_BEGAN}"),
    "calls": Order("toInt64(s.call_count)"),
    "messages": Order("toInt64(s.message_count)"),
}

SORTS: Final = tuple(_ORDERS)
"""How a list can be sorted: what began last, or first, or has most of something. Of equals the first by id."""

_CURSOR: Final = re.compile(r"(?:([a-z_]+):)?(-?[0-9]{1,25})\.(.*)", re.DOTALL)
_MOST: Final = 2**63


def sessions(
    client: "Client", selection: Selection, *, sort: str = NEWEST, limit: int = 50, cursor: str | None = None
) -> Row:
    """Return `{"sessions": [...], "total": n}` of a selection, and `cursor` where there are more.

    The cursor, given to the next call with the same selection and sort, goes on from there. Raises ValueError for a
    cursor that is none, StoreError.
    """
    by_rules = any(is_assigned(selection, name) for name, _ in selection.tags)
    if sort == NEWEST and selection.filters <= {"user", "scenario", "tags"} and not by_rules:
        return reports.sessions(
            client,
            user=selection.user,
            scenario=selection.scenario,
            tags=dict(selection.tags),
            since=selection.since,
            until=selection.until,
            limit=limit,
            cursor=cursor,
        )
    order, condition = _ORDERS[sort], of_sessions(selection)
    bound: dict[str, Any] = {**condition.parameters, "limit": limit + 1}
    after = ""
    if cursor is not None:
        bound |= dict(zip(("after", "after_id"), place(cursor, sort), strict=True))
        sign, value = ">" if order.rising else "<", f"{{after:{order.type}}}"
        after = f" and ({order.key} {sign} {value} or {order.key} = {value} and s.session_id > {{after_id:String}})"
    found_in = source(client)
    places = rows(
        client,
        f"select s.session_id as session_id, {order.key} as place from {found_in} as s where {condition.sql}{after}"  # noqa: S608
        f" order by place {'asc' if order.rising else 'desc'}, s.session_id limit {{limit:UInt64}}",
        bound,
    )
    found = whole(client, found_in, [row["session_id"] for row in places])
    total = rows(client, f"select count() as total from {found_in} as s where {condition.sql}", condition.parameters)  # noqa: S608
    listed = {"sessions": found[:limit], "total": total[0]["total"]}
    if len(places) <= limit:
        return listed
    return listed | {"cursor": cursor_of(sort, places[limit - 1]["place"], places[limit - 1]["session_id"])}


def every(client: "Client", selection: Selection, *, sort: str = NEWEST) -> Iterator[Row]:
    """Yield all sessions of a selection, a page of them in memory at a time. Raises StoreError."""
    cursor: str | None = None
    while True:
        page = sessions(client, selection, sort=sort, limit=_PAGE, cursor=cursor)
        yield from page["sessions"]
        cursor = page.get("cursor")
        if cursor is None:
            return


def source(client: "Client") -> str:
    """Return the view that has all sessions: where nothing has changed since they were counted, the counts alone.

    It takes a fraction of the time of the view that looks for what has changed. Raises StoreError.
    """
    return "sessions" if rows(client, "select 1 from changed_sessions limit 1") else "counted_sessions"


def whole(client: "Client", found_in: str, ids: Sequence[str]) -> list[Row]:
    """Return sessions whole, in the order of their ids: of all others only what they are sorted by was read."""
    sql = f"select {reports.SESSION} from {found_in} where session_id in {{ids:Array(String)}}"  # noqa: S608
    found = {row["session_id"]: row for row in rows(client, sql, {"ids": list(ids)})} if ids else {}
    return [found[session_id] for session_id in ids if session_id in found]


def place(cursor: str, sort: str) -> tuple[int | Decimal, str]:
    """Return behind which value and session a list goes on. Raises ValueError, also for a cursor of another order."""
    found = _CURSOR.fullmatch(cursor)
    if found and (of := found[1] or NEWEST) != sort:
        raise ValueError(f"{cursor!r} is a cursor of a list by {of}: this one is by {sort}")
    value = int(found[2]) if found else 0
    if found is None or (sort != "cost" and abs(value) >= _MOST) or (sort == NEWEST and not 0 <= value < 10**13):
        raise ValueError(f"{cursor!r} is no cursor: give the one that came with a list, or none for the newest")
    return Decimal(value).scaleb(-_PICODOLLARS) if sort == "cost" else value, found[3]


def cursor_of(sort: str, value: int | Decimal, place_id: str) -> str:
    """Return the cursor behind a place in a list: its order, unless that is NEWEST, its value there, and the id."""
    whole = int(value.scaleb(_PICODOLLARS)) if isinstance(value, Decimal) else value
    return f"{whole}.{place_id}" if sort == NEWEST else f"{sort}:{whole}.{place_id}"
