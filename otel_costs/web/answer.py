"""Answers: reports as JSON or CSV, money exact, and errors as `{"error": ...}`."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from otel_costs.store.rendering import as_json, csv_cell
from otel_costs.store.reports import BREAKDOWN, TOKENS
from otel_costs.store.rows import Row
from otel_costs.web.question import Question

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def answer(question: Question, report: object, rows: Sequence[Row] | None = None, *, status: int = 200) -> Response:
    """Return a report as JSON, or `rows` of it as CSV, as the question asks."""
    if question.csv and rows is not None:
        return Response(as_csv(rows), status, {"Content-Type": "text/csv; charset=utf-8", **_HEADERS})
    return as_answer(report, numbers=question.numbers, status=status)


def as_answer(report: object, *, numbers: bool = False, status: int = 200) -> Response:
    """Return a report as JSON."""
    text = f"{as_json(report, numbers=numbers)}\n"
    return Response(text.encode(), status, {"Content-Type": "application/json; charset=UTF-8", **_HEADERS})


def failed(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error."""
    content = json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    more = {"Content-Type": "application/json; charset=UTF-8", **_HEADERS, **(headers or {})}
    return Response(content, status, more)


def as_csv(rows: Iterable[Row]) -> bytes:
    """Write rows with a header: money exact, times in ISO 8601, nested values as columns or in JSON, unknown empty.

    A text that a spreadsheet would read as a formula begins with an apostrophe, as OWASP has it (CSV injection).
    No rows are no header: what it would be is not known.
    """
    flat = [dict(_flat(row)) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    out = io.StringIO()
    minimal, whole = (csv.writer(out, lineterminator="\n", quoting=how) for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    cells = [[csv_cell(name, row.get(name)) for name in columns] for row in flat]
    for line in [[csv_cell("", name) for name in columns], *cells] if columns else cells:
        # What ends no line here is not quoted, and ends one elsewhere.
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in line)
        (whole if has_return else minimal).writerow(line)
    return out.getvalue().encode("utf-8", "replace")


def _flat(row: Row) -> Iterator[tuple[str, Any]]:
    """Yield the columns of a row: the parts of a cost as text_input_usd, and tokens as text_input_tokens."""
    for name, value in row.items():
        if name == "tokens":
            yield from ((f"{kind}_tokens", value[kind]) for kind in TOKENS)
        elif name == "cost_breakdown":
            yield from ((f"{part}_usd", value[part]) for part in BREAKDOWN)
        else:
            yield name, value
