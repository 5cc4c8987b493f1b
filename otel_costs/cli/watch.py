"""The command `watch`: calls as they arrive, each with its cost, and what today costs so far."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click
from rich.text import Text

from otel_costs.cli import formatting, options, output, time_zone
from otel_costs.store import live
from otel_costs.store.rendering import as_json

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Row = Mapping[str, Any]

_OVERLAP: Final = timedelta(seconds=30)
"""A record is seen some time after the moment at which it arrived."""


@click.command("watch", short_help="Show calls as they arrive.")
@click.option("--interval", type=click.FloatRange(min=0.1), default=2, show_default=True, help="Seconds between looks.")
@click.option("--past", type=click.IntRange(0, 60), default=1, show_default=True, help="Show the last minutes first.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many calls.  [default: with Ctrl-C]")
@click.option(
    "--format",
    "form",
    type=click.Choice([options.TABLE, options.JSON]),
    default=options.TABLE,
    show_default=True,
    help="Lines to read, or an object per line.",
)
@options.tz_option
@options.dsn_option
def watch(interval: float, past: int, count: int | None, form: str, dsn: str | None) -> None:
    """Show each call as its record arrives, with what it costs and what today costs so far, until Ctrl-C."""
    count_so_far = 0
    with options.opened(dsn) as client, suppress(KeyboardInterrupt):
        for fresh in _arrivals(client, timedelta(minutes=past), interval):
            today = live.today(client, time_zone.current()) if form == options.TABLE and fresh else {}
            for row in fresh:
                _show(row, today, form)
                count_so_far += 1
                if count_so_far == count:
                    return


def _arrivals(client: "Client", past: timedelta, interval: float) -> Iterator[Sequence[Row]]:
    """Yield what each look finds that none before had, the oldest first."""
    known: dict[tuple[str, int], datetime] = {}
    now = live.now(client)
    after = now - past
    while True:
        fresh = [row for row in live.calls(client, after) if (row["call_id"], row["revision"]) not in known]
        yield fresh[::-1]
        known |= {(row["call_id"], row["revision"]): now for row in fresh}
        known = {key: at for key, at in known.items() if now - at < 4 * _OVERLAP + past}
        time.sleep(interval)
        after, now = max(after, now - _OVERLAP), live.now(client)


def _show(row: Row, today: Row, form: str) -> None:
    if form == options.JSON:
        click.echo(output.inert_json(as_json(row)))
        return
    line = Text(f"{formatting.clock(row['end_time'])}  ", "dim", no_wrap=True)
    line.append(f"{formatting.usd(row['cost_usd']):>10}  ", "bold")
    line.append_text(output.name(row["session_id"] or "(no session)")).append("  ")
    if row["user_id"]:
        line.append_text(output.name(row["user_id"])).append("  ")
    line.append_text(output.name(f"{row['operation']} {row['model']}", "magenta"))
    if row["error_type"]:
        line.append_text(output.name(f"  failed: {row['error_type']}", "red"))
    line.append(f"  today {formatting.known(today)}", "dim")
    output.show(line)
