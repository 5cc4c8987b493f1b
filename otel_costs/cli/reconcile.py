"""The command `reconcile`: what was recorded beside what a provider says was used and will be billed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from otel_costs.cli import options, output
from otel_costs.cli.failure import Failure
from otel_costs.cli.reconciliation import tables, vendors
from otel_costs.cli.reconciliation.comparison import Comparison, Limits, Row, compare
from otel_costs.cli.reconciliation.findings import findings
from otel_costs.cli.reconciliation.reported import ProviderError, Question, Reported
from otel_costs.cli.reconciliation.vendors import Vendor
from otel_costs.semconv import ENV_WRITER_DSN
from otel_costs.store import StoreError, bill_differences, reconciliation

if TYPE_CHECKING:
    _PercentType = click.ParamType[Decimal]
    _RateType = click.ParamType[tuple[str, Decimal]]
else:
    _PercentType = _RateType = click.ParamType  # generic since click 8.4

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
        found = _decimal(value.strip().removesuffix("%").strip())
        if not found.is_finite() or not 0 <= found < 100:
            self.fail(f"{value!r} is no tolerance: give percent, such as 0.5% or 0", param, ctx)
        return found / 100


class Rate(_RateType):
    """A currency, and the dollars that one of it is: EUR=1.08."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Decimal]:
        """Read `value`."""
        if isinstance(value, tuple):
            return value
        currency, _, usd = value.partition("=")
        found = _decimal(usd.strip())
        if not currency.strip().isalpha() or not found.is_finite() or not 0 < found < 10**6:
            self.fail(f"{value!r} is no rate: give the dollars that one is, such as EUR=1.08", param, ctx)
        return currency.strip().upper(), found


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


@click.command(
    "reconcile",
    short_help="Compare with the usage and costs that a provider reports.",
    epilog=f"Every provider's module is {vendors.NEVER_MET}.",
)
@options.utc_period_options
@click.option(
    "--provider",
    "name",
    type=click.Choice(list(vendors.MODULES)),
    default="openai",
    show_default=True,
    help="Whose bill it is.",
)
@click.option(
    "--file",
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A file of the bill, or a saved answer: nobody is asked then; repeatable. Needed for google and aws.",
)
@click.option(
    "--project",
    "projects",
    metavar="ID",
    multiple=True,
    help="What the provider has of this project, workspace, account or scope; repeatable.",
)
@click.option(
    "--api-key-id",
    "api_keys",
    metavar="ID",
    multiple=True,
    help="What OpenAI or Anthropic has of this key; repeatable.",
)
@click.option("--service", "services", metavar="NAME", multiple=True, help="What we have of this program; repeatable.")
@click.option(
    "--tolerance", type=Percent(), default="0.5%", show_default=True, help="How far the sides may be apart, in percent."
)
@click.option(
    "--rate", "rates", type=Rate(), metavar="EUR=1.08", multiple=True, help="Dollars for one of a currency; repeatable."
)
@click.option(
    "--base-url",
    "--url",
    metavar="URL",
    # Not OPENAI_BASE_URL: a gateway would get a key that may do everything in the organization.
    help="Where the provider is asked, if not at its own address; OPENAI_BASE_URL is not read.",
)
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file that has the key, in the place of the provider's variable.",
)
@click.option(
    "--store/--no-store",
    "keeps",
    default=None,
    help="Note what differs in the store, for the inbox and alerts. By default where the user may write.",
)
@click.option(
    "--writer-dsn",
    metavar="URL",
    envvar=ENV_WRITER_DSN,
    show_envvar=True,
    help="The store with a user who may write, where that of --dsn may not.",
)
@options.format_option
@options.dsn_option
def reconcile(
    since: datetime | None,
    until: datetime | None,
    name: str,
    files: Sequence[Path],
    projects: Sequence[str],
    api_keys: Sequence[str],
    services: Sequence[str],
    tolerance: Decimal,
    rates: Sequence[tuple[str, Decimal]],
    base_url: str | None,
    key_file: Path | None,
    keeps: bool | None,
    writer_dsn: str | None,
    form: str,
    dsn: str | None,
) -> None:
    """Compare what was recorded with what a provider reports: usage by day and model, costs by day.

    Whole days in UTC; the seven before today, if none are given. The key is read from OPENAI_ADMIN_KEY,
    ANTHROPIC_ADMIN_KEY, AZURE_COST_TOKEN, ELEVENLABS_API_KEY or DEEPGRAM_API_KEY, or from --key-file; bills of google
    and aws are read from --file. The store does not know the provider's projects and keys: --service chooses what was
    recorded, --project and --api-key-id what is reported. Exit code 1: the two do not agree.
    """
    now = datetime.now(UTC)
    since, until = _days(since, until, now)
    vendor = Vendor(name)
    question = Question(since, until, projects, api_keys, dict(rates))
    asked = reconciliation.Asked(vendor.terms.providers, since, until, services, vendor.terms.zone)
    try:
        reported, recorded = _both(vendor, question, asked, _Where(files, base_url, key_file, dsn))
    except ProviderError as error:
        raise Failure(output.inert(str(error))) from error
    found = compare(reported, recorded.usage, recorded.costs, Limits.of(vendor.terms, tolerance, now), vendor.terms)
    head = {"provider": name, "since": since, "until": until, "tolerance": f"{tolerance:f}"}
    if form == options.JSON:
        extent = {
            "findings": found.findings,
            "missing_calls": recorded.missing_calls,
            "unavailable": reported.unavailable,
            **tables.about(vendor.terms),
        }
        output.write_json({**head, **extent, **tables.as_dictionaries(found)})
    elif form == options.CSV:
        output.write_csv(_csv_rows(found), CSV_COLUMNS)
    else:
        output.show(tables.comparison(found, tolerance, recorded.missing_calls, reported.unavailable, vendor.terms))
    if files and reported.is_empty and (found.usage or found.costs):
        output.note("no line of these files is of these days and services: are they the right ones? Nothing is noted")
    elif keeps is not False:
        part = _part(projects, api_keys, services)
        compared = bill_differences.Compared(
            name, since.date(), until.date(), part, reported.has_usage, reported.has_costs
        )
        _keep(compared, found, writer_dsn or dsn, must=bool(keeps))
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


