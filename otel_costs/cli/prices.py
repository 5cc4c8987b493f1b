"""The command `prices`: the table in force, its updates, and what is wrong with a file. It needs no store."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

import click
from rich.table import Table

from otel_costs import pricing
from otel_costs.cli import formatting, options, output
from otel_costs.cli.cost_lines import label
from otel_costs.cli.failure import Failure, nearest
from otel_costs.pricing import (
    PriceBook,
    contract_table,
    price_book,
    price_check,
    price_file,
    price_table,
    price_update,
    updates,
)
from otel_costs.pricing.contract_table import TermRow
from otel_costs.pricing.price_table import PriceRow, PriceSource
from otel_costs.pricing.price_update import Update
from otel_costs.pricing.updates import PriceUpdateError
from otel_costs.semconv import ENV_PRICES

PRICE_COLUMNS: Final = (
    "provider", "model", "unit", "usd", "per", "multiplier", "condition", "start", "end", "price_id", "source",
    "checked", "wins", "winner", "contract",
)  # fmt: skip

_provider_option = click.option("--provider", metavar="NAME", help="Only of this provider.")
prices_option = click.option(
    "--prices",
    "path",
    metavar="FILE",
    type=click.Path(),
    help="A price file over the built-in prices.  [default: OTEL_COSTS_PRICES]",
)


class _Refused(Failure):
    """An update that is worse than what is here: a finding, and no wrong call."""

    exit_code = 1


class _Prices(click.Group):
    """Lists prices, but for the words that are commands of their own: MODEL is any other."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] not in [[name] for name in (*self.commands, "--help")]:
            args = ["list", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in super().list_commands(ctx) if name != "list"]


@click.group("prices", cls=_Prices, short_help="List the prices in force; update and check them.")
def prices() -> None:
    """List the prices in force: otel-costs prices [MODEL] [--provider NAME] [--prices FILE] [--format NAME]"""


@prices.command("list", short_help="List the prices in force.")
@click.argument("model", required=False)
@_provider_option
@prices_option
@options.format_option
def list_(model: str | None, provider: str | None, path: str | None, form: str) -> None:
    """List the prices in force, of all models or of those with MODEL in their name.

    Of several prices for a model, the first is the one that calls have: the others say which it is. Below are the
    contracts; a price that calls have says by which of them it is billed.
    """
    book = pricing.load(path)
    rows = list(price_table.rows(book, provider, model))
    if not rows:
        raise Failure(no_model(book, provider, model or ""))
    sources, now = list(price_table.sources(book)), datetime.now(UTC)
    if form == options.JSON:
        output.write_json(
            {
                "version": book.version,
                "sources": [asdict(source) for source in sources],
                "prices": [_price_row(row) for row in rows],
                "contracts": [asdict(row) for row in contract_table.rows(book, now, provider)],
            }
        )
    elif form == options.CSV:
        output.write_csv(map(_price_row, rows), PRICE_COLUMNS)
    else:
        output.show(output.text(f"Version {book.version}: each of these over the next."))
        output.show(*(output.text(f"{number}. {_source(source, now)}") for number, source in enumerate(sources, 1)))
        output.show(_price_table(rows), formatting.many(len(rows), "rate"))
        if terms := list(contract_table.rows(book, now, provider)):
            output.show(_contract_table(terms))


@prices.command("update", short_help="Fetch a newer price book and store it.")
@click.option(
    "--from",
    "source",
    metavar="URL_OR_FILE",
    help="A price file, or data of genai-prices, over https or from a file.  [default: what genai-prices publishes]",
)
@click.option("--dry-run", is_flag=True, help="List what would change, and store nothing.")
@click.option("--date-back", is_flag=True, help="Apply changed prices to past calls, too.")
@click.option("--forget", is_flag=True, help="Remove stored updates: use the prices of this release again.")
@options.format_option
def update(source: str | None, dry_run: bool, date_back: bool, forget: bool, form: str) -> None:
    """Fetch a price book, say what it changes, and store it: programs of this user read it when they start.

    A price that is another one holds from now on: calls of the past keep theirs, and those without a price get one by
    `otel-costs reprice --unpriced`. Exit code 1: the book is older than what is here, or not whole, and is refused.
    """
    try:
        if forget:
            output.show(*map(output.text, [f"removed {path}" for path in updates.forget()] or ["nothing is stored"]))
            return
        with output.working("Fetching"):
            found = price_update.prepare(source, date_back=date_back)
        if not dry_run:
            found.store()
    except PriceUpdateError as error:
        raise (_Refused if error.refused else Failure)(f"{error}. Nothing is changed.") from error
    rows = [asdict(change) for change in found.changes]
    if form == options.JSON:
        output.write_json({"version": found.version, "stored": not dry_run, "changes": rows})
    elif form == options.CSV:
        output.write_csv(rows, ("kind", "provider", "model", "said"))
    else:
        output.show(
            *([_change_table(rows)] if rows else []), output.text(_changed(found, dry_run=dry_run, date_back=date_back))
        )


