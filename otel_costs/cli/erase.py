"""The command `erase`: a user or a session, everywhere."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table

from otel_costs.cli import options, output
from otel_costs.cli.failure import Failure
from otel_costs.privacy import pseudonyms
from otel_costs.values import sanitize

if TYPE_CHECKING:
    from otel_costs.store.erase import Erased

COLUMNS: Final = ("table", "before", "after")
OUTSIDE: Final = (
    "not reached: exports and other copies, and records that are on their way (erase again a day later); backups hold"
    " it until they are deleted (give --backups FOLDER, and a restore from there erases it again)"
)


@click.command("erase", short_help="Erase a user or a session from every table.")
@click.option("--user", metavar="ID", help="Erase this user, and the sessions that are the user's alone.")
@click.option("--session", "session_id", metavar="ID", help="Erase this session, of whichever users.")
@click.option(
    "--backups",
    "paths",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of backups, each its own: what is restored from it is erased again, by a hash of the name.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.format_option
@options.dsn_option
def erase(
    user: str | None, session_id: str | None, paths: tuple[Path, ...], yes: bool, form: str, dsn: str | None
) -> None:
    """Erase a user or a session from every table, raw and derived, and prove by a count that nothing is left.

    Where OTEL_COSTS_USER_HASH is set, --user is the plain name: what is recorded under its pseudonym goes, and what was
    recorded under the name itself.

    There is no way back. Records that are still on their way come in afterwards: erase again a day later. Numbers of
    calls per process stay; they name nobody, and tell erased calls from lost ones. Exit code 1: something is left.
    While a backup, a restore or a move runs, or one of them was cut, nothing is erased: it may keep or bring it back.
    """
    from otel_costs.store import erase as store_erase  # noqa: PLC0415
    from otel_costs.store.backups import erasures, unfinished  # noqa: PLC0415
    from otel_costs.store.backups.folder import Folder  # noqa: PLC0415

    if bool(user) == bool(session_id):
        raise click.UsageError("give --user ID or --session ID")
    name = f"user {user!r}" if user else f"session {session_id!r}"
    kind, names = ("user", pseudonyms.names(user)) if user else ("session", _recorded(session_id or ""))
    folders = [Folder(path) for path in _different(paths)]  # said to be none before anything is erased
    with options.opened(dsn, long_work=True) as client, ExitStack() as locks:
        # A backup or a restore between the note in a folder and the store would keep what is gone.
        for folder in folders:
            locks.enter_context(folder.locked())
        unfinished.check_none(client)
        subjects = [store_erase.of_user(client, one) if user else store_erase.of_session(one) for one in names]
        before: Counter[str] = Counter()
        for subject in subjects:
            before.update(store_erase.count(client, subject))
        if any(before.values()) and not yes:
            _ask(name, before)
        # Noted first: if the rest is cut, what comes back from there is erased all the same.
        noted = {str(folder.path): erasures.add(folder, kind, names) for folder in folders}
        with output.working(f"Erasing {name}"):
            found = (
                _summed([store_erase.erase(client, subject) for subject in subjects]) if any(before.values()) else []
            )
    if form == options.JSON:
        left_over = sum(one.after for one in found)
        backups = {"backups": noted} if noted else {}
        output.write_json({"erased": [asdict(one) for one in found], "left": left_over, **backups})
    elif form == options.CSV:
        output.write_csv([asdict(one) for one in found], COLUMNS)
    elif found:
        output.show(_table(found))
        output.note(OUTSIDE)
    else:
        output.note(f"nothing of {name} is in the store")
    for path, ids in noted.items():
        if ids:
            output.note(f"backups in {path} from before may hold it until they are deleted: {', '.join(ids)}")
        output.note(f"what is restored from {path} is without it")
    if left := sum(one.after for one in found):
        output.note(f"{left:,} rows of {name} are left: records came in meanwhile; erase again")
        click.get_current_context().exit(1)


def _recorded(session_id: str) -> list[str]:
    """Return the names that a session may be recorded under: a long id is cut by what records it."""
    return list(dict.fromkeys((sanitize.asked_for(session_id), session_id)))


def _different(paths: Sequence[Path]) -> list[Path]:
    """Return the folders, each once however it is called, and in one order: two programs cannot wait for each other."""
    return [path for _, path in sorted({path.resolve(): path for path in paths}.items())]


def _summed(several: Sequence[Sequence["Erased"]]) -> list["Erased"]:
    """Return the rows of each table, those of a pseudonym and of a plain name together."""
    return [
        replace(same[0], before=sum(one.before for one in same), after=sum(one.after for one in same))
        for same in zip(*several, strict=True)
    ]


def _ask(name: str, before: Mapping[str, int]) -> None:
    listed = ", ".join(f"{count:,} of {table}" for table, count in before.items() if count)
    if not sys.stdin.isatty():
        raise Failure(f"{name} has {listed}: give --yes to erase them")
    click.confirm(f"Erase {listed} of {name}? There is no way back.", abort=True, err=True)


def _table(found: Sequence["Erased"]) -> Table:
    table = output.table()
    table.add_column("table")
    table.add_column("rows erased", justify="right")
    table.add_column("left", justify="right")
    for one in found:
        table.add_row(one.table, f"{one.before - one.after:,}", f"{one.after:,}")
    table.add_section()
    table.add_row("total", f"{sum(one.before - one.after for one in found):,}", f"{sum(one.after for one in found):,}")
    return table
