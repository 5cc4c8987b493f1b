"""The command `report`: what a user, or everybody, cost in a time; by day, model and scenario."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.chargeback import shared_costs
from otel_costs.cli import formatting, options, output
from otel_costs.cli.emptiness import NOTHING_YET, WHY_UNPRICED
from otel_costs.cli.groups import add_figures, figures, group_columns, group_tables
from otel_costs.cli.others import spans_of_others
from otel_costs.cli.selecting import selection_options
from otel_costs.cli.sessions import session_table
from otel_costs.store import costs
from otel_costs.store.reports import BREAKDOWN, TOKENS
from otel_costs.store.selection import Selection

Row = Mapping[str, Any]

_GROUPS: Final = ("days", "models", "scenarios", "users")
_KEYS: Final = {
    "days": ("day",),
    "models": ("provider", "model", "operation"),
    "scenarios": ("scenario",),
    "users": ("user_id",),
}
_NAMES: Final = {"days": "By day", "models": "By model", "scenarios": "By scenario", "users": "By user"}
CSV_COLUMNS: Final = (
    "by", "user_id", "day", "provider", "model", "operation", "scenario", "call_count", "unpriced_calls", "cost_usd",
    *(f"{part}_usd" for part in BREAKDOWN), *(f"{kind}_tokens" for kind in TOKENS), "audio_seconds", "characters",
    "others",
)  # fmt: skip


def _by(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    found = tuple(text.split(",")) if text else ()
    try:
        costs.check(found)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None
    return found


@click.command("report", short_help="Report what calls cost, by anything that they have.")
@click.option(
    "--by",
    metavar="NAME,...",
    callback=_by,
    help=f"Split by these alone: {', '.join(costs.DIMENSIONS)}, tag.NAME.",
)
@selection_options()
@click.option(
    "--limit", type=click.IntRange(min=1), help="How many users, sessions or groups at most.  [default: 20; --by: 100]"
)
@options.format_option
@options.dsn_option
def report(by: tuple[str, ...], selection: Selection, limit: int | None, form: str, dsn: str | None) -> None:
    """Report what calls cost, of everybody or of those that are chosen: by day, model and scenario, with totals.

    With --by it is one table, of the groups that are asked for. What --limit cuts off has one row.
    """
    from otel_costs.store.selected_report import selected_report  # noqa: PLC0415

    others = None
    with options.opened(dsn) as client, output.working("Adding up"):
        if by:
            found = shared_costs.report(client, selection, by, limit or 100)
        else:
            found = selected_report(client, selection, limit or 20)
        if form == options.TABLE and selection.filters <= {"user"}:  # they know no more
            others = spans_of_others(client, user=selection.user, since=selection.since, until=selection.until)
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        rows, columns = (found["costs"], group_columns(by, found)) if by else (_csv_rows(found), CSV_COLUMNS)
        output.write_csv(rows, columns)
    else:
        output.show(group_tables(found) if by else report_tables(found))
        _write_notes(found["total"] if by else found, selection, others)


def _write_notes(total: Row, selection: Selection, others: str | None) -> None:
    """Write beside the tables what is not in them."""
    if others:
        output.note(others)
    if total["unpriced_calls"]:
        output.show(output.text(WHY_UNPRICED, "dim"))
    if not total["call_count"]:
        output.note(_nothing(selection))


def _nothing(selection: Selection) -> str:
    if selection.filters == {"user"}:
        return f"no calls of user {selection.user!r} in this period; `otel-costs report` lists the users"
    if selection.filters:
        return "no calls match in this period; `otel-costs report` lists all"
    if selection.since or selection.until:
        return "no calls in this period; leave out --from, --to and --range to count all"
    return NOTHING_YET


def report_tables(found: Row) -> RenderableType:
    """Return a report as tables: the total, then what it is made of."""
    parts: list[RenderableType] = [_heading(found)]
    for group in _GROUPS:
        rows = found.get(group) or []
        # One nameless scenario says no more than the total.
        if rows and not (group == "scenarios" and not any(row["scenario"] for row in rows)):
            parts += [Text(), _table(group, rows)]
    if sessions := found.get("sessions"):
        parts += [Text(), Text("Sessions", "bold"), session_table(sessions)]
    return Group(*parts)


def _heading(found: Row) -> Text:
    heading = output.line(f"User {found['user_id']}" if "user_id" in found else "All users", "bold")
    parts = [formatting.period(found["since"], found["until"])]
    parts += [formatting.many(found["session_count"], "session")] if "session_count" in found else []
    parts += [formatting.many(found["call_count"], "call")]
    for part in parts:
        heading.append(" · ", "dim").append(part)
    return heading.append(" · ", "dim").append(formatting.total(found["cost_usd"], found["unpriced_calls"]), "bold")


def _table(group: str, rows: Sequence[Row]) -> Table:
    # A single provider needs no mention.
    providers = {row["provider"] for row in rows if row.get("provider") is not None}
    keys = [key for key in _KEYS[group] if key != "provider" or len(providers) > 1]
    unpriced = any(row["unpriced_calls"] for row in rows)
    table = output.table(_NAMES[group])
    for key in keys:
        table.add_column("user" if key == "user_id" else key, no_wrap=True)
    add_figures(table, unpriced=unpriced)
    for row in rows:
        table.add_row(*_names(row, keys), *figures(row, unpriced=unpriced))
    if len(rows) > 1:
        table.add_section()
        table.add_row(Text("total", "bold"), *[""] * (len(keys) - 1), *figures(_sum(rows), unpriced=unpriced))
    return table


def _names(row: Row, keys: Sequence[str]) -> Iterator[RenderableType]:
    """Yield whose a row is; that of all the others is named by how many they are."""
    if others := row.get("others"):
        yield Text(formatting.many(others, "other"), "dim")
        yield from [Text()] * (len(keys) - 1)
    else:
        yield from (output.name(row[key] or "(none)") for key in keys)


def _sum(rows: Sequence[Row]) -> Row:
    return {
        "call_count": sum(row["call_count"] for row in rows),
        "unpriced_calls": sum(row["unpriced_calls"] for row in rows),
        "cost_usd": sum((row["cost_usd"] for row in rows), Decimal()),
        "tokens": {kind: sum(row["tokens"][kind] for row in rows) for kind in TOKENS},
    }


def _csv_rows(found: Row) -> Iterator[Row]:
    """Yield the groups as rows of one table; the column `by` says which. Each group adds up to the total.

    Where a group is cut, its last row has no name and says in `others` how many it sums up.
    """
    for group in _GROUPS:
        for row in found.get(group) or []:
            yield {"by": group.removesuffix("s"), "user_id": found.get("user_id", ""), **row}
