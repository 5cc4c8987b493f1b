"""What stored calls would have cost, as tables: the totals side by side, the lines, and what has no price."""

from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otel_costs.cli import formatting, options, output
from otel_costs.cli.cost_lines import label
from otel_costs.cli.failure import Failure
from otel_costs.cli.reasons import explained
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.store.alternative import STAND_INS, Alternative
from otel_costs.store.selection import Selection

Row = Mapping[str, Any]

_MISSING: Final[Mapping[str, str]] = {
    CostReason.MODALITY_NOT_PRICED: "The model has no price for audio.",
    CostReason.PROCESSING_NOT_PRICED: "The model has no price for this processing window.",
    CostReason.TIER_NOT_PRICED: "The model has no price for this service tier.",
}

_OTHERS: Final = "what differs there is the list, too; --prices FILE gives the one that the programs had."

_NONE_TAKEN: Final = (
    "no call of these is one in which a model answers, which another model could take: give --operation, such as"
    " --operation speech_to_text, to price others"
)


def compare(
    dsn: str | None,
    selection: Selection,
    alternatives: Sequence[Alternative],
    *,
    session: str | None,
    at: datetime | None,
    form: str,
) -> None:
    """Show what stored calls cost and would have cost; exit with 1 where one has no price. Raises StoreError."""
    from otel_costs.store.what_if import MOST_ALTERNATIVES, what_if  # noqa: PLC0415
    from otel_costs.store.what_if_rows import COLUMNS, what_if_rows  # noqa: PLC0415

    if len(alternatives) > MOST_ALTERNATIVES:
        raise click.UsageError(f"{len(alternatives)} models: give {MOST_ALTERNATIVES} at most")
    with options.opened(dsn, long_work=True) as client, output.working("Pricing"):
        found = what_if(client, selection, alternatives, session=session, at=at)
    if session is not None and not found["recorded"]["call_count"]:
        raise Failure(f"no calls of session {session!r}; `otel-costs sessions` lists the sessions")
    if form == options.JSON:
        output.write_json(found)
    elif form == options.CSV:
        output.write_csv(what_if_rows(found), COLUMNS)
    else:
        output.show(_tables(found))
        if not found["recorded"]["call_count"]:
            output.note("no calls match; leave out --from, --to or a filter to count more")
        elif not any(one["priced_calls"] or one["not_priced_calls"] for one in found["alternatives"]):
            output.note(_NONE_TAKEN)
    if any(one["not_priced"] for one in found["alternatives"]):
        click.get_current_context().exit(1)


def _tables(found: Row) -> RenderableType:
    parts: list[RenderableType] = [_heading(found), _totals(found)]
    if found["recorded"]["lines"]:
        parts += [Text(), _lines(found)]
    if any(one["differences"] for one in found["alternatives"]):
        parts += [Text(), _differences(found["alternatives"])]
    if others := found["recorded"]["other_price_calls"]:
        parts += [
            Text(),
            Text(
                f"{formatting.many(others, 'call')} of another price list, or priced by the provider: {_OTHERS}", "dim"
            ),
        ]
    for one in found["alternatives"]:
        if one["reserved_usd"]:
            paid = formatting.exact(one["reserved_usd"])
            parts.append(
                output.text(f"{one['label']}: {paid} of what was is reserved by the hour, and paid all the same", "dim")
            )
    missing = [(one["label"], group) for one in found["alternatives"] for group in one["not_priced"]]
    if missing:
        parts += [Text(), _not_priced(missing)]
        parts += [output.text(line, "dim") for line in _reasons({group["reason"] for _, group in missing})]
    return Group(*parts)


def _reasons(reasons: Set[str]) -> Iterator[str]:
    """Explain why calls have no price. What stands in for a missing price elsewhere is not applied here."""
    for reason in sorted(reasons & STAND_INS):
        yield f"{reason}: {_MISSING[reason]}"
    yield from explained(reasons - STAND_INS)


def _heading(found: Row) -> Text:
    session, at = found["session_id"], found["prices_at"]
    parts = [formatting.period(found["since"], found["until"])] if session is None else []
    parts += [formatting.many(found["recorded"]["call_count"], "call")]
    parts += [f"prices of {formatting.moment(at)} UTC" if at else "prices of the time of each call"]
    text = output.line("All calls" if session is None else f"Session {session}", "bold")
    for part in parts:
        text.append(" · ", "dim").append(part)
    return text


def _totals(found: Row) -> Table:
    table = output.table()
    table.add_column("", overflow="fold")
    for name in ("calls", "kept", "no price", "cost", "was", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    recorded = found["recorded"]
    unpriced = f"{recorded['unpriced_calls']:,}"
    cost = formatting.exact(recorded["cost_usd"])
    table.add_row("as recorded", f"{recorded['call_count']:,}", "", unpriced, Text(cost, "bold"), "", "")
    for one in found["alternatives"]:
        table.add_row(
            output.line(one["label"]),
            f"{one['priced_calls']:,}",
            f"{one['kept_calls']:,}",
            f"{one['not_priced_calls']:,}",
            Text(formatting.exact(one["cost_usd"]), "bold"),
            formatting.exact(one["recorded_usd"]),
            f"{_signed(one['difference_usd'])}{_percent(one)}",
        )
    return table


def _lines(found: Row) -> Table:
    table = output.table("Lines")
    for name in ("", "model", "unit"):
        table.add_column(name, overflow="fold")
    for name in ("quantity", "rate", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    listed = [("as recorded", found["recorded"]["lines"])]
    listed += [(one["label"], one["lines"]) for one in found["alternatives"]]
    for name, lines in listed:
        for number, line in enumerate(lines):
            table.add_row(output.line("" if number else name), output.line(line["model"]), *_of_line(line))
        table.add_section()
    return table


def _of_line(line: Row) -> Iterator[RenderableType]:
    yield output.text(label(line["unit"]) if line["unit"] else "whole calls")
    if line["quantity"] is None:
        yield from ("", "")
    else:
        yield formatting.quantity(line["quantity"])
        yield formatting.rate(line["rate_usd"] * Decimal(line["multiplier"]), line["per"])
    yield formatting.exact(line["amount_usd"])


def _differences(alternatives: Sequence[Row]) -> Table:
    table = output.table("What differs")
    table.add_column("unit", overflow="fold")
    for one in alternatives:
        table.add_column(output.line(one["label"]), justify="right", overflow="fold")
    changes = [{row["unit"]: row["difference_usd"] for row in one["differences"]} for one in alternatives]
    for unit in dict.fromkeys(unit for change in changes for unit in change):
        cells = [_signed(change[unit]) if unit in change else "" for change in changes]
        table.add_row(output.text(label(unit) if unit else "whole calls"), *cells)
    return table


def _not_priced(missing: Sequence[tuple[str, Row]]) -> Table:
    table = output.table("No price")
    for name in ("", "model", "operation", "reason", "units"):
        table.add_column(name, overflow="fold")
    for name in ("calls", "was"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, group in missing:
        units = ", ".join(map(label, group["units"]))
        texts = (name, group["model"], group["operation"], group["reason"], units)
        was = formatting.exact(group["recorded_usd"])
        table.add_row(*map(output.text, texts), f"{group['call_count']:,}", was)
    return table


def _signed(amount: Decimal) -> str:
    return f"{'−' if amount < 0 else '+' if amount else ''}{formatting.exact(abs(amount))}"


def _percent(one: Row) -> str:
    if not one["recorded_usd"]:
        return ""
    share = one["difference_usd"] / one["recorded_usd"]
    return f" ({share * 100:+.1f} %)".replace("-", "−")
