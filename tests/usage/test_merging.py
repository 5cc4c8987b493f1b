"""Usages that are said in several places, or several times."""

import pytest

from otel_costs.usage.merging import in_one, merged


@pytest.mark.parametrize(
    ("usages", "said"),
    [
        ([{"a": 5}, {"b": 7}], {"a": 5, "b": 7}),
        ([{"a": 5}, {"a": 6, "b": {"c": 7}}], {"a": 5, "b": {"c": 7}}),
        ([{}, None, {"a": 5}], {"a": 5}),
        ([{"a": 0}, {}], {"a": 0}),
        ([{"a": 5}, "many"], {"a": 5}),
        (["many", {"a": 5}], {"a": 5}),
        ([None, None], None),
        ([], None),
    ],
)
def test_usages_in_several_places_are_one(usages: list[object], said: object) -> None:
    """What one of them says and the others do not is not lost; of what several say the first counts."""
    assert in_one(usages) == said


@pytest.mark.parametrize(
    ("earlier", "later", "both"),
    [
        ({"a": 5}, {}, {"a": 5}),
        ({"a": 5}, None, {"a": 5}),
        ({"a": 5}, {"a": 0, "cost": 0}, {"a": 5, "cost": 0}),
        ({"a": 5, "b": {"c": 3}}, {"a": 7, "b": {"c": 0, "d": 1}}, {"a": 7, "b": {"c": 3, "d": 1}}),
        ({"a": 0}, {"a": 0}, {"a": 0}),
        (None, {"a": 0}, {"a": 0}),
        ({"model": "gpt-4o"}, {"model": ""}, {"model": "gpt-4o"}),
        ({"a": 5}, "1100", {"a": 5}),
        ({"a": {"b": 5}}, {"a": 7}, {"a": {"b": 5}}),
        ("1100", {"a": 5}, {"a": 5}),
    ],
)
def test_what_is_empty_replaces_nothing(earlier: object, later: object, both: object) -> None:
    """Of what a stream says twice the later counts, but for what is empty or zero."""
    assert merged(earlier, later) == both
