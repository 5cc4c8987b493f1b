"""The command `export`: every row of what the store knows, as a file."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, cast

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from otel_costs.chargeback.focus_columns import VERSION
from otel_costs.chargeback.rules import Allocation
from otel_costs.cli import formatting, options, output, time_zone
from otel_costs.cli.conversations import conversations
from otel_costs.cli.failure import Failure
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection

WHAT: Final = ("calls", "lines", "messages", "sessions")
FORMATS: Final = ("csv", "json", "parquet")
FOCUS: Final = "focus"
FOCUS_PARQUET: Final = "focus-parquet"


class Export(click.Command):
    """The command, and `export conversations`, which has options of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command that is meant."""
        if args[:1] == [conversations.name]:
            return conversations.make_context(f"{info_name} {conversations.name}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command("export", cls=Export, short_help="Write calls, messages, sessions or conversations.")
@click.argument("what", type=click.Choice(WHAT), default="calls")
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMATS, FOCUS, FOCUS_PARQUET]),
    default="csv",
    show_default=True,
    help="json is an object per line; focus is FOCUS 1.2 as CSV.",
)
@click.option(
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: standard output]",
)
@click.option(
    "--account",
    metavar="ID",
    help="The BillingAccountId of FOCUS.  [default: the provider's name]",
)
@options.allocation_option
@options.user_option
@options.period_options
@options.dsn_option
def export(
    what: str,
    form: str,
    path: Path | None,
    account: str | None,
    allocation: Allocation | None,
    user: str | None,
    since: datetime | None,
    until: datetime | None,
    dsn: str | None,
) -> None:
    """Write every row of the calls, their cost lines, the messages or the sessions, the oldest first.

    Times are in ISO 8601; tags are columns of CSV. With --format focus: what calls cost by day, model and unit, in the
    columns of the FinOps Open Cost and Usage Specification; tags are as --allocation assigns them. `otel-costs export
    conversations --to FOLDER` writes a file per session; its --help tells more.
    """
    from otel_costs.store import exports  # noqa: PLC0415

    if path is None and form in ("parquet", FOCUS_PARQUET) and sys.stdout.isatty():
        raise Failure("Parquet is not for a terminal: give --output FILE, or pipe it")
    if form in (FOCUS, FOCUS_PARQUET):
        if what != "calls":
            raise click.UsageError(f"--format {form} is of what calls cost: leave {what!r} out")
        selection = Selection(since=since, until=until, tz=time_zone.current(), user=user, allocation=allocation)
        _focus(selection, form, path, account, dsn)
        return
    with options.opened(dsn, long_work=True) as client, _destination(path) as file:
        chunks = exports.export_file(client, what, cast("exports.Format", form), user=user, since=since, until=until)
        size = sum(file.write(chunk) for chunk in _followed(chunks, what))
    if path is not None:
        output.note(f"{path}: {size:,} bytes of {what}")


def _focus(selection: Selection, form: str, path: Path | None, account: str | None, dsn: str | None) -> None:
    """Write FOCUS, and say on standard error what has no cost in it: calls without a price have 0, which is not known,
    and what contracts charge without a rate of exchange is not there."""
    from otel_costs.chargeback import focus, focus_commitments, focus_file  # noqa: PLC0415
    from otel_costs.chargeback.focus_reservations import hours_without_rate  # noqa: PLC0415

    unpriced = 0

    def counted(rows: Iterable[Row]) -> Iterator[Row]:
        nonlocal unpriced
        for row in rows:
            unpriced += row["x_UnpricedCallCount"] or 0
            yield row

    write = focus_file.as_csv if form == FOCUS else focus_file.as_parquet
    with options.opened(dsn, long_work=True) as client, _destination(path) as file:
        chunks = write(counted(focus.rows(client, selection, account)))
        size = sum(file.write(chunk) for chunk in _followed(chunks, "FOCUS"))
        hours, commitments = hours_without_rate(client, selection), focus_commitments.without_rate(client, selection)
    if path is not None:
        output.note(f"{path}: {size:,} bytes of FOCUS {VERSION}")
    if unpriced:
        output.note(
            f"{formatting.many(unpriced, 'call')} without a price: FOCUS knows no unknown cost, so their rows have 0,"
            " x_CostStatus unpriced and their number in x_UnpricedCallCount (`otel-costs doctor` says what to do)"
        )

    for number, what in (
        (hours, f"{formatting.many(hours, 'hour')} of reservations"),
        (commitments, f"what is missing of {formatting.many(commitments, 'commitment')}"),
    ):
        if number:
            output.note(
                f"{what} left out: no rate of exchange into dollars is known for it"
                " (add one to exchange_rates of the price file, then `otel-costs reprice --period YYYY-MM`)"
            )


@contextmanager
def _destination(path: Path | None) -> Iterator[IO[bytes]]:
    """Open standard output, or a file that is there once it is whole."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _followed(chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    """Show on standard error how much has come, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    err = output.console(stderr=True)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(f"Exporting {what}", total=None)
        for chunk in chunks:
            progress.advance(task, len(chunk))
            yield chunk
