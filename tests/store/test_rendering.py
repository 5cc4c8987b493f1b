"""as_json(): the JSON of the HTTP interface."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_costs.store.rendering import as_json, money


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0E-12", "0"),
        ("-0", "0"),
        ("1", "1.000000"),
        ("0.07425", "0.074250"),
        ("0.074250000000", "0.074250"),
        ("0.000000000001", "0.000000000001"),
        ("1E+3", "1000.000000"),
        ("-2.5", "-2.500000"),
    ],
)
def test_money(amount: str, text: str) -> None:
    """Six decimals at least, never an exponent, never a digit less than there are."""
    assert money(Decimal(amount)) == text


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=12))
def test_money_is_exact(amount: Decimal) -> None:
    """What is written is what was meant."""
    text = money(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert text == "0" or len(text.partition(".")[2]) >= 6


def test_values_by_their_kind() -> None:
    """Money is a string, quantities are numbers, times are UTC with milliseconds."""
    report = {
        "cost_usd": Decimal("0.5"),
        "limit_usd": None,
        "cost_breakdown": {"text_input": Decimal("0.25")},
        "cost_lines": {"input_tokens": Decimal("0.25")},
        "audio_seconds": Decimal("15.000000"),
        "video_seconds": Decimal("1.5"),
        "day": date(2026, 11, 22),
        "times": [
            datetime(2026, 11, 22, 10, 30, 0, 123456, timezone(timedelta(hours=1))),
            datetime(2026, 1, 1, tzinfo=UTC),
        ],
        "tags": {"kb_id": "kb_finance"},
        "text": "über",
        "count": 3,
    }
    assert json.loads(as_json(report)) == {
        "cost_usd": "0.500000",
        "limit_usd": None,
        "cost_breakdown": {"text_input": "0.250000"},
        "cost_lines": {"input_tokens": "0.250000"},
        "audio_seconds": 15,
        "video_seconds": 1.5,
        "day": "2026-11-22",
        "times": ["2026-11-22T09:30:00.123Z", "2026-01-01T00:00:00.000Z"],
        "tags": {"kb_id": "kb_finance"},
        "text": "über",
        "count": 3,
    }
    assert '"audio_seconds": 15,' in as_json(report, indent=1)
    assert "über" in as_json(report)
