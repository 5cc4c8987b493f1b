"""The command `reconcile`: what was recorded beside what OpenAI says was used and will be billed."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import click

from otel_costs.cli import options, output
from otel_costs.cli.failure import Failure
from otel_costs.cli.reconciliation import openai, tables
from otel_costs.cli.reconciliation.comparison import Comparison, Limits, Row, compare
from otel_costs.cli.reconciliation.pages import Source
from otel_costs.cli.reconciliation.reported import ProviderError
from otel_costs.store import reconciliation

if TYPE_CHECKING:
    _PercentType = click.ParamType[Decimal]
else:
    _PercentType = click.ParamType  # generic since click 8.4

CSV_COLUMNS: Final = (
    "by", "day", "model", "unit", "theirs", "ours", "difference", "theirs_usd", "ours_usd", "difference_usd",
    "unpriced_calls", "state",
)  # fmt: skip
DAYS: Final = 7
"""How many days are compared, if it is not said."""


class Percent(_PercentType):
    """A share in percent, with or without its sign, as a fraction."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read `value`."""
        if isinstance(value, Decimal):
            return value
        try:
            found = Decimal(value.strip().removesuffix("%").strip())
        except InvalidOperation:
            found = Decimal("NaN")
        if not found.is_finite() or not 0 <= found < 100:
            self.fail(f"{value!r} is no tolerance: give percent, such as 0.5% or 0", param, ctx)
        return found / 100


@click.command("reconcile", short_help="Compare with the usage and costs that OpenAI reports.")
@options.utc_period_options
@click.option("--project", "projects", metavar="ID", multiple=True, help="What OpenAI has of this project; repeatable.")
@click.option("--api-key-id", "api_keys", metavar="ID", multiple=True, help="What OpenAI has of this key; repeatable.")
@click.option("--service", "services", metavar="NAME", multiple=True, help="What we have of this program; repeatable.")
@click.option(
    "--tolerance", type=Percent(), default="0.5%", show_default=True, help="How far the sides may be apart, in percent."
)
@click.option(
    "--base-url",
    metavar="URL",
    default=openai.BASE_URL,
    show_default=True,
    # Not OPENAI_BASE_URL: a gateway would get a key that may do everything in the organization.
    help="The base URL of OpenAI's administration API; OPENAI_BASE_URL is not read.",
)
@options.format_option
@options.dsn_option
def reconcile(
    since: datetime | None,
    until: datetime | None,
    projects: Sequence[str],
    api_keys: Sequence[str],
    services: Sequence[str],
    tolerance: Decimal,
    base_url: str,
    form: str,
    dsn: str | None,
) -> None:
    """Compare what was recorded of OpenAI's models with what OpenAI reports: usage by day and model, costs by day.

    Whole days in UTC; the seven before today, if none are given. Needs an admin key in OPENAI_ADMIN_KEY. The store does
    not know OpenAI's projects and keys: --service chooses what was recorded, --project and --api-key-id what is
    reported. Exit code 1: the two do not agree.
    """
    now = datetime.now(UTC)
    since, until = _days(since, until, now)
    asked = reconciliation.Asked(openai.NAME, since, until, services)
    try:
        source = Source(base_url, _key())
        recorded = _recorded(asked, dsn)
        with output.working(f"Asking {source.host}"):
            reported = openai.reported(source, since, until, projects=projects, api_keys=api_keys)
    except ProviderError as error:
        raise Failure(output.inert(str(error))) from error
    found = compare(reported, recorded.usage, recorded.costs, Limits(tolerance, now))
    said = {"provider": openai.NAME, "since": since, "until": until, "tolerance": f"{tolerance:f}"}
    if form == options.JSON:
        extent = {
            "findings": found.findings,
            "missing_calls": recorded.missing_calls,
            "unavailable": reported.unavailable,
        }
        output.write_json({**said, **extent, **tables.as_dictionaries(found)})
    elif form == options.CSV:
        output.write_csv(_csv_rows(found), CSV_COLUMNS)
    else:
        output.show(tables.comparison(found, tolerance, recorded.missing_calls, reported.unavailable))
    if found.findings:
        click.get_current_context().exit(1)


def _days(since: datetime | None, until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of the first day, and that after the last one."""
    until = until or now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = since or until - timedelta(days=DAYS)
    for moment in (since, until):
        if moment.astimezone(UTC).time() != datetime.min.time():
            raise click.UsageError("whole days are compared: give --from and --to as 2026-11-22")
    if since >= until:
        raise click.UsageError(f"there is no day from {since:%Y-%m-%d} up to {until - timedelta(days=1):%Y-%m-%d}")
    return since, until


def _key() -> str:
    key = os.environ.get(openai.ENV_KEY, "").strip()
    if not key:
        raise Failure(f"no key for OpenAI's usage and costs: {openai.WHICH_KEY}")
    return key


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the store has."""

    usage: Sequence[Row]
    costs: Sequence[Row]
    missing_calls: int


def _recorded(asked: reconciliation.Asked, dsn: str | None) -> _Recorded:
    with options.opened(dsn, long_work=True) as client, output.working("Reading the store"):
        return _Recorded(
            reconciliation.recorded_usage(client, asked),
            reconciliation.recorded_costs(client, asked),
            reconciliation.missing_calls(client, asked),
        )


def _csv_rows(found: Comparison) -> Iterator[dict[str, object]]:
    """Yield a row per day, model and unit, and per day and item of the costs; the column `by` says which."""
    for usage in found.usage:
        for figure in usage.figures:
            counts = {"theirs": figure.theirs, "ours": figure.ours, "difference": figure.difference}
            head = {"by": "usage", "day": usage.day, "model": usage.model, "unit": figure.unit}
            yield {**head, **counts, "state": usage.state}
    for costs in found.costs:
        sums = {"theirs_usd": costs.theirs_usd, "ours_usd": costs.ours_usd, "difference_usd": costs.difference_usd}
        more = {"unpriced_calls": costs.unpriced_calls, "state": costs.state}
        yield {"by": "costs", "day": costs.day, **sums, **more}
        for item in costs.items:
            amounts = {"theirs_usd": item.theirs_usd, "ours_usd": item.ours_usd}
            yield {"by": "item", "day": costs.day, "model": item.name, **amounts, "difference_usd": item.difference_usd}
