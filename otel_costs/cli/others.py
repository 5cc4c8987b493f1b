"""Spans of other instrumentations that no report adds up: a note below a report."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def spans_of_others(
    client: "Client", *, user: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> str | None:
    """Return a note on spans of others that carry usage and are of no call of ours; None if there are none.

    A store that does not count them in time, or does not know them yet, is no reason to have no report.
    """
    from otel_costs.store import StoreError, others  # noqa: PLC0415

    try:
        count = others.count(client, user=user, since=since, until=until)
    except StoreError as error:
        return f"spans of other instrumentations were not counted: {error}"
    if not count:
        return None
    if count == 1:
        spans = "1 span of another instrumentation has token usage but belongs to no recorded call; it is"
    else:
        spans = f"{count:,} spans of other instrumentations have token usage but belong to no recorded call; they are"
    return f"{spans} not in these sums (the view spans_of_others lists them)"