@dataclass(frozen=True, slots=True)
class _Where:
    """Where both sides are had from."""

    files: Sequence[Path]
    base_url: str | None
    key_file: Path | None
    dsn: str | None


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the store has."""

    usage: Sequence[Row]
    costs: Sequence[Row]
    missing_calls: int


def _both(vendor: Vendor, question: Question, asked: reconciliation.Asked, where: _Where) -> tuple[Reported, _Recorded]:
    """Return what the provider reports, and what the store has. Raises ProviderError."""
    vendor.check(question, has_files=bool(where.files))
    if where.files:
        recorded = _recorded(asked, where.dsn)
        with output.working("Reading the bill"):
            return vendor.read(where.files, question), recorded
    source = vendor.source(where.base_url, vendor.key(where.key_file))
    recorded = _recorded(asked, where.dsn)
    with output.working(f"Asking {source.host}"):
        return vendor.asked(source, question), recorded


def _recorded(asked: reconciliation.Asked, dsn: str | None) -> _Recorded:
    with options.opened(dsn, long_work=True) as client, output.working("Reading the store"):
        return _Recorded(
            reconciliation.recorded_usage(client, asked),
            reconciliation.recorded_costs(client, asked),
            reconciliation.missing_calls(client, asked),
        )


def _part(projects: Sequence[str], api_keys: Sequence[str], services: Sequence[str]) -> str:
    """Return what of the bill is compared, in the same words whatever the order they were given in."""
    chosen = {"project": projects, "api_key_id": api_keys, "service": services}
    return " ".join(f"{name}={value}" for name, values in chosen.items() for value in sorted(set(values)))


def _keep(compared: bill_differences.Compared, found: Comparison, dsn: str | None, *, must: bool) -> None:
    """Note what differs in the store; where that was not asked for, a user who may not write is told how to."""
    try:
        with options.opened(dsn) as client:
            kept = bill_differences.keep(client, compared, list(findings(found)))
    except StoreError as error:
        if must:
            raise
        output.note(f"not noted for the inbox and alerts: {output.inert(str(error))}; give --writer-dsn, or --no-store")
        return
    if kept.new or kept.known or kept.resolved:
        output.note(f"noted for the inbox: {kept.new:,} new, {kept.known:,} known, {kept.resolved:,} resolved")


def _csv_rows(found: Comparison) -> Iterator[Mapping[str, object]]:
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
        if costs.credits_usd:
            yield {"by": "credits", "day": costs.day, "theirs_usd": costs.credits_usd}
        for currency, amount in costs.foreign.items():
            yield {"by": "foreign", "day": costs.day, "unit": currency.lower(), "theirs": amount}
        for item in costs.items:
            amounts = {"theirs_usd": item.theirs_usd, "ours_usd": item.ours_usd}
            yield {"by": "item", "day": costs.day, "model": item.name, **amounts, "difference_usd": item.difference_usd}
