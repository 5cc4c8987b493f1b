"""Bills that differ from what was recorded, as the latest comparison found them."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from otel_costs.alerts.finding import MOST, Finding, money
from otel_costs.alerts.rules import Rule
from otel_costs.store import bill_differences
from otel_costs.store.rows import Row, rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Units of other currencies are left out: they were not compared. What is not money counts by its share alone.
_SQL: Final = """
select vendor, part, day, anyIf(cause, unit = {{whole:String}}) as of_day, any(cause) as of_any,
    anyIf(difference, unit = {{whole:String}}) as usd, countIf(unit = {{whole:String}}) as is_money,
    max(if(unit = {{usd:String}} or ours is null and cause = 'another_currency', 0,
        100 * toFloat64(abs(difference)) / greatest(toFloat64(abs(coalesce(theirs, 0))),
            toFloat64(abs(coalesce(ours, 0)))))) as percent
from {source} group by vendor, part, day
having {{least_usd:Decimal(38, 12)}} > 0 and abs(usd) >= {{least_usd:Decimal(38, 12)}}
    or {{least_percent:Decimal(38, 12)}} > 0 and percent >= toFloat64({{least_percent:Decimal(38, 12)}})
order by abs(usd) desc, percent desc, vendor, part, day limit {{most:UInt32}}
"""
_NOW: Final = "open_bill_differences"
_PAST: Final = "bill_differences_at(at = {at:DateTime64(3, 'UTC')})"


def find(client: "Client", rule: Rule, at: datetime | None = None) -> list[Finding]:
    """Return the days of bills that differ by so much; `at` is a moment that is past, None is now. Raises StoreError.

    Of the past, those are returned that had been found by then and not been resolved, as they were compared last.
    """
    given = {
        "whole": bill_differences.DAY_USD,
        "usd": bill_differences.USD,
        "least_usd": rule.usd,
        "least_percent": rule.percent,
        "most": MOST,
    }
    sql = _SQL.format(source=_PAST if at else _NOW)
    return [
        Finding(f"{row['vendor']}|{row['part']}|{row['day']}", _message(row))
        for row in rows(client, sql, given | ({"at": at} if at else {}))
    ]


def _message(row: Row) -> str:
    bill = f"{row['vendor']}'s bill" + (f" ({row['part']})" if row["part"] else "")
    cause = (row["of_day"] or row["of_any"]).replace("_", " ")
    if not row["is_money"]:
        return f"{bill} of {row['day']} and what was recorded differ by {row['percent']:.1f}% of a quantity: {cause}"
    more = "more" if row["usd"] > 0 else "less"
    return f"{bill} of {row['day']} is ${money(abs(row['usd']))} {more} than was recorded: {cause}"
