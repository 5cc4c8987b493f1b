"""The figures of an overview: a period beside the one before it, its sessions, and where its month is going."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.store import costs, session_figures
from otel_costs.store.periods import month_of
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_sessions
from otel_costs.store.session_figures import divided, figures

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_LATELY: Final = timedelta(days=7)
_HALF_HOUR: Final = timedelta(minutes=30)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def summary(client: "Client", selection: Selection, now: datetime | None = None) -> Row:
    """Return the figures of a selection; `before` is the period of the same length before it, None without a start.

    Money is exact, but for means and the projection, which are rounded to twelve decimals. Raises StoreError.
    """
    now = now or datetime.now(UTC)
    whole = costs.total(client, selection)
    tokens = whole["tokens"]
    read = tokens["text_input"] + tokens["audio_input"] + tokens["cached_input"]
    return {
        "since": selection.since,
        "until": selection.until,
        "tz": selection.tz.key,
        **whole,
        "cached_share": tokens["cached_input"] / read if read else None,
        "before": _before(client, selection, whole, now),
        "sessions": sessions(client, selection),
        "month": month(client, selection, now),
    }


def sessions(client: "Client", selection: Selection) -> Row:
    """Return how many sessions began, and what one of them that has a price cost: mean, median and 95th percentile."""
    condition = of_sessions(selection)
    sql = f"select {session_figures.COLUMNS} from sessions as s where {condition.sql}"  # noqa: S608
    (found,) = rows(client, sql, condition.parameters)
    return {"count": found["session_count"], **figures(found)}


def month(client: "Client", selection: Selection, now: datetime) -> Row:
    """Return what the month of `now` cost so far, and what it will have cost if it goes on as in the last seven days.

    Where the first call is younger than that, as since its day.
    """
    first, end = month_of(now, selection.tz)
    so_far = costs.total(client, replace(selection, since=first, until=end))["cost_usd"]
    # From a whole half hour on: where no bound cuts one, what was counted before serves.
    since = now - _LATELY
    since -= (since - _EPOCH) % _HALF_HOUR
    lately = costs.costs(client, replace(selection, since=since, until=None), ("hour",))
    spent = sum((row["cost_usd"] for row in lately), Decimal())
    projected = so_far
    if lately:
        began = max(since, datetime.fromisoformat(lately[0]["hour"]).astimezone(UTC))
        lasted = max((now - began).total_seconds(), 86_400.0)
        projected += divided(spent * int((end - now).total_seconds()), int(lasted))
    return {"start": first, "end": end, "cost_usd": so_far, "projected_usd": projected}


def _before(client: "Client", selection: Selection, whole: Row, now: datetime) -> Row | None:
    if selection.since is None:
        return None
    until = min(selection.until or now, now)
    if until <= selection.since:
        return None
    since = selection.since - (until - selection.since)
    found = costs.total(client, replace(selection, since=since, until=selection.since))
    return {
        "since": since,
        "until": selection.since,
        "call_count": found["call_count"],
        "cost_usd": found["cost_usd"],
        "change_usd": whole["cost_usd"] - found["cost_usd"],
    }
