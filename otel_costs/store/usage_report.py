"""How much is used, and when: averages per day, sessions by day, kind and cost, hours of the week, the cache."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.store import costs, periods, session_figures
from otel_costs.store.cache_savings import savings
from otel_costs.store.distribution import distribution
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_sessions
from otel_costs.store.session_figures import divided, figures
from otel_costs.usage import numbers
from otel_costs.usage.numbers import EXACT

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

COLUMNS: Final = (
    "part", "day", "kind", "weekday", "hour", "days", "session_count", "unpriced_sessions", "call_count",
    "unpriced_calls", "cost_usd", "mean_usd", "p50_usd", "p95_usd", "cached_tokens", "share", "saved_usd",
    "counted_calls", "not_counted_calls", "from_usd", "to_usd", "count",
)  # fmt: skip

_DAY: Final = timedelta(days=1)
_SHARE: Final = Decimal("0.001")

_DAYS: Final = (
    "select toString(toDate32(toTimeZone(s.start_time, {tz:String}))) as day, s.kind as kind,"
    " count() as session_count, coalesce(sum(s.cost_usd), 0) as cost_usd"
    " from sessions as s where "
)
_KINDS: Final = f"select s.kind as kind, {session_figures.COLUMNS} from sessions as s where "  # noqa: S608


def usage(client: "Client", selection: Selection, *, now: datetime | None = None, most: int | None = None) -> Row:
    """Return the usage of a selection: calls count that ended in it, sessions that began in it, whole.

    Money is exact, but for averages, which are rounded to twelve decimals. Where more calls than `most` read from a
    cache, what that saved is not counted. Raises StoreError.
    """
    hours, total = costs.split(client, selection, ("hour",))
    by_day = _by_day(client, selection)
    days = _days(selection, now or datetime.now(UTC), [row["hour"] for row in hours], [row["day"] for row in by_day])
    by_kind = _by_kind(client, selection, days)
    tokens = total["tokens"]
    sent = tokens["text_input"] + tokens["audio_input"] + tokens["cached_input"]
    return {
        "user": selection.user,
        "since": selection.since,
        "until": selection.until,
        "tz": selection.tz.key,
        "days": float(days),
        "total": total,
        "per_day": {
            "cost_usd": divided(total["cost_usd"], days),
            "call_count": _share(total["call_count"], days),
            "session_count": _share(sum(row["session_count"] for row in by_kind), days),
        },
        "by_kind": by_kind,
        "by_day": by_day,
        "by_hour": _by_hour(hours),
        "distribution": distribution(client, selection),
        "cache": {
            "cached_tokens": tokens["cached_input"],
            "share": tokens["cached_input"] / sent if sent else None,
            **savings(client, selection, most=most),
        },
    }


def usage_rows(found: Row) -> Iterator[Row]:
    """Yield a usage as the rows of one table of COLUMNS; `part` tells its parts apart."""
    per_day, cache = found["per_day"], found["cache"]
    whole = {"session_count": sum(row["session_count"] for row in found["by_kind"]), "days": found["days"]}
    parts = {
        "total": [{**found["total"], **whole}],
        "per_day": [per_day],
        "kind": found["by_kind"],
        "day": found["by_day"],
        "hour": found["by_hour"],
        "bucket": found["distribution"],
        "cache": [cache],
    }
    for part, listed in parts.items():
        for row in listed:
            yield {"part": part, **{name: row.get(name) for name in COLUMNS[1:]}}


def _by_day(client: "Client", selection: Selection) -> list[Row]:
    condition = of_sessions(selection)
    return rows(client, f"{_DAYS}{condition.sql} group by day, kind order by day, kind", condition.parameters)


def _by_kind(client: "Client", selection: Selection, days: Decimal) -> list[Row]:
    condition = of_sessions(selection)
    found = rows(client, f"{_KINDS}{condition.sql} group by kind order by kind", condition.parameters)
    return [_of_kind(row, days) for row in found]


def _of_kind(row: Row, days: Decimal) -> Row:
    return {
        "kind": row["kind"],
        "session_count": row["session_count"],
        "sessions_per_day": _share(row["session_count"], days),
        "unpriced_sessions": row["session_count"] - row["priced_sessions"],
        **figures(row),
    }


def _by_hour(hours: list[Row]) -> list[Row]:
    """Return what the hours of the week cost together; 1 is Monday."""
    found: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in hours:
        began = datetime.fromisoformat(row["hour"])
        found[began.isoweekday(), began.hour].append(row)
    return [
        {
            "weekday": weekday,
            "hour": hour,
            "call_count": sum(row["call_count"] for row in same),
            "cost_usd": numbers.total(row["cost_usd"] for row in same),
        }
        for (weekday, hour), same in sorted(found.items())
    ]


def _days(selection: Selection, now: datetime, hours: list[str], days: list[str]) -> Decimal:
    """Return the length of the period in days, one at least: up to now, and from the day on which something was."""
    until = min(selection.until or now, now)
    since = selection.since
    if since is None:
        first = min([*(hour[:10] for hour in hours), *days], default=None)
        since = until if first is None else periods.moment(first, tz=selection.tz)
    length = max(until - since, _DAY)
    return EXACT.divide(Decimal(length // timedelta(microseconds=1)), Decimal(_DAY // timedelta(microseconds=1)))


def _share(count: int, days: Decimal) -> float:
    """Return how many there were a day, to three decimals."""
    return float(EXACT.quantize(EXACT.divide(Decimal(count), days), _SHARE))
