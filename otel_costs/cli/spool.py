"""The commands `spool list`, `resend` and `drop`: ledger records on disk, and what a collector refused of them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.table import Table

from otel_costs.cli import formatting, options, output
from otel_costs.cli.failure import Failure
from otel_costs.semconv import ENV_SPOOL

F = TypeVar("F", bound=Callable[..., Any])

COLUMNS: Final = ("state", "records", "bytes", "since", "detail")

_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    envvar=ENV_SPOOL,
    show_envvar=True,
    help="The folder of the spool.",
)


def _needed(folder: Path | None) -> Path:
    if folder is None:
        raise click.UsageError(f"which spool? Give --folder, or set {ENV_SPOOL} as for the application")
    if not folder.is_dir():
        raise Failure(f"there is no folder {folder}; a process that runs with {ENV_SPOOL} makes it")
    return folder


@click.group("spool", short_help="Show records that wait for the collector or were refused.")
def spool() -> None:
    """See, send and delete the ledger records that lie on disk in the folder of OTEL_COSTS_SPOOL.

    Records that wait are sent by the processes themselves. What a collector refuses is kept, up to 16 MiB, until it is
    sent again or dropped; so is a copy of a file in which something was damaged.
    """


@spool.command("list", short_help="List what lies in the spool.")
@_folder
@options.format_option
def list_(folder: Path | None, form: str) -> None:
    """List records that wait, that were refused and why, and damaged places. Exit code 1: something needs a look."""
    from otel_costs.spool import inventory  # noqa: PLC0415

    found = [asdict(lot) for lot in inventory.of(_needed(folder))]
    if form == options.JSON:
        output.write_json({"spool": found})
    elif form == options.CSV:
        output.write_csv(found, COLUMNS)
    elif found:
        output.show(_table(found))
    else:
        output.note("the spool is empty: all that was recorded is sent")
    if any(lot["state"] != inventory.WAITING for lot in found):
        click.get_current_context().exit(1)


@spool.command("resend", short_help="Send again what was refused.")
@_folder
def resend(folder: Path | None) -> None:
    """Send what was refused to the collector that OTEL_EXPORTER_OTLP_ENDPOINT and its like name.

    Exit code 1: some of it is refused again, and kept. Exit code 2: the collector is not there; all is kept.
    """
    from otel_costs.spool import delivery, refusals  # noqa: PLC0415

    try:
        taken, refused = refusals.resend(_needed(folder), delivery.connect())
    except delivery.UnavailableError as error:
        raise Failure(
            f"the collector does not take it ({error}); is it up, and does OTEL_EXPORTER_OTLP_ENDPOINT name it?"
        ) from error
    output.show(output.text(f"{formatting.many(taken, 'record')} sent, {refused:,} refused again"))
    if refused:
        output.note("`otel-costs spool list` says why")
        click.get_current_context().exit(1)


@spool.command("drop", short_help="Delete what was refused, and copies of damaged files.")
@_folder
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(folder: Path | None, yes: bool) -> None:
    """Delete what a collector refused, and copies of damaged files. Their calls are missing from all reports then."""
    from otel_costs.spool import inventory, refusals  # noqa: PLC0415

    root = _needed(folder)
    records = len(refusals.read(root))
    if not records and all(lot.state == inventory.WAITING for lot in inventory.of(root)):
        output.note("nothing to delete: no refused records, no damaged files")
        return
    if not yes:
        click.confirm(f"Delete {formatting.many(records, 'refused record')} and all damaged files?", abort=True)
    dropped, copies = refusals.drop(root), inventory.drop_damaged(root)
    output.show(
        output.text(f"{formatting.many(dropped, 'record')} and {formatting.many(copies, 'damaged file')} deleted")
    )


def _table(lots: list[dict[str, Any]]) -> Table:
    table = output.table()
    for name in ("state", "records", "bytes", "since"):
        table.add_column(name, justify="right" if name in ("records", "bytes") else "left", no_wrap=True)
    table.add_column("", overflow="fold")
    for lot in lots:
        table.add_row(
            lot["state"], f"{lot['records']:,}", f"{lot['bytes']:,}", lot["since"], output.text(lot["detail"])
        )
    return table
