"""What calls cost, split by anything that they have: one table of groups, which adds up to its total."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.chargeback.shared_costs import SHARED, TOTAL
from otel_costs.cli import formatting, output
from otel_costs.store import costs
from otel_costs.store.reports import BREAKDOWN, TOKENS

Row = Mapping[str, Any]


def group_columns(by: Sequence[str], found: Row) -> tuple[str, ...]:
    """Return the columns of the groups of `found` in CSV."""
    costs_ = ("cost_usd", "list_usd", *((SHARED, TOTAL) if SHARED in found["total"] else ()))
    measures = ("call_count", "unpriced_calls", "error_count", *costs_, "audio_seconds", "characters")
    parts, tokens = (f"{part}_usd" for part in BREAKDOWN), (f"{kind}_tokens" for kind in TOKENS)
    return (*by, "others", *measures, *parts, *tokens)


def group_tables(found: Row) -> RenderableType:
    """Return groups as a table, under what they are of."""
    total, by = found["total"], found["by"]
    heading = Text("Costs", "bold")
    for part in (formatting.period(found["since"], found["until"]), formatting.many(total["call_count"], "call")):
        heading.append(" · ", "dim").append(part)
    heading.append(" · ", "dim").append(formatting.total(total["cost_usd"], total["unpriced_calls"]), "bold")
    unpriced = any(row["unpriced_calls"] for row in found["costs"])
    table = output.table()
    for name in by:
        table.add_column(name.removeprefix(costs.TAG), no_wrap=True)
    add_figures(table, unpriced=unpriced)
    split = SHARED in total
    if split:
        for name in ("shared", "total"):
            table.add_column(name, justify="right", no_wrap=True)
    for row in found["costs"]:
        table.add_row(*_names(row, by), *figures(row, unpriced=unpriced), *_split(row, split=split))
    if len(found["costs"]) > 1:
        table.add_section()
        sums = figures(total, unpriced=unpriced)
        table.add_row(Text("total", "bold"), *[""] * (len(by) - 1), *sums, *_split(total, split=split))
    return Group(heading, Text(), table)


def add_figures(table: Table, *, unpriced: bool) -> None:
    """Add the columns of what `figures` yields."""
    for name in ("calls", *(["unpriced"] if unpriced else []), "tokens in", "tokens out", "cost"):
        table.add_column(name, justify="right", no_wrap=True)


def figures(row: Row, *, unpriced: bool) -> Iterator[RenderableType]:
    """Yield the cells of a row of costs."""
    tokens = row["tokens"]
    yield f"{row['call_count']:,}"
    if unpriced:
        yield f"{row['unpriced_calls']:,}"
    yield f"{tokens['text_input'] + tokens['audio_input'] + tokens['cached_input']:,}"
    yield f"{tokens['text_output'] + tokens['audio_output']:,}"
    yield Text(formatting.known(row), "bold")


def _split(row: Row, *, split: bool) -> Iterator[RenderableType]:
    """Yield the cells of what a row gets of what is shared, and of both together."""
    if split:
        yield formatting.usd(row[SHARED])
        has_part = bool(row[TOTAL])  # of what is known, be its own calls all without a price
        yield Text(
            formatting.usd(row[TOTAL]) if has_part else formatting.known({**row, "cost_usd": row[TOTAL]}), "bold"
        )


def _names(row: Row, by: Sequence[str]) -> Iterator[RenderableType]:
    """Yield the cells of what a group is; the first one without a value says how many others a row has."""
    others = row.get("others")
    for name in by:
        if row[name] is not None:
            yield output.name(row[name] or "(none)")
        else:
            yield Text(formatting.many(others, "other"), "dim") if others else Text()
            others = 0
