"""The command `compare`: two periods, or two groups, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Group, RenderableType
from rich.text import Text

from otel_costs.cli import formatting, options, output, time_zone
from otel_costs.cli.selecting import selection_options, tags
from otel_costs.store import costs, summary
from otel_costs.store.periods import period
from otel_costs.store.selection import TEXTS, Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Row = Mapping[str, Any]

_KEYS: Final = ("a_usd", "b_usd", "change_usd")
COLUMNS: Final = ("part", "name", *_KEYS, "change_share", "a_calls", "b_calls")


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
    first, second = _sides(sides, selection, datetime.now(UTC))
    with options.opened(dsn) as client, output.working("Adding up"):
        found = compared(client, first, second, by)
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(_csv_rows(found), COLUMNS)
    else:
        output.show(_tables(found, limit))


Side = tuple[str, Selection]


def _sides(given: Sequence[str], selection: Selection, now: datetime) -> tuple[Side, Side]:
    if len(given) == 2:
        return _side(given[0], selection, now), _side(given[1], selection, now)
    if given:
        raise click.UsageError("give two sides, such as 2026-10 2026-11, or none")
    if selection.since is None:
        selection = replace(selection, since=period("7d", now)[0])
    since, until = selection.since, min(selection.until or now, now)
    if since is None or until <= since:
        raise click.UsageError("the period has not begun yet")
    before = replace(selection, since=since - (until - since), until=since)
    return ("before", before), ("now", replace(selection, until=until))


def _side(text: str, selection: Selection, now: datetime) -> Side:
    name, equals, value = text.partition("=")
    if equals and name in TEXTS:
        chosen: dict[str, Any] = {name: value}
        return text, replace(selection, **chosen)
    if equals and name.startswith(costs.TAG):
        return text, replace(selection, tags=(*selection.tags, *tags([text.removeprefix(costs.TAG)])))
    try:
        since, until = period(text, now, time_zone.current())
    except ValueError:
        known = f"{', '.join(TEXTS)} or {costs.TAG}NAME"
        raise click.UsageError(
            f"{text!r} is neither a period (7d, 2026-11, 2026-11-01..2026-11-07) nor NAME=VALUE of {known}"
        ) from None
    return text, replace(selection, since=since, until=until)


def compared(client: "Client", first: Side, second: Side, by: str) -> Row:
    """Return both sides, and the groups with what each cost on either. Raises StoreError."""
    sides, groups = [], []
    for name, selection in (first, second):
        total = costs.total(client, selection)
        sides.append(
            {
                "name": name,
                "since": selection.since,
                "until": selection.until,
                **total,
                "sessions": summary.sessions(client, selection),
            }
        )
        groups.append({row[by]: row for row in costs.costs(client, selection, (by,))})
    rows = [_difference(name, groups[0].get(name), groups[1].get(name)) for name in {**groups[0], **groups[1]}]
    rows.sort(key=lambda row: (-abs(row["change_usd"]), row["name"]))
    whole = _difference("total", sides[0], sides[1])
    return {"by": by, "a": sides[0], "b": sides[1], "total": whole, "groups": rows}


def _difference(name: str, first: Row | None, second: Row | None) -> Row:
    usd = [row["cost_usd"] if row else Decimal() for row in (first, second)]
    change = usd[1] - usd[0]
    return {
        "name": name,
        **dict(zip(_KEYS, (*usd, change), strict=True)),
        "change_share": float(change / usd[0]) if usd[0] else None,
        "a_calls": first["call_count"] if first else 0,
        "b_calls": second["call_count"] if second else 0,
    }


def _csv_rows(found: Row) -> Iterator[Row]:
    yield {"part": "total", **found["total"]}
    yield from ({"part": found["by"], **row} for row in found["groups"])


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
    for key, said in (("mean_usd", "a session, mean"), ("p95_usd", "a session, 95th percentile")):
        about.add_row(said, *(_usd(side["sessions"][key]) for side in sides))
    about.add_row("cost", *(Text(formatting.usd(side["cost_usd"]), "bold") for side in sides))
    groups = output.table(f"By {found['by'].removeprefix(costs.TAG)}, the largest difference first")
    groups.add_column(found["by"].removeprefix(costs.TAG), no_wrap=True)
    for side in sides:
        groups.add_column(output.name(side["name"]), justify="right", no_wrap=True)
    groups.add_column("%", justify="right", no_wrap=True)
    groups.add_column("change", justify="right", no_wrap=True)
    for row in _cut(found["groups"], limit):
        groups.add_row(output.name(row["name"] or "(none)"), *_cells(row))
    groups.add_section()
    groups.add_row(Text("total", "bold"), *_cells(found["total"]))
    return Group(about, Text(), groups)


def _cut(rows: Sequence[Row], limit: int) -> Iterator[Row]:
    """Yield the first rows, and the others in one."""
    yield from rows[:limit]
    if others := rows[limit:]:
        sums = {key: sum((row[key] for row in others), Decimal()) for key in _KEYS}
        share = float(sums["change_usd"] / sums["a_usd"]) if sums["a_usd"] else None
        yield {"name": formatting.many(len(others), "other"), **sums, "change_share": share}


def _cells(row: Row) -> Iterator[RenderableType]:
    yield formatting.usd(row["a_usd"])
    yield formatting.usd(row["b_usd"])
    yield "" if row["change_share"] is None else f"{100 * row['change_share']:+,.1f}"
    sign = "+" if row["change_usd"] > 0 else "-" if row["change_usd"] < 0 else ""
    yield Text(f"{sign}{formatting.usd(abs(row['change_usd']))}", "bold")


def _usd(amount: Decimal | None) -> str:
    return "" if amount is None else formatting.usd(amount)
