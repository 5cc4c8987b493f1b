"""Answers as CSV: what a spreadsheet makes of them."""

import csv
import io
from decimal import Decimal

import pytest

from otel_costs.web.answer import as_csv


def read(rows: list[dict[str, object]]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(as_csv(rows).decode())))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x")']
)
def test_no_text_is_a_formula(text: str) -> None:
    """Whoever named a session has nothing run by who opens the file."""
    assert read([{"session_id": text, "model": f"a{text}"}])[1] == [f"'{text}", f"a{text}"]
    assert read([{text: 1}]) == [[f"'{text}"], ["1"]]


def test_numbers_stay_numbers() -> None:
    """Money and quantities below zero are no text."""
    row = {"change_usd": Decimal("-0.5"), "change_share": -1.5, "change_tokens": -3, "tags": {"=a": "=b"}, "name": None}
    assert read([row])[1] == ["-0.500000", "-1.5", "-3", '{"=a": "=b"}', ""]
