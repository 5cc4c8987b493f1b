"""Times as people write them, in any zone: days are whole, whatever the clock does in them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from otel_costs.store.periods import moment, month_of, period, zone


def hours(text: str, tz: str) -> float:
    """Return how long a range lasts."""
    since, until = period(text, tz=zone(tz))
    assert until is not None
    return (until - since) / timedelta(hours=1)


@pytest.mark.parametrize(
    ("tz", "day", "begins", "lasts"),
    [
        ("UTC", "2026-11-22", "2026-11-22T00:00Z", 24),
        ("Asia/Kathmandu", "2026-11-22", "2026-11-21T18:15Z", 24),
        ("America/St_Johns", "2026-11-22", "2026-11-22T03:30Z", 24),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", 25),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", 24.5),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00Z", 23),  # midnight is at one o'clock
        ("America/Havana", "2026-11-01", "2026-11-01T04:00Z", 25),  # midnight is there twice
    ],
)
def test_a_day_is_whole(tz: str, day: str, begins: str, lasts: float) -> None:
    """From its first moment to that of the next day."""
    since, _ = period(day, tz=zone(tz))
    assert since == datetime.fromisoformat(begins)
    assert hours(day, tz) == lasts
    assert moment(day, whole_day=True, tz=zone(tz)) - moment(day, tz=zone(tz)) == timedelta(hours=lasts)


def test_months_today_and_yesterday_are_of_the_zone() -> None:
    """Where it is tomorrow already, today is tomorrow."""
    now = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    berlin, los_angeles = zone("Europe/Berlin"), zone("America/Los_Angeles")
    assert period("today", now, berlin)[0] == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert period("yesterday", now, los_angeles)[0] == datetime(2026, 10, 30, 7, tzinfo=UTC)
    assert hours("2026-03", "Europe/Berlin") == 31 * 24 - 1
    assert month_of(now, berlin) == (datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))
    assert month_of(now, los_angeles)[0] == datetime(2026, 10, 1, 7, tzinfo=UTC)


def test_a_time_without_an_offset_is_of_the_zone() -> None:
    """One with an offset is itself; a plus may have come as a blank."""
    berlin = ZoneInfo("Europe/Berlin")
    assert moment("2026-11-22T10:30", tz=berlin) == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert moment("2026-11-22T10:30 02:00", tz=berlin) == datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
    since, until = period("2026-11-01..2026-11-02T12:00", tz=berlin)
    assert (since, until) == (datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 2, 11, tzinfo=UTC))


def test_the_zone_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_COSTS_TZ, or else UTC; what is asked for goes before it."""
    monkeypatch.delenv("OTEL_COSTS_TZ", raising=False)
    assert zone().key == "UTC"
    monkeypatch.setenv("OTEL_COSTS_TZ", "Asia/Tokyo")
    assert (zone().key, zone("Europe/Berlin").key) == ("Asia/Tokyo", "Europe/Berlin")
    for name in ("Berlin", "../etc/passwd", "localtime", "posixrules", "Factory", "UTC\0", "europe/berlin/"):
        with pytest.raises(ValueError, match="IANA"):
            zone(name)
