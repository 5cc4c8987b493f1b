"""Times as people write them, in any zone: days are whole, whatever the clock does in them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from otel_costs.store.periods import in_order, moment, month_of, period, zone


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


@pytest.mark.parametrize(
    "text",
    [
        *("2026-W48", "2026-W48-1", "2026W481", "20261122", "20261122T103000Z", "2026-332", "2026-1-2", "26-11-22"),
        *(
            "2026-11-22T",
            "2026-11-22Z",
            "2026-11-22+01:00",
            "2026-11-221",
            "2026-11",
            "\u0662\u0660\u0662\u0666-11-22",
            " 2026-11-22",
            "",
        ),
    ],
)
def test_what_is_no_day_and_no_time(text: str) -> None:
    """Other ways of ISO 8601 too: read as a moment, a week or a day would have no end."""
    with pytest.raises(ValueError, match="no date"):
        moment(text)
    if text != "2026-11":
        with pytest.raises(ValueError, match="no range"):
            period(text)
        with pytest.raises(ValueError, match="no range"):
            period(f"2026-01-01..{text}")


@pytest.mark.parametrize(
    "text", ["2026-11-22T10", "2026-11-22 10:30", "2026-11-22T10:30:00.5+0545", "2026-11-22T10:30Z"]
)
def test_times_as_they_may_be_written(text: str) -> None:
    """A blank for the T, and parts of a second."""
    assert moment(text).date() == moment("2026-11-22").date()


def test_an_end_before_the_beginning() -> None:
    """Nothing would be in it, and zero dollars would be told of that."""
    first, last = moment("2026-11-22"), moment("2026-11-23")
    ends = moment("0001-01-01T00:00:00+14:00"), moment("9999-12-31T23:59:59-12:00")
    for since, until in ((None, None), (first, None), (None, first), (first, last), (first, first), ends):
        in_order(since, until)
    for since, until in ((last, first), (first, first - timedelta(microseconds=1)), ends[::-1]):
        with pytest.raises(ValueError, match="earlier one first"):
            in_order(since, until)
