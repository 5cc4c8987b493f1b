"""The command `usage`: how much is used and when, what a session of each kind costs, and what the cache saved."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, options, output, selecting
from otel_costs.cli.emptiness import NOTHING_YET
from otel_costs.store.selection import Selection

Row = Mapping[str, Any]

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHADES: Final = " ▁▂▃▄▅▆▇█"


@click.command("usage", short_help="Say how much is used, and when.")
@selecting.selection_options()
@options.format_option
@options.dsn_option
def usage(selection: Selection, form: str, dsn: str | None) -> None:
    """Say how much is used and when: an average day, sessions by day and kind, what one of them costs (mean, median and
    95th percentile), the hours of the week, the share of cached input, and what the cache saved.

    Without --from all time. Calls count that ended in it, sessions that began in it; days and hours are those of --tz.
    """
    from otel_costs.store import usage_report  # noqa: PLC0415

    with options.opened(dsn, long_work=True) as client, output.working("Adding up"):
        found = usage_report.usage(client, selection)
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(usage_report.usage_rows(found), usage_report.COLUMNS)
    else:
        output.show(_tables(found))
        if not found["total"]["call_count"]:
            output.note(
                "no calls match; leave out --from, --to or a filter" if selecting.is_narrow(selection) else NOTHING_YET
            )


def _tables(found: Row) -> RenderableType:
    parts: list[RenderableType] = [_heading(found), _averages(found)]
    if found["by_kind"]:
        parts += [Text(), _kinds(found["by_kind"]), Text(), _days(found["by_day"])]
    if found["by_hour"]:
        parts += [Text(), _hours(found["by_hour"], found["tz"])]
    return Group(*parts, *_cache(found["cache"]))


def _heading(found: Row) -> Text:
    total = found["total"]
    text = output.line("All users" if found["user"] is None else f"User {found['user']}", "bold")
    parts = [formatting.period(found["since"], found["until"]), formatting.many(total["call_count"], "call")]
    for part in parts:
        text.append(" · ", "dim").append(part)
    return text.append(" · ", "dim").append(formatting.total(total["cost_usd"], total["unpriced_calls"]), "bold")


def _averages(found: Row) -> Text:
    day = found["per_day"]
    parts = [formatting.usd(day["cost_usd"]), f"{day['call_count']:,g} calls", f"{day['session_count']:,g} sessions"]
    return Text(f"An average day of {found['days']:,.1f}: {', '.join(parts)}")


def _kinds(kinds: Sequence[Row]) -> Table:
    table = output.table("Cost of a session")
    table.add_column("kind", overflow="fold")
    for name in ("sessions", "a day", "unpriced", "cost", "mean", "median", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in kinds:
        table.add_row(
            output.line(row["kind"] or "(none)"), f"{row['session_count']:,}", f"{row['sessions_per_day']:,g}",
            f"{row['unpriced_sessions']:,}", formatting.exact(row["cost_usd"]),
            *(formatting.usd(row[name]) for name in ("mean_usd", "p50_usd", "p95_usd")),
        )  # fmt: skip
    return table


def _days(days: Sequence[Row]) -> Table:
    kinds = list(dict.fromkeys(row["kind"] for row in sorted(days, key=lambda row: row["kind"])))
    counts = {(row["day"], row["kind"]): row["session_count"] for row in days}
    table = output.table("Sessions")
    table.add_column("day", no_wrap=True)
    for kind in kinds:
        table.add_column(output.line(kind or "(none)"), justify="right", overflow="fold")
    for day in dict.fromkeys(row["day"] for row in days):
        table.add_row(day, *(f"{counts.get((day, kind), 0):,}" for kind in kinds))
    return table


def _hours(hours: Sequence[Row], tz: str) -> Table:
    """Draw the cost of each hour of the week as the height of a sign."""
    costs = {(row["weekday"], row["hour"]): row["cost_usd"] for row in hours}
    most = max(costs.values()) or Decimal(1)
    table = output.table(f"Cost by weekday and hour, {tz}")
    table.add_column("", no_wrap=True)
    table.add_column("0     6     12    18", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    for number, name in enumerate(_WEEKDAYS, 1):
        of_day = [costs.get((number, hour)) for hour in range(24)]
        signs = "".join(" " if usd is None else _SHADES[1 + int(usd / most * (len(_SHADES) - 2))] for usd in of_day)
        table.add_row(name, signs, formatting.exact(sum(filter(None, of_day), Decimal())))
    return table


def _cache(cache: Row) -> list[RenderableType]:
    if cache["share"] is None:
        return []
    summary = f"Cached: {cache['share']:.1%} of the input, {cache['cached_tokens']:,} tokens"
    if cache["saved_usd"] is not None:
        summary += f"; that saved {formatting.exact(cache['saved_usd'])}"
    left = [
        f"Not counted: {formatting.many(row['call_count'], 'call')} of {row['model'] or 'any model'}: {row['reason']}"
        for row in cache["not_counted"]
    ]
    return [Text(), Text(summary), *(output.text(line, "dim") for line in left)]
