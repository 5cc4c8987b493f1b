"""What the calls of a selection cost, split by anything that a call has: rows that add up to the total.

Every row has the measures of `queries/measures.sql`, in the shape of the other reports. SQL is made of the fixed texts
of this module alone, and every value is bound.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from otel_costs.chargeback.assignment import value_of
from otel_costs.store import rollups, user_sums
from otel_costs.store.files import measures
from otel_costs.store.reports import BREAKDOWN, COST, MEASURES, TOKENS, nested, summed
from otel_costs.store.rollups import Source
from otel_costs.store.rows import Row, between, rows
from otel_costs.store.selection import CALL_COLUMNS, Condition, Selection, of_calls

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Period = tuple[datetime | None, datetime | None]
"""The first moment and the one that it ends before; None is no bound."""

_HALF_HOUR_MS: Final = 1_800_000

_LOCAL: Final = "toTimeZone(c.end_time, {tz:String})"

TIMES: Final = {
    # In milliseconds since 1970. By its minutes, for an hour of India's begins at half past one of UTC's.
    "hour": "toUnixTimestamp64Milli(c.end_time) - toUnixTimestamp64Milli(c.end_time) % 1000"
    f" - 1000 * (60 * toMinute({_LOCAL}) + toSecond({_LOCAL}))",
    "day": f"toString(toDate32({_LOCAL}))",
    "month": f"formatDateTime({_LOCAL}, '%Y-%m')",
}
"""Pieces of time, cut in the zone of the selection: an hour is its beginning, a day its date, a month like 2026-11."""

MODALITY: Final = "modality"
"""The key of cost_breakdown that a part of a call counts in; a call counts in each that it has."""

TAG: Final = "tag."

DIMENSIONS: Final = (*TIMES, *CALL_COLUMNS, MODALITY)
"""What costs are split by, beside tags, which are `tag.` and a name."""


def costs(
    client: "Client",
    selection: Selection,
    by: Sequence[str] = (),
    limit: int | None = None,
    columns: Collection[str] = MEASURES,
) -> list[Row]:
    """Return what the calls of a selection cost, a row for each group `by` names of DIMENSIONS and `tag.NAME`.

    By nothing it is one row, the total. Pieces of time are in order, the groups of each begin with the dearest,
    of equal cost with those of most calls.
    `limit`: of the groups beside time those that cost most in all have rows, the others have one together in each
    piece of time, whose keys are None; `others` is how many they are. By time alone, the last pieces have rows.
    `columns`: the measures that rows have, those of COST among them.
    Raises ValueError for what is no dimension, StoreError.
    """
    check(by)
    if limit is not None and (users := _of_users(client, selection, by, limit, columns)) is not None:
        return users
    source = _source(client, selection, by, columns=columns)
    return in_order(grouped(client, source, by, selection, limit, columns), by, selection, columns)


def keys(by: Sequence[str], selection: Selection) -> tuple[list[str], dict[str, Any]]:
    """Return the expressions of what calls `c` are split by, and the values that are bound in them."""
    bound: dict[str, Any] = {}
    return [_key(number, name, selection, bound) for number, name in enumerate(by)], bound


def grouped(
    client: "Client",
    source: Source,
    by: Sequence[str],
    selection: Selection,
    limit: int | None = None,
    columns: Collection[str] = MEASURES,
) -> list[Row]:
    """Return the groups of a source as the store has them: `key_0` and so on, and measures. Raises StoreError."""
    selected, named = keys(by, selection)
    bound = {**source.parameters, **named}
    shown = [*(f"{key} as key_{n}" for n, key in enumerate(selected)), source.added(columns)]
    sql = f"select {', '.join(shown)} from {source.sql}"  # noqa: S608
    if by:
        sql += f" group by {', '.join(_grouped_by(number, name) for number, name in enumerate(by))}"
    if limit is not None and by:
        sql, bound = _cut(sql, by, columns), {**bound, "limit": limit}
    return rows(client, sql, bound)


def in_order(
    listed: Sequence[Row], by: Sequence[str], selection: Selection, columns: Collection[str] = MEASURES
) -> list[Row]:
    """Return groups as `costs` does, in its order and shape."""
    return [_row(row, by, selection, columns) for row in sorted(listed, key=lambda row: _order(row, by))]


def _of_users(
    client: "Client", selection: Selection, by: Sequence[str], limit: int, columns: Collection[str]
) -> list[Row] | None:
    """Return the rows of `costs` by user, or by user and day; None where other sources tell them."""
    by_day = "day" in by
    if "user" not in by or not {*by} <= {"user", "day"} or selection.filters:
        return None
    if by_day and not rollups.has_days_of_utc(selection.tz):
        return None
    found = user_sums.costs_by_user(client, selection.since, selection.until, limit, columns, by_day=by_day)
    if found is None:
        return None
    listed = [{**row, **{f"key_{n}": row[name] for n, name in enumerate(by)}} for row in found]
    return in_order(listed, by, selection, columns)


def report(
    client: "Client", selection: Selection, by: Sequence[str], limit: int, columns: Collection[str] = MEASURES
) -> Row:
    """Return groups and their total with what was asked, in the shape of `GET /api/v1/costs`. Raises as `split`."""
    listed, whole = split(client, selection, by, limit, columns)
    return {
        "since": selection.since,
        "until": selection.until,
        "tz": selection.tz.key,
        "by": list(by),
        "total": whole,
        "costs": listed,
    }


def total(client: "Client", selection: Selection, columns: Collection[str] = MEASURES) -> Row:
    """Return what the calls of a selection cost together. Raises StoreError."""
    (found,) = costs(client, selection, columns=columns)
    return found


def split(
    client: "Client",
    selection: Selection,
    by: Sequence[str],
    limit: int | None = None,
    columns: Collection[str] = MEASURES,
) -> tuple[list[Row], Row]:
    """Return the rows of `costs`, and the total, to which they add up also while calls arrive. Raises as `costs` does.

    By modality a call is in several rows: then the total is asked for by itself.
    """
    listed = costs(client, selection, by, limit, columns)
    if not listed or MODALITY in by:
        return listed, total(client, selection, columns)
    return listed, summed([flat(row) for row in listed], columns)


def check(by: Sequence[str]) -> None:
    """Raise ValueError when one of `by` is no dimension, or one is there twice."""
    for name in by:
        if name not in DIMENSIONS and not (name.startswith(TAG) and len(name) > len(TAG)):
            raise ValueError(f"{name!r} is nothing to split by: give {', '.join(DIMENSIONS)} or {TAG}NAME")
    if len(set(by)) < len(by):
        raise ValueError(f"what to split by is given twice: {', '.join(by)}")


def spent(client: "Client", selection: Selection, by: str) -> dict[Any, Decimal]:
    """Return the US dollars of each group `by` one of DIMENSIONS, and nothing else of it. Raises as `costs` does."""
    check((by,))
    found = _source(client, selection, (by,), columns=COST)
    (key,), named = keys((by,), selection)
    bound = {**found.parameters, **named}
    sql = f"select {key} as key_0, coalesce(sum(c.cost_usd), 0) as cost_usd from {found.sql} group by key_0"  # noqa: S608
    return {row["key_0"]: row["cost_usd"] for row in rows(client, sql, bound)}


def of_periods(
    client: "Client", selection: Selection, periods: Mapping[str, Period], columns: Collection[str] = MEASURES
) -> dict[str, Row]:
    """Return what the calls of a selection cost in each of some periods, in the place of its own, at one moment.

    Each has `first_time` too: where the half hour (UTC) begins in which its first call ended; None without a call.
    Raises StoreError.
    """
    bounds = [between(*period) for period in periods.values()]
    ends = [end for bound in bounds for end in bound.values()]
    found = _source(client, replace(selection, since=min(ends), until=max(ends)), (), ends, columns=columns)
    bound, within = dict(found.parameters), []
    for number, period in enumerate(bounds):
        bound |= {f"{end}_{number}": moment for end, moment in period.items()}
        since, until = (f"{{{end}_{number}:DateTime64(3, 'UTC')}}" for end in period)
        within.append(f"c.end_time >= {since} and c.end_time < {until} as of_{number}")
    listed = rows(
        client,
        f"select {', '.join(within)}, min(toUnixTimestamp64Milli(c.end_time)) as first_ms, {found.added(columns)}"  # noqa: S608
        f" from {found.sql} group by {', '.join(f'of_{number}' for number in range(len(bounds)))}",
        bound,
    )
    of = {name: [row for row in listed if row[f"of_{number}"]] for number, name in enumerate(periods)}
    return {name: {**summed(rows_, columns), "first_time": _first(rows_)} for name, rows_ in of.items()}


def _first(listed: Sequence[Row]) -> datetime | None:
    first = min((row["first_ms"] for row in listed), default=None)
    return None if first is None else datetime.fromtimestamp((first - first % _HALF_HOUR_MS) / 1000, UTC)


def _source(
    client: "Client",
    selection: Selection,
    by: Sequence[str],
    edges: Collection[datetime] = (),
    *,
    columns: Collection[str],
) -> Source:
    """Return what was counted before, where that tells these costs, or else the calls themselves."""
    if (counted := rollups.of_half_hours(client, selection, by, edges, columns)) is not None:
        return counted
    condition = of_calls(selection)
    called = _by_modality(condition) if MODALITY in by else f"owned_calls as c where {condition.sql}"
    return Source(called, condition.parameters, measures())


def _key(number: int, name: str, selection: Selection, bound: dict[str, Any]) -> str:
    if name in TIMES:
        return TIMES[name]
    if name == MODALITY:
        return "toString(c.modality)"
    if name in CALL_COLUMNS:
        return f"toString(c.{CALL_COLUMNS[name]})"
    return value_of(name.removeprefix(TAG), selection.allocation, bound, f"by_{number}")


def _grouped_by(number: int, name: str) -> str:
    """Return what the rows of a key are grouped by, where that takes less time than its text."""
    if name == "day":
        return f"toDate32({_LOCAL})"
    return f"c.{CALL_COLUMNS[name]}" if name in CALL_COLUMNS else f"key_{number}"


def _keys(by: Sequence[str], prefix: str = "", *, of_time: bool | None = None) -> str:
    chosen = [n for n, name in enumerate(by) if of_time is None or (name in TIMES) == of_time]
    return ", ".join(f"{prefix}key_{n}" for n in chosen)


def _cut(grouped: str, by: Sequence[str], measured: Collection[str]) -> str:
    """Return the statement that leaves the first `limit` groups their rows, and adds the others up."""
    groups = _keys(by, of_time=False)
    if groups:
        whole = f"(sum(g.cost_usd) over (partition by {groups}), sum(g.call_count) over (partition by {groups}))"
        first = f"dearest desc, {groups}"
    else:
        whole, first = "0", ", ".join(f"key_{n} desc" for n in range(len(by)))
    columns = ", ".join(
        f"r.key_{n} as shown_{n}" if groups and name in TIMES else f"if(r.cut, null, r.key_{n}) as shown_{n}"
        for n, name in enumerate(by)
    )
    others = _keys(by, "r.", of_time=False) if groups else _keys(by, "r.")
    added = ", ".join(f"sum(r.{name}) as {name}" for name in measured)
    return (
        f"select {columns}, {added}, uniqExactIf(tuple({others}), r.cut) as others from ("  # noqa: S608
        f"select *, dense_rank() over (order by {first}) > {{limit:UInt64}} as cut"
        f" from (select *, {whole} as dearest from ({grouped}) as g)) as r"
        f" group by {', '.join(f'shown_{n}' for n in range(len(by)))}"
    )


def flat(row: Row) -> Row:
    """Return a row of `costs` with the columns that `nested` has put into groups."""
    parts = {f"{part}_usd": usd for part, usd in row.get("cost_breakdown", {}).items()}
    return {**row, **row.get("tokens", {}), **parts}


@cache
def _parts() -> str:
    """Return the columns that have another value in the part of a call that is of one modality.

    Money is where its line is; tokens are with their own kind, where the call has that, else with its first. A list
    cost that is another one than the cost has no lines: it is with the first, too.
    """
    amounts = ", ".join(f"modality = '{part}', c.{part}_usd" for part in BREAKDOWN)
    listed = "coalesce(c.list_usd, c.cost_usd)"
    found = [
        f"if(c.cost_usd is null, null, multiIf({amounts}, 0)) as cost_usd",
        f"if({listed} = c.cost_usd, multiIf({amounts}, 0), if(modality = c.kinds[1], {listed}, 0)) as list_usd",
        *(f"if(modality = '{part}', c.{part}_usd, 0) as {part}_usd" for part in BREAKDOWN),
    ]
    for kind in TOKENS:
        homes = ["text_input", "audio_input"] if kind == "cached_input" else [kind]
        at = "".join(f"has(c.kinds, '{home}'), '{home}', " for home in homes)
        found.append(f"if(modality = multiIf({at}c.kinds[1]), c.{kind}, 0) as {kind}")
    found += [f"if(modality = c.kinds[1], c.{name}, 0) as {name}" for name in ("all_audio_seconds", "input_characters")]
    return ", ".join(found)


def _by_modality(condition: Condition) -> str:
    kinds = (
        "if(c.itemized and notEmpty(c.line_kinds), arrayDistinct(arrayMap(kind -> toString(kind), c.line_kinds)),"
        " [if(c.operation in ('speech_to_text', 'text_to_speech'), toString(c.operation), 'other')])"
    )
    return (
        f"(select c.* replace ({_parts()}), modality from"  # noqa: S608
        f" (select *, {kinds} as kinds from owned_calls as c where {condition.sql}) as c"
        " array join c.kinds as modality) as c"
    )


def _row(row: Row, by: Sequence[str], selection: Selection, columns: Collection[str]) -> Row:
    keys = {name: _key_value(name, key, selection) for name, key in zip(by, _found(row, by), strict=True)}
    return keys | ({"others": row["others"]} if row.get("others") else {}) | nested(row, columns)


def _found(row: Row, by: Sequence[str]) -> list[Any]:
    """Return the keys of a row of the store."""
    prefix = "shown" if "shown_0" in row else "key"
    return [row[f"{prefix}_{number}"] for number in range(len(by))]


def _key_value(name: str, key: Any, selection: Selection) -> Any:
    if name != "hour" or key is None:
        return key
    return datetime.fromtimestamp(key // 1000, UTC).astimezone(selection.tz).isoformat(timespec="minutes")


def _order(row: Row, by: Sequence[str]) -> tuple[Any, ...]:
    keys = _found(row, by)
    times = [(key is None, "" if key is None else key) for name, key in zip(by, keys, strict=True) if name in TIMES]
    names = ("" if key is None else key for key in keys)
    return (*times, bool(row.get("others")), -row["cost_usd"], -row["call_count"], *names)
