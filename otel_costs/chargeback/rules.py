"""Rules that assign spend: a value of a tag for calls that have none, and what is shared of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from otel_costs.values import sanitize

EVENLY: Final = "evenly"
BY_SPEND: Final = "by_spend"

DEFAULT_BY: Final = "tag.team"
"""The tag that statements are made for by default."""

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2262, 1, 1, tzinfo=UTC)  # where the store's nanoseconds end


@dataclass(frozen=True, slots=True)
class Days:
    """From a day on, up to and with a day; None is no end. `line` is where that stands in the file."""

    first: date | None = None
    last: date | None = None
    line: int = 0

    def between(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the first moment in UTC, and the one that they end before; days are those of `zone`."""
        since = datetime.combine(self.first, time(), zone) if self.first else _FIRST
        until = datetime.combine(self.last + timedelta(days=1), time(), zone) if self.last else _LAST
        return max(since.astimezone(UTC), _FIRST), min(until.astimezone(UTC), _LAST)


@dataclass(frozen=True, slots=True)
class Rule:
    """Assigns `value` to calls without the tag that have all of `conditions`: a field, and the texts it may have.

    A text with `*` in it is a pattern, in which that stands for anything.
    """

    value: str
    conditions: Mapping[str, tuple[str, ...]]
    days: Days


@dataclass(frozen=True, slots=True)
class SharedCost:
    """The spend of `value` is split: EVENLY, BY_SPEND, or by `shares`, each in relation to their sum.

    `among` are the values that get a part of what is split evenly or by spend; None: all that had spend of their own.
    """

    value: str
    split: str
    shares: Mapping[str, Decimal]
    among: tuple[str, ...] | None
    days: Days


@dataclass(frozen=True, slots=True)
class TagRules:
    """The rules of one tag: the first that matches wins; and which of its values are shared."""

    tag: str
    rules: tuple[Rule, ...]
    shared: tuple[SharedCost, ...] = ()


@dataclass(frozen=True, slots=True)
class Allocation:
    """All rules of a file, whose days are those of `zone`."""

    zone: ZoneInfo
    tags: Mapping[str, TagRules]

    def of(self, name: str) -> TagRules | None:
        """Return the rules of a dimension named `tag.NAME`, None where there are none."""
        return self.tags.get(sanitize.asked_for(name.removeprefix("tag."))) if name.startswith("tag.") else None
