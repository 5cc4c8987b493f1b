"""The command `allocation check`: what rules that say whose spend is do, and what they leave."""

from typing import Any, Final

import click

from otel_costs.chargeback.rules import Allocation
from otel_costs.cli import formatting, options, output
from otel_costs.cli.selecting import selection_options
from otel_costs.store.selection import Selection

Row = dict[str, Any]

COLUMNS: Final = ("tag", "part", "line", "value", "asks", "call_count", "unpriced_calls", "cost_usd", "finding")
_MOST: Final = 10


@click.group("allocation", short_help="Check rules that say whose spend is.")
def allocation() -> None:
    """Look at the rules that give calls without a tag a value of it (docs/chargeback.md)."""


@allocation.command("check", short_help="Say what rules assign, and what they leave.")
@selection_options()
@options.limit_option(_MOST, "groups of what is not assigned")
@options.format_option
@options.dsn_option
@click.pass_context
def check(context: click.Context, selection: Selection, limit: int, form: str, dsn: str | None) -> None:
    """Say what each rule assigns of the calls that are chosen, which match nothing, and what nothing assigns.

    A call's own tag wins over every rule, and of rules the first in the file. Exit code 1: there is a finding.
    """
    from otel_costs.chargeback import findings  # noqa: PLC0415

    rules: Allocation | None = selection.allocation
    if rules is None:
        raise click.UsageError("no rules are given: --allocation FILE, or OTEL_COSTS_ALLOCATION")
    with options.opened(dsn) as client, output.working("Looking at all calls"):
        found = list(findings.check(client, selection, rules, limit))
    if form == options.JSON:
        output.write_json({"since": selection.since, "until": selection.until, "parts": found})
    elif form == options.CSV:
        output.write_csv(found, COLUMNS)
    else:
        _show(found)
    context.exit(1 if any(row["finding"] for row in found) else 0)


def _show(found: list[Row]) -> None:
    for tag in dict.fromkeys(row["tag"] for row in found):
        table = output.table(tag)
        for name in ("", "line", "value", "asks for"):
            table.add_column(name, no_wrap=name in ("", "line"))
        for name in ("calls", "unpriced", "cost"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for row in (row for row in found if row["tag"] == tag):
            table.add_row(
                row["part"],
                str(row["line"] or ""),
                output.text(row["value"]),
                output.text(row["asks"]),
                f"{row['call_count']:,}",
                f"{row['unpriced_calls']:,}",
                formatting.known(row),
                output.text(row["finding"] or "", "yellow"),
            )
        output.show(table)
