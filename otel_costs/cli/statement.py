"""The command `statement`: what each value of a tag pays for a month, to read, to send, and to print."""

import hashlib
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from otel_costs.chargeback.rules import DEFAULT_BY, Allocation
from otel_costs.cli import formatting, options, output, time_zone
from otel_costs.cli.failure import Failure
from otel_costs.store.selection import Selection

Row = dict[str, Any]

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,80}")


@click.command("statement", short_help="Write what each team pays for a month.")
@click.option("--month", "of_month", metavar="YYYY-MM", help="The month.  [default: the last one that is over]")
@click.option("--by", metavar="tag.NAME", default=DEFAULT_BY, show_default=True, help="Whose statements: by this tag.")
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a CSV and a page to print for each there.",
)
@options.allocation_option
@options.tz_option
@options.format_option
@options.dsn_option
def statement(
    of_month: str | None, by: str, folder: Path | None, allocation: Allocation | None, form: str, dsn: str | None
) -> None:
    """Write what each value of a tag costs in a month: of its own, of what is shared, and both; by model and service.

    What nothing assigns has a statement of its own, without a name. The page /statements of the report app is the same.
    """
    from otel_costs.chargeback import statement_page, statements  # noqa: PLC0415

    tz = time_zone.current()
    selection = Selection(tz=tz, allocation=allocation)
    with options.opened(dsn) as client, output.working("Adding up"):
        try:
            found = statements.statements(client, selection, of_month or statements.last_month(tz), by)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if folder is not None:
        for one in found["statements"]:
            alone = {**found, "statements": [one]}
            name = f"{found['month']}-{_file_name(one['value'])}"
            _write(folder / f"{name}.csv", output.csv_text(statements.statement_rows(alone), statements.COLUMNS))
            _write(folder / f"{name}.html", statement_page.page(alone))
        output.note(f"{folder}: {formatting.many(len(found['statements']), 'statement')} of {found['month']}")
    elif form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(statements.statement_rows(found), statements.COLUMNS)
    else:
        _show(found)


def _show(found: Row) -> None:
    table = output.table(f"{found['month']} ({found['tz']})")
    table.add_column(found["by"].removeprefix("tag."), no_wrap=True)
    for name in ("calls", "unpriced", "own", "shared", "total", "budget"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found["statements"]:
        table.add_row(output.name(one["value"] or "(none)"), *_cells(one), _budget(one["limit_usd"]))
    table.add_section()
    table.add_row(Text("total", "bold"), *_cells(found["total"]), "")
    output.show(table)
    if not found["statements"]:
        output.note(f"no calls in {found['month']}")


def _budget(limit: Decimal | None) -> str:
    """Write a budget, which may be 0; nothing where there is none."""
    return "" if limit is None else formatting.usd(limit)


def _cells(row: Row) -> list[str]:
    counts = [f"{row[name]:,}" for name in ("call_count", "unpriced_calls")]
    return [*counts, formatting.known(row), formatting.usd(row["shared_usd"]), formatting.usd(row["total_usd"])]


def _file_name(value: str) -> str:
    """Return the name of a value's files: another one for each, and never one outside of a folder."""
    if not value:
        return "(none)"
    if _PLAIN.fullmatch(value):
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '-', value)[:60]}~{digest}"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from error
