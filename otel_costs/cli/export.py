"""The command `export`: every row of what the store knows, as a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Literal

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from otel_costs.cli import options, output
from otel_costs.cli.conversations import conversations
from otel_costs.cli.failure import Failure

WHAT: Final = ("calls", "lines", "messages", "sessions")
FORMATS: Final = ("csv", "json", "parquet")


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
    "--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True, help="json is an object per line."
)
@click.option(
    "--output",
    "path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: standard output]",
)
@options.user_option
@options.period_options
@options.dsn_option
def export(
    what: str,
    form: Literal["csv", "json", "parquet"],
    path: Path | None,
    user: str | None,
    since: datetime | None,
    until: datetime | None,
    dsn: str | None,
) -> None:
    """Write every row of the calls, their cost lines, the messages or the sessions, the oldest first.

    Times are in ISO 8601; tags are columns of CSV. `otel-costs export conversations --to FOLDER` writes a file per
    session; its --help tells more.
    """
    from otel_costs.store import exports  # noqa: PLC0415

    if path is None and form == "parquet" and sys.stdout.isatty():
        raise Failure("Parquet is not for a terminal: give --output FILE, or pipe it")
    with options.opened(dsn, long_work=True) as client, _destination(path) as file:
        chunks = exports.export_file(client, what, form, user=user, since=since, until=until)
        size = sum(file.write(chunk) for chunk in _followed(chunks, what))
    if path is not None:
        output.note(f"{path}: {size:,} bytes of {what}")


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
