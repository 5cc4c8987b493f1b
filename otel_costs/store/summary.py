"""The figures of an overview: a period beside the one before it, its sessions, and where its month is going."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from otel_costs.store import costs, session_figures, session_list
from otel_costs.store.periods import month_of
from otel_costs.store.projection import LATELY, projected
from otel_costs.store.reports import MEASURES
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_sessions
from otel_costs.store.session_figures import figures

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_HALF_HOUR: Final = timedelta(minutes=30)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def summary(
    client: "Client", selection: Selection, now: datetime | None = None, columns: Collection[str] = MEASURES
) -> Row:
    """Return the figures of a selection; `before` is the period of the same length before it, None without a start.

    What calls cost is of one moment. `columns`: the measures that it has, those of COST among them; the share of cached
    input comes with the tokens. Money is exact, but for means and the projection, which are rounded to twelve
    decimals. Raises StoreError.
    """
    now = now or datetime.now(UTC)
    before, month = _before(selection, now), month_of(now, selection.tz)
    # Of whole half hours: where no bound cuts one, what was counted before serves.
    lately = now - LATELY - (now - LATELY - _EPOCH) % _HALF_HOUR, now + (_EPOCH - now) % _HALF_HOUR
    periods = {"whole": (selection.since, selection.until), "month": month, "lately": lately}
    found = costs.of_periods(client, selection, {**periods, **({"before": before} if before else {})}, columns)
    whole = found["whole"]
    return {
        "since": selection.since,
        "until": selection.until,
        "tz": selection.tz.key,
        **{name: value for name, value in whole.items() if name != "first_time"},
        **({"cached_share": _cached_share(whole["tokens"])} if "tokens" in whole else {}),
        "before": None if before is None else _compared(before, found["before"], whole),
        "sessions": sessions(client, selection),
        "month": _projected(*month, found["month"], found["lately"], now),
    }


def _cached_share(tokens: Mapping[str, int]) -> float | None:
    read = tokens["text_input"] + tokens["audio_input"] + tokens["cached_input"]
    return tokens["cached_input"] / read if read else None


def sessions(client: "Client", selection: Selection) -> Row:
    """Return how many sessions began, and what one of them that has a price cost: mean, median and 95th percentile."""
    condition = of_sessions(selection)
    source = session_list.source(client)
    sql = f"select {session_figures.COLUMNS} from {source} as s where {condition.sql}"  # noqa: S608
    (found,) = rows(client, sql, condition.parameters)
    return {"count": found["session_count"], **figures(found)}


def _projected(start: datetime, end: datetime, so_far: Row, lately: Row, now: datetime) -> Row:
    """Return what a month cost so far, and what it will have cost if it goes on as in the last seven days.

    Where the first call is younger than that, as since then, a day at least.
    """
    ends_at = projected(so_far["cost_usd"], lately["cost_usd"], lately["first_time"], now=now, end=end)
    return {"start": start, "end": end, "cost_usd": so_far["cost_usd"], "projected_usd": ends_at}


def _before(selection: Selection, now: datetime) -> tuple[datetime, datetime] | None:
    if selection.since is None:
        return None
    until = min(selection.until or now, now)
    return None if until <= selection.since else (selection.since - (until - selection.since), selection.since)


def _compared(before: tuple[datetime, datetime], found: Row, whole: Row) -> Row:
    return {
        "since": before[0],
        "until": before[1],
        "call_count": found["call_count"],
        "cost_usd": found["cost_usd"],
        "change_usd": whole["cost_usd"] - found["cost_usd"],
    }
