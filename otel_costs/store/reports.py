"""Reports: what the store says about sessions, users, models and messages, as plain dictionaries.

Money is `Decimal`, times are aware datetimes in UTC, and whatever is asked for is bound as a parameter. `since` is
included, `until` is not; a date is its first moment in UTC. Every function raises StoreError when the store fails.
`rendering.as_json` writes a report as the HTTP interface does.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import Row, between, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

BREAKDOWN: Final = (
    "text_input",
    "text_output",
    "audio_input",
    "audio_output",
    "speech_to_text",
    "text_to_speech",
    "other",
)
"""The keys of cost_breakdown: they add up to cost_usd."""

TOKENS: Final = ("text_input", "text_output", "audio_input", "audio_output", "cached_input")
"""The keys of tokens: disjoint, cached_input is in none of the inputs."""

_SUMS: Final = ("call_count", "unpriced_calls", "cost_usd", "audio_seconds", "characters")
_COLUMNS: Final = (*_SUMS, *(f"{part}_usd" for part in BREAKDOWN), *TOKENS)

_SESSION: Final = (
    "session_id, user_id, scenario, tags, start_time, end_time, duration_seconds, message_count, call_count, cost_usd,"
    " unpriced_calls"
)
_NEWEST_SESSIONS: Final = (
    f"select {_SESSION} from newest_sessions(user = {{user:Nullable(String)}},"  # noqa: S608
    " scenario = {scenario:Nullable(String)},"
    " since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}, up_to = {up_to:UInt64})"
    " order by start_time desc, session_id"
)
_SESSIONS: Final = (
    "from sessions where ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})"
    " and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)})"
    " and start_time >= {since:DateTime64(3, 'UTC')} and start_time < {until:DateTime64(3, 'UTC')}"
)
_MESSAGE: Final = "session_id, user_id, scenario, timestamp, role, type, content, message_index, message_id"
_SEARCH_ANYWHERE: Final = (
    f"select {_MESSAGE} from session_messages where positionCaseInsensitiveUTF8(content, {{words:String}}) > 0"  # noqa: S608
    " and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})"
    " and timestamp >= {since:DateTime64(6, 'UTC')} and timestamp < {until:DateTime64(6, 'UTC')}"
    " order by timestamp desc, message_id limit {limit:UInt64}"
)


def sessions(
    client: "Client",
    *,
    user: str | None = None,
    scenario: str | None = None,
    since: date | None = None,
    until: date | None = None,
    limit: int = 50,
    offset: int = 0,
) -> Row:
    """Return `{"sessions": [...], "total": n}`: the newest `limit` sessions that began then, and how many did."""
    parameters = {"user": user, "scenario": scenario, **between(since, until)}
    page = {**parameters, "up_to": limit + offset, "limit": limit, "offset": offset}
    found = rows(client, f"{_NEWEST_SESSIONS} limit {{limit:UInt64}} offset {{offset:UInt64}}", page)
    if 0 < len(found) < limit:
        return {"sessions": found, "total": offset + len(found)}
    return {
        "sessions": found,
        "total": rows(client, f"select count() as total {_SESSIONS}", parameters)[0]["total"],
    }


def session(client: "Client", session_id: str) -> Row | None:
    """Return a session with its messages and cost, in the shape of `GET /sessions/{id}`; None when there is none."""
    found = rows(client, "select * from session_report(session_id = {session_id:String})", {"session_id": session_id})
    return found[0] if found else None


def session_lines(client: "Client", session_id: str) -> list[Row]:
    """Return what a session's money went to: a row per step, operation, model and cost line, in the order of their use.

    `unit` is the priced unit, empty for a call without lines; `kind` is the key of cost_breakdown it counts in.
    """
    return rows(
        client,
        "select step, operation, provider, model, unit, kind, call_count, unpriced_calls, cost_usd from session_costs"
        " where session_id = {session_id:String} order by first_time, step, operation, model, cost_usd desc, unit",
        {"session_id": session_id},
    )


def session_calls(client: "Client", session_id: str) -> list[Row]:
    """Return a session's calls in order, with all that a price is made of: the columns of `recorded`, and who and when.

    Units are as reported, None where unknown; `text_input` ... `cached_input` are the disjoint tokens. `cost_usd` is
    None for an unpriced call; `cost_lines` are unit and dollars.
    """
    return rows(
        client,
        "select * from session_calls(session_id = {session_id:String}) order by start_time, end_time, call_id",
        {"session_id": session_id},
    )


def message_calls(client: "Client", session_id: str) -> list[str]:
    """Return in which call each message of a session was said, in their order: its id, empty where unknown."""
    found = rows(
        client,
        "select call_id from session_messages where session_id = {session_id:String}"
        " order by timestamp, message_index, message_id",
        {"session_id": session_id},
    )
    return [row["call_id"] for row in found]


def user_report(
    client: "Client", user: str, *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> Row:
    """Return what a user cost: in total, by day, model and scenario, and the newest `limit` sessions that began then.

    Every part has call_count, unpriced_calls, cost_usd, cost_breakdown, tokens, audio_seconds and characters.
    """
    parameters = {"user": user, **between(since, until)}
    found = rows(
        client,
        "select * from user_report(user = {user:String}, since = {since:DateTime64(3, 'UTC')},"
        " until = {until:DateTime64(3, 'UTC')}) order by day, scenario, provider, model, operation",
        parameters,
    )
    listed = sessions(client, user=user, since=since, until=until, limit=limit)
    return {
        "user_id": user,
        "since": parameters["since"] if since else None,
        "until": parameters["until"] if until else None,
        "session_count": listed["total"],
        **_sum(found),
        "days": _by(found, ("day",)),
        "models": _by(found, ("provider", "model", "operation")),
        "scenarios": _by(found, ("scenario",)),
        "sessions": listed["sessions"],
    }


def user_costs(client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 20) -> list[Row]:
    """Return the users that cost most in [since, until)."""
    found = rows(
        client,
        "select * from top_users(since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')},"
        " up_to = {limit:UInt64}) order by cost_usd desc, user_id",
        {**between(since, until), "limit": limit},
    )
    return [{"user_id": row["user_id"]} | _nested(row) for row in found]


def scenario_costs(
    client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> list[Row]:
    """Return what each scenario cost in the days of [since, until), the most expensive first."""
    return _costs(client, "scenario_costs", ("scenario",), since, until, limit)


def model_costs(
    client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> list[Row]:
    """Return what each provider, model and operation cost in the days of [since, until), the most expensive first."""
    return _costs(client, "model_costs", ("provider", "model", "operation"), since, until, limit)


def daily_costs(
    client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> list[Row]:
    """Return what each day of [since, until) cost, the newest first."""
    return _costs(client, "daily_costs", ("day",), since, until, limit, order="day desc")


def search(
    client: "Client",
    words: str,
    *,
    user: str | None = None,
    since: date | None = None,
    until: date | None = None,
    limit: int = 50,
    anywhere: bool = False,
) -> list[Row]:
    """Return the newest messages that contain all of `words`: whole words, in any case.

    `anywhere` finds the text inside of words too, as languages without spaces need it, and reads every message for it.
    """
    parameters = {"words": words, "user": user, **between(since, until), "limit": limit}
    if anywhere:
        return rows(client, _SEARCH_ANYWHERE, parameters)
    return rows(
        client,
        f"select {_MESSAGE} from search_messages(words = {{words:String}}, user = {{user:Nullable(String)}},"  # noqa: S608
        " since = {since:DateTime64(6, 'UTC')}, until = {until:DateTime64(6, 'UTC')}, up_to = {limit:UInt64})"
        " order by timestamp desc, message_id",
        parameters,
    )


def unpriced_calls(client: "Client") -> list[Row]:
    """Return what has no price, or not a whole one: a row per provider, model, operation and reason."""
    return rows(client, "select * from unpriced_calls order by call_count desc, last_time desc, model, cost_reason")


def missing_calls(client: "Client") -> list[Row]:
    """Return the calls that never arrived: a row per gap in the numbers of a process."""
    return rows(client, "select * from missing_calls order by noticed_at, process_id, first_seq")


def budget_status(client: "Client") -> list[Row]:
    """Return every budget and what was spent of it in its current period. `used` is a fraction: 1 is all of it."""
    return rows(client, "select * from budget_status order by used desc, scope, name, period")


def _costs(
    client: "Client",
    view: str,
    keys: Sequence[str],
    since: date | None,
    until: date | None,
    limit: int,
    order: str = "cost_usd desc",
) -> list[Row]:
    """Sum a view of days over the days of [since, until), by `keys`."""
    sums = ", ".join(f"sum(v.{column}) as {column}" for column in _COLUMNS)
    named = ", ".join(keys)
    found = rows(
        client,
        f"select {named}, {sums} from {view} as v"  # noqa: S608  # names of ours, never a caller's
        " where day >= toDate({since:DateTime64(3, 'UTC')}) and day < toDate({until:DateTime64(3, 'UTC')})"
        f" group by {named} order by {order}, {named} limit {{limit:UInt64}}",
        {**between(since, until), "limit": limit},
    )
    return [{key: row[key] for key in keys} | _nested(row) for row in found]


def _by(found: Iterable[Row], keys: Sequence[str]) -> list[Row]:
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in found:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [dict(zip(keys, group, strict=True)) | _sum(members) for group, members in groups.items()]


def _sum(found: Sequence[Row]) -> Row:
    return _nested({column: sum((row[column] for row in found), start=_zero(column)) for column in _COLUMNS})


def _zero(column: str) -> int | Decimal:
    return Decimal() if column.endswith("_usd") or column == "audio_seconds" else 0


def _nested(row: Row) -> Row:
    """Put the columns of a cost view into the shape that a session's cost has."""
    return {
        **{column: row[column] for column in _SUMS},
        "tokens": {kind: row[kind] for kind in TOKENS},
        "cost_breakdown": {part: row[f"{part}_usd"] for part in BREAKDOWN},
    }
