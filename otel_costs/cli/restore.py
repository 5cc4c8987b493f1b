"""The command `restore`: a backup back into a store."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from otel_costs.cli import options, output, store_sums
from otel_costs.cli.backup import private_files

if TYPE_CHECKING:
    from otel_costs.store.backups.restore import Restored


@click.command("restore", short_help="Put a backup back into a store.")
@click.option(
    "--from",
    "path",
    metavar="FOLDER",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of backups that `otel-costs backup --to` was given.",
)
@click.option(
    "--backup", "name", metavar="ID", help="This backup, of those that `backup --list` lists.  [default: newest]"
)
@click.option("--merge", is_flag=True, help="Also into a store that is not empty: what it has already counts once.")
@options.format_option
@options.dsn_option
def restore(path: Path, name: str | None, merge: bool, form: str, dsn: str | None) -> None:
    """Put a backup into an empty store: a running `otel-costs local`, its folder (chdb:///folder), or a ClickHouse.

    All files are checked first; of a damaged one nothing is put back. A backup of an older version is brought up to
    date, one of a newer version is refused. Who was erased since, by `otel-costs erase --backups FOLDER`, is erased
    again. A restore that was cut is finished by running it again. Exit code 1: the store adds up to something else.
    """
    from otel_costs.store.backups import restore as store_restore  # noqa: PLC0415
    from otel_costs.store.backups.folder import Folder  # noqa: PLC0415

    with private_files(), options.opened(dsn, long_work=True) as client, output.working("Restoring"):
        found = store_restore.restore(client, Folder(path), name, merge=merge)
    rows = store_sums.rows(found.wanted, found.sums, "backup", "store")
    wrong = bool(found.different) and found.was_empty
    if form == options.JSON:
        output.write_json(
            {"backup": found.manifest.id, "erased_again": found.erased, "equal": not found.different, "sums": rows}
        )
    elif form == options.CSV:
        output.write_csv(rows, store_sums.columns("backup", "store"))
    else:
        output.show(store_sums.table(rows, "backup", "store"), Text(_summary_line(found)))
    if wrong:
        output.note(
            "the store adds up to something else than the backup: records arrived meanwhile, or rows are missing"
        )
        click.get_current_context().exit(1)


def _summary_line(found: "Restored") -> str:
    text = f"restored the backup {found.manifest.id} of {found.manifest.created_at}"
    again = f"; {found.erased:,} users and sessions that were erased since are erased again" if found.erased else ""
    return text + (", equal in every table and day" if not found.different else ", beside what was there") + again
