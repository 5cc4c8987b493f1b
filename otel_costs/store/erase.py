"""Erasing a user or a session from every table, raw and derived, and counting what is left of them.

A user's own sessions go whole, with what was recorded in them before the user was known. Of a session of several users
this user's rows go, with those that name no user if the user is the first there, and the rest is counted again. Kept
are the numbers of calls per process (`call_sequences`): they name no user, and without them every erased call would be
taken for one that was lost.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_costs.store import refreshes
from otel_costs.store.cluster import TableLocation, table_locations
from otel_costs.store.kept_columns import kept_columns
from otel_costs.store.rows import rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_NAMED: Final = (
    "({user} = {{user:String}} and {{user:String}} != ''"
    " or {session} != '' and {session} in {{sessions:Array(String)}} and ({{whole:Bool}} or {user} = ''))"
)
_COLUMNS_OF: Final = {"user": "user_id", "session": "session_id"}
_LOG_COLUMNS: Final = {"user": "LogAttributes['user.id']", "session": "LogAttributes['session.id']"}
_SPAN_COLUMNS: Final = {"user": "SpanAttributes['user.id']", "session": "SpanAttributes['session.id']"}
_OWN: Final = _NAMED.format(**_COLUMNS_OF)
_LOGS: Final = _NAMED.format(**_LOG_COLUMNS)
_SPANS: Final = _NAMED.format(**_SPAN_COLUMNS)

# Sources before what is derived of them: a count that runs meanwhile finds nothing any more.
ERASED: Final = {
    "otel_logs": _LOGS,
    "otel_traces_trace_id_ts": f"TraceId in (select TraceId from {{otel_traces}} where {_SPANS})",  # noqa: S608
    "otel_traces": _SPANS,
    "messages": _OWN,
    "calls": _OWN,
    "derived_calls": _OWN,
    "session_totals": f"({_OWN} or {{user:String}} != '' and session_id in"  # noqa: S608
    " (select session_id from {session_days} where user_id = {user:String}))",
    "session_days": _OWN,
    "session_starts": _OWN,
    "cost_days": "({user:String} != '' and has(user_id, {user:String})"
    " or hasAny(session_id, arrayFilter(id -> id != '', {sessions:Array(String)})))",
    "alerts": _OWN,
    "budgets": "(scope = 'user' and name = {user:String} and {user:String} != '')",
}
"""Every table that may name a user or a session, and the condition of its rows that do."""

_NAMES: Final[Mapping[str, Mapping[str, str]]] = {
    "otel_logs": _LOG_COLUMNS,
    "otel_traces": _SPAN_COLUMNS,
    "cost_days": {kind: f"arrayJoin({column})" for kind, column in _COLUMNS_OF.items()},
    "budgets": {"user": "if(scope = 'user', name, '')"},
    "otel_traces_trace_id_ts": {},  # none but by otel_traces
}
"""The users and sessions that a table of `ERASED` names, where they are not in its columns."""

KEPT: Final = (
    "bill_differences", "call_arrivals", "call_records", "call_sequences", "contract_charges", "cost_half_hours",
    "not_priced_half_hours", "schema_versions",
)  # fmt: skip
"""Tables that name no user and no session: one keeps nothing, others have sums, numbers of calls, and bills."""

_HALF_HOURS: Final = (
    f"select distinct toInt32(floor(toUnixTimestamp64Milli(end_time) / 1800000)) as half_hour from calls where {_OWN}"  # noqa: S608
)
_COUNTS: Final = {
    "cost_half_hours": "half_hour in {half_hours:Array(Int32)}",
    "not_priced_half_hours": "half_hour in {half_hours:Array(Int32)}",
    "cost_days": "has(arrayMap(n -> toDate32(toDateTime64(n * 1800., 3, 'UTC')), {half_hours:Array(Int32)}), day)",
}
"""What remembers the sums of calls, and of it what those of some half hours are in."""

_IN_THEM: Final = (
    "(session_id in (select session_id from calls where user_id = {user:String})"
    " or session_id in (select session_id from messages where user_id = {user:String}))"
)
_SESSIONS: Final = (
    "select session_id, countIf(user_id not in ('', {user:String})) > 0 as shared, session_id in"  # noqa: S608
    " (select session_id from session_owners where user_id = {user:String}) as led from"
    f" (select session_id, user_id from calls where {_IN_THEM}"
    f" union all select session_id, user_id from messages where {_IN_THEM})"
    " where session_id != '' group by session_id order by session_id"
    " settings distributed_product_mode = 'global'"
)
_BATCH: Final = 1000  # sessions in a statement: their names must fit into it


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of a table named the subject, and how many do now."""

    table: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DataSubject:
    """A user, or one session; `sessions` go whole, `shared` are those that other users are in too.

    `led` are those of the shared ones whose first user this is: what names no user there goes too.
    """

    user: str = ""
    sessions: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    led: tuple[str, ...] = ()


def of_user(client: "Client", user: str) -> DataSubject:
    """Return a user as the subject, with the user's sessions. Raises ValueError for no user, StoreError."""
    if not user:
        raise ValueError("no user is given: calls without one belong to nobody")
    found = rows(client, _SESSIONS, {"user": user})
    own, shared = ([row["session_id"] for row in found if row["shared"] == of] for of in (0, 1))
    led = tuple(row["session_id"] for row in found if row["shared"] and row["led"])
    return DataSubject(user, tuple(own), tuple(shared), led)


