"""genai-prices, read for its rates."""

from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from genai_prices.data import providers
from genai_prices.data_units import unit_data

from otel_costs.pricing import genai_prices_data
from otel_costs.pricing.base_prices import BaseModel
from otel_costs.pricing.builtin_prices import builtin_base
from otel_costs.pricing.genai_prices_data import unit_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
base_prices = builtin_base()
THEIRS = {provider.id: provider for provider in providers}


def test_a_model_is_found_under_its_provider_alone() -> None:
    """A provider is known by its whole name, and its models by any name that genai-prices knows."""
    found = base_prices.find("openai", "GPT-4o-2024-08-06")
    assert found is not None
    assert (found.price_id, found.source) == ("genai-prices:openai/gpt-4o", "openai")
    assert base_prices.find("my-openai", "gpt-4o") is None
    assert base_prices.find("openai", "my-gpt-4o") is None


def test_a_reseller_has_the_makers_standard_price_alone() -> None:
    """What the maker asks for its tiers says nothing of what another provider asks for them."""
    found = base_prices.find("azure", "gpt-5")
    assert found is not None
    assert found.source == "openai"
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
    """A cost says by which release it was priced, and the package of the build is that release."""
    assert base_prices.version == "genai-prices-0.2.3"
    assert genai_prices.__version__ == genai_prices_data.RELEASE


def test_price_keys_are_units() -> None:
    """`input_mtok` is input tokens by the million: for each unit that genai-prices has."""
    assert {unit["price_key"]: (name, unit["per"]) for name, unit in unit_data.items()} == {
        unit["price_key"]: unit_of(unit["price_key"]) for unit in unit_data.values()
    }
    assert unit_of("input_furlongs") is unit_of("holographic_mtok") is None


@pytest.mark.some(4)
@pytest.mark.parametrize(
    "at",
    [datetime(2024, 1, 1, tzinfo=UTC), datetime(2026, 10, 20, 3, tzinfo=UTC), NOON],
    ids=lambda at: at.date().isoformat(),
)
@pytest.mark.parametrize(
    "context", [{}, {"processing": "batch"}, {"service_tier": "priority"}, {"service_tier": "flex"}], ids=str
)
def test_every_rate_is_theirs(at: datetime, context: dict[str, str]) -> None:
    """Of every model of every provider, each rate is the one that genai-prices has, at any time, tier and length."""
    compared = 0
    for known in base_prices.models():
        (info,) = (model for model in THEIRS[known.provider].models if model.id == known.id)
        theirs = info.get_prices(at, context)
        for above, units in known.rates(at, context.get("service_tier"), context.get("processing")).bands:
            for key, price in vars(theirs).items():
                unit, per = unit_of(key) or ("", 0)
                if price is None or not unit or unit == "input_audio_seconds":
                    continue
                tiers = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= above]
                assert (units[unit].usd, units[unit].per) == ((tiers or [getattr(price, "base", price)])[-1], per)
                compared += 1
    assert compared > 5_000


@pytest.mark.long
def test_every_name_finds_their_model() -> None:
    """A name is one of the same model here as there, also by a pattern, at a reseller, and with another date."""
    names = [(known.provider, name) for known in base_prices.models() for name in known.names()]
    for provider, name in names:
        for asked in (name, f"{name}-20250102", f"eu.{name}"):
            theirs = THEIRS[provider].find_model(asked, all_providers=providers)
            found: BaseModel | None = base_prices.find(provider, asked)
            assert (found and found.id) == (theirs and theirs.id), (provider, asked)
