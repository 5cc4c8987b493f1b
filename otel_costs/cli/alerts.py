"""The commands `alerts run`, `try`, `list`, `ack` and `silence`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from otel_costs.alerts import rules as rules_file
from otel_costs.alerts.process import Process
from otel_costs.alerts.state import Event, State
from otel_costs.cli import formatting, options, output
from otel_costs.semconv import ENV_ALERTS, ENV_WRITER_DSN

F = TypeVar("F", bound=Callable[..., Any])
Row = dict[str, Any]

COLUMNS: Final = (
    "id", "rule", "message", "began_at", "ended_at", "state", "sent_to", "user_id", "session_id",
)  # fmt: skip
_writer_option = click.option(
    "--writer-dsn",
    metavar="URL",
    envvar=ENV_WRITER_DSN,
    show_envvar=True,
    help="The store with a user who may write, where that of --dsn may not.",
)
_rules_option = click.option(
    "--rules",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=ENV_ALERTS,
    show_envvar=True,
    required=True,
    help="The file of rules and receivers.",
)
file_option = click.option(
    "--alerts",
    "alerts_path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=ENV_ALERTS,
    show_envvar=True,
    help="A file of rules and receivers: send alerts by them, too.",
)


@click.group("alerts", short_help="Send alerts by rules, and acknowledge or silence them.")
def alerts() -> None:
    """Watch the store by a file of rules, and tell receivers what they find: once, and again when it has ended."""


@alerts.command("run", short_help="Watch, and send.")
@_rules_option
@click.option("--once", is_flag=True, help="Look once, and end: for a scheduler such as cron.")
@click.option("--interval", type=click.FloatRange(min=1), default=60, show_default=True, help="Seconds between looks.")
@_writer_option
@options.dsn_option
def run(path: Path, once: bool, interval: float, writer_dsn: str | None, dsn: str | None) -> None:
    """Watch the store by the rules until Ctrl-C. Of several programs that watch one store, one sends."""
    from otel_costs.alerts.delivery import Receivers  # noqa: PLC0415  # an extra of ours
    from otel_costs.alerts.runner import Runner  # noqa: PLC0415

    rules = rules_file.read(path)
    receivers = Receivers(rules.receivers)
    with options.opened(dsn) as reader, options.opened(writer_dsn or dsn) as writer:
        runner = Runner(reader, writer, rules, receivers)
        if once:
            try:
                if not runner.poll():
                    output.note("another program sends the alerts of this store")
            finally:
                runner.leave()
            return
        output.note(f"{formatting.many(len(rules.rules), 'rule')}: watching until Ctrl-C")
        stop = threading.Event()
        with suppress(KeyboardInterrupt):
            runner.run(interval, stop)
        runner.leave()


@alerts.command("try", short_help="Show what rules would have sent.")
@_rules_option
@click.option("--step", type=click.IntRange(min=1), default=60, show_default=True, help="Minutes between looks.")
@options.period_options
@options.format_option
@options.dsn_option
def try_(path: Path, step: int, since: datetime | None, until: datetime | None, form: str, dsn: str | None) -> None:
    """Show what rules would have sent over the past, the last seven days if nothing is said. Sends and notes nothing.

    What the store does not know of the past of a rule is said, with the reason: in JSON as `not_known`.
    """
    from otel_costs.alerts.dry_run import would_have_sent  # noqa: PLC0415
    from otel_costs.store import live  # noqa: PLC0415

    rules = rules_file.read(path)
    with options.opened(dsn, long_work=True) as client:
        end = min(until or datetime.max.replace(tzinfo=UTC), live.now(client))
        begin = min(since or end - timedelta(days=7), end)
        found, unknown = would_have_sent(client, rules, begin, end, timedelta(minutes=step))
    rows = [_row(event, "would be sent") for event in found]
    if form == options.JSON:
        output.write_json({"alerts": rows, "not_known": [asdict(one) for one in unknown]})
        return
    _write(rows, form, "nothing would have been sent")
    for one in unknown:
        output.note(f"{one.rule}: the store does not know {one.reason}")


@alerts.command("list", short_help="List what was found and sent.")
@options.limit_option(50, "events")
@options.format_option
@_writer_option
@options.dsn_option
def list_(limit: int, form: str, writer_dsn: str | None, dsn: str | None) -> None:
    """List what the rules have found, the newest first. Exit code 1: something lasts that nobody has acknowledged."""
    with options.opened(writer_dsn or dsn) as client:
        state = State(client)
        found, acknowledged = state.events(limit), state.acknowledged()
    rows = [_row(event, event.state(acknowledged)) for event in found]
    _write(rows, form, "no alerts yet: `otel-costs alerts run --rules FILE` watches the store")
    if any(row["state"] == "open" for row in rows):
        click.get_current_context().exit(1)


@alerts.command("ack", short_help="Acknowledge an event.")
@click.argument("event_id", metavar="EVENT")
@_writer_option
@options.dsn_option
def ack(event_id: str, writer_dsn: str | None, dsn: str | None) -> None:
    """Acknowledge EVENT: nothing more of it is sent, not even that it has ended. Exit code 2: there is none."""
    from otel_costs.cli.failure import Failure  # noqa: PLC0415

    with options.opened(writer_dsn or dsn) as client:
        state = State(client)
        if event_id not in {event.id for event in state.events()}:
            raise Failure(f"there is no event {event_id!r}; `otel-costs alerts list` lists them")
        state.acknowledge(event_id)
    output.show(output.text(f"{event_id} is acknowledged"))


@alerts.command("silence", short_help="Send nothing for a time.")
@click.argument("name", metavar="[RULE|EVENT]", required=False, default="")
@click.option("--hours", type=click.FloatRange(min=0, max=8760), default=1, show_default=True, help="0 ends a silence.")
@_writer_option
@options.dsn_option
def silence(name: str, hours: float, writer_dsn: str | None, dsn: str | None) -> None:
    """Send nothing of a rule or an event for some hours, or of any. What lasts longer is sent then."""
    from otel_costs.store import live  # noqa: PLC0415

    with options.opened(writer_dsn or dsn) as client:
        until = live.now(client) + timedelta(hours=hours)
        state = State(client)
        state.silence(name, until)
        is_known = not name or name in state.names(live.now(client))
    output.show(output.line(f"{name or 'all'} silenced until {formatting.clock(until)}"))
    if not is_known:
        output.note(f"the store knows no rule and no event {output.line(name)} yet; `otel-costs alerts list` has those")


@contextmanager
def beside(path: Path | None) -> Iterator[Process | None]:
    """Have a process ready that sends alerts by a file of rules; none where there is no file. Raises RulesError."""
    if path is None:
        yield None
        return
    from otel_costs.alerts.delivery import Receivers  # noqa: PLC0415  # an extra of ours

    Receivers(rules_file.read(path).receivers)
    process = Process(str(path.absolute()))
    try:
        yield process
    finally:
        process.stop()


def _row(event: Event, state: str) -> Row:
    named = {name: getattr(event, name) for name in COLUMNS if name not in ("state", "sent_to")}
    row = {**named, "state": state, "sent_to": list(event.sent_to)}
    return {name: row[name] for name in COLUMNS}


def _write(found: list[Row], form: str, none: str) -> None:
    if form == options.JSON:
        output.write_json({"alerts": found})
    elif form == options.CSV:
        output.write_csv([{**row, "sent_to": " ".join(row["sent_to"])} for row in found], COLUMNS)
    elif found:
        table = output.table()
        for name in ("event", "began", "rule", "state"):
            table.add_column(name, no_wrap=True)
        table.add_column("message")
        for row in found:
            table.add_row(
                row["id"], output.text(f"{row['began_at']:%Y-%m-%d %H:%M}"), output.name(row["rule"]), row["state"],
                output.line(row["message"]),
            )  # fmt: skip
        output.show(table)
    else:
        output.note(none)
