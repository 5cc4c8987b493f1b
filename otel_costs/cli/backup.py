"""The command `backup`: all of a store in a folder, what is new since the last time."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.text import Text

from otel_costs.cli import formatting, options, output
from otel_costs.cli.failure import Failure

if TYPE_CHECKING:
    from otel_costs.store.backups.folder import Folder
    from otel_costs.store.backups.manifest import Manifest

Row = dict[str, Any]

COLUMNS: Final = ("table", "rows", "parts", "bytes", "new_bytes")
LIST_COLUMNS: Final = ("id", "created_at", "version", "calls", "cost_usd", "messages", "bytes", "trouble")
CHECK_COLUMNS: Final = ("id", "table", "rows", "file", "trouble")


@click.command("backup", short_help="Keep a copy of a store in a folder.")
@click.option(
    "--to",
    "path",
    metavar="FOLDER",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of backups; it is created if it does not exist.",
)
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N backups, and delete others.")
@click.option("--list", "listed", is_flag=True, help="List what backups there are, and make none.")
@click.option("--check", is_flag=True, help="Read all files of the backups against their checksums, and make none.")
@options.format_option
@options.dsn_option
def backup(path: Path, keep: int | None, listed: bool, check: bool, form: str, dsn: str | None) -> None:
    """Keep a copy of all calls, messages, budgets and alerts in a folder, while the store goes on.

    What was acknowledged before it began is in it, whole. Into the same folder it writes only what is new since.
    A backup that was cut is none, and leaves the others as they are. `otel-costs restore` brings it back. Exit code 1:
    a file is damaged, or a backup cannot be read.
    """
    from otel_costs.store.backups.folder import Folder  # noqa: PLC0415

    if listed and check:
        raise click.UsageError("give either --list or --check")
    with private_files():
        folder = Folder(path, make=not (listed or check))
        if listed:
            _list(folder, form)
        elif check:
            _check(folder, form)
        else:
            _make(folder, keep, form, dsn)


@contextmanager
def private_files() -> Iterator[None]:
    """Make files for their owner alone."""
    from otel_costs.store import private  # noqa: PLC0415

    before = os.umask(private.UMASK)
    try:
        yield
    except OSError as error:
        raise Failure(f"{error.filename or 'a file'} cannot be written or read: {error.strerror}") from error
    finally:
        os.umask(before)


def _make(folder: "Folder", keep: int | None, form: str, dsn: str | None) -> None:
    from otel_costs.store.backups import backup as store_backup  # noqa: PLC0415
    from otel_costs.store.backups import snapshot  # noqa: PLC0415
    from otel_costs.store.connection import address_of  # noqa: PLC0415

    address = address_of(dsn)
    with options.opened(dsn, long_work=True) as client, output.working("Making a backup"):
        made = store_backup.make(client, folder, lambda of: snapshot.asked_for(of, address), address.printable, keep)
    manifest = made.manifest
    rows = [
        {
            "table": stored.table.name,
            "rows": stored.rows,
            "parts": len(stored.parts),
            "bytes": sum(part.size for part in stored.parts),
            "new_bytes": made.new_bytes[stored.table.name],
        }
        for stored in manifest.tables
    ]
    if form == options.JSON:
        output.write_json(
            {
                **_summary(manifest),
                "new_bytes": sum(made.new_bytes.values()),
                "tables": rows,
                "deleted": list(made.deleted),
            }
        )
    elif form == options.CSV:
        output.write_csv(rows, COLUMNS)
    else:
        output.show(_tables(rows), Text(_summary_line(manifest, sum(made.new_bytes.values()))))
        for name in made.deleted:
            output.note(f"deleted the backup {name}")


def _summary_line(manifest: "Manifest", new_bytes: int) -> str:
    known = _summary(manifest)
    return (
        f"backup {manifest.id}: {known['calls']:,} calls, {known['cost_usd']} dollars, {known['messages']:,} messages;"
        f" {formatting.size(new_bytes)} new"
    )


def _summary(manifest: "Manifest") -> Row:
    calls = [one for (table, _), one in manifest.sums.items() if table == "calls"]
    messages = [one for (table, _), one in manifest.sums.items() if table == "messages"]
    return {
        "id": manifest.id,
        "created_at": manifest.created_at,
        "version": manifest.version,
        "source": manifest.source,
        "calls": sum(one.rows for one in calls),
        "cost_usd": f"{sum((Decimal(dict(one.added).get('cost_usd', '0')) for one in calls), Decimal()).normalize():f}",
        "messages": sum(one.rows for one in messages),
        "bytes": manifest.size,
    }


def _list(folder: "Folder", form: str) -> None:
    found, bad = folder.manifests()
    rows = [{**_summary(one), "trouble": ""} for one in found]
    rows += [{"id": name, "trouble": why} for name, why in bad.items()]
    _write("backups", rows, LIST_COLUMNS, form, "there is no backup yet")
    if bad:
        click.get_current_context().exit(1)


def _check(folder: "Folder", form: str) -> None:
    rows: list[Row] = []
    with folder.locked(shared=True), output.working("Reading all files"):
        found, bad = folder.manifests()
        checked: dict[str, str] = {}
        for one in found:
            for stored in one.tables:
                for part in stored.parts:
                    if part.file not in checked:
                        checked[part.file] = folder.damage(part)
                    if why := checked[part.file]:
                        rows.append(
                            {
                                "id": one.id,
                                "table": stored.table.name,
                                "rows": part.rows,
                                "file": part.file,
                                "trouble": why,
                            }
                        )
    rows += [{"id": name, "trouble": why} for name, why in bad.items()]
    _write(
        "damaged", rows, CHECK_COLUMNS, form, f"{len(found)} backups, {len(checked):,} files: all as they were written"
    )
    if rows:
        click.get_current_context().exit(1)


def _write(name: str, rows: Sequence[Row], columns: Sequence[str], form: str, otherwise: str) -> None:
    if form == options.JSON:
        output.write_json({name: rows})
    elif form == options.CSV:
        output.write_csv(rows, columns)
    elif not rows:
        output.note(otherwise)
    else:
        table = output.table()
        filled = [column for column in columns if any(row.get(column) not in (None, "") for row in rows)]
        for column in filled:
            table.add_column(
                column, justify="right" if column in ("calls", "cost_usd", "messages", "bytes", "rows") else "left"
            )
        for row in rows:
            table.add_row(*(output.name(_cell(column, row.get(column))) for column in filled))
        output.show(table)


def _cell(column: str, value: object) -> str:
    if isinstance(value, int):
        return formatting.size(value) if column.endswith("bytes") else f"{value:,}"
    return "" if value is None else str(value)


def _tables(rows: Sequence[Row]) -> Any:
    table = output.table()
    table.add_column("table", no_wrap=True)
    for name in ("rows", "parts", "size", "new"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["table"],
            f"{row['rows']:,}",
            f"{row['parts']:,}",
            formatting.size(row["bytes"]),
            formatting.size(row["new_bytes"]),
        )
    return table
