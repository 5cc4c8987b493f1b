"""Where costs are read that were counted before: a source of rows for `costs`, and when it can be had.

`cost_half_hours` has the costs of each half hour by none, one or two of six dimensions, `cost_days` those of each day
(UTC) and user. What has changed since, and what a bound cuts, is read from the calls. A zone whose days do not begin
on a half hour of UTC's, and more conditions than one, are for the calls alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from otel_costs.store.files import measure_names, shared
from otel_costs.store.rows import between, rows
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_DIMENSIONS: Final = ("kind", "model", "operation", "scenario", "service", "step")
_HALF_HOUR: Final = timedelta(minutes=30)
_DAY: Final = timedelta(days=1)
_TIMES: Final = frozenset({"hour", "day", "month"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_READ_ANEW: Final = 2000
"""Half hours. Where more than that have changed, the calls are read for all."""

_YEARS: Final = range(2000, 2040)

_CHANGED_HALF_HOURS: Final = (
    "select arrayJoin({cut:Array(Int32)}) as half_hour, toDate(toDateTime64(half_hour * 1800., 3, 'UTC')) as day"
    " union distinct select half_hour, day from stale_half_hours(dimensions = {dimensions:String})"
    " where half_hour >= {first:Int64} and half_hour <= {last:Int64}"
)
_CHANGED_DAYS: Final = (
    "select arrayJoin({cut:Array(Date32)}) as d, toDate(toDateTime64(d, 3, 'UTC')) as partition"
    " union distinct select day, partition from stale_days(dimensions = 'user')"
    " where day >= {first:Date32} and day < {last:Date32}"
)
"""What is to be read from the calls: what has changed since it was counted, and what a bound cuts."""

_LABELS: Final = ("kind", "scenario", "step", "service", "provider", "model", "operation")


@dataclass(frozen=True, slots=True)
class Source:
    """Rows named `c`, the values that are bound in them, and what adds their measures up."""

    sql: str
    parameters: Mapping[str, Any]
    measures: str


def of_half_hours(client: "Client", selection: Selection, by: Collection[str]) -> Source | None:
    """Return the source of a selection's costs `by` times and dimensions, None where only the calls tell them.

    Its rows have `end_time`, by which they can be put into hours, days and months of the selection's zone, and the
    columns of the dimensions. Raises StoreError.
    """
    dimensions = _dimensions(selection, by)
    if dimensions is None or not has_half_hours(selection.tz):
        return None
    bound: dict[str, Any] = {**between(selection.since, selection.until), "dimensions": dimensions}
    first, cut_first = divmod(bound["since"] - _EPOCH, _HALF_HOUR)
    last, cut_last = divmod(bound["until"] - _EPOCH, _HALF_HOUR)
    cut = {number for number, rest in ((first, cut_first), (last, cut_last)) if rest}
    changed = rows(client, _CHANGED_HALF_HOURS, {**bound, "cut": sorted(cut), "first": first, "last": last})
    if len(changed) > _MOST_READ_ANEW:
        return None
    anew = sorted({row["half_hour"] for row in changed})
    bound |= {"first": first, "last": last, "anew": anew, "days": sorted({row["day"] for row in changed})}
    conditions = _conditions(selection, bound)
    names, columns = shared()["measure_names"], ", ".join(_LABELS)
    counted = (
        f"select toDateTime64(half_hour * 1800., 3, 'UTC') as end_time, {columns}, {names} from counted_half_hours"  # noqa: S608
        f" where dimensions = {{dimensions:String}} and half_hour >= {{first:Int64}}"
        f" and half_hour < {{last:Int64}} and half_hour not in {{anew:Array(Int64)}}{conditions}"
    )
    called = (
        f"select c.end_time as end_time, {columns}, {shared()['measures']} from named_calls as c"  # noqa: S608
        " where toDate(c.end_time) in {days:Array(Date)}"
        " and c.half_hour in {anew:Array(Int64)}"
        " and c.end_time >= {since:DateTime64(3, 'UTC')} and c.end_time < {until:DateTime64(3, 'UTC')}"
        f"{conditions} group by end_time, {columns}"
    )
    return _counted(f"{counted} union all {called}" if anew else counted, {**bound, "tz": selection.tz.key})


def of_users(client: "Client", since: date | None, until: date | None) -> Source | None:
    """Return the source of what each user cost in [since, until), None where too much has changed to know it.

    Its rows have `user_id`, whose the calls are. Raises StoreError.
    """
    bound: dict[str, Any] = {**between(since, until)}
    first, cut_first = divmod(bound["since"] - _EPOCH, _DAY)
    last, cut_last = divmod(bound["until"] - _EPOCH, _DAY)
    bound |= {"first": _date(first + bool(cut_first)), "last": _date(last)}
    bound["cut"] = [_date(number) for number, rest in ((first, cut_first), (last, cut_last)) if rest]
    changed = rows(client, _CHANGED_DAYS, bound)
    if len(changed) * (_DAY // _HALF_HOUR) > _MOST_READ_ANEW:
        return None
    bound |= {"anew": sorted(row["d"] for row in changed), "days": sorted({row["partition"] for row in changed})}
    parts = _by_day("user_id", "user", "(c.user_id != '' or c.session_id = '')", anew=bool(changed))
    unnamed = _by_day("session_id", "nobody", "c.user_id = '' and c.session_id != ''", anew=bool(changed))
    if rows(client, f"select 1 from ({unnamed}) limit 1", bound):  # noqa: S608
        wanted = f"session_id global in (select session_id from ({unnamed}))"  # noqa: S608
        parts += (
            f" union all select o.user_id as user_id, {', '.join(f'u.{name} as {name}' for name in measure_names())}"  # noqa: S608
            f" from ({unnamed}) as u global left any join"
            f" (select session_id, user_id from session_owners where {wanted}) as o on o.session_id = u.session_id"
        )
    return _counted(parts, bound)


def _by_day(key: str, dimensions: str, condition: str, *, anew: bool) -> str:
    """Return the costs by `key`, of the days that are counted, and of the calls on the others that meet `condition`."""
    names = shared()["measure_names"]
    counted = (
        f"select {key}, {names} from counted_days where dimensions = '{dimensions}'"  # noqa: S608
        " and day >= {first:Date32} and day < {last:Date32} and day not in {anew:Array(Date32)}"
    )
    called = (
        f"select c.{key} as {key}, {shared()['measures']} from named_calls as c"  # noqa: S608
        " where toDate(c.end_time) in {days:Array(Date)} and toDate32(c.end_time) in {anew:Array(Date32)}"
        " and c.end_time >= {since:DateTime64(3, 'UTC')} and c.end_time < {until:DateTime64(3, 'UTC')}"
        f" and {condition} group by {key}"
    )
    return f"{counted} union all {called}" if anew else counted


@cache
def has_half_hours(tz: ZoneInfo) -> bool:
    """Tell whether the days of a zone begin on a half hour of UTC's."""
    moments = (datetime(year, month, 1, tzinfo=tz) for year in _YEARS for month in (1, 7))
    return all(not (moment.utcoffset() or timedelta()) % _HALF_HOUR for moment in moments)


def _counted(sql: str, bound: Mapping[str, Any]) -> Source:
    return Source(f"({sql}) as c", bound, ", ".join(f"sum(c.{name}) as {name}" for name in measure_names()))


def _dimensions(selection: Selection, by: Collection[str]) -> str | None:
    """Return which groups tell the costs `by` times and dimensions, as `cost_half_hours` names them, or None."""
    filters = selection.filters
    wanted = {"model" if name == "provider" else name for name in {*filters, *by} - _TIMES}
    # By model there are the provider and the operation too.
    if wanted == {"model", "operation"}:
        wanted = {"model"}
    if len({"model" if name == "provider" else name for name in filters}) > 1 or len(wanted) > 2:
        return None
    return ",".join(sorted(wanted)) if wanted <= set(_DIMENSIONS) else None


def _conditions(selection: Selection, bound: dict[str, Any]) -> str:
    found = ""
    for name in sorted(selection.filters):
        bound[name] = getattr(selection, name)
        found += f" and {name} = {{{name}:String}}"
    return found


def _date(number: int) -> date:
    return (_EPOCH + timedelta(days=number)).date()