@prices.command("check", short_help="Find mistakes in a price file.")
@click.argument("path", metavar="FILE", type=click.Path())
@options.format_option
def check(path: str, form: str) -> None:
    """Say of each price in FILE what it takes away from the prices below it, and what it never holds for.

    Exit code 1: there is something to say; 2: FILE cannot be used.
    """
    findings = price_check.findings(price_file.load(path), price_book.updated())
    rows = [asdict(finding) for finding in findings]
    if form == options.JSON:
        output.write_json({"file": path, "findings": rows})
    elif form == options.CSV:
        output.write_csv(rows, ("line", "price", "problem"))
    else:
        lines = [f"{path}, line {row['line']}: {row['price']} {row['problem']}" for row in rows]
        output.show(*map(output.text, lines or [f"{path}: nothing to say"]))
    if findings:
        click.get_current_context().exit(1)


def _source(source: PriceSource, now: datetime) -> str:
    parts = [source.version, source.name]
    if source.fetched_at is not None:
        parts.append(f"fetched {source.fetched_at:%Y-%m-%d %H:%M} UTC, {_age(now - source.fetched_at)} ago")
    return ", ".join(parts)


def _age(age: timedelta) -> str:
    hours = age.seconds // 3600
    return (
        formatting.many(age.days, "day")
        if age.days
        else formatting.many(hours, "hour")
        if hours
        else "less than an hour"
    )


def _change_table(rows: Iterable[Mapping[str, str]]) -> Table:
    table = output.table()
    table.add_column("", no_wrap=True)
    for name in ("provider", "model", "dollars"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(row["kind"], *(output.text(row[name]) for name in ("provider", "model", "said")))
    return table


def _changed(found: Update, *, dry_run: bool, date_back: bool) -> str:
    counts = Counter(change.kind for change in found.changes)
    numbers = ", ".join(f"{counts[kind]:,} {kind}" for kind in ("new", "changed", "gone"))
    stored = "would be stored" if dry_run else "is stored: programs read it when they start"
    parts = [f"{numbers}; version {found.version} {stored}."]
    if counts["changed"]:
        parts.append("What is changed holds " + ("for calls of the past, too." if date_back else "from now on."))
    if counts["new"]:
        parts.append("What is new holds for calls of the past, too: otel-costs reprice --unpriced")
    return " ".join(parts)


def no_model(book: PriceBook, provider: str | None, model: str) -> str:
    """Return that a model has no price, which names are near, and where one is added."""
    known = list(price_table.rows(book, provider))
    if provider and not known:
        names = sorted({row.provider for row in price_table.rows(book)})
        return f"no prices of provider {provider!r}; {nearest(provider, names, 'there are')}"
    # Patterns such as gpt-4o-2024-* are no names that one would type.
    near = nearest(model, [row.model for row in known if not set(row.model) & set("*,/^")], "there are")
    of_provider = f" of {provider}" if provider else ""
    near += "" if near.endswith("?") else "."
    return f"no price of model {model!r}{of_provider}; {near} Or give --provider, or add it to the file of {ENV_PRICES}"


def _price_row(row: PriceRow) -> Mapping[str, Any]:
    return {**asdict(row), "usd": None if row.usd is None else f"{row.usd:f}", "multiplier": f"{row.multiplier:f}"}


def _price_table(rows: Iterable[PriceRow]) -> Table:
    table = output.table()
    table.add_column("provider", no_wrap=True)
    table.add_column("model", no_wrap=True)
    table.add_column("dollars", overflow="fold", ratio=1)
    for (provider, model, condition, winner, contract), rates in groupby(
        rows, key=lambda row: (row.provider, row.model, row.condition, row.winner, row.contract)
    ):
        parts = [f"{per}: {', '.join(map(_rate, same))}" for per, same in groupby(rates, key=_per)]
        description = output.text(
            "; ".join(
                filter(
                    None,
                    [condition, *parts, winner and f"not in force: {winner} is", contract and f"contract {contract}"],
                )
            )
        )
        if winner:
            description.stylize("dim")
        table.add_row(provider, output.text(model), description)
    return table


def _contract_table(rows: Iterable[TermRow]) -> Table:
    table = output.table()
    for name in ("contract", "of", "for", "", "", ""):
        table.add_column(name, overflow="fold")
    for row in rows:
        limits = [f"{word} {formatting.moment(when)}" for word, when in (("from", row.start), ("to", row.end)) if when]
        cells = (row.contract_id, ", ".join(row.providers), row.match, row.kind, row.said, ", ".join(limits))
        table.add_row(*(output.text(cell, "" if row.in_force else "dim") for cell in cells))
    return table


def _per(row: PriceRow) -> str:
    """Return what the rates of a row are for: "per 1M, from 2026-01-01 00:00:00"."""
    limits = [f"{word} {formatting.moment(when)}" for word, when in (("from", row.start), ("to", row.end)) if when]
    times = f"× {formatting.plain(row.multiplier)}" if row.usd is None else f"per {formatting.short(row.per or 1)}"
    return ", ".join([times, *limits])


def _rate(row: PriceRow) -> str:
    return "all" if row.usd is None else f"{label(row.unit)} {formatting.plain(row.usd * row.multiplier)}"
