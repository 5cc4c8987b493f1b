"""The command `compare`: two periods, or two groups, side by side."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from otel_costs.cli import formatting, options, output
from otel_costs.cli.selecting import selection_options
from otel_costs.store import comparison, costs
from otel_costs.store.selection import Selection

Row = Mapping[str, Any]


@click.command("compare", short_help="Lay two periods or two groups side by side.")
@click.argument("sides", metavar="[A B]", nargs=-1)
@click.option("--by", metavar="NAME", default="model", show_default=True, help="What the difference is split by.")
@selection_options()
@options.limit_option(20, "groups")
@options.format_option
@options.dsn_option
def compare(sides: tuple[str, ...], by: str, selection: Selection, limit: int, form: str, dsn: str | None) -> None:
    """Lay A and B side by side: what each cost, its sessions and calls, and where the difference is.

    A and B are periods (2026-10 2026-11), or groups (model=gpt-4o model=gpt-5.4, tag.team=west tag.team=east). Without
    them it is the period of --range or --from and --to, by default 7d, and the one of the same length before it. The
    other options hold for both.
    """
    try:
        costs.check((by,))
    except ValueError as error:
        raise click.UsageError(f"--by: {error}") from None
    try:
        first, second = comparison.sides(sides, selection, datetime.now(UTC))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with options.opened(dsn) as client, output.working("Adding up"):
        found = comparison.compared(client, first, second, by)
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(comparison.comparison_rows(found), comparison.COLUMNS)
    else:
        output.show(_tables(found, limit))


def _tables(found: Row, limit: int) -> RenderableType:
    about = output.table("Two sides")
    about.add_column("", no_wrap=True)
    for side in (found["a"], found["b"]):
        about.add_column(output.name(side["name"]), justify="right", no_wrap=True)
    sides = (found["a"], found["b"])
    about.add_row("period", *(formatting.period(side["since"], side["until"]) for side in sides))
    about.add_row("calls", *(f"{side['call_count']:,}" for side in sides))
    about.add_row("calls without a price", *(f"{side['unpriced_calls']:,}" for side in sides))
    about.add_row("sessions", *(f"{side['sessions']['count']:,}" for side in sides))
    for key, label in (("mean_usd", "a session, mean"), ("p95_usd", "a session, 95th percentile")):
        about.add_row(label, *(_usd(side["sessions"][key]) for side in sides))
    about.add_row("cost", *(Text(formatting.usd(side["cost_usd"]), "bold") for side in sides))
    groups = output.table(f"By {found['by'].removeprefix(costs.TAG)}, the largest difference first")
    groups.add_column(found["by"].removeprefix(costs.TAG), no_wrap=True)
    for side in sides:
        groups.add_column(output.name(side["name"]), justify="right", no_wrap=True)
    groups.add_column("%", justify="right", no_wrap=True)
    groups.add_column("change", justify="right", no_wrap=True)
    for row in comparison.cut(found["groups"], limit):
        others = formatting.many(row["others"], "other") if row.get("others") else ""
        groups.add_row(output.name(others or row["name"] or "(none)"), *_cells(row))
    groups.add_section()
    groups.add_row(Text("total", "bold"), *_cells(found["total"]))
    return Group(about, Text(), groups)


def _cells(row: Row) -> Iterator[RenderableType]:
    yield formatting.usd(row["a_usd"])
    yield formatting.usd(row["b_usd"])
    yield "" if row["change_share"] is None else f"{100 * row['change_share']:+,.1f}"
    sign = "+" if row["change_usd"] > 0 else "-" if row["change_usd"] < 0 else ""
    yield Text(f"{sign}{formatting.usd(abs(row['change_usd']))}", "bold")


def _usd(amount: Decimal | None) -> str:
    return "" if amount is None else formatting.usd(amount)
