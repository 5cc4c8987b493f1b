"""A comparison for people and for programs: what differs, what that means, and what to do next."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, output
from otel_costs.cli.cost_lines import label
from otel_costs.cli.reconciliation import comparison as states
from otel_costs.cli.reconciliation.comparison import Comparison, DayCosts, Figure, ModelUsage
from otel_costs.cli.reconciliation.reported import Number, Terms
from otel_costs.cli.reconciliation.vendors import NEVER_MET
from otel_costs.store.rendering import money

MEANINGS: Final = {
    states.NOT_RECORDED: (
        "more is reported than was recorded: a program without otel_costs (a job, a notebook, a browser) uses the same"
        " organization, or records were lost. --project and --api-key-id narrow down whose calls they are"
    ),
    states.NOT_REPORTED: (
        "more was recorded than is reported: calls of another organization, or of a project or key that was not asked"
        " for. --service narrows down whose calls they are"
    ),
    states.DIFFERS: "some figures are higher there and some here: calls about midnight, or models under another name",
    states.ANOTHER_QUANTITY: "both sides have as many requests, and count what they used otherwise",
    states.LATE: "not all of the day is reported yet, as reports come hours late: ask again tomorrow",
    states.USAGE_DIFFERS: "the costs differ, and so does the usage of the day: begin with that",
    states.BILLED_OTHERWISE: (
        "the usage agrees and the costs do not: another price (give yours to `otel-costs reprice --prices FILE`), calls"
        " without a price, or what is billed beside calls, such as tools and storage: see the items"
    ),
    states.UNPRICED: (
        "the usage agrees, and more is billed than was recorded because calls have no price: `otel-costs doctor` says"
        " which, `otel-costs reprice` gives them one"
    ),
    states.CREDITED: "credits, discounts or a free tier take off what is billed: the prices agree",
    states.ANOTHER_CURRENCY: "the bill is in another currency: give its rate, such as --rate EUR=1.08",
    states.ROUNDING: "no more than what the provider rounds by",
}

_UNITS: Final = {"audio_seconds": "seconds", "requests": "requests"}
_STYLES: Final = dict.fromkeys((states.AGREES, states.ROUNDING, states.CREDITED), "green") | {states.LATE: "yellow"}


def as_dictionaries(found: Comparison) -> dict[str, Any]:
    """Return `usage` and `costs` for JSON: `difference` is what is reported beyond ours, None where not compared."""
    return {"usage": [_usage_row(row) for row in found.usage], "costs": [_costs_row(row) for row in found.costs]}


def about(terms: Terms) -> dict[str, Any]:
    """Return what a module says of its report, for JSON."""
    return {"title": terms.title, "checked": NEVER_MET, "cannot_tell": terms.cannot_tell, "grain": terms.grain}


def comparison(
    found: Comparison, tolerance: Decimal, missing_calls: int, unavailable: Sequence[str], terms: Terms
) -> RenderableType:
    """Return a comparison as tables: a line for what agrees, every figure of what does not."""
    parts: list[RenderableType] = []
    if found.usage:
        parts += [_usage_table(found.usage)]
    if found.costs:
        parts += [_costs_table(found.costs)]
    found_states = dict.fromkeys([*(row.state for row in found.usage), *(row.state for row in found.costs)])
    parts += [_meaning(state) for state in found_states if state in MEANINGS]
    if missing_calls:
        parts.append(Text(f"{formatting.many(missing_calls, 'record')} never arrived: `missing_calls` has the gaps"))
    if unavailable:
        parts.append(output.text(f"not reported there: {', '.join(unavailable)}"))
    if found.usage or found.costs:
        parts.append(Text(f"{terms.title}'s report does not tell {terms.cannot_tell}.", "dim"))
        parts.append(Text(f"This comparison is {NEVER_MET}.", "dim"))
    return Group(*parts, Text(_verdict(found, tolerance), "bold"))


def _verdict(found: Comparison, tolerance: Decimal) -> str:
    within = f"within {formatting.plain(tolerance * 100) if tolerance else 0} %"
    if not found.usage and not found.costs:
        return "neither side has anything in these days"
    if not found.findings:
        days = len({*(row.day for row in found.usage), *(row.day for row in found.costs)})
        agreed = "usage agrees" if not found.costs else "costs agree" if not found.usage else "usage and costs agree"
        return f"all is well: {formatting.many(days, 'day')}, {agreed} {within}"
    return f"{formatting.many(found.findings, 'finding')}: not {within}"


def _meaning(state: str) -> Text:
    return Text(f"{_words(state)}: ", "bold").append(Text(MEANINGS[state], "not bold"))


def _words(state: str) -> str:
    return state.replace("_", " ")


def _usage_table(rows: Sequence[ModelUsage]) -> Table:
    table = _table("Usage", "model", "unit")
    for row in rows:
        name = row.model or "(none)"
        if row.recorded_as:
            name += f" (recorded as {', '.join(other or '(none)' for other in row.recorded_as)})"
        head: list[str | Text] = [f"{row.day}", output.line(name)]
        for figure in _rows_of(row):
            state = _state(row.state) if head[0] else Text()
            table.add_row(*head, _UNITS.get(figure.unit) or label(figure.unit), *_numbers(figure), state)
            head = ["", ""]
    return table


def _rows_of(row: ModelUsage) -> tuple[Figure, ...]:
    reported = tuple(figure for figure in row.figures if figure.theirs or figure.ours)
    if row.state != states.AGREES:
        return reported
    return (tuple(figure for figure in reported if figure.compared) or reported)[:1]


def _numbers(figure: Figure) -> Iterator[str]:
    for number in (figure.theirs, figure.ours):
        yield "–" if number is None else formatting.quantity(number)
    yield "" if figure.difference is None else _signed(figure.difference)


def _signed(number: Number) -> str:
    return f"{'+' if number > 0 else ''}{formatting.quantity(number)}" if number else "0"


def _costs_table(rows: Sequence[DayCosts]) -> Table:
    table = _table("Costs", "item")
    for row in rows:
        unpriced = f" + {row.unpriced_calls:,} {formatting.UNPRICED}" if row.unpriced_calls else ""
        reported, recorded, difference = _dollars(row)
        table.add_row(f"{row.day}", "all", reported, recorded + unpriced, difference, _state(row.state))
        if row.credits_usd:
            table.add_row("", "credits", formatting.usd(row.credits_usd), "", "", "")
        for currency, amount in row.foreign.items():
            table.add_row("", output.text(f"in {currency}"), money(amount), "", "", "")
        for item in row.items if row.state != states.AGREES else ():
            table.add_row("", output.line(item.name or "(none)"), *_dollars(item), "")
    return table


def _dollars(row: Any) -> Iterator[str]:
    for usd in (row.theirs_usd, row.ours_usd):
        yield "–" if usd is None else formatting.usd(usd)
    yield ("+" if row.difference_usd > 0 else "") + formatting.usd(row.difference_usd)


def _state(state: str) -> Text:
    return Text(_words(state), _STYLES.get(state, "bold red"))


def _table(title: str, *names: str) -> Table:
    table = output.table(title)
    table.add_column("day", no_wrap=True)
    for name in names:
        table.add_column(name, overflow="fold")
    for column in ("reported", "recorded", "difference"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    return table


def _usage_row(row: ModelUsage) -> dict[str, Any]:
    found = {
        figure.unit: {"theirs": figure.theirs, "ours": figure.ours, "difference": figure.difference}
        for figure in row.figures
    }
    causes = {figure.unit: figure.cause for figure in row.figures if figure.cause != states.AGREES}
    head = {"day": row.day, "model": row.model, "recorded_as": row.recorded_as, "state": row.state}
    return {**head, "figures": found, **({"causes": causes} if causes else {})}


def _costs_row(row: DayCosts) -> dict[str, Any]:
    items = [{"item": item.name, "theirs_usd": item.theirs_usd, "ours_usd": item.ours_usd} for item in row.items]
    sums = {"theirs_usd": row.theirs_usd, "ours_usd": row.ours_usd, "difference_usd": row.difference_usd}
    more = {
        **({"credits_usd": row.credits_usd} if row.credits_usd else {}),
        **({"foreign": {name: money(amount) for name, amount in row.foreign.items()}} if row.foreign else {}),
    }
    return {"day": row.day, "state": row.state, **sums, **more, "unpriced_calls": row.unpriced_calls, "items": items}
