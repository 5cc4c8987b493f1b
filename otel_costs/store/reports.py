"""Reports: what the store says about sessions, users, models and messages, as plain dictionaries.

Money is `Decimal`, times are aware datetimes in UTC, and whatever is asked for is bound as a parameter. `since` is
included, `until` is not; a date is its first moment in UTC, and a time is that moment, not its day. A call is its own
user's, or else the first user's that its session has (the view `owned_calls`). Of groups of calls all or the first
`limit` are listed; then, where there are more, one row of all the others: its keys are None, and `others` is how many
they are. So groups add up to the whole. Every function raises StoreError when the store fails. `rendering.as_json`
writes a report as the HTTP interface does.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import budget_sums, recorded_id, user_sums
from otel_costs.store.opened_content import opened_session
from otel_costs.store.rows import Row, between, exactly_between, rows
from otel_costs.usage import numbers
from otel_costs.values import sanitize

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

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SUMS: Final = ("call_count", "unpriced_calls", "error_count", "cost_usd", "list_usd", "audio_seconds", "characters")
MEASURES: Final = (*_SUMS, *(f"{part}_usd" for part in BREAKDOWN), *TOKENS)
"""The columns of what calls cost and used."""

COST: Final = ("call_count", "unpriced_calls", "cost_usd")
"""Those of them that every report of costs has: what order and completeness are told by."""

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in _SUMS},
    "tokens": TOKENS,
    "cost_breakdown": tuple(f"{part}_usd" for part in BREAKDOWN),
}
"""The measures that a report may be asked for, and the columns that each is made of."""

SESSION: Final = (
    "session_id, user_id, kind, scenario, tags, start_time, end_time, duration_seconds, message_count, call_count,"
    " cost_usd, unpriced_calls, error_count"
)
"""The columns that lists of sessions have."""

_NEWEST_SESSIONS: Final = (
    f"select {SESSION} from newest_sessions(user = {{user:Nullable(String)}},"  # noqa: S608
    " scenario = {scenario:Nullable(String)}, tags = {tags:Nullable(String)},"
    " since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')},"
    " after_time = {after_time:Nullable(DateTime64(3, 'UTC'))}, after_id = {after_id:Nullable(String)},"
    " up_to = {up_to:UInt64}) order by start_time desc, session_id"
)
_WANTED: Final = "with JSONExtract(coalesce({tags:Nullable(String)}, '{}'), 'Map(String, String)') as wanted"
_SESSIONS: Final = (
    "from sessions where ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})"
    " and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)})"
    " and ({tags:Nullable(String)} is null or arrayAll((name, value) -> tags[name] = value,"
    " mapKeys(wanted), mapValues(wanted)))"
    " and start_time >= {since:DateTime64(3, 'UTC')} and start_time < {until:DateTime64(3, 'UTC')}"
)
_PARTS: Final = {
    "days": ("day",),
    "models": ("provider", "model", "operation"),
    "scenarios": ("scenario",),
    "users": ("user_id",),
}
"""What a report of everybody has besides its total, and by what."""

_MESSAGE: Final = "session_id, user_id, kind, scenario, timestamp, role, type, content, message_index, message_id"
_NARROWED: Final = ", ".join(
    f"{name} = {{{name}:Nullable(String)}}" for name in ("user", "session", "role", "scenario")
)
_CHOSEN: Final = (
    " and ({user:Nullable(String)} is null or user_id = {user:Nullable(String)})"
    " and ({session:Nullable(String)} is null or session_id = {session:Nullable(String)})"
    " and ({role:Nullable(String)} is null or role = {role:Nullable(String)})"
    " and ({scenario:Nullable(String)} is null or scenario = {scenario:Nullable(String)})"
    " and timestamp >= {since:DateTime64(6, 'UTC')} and timestamp < {until:DateTime64(6, 'UTC')}"
)
_SEALED: Final = f"select 1 as found from sealed_messages where true{_CHOSEN} limit 1"  # noqa: S608
_SEARCH_ANYWHERE: Final = (
    f"select {_MESSAGE} from session_messages where positionCaseInsensitiveUTF8(content, {{words:String}}) > 0"  # noqa: S608
    f" and content_state != 'sealed'{_CHOSEN} order by timestamp desc, message_id limit {{limit:UInt64}}"
)


def sessions(
    client: "Client",
    *,
    user: str | None = None,
    scenario: str | None = None,
    tags: Mapping[str, str] | None = None,
    since: date | None = None,
    until: date | None = None,
    limit: int = 50,
    offset: int = 0,
    cursor: str | None = None,
) -> Row:
    """Return `{"sessions": [...], "total": n}`: the newest `limit` sessions that began then, and how many did.

    `user` is the first that a session has, `tags` are those that it must have. Where there are older ones, `cursor`
    is in it too: given to the next call, it goes on from there. Raises ValueError for a cursor that is none.
    """
    wanted = json.dumps(dict(tags)) if tags else None
    parameters = {"user": user, "scenario": scenario, "tags": wanted, **between(since, until)}
    after_time, after_id = _place(cursor) if cursor else (None, None)
    place = {"after_time": after_time, "after_id": after_id, "up_to": limit + offset + 1}
    page = {**parameters, **place, "limit": limit + 1, "offset": offset}
    found = rows(client, f"{_NEWEST_SESSIONS} limit {{limit:UInt64}} offset {{offset:UInt64}}", page)
    listed = found[:limit]
    if listed and len(found) <= limit and cursor is None:
        return {"sessions": listed, "total": offset + len(listed)}
    total = rows(client, f"{_WANTED} select count() as total {_SESSIONS}", parameters)[0]["total"]
    more = {"cursor": _cursor(listed[-1])} if len(found) > limit else {}
    return {"sessions": listed, "total": total, **more}


def sessionless_calls(client: "Client") -> Row:
    """Return call_count, unpriced_calls and cost_usd of the calls that are in no session, which no list shows."""
    (found,) = rows(
        client,
        "select count() as call_count, countIf(c.cost_usd is null) as unpriced_calls,"
        " if(call_count > 0 and unpriced_calls = call_count, null, coalesce(sum(c.cost_usd), 0)) as cost_usd"
        " from billed_calls as c where c.session_id = ''",
    )
    return found


def session(client: "Client", session_id: str) -> Row | None:
    """Return a session with its messages and cost, in the shape of `GET /sessions/{id}`; None when there is none.

    Content is opened where the environment has its key. Raises StoreError where it has what is no key.
    Where no call of it has a price, cost_usd and all of cost_breakdown are None.
    """
    sql = "select * from session_report(session_id = {session_id:String})"
    found = rows(client, sql, _of_session(client, session_id))
    return opened_session(found[0]) if found else None


def session_frame(client: "Client", session_id: str) -> Row | None:
    """Return the same without content, for users that may not read it: the store does not return it."""
    sql = "select * from session_frame(session_id = {session_id:String})"
    found = rows(client, sql, _of_session(client, session_id))
    return found[0] if found else None


def session_lines(client: "Client", session_id: str) -> list[Row]:
    """Return what a session's money went to: a row per step, operation, model and cost line, in the order of their use.

    `unit` is the priced unit, empty for a call without lines; `kind` is the key of cost_breakdown it counts in.
    """
    return rows(
        client,
        "select step, operation, provider, model, unit, kind, call_count, unpriced_calls, cost_usd from session_costs"
        " where session_id = {session_id:String} order by first_time, step, operation, model, cost_usd desc, unit",
        _of_session(client, session_id),
    )


def session_calls(client: "Client", session_id: str) -> list[Row]:
    """Return a session's calls in order, with all that a price is made of: the columns of `recorded`, and who and when.

    Units are as reported, None where unknown; `text_input` ... `cached_input` are the disjoint tokens. `cost_usd` is
    None for an unpriced call; `cost_lines` are unit and dollars.
    """
    return rows(
        client,
        "select * from session_calls(session_id = {session_id:String}) order by start_time, end_time, call_id",
        _of_session(client, session_id),
    )


def message_calls(client: "Client", session_id: str) -> list[str]:
    """Return in which call each message of a session was said, in their order: its id, empty where unknown."""
    found = rows(
        client,
        "select call_id from session_messages where session_id = {session_id:String}"
        " order by timestamp, message_index, message_id",
        _of_session(client, session_id),
    )
    return [row["call_id"] for row in found]


def _of_session(client: "Client", session_id: str) -> dict[str, str]:
    return {"session_id": recorded_id.of_session(client, session_id)}


def user_report(
    client: "Client", user: str, *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> Row:
    """Return what a user cost: in total, by day, model and scenario, and the newest `limit` sessions that began then.

    Every part has call_count, unpriced_calls, cost_usd, cost_breakdown, tokens, audio_seconds and characters. Sessions
    are those in which the user is the first; they are listed whole, also what others have in them.
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
        **summed(found),
        "days": _by(found, ("day",)),
        "models": _by(found, ("provider", "model", "operation")),
        "scenarios": _by(found, ("scenario",)),
        "sessions": listed["sessions"],
    }


