"""What is compared of two stores: of each table and day how many rows there are, and what they add up to, exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store.backups.tables import PLAIN, Table
from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_DAYS: Final = ("end_time", "timestamp", "Timestamp", "day")
"""What tells the day of a row: the first of these that its table has."""

_ADDED: Final = ("cost_usd", "input_tokens", "output_tokens", "audio_seconds", "bytes")

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sum:
    """The rows of a table that are of one day (UTC; "" where rows have no day), and their sums, as exact texts."""

    rows: int
    added: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return ", ".join([f"{self.rows:,} rows", *(f"{name} {value}" for name, value in self.added)])


Sums = dict[Key, Sum]


def of(client: "Client", database: str, tables: Sequence[Table]) -> Sums:
    """Return the sums of `tables` by table and day; of what is stored several times each row counts once."""
    found: Sums = {}
    for table in tables:
        for row in rows(client, _query(database, table)):
            added = tuple((name, _exact(row[name])) for name in _added(table))
            found[table.name, str(row["day"])] = Sum(row["row_count"], added)
    return found


def differences(these: Sums, those: Sums) -> list[Key]:
    """Return where two differ, in their order."""
    return sorted(key for key in {*these, *those} if these.get(key) != those.get(key))


def plain(sums: Sums) -> list[dict[str, Any]]:
    """Return them as JSON has them."""
    return [
        {"table": table, "day": day, "rows": one.rows, **dict(one.added)} for (table, day), one in sorted(sums.items())
    ]


def read(rows_: Sequence[dict[str, Any]]) -> Sums:
    """Return them from what `plain` gave."""
    return {
        (row["table"], row["day"]): Sum(
            row["rows"], tuple((name, value) for name, value in row.items() if name not in ("table", "day", "rows"))
        )
        for row in rows_
    }


def _added(table: Table) -> list[str]:
    return [name for name in _ADDED if name in table.names and table.name in ("calls", "messages")]


def _query(database: str, table: Table) -> str:
    day = next((f"toString(toDate32(t.{name}))" for name in _DAYS if name in table.names), "''")
    added = "".join(f", sum(t.{name}) as {name}" for name in _added(table))
    final = "" if table.engine == PLAIN else "final"
    where = "where not t.superseded" if table.name == "calls" and "superseded" in table.names else ""
    return (
        f"select {day} as day, count() as row_count{added} from {database}.{table.name} as t {final} {where}"  # noqa: S608
        " group by day order by day"
    )


def _exact(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value or 0)
