"""The command `doctor`."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, options, output
from otel_costs.cli.doctor.finding import NOTE, OK, PROBLEM, Finding, problem
from otel_costs.cli.failure import fault

COLUMNS: Final = ("check", "state", "said", "next_step")

_STYLES: Final = {OK: "green", NOTE: "yellow", PROBLEM: "bold red"}


@click.command("doctor", short_help="Find out why calls are not there.")
@options.dsn_option
@options.format_option
def doctor(dsn: str | None, form: str) -> None:
    """Find out why calls are not there: instrumentation, exporter, spool, store, versions.

    Run it where the program runs, with its variables: `opentelemetry-instrument otel-costs doctor` sees what the
    program would. Each finding has the next step. The address of the exporter is asked with an empty request. Exit
    code 1: something is a problem.
    """
    with output.working("looking"):
        found = list(findings(dsn, os.environ))
    if form == options.JSON:
        output.write_json({"findings": [asdict(one) for one in found], "problems": _problems(found)})
    elif form == options.CSV:
        output.write_csv([asdict(one) for one in found], COLUMNS)
    else:
        output.show(_table(found), output.text(_summary(found)))
    if _problems(found):
        click.get_current_context().exit(1)


def findings(dsn: str | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what all checks find. A check that fails is a problem itself; the others go on."""
    from otel_costs.cli.doctor import endpoint, instrumentation, settings, spooled, stored, versions  # noqa: PLC0415

    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("instrumentation", lambda: instrumentation.findings(environ)),
        ("exporter", lambda: endpoint.findings(environ)),
        ("spool", lambda: spooled.findings(environ)),
        ("settings", lambda: settings.findings(environ)),
        ("store", lambda: stored.findings(dsn, environ)),
        ("versions", versions.findings),
    )
    for name, check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001  # the other checks tell something all the same
            yield problem(name, "This could not be looked at.", f"It is {fault(error).format_message()}.")


def _problems(found: Sequence[Finding]) -> int:
    return sum(one.state == PROBLEM for one in found)


def _summary(found: Sequence[Finding]) -> str:
    if count := _problems(found):
        return f"{formatting.many(count, 'problem')}. docs/troubleshooting.md goes from symptoms to causes."
    return "No problem found. Where calls are missing all the same, OTEL_COSTS_LOG=debug tells what is decided on each."


def _table(found: Sequence[Finding]) -> Table:
    table = output.table()
    table.add_column("", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("finding", overflow="fold", ratio=1)
    last = ""
    for one in found:
        sentence = output.text(one.said)
        if one.next_step:
            sentence.append("\n").append_text(output.text(f"→ {one.next_step}", "dim" if one.state == OK else "bold"))
        table.add_row(one.check if one.check != last else "", Text(one.state, _STYLES[one.state]), sentence)
        last = one.check
    return table
