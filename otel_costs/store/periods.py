"""Times as people write them: moments, days, and ranges of them."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

RANGES: Final = "7d, 12h, today, yesterday, 2026-11, 2026-11-22, or two of them as 2026-11-01..2026-11-22T10:30:00Z"

_AGO: Final = re.compile(r"(\d{1,5})(h|d|w)")
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})")
# A plus in a URL is a blank, unless it is written as %2B.
_ZONE: Final = re.compile(r" (\d{2}:?\d{2})$")


def moment(text: str, *, whole_day: bool = False) -> datetime:
    """Read a day (its first moment, with `whole_day` its end) or a time in ISO 8601; without a zone it is UTC.

    Raises ValueError with what to write.
    """
    try:
        if len(text) == 10:
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=1) if whole_day else day
        found = datetime.fromisoformat(_ZONE.sub(r"+\1", text))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date: give 2026-11-22 or 2026-11-22T10:30:00Z") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def period(text: str, now: datetime | None = None) -> tuple[datetime, datetime | None]:
    """Read a range, as RANGES has them, days in UTC; return its first moment, and the one that it ends before.

    None is no end. Raises ValueError with what to write.
    """
    now = now or datetime.now(UTC)
    try:
        for read in (_ago, _named, _month, _two):
            if found := read(text, now):
                return found
        return moment(text), moment(text, whole_day=True) if len(text) == 10 else None
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no range: give {RANGES}") from None


_Found = tuple[datetime, datetime | None] | None


def _ago(text: str, now: datetime) -> _Found:
    found = _AGO.fullmatch(text)
    return (now - int(found[1]) * _UNITS[found[2]], None) if found else None


def _named(text: str, now: datetime) -> _Found:
    days = {"today": 0, "yesterday": 1}.get(text)
    if days is None:
        return None
    start = datetime.combine(now.astimezone(UTC).date() - timedelta(days=days), time(), UTC)
    return start, start + timedelta(days=1)


def _month(text: str, _now: datetime) -> _Found:
    found = _MONTH.fullmatch(text)
    if not found:
        return None
    start = datetime(int(found[1]), int(found[2]), 1, tzinfo=UTC)
    return start, (start + timedelta(days=31)).replace(day=1)


def _two(text: str, _now: datetime) -> _Found:
    first, dots, last = text.partition("..")
    if not dots:
        return None
    since, until = moment(first), moment(last, whole_day=True)
    if until <= since:
        raise ValueError(text)
    return since, until
