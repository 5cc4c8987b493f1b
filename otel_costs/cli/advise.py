"""The command `advise`: what a period would have cost in other ways, each with its figure and its limits."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, options, output
from otel_costs.cli.selecting import selection_options
from otel_costs.store.selection import Selection

Row = Mapping[str, Any]

COLUMNS: Final = (
    "idea", "title", "provider", "model", "operation", "to", "call_count", "estimated_calls", "recorded_usd",
    "cost_usd", "saved_usd",
)  # fmt: skip


@click.command("advise", short_help="Say what would have cost less, from figures.")
@selection_options(since="30d")
@options.format_option
@options.dsn_option
def advise(selection: Selection, form: str, dsn: str | None) -> None:
    """Say what the period would have cost with prompts read from the cache, with a smaller model for short answers, in
    batches, in text instead of sound, and with the history cut.

    Each figure is computed from the stored calls, one by one, at their prices; how, and what it does not know, stands
    beside it. What would not have cost less is not there. Savings of several do not add up.
    """
    from otel_costs.store.advice import advice  # noqa: PLC0415

    with options.opened(dsn, long_work=True) as client, output.working("Pricing"):
        found = advice(client, selection)
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(_rows(found), COLUMNS)
    else:
        output.show(_report(found))
        if not found["call_count"]:
            output.note("no calls match; give another --from, or fewer filters")


def _rows(found: Row) -> Iterator[Row]:
    for one in found["advice"]:
        for row in one["by"]:
            yield {**row, "idea": one["idea"], "title": one["title"]}


def _report(found: Row) -> RenderableType:
    cost = formatting.total(found["cost_usd"], found["unpriced_calls"])
    heading = Text(formatting.period(found["since"], found["until"]), "bold")
    heading.append(f" · {formatting.many(found['call_count'], 'call')} · {cost}")
    parts: list[RenderableType] = [heading]
    for one in found["advice"]:
        parts += [Text(), *_advice(one, found)]
    if not found["advice"] and found["call_count"]:
        parts.append(Text("Nothing that is looked at here would have cost less."))
    if others := found["other_price_calls"]:
        are = "has" if others == 1 else "have"
        parts.append(
            Text(
                f"{formatting.many(others, 'call')} {are} a cost that does not come of the prices that are known here,"
                " as one that the provider told, and count in nothing of it.",
                "dim",
            )
        )
    return Group(*parts)


def _advice(one: Row, found: Row) -> Iterator[RenderableType]:
    share = one["saved_usd"] / found["cost_usd"]
    figures = f"{formatting.exact(one['saved_usd'])} less ({share:.1%}): {formatting.exact(one['period_usd'])} in all"
    yield Text(one["title"], "bold").append(f" · {figures}")
    yield _table(one)
    yield Text(f"How: {one['how']}")
    yield Text(f"Limits: {one['limits']}", "dim")
    if missing := one["not_priced_calls"]:
        yield Text(
            f"{formatting.many(missing, 'call')} more would have no price so, and count in nothing of it.", "dim"
        )


def _table(one: Row) -> Table:
    table = output.table()
    for name in ("model", "operation", "to"):
        table.add_column(name, overflow="fold")
    for name in ("calls", "was", "would be", "less"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in one["by"]:
        table.add_row(
            *(output.line(row[name]) for name in ("model", "operation", "to")), f"{row['call_count']:,}",
            *(formatting.exact(row[name]) for name in ("recorded_usd", "cost_usd", "saved_usd")),
        )  # fmt: skip
    return table
