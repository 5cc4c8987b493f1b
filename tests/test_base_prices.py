"""genai-prices, read for its rates."""

from datetime import UTC, datetime
from decimal import Decimal

from otel_costs.pricing import base_prices

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_model_is_found_under_its_provider_alone() -> None:
    """A provider is known by its whole name, and its models by any name that genai-prices knows."""
    found = base_prices.find("openai", "GPT-4o-2024-08-06")
    assert found is not None
    assert (found.price_id, found.own) == ("genai-prices:openai/gpt-4o", True)
    assert base_prices.find("my-openai", "gpt-4o") is None
    assert base_prices.find("openai", "my-gpt-4o") is None


def test_a_reseller_has_the_makers_standard_price_alone() -> None:
    """What the maker asks for its tiers says nothing of what another provider asks for them."""
    found = base_prices.find("azure", "gpt-5")
    assert found is not None
    assert not found.own
    standard, priority = (found.rates(NOON, tier, None) for tier in (None, "priority"))
    assert (standard.reason, priority.reason) == (None, "tier_not_priced")
    assert priority.bands == standard.bands


def test_rates_by_tier_and_by_context() -> None:
    """A variant names itself in the price's id; a threshold begins a band for all units."""
    found = base_prices.find("openai", "gpt-6-sol")
    assert found is not None
    rates = found.rates(NOON, None, "batch")
    assert rates.price_id == "genai-prices:openai/gpt-6-sol?processing=batch"
    assert [(above, units["output_tokens"].usd) for above, units in rates.bands] == [
        (-1, Decimal(5)),
        (272_000, Decimal("7.5")),
    ]
    assert all(units["web_searches"].usd == 10 for _, units in rates.bands)


def test_each_thing_has_one_name() -> None:
    """Whisper's seconds are not split from its input's; file searches have our name beside theirs."""
    whisper, chat = base_prices.find("openai", "whisper-1"), base_prices.find("openai", "gpt-4o")
    assert whisper is not None
    assert chat is not None
    assert set(whisper.rates(NOON, None, None).bands[0][1]) == {"audio_seconds"}
    rates = chat.rates(NOON, None, None).bands[0][1]
    assert rates["file_searches"] == rates["storage_searches"]


def test_the_boundaries_around_a_moment_are_known_at_the_ends_of_time() -> None:
    """A time of day begins and ends on the days around any moment, the first and the last one too."""
    found = base_prices.find("deepseek", "deepseek-chat")
    assert found is not None
    for at in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), NOON):
        assert any(abs((moment - at).total_seconds()) < 86_400 for moment in found.boundaries(at))


def test_the_pinned_release_is_named() -> None:
    """A cost says by which release it was priced."""
    assert base_prices.version() == "genai-prices-0.2.3"