def of_session(session_id: str) -> DataSubject:
    """Return a session as the subject, with all of its users. Raises ValueError for none."""
    if not session_id:
        raise ValueError("no session is given")
    return DataSubject(sessions=(session_id,))


def names(kind: str) -> str:
    """Return the query of every user (or session: `kind`) that a table of `ERASED` names, as `name`."""
    found = {table: _NAMES.get(table, _COLUMNS_OF).get(kind) for table in ERASED}
    return " union all ".join(f"select {name} as name from {table}" for table, name in found.items() if name)  # noqa: S608


def count(client: "Client", subject: DataSubject) -> dict[str, int]:
    """Return how many rows of each table name the subject."""
    where = table_locations(client)
    return {table: _count(client, where, table, subject) for table in ERASED if table in where}


def erase(client: "Client", subject: DataSubject) -> list[Erased]:
    """Erase the subject from every table, on every server, and return what was there and what is left.

    Parts are written anew without their rows: seconds to minutes for a large store. Records that are still on their way
    come in afterwards; then it takes a second time. Raises StoreError.
    """
    where = table_locations(client)
    before = count(client, subject)
    half_hours = _half_hours(client, subject)
    for table in before:
        _delete(client, where, table, subject)
    _forget_sums(client, where, half_hours)
    _count_again(client, subject.shared)
    # What the store counts anew from time to time may have read them before, and writes them back when it is done.
    refreshes.wait(client, next((place.cluster for place in where.values() if place.cluster), None))
    _forget_sums(client, where, half_hours)
    after = count(client, subject)
    for table in (table for table, left in after.items() if left):
        _delete(client, where, table, subject)
        after[table] = _count(client, where, table, subject)
    return [Erased(table, rows_, after[table]) for table, rows_ in before.items()]


def deletion(table: str, where: Mapping[str, TableLocation]) -> str:
    """Return the statement that takes them out of a table, on every server that has a part of it."""
    place = where[table]
    return f"alter table {place.table} {place.on_cluster} delete where {_condition(table, where, local=True)}"


def _condition(table: str, where: Mapping[str, TableLocation], *, local: bool) -> str:
    condition = ERASED[table]
    for name in ("otel_traces", "session_days"):
        condition = condition.replace(f"{{{name}}}", where[name].table if local else name)
    return condition


def _statements(subject: DataSubject) -> Iterator[dict[str, object]]:
    """Yield parameters that together select the subject, no row twice: sessions in batches, the user with the first."""
    whole, names = not subject.user, (*subject.sessions, *subject.led)
    for start in range(0, len(names) or 1, _BATCH):
        batch = list(names[start : start + _BATCH])
        yield {"user": "" if start else subject.user, "sessions": batch or [""], "whole": whole}


def _count(client: "Client", where: Mapping[str, TableLocation], table: str, subject: DataSubject) -> int:
    sql = (
        f"select count() as n from {table} where {_condition(table, where, local=False)}"  # noqa: S608
        " settings distributed_product_mode = 'global'"
    )
    return sum(rows(client, sql, parameters)[0]["n"] for parameters in _statements(subject))


def _delete(client: "Client", where: Mapping[str, TableLocation], table: str, subject: DataSubject) -> None:
    statement = deletion(table, where)
    for parameters in _statements(subject):
        with store_errors(f"cannot erase from {table}"):
            client.command(
                statement,
                parameters=parameters,
                settings={"mutations_sync": 2, "allow_nondeterministic_mutations": 1},
            )


def _half_hours(client: "Client", subject: DataSubject) -> list[int]:
    """Return the half hours since 1970 in which calls of the subject ended."""
    found = (row["half_hour"] for parameters in _statements(subject) for row in rows(client, _HALF_HOURS, parameters))
    return sorted(set(found))


def _forget_sums(client: "Client", where: Mapping[str, TableLocation], half_hours: Sequence[int]) -> None:
    """Forget the sums of calls of these half hours: until they are counted again, reports read the calls."""
    for start in range(0, len(half_hours), _BATCH):
        batch = list(half_hours[start : start + _BATCH])
        for table, condition in _COUNTS.items():
            place = where[table]
            with store_errors(f"cannot forget the sums of {table}"):
                client.command(
                    f"alter table {place.table} {place.on_cluster} delete where {condition}",
                    parameters={"half_hours": batch},
                    settings={"mutations_sync": 2},
                )


def _count_again(client: "Client", shared: Sequence[str]) -> None:
    """Let sessions be counted again: what is left of them is put in once more, which changes nothing else."""
    for start in range(0, len(shared), _BATCH):
        for table in ("calls", "messages"):
            listed = ", ".join(kept_columns(client, table))
            only = " and not superseded" if table == "calls" else ""
            with store_errors("cannot count the sessions of several users again"):
                client.command(
                    f"insert into {table} ({listed}) select {listed} from {table} final"  # noqa: S608
                    f" where session_id in {{sessions:Array(String)}}{only}",
                    parameters={"sessions": list(shared[start : start + _BATCH])},
                )
