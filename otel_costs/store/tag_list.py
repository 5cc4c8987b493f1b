"""The tags that sessions have: their names, and the values that each has most often."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection, of_sessions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MOST_VALUES: Final = 20
"""Values that are listed of one tag."""

_TAGS: Final = (
    "select name, sum(v.sessions) as session_count, sum(v.calls) as call_count, count() as value_count,"
    " arraySlice(arraySort(v -> (-v.2, v.1), groupArray((v.value, v.sessions, v.calls))), 1, {most:UInt64}) as first"
    " from (select tag.1 as name, tag.2 as value, count() as sessions, sum(s.call_count) as calls from sessions as s"
    " array join s.tags::Array(Tuple(String, String)) as tag where {condition} group by name, value) as v"
    " group by name order by session_count desc, name limit {limit:UInt64}"
)


def tags(client: "Client", selection: Selection, limit: int) -> list[Row]:
    """Return the `limit` tags that most sessions of a selection have, with how many sessions and calls have them.

    `values` are those that a tag has most often, MOST_VALUES at most; `value_count` is how many there are. Raises
    StoreError.
    """
    condition = of_sessions(selection)
    sql = _TAGS.replace("{condition}", condition.sql)
    found = rows(client, sql, {**condition.parameters, "limit": limit, "most": MOST_VALUES})
    return [{**{name: row[name] for name in row if name != "first"}, "values": _values(row["first"])} for row in found]


def tag_rows(found: list[Row]) -> Iterator[Row]:
    """Yield a row for each tag and value that is listed."""
    for tag in found:
        for value in tag["values"]:
            yield {"name": tag["name"], **value}


def _values(first: list[tuple[str, int, int]]) -> list[Row]:
    return [{"value": value, "session_count": sessions, "call_count": calls} for value, sessions, calls in first]
