"""What users cost, of the costs that are counted by day (UTC) and user.

Days that have changed since they were counted, and those that a bound cuts, are read from the calls. Calls that name no
user belong to the first user of their session.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import rollups
from otel_costs.store.files import measures
from otel_costs.store.rollups import Source
from otel_costs.store.rows import Row, between, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_DAY: Final = timedelta(days=1)
_HALF_HOURS_OF_A_DAY: Final = 48
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_STALE: Final = (
    "select day, partition from stale_days(dimensions = 'user') where day >= {first:Date32} and day < {last:Date32}"
)
_CUT: Final = "select arrayJoin({cut:Array(Date32)}) as day, toDate(toDateTime64(day, 3, 'UTC')) as partition"
"""What has changed since it was counted, and what a bound cuts: both is read from the calls."""

_COUNTED_DAYS: Final = "day >= {first:Date32} and day < {last:Date32} and day not in {anew:Array(Date32)}"
_CALLS_READ_ANEW: Final = (
    "toDate(c.end_time) in {days:Array(Date)} and toDate32(c.end_time) in {anew:Array(Date32)}"
    " and c.end_time >= {since:DateTime64(3, 'UTC')} and c.end_time < {until:DateTime64(3, 'UTC')}"
)
_UNNAMED: Final = "c.user_id = '' and c.session_id != ''"

_RANKED_BY: Final = ("call_count", "cost_usd")
# First who cost most, by their cost alone: all else is added up for them and for the others together.
_DEAREST: Final = (
    "select c.user_id as user_id, sum(c.cost_usd) as cost_usd, count() over () as users from {source}"
    " group by user_id order by cost_usd desc, sum(c.call_count) desc, user_id limit {{limit:UInt64}}"
)
_SHOWN: Final = (
    "select {day}if(c.user_id in {{dearest:Array(String)}}, c.user_id, null) as user, {others} as others, {measures}"
    " from {source} group by all"
)


def costs_by_user(
    client: "Client",
    since: date | None,
    until: date | None,
    limit: int,
    columns: Collection[str],
    *,
    by_day: bool = False,
) -> list[Row] | None:
    """Return what the `limit` users that cost most cost in [since, until), and the others in one row, in any order.

    A row has `user`, None for the others, `others`, how many they are, and `columns`, of the measures; `by_day`: it is
    of one day (UTC) and has that as `day`. None where too much has changed to know it. Raises StoreError.
    """
    values = _bounds(client, since, until)
    if values is None:
        return None
    unnamed = bool(rows(client, _has_unnamed(anew=bool(values["anew"])), values))
    ranked, source = (_source(values, names, unnamed=unnamed) for names in (_RANKED_BY, columns))
    dearest = rows(client, _DEAREST.format(source=ranked.sql), {**ranked.parameters, "limit": limit})
    bound = {"dearest": [row["user_id"] for row in dearest], "others": 0}
    if dearest and not by_day:
        bound["others"] = dearest[0]["users"] - len(dearest)
    day, others = "", "if(user is null, {others:UInt64}, 0)"
    if by_day:
        day, others = "toString(c.day) as day, ", "uniqExactIf(c.user_id, c.user_id not in {dearest:Array(String)})"
    sql = _SHOWN.format(day=day, others=others, measures=source.added(columns), source=source.sql)
    return rows(client, sql, {**source.parameters, **bound})


def _bounds(client: "Client", since: date | None, until: date | None) -> dict[str, Any] | None:
    """Return the values of _COUNTED_DAYS and _CALLS_READ_ANEW, None where too much has changed. Raises StoreError."""
    bound: dict[str, Any] = {**between(since, until)}
    first, cut_first = divmod(bound["since"] - _EPOCH, _DAY)
    last, cut_last = divmod(bound["until"] - _EPOCH, _DAY)
    bound |= {"first": _date(first + bool(cut_first)), "last": _date(last)}
    cut = sorted({_date(number) for number, rest in ((first, cut_first), (last, cut_last)) if rest})
    changed = rows(client, _STALE, bound)
    changed += rows(client, _CUT, {"cut": cut}) if cut else []
    if len(changed) * _HALF_HOURS_OF_A_DAY > rollups.MOST_READ_ANEW:
        return None
    anew, days = (sorted({row[name] for row in changed}) for name in ("day", "partition"))
    return bound | {"anew": anew, "days": days}


def _source(values: Mapping[str, Any], columns: Collection[str], *, unnamed: bool) -> Source:
    """Return the source of what each user cost; `unnamed`: there are calls in sessions that name no user.

    Its rows have `user_id`, whose the calls are, `day`, and `columns`.
    """
    anew = bool(values["anew"])
    parts = _by_day("user_id", "user", "(c.user_id != '' or c.session_id = '')", columns, anew=anew)
    if unnamed:
        of_sessions = _by_day("session_id", "nobody", _UNNAMED, columns, anew=anew)
        sessions = _by_day("session_id", "nobody", _UNNAMED, (), anew=anew)
        wanted = f"session_id global in (select session_id from ({sessions}))"  # noqa: S608
        names = ", ".join(f"u.{name} as {name}" for name in columns)
        parts += (
            f" union all select u.day as day, o.user_id as user_id, {names}"  # noqa: S608
            f" from ({of_sessions}) as u global left any join"
            f" (select session_id, user_id from session_owners where {wanted}) as o on o.session_id = u.session_id"
        )
    return rollups.counted(parts, values, columns)


def _by_day(key: str, dimensions: str, condition: str, columns: Collection[str], *, anew: bool) -> str:
    """Return the costs by `key`, of the days that are counted, and of the calls on the others that meet `condition`."""
    names = ", ".join(("day", key, *columns))
    counted = f"select {names} from counted_days where dimensions = '{dimensions}' and {_COUNTED_DAYS}"  # noqa: S608
    of_calls = ", ".join(("toDate32(c.end_time) as day", f"c.{key} as {key}", *(measures()[name] for name in columns)))
    called = (
        f"select {of_calls} from named_calls as c"  # noqa: S608
        f" where {_CALLS_READ_ANEW} and {condition} group by day, {key}"
    )
    return f"{counted} union all {called}" if anew else counted


def _has_unnamed(*, anew: bool) -> str:
    """Return the question whether there is a call in a session that names no user."""
    counted = f"select 1 from counted_days where dimensions = 'nobody' and {_COUNTED_DAYS} limit 1"  # noqa: S608
    called = f"select 1 from named_calls as c where {_CALLS_READ_ANEW} and {_UNNAMED} limit 1"  # noqa: S608
    return f"{counted} union all {called}" if anew else counted


def _date(number: int) -> date:
    return (_EPOCH + timedelta(days=number)).date()
