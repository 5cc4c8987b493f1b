"""Figures as people read them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from otel_costs.cli import formatting


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "unpriced"),
        (Decimal(0), "$0"),
        (Decimal("0.07425"), "$0.074250"),
        (Decimal("0.0000005"), "$0.0000005"),
        (Decimal("0.000000000001"), "$0.000000000001"),
        (Decimal("1234567.8"), "$1,234,567.800000"),
        (Decimal("98765432101234567890.123456789"), "$98,765,432,101,234,567,890.123457"),
    ],
)
def test_dollars(amount: Decimal | None, shown: str) -> None:
    """A cost is never shown as nothing unless it is nothing, and an unknown one never as a number."""
    assert formatting.usd(amount) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (0.0, "0 ms"),
        (0.42, "420 ms"),
        (0.9996, "1.0 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (200.4, "3 min 20 s"),
        (3599.9, "1 h"),
        (7500, "2 h 5 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    """A duration is said in at most two units, rounded, never as 60 s."""
    assert formatting.duration(seconds) == shown


@pytest.mark.parametrize(
    ("amount", "units", "shown"),
    [
        (Decimal("2.5"), 1_000_000, "$2.50/1M"),
        (Decimal(10), 1_000, "$10/1K"),
        (Decimal("0.36"), 3600, "$0.36/3,600"),
        (Decimal("0.03"), 1, "$0.03"),
    ],
)
def test_rates(amount: Decimal, units: int, shown: str) -> None:
    """A rate says what it is for."""
    assert formatting.rate(amount, units) == shown


def test_several_calls_without_a_price() -> None:
    """A sum is only `unpriced` if nothing of it is known."""
    row = {"call_count": 2, "unpriced_calls": 2, "cost_usd": Decimal(0)}
    assert formatting.known(row) == "unpriced"
    assert formatting.known(row | {"unpriced_calls": 1}) == "$0"
    assert formatting.total(Decimal("0.5"), 3) == "$0.500000 + 3 unpriced"


def test_a_day_of_another_year_says_the_year() -> None:
    """A time without a year is of this one."""
    assert formatting.day(datetime(2024, 3, 1, 9, 5, tzinfo=UTC)) == "1 Mar 2024 09:05"
    assert formatting.day(datetime(datetime.now(UTC).year, 3, 1, 9, 5, tzinfo=UTC)) == "1 Mar 09:05"


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [
        (None, None, "all time"),
        ("2026-11-28", "2026-11-29", "2026-11-28 UTC"),
        ("2026-11-01", "2026-12-01", "from 2026-11-01 to 2026-11-30 UTC"),
        ("2026-11-01", None, "from 2026-11-01 UTC"),
        (None, "2026-12-01", "to 2026-11-30 UTC"),
        ("2026-11-28T10:30:00", "2026-11-29", "from 2026-11-28 10:30:00 to 2026-11-29 00:00:00 UTC"),
    ],
)
def test_period(since: str | None, until: str | None, shown: str) -> None:
    """Whole days are named as they were asked for: the last one is in the period, as `--to` has it."""
    first, last = (datetime.fromisoformat(end).replace(tzinfo=UTC) if end else None for end in (since, until))
    assert formatting.period(first, last) == shown
