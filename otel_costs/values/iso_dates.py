"""Dates, and times of a date, in the one way of ISO 8601 that people write.

Python reads the others, too: `20261122`, and `2026-W48-1` or `2026-W48` as the Monday of a week, where the whole week
was meant.
"""

import re
from datetime import date, datetime
from typing import Final

_WRITTEN: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}|$)", re.ASCII)


def day(text: str) -> date:
    """Read a date such as 2026-11-22. Raises ValueError."""
    return date.fromisoformat(_checked(text))


def moment(text: str) -> datetime:
    """Read a date, or a date and a time, such as 2026-11-22T10:30:00Z. Raises ValueError."""
    return datetime.fromisoformat(_checked(text))


def _checked(text: str) -> str:
    if not _WRITTEN.match(text):
        raise ValueError(text)
    return text