def report(client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 20) -> Row:
    """Return what everybody cost: in total, by day, model and scenario, and the `limit` users that cost most.

    All parts are counted at the same moment, and each adds up to the total. Days are in order, all else begins with
    the most expensive.
    """
    parameters = between(since, until)
    found = rows(
        client,
        "select * from costs_report(since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')},"
        " up_to = {limit:UInt64})",
        {**parameters, "limit": limit},
    )
    total = next((row for row in found if row["part"] == "total"), None)
    parts = {part: [row for row in found if row["part"] == part] for part in _PARTS}
    return {
        "since": parameters["since"] if since else None,
        "until": parameters["until"] if until else None,
        **(nested(total) if total else summed([])),
        "days": [_keyed(row, ("day",)) for row in sorted(parts.pop("days"), key=lambda row: row["day"])],
        **{part: _ordered(listed, _PARTS[part]) for part, listed in parts.items()},
    }


def user_costs(client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 20) -> list[Row]:
    """Return the `limit` users that cost most in [since, until), and the others in one row."""
    if (counted := user_sums.costs_by_user(client, since, until, limit, MEASURES)) is not None:
        return _ordered(({**row, "user_id": row["user"]} for row in counted), ("user_id",))
    found = rows(
        client,
        "select * from users_between(since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')},"
        " up_to = {limit:UInt64})",
        {**between(since, until), "limit": limit},
    )
    return _ordered(found, ("user_id",))


