"""How a store is: what came last, which of its data is set aside, what `otel-costs local` says of itself."""

import json
import os
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from otel_costs.semconv import ENV_DSN
from otel_costs.store import address, local_http
from otel_costs.store.connection import DEFAULT_DSN
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TIMEOUT_S: Final = 5.0

_LAST: Final = """
select s.service as service, lower(hex(s.process_id)) as process_id, max(s.last_time) as last_time,
    max(s.arrived) as arrived, groupBitmapMerge(s.seqs) as call_count
from call_sequences as s
where s.last_time > '1970-01-02'
group by s.service, s.process_id
order by arrived desc, last_time desc
limit 1
"""
_DETACHED: Final = """
select table, count() as parts from system.detached_parts where database = currentDatabase() group by table
"""


def last_process(client: "Client") -> Row | None:
    """Return the process whose call arrived last: service, process_id, last_time, arrived, call_count.

    None if no call has arrived in as many days as raw records are kept. Raises StoreError.
    """
    found = rows(client, _LAST)
    return found[0] if found else None


def misdated(client: "Client") -> int:
    """Return how many calls have a time that no clock can have meant. Raises StoreError."""
    return sum(calls for _, calls in misdated_days(client))


def misdated_days(client: "Client") -> list[tuple[datetime, int]]:
    """Return when the first of such calls arrived on each day on which some did, and how many. Raises StoreError."""
    return [(row["first_arrived"], int(row["calls"])) for row in rows(client, "select * from misdated_calls")]


def detached(client: "Client") -> list[Row]:
    """Return the tables of which parts are set aside, in no report: table, parts. Raises StoreError."""
    return rows(client, _DETACHED)


def state(dsn: str | None) -> dict[str, Any] | None:
    """Return what `otel-costs local` at `dsn` says of itself (docs/local.md); None if it is something else."""
    where = address.read(dsn or os.environ.get(ENV_DSN) or DEFAULT_DSN)
    if where.embedded:
        return None
    try:
        status, body = local_http.answer(where, "/state", timeout_s=_TIMEOUT_S)
        found = json.loads(body) if status == HTTPStatus.OK else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "storing" in found else None
