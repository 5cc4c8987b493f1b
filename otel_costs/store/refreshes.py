"""Refreshes of materialized views, which the store runs by itself: what they write back when they are done."""

import time
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_RUNNING: Final = (
    "select hostName() as host, view, last_refresh_time from {refreshes}"
    " where database = (select currentDatabase()) and status = 'Running'"
)
"""The refreshes that are under way; of those last_refresh_time is when they began."""

_WAIT_S: Final = 600.0  # one that takes longer is not waited for: what it writes back is counted the next time
_POLL_S: Final = 0.1


def wait(client: "Client", cluster: str | None = None) -> None:
    """Wait until the refreshes that are under way now have ended, on every server of `cluster`. Raises StoreError."""
    source = f"clusterAllReplicas(`{cluster}`, system.view_refreshes)" if cluster else "system.view_refreshes"
    sql = _RUNNING.format(refreshes=source)
    end = time.monotonic() + _WAIT_S
    running = begun = {tuple(row.values()) for row in rows(client, sql)}
    while running & begun and time.monotonic() < end:
        time.sleep(_POLL_S)
        running = {tuple(row.values()) for row in rows(client, sql)}
