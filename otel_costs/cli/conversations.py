"""The command `export conversations`: a file per session, whose name no session can choose."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from otel_costs.cli import options, output
from otel_costs.cli.failure import Failure
from otel_costs.cli.selecting import selection_options
from otel_costs.store import reports, session_list, session_shape
from otel_costs.store.rendering import as_json
from otel_costs.store.selection import Selection

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_PLAIN: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,99}")
"""An id that is a part of a file's name as it is, also where a file system does not tell capitals apart."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_KEPT: Final = 60


@click.command("conversations", short_help="Write a file per session.")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are written; made if it is not there.",
)
@selection_options(until="--until")
@options.dsn_option
def conversations(folder: Path, selection: Selection, dsn: str | None) -> None:
    """Write each conversation with its cost into a file of its own: {session_id}_{start}.json, as `session` tells it.

    Sessions that began in the period, --from up to --until. What is in an id and no file can be named by is replaced,
    and ~ and a part of the id's hash stand behind it. Files that are there already are written again.
    """
    count = size = 0
    with options.opened(dsn, long_work=True) as client, output.working("Exporting conversations"):
        _make(folder)
        for session in _sessions(client, selection):
            size += _write(folder, file_name(session["session_id"], session["start_time"]), session)
            count += 1
    output.note(f"{folder}: {count:,} conversation{'' if count == 1 else 's'}, {size:,} bytes")


def file_name(session_id: str, began: datetime) -> str:
    """Return the name of a session's file: another one for each id, and never one outside of a folder."""
    when = f"{began.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    if _PLAIN.fullmatch(session_id):
        return f"{session_id}_{when}.json"
    digest = hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{_UNSAFE.sub('_', session_id[:_KEPT]).lstrip('.')}~{digest}_{when}.json"


def _sessions(client: "Client", selection: Selection) -> Iterator[Mapping[str, Any]]:
    for row in session_list.every(client, selection):
        if found := reports.session(client, row["session_id"]):  # else it was erased meanwhile
            yield session_shape.shaped(found)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{folder} cannot be made: {error.strerror}") from error


def _write(folder: Path, name: str, session: Mapping[str, Any]) -> int:
    """Write a file that is there once it is whole, for its owner alone; return its size in bytes."""
    content = f"{as_json(session, indent=2)}\n".encode("utf-8", "replace")
    draft = ""
    try:
        descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(draft, folder / name)
    except OSError as error:
        with suppress(OSError):
            os.unlink(draft)
        raise Failure(f"{folder / name} cannot be written: {error.strerror}") from error
    return len(content)
