"""The command `schema`: the tables and views of a store, as this version needs them."""

from typing import Final

import click

from otel_costs.cli import options, output

COLUMNS: Final = ("action", "kind", "name", "detail")

_DAYS: Final = click.IntRange(1, 20_000)


@click.command("schema", short_help="Create the tables and views of a store.")
@click.option("--cluster", metavar="NAME", help="Make them on all servers of this cluster, replicated and sharded.")
@click.option("--content-days", type=_DAYS, help="Days that the content of messages is kept.  [default: 30]")
@click.option("--ledger-days", type=_DAYS, help="Days that calls and sessions are kept.  [default: 400]")
@click.option("--raw-days", type=_DAYS, help="Days that received log records and spans are kept.  [default: 30]")
@click.option(
    "--users",
    "with_users",
    is_flag=True,
    help="Make the users writer, reader and auditor too, with the passwords in OTEL_COSTS_WRITER_PASSWORD and so on.",
)
@options.format_option
@options.dsn_option
def schema(
    cluster: str | None,
    content_days: int | None,
    ledger_days: int | None,
    raw_days: int | None,
    with_users: bool,
    form: str,
    dsn: str | None,
) -> None:
    """Create the tables and views that this version needs, and list what was changed.

    Run it as often as you like: tables are created and extended, never emptied. Retention periods are
    remembered until they are given again.
    """
    from otel_costs.store import schema as store_schema  # noqa: PLC0415
    from otel_costs.store import users  # noqa: PLC0415
    from otel_costs.store.cluster import ClusterSchema  # noqa: PLC0415
    from otel_costs.store.rows import store_errors  # noqa: PLC0415

    asked = {"content_days": content_days, "ledger_days": ledger_days, "raw_days": raw_days}
    days = {name: number for name, number in asked.items() if number is not None}
    try:
        layout = None if cluster is None else ClusterSchema(cluster)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with options.opened(dsn, long_work=True) as client, output.working("Applying the schema"), store_errors():
        changes = store_schema.apply(client, layout=layout, days=days)
        named = users.apply(client) if with_users else ()
    changes += [store_schema.Change("replaced", "user", name) for name in named]
    rows = [{"action": c.action, "kind": c.kind, "name": c.name, "detail": c.detail} for c in changes]
    if form == options.JSON:
        output.write_json({"changes": rows})
    elif form == options.CSV:
        output.write_csv(rows, COLUMNS)
    else:
        output.show(*map(str, changes) if changes else ["the schema is up to date"])
