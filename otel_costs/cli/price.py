"""The command `price`: what a usage costs, and what stored calls would have cost with other models."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.text import Text

from otel_costs import pricing
from otel_costs.cli import formatting, options, output, selecting, what_if
from otel_costs.cli.cost_lines import label
from otel_costs.cli.failure import Failure, nearest
from otel_costs.cli.prices import no_model, prices_option
from otel_costs.cli.reasons import explained
from otel_costs.pricing import Cost, PriceBook
from otel_costs.pricing.cost import CURRENCY, Contracted
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.store import periods
from otel_costs.store.alternative import Alternative
from otel_costs.store.selection import Selection
from otel_costs.usage import Usage
from otel_costs.usage.units import UNITS

LINE_COLUMNS: Final = ("unit", "quantity", "rate_usd", "per", "multiplier", "amount_usd")


@click.command("price", short_help="Compute what calls cost, or would have cost.")
@click.argument("model", required=False)
@click.argument("usage", metavar="UNIT=QUANTITY...", nargs=-1)
@click.option("--provider", metavar="NAME", help="The provider.  [default: openai; of stored calls their own]")
@click.option(
    "--at", metavar="TIME", help="Prices of this time: now, or one in UTC.  [default: now; that of stored calls]"
)
@click.option("--service-tier", "--tier", metavar="NAME", help="The service tier: default, flex, priority, ...")
@click.option("--processing", "--window", metavar="NAME", help="The processing window: batch, window_8h, standard.")
@click.option("--endpoint", metavar="HOST", help="The host or URL that is called: some prices are for one region.")
@click.option("--deployment", metavar="NAME", help="The deployment of MODEL.")
@click.option("--request-model", metavar="NAME", help="The requested model, if MODEL is another one that answered.")
@click.option("--like", metavar="SESSION", help="What was used in this session, instead of UNIT=QUANTITY.")
@click.option("--model", "models", metavar="A,B", help="The models at whose prices stored calls are counted.")
@selecting.selection_options(of_model="of-")
@prices_option
@options.format_option
@options.dsn_option
def price(
    model: str | None,
    usage: tuple[str, ...],
    provider: str | None,
    at: str | None,
    service_tier: str | None,
    processing: str | None,
    like: str | None,
    models: str | None,
    selection: Selection,
    path: str | None,
    form: str,
    dsn: str | None,
    **own: str | None,
) -> None:
    """Compute what a call of MODEL with this usage costs: otel-costs price gpt-4o input_tokens=1250 output_tokens=3400

    Totals include their parts, as providers report them: input_tokens include cache_read_tokens and
    input_audio_tokens. Exit code 1: a part of the usage has no price.

    Or what stored calls would have cost with another model, tier or window, line by line: otel-costs price --like
    SESSION --model gpt-4o-mini,gpt-4.1-mini, or with --from 30d and filters. Exit code 1: a call has no price then.
    """
    book = pricing.load(path)
    moment = _moment(at)
    if like is None and not selecting.is_narrow(selection):
        _of_usage(book, model, usage, models, form, provider or "openai", moment, service_tier, processing, own)
        return
    if model or any(own.values()):
        raise click.UsageError("stored calls have their own usage: give --model, --tier and --window alone with them")
    alternatives = [
        Alternative(name, provider, service_tier, processing)
        for name in (filter(None, (part.strip() for part in models.split(","))) if models else [None])
    ]
    if alternatives in ([Alternative()], []):
        raise click.UsageError("give what to compare with: --model A,B, --tier NAME or --window NAME")
    pricing.use(book)
    what_if.compare(dsn, selection, alternatives, session=like, at=moment, form=form)


def _of_usage(
    book: PriceBook,
    model: str | None,
    usage: tuple[str, ...],
    models: str | None,
    form: str,
    provider: str,
    at: datetime | None,
    service_tier: str | None,
    processing: str | None,
    own: Mapping[str, str | None],
) -> None:
    if model is None or not usage:
        raise click.UsageError("give MODEL and UNIT=QUANTITY, or stored calls: --like SESSION, or --from 30d")
    if models:
        raise click.UsageError("--model is for stored calls: give --like SESSION or --from 30d")
    cost = pricing.price(
        _usage(usage), provider=provider, model=model, at=at, service_tier=service_tier, processing=processing,
        prices=book, endpoint=own["endpoint"], deployment=own["deployment"], request_model=own["request_model"],
    )  # fmt: skip
    if cost.reason == CostReason.UNKNOWN_MODEL:
        raise Failure(no_model(book, provider, model))
    if form == options.JSON:
        output.write_json(_cost_row(cost))
    elif form == options.CSV:
        output.write_csv(_line_rows(cost), LINE_COLUMNS)
    else:
        output.show(_cost_table(cost))
    if cost.status in (pricing.PARTIAL, pricing.UNPRICED):
        click.get_current_context().exit(1)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.now(UTC) if text == "now" else periods.moment(text)
    except ValueError as error:
        raise click.UsageError(f"--at: {error}") from None


def _usage(pairs: Iterable[str]) -> Mapping[str, int | Decimal]:
    """Read UNIT=QUANTITY; refuse what `Usage` would only flag. What is not said to be audio or an image is text."""
    found: dict[str, object] = {}
    for pair in pairs:
        unit, sign, quantity = pair.partition("=")
        if not sign:
            raise click.UsageError(f"{pair!r} is no usage: give UNIT=QUANTITY, such as input_tokens=1250")
        if unit not in UNITS:
            units = nearest(unit, sorted(UNITS, key=_by_use), "the units are", most=5)
            raise click.UsageError(f"{unit!r} is no unit; {units}")
        try:
            found[unit] = options.ungrouped(quantity)
        except ValueError as error:
            raise click.UsageError(f"{unit}: {error}") from None
    usage = Usage.of(found)
    for unit in usage.invalid:
        if unit not in usage.quantities:
            raise click.UsageError(f"{found[unit]!r} is no quantity of {unit}")
        if usage.quantities[unit] == Usage.of({unit: found[unit]}).quantities[unit]:  # it was not cut: its parts are
            raise click.UsageError(f"the parts of {unit} are more than the whole together; totals include their parts")
        raise click.UsageError(f"{unit} are more than the whole that they are a part of; totals include their parts")
    return usage.quantities


def _by_use(unit: str) -> tuple[bool, int, str]:
    """Put units of plain tokens before the others, short names before long ones."""
    return not unit.endswith("tokens"), len(unit), unit


def _cost_row(cost: Cost) -> Mapping[str, Any]:
    return {
        "cost_usd": cost.total,
        "list_usd": cost.list_usd,
        "contract": _contract_row(cost.contract),
        "status": cost.status,
        "reason": cost.reason,
        "lines": _line_rows(cost),
        "unpriced_units": list(cost.unpriced_units),
        "price_id": cost.price_id,
        "price_book": cost.book,
        "currency": cost.currency,
    }


def _contract_row(contract: Contracted | None) -> Mapping[str, Any] | None:
    if contract is None:
        return None
    return {
        "contract_id": contract.id,
        "contracted_usd": contract.contracted_usd,
        "contract_amount": contract.amount,
        "contract_currency": contract.currency,
        "reservation_id": contract.reservation,
    }


def _by_contract(contract: Contracted) -> str:
    """Return by which contract a cost is: "contract acme, list $0.02, EUR 0.014"."""
    parts = [f"contract {contract.id}"]
    if contract.list_usd is not None:
        parts.append(f"list ${formatting.plain(contract.list_usd)}")
    if contract.amount is not None and contract.currency != CURRENCY:
        parts.append(f"{contract.currency} {formatting.plain(contract.amount)}")
    if contract.reservation:
        parts.append(f"reserved by {contract.reservation}")
    return ", ".join(parts)


def _line_rows(cost: Cost) -> list[Mapping[str, Any]]:
    return [
        {
            "unit": line.unit,
            "quantity": line.quantity,
            "rate_usd": line.rate,
            "per": line.per,
            "multiplier": str(line.multiplier),
            "amount_usd": line.amount,
        }
        for line in cost.lines
    ]


def _cost_table(cost: Cost) -> RenderableType:
    table = output.table()
    table.add_column("")
    for name in ("quantity", "rate", "cost"):
        table.add_column(name, justify="right")
    for line in cost.lines:
        table.add_row(
            label(line.unit),
            formatting.quantity(line.quantity),
            formatting.rate(line.rate * line.multiplier, line.per),
            f"${formatting.plain(line.amount)}",
        )
    table.add_section()
    total = "unpriced" if cost.total is None else f"${formatting.plain(cost.total)}"
    table.add_row(Text("total", "bold"), "", "", Text(total, "bold"))
    notes = [f"{cost.status}: {cost.reason}" if cost.reason else cost.status, *filter(None, [cost.price_id]), cost.book]
    if cost.contract is not None:
        notes.append(_by_contract(cost.contract))
    if cost.unpriced_units:
        notes.insert(1, f"no price for {', '.join(map(label, cost.unpriced_units))}")
    reasons = [output.text(line, "dim") for line in explained([cost.reason or ""])]
    return Group(table, output.text(" · ".join(notes), "dim"), *reasons)
