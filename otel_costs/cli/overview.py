"""What `otel-costs` says by itself: today, this week and this month, the dearest sessions, and what needs a look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group, RenderableType
from rich.text import Text

from otel_costs.cli import formatting, options, output, time_zone
from otel_costs.cli.emptiness import NOTHING_YET
from otel_costs.store import costs, inbox, session_list, summary
from otel_costs.store.periods import calendar
from otel_costs.store.reports import COST
from otel_costs.store.rows import Row as StoredRow
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Row = Mapping[str, Any]

_PERIODS: Final = {"today": "day", "this week": "week", "this month": "month"}
_DEAREST: Final = 5
_LATELY: Final = timedelta(days=30)
_MOST_REASONS: Final = 5


def overview(dsn: str | None = None) -> None:
    """Print the overview of the store at `dsn`. Raises StoreError."""
    with options.opened(dsn) as client:
        output.show(tables(read(client, datetime.now(UTC))))


def read(client: "Client", now: datetime) -> Row:
    """Return the current periods, the dearest sessions of the last 30 days, and what needs a look in those."""
    every = Selection(tz=time_zone.current())
    lately = replace(every, since=now - _LATELY)
    periods = {name: calendar(length, now, every.tz)[1:] for name, length in _PERIODS.items()}
    found: list[StoredRow] = []
    for name, spent in costs.of_periods(client, every, periods, COST).items():
        since, until = periods[name]
        sessions = summary.sessions(client, replace(every, since=since, until=until))["count"]
        found.append({"period": name, "session_count": sessions, **spent})
    return {
        "periods": found,
        "sessions": session_list.sessions(client, lately, sort="cost", limit=_DEAREST)["sessions"],
        "inbox": inbox.inbox(client, lately, now),
    }


def tables(found: Row) -> RenderableType:
    """Return the overview as tables."""
    if not any(row["call_count"] for row in found["periods"]) and not found["sessions"]:
        return Text(f"No calls this month: {NOTHING_YET}, or look further back with `otel-costs report`")
    spent = output.table("What was spent")
    spent.add_column(f"({time_zone.name()})", no_wrap=True)
    for name in ("sessions", "calls", "unpriced", "cost"):
        spent.add_column(name, justify="right", no_wrap=True)
    for row in found["periods"]:
        counts = [f"{row[name]:,}" for name in ("session_count", "call_count", "unpriced_calls")]
        spent.add_row(row["period"], *counts, Text(formatting.known(row), "bold"))
    parts: list[RenderableType] = [spent, Text(), *_dearest(found["sessions"])]
    attention = list(_needing_attention(found["inbox"]))
    parts.append(Text("Needs a look", "bold") if attention else Text("Nothing needs a look.", "dim"))
    return Group(*parts, *attention)


def _dearest(sessions: Sequence[Row]) -> Iterator[RenderableType]:
    from otel_costs.cli.sessions import session_table  # noqa: PLC0415

    if sessions:
        yield Text("Dearest sessions of 30 days", "bold")
        yield session_table(sessions)
        yield Text()


def _needing_attention(found: Row) -> Iterator[RenderableType]:
    for row in found["not_priced"][:_MOST_REASONS]:
        calls = formatting.many(row["call_count"], "call")
        yield output.text(
            f"  {calls} of {row['provider']} {row['model']} {row['cost_status']}: {row['cost_reason'] or 'unknown'}"
            " (`otel-costs doctor` says what to do)"
        )
    if more := found["not_priced"][_MOST_REASONS:]:
        yield Text(f"  and {formatting.many(len(more), 'other reason')} (`otel-costs doctor`)")
    if missing := sum(row["missing_count"] for row in found["missing_calls"]):
        yield Text(f"  {formatting.many(missing, 'call')} never arrived (the view missing_calls says of which process)")
    if misdated := found["misdated_calls"]:
        yield Text(f"  {formatting.many(misdated, 'call')} with a time that no report covers (the view misdated_calls)")
    for row in found["dear_sessions"][:_DEAREST]:
        times = f"{inbox.DEAR} times and more of what a session of its kind usually costs"
        yield (
            Text("  session ")
            .append_text(output.name(row["session_id"]))
            .append(f": {formatting.usd(row['cost_usd'])}, {times}")
        )
    for row in found["dear_days"][:_DEAREST]:
        usual = f"{formatting.usd(row['average_usd'])} is usual"
        yield Text(f"  {row['day']}: {formatting.usd(row['cost_usd'])}, {usual} in the four weeks before")
    bills = {(row["vendor"], row["day"]) for row in found["bill_differences"]}
    for vendor in sorted({vendor for vendor, _ in bills}):
        days = formatting.many(sum(one == vendor for one, _ in bills), "day")
        yield output.text(f"  {vendor}'s bill differs on {days} (`otel-costs reconcile --provider {vendor}`)")
