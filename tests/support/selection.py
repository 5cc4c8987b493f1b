"""Which tests run, and with how many examples: what is `long` runs with `--long` alone, as in `make test-all`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = 100
"""How many examples a property is tried with in a long run, where it asks for no other number."""

QUICK = Fraction(1, 10)
"""How many of them in any other run."""


class Collected:
    """What was collected before anything was left out of it, and what was."""

    def __init__(self, items: Sequence[pytest.Item]) -> None:
        self.tests = Counter(_module(item) for item in items)
        self.long = Counter(_module(item) for item in items if is_long(item))
        self.deselected: list[str] = []


COLLECTED = pytest.StashKey[Collected]()


def configure(*, long: bool) -> None:
    """Set how many examples are drawn, always the same ones but in a long run; none depends on the machine's speed."""
    settings.register_profile(
        "otel_costs",
        max_examples=EXAMPLES if long else round(EXAMPLES * QUICK),
        derandomize=settings().derandomize or not long,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("otel_costs")


def examples(number: int) -> settings:
    """Have a property tried with so many examples in a long run, and with a part of them in any other."""
    return settings(max_examples=max(1, number * settings().max_examples // EXAMPLES))


def long(*row: Any) -> Any:
    """Return a row of a matrix that is tried in a long run alone."""
    return pytest.param(*row, marks=pytest.mark.long)


def is_long(item: pytest.Item) -> bool:
    return item.get_closest_marker("long") is not None


def leave_some(items: Iterable[pytest.Item]) -> None:
    """Mark the rows of each matrix `long` but so many as its marker `some` names, spread evenly, which always run."""
    for number, found in matrices(items):
        kept = {place * len(found) // number for place in range(number)}
        for place, item in enumerate(found):
            if place not in kept:
                item.add_marker(pytest.mark.long)


def matrices(items: Iterable[pytest.Item]) -> list[tuple[int, list[pytest.Item]]]:
    """Return the rows of each matrix that are not `long`, and how many of them its marker `some` names."""
    found: dict[str, tuple[int, list[pytest.Item]]] = {}
    for item in items:
        marker = item.get_closest_marker("some")
        if marker is not None and not is_long(item):
            found.setdefault(item.nodeid.partition("[")[0], (*marker.args, []))[1].append(item)
    return list(found.values())


def longest_first(items: list[pytest.Item]) -> None:
    """Put modules first whose tests may take longest, and then those with most tests.

    A module runs in one worker: a long one that came last would keep all the others waiting.
    """
    longest: dict[str, float] = defaultdict(float)
    count = Counter(map(_module, items))
    for item in items:
        marker = item.get_closest_marker("timeout")
        longest[_module(item)] = max(longest[_module(item)], marker.args[0] if marker else 0)
    items.sort(key=lambda item: (-longest[_module(item)], -count[_module(item)]))


def _module(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
