"""Times as people write them: moments, days, and ranges of them, in a time zone."""

import os
import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from otel_costs.semconv import ENV_TZ
from otel_costs.values import iso_dates

RANGES: Final = "7d, 12h, today, yesterday, 2026-11, 2026-11-22, or two of them as 2026-11-01..2026-11-22T10:30:00Z"

ENDS: Final = "2026-11-22, 2026-11-22T10:30:00Z, 2026-11, today, yesterday, or 7d for seven days ago"

UTC_ZONE: Final = ZoneInfo("UTC")

_AGO: Final = re.compile(r"(\d{1,5})(h|d|w)", re.ASCII)
_UNITS: Final = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_ENDING: Final = re.compile(r"yesterday|\d{4}-\d{2}", re.ASCII)
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_FIRST_MONTH: Final = "1970-02"
_LAST_MONTH: Final = "2261-12"
"""Between them are the months of which the store can hold a call."""
# A plus in a URL is a blank, unless it is written as %2B; a blank behind a date is before its time.
_OFFSET: Final = re.compile(r"(?<!-\d\d) (\d{2}:?\d{2})$")


def zone(name: str | None = None) -> ZoneInfo:
    """Return the time zone of a name of IANA's; without one that of OTEL_COSTS_TZ, or else UTC.

    Raises ValueError with what to write.
    """
    wanted = name or os.environ.get(ENV_TZ, "").strip() or "UTC"
    if wanted == UTC_ZONE.key:
        return UTC_ZONE
    if wanted not in _names():
        raise ValueError(f"{wanted!r} is no time zone: give one of IANA's names, such as Europe/Berlin or UTC")
    return ZoneInfo(wanted)


def moment(text: str, *, whole_day: bool = False, tz: ZoneInfo = UTC_ZONE) -> datetime:
    """Read a day (its first moment, with `whole_day` its end) or a time in ISO 8601; without an offset it is in `tz`.

    Raises ValueError with what to write.
    """
    try:
        if len(text) == 10:
            return _first_moment(iso_dates.day(text) + timedelta(days=whole_day), tz)
        found = iso_dates.moment(_OFFSET.sub(r"+\1", text))
        return _in_utc(found if found.tzinfo else found.replace(tzinfo=tz))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date: give 2026-11-22 or 2026-11-22T10:30:00Z") from None


def period(text: str, now: datetime | None = None, tz: ZoneInfo = UTC_ZONE) -> tuple[datetime, datetime | None]:
    """Read a range, as RANGES has them, days in `tz`; return its first moment, and the one that it ends before, in UTC.

    None is no end. Raises ValueError with what to write.
    """
    now = now or datetime.now(UTC)
    try:
        for read in (_ago, _named, _month, _two):
            if found := read(text, now, tz):
                return found
        end = moment(text, whole_day=True, tz=tz) if len(text) == 10 else None
        return moment(text, tz=tz), end
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no range: give {RANGES}") from None


def began(text: str, now: datetime | None = None, tz: ZoneInfo = UTC_ZONE) -> tuple[datetime, datetime | None]:
    """Read where a time begins, and the end of what ends by itself: yesterday, a month, a range of two; else None.

    A day goes on, as a moment does. Raises ValueError with what to write.
    """
    since, last = period(text, now, tz)
    return since, last if _ENDING.fullmatch(text) or ".." in text else None


def in_order(since: datetime | None, until: datetime | None) -> None:
    """Raise ValueError where a time ends before it begins."""
    if since is not None and until is not None and until < since:
        raise ValueError(f"{until.isoformat()} is before {since.isoformat()}: give the earlier one first")


def end(text: str, now: datetime | None = None, tz: ZoneInfo = UTC_ZONE) -> datetime:
    """Read where a time ends: a moment, or behind the last one of a day, a month, yesterday; 7d is seven days ago.

    Raises ValueError with what to write.
    """
    if ".." in text:
        raise ValueError(f"{text!r} is a range of two: give one end of it, {ENDS}")
    try:
        first, last = period(text, now, tz)
    except ValueError:
        raise ValueError(f"{text!r} is no date: give {ENDS}") from None
    return last or first


def month_of(now: datetime, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of the month of `now` in `tz`, and that of the next month, in UTC."""
    return _months(now.astimezone(tz).date().replace(day=1), tz)


def calendar(name: str, at: datetime, tz: ZoneInfo) -> tuple[datetime, datetime, datetime]:
    """Return the first moments of the `day`, `week` or `month` before that of `at`, of that one, and of the next."""
    today = at.astimezone(tz).date()
    if name == "month":
        first = today.replace(day=1)
        days = (first - timedelta(days=1)).replace(day=1), first, (first + timedelta(days=31)).replace(day=1)
    else:
        first = today if name == "day" else today - timedelta(days=today.weekday())
        length = timedelta(days=1 if name == "day" else 7)
        days = first - length, first, first + length
    before, start, end = (_first_moment(day, tz) for day in days)
    return before, start, end


def month(text: str, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of a month such as 2026-11 in `tz`, and that of the next month, in UTC.

    Raises ValueError for what is no month, and for one of which the store can hold no call.
    """
    if not _MONTH.fullmatch(text) or not _FIRST_MONTH <= text <= _LAST_MONTH or not "01" <= text[5:] <= "12":
        raise ValueError(f"{text!r} is no month: give one such as 2026-11")
    return _months(date.fromisoformat(f"{text}-01"), tz)


@cache
def _names() -> frozenset[str]:
    # Without those that mean the machine's own zone, or none: the store knows them otherwise, or not.
    return frozenset(available_timezones() - {"Factory", "localtime", "posixrules"})


def _in_utc(found: datetime) -> datetime:
    with suppress(OverflowError):
        return found.astimezone(UTC)
    return found  # before the first year or after the last: everything is after it, or before it, in any zone


def _first_moment(day: date, tz: ZoneInfo) -> datetime:
    """Return when a day begins: where a clock goes forward at midnight, the moment at which it does."""
    return datetime.combine(day, time(), tz).astimezone(UTC)


_Found = tuple[datetime, datetime | None] | None


def _ago(text: str, now: datetime, _tz: ZoneInfo) -> _Found:
    found = _AGO.fullmatch(text)
    return (now - int(found[1]) * _UNITS[found[2]], None) if found else None


def _named(text: str, now: datetime, tz: ZoneInfo) -> _Found:
    days = {"today": 0, "yesterday": 1}.get(text)
    if days is None:
        return None
    day = now.astimezone(tz).date() - timedelta(days=days)
    return _first_moment(day, tz), _first_moment(day + timedelta(days=1), tz)


def _month(text: str, _now: datetime, tz: ZoneInfo) -> _Found:
    found = _MONTH.fullmatch(text)
    if not found:
        return None
    return _months(date(int(found[1]), int(found[2]), 1), tz)


def _months(first: date, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when the month begins whose first day is given, and when the next one does."""
    return _first_moment(first, tz), _first_moment((first + timedelta(days=31)).replace(day=1), tz)


def _two(text: str, _now: datetime, tz: ZoneInfo) -> _Found:
    first, dots, last = text.partition("..")
    if not dots:
        return None
    since, until = moment(first, tz=tz), moment(last, whole_day=True, tz=tz)
    if until <= since:
        raise ValueError(text)
    return since, until
