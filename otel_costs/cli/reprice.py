"""The command `reprice`: stored calls by the prices that hold now."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.text import Text

from otel_costs import pricing
from otel_costs.cli import formatting, options, output
from otel_costs.store import periods

COLUMNS: Final = (
    "provider", "model", "calls", "before_usd", "after_usd", "unpriced_before", "unpriced_after", "computed_only",
)  # fmt: skip


@click.command("reprice", short_help="Price stored calls again.")
@options.period_options
@click.option(
    "--period",
    metavar="MONTH",
    help="Settle a month (UTC), such as 2026-11: discounts by its volume, and the hours of its reservations.",
)
@options.user_option
@click.option("--session", metavar="ID", help="Only of this session.")
@click.option("--provider", metavar="NAME", help="Only of this provider.")
@click.option("--model", metavar="NAME", help="Only of this model, requested or answering.")
@click.option("--unpriced", is_flag=True, help="Only calls without a price, or with a partial one.")
@click.option(
    "--prices",
    "path",
    metavar="FILE",
    type=click.Path(),
    help="A price file over the built-in prices.  [default: OTEL_COSTS_PRICES]",
)
@click.option("--dry-run", is_flag=True, help="List what would change, and change nothing.")
@options.format_option
@options.dsn_option
def reprice(
    since: datetime | None,
    until: datetime | None,
    period: str | None,
    user: str | None,
    session: str | None,
    provider: str | None,
    model: str | None,
    unpriced: bool,
    path: str | None,
    dry_run: bool,
    form: str,
    dsn: str | None,
) -> None:
    """Price stored calls again by the prices that held when each was made, as they are known now.

    Every call whose price is another one gets a newer revision; what was used stays as it was recorded. Give the same
    price file that the programs have, or negotiated prices become list prices. Pricing again brings them back.

    What a contract makes of a month's volume, and of what is reserved by the hour, takes all calls of the month: with
    --period they are settled. What is settled stays, as long as list price and contract are the same.
    """
    from otel_costs.store.reprice import Chosen, settle  # noqa: PLC0415
    from otel_costs.store.reprice import reprice as again  # noqa: PLC0415

    pricing.use(pricing.load(path))
    chosen = Chosen(since, until, user, session, provider, model, unpriced)
    month = None if period is None else _month(period)
    if month is not None and chosen != Chosen():
        raise click.UsageError("--period settles all calls of a month: give it without another choice of calls")
    with options.opened(dsn, long_work=True) as client, output.working("Pricing"):
        result = settle(client, month, dry_run=dry_run) if month else again(client, chosen, dry_run=dry_run)
    rows = [asdict(found) for _, found in sorted(result.sums.items())]
    if form == options.JSON:
        head = {"checked": result.checked, "changed": sum(row["calls"] for row in rows), "dry_run": dry_run}
        output.write_json({**head, "price_book": pricing.current().version, "changes": rows})
    elif form == options.CSV:
        output.write_csv(rows, COLUMNS)
    else:
        output.show(_table(rows, result.checked, dry_run=dry_run))


def _month(text: str) -> datetime:
    try:
        return periods.month(text, periods.UTC_ZONE)[0]
    except ValueError as error:
        raise click.UsageError(f"--period: {error}") from None


def _table(rows: Sequence[Mapping[str, Any]], checked: int, *, dry_run: bool) -> RenderableType:
    changed = sum(row["calls"] for row in rows)
    before, after = (sum((row[f"{when}_usd"] for row in rows), Decimal()) for when in ("before", "after"))
    summary = f"{formatting.many(checked, 'call')} looked at, {changed:,} {'would change' if dry_run else 'changed'}"
    if not rows:
        return Text(summary)
    table = output.table()
    table.add_column("provider", no_wrap=True)
    table.add_column("model", no_wrap=True)
    for name in ("calls", "unpriced", "from", "to"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        unpriced = f"{row['unpriced_before']:,} → {row['unpriced_after']:,}"
        table.add_row(
            output.name(row["provider"]), output.name(row["model"]), f"{row['calls']:,}", unpriced,
            formatting.exact(row["before_usd"]), Text(formatting.exact(row["after_usd"]), "bold"),
        )  # fmt: skip
    return Group(table, Text(f"{summary}, from {formatting.exact(before)} to {formatting.exact(after)}"))
