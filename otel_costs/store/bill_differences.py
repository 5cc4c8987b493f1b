"""What providers' bills differ in from what was recorded, as the latest comparison of each day found it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from otel_costs.store import live
from otel_costs.store.reconciliation import UNITS
from otel_costs.store.rows import Row, rows, store_errors

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

USD: Final = "usd"
DAY_USD: Final = "day_usd"
"""The unit of what a whole day costs: the differences in USD of its models and items add up to it."""

_KEY: Final = ("day", "model", "unit")
_COLUMNS: Final = (
    "vendor", "part", *_KEY, "theirs", "ours", "difference", "cause", "found_at", "compared_at", "resolved",
)  # fmt: skip
_KNOWN: Final = """
select * except (changed_at) from bill_differences final
where vendor = {vendor:String} and part = {part:String} and not resolved
    and day >= {since:Date} and day < {until:Date}
"""
_OPEN: Final = """
select * from open_bill_differences
where day >= {since:Date} and day < {until:Date}
order by day desc, unit = {whole:String} desc, abs(difference) desc, vendor, part, model, unit limit {most:UInt64}
"""
_CHANGED: Final = """
select arrayJoin([found_at, compared_at]) as moment from bill_differences final group by moment order by moment
"""
_FIRST: Final = date(1970, 1, 1)
_LAST: Final = date(2149, 6, 6)  # of ClickHouse's Date


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of a day: of a model or line item in a unit. None where a side has no such."""

    day: date
    model: str
    unit: str
    theirs: Decimal | None
    ours: Decimal | None
    difference: Decimal
    cause: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared: the days of [since, until) of a vendor's bill, or of a part of it.

    `usage` and `costs` say which of both: what was not compared is not resolved.
    """

    vendor: str
    since: date
    until: date
    part: str = ""
    usage: bool = True
    costs: bool = True

    def has(self, unit: str) -> bool:
        """Return whether differences in a unit were looked for: of what was used, or of money in any currency."""
        return self.usage if unit in UNITS else self.costs


@dataclass(frozen=True, slots=True)
class Kept:
    """How many differences were found that were not known, were known, and are resolved."""

    new: int
    known: int
    resolved: int


def changed(client: "Client") -> list[datetime]:
    """Return when one was found or compared, in order: in between all are as they were. Raises StoreError."""
    return [row["moment"] for row in rows(client, _CHANGED)]


def keep(client: "Client", compared: Compared, found: Sequence[Difference]) -> Kept:
    """Note what a comparison found, in the place of what an earlier one of the same part and days did.

    What is found no more is noted as resolved. The client may read and write the table. Raises StoreError.
    """
    now = live.now(client)
    asked = {"vendor": compared.vendor, "part": compared.part, "since": compared.since, "until": compared.until}
    known = {_key(row): row for row in rows(client, _KNOWN, asked) if compared.has(row["unit"])}
    kept = [_row(compared, one, _found_at(known.get((one.day, one.model, one.unit)), now), now) for one in found]
    here = {_key(row) for row in kept}
    over = [{**row, "compared_at": now, "resolved": True} for key, row in known.items() if key not in here]
    _insert(client, [*kept, *over])
    return Kept(sum(key not in known for key in here), sum(key in known for key in here), len(over))


def differences(client: "Client", since: date | None = None, until: date | None = None, most: int = 1000) -> list[Row]:
    """Return what bills differ in, of the days of [since, until): the newest first. Raises StoreError.

    Dollars are in `theirs_usd`, `ours_usd` and `difference_usd`, quantities in `theirs`, `ours` and `difference`.
    """
    bounds = {"since": max(since or _FIRST, _FIRST), "until": min(until or _LAST, _LAST)}
    return [_with_units_apart(row) for row in rows(client, _OPEN, {**bounds, "whole": DAY_USD, "most": most})]


def _with_units_apart(row: Row) -> Row:
    is_money = row["unit"] in (USD, DAY_USD)
    sides = {name: row[name] for name in ("theirs", "ours", "difference")}
    none = dict.fromkeys(sides)
    dollars = {f"{name}_usd": value for name, value in (sides if is_money else none).items()}
    return {**row, **(none if is_money else sides), **dollars}


def _found_at(before: Row | None, now: datetime) -> datetime:
    return now if before is None else before["found_at"]


def _key(row: Row) -> tuple[date, str, str]:
    return row["day"], row["model"], row["unit"]


def _row(compared: Compared, one: Difference, found_at: datetime, now: datetime) -> Row:
    named = {name: getattr(one, name) for name in (*_KEY, "theirs", "ours", "difference", "cause")}
    where = {"vendor": compared.vendor, "part": compared.part}
    return {**where, **named, "found_at": found_at, "compared_at": now, "resolved": False}


def _insert(client: "Client", written: Iterable[Row]) -> None:
    table = [[row[name] for name in _COLUMNS] for row in written]
    if not table:
        return
    with store_errors("cannot note what the bill differs in"):
        client.insert("bill_differences", table, column_names=_COLUMNS)
