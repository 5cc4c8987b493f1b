"""Spans of other instrumentations that carry usage and are of no call of ours: what they used is in no report."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import Row, between, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_FROM: Final = (
    "from spans_of_others(user = {user:Nullable(String)},"
    " since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')})"
)


def spans(
    client: "Client", *, user: str | None = None, since: date | None = None, until: date | None = None
) -> list[Row]:
    """Return a row per span, the newest first; of `user`, those that name it. Raises StoreError."""
    return rows(client, f"select * {_FROM} order by start_time desc, span_id", _parameters(user, since, until))


def count(client: "Client", *, user: str | None = None, since: date | None = None, until: date | None = None) -> int:
    """Return how many `spans` there are. Raises StoreError, also when they cannot be counted in five seconds."""
    sql = f"select count() as spans {_FROM} settings max_execution_time = 5"
    return int(rows(client, sql, _parameters(user, since, until))[0]["spans"])


def _parameters(user: str | None, since: date | None, until: date | None) -> Mapping[str, object]:
    return {"user": user, **between(since, until)}
