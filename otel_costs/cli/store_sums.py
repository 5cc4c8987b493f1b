"""The sums of two stores beside each other, by table and day."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table

from otel_costs.cli import output

if TYPE_CHECKING:
    from otel_costs.store.backups.sums import Sums

Row = dict[str, Any]


def rows(these: "Sums", those: "Sums", one: str, other: str) -> list[Row]:
    """Return a row for each table, day and measure."""
    found = []
    for table, day in sorted({*these, *those}):
        measured: list[dict[str, Any]] = []
        for sums in (these, those):
            known = sums.get((table, day))
            measured.append({"rows": known.rows, **dict(known.added)} if known else {"rows": 0})
        for name in {**measured[0], **measured[1]}:
            left, right = measured[0].get(name, 0), measured[1].get(name, 0)
            found.append(
                {"table": table, "day": day, "measure": name, one: left, other: right, "equal": str(left) == str(right)}
            )
    return found


def columns(one: str, other: str) -> tuple[str, ...]:
    """Return the columns in CSV."""
    return ("table", "day", "measure", one, other, "equal")


def table(found: Sequence[Row], one: str, other: str) -> Table:
    """Return a table: of each table and measure the total of the days, and the days that differ."""
    made = output.table()
    for name in ("table", "day", "measure"):
        made.add_column(name, no_wrap=True)
    for name in (one, other):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for (of, measure), days in _grouped(found).items():
        totals = [_total([row[side] for row in days]) for side in (one, other)]
        different = [row for row in days if not row["equal"]]
        many = f"{len(days):,} days" if days[0]["day"] else ""
        made.add_row(of, many, measure, *totals, "differs" if different else "equal")
        for row in different if many else ():
            made.add_row("", row["day"], measure, str(row[one]), str(row[other]), "differs")
    return made


def _grouped(found: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row["table"], row["measure"]), []).append(row)
    return groups


def _total(values: Sequence[Any]) -> str:
    return f"{sum((Decimal(str(value)) for value in values), Decimal()).normalize():f}"
