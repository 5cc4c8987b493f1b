"""How many sessions cost how much: a histogram with steps of 1, 2 and 5, by kind of session."""

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_sessions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_FIRST: Final = -6
_LAST: Final = 9

BOUNDS: Final = (
    Decimal(),
    *(Decimal(step).scaleb(power) for power in range(_FIRST, _LAST) for step in (1, 2, 5)),
    Decimal(1).scaleb(_LAST),
)
"""Where the buckets begin, in US dollars; each has its beginning in it, and not its end. The last one has no end."""

_BUCKETS: Final = (
    "select s.kind as kind,"
    " arrayCount(bound -> bound <= s.cost_usd, {bounds:Array(String)}::Array(Decimal(38, 12))) as bucket,"
    " count() as count from sessions as s where s.cost_usd is not null and "
)


def distribution(client: "Client", selection: Selection) -> list[Row]:
    """Return the buckets of each kind of session that began in a selection, from the first to the last that has any.

    A row has `kind`, `from_usd`, `to_usd` and `count`. Sessions without a price are in none. Raises StoreError.
    """
    condition = of_sessions(selection)
    sql = f"{_BUCKETS}{condition.sql} group by kind, bucket"
    found = rows(client, sql, {**condition.parameters, "bounds": [f"{bound:f}" for bound in BOUNDS]})
    counts = {(row["kind"], row["bucket"]): row["count"] for row in found}
    buckets = [row["bucket"] for row in found]
    ends = [*pairwise(BOUNDS), (BOUNDS[-1], None)]
    return [
        {
            "kind": kind,
            "from_usd": ends[bucket - 1][0],
            "to_usd": ends[bucket - 1][1],
            "count": counts.get((kind, bucket), 0),
        }
        for kind in sorted({row["kind"] for row in found})
        for bucket in range(min(buckets), max(buckets) + 1)
    ]
