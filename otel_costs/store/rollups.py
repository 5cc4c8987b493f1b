"""Where costs are read that were counted before: a source of rows for `costs`, and when it can be had.

`cost_half_hours` has the costs of each half hour by none, one or two of six dimensions, `not_priced_half_hours` the
calls that are not simply priced. What has changed since, and what a bound cuts, is read from the calls. A zone whose
days do not begin on a half hour of UTC's, and more conditions than one, are for the calls alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from otel_costs.store.files import measure_names, measures
from otel_costs.store.rows import between, rows
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_DIMENSIONS: Final = ("kind", "model", "operation", "scenario", "service", "step")
_HALF_HOUR: Final = timedelta(minutes=30)
_TIMES: Final = frozenset({"hour", "day", "month"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOST_READ_ANEW: Final = 2000
"""Half hours. Where more than that have changed, the calls are read for all."""

_YEARS: Final = range(2000, 2040)

_STALE: Final = "select half_hour, day from {view} where half_hour >= {{first:Int64}} and half_hour <= {{last:Int64}}"
_STALE_HALF_HOURS: Final = _STALE.format(view="stale_half_hours(dimensions = {dimensions:String})")
_STALE_NOT_PRICED: Final = _STALE.format(view="stale_not_priced")
_CUT: Final = (
    "select arrayJoin({cut:Array(Int32)}) as half_hour, toDate(toDateTime64(half_hour * 1800., 3, 'UTC')) as day"
)
"""What has changed since it was counted, and what a bound cuts: both is read from the calls."""

COUNTED_HALF_HOURS: Final = (
    "half_hour >= {first:Int64} and half_hour < {last:Int64} and half_hour not in {anew:Array(Int64)}"
)
CALLS_READ_ANEW: Final = (
    "toDate(c.end_time) in {days:Array(Date)} and c.half_hour in {anew:Array(Int64)}"
    " and c.end_time >= {since:DateTime64(3, 'UTC')} and c.end_time < {until:DateTime64(3, 'UTC')}"
)
NOT_PRICED: Final = (
    "sum(c.call_count) as call_count, sum(c.cost_usd) as cost_usd, max(c.last_time) as last_time,"
    " lower(hex(argMax(c.last_call_id, (c.last_time, c.last_call_id)))) as last_call_id"
)
"""What adds the calls up that are not simply priced."""

_LABELS: Final = ("kind", "scenario", "step", "service", "provider", "model", "operation")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows named `c`, and the values that are bound in them."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source(Rows):
    """Rows with costs, and what adds each of their measures up, by its name."""

    measures: Mapping[str, str]

    def added(self, columns: Iterable[str]) -> str:
        """Return the expressions that add some measures up."""
        return ", ".join(self.measures[column] for column in columns)


def of_half_hours(
    client: "Client",
    selection: Selection,
    by: Collection[str],
    edges: Collection[datetime],
    columns: Collection[str],
) -> Source | None:
    """Return the source of a selection's costs `by` times and dimensions, None where only the calls tell them.

    Its rows have `end_time`, by which they can be put into hours, days and months of the selection's zone, and before
    or behind each of `edges`, the columns of the dimensions, and `columns`, of the measures.
    Raises StoreError.
    """
    dimensions = _dimensions(selection, by)
    if dimensions is None or not has_half_hours(selection.tz):
        return None
    bound = _half_hours(client, selection, _STALE_HALF_HOURS, {"dimensions": dimensions}, edges)
    if bound is None:
        return None
    conditions, labels = _conditions(selection, bound), ", ".join(_LABELS)
    of_calls = ", ".join(measures()[column] for column in columns)
    called = (
        f" union all select c.end_time as end_time, {labels}, {of_calls} from named_calls as c"  # noqa: S608
        f" where {CALLS_READ_ANEW}{conditions} group by end_time, {labels}"
    )
    sums = _sums(conditions, columns) + (called if bound["anew"] else "")
    return counted(sums, {**bound, "tz": selection.tz.key}, columns)


def of_splits(
    client: "Client", selection: Selection, splits: Sequence[Collection[str]]
) -> tuple[list[Source], Rows | None] | None:
    """Return the source of what is counted of each split, the same half hours of all, and the calls of the others.

    No calls: all half hours are counted. None where only the calls tell the costs. What is counted stays the same for
    half a minute at least, so that the answers add up when they are asked for one by one. Raises StoreError.
    """
    dimensions = [_dimensions(selection, by) for by in splits]
    if None in dimensions or not has_half_hours(selection.tz):
        return None
    named: list[dict[str, Any]] = [{"dimensions": one, "tz": selection.tz.key} for one in dimensions]
    found = [_half_hours(client, selection, _STALE_HALF_HOURS, one, ()) for one in named]
    bounds = [bound for bound in found if bound is not None]
    if len(bounds) < len(splits):
        return None
    anew = {key: sorted({one for bound in bounds for one in bound[key]}) for key in ("anew", "days")}
    sources = []
    for bound in bounds:
        bound |= anew
        sources.append(counted(_sums(_conditions(selection, bound), measure_names()), bound, measure_names()))
    calls = f"named_calls as c where {CALLS_READ_ANEW}{_conditions(selection, bounds[0])}"
    return sources, Rows(calls, bounds[0]) if anew["anew"] else None


def of_not_priced(client: "Client", selection: Selection) -> Rows | None:
    """Return the source of a selection's calls that are not simply priced, None where only the calls tell them.

    Its rows have `cost_status`, `cost_reason`, the columns of the dimensions, `call_count`, `cost_usd`, and of the last
    call `last_time` and `last_call_id`, 16 bytes. Raises StoreError.
    """
    if not selection.filters <= set(_LABELS):
        return None
    bound = _half_hours(client, selection, _STALE_NOT_PRICED, {}, ())
    if bound is None:
        return None
    conditions, columns = _conditions(selection, bound), ", ".join(("cost_status", "cost_reason", *_LABELS))
    sql = (
        f"select {columns}, call_count, cost_usd, last_time, last_call_id from counted_not_priced"  # noqa: S608
        f" where {COUNTED_HALF_HOURS}{conditions}"
    )
    if bound["anew"]:
        sql += (
            f" union all select {columns}, 1 as call_count, coalesce(c.cost_usd, 0) as cost_usd, c.end_time, c.call_id"  # noqa: S608
            f" from named_calls as c where {CALLS_READ_ANEW}{conditions} and cost_status != 'priced'"
        )
    return Rows(f"({sql}) as c", bound)


def half_hours(
    client: "Client", since: datetime, dimensions: str, edges: Collection[datetime]
) -> dict[str, Any] | None:
    """Return the values of COUNTED_HALF_HOURS and CALLS_READ_ANEW, of all since then; None: too much has changed.

    Each of `edges` may cut a half hour: that is read from the calls. Raises StoreError.
    """
    return _half_hours(client, Selection(since), _STALE_HALF_HOURS, {"dimensions": dimensions}, edges)


def _sums(conditions: str, columns: Collection[str]) -> str:
    """Return the statement of the half hours that are counted."""
    selected = ", ".join((*_LABELS, *columns))
    return (
        f"select toDateTime64(half_hour * 1800., 3, 'UTC') as end_time, {selected} from counted_half_hours"  # noqa: S608
        f" where dimensions = {{dimensions:String}} and {COUNTED_HALF_HOURS}{conditions}"
    )


def _half_hours(
    client: "Client", selection: Selection, stale: str, named: Mapping[str, Any], edges: Collection[datetime]
) -> dict[str, Any] | None:
    """Return the values of COUNTED_HALF_HOURS and CALLS_READ_ANEW, None where too much has changed.

    `stale` selects what has changed, `named` are its own values, `edges` what cuts a half hour beside the bounds.
    """
    bound: dict[str, Any] = {**between(selection.since, selection.until), **named}
    first, last = ((bound[name] - _EPOCH) // _HALF_HOUR for name in ("since", "until"))
    cut = {
        (one - _EPOCH) // _HALF_HOUR for one in (bound["since"], bound["until"], *edges) if (one - _EPOCH) % _HALF_HOUR
    }
    changed = rows(client, stale, {**bound, "first": first, "last": last})
    if len(changed) > MOST_READ_ANEW:
        return None
    changed += rows(client, _CUT, {"cut": sorted(cut)}) if cut else []
    anew = sorted({row["half_hour"] for row in changed})
    return bound | {"first": first, "last": last, "anew": anew, "days": sorted({row["day"] for row in changed})}


@cache
def has_half_hours(tz: ZoneInfo) -> bool:
    """Return whether the days of a zone begin on a half hour of UTC's."""
    return all(not offset % _HALF_HOUR for offset in _offsets(tz))


@cache
def has_days_of_utc(tz: ZoneInfo) -> bool:
    """Return whether the days of a zone are those of UTC."""
    return not any(_offsets(tz))


def _offsets(tz: ZoneInfo) -> list[timedelta]:
    moments = (datetime(year, month, 1, tzinfo=tz) for year in _YEARS for month in (1, 7))
    return [moment.utcoffset() or timedelta() for moment in moments]


def counted(sql: str, bound: Mapping[str, Any], columns: Iterable[str]) -> Source:
    """Return the source that selects, by `sql`, columns named as the measures."""
    return Source(f"({sql}) as c", bound, {name: f"sum(c.{name}) as {name}" for name in columns})


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
