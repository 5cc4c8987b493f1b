"""Figures as people read them. For display alone: what programs read is exact."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any, Final

from otel_costs.cli import time_zone
from otel_costs.usage.numbers import EXACT

_MICRO: Final = Decimal("1e-6")

_SHORT: Final = {1_000: "1K", 1_000_000: "1M"}

UNPRICED: Final = "unpriced"


def usd(amount: Decimal | None) -> str:
    """Write dollars with six decimals, and what is less than that with two digits; None is an unknown price."""
    if amount is None:
        return UNPRICED
    if not amount:
        return "$0"
    sign, size = "-" if amount < 0 else "", abs(amount)
    if size < _MICRO:
        return f"{sign}${Context(prec=2).plus(size):f}"
    return f"{sign}${EXACT.quantize(size, _MICRO):,f}"


def exact(amount: Decimal | None) -> str:
    """Write dollars to the last digit, with six decimals at least: for what a reader may add up."""
    if amount is None:
        return UNPRICED
    whole, _, fraction = f"{amount.normalize(EXACT):,f}".partition(".")
    return f"${whole}.{fraction:0<6}" if amount else "$0"


def total(amount: Decimal | None, unpriced_calls: int) -> str:
    """Write the sum of what is known, and how many calls it misses; None is a session in which nothing has a price."""
    if amount is None:
        return f"{unpriced_calls:,} {UNPRICED}"
    return f"{exact(amount)} + {unpriced_calls:,} {UNPRICED}" if unpriced_calls else exact(amount)


def known(row: Mapping[str, Any]) -> str:
    """Write the cost of a row of several calls; that none of them has a price, if that is so."""
    return UNPRICED if row["unpriced_calls"] and row["unpriced_calls"] == row["call_count"] else usd(row["cost_usd"])


def rate(amount: Decimal, units: int) -> str:
    """Write a price: $2.50/1M."""
    return f"${plain(amount)}" if units == 1 else f"${plain(amount)}/{short(units)}"


def short(units: int) -> str:
    """Write the number of units that a price is for: 1M, 60."""
    return _SHORT.get(units, f"{units:,}")


def plain(number: Decimal) -> str:
    """Write a number without needless zeros, money with two decimals at least: 2.50, 0.0125."""
    whole, _, fraction = f"{number.normalize():f}".partition(".")
    return f"{whole}.{fraction:0<2}" if fraction else whole


def quantity(number: int | Decimal) -> str:
    """Write a quantity with thousands apart: 1,250 or 12.5."""
    return f"{number:,}" if isinstance(number, int) else f"{number.normalize():,f}"


def duration(seconds: float | None) -> str:
    """Write seconds as people say them: 140 ms, 4.2 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    seconds = max(round(seconds), 60)
    for size, unit, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = int(seconds % size // smaller_size)
            return f"{int(seconds // size)} {unit}" + (f" {rest} {smaller}" if rest else "")
    raise AssertionError(seconds)


def moment(when: datetime) -> str:
    """Write a time to the second, in the zone of the command."""
    return f"{when.astimezone(time_zone.current()):%Y-%m-%d %H:%M:%S}"


def period(since: datetime | None, until: datetime | None) -> str:
    """Write the time from `since` to `until`, which is not in it: whole days as the first and the last one."""
    if since is None and until is None:
        return "all time"
    tz = time_zone.current()
    if all(end is None or end.astimezone(tz).time() == time() for end in (since, until)):
        ends = (since, until and until - timedelta(microseconds=1))
        first, last = (end and f"{end.astimezone(tz):%Y-%m-%d}" for end in ends)
    else:
        first, last = (end and moment(end) for end in (since, until))
    if first == last:
        return f"{first} {tz.key}"
    return " ".join([*(["from", first] if first else []), *(["to", last] if last else []), tz.key])


def day(when: datetime) -> str:
    """Write a time to the minute, in the zone of the command, the year only if it is another one."""
    tz = time_zone.current()
    when, year = when.astimezone(tz), datetime.now(tz).year
    return f"{when.day} {when:%b %H:%M}" if when.year == year else f"{when.day} {when:%b %Y %H:%M}"


def clock(when: datetime) -> str:
    """Write the time of day, in the zone of the command."""
    return f"{when.astimezone(time_zone.current()):%H:%M:%S}"


def many(count: int, thing: str) -> str:
    """Write how many: 1 call, 2 calls."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def size(number: int) -> str:
    """Write a number of bytes: 512 B, 1.5 kB, 20 MB."""
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5 or unit == "GB":
            return f"{amount:.0f} {unit}" if amount >= 99.5 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError(number)
