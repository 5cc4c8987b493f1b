"""The commands `budget set`, `remove`, `list` and `check`: what may be spent, and what was."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final, TypeVar

import click
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, options, output
from otel_costs.store.selection import dollars

Row = Mapping[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

COLUMNS: Final = (
    "scope", "name", "period", "period_start", "period_end", "zone", "limit_usd", "carried_usd", "spent_usd",
    "remaining_usd", "used", "state", "unpriced_calls", "soft", "rollover", "since",
)  # fmt: skip
NO_BUDGETS: Final = "no budgets yet: `otel-costs budget set 50 --user ID --period month` sets one"

_NAMED: Final = ("user", "scenario", "tag", "service", "model")
_STYLES: Final = {"over": "bold red", "warning": "bold yellow", "ok": "green"}


@click.group("budget", short_help="Set budgets, and check how much of them is spent.")
def budget() -> None:
    """Set what may be spent in a day, week or month, and see what was spent.

    Of a user, a scenario, a tag, a service, a model, or all together. Periods are calendar ones, in UTC or in the zone
    that is given; a week begins on Monday. A budget is a warning at 80 % and over past 100 %. Programs with
    OTEL_COSTS_BUDGETS are held to them before they call; `session(budget_usd=...)` limits a session of one program.
    """


def _target_options(function: F) -> F:
    for decorate in (
        click.option(
            "--period", type=click.Choice(["day", "week", "month"]), default="month", show_default=True,
            help="The calendar period of the budget.",
        ),
        click.option("--all", "everybody", is_flag=True, help="Of all users together."),
        click.option("--model", metavar="NAME", help="Of this model: o3, or openai/o3."),
        click.option("--service", metavar="NAME", help="Of this service."),
        click.option("--tag", metavar="NAME=VALUE", help="Of sessions with this tag."),
        click.option("--scenario", metavar="NAME", help="Of this scenario."),
        click.option("--user", metavar="ID", help="Of this user."),
    ):  # fmt: skip
        function = decorate(function)
    return function


def _target(options: Mapping[str, Any]) -> tuple[str, str]:
    named = [(scope, options[scope]) for scope in _NAMED]
    given = [pair for pair in (*named, ("all", "" if options["everybody"] else None)) if pair[1] is not None]
    if len(given) != 1 or (not given[0][1] and not options["everybody"]):
        raise click.UsageError(
            "give one of --user ID, --scenario NAME, --tag NAME=VALUE, --service NAME, --model NAME and --all"
        )
    from otel_costs.store import budgets  # noqa: PLC0415

    scope, name = given[0][0], given[0][1] or ""
    try:
        return scope, budgets.recorded(scope, name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@budget.command("set", short_help="Set a budget.")
@click.argument("limit", metavar="DOLLARS")
@_target_options
@click.option("--soft", is_flag=True, help="Calls past it are warned of, and sent.")
@click.option("--rollover", is_flag=True, help="What was left of the period before is added.")
@click.option("--zone", metavar="NAME", default="UTC", show_default=True, help="The time zone that its days begin in.")
@options.dsn_option
def set_(limit: str, period: str, soft: bool, rollover: bool, zone: str, dsn: str | None, **target: Any) -> None:
    """Set a budget of DOLLARS, replacing the one that was set before."""
    from otel_costs.store import budgets  # noqa: PLC0415

    scope, name = _target(target)
    try:
        usd = dollars(options.ungrouped(limit.removeprefix("$").strip()))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with options.opened(dsn) as client:
        try:
            since = budgets.since_of(client, scope, name, period)
            budgets.put(client, scope, name, period, budgets.Terms(usd, soft, rollover, zone), since)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    output.show(output.text(f"{_named(scope, name)} may spend {formatting.exact(usd)} a {period}"))


@budget.command("remove", short_help="Remove a budget.")
@_target_options
@options.dsn_option
def remove(period: str, dsn: str | None, **target: Any) -> None:
    """Remove a budget. Exit code 2: there is none."""
    from otel_costs.cli.failure import Failure  # noqa: PLC0415
    from otel_costs.store import budgets  # noqa: PLC0415

    scope, name = _target(target)
    with options.opened(dsn) as client:
        if not budgets.remove(client, scope, name, period):
            raise Failure(f"{_named(scope, name)} has no budget for a {period}; `otel-costs budget list` lists them")
    output.show(output.text(f"{_named(scope, name)} has no budget for a {period} any more"))


@budget.command("list", short_help="List the budgets with what was spent.")
@options.format_option
@options.dsn_option
def list_(form: str, dsn: str | None) -> None:
    """List the budgets with what was spent of them in the current day, week or month, the fullest first."""
    _write(_status(dsn), form)


@budget.command("check", short_help="Check that no budget is over.")
@options.format_option
@options.dsn_option
def check(form: str, dsn: str | None) -> None:
    """List the budgets of which 80 % or more are spent. Exit code 1: one of them is over."""
    found = _status(dsn)
    full = [row for row in found if row["state"] != "ok"]
    if form == options.TABLE and found and not full:
        output.show(f"{formatting.many(len(found), 'budget')}, none with 80 % or more spent")
    else:
        _write(full, form, none_yet=not found)
    if any(row["state"] == "over" for row in full):
        click.get_current_context().exit(1)


def _status(dsn: str | None) -> list[Row]:
    from otel_costs.store import reports  # noqa: PLC0415

    with options.opened(dsn) as client:
        found = reports.budget_status(client)
    # What was spent of nothing is no fraction, and no number of JSON's.
    return [{**row, "used": row["used"] if isfinite(row["used"]) else None} for row in found]


def _write(rows: Sequence[Row], form: str, *, none_yet: bool = True) -> None:
    if form == options.JSON:
        output.write_json({"budgets": rows})
    elif form == options.CSV:
        output.write_csv(rows, COLUMNS)
    elif rows:
        output.show(_table(rows))
    elif none_yet:
        output.note(NO_BUDGETS)


def _table(rows: Sequence[Row]) -> Table:
    table = output.table()
    table.add_column("budget of", no_wrap=True)
    table.add_column("period", no_wrap=True)
    for name in ("spent", "of", "used", ""):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        unpriced = f" + {row['unpriced_calls']:,} {formatting.UNPRICED}" if row["unpriced_calls"] else ""
        table.add_row(
            output.text(_named(row["scope"], row["name"])), row["period"], formatting.usd(row["spent_usd"]) + unpriced,
            formatting.usd(row["limit_usd"] + row["carried_usd"]), "" if row["used"] is None else f"{row['used']:.0%}",
            Text(row["state"], _STYLES[row["state"]]),
        )  # fmt: skip
    return table


def _named(scope: str, name: str) -> str:
    return "everybody" if scope == "all" else f"{scope} {name}"
