"""The command `move`: all of a store into another one."""

import click
from rich.text import Text

from otel_costs.cli import options, output, store_sums


@click.command("move", short_help="Copy all of a store into another one.")
@click.option("--to", "target", metavar="URL", required=True, help="The store to move to, as --dsn.")
@options.format_option
@options.dsn_option
def move(target: str, form: str, dsn: str | None) -> None:
    """Copy all of a store, a running `otel-costs local` or its folder, into a ClickHouse, and compare the two.

    The store that it is from stays as it is. Run it again when it was cut, or when more has arrived: what is there
    already counts once. Counts and sums of each table and day are compared to the last digit. Exit code 1: they differ.
    """
    from otel_costs.store.backups import move as store_move  # noqa: PLC0415
    from otel_costs.store.backups import snapshot  # noqa: PLC0415
    from otel_costs.store.connection import address_of  # noqa: PLC0415

    address, other = address_of(dsn), address_of(target)
    if address.dsn.rstrip("/") == other.dsn.rstrip("/"):
        raise click.UsageError("--to is the store that it would move from: give --dsn for the one, --to for the other")
    if address.embedded and other.embedded:
        raise click.UsageError(
            "one process opens one folder: start `otel-costs local --data FOLDER` for one of the two"
        )
    with (
        options.opened(dsn, long_work=True) as source,
        options.opened(target, long_work=True) as client,
        output.working("Moving"),
    ):
        found = store_move.move(source, client, lambda of: snapshot.asked_for(of, address))
    rows = store_sums.rows(found.source, found.target, "from", "to")
    if form == options.JSON:
        output.write_json({"sent_rows": found.sent_rows, "equal": not found.different, "sums": rows})
    elif form == options.CSV:
        output.write_csv(rows, store_sums.columns("from", "to"))
    else:
        equal = "equal in every table and day" if not found.different else "the two differ"
        output.show(store_sums.table(rows, "from", "to"), Text(f"{found.sent_rows:,} rows sent; {equal}"))
    if found.different:
        output.note(
            "the two stores add up to different sums: the one moved to had other rows, or records arrived there"
        )
        click.get_current_context().exit(1)
