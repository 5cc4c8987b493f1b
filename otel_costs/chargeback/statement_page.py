"""Statements as a page to print: one file of HTML, which loads nothing and runs nothing."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape
from typing import Final

from otel_costs.store.rendering import money
from otel_costs.store.rows import Row

_STYLE: Final = """\
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem; color: #15191d; }
table { border-collapse: collapse; width: 100%; margin-bottom: 1.5rem; }
th, td { text-align: left; padding: .25rem .5rem .25rem 0; border-bottom: 1px solid #d9dde1; overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
@media print { body { margin: 0; max-width: none; } section { break-before: page; } section:first-of-type { break-before: auto; } }
"""  # noqa: E501

_FIGURES: Final = ("cost_usd", "shared_usd", "total_usd")


def page(found: Row) -> str:
    """Return the statements of a month as a page."""
    tag = found["by"].removeprefix("tag.")
    sections = "\n".join(_section(found, one, tag) for one in found["statements"])
    title = f"Statement of {found['month']}"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>\n{_STYLE}</style>\n</head>\n<body>\n{sections}\n</body>\n</html>\n"
    )


def _section(found: Row, one: Row, tag: str) -> str:
    name = one["value"] or f"(no {tag})"
    parts = [
        f"<section>\n<h1>{escape(tag)}: {escape(name)}</h1>",
        f"<p>{escape(found['month'])}, days in {escape(found['tz'])}. US dollars.</p>",
        _table(("", "calls", "own", "shared", "total"), [("all", one)]),
        *_budget(one),
        "<h2>By model</h2>",
        _table(
            ("model", "calls", "own", "shared", "total"),
            [(f"{row['provider']} {row['model']}".strip() or "(none)", row) for row in one["by_model"]],
        ),
        "<h2>By service</h2>",
        _table(
            ("service", "calls", "own", "shared", "total"),
            [(row["service"] or "(none)", row) for row in one["by_service"]],
        ),
        *_listed(one),
        "</section>",
    ]
    return "\n".join(parts)


def _budget(one: Row) -> Iterator[str]:
    if one["limit_usd"] is not None:
        state = "over it" if one["total_usd"] > one["limit_usd"] else "within it"
        yield f"<p>Budget of the month: {_usd(one['limit_usd'])}, {state}.</p>"


def _listed(one: Row) -> Iterator[str]:
    if one["shared_from"]:
        yield "<h2>Shared costs</h2>"
        items = [f"<li>{escape(row['value'])}: {_usd(row['shared_usd'])}</li>" for row in one["shared_from"]]
        yield f"<ul>{''.join(items)}</ul>"
    if one["not_priced"]:
        yield "<h2>Not simply priced</h2>"
        items = [
            f"<li>{row['call_count']:,} calls {escape(row['cost_status'])}:"
            f" {escape(row['cost_reason'] or 'unknown')}</li>"
            for row in one["not_priced"]
        ]
        yield f"<p>What has no price is not in the sums: its cost is not known.</p>\n<ul>{''.join(items)}</ul>"


def _table(head: Sequence[str], rows: Sequence[tuple[str, Row]]) -> str:
    first, *others = head
    heads = f"<th>{first}</th>" + "".join(f'<th class="number">{name}</th>' for name in others)
    body = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{row["call_count"]:,}</td>'
        + "".join(f'<td class="number">{_cell(row, column)}</td>' for column in _FIGURES)
        + "</tr>\n"
        for name, row in rows
    )
    return f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


def _cell(row: Row, column: str) -> str:
    is_unknown = not row[column] and column != "shared_usd" and row["call_count"] == row["unpriced_calls"] > 0
    return "not priced" if is_unknown else _usd(row[column])


def _usd(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else ''}${money(abs(amount))}"