def scenario_costs(
    client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> list[Row]:
    """Return what each scenario cost in [since, until), the most expensive first."""
    return _costs(client, "scenario", ("scenario",), since, until, limit)


def model_costs(
    client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> list[Row]:
    """Return what each provider, model and operation cost in [since, until), the most expensive first."""
    return _costs(client, "model", ("provider", "model", "operation"), since, until, limit)


def daily_costs(
    client: "Client", *, since: date | None = None, until: date | None = None, limit: int = 1000
) -> list[Row]:
    """Return what each day cost (in UTC) of what ended in [since, until), the newest first."""
    return _costs(client, "day", ("day",), since, until, limit)


def search(
    client: "Client",
    words: str,
    *,
    user: str | None = None,
    session: str | None = None,
    role: str | None = None,
    scenario: str | None = None,
    since: date | None = None,
    until: date | None = None,
    limit: int = 50,
    anywhere: bool = False,
) -> list[Row]:
    """Return the newest messages that contain all of `words`: whole words, in any case.

    Words of scripts without spaces are found inside of others; `anywhere` finds the text so in all, and reads every
    message for it.
    """
    narrowed = _narrowed(user, session, role, scenario)
    parameters = {"words": words, **narrowed, **exactly_between(since, until), "limit": limit}
    if anywhere:
        return rows(client, _SEARCH_ANYWHERE, parameters)
    return rows(
        client,
        f"select {_MESSAGE} from search_messages(words = {{words:String}}, {_NARROWED},"  # noqa: S608
        " since = {since:DateTime64(6, 'UTC')}, until = {until:DateTime64(6, 'UTC')}, up_to = {limit:UInt64})"
        " order by timestamp desc, message_id",
        parameters,
    )


def has_sealed(
    client: "Client",
    *,
    user: str | None = None,
    session: str | None = None,
    role: str | None = None,
    scenario: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> bool:
    """Return whether there are messages that `search` cannot see, since their content is sealed."""
    narrowed = _narrowed(user, session, role, scenario)
    found = rows(client, _SEALED, {**narrowed, **exactly_between(since, until)})
    return bool(found)


def _narrowed(user: str | None, session: str | None, role: str | None, scenario: str | None) -> dict[str, str | None]:
    """Return what messages are narrowed to, under the names that they are recorded under."""
    named = {"user": user, "session": session, "role": role, "scenario": scenario}
    return {name: None if value is None else sanitize.asked_for(value) for name, value in named.items()}


def unpriced_calls(client: "Client") -> list[Row]:
    """Return what has no price, or not a whole one: a row per provider, model, operation and reason."""
    return rows(client, "select * from unpriced_calls order by call_count desc, last_time desc, model, cost_reason")


def missing_calls(client: "Client") -> list[Row]:
    """Return the calls that never arrived: a row per gap in the numbers of a process."""
    return rows(client, "select * from missing_calls order by noticed_at, process_id, first_seq")


def missing_calls_at(client: "Client", at: datetime) -> list[Row]:
    """Return the same as it would have been at a moment that is past, as long as the store keeps raw records."""
    sql = "select * from missing_calls_at(at = {at:DateTime64(3, 'UTC')}) order by noticed_at, process_id, first_seq"
    return rows(client, sql, {"at": at})


_GAPS: Final = """
select arrayJoin([arrived, arrived + interval 15 minute]) as moment from call_sequences where process_id in (
    select process_id from (
        select process_id,
            groupBitmapMerge(s.seqs) over w - max(s.has_zero) over w
                < greatest(max(s.highest) over w, max(s.told) over w) as has_gap
        from (
            select process_id, arrived, groupBitmapMergeState(c.seqs) as seqs, bitmapContains(seqs, 0) as has_zero,
                bitmapMax(seqs) as highest, max(c.last_seq) as told
            from call_sequences as c group by process_id, arrived
        ) as s
        window w as (partition by process_id order by arrived)
    ) where has_gap)
group by moment order by moment
"""


def missing_calls_changed(client: "Client") -> list[datetime]:
    """Return when `missing_calls_at` may change: when a number came of a process in which some were missing once.

    In order; none where none ever was. Raises StoreError.
    """
    return [row["moment"] for row in rows(client, _GAPS)]


def numbered_since(client: "Client") -> datetime | None:
    """Return since when calls have arrived whose numbers are kept; None if there are none. Raises StoreError."""
    (found,) = rows(client, "select minOrNull(first_arrived) as since from process_calls")
    since: datetime | None = found["since"]
    return since


def budget_status(client: "Client") -> list[Row]:
    """Return every budget and what was spent of it in its current period. `used` is a fraction: 1 is all of it."""
    return budget_sums.status(client)


def _costs(
    client: "Client", by: str, keys: Sequence[str], since: date | None, until: date | None, limit: int
) -> list[Row]:
    """Return the first `limit` groups `by` day, model or scenario, and the others in one row."""
    found = rows(
        client,
        "select * from costs_between(by = {by:String}, since = {since:DateTime64(3, 'UTC')},"
        " until = {until:DateTime64(3, 'UTC')})",
        {"by": by, **between(since, until)},
    )
    found.sort(key=(lambda row: -row["day"].toordinal()) if by == "day" else _dearest(keys))
    listed, others = found[:limit], found[limit:]
    cut = [{**dict.fromkeys(keys), "others": len(others), **summed(others)}] if others else []
    return [*(_keyed(row, keys) for row in listed), *cut]


def _dearest(keys: Sequence[str]) -> Callable[[Row], tuple[Any, ...]]:
    """Return the order of groups: the most expensive first, of equals by name, and the row of the others last."""
    return lambda row: (row[keys[0]] is None, -row["cost_usd"], *(row[key] or "" for key in keys))


def _ordered(found: Iterable[Row], keys: Sequence[str]) -> list[Row]:
    return [_keyed(row, keys) for row in sorted(found, key=_dearest(keys))]


def _keyed(row: Row, keys: Sequence[str]) -> Row:
    others = {"others": row["others"]} if row.get("others") else {}
    return {key: row[key] for key in keys} | others | nested(row)


def _cursor(row: Row) -> str:
    """Return where a list of sessions goes on behind `row`."""
    return f"{(row['start_time'] - _EPOCH) // timedelta(milliseconds=1)}.{row['session_id']}"


def _place(cursor: str) -> tuple[datetime, str]:
    """Return which session, when it began and its id, a list goes on behind. Raises ValueError."""
    milliseconds, dot, session_id = cursor.partition(".")
    if not dot or not re.fullmatch(r"[0-9]{1,13}", milliseconds):
        raise ValueError(f"{cursor!r} is no cursor: give the one that came with a list, or none for the newest")
    return _EPOCH + timedelta(milliseconds=int(milliseconds)), session_id


def _by(found: Iterable[Row], keys: Sequence[str]) -> list[Row]:
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in found:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [dict(zip(keys, group, strict=True)) | summed(members) for group, members in groups.items()]


def summed(found: Sequence[Row], columns: Collection[str] = MEASURES) -> Row:
    """Add up rows that have these columns, in the shape of `nested`."""
    return nested({column: _total(column, [row[column] for row in found]) for column in columns}, columns)


def _total(column: str, values: Sequence[Any]) -> int | Decimal:
    return numbers.total(values) if column.endswith("_usd") or column == "audio_seconds" else sum(values)


def nested(row: Row, columns: Collection[str] = MEASURES) -> Row:
    """Put the columns of a cost view, all or some of MEASURES, into the shape that a session's cost has."""
    found: Row = {column: row[column] for column in _SUMS if column in columns}
    if TOKENS[0] in columns:
        found["tokens"] = {kind: row[kind] for kind in TOKENS}
    if f"{BREAKDOWN[0]}_usd" in columns:
        found["cost_breakdown"] = {part: row[f"{part}_usd"] for part in BREAKDOWN}
    return found


def chosen(measures: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of some of CHOICES, those of COST among them. Raises KeyError for what is none."""
    wanted = {*COST, *(column for name in measures for column in CHOICES[name])}
    return tuple(column for column in MEASURES if column in wanted)
