"""The vocabulary of usage and prices."""

from genai_prices.data_units import unit_data

from otel_costs import semconv
from otel_costs.usage.units import DIMENSIONS, JOINS, UNITS, WHOLES, join, meet


def test_units_are_those_of_genai_prices_and_a_few_of_ours() -> None:
    """Every unit that genai-prices prices has its name here; a release that adds one is noticed."""
    ours = {"file_searches", "containers", "images", "video_seconds", "training_tokens", "credits", "paused_seconds"}
    writes = {f"cache_{modality}write_12h_tokens" for modality in ("", "text_", "audio_", "image_", "video_")}
    ours |= {"preview_web_searches", "container_minutes"}
    ours |= {f"{unit}_{size}" for unit in ("containers", "container_minutes") for size in ("4g", "16g", "64g")}
    assert set(unit_data) | ours | writes == UNITS


def test_parts_are_those_of_genai_prices() -> None:
    """A unit is part of the same units as there: what is inclusive of what decides every remainder."""
    dimensions = {name: set(unit["dimensions"].items()) for name, unit in unit_data.items()}
    for part in unit_data:
        theirs = {whole for whole in unit_data if dimensions[whole] < dimensions[part]}
        assert theirs == set(WHOLES.get(part, ())), part


def test_our_units_are_parts_of_nothing() -> None:
    """What is counted apart is subtracted from nothing."""
    assert not {"file_searches", "containers", "images", "video_seconds", "training_tokens", "credits"} & set(WHOLES)


def test_our_parts_are_parts_of_theirs() -> None:
    """What is kept for 12 hours was written to a cache; a Live session's seconds are paused or not."""
    assert set(WHOLES["cache_write_12h_tokens"]) == {"input_tokens", "cache_write_tokens"}
    assert WHOLES["paused_seconds"] == ("audio_seconds",)


def test_two_parts_have_a_part_and_a_whole_in_common() -> None:
    """Cached tokens and audio tokens overlap in cached audio tokens, and are both input tokens."""
    assert join("cache_read_tokens", "input_audio_tokens") == "cache_audio_read_tokens"
    assert meet("cache_read_tokens", "input_audio_tokens") == "input_tokens"
    assert join("input_tokens", "output_tokens") is None
    assert meet("input_tokens", "images") is None
    assert join("no_unit", "another") is None


def test_joins_are_parts_of_two_units_that_overlap() -> None:
    """A zero of cached audio tokens says something; a zero of cached tokens says nothing more than its absence."""
    assert "cache_audio_read_tokens" in JOINS
    assert not {"cache_read_tokens", "input_audio_tokens", "cache_write_5m_tokens", "input_tokens"} & JOINS


def test_every_unit_with_an_attribute_exists() -> None:
    """The attributes' units are units that can be priced."""
    assert set(semconv.USAGE_TOKENS) <= set(DIMENSIONS)
