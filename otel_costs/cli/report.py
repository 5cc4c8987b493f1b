"""The command `report`: what a user, or everybody, cost in a time; by day, model and scenario."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, options, output
from otel_costs.cli.emptiness import NOTHING_YET, WHY_UNPRICED
from otel_costs.cli.others import spans_of_others
from otel_costs.cli.sessions import session_table

Row = Mapping[str, Any]

_GROUPS: Final = ("days", "models", "scenarios", "users")
_KEYS: Final = {
    "days": ("day",),
    "models": ("provider", "model", "operation"),
    "scenarios": ("scenario",),
    "users": ("user_id",),
}
_NAMES: Final = {"days": "By day", "models": "By model", "scenarios": "By scenario", "users": "By user"}
_TOKENS: Final = ("text_input", "text_output", "audio_input", "audio_output", "cached_input")
_PARTS: Final = (
    "text_input",
    "text_output",
    "audio_input",
    "audio_output",
    "speech_to_text",
    "text_to_speech",
    "other",
)
CSV_COLUMNS: Final = (
    "by", "user_id", "day", "provider", "model", "operation", "scenario", "call_count", "unpriced_calls", "cost_usd",
    *(f"{part}_usd" for part in _PARTS), *(f"{kind}_tokens" for kind in _TOKENS), "audio_seconds", "characters",
    "others",
)  # fmt: skip


@click.command("report", short_help="Report the cost of a user, or of all users.")
@click.option("--user", metavar="ID", help="Only of this user.  [default: all users]")
@options.period_options
@options.limit_option(20, "sessions or users")
@options.format_option
@options.dsn_option
def report(
    user: str | None, since: datetime | None, until: datetime | None, limit: int, form: str, dsn: str | None
) -> None:
    """Report the cost of a user, or of all users, by day, model and scenario, with totals."""
    from otel_costs.store import reports  # noqa: PLC0415

    with options.opened(dsn) as client, output.working("Adding up"):
        found: Row
        if user is not None:
            found = reports.user_report(client, user, since=since, until=until, limit=limit)
        else:
            found = reports.report(client, since=since, until=until, limit=limit)
        others = spans_of_others(client, user=user, since=since, until=until) if form == options.TABLE else None
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(_csv_rows(found), CSV_COLUMNS)
    else:
        output.show(report_tables(found))
        if others:
            output.note(others)
        if found["unpriced_calls"]:
            output.show(output.text(WHY_UNPRICED, "dim"))
        if not found["call_count"]:
            output.note(_nothing(user, bounded=bool(since or until)))


def _nothing(user: str | None, *, bounded: bool) -> str:
    if user is not None:
        return f"no calls of user {user!r} in this period; `otel-costs report` lists the users"
    return "no calls in this period; leave out --from and --to to count all" if bounded else NOTHING_YET


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
    whose = output.text(f"User {found['user_id']}" if "user_id" in found else "All users", "bold")
    parts = [formatting.period(found["since"], found["until"])]
    parts += [formatting.many(found["session_count"], "session")] if "session_count" in found else []
    parts += [formatting.many(found["call_count"], "call")]
    for part in parts:
        whose.append(" · ", "dim").append(part)
    return whose.append(" · ", "dim").append(formatting.total(found["cost_usd"], found["unpriced_calls"]), "bold")


def _table(group: str, rows: Sequence[Row]) -> Table:
    # Who has but one provider knows it.
    providers = {row["provider"] for row in rows if row.get("provider") is not None}
    keys = [key for key in _KEYS[group] if key != "provider" or len(providers) > 1]
    unpriced = any(row["unpriced_calls"] for row in rows)
    table = output.table(_NAMES[group])
    for key in keys:
        table.add_column("user" if key == "user_id" else key, overflow="fold")
    for name in ("calls", *(["unpriced"] if unpriced else []), "tokens in", "tokens out", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_names(row, keys), *_figures(row, unpriced=unpriced))
    if len(rows) > 1:
        table.add_section()
        table.add_row(Text("total", "bold"), *[""] * (len(keys) - 1), *_figures(_sum(rows), unpriced=unpriced))
    return table


def _names(row: Row, keys: Sequence[str]) -> Iterator[RenderableType]:
    """Yield whose a row is; that of all the others is named by how many they are."""
    if others := row.get("others"):
        yield Text(formatting.many(others, "other"), "dim")
        yield from [Text()] * (len(keys) - 1)
    else:
        yield from (output.text(row[key] or "(none)") for key in keys)


def _figures(row: Row, *, unpriced: bool) -> Iterator[RenderableType]:
    tokens = row["tokens"]
    yield f"{row['call_count']:,}"
    if unpriced:
        yield f"{row['unpriced_calls']:,}"
    yield f"{tokens['text_input'] + tokens['audio_input'] + tokens['cached_input']:,}"
    yield f"{tokens['text_output'] + tokens['audio_output']:,}"
    yield Text(formatting.known(row), "bold")


def _sum(rows: Sequence[Row]) -> Row:
    return {
        "call_count": sum(row["call_count"] for row in rows),
        "unpriced_calls": sum(row["unpriced_calls"] for row in rows),
        "cost_usd": sum((row["cost_usd"] for row in rows), Decimal()),
        "tokens": {kind: sum(row["tokens"][kind] for row in rows) for kind in _TOKENS},
    }


def _csv_rows(found: Row) -> Iterator[Row]:
    """Yield the groups as rows of one table; the column `by` says which. Each group adds up to the total.

    Where a group is cut, its last row has no name and says in `others` how many it sums up.
    """
    for group in _GROUPS:
        for row in found.get(group) or []:
            nested = {f"{kind}_tokens": row["tokens"][kind] for kind in _TOKENS}
            nested |= {f"{part}_usd": row["cost_breakdown"][part] for part in _PARTS}
            yield {"by": group.removesuffix("s"), "user_id": found.get("user_id", ""), **row, **nested}
