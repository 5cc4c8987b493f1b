"""One usage that is reported in several places, or several times, put together."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from otel_costs.usage import Usage
from otel_costs.usage.numbers import is_number
from otel_costs.usage.reported import read


def has_usage(usage: object) -> bool:
    """Return whether a usage has a number that is not zero, at any depth."""
    if isinstance(usage, Mapping):
        return any(map(has_usage, usage.values()))
    if isinstance(usage, list):
        return any(map(has_usage, usage))
    return is_number(usage)


def in_one(usages: Iterable[object]) -> object:
    """Return what usages in several places say together, each key as the first says it; some stand in odd places."""
    found = [usage for usage in usages if usage is not None]
    saying = [usage for usage in found if has_usage(usage)] or found[:1]
    return reduce(merged, reversed(saying)) if saying else None


def merged(earlier: object, later: object) -> Any:
    """Return what a stream says in two places: the later, but for what is empty or zero where the earlier is not."""
    if isinstance(earlier, Mapping) and isinstance(later, Mapping):
        both = dict(earlier)
        for key, value in later.items():
            both[key] = merged(both[key], value) if key in both else value
        return both
    if isinstance(earlier, Mapping) and earlier:
        return earlier  # what has another form than an object is no usage
    return later if later or earlier is None else earlier


def with_reported(known: Usage | None, reported: object, provider: str | None = None) -> Usage | None:
    """Return what is known to be used, and what a usage object reports that is not among it."""
    found = None if reported is None else read(reported, provider)
    if known is None or found is None:
        return known or found
    more = {unit: quantity for unit, quantity in found.quantities.items() if unit not in known.quantities}
    return known + replace(found, quantities=more)
