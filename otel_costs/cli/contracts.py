"""The command `contracts`: what contracts make of costs, what is left of commitments, and what was reserved unused."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.table import Table

from otel_costs import pricing
from otel_costs.cli import formatting, options, output, time_zone
from otel_costs.cli.prices import prices_option
from otel_costs.pricing.cost import CURRENCY
from otel_costs.store import periods

Row = Mapping[str, Any]

NO_CONTRACTS: Final = (
    "no contracts: the prices in force have none, and no call names one; docs/contracts.md says how they are written"
)

_NO_RATE: Final = (
    "no rate of exchange is known of their day (add one to exchange_rates of the price file, then otel-costs reprice"
    " --period MONTH)"
)


@click.command("contracts", short_help="Say what contracts make of costs, and what is left.")
@options.period_options
@prices_option
@options.format_option
@options.dsn_option
def contracts(since: datetime | None, until: datetime | None, path: str | None, form: str, dsn: str | None) -> None:
    """Say of each contract what its calls cost, at list prices and by it, of the current month or of the time given.

    With the hours of reservations that were settled, and what of them nobody used; and commitments, whatever the time:
    what is used of them, what is left, and what will be missing at their end if it goes on as in the last seven days.
    Amounts are in the currency of the contract. What waits for its month, `otel-costs reprice --period` settles.
    """
    from otel_costs.store import contracts as stored  # noqa: PLC0415

    pricing.use(pricing.load(path))
    now = datetime.now(UTC)
    if since is None and until is None:
        since, until = periods.month_of(now, time_zone.current())
    with options.opened(dsn) as client:
        found = stored.contracts(client, since, until, now)
    if form == options.JSON:
        output.write_json({"since": since, "until": until, "contracts": found})
    elif form == options.CSV:
        output.write_csv(stored.part_rows(found), stored.COLUMNS)
    elif found:
        output.show(*_tables(found, stored.reservation_rows(found), stored.commitment_rows(found), since, until))
    else:
        output.note(NO_CONTRACTS)


def _tables(
    found: Sequence[Row],
    reservations: Sequence[Row],
    commitments: Sequence[Row],
    since: datetime | None,
    until: datetime | None,
) -> Iterator[RenderableType]:
    yield output.text(f"Contracts · {formatting.period(since, until)}", "bold")
    yield _costs(found)
    waiting = sum(row["unsettled_calls"] for row in found)
    if waiting:
        yield output.text(f"{formatting.many(waiting, 'call')} to be settled: otel-costs reprice --period MONTH", "dim")
    if unconverted := sum(row["unconverted_calls"] for row in found):
        calls = formatting.many(unconverted, "call")
        yield output.text(f"{calls} in no amount of a contract's currency: {_NO_RATE}", "dim")
    if reservations:
        yield _reservations(reservations)
    if commitments:
        yield _commitments(commitments)


def _costs(found: Sequence[Row]) -> Table:
    table = _table("contract", "calls", "list", "by contract", "cost", "saved", "in its currency")
    for row in found:
        table.add_row(
            output.text(row["contract_id"]), f"{row['call_count']:,}", formatting.usd(row["list_usd"]),
            formatting.usd(row["contracted_usd"]), formatting.total(row["cost_usd"], row["unpriced_calls"]),
            formatting.usd(row["saved_usd"]), _amount(row["contract_amount"], row["currency"]),
        )  # fmt: skip
    return table


def _reservations(found: Sequence[Row]) -> Table:
    table = _table("reservation", "hours", "paid", "used", "unused", "to be settled")
    for row in found:
        amounts = [_amount(row[name], row["currency"]) for name in ("amount", "used_amount", "unused_amount")]
        table.add_row(_name(row), f"{row['hours']:,}", *amounts, f"{row['unsettled_hours']:,}")
    return table


def _commitments(found: Sequence[Row]) -> Table:
    table = _table("commitment", "until", "amount", "used", "left", "share", "at its end", "missing")
    for row in found:
        amount, used, left, ending, missing = (
            _amount(row[name], row["currency"])
            for name in ("amount", "used_amount", "left_amount", "projected_amount", "missing_amount")
        )
        share = "" if row["used"] is None else f"{row['used']:.0%}"
        table.add_row(_name(row), f"{row['end']:%Y-%m-%d}", amount, used, left, share, ending, missing)
    return table


def _table(first: str, *others: str) -> Table:
    table = output.table()
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _name(row: Row) -> RenderableType:
    return output.text(f"{row['contract_id']}/{row['name']}")


def _amount(amount: Decimal, currency: str) -> str:
    found = formatting.usd(amount)
    return found if currency == CURRENCY else f"{currency} {found.removeprefix('$')}"
