"""What OpenAI's price page and others say beside the table: batches, fine-tuning, tools, writes to caches, regions."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.pricing import Cost, price
from otel_costs.pricing.price_book import builtin
from otel_costs.usage import Usage

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MILLION = 1_000_000
TOKENS = {"input_tokens": 1000, "output_tokens": 100}


def cost(model: str, usage: dict[str, Any], provider: str = "openai", **asked: Any) -> Cost:
    return price(Usage.of(usage), provider=provider, model=model, at=NOW, **asked)


def exact(found: Cost) -> Decimal | None:
    assert (found.status, found.reason) == ("priced", None)
    return found.total


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("gpt-4.1", "1"),
        ("gpt-4.1-mini", "0.20"),
        ("gpt-4.1-nano-2025-04-14", "0.05"),
        ("gpt-4o", "1.25"),
        ("gpt-4o-mini-2024-07-18", "0.075"),
        ("o1", "7.50"),
        ("o3", "1"),
        ("o3-mini", "0.55"),
        ("o4-mini", "0.55"),
        ("gpt-5", "0.0625"),  # whose page has a price of it
        ("gpt-5.4", "0.25"),  # of a long prompt
    ],
)
def test_cached_tokens_of_a_batch(model: str, usd: str) -> None:
    """Where caching is not available in batches, what is cached costs what the batch's input does."""
    usage = {"input_tokens": MILLION, "cache_read_tokens": MILLION}
    assert exact(cost(model, usage, processing="batch")) == Decimal(usd)


def test_no_batch_of_openai_has_a_cache_of_the_standard_price() -> None:
    """Of any model: a batch is half the price, or has no price of its own for what is cached."""
    known = [model.id for model in builtin().base.models(["openai"])]
    assert len(known) > 50
    for model in known:
        asked = ("openai", model, None, "batch", None, None)
        standard = builtin().rates(("openai", model, None, None, None, None), NOW).bands[0][1]
        batch = builtin().rates(asked, NOW)
        rates = batch.bands[0][1]
        if batch.reason is None and "cache_read_tokens" in standard and standard["cache_read_tokens"].usd:
            cached = rates["cache_read_tokens"]
            assert cached.usd == rates["input_tokens"].usd or cached != standard["cache_read_tokens"], model


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        ("ft:gpt-4o-2024-08-06:acme::1", {"input_tokens": MILLION}, "2.225"),
        ("ft:gpt-4o-2024-08-06:acme::1", {"input_tokens": MILLION, "cache_read_tokens": MILLION}, "0.90"),
        ("ft:gpt-4o-2024-08-06:acme::1", {"output_tokens": MILLION}, "12.50"),
        ("ft:gpt-4.1-2025-04-14:acme::1", {"input_tokens": MILLION}, "1.50"),
        ("ft:gpt-4.1-2025-04-14:acme::1", {"input_tokens": MILLION, "cache_read_tokens": MILLION}, "0.50"),
        ("ft:gpt-4.1-mini-2025-04-14:acme::1", {"input_tokens": MILLION, "cache_read_tokens": MILLION}, "0.10"),
        ("ft:babbage-002:acme::1", {"output_tokens": MILLION}, "0.90"),
        ("ft:babbage-002:acme::1", {"input_tokens": MILLION}, "0.80"),
        ("ft:davinci-002:acme::1", {"output_tokens": MILLION}, "6"),
        ("davinci-002", {"input_tokens": MILLION}, "1"),
        ("babbage-002", {"output_tokens": MILLION}, "0.20"),
        ("sora-2", {"video_seconds": 10}, "0.50"),
    ],
)
def test_batches(model: str, usage: dict[str, int], usd: str) -> None:
    """As the page has them, where half of all would be wrong, or where there was no price."""
    assert exact(cost(model, usage, processing="batch")) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("gpt-4.1-2025-04-14", "25"),
        ("gpt-4.1-mini-2025-04-14", "5"),
        ("gpt-4.1-nano-2025-04-14", "1.50"),
        ("gpt-4o-2024-08-06", "25"),
        ("gpt-4o-mini-2024-07-18", "3"),
        ("gpt-3.5-turbo-0125", "8"),
        ("davinci-002", "6"),
        ("babbage-002", "0.40"),
    ],
)
def test_training(model: str, usd: str) -> None:
    """By the token, as the page has it."""
    assert exact(cost(model, {"training_tokens": MILLION})) == Decimal(usd)


@pytest.mark.parametrize("size", ["1080x1920", "1920x1080"])
def test_videos_of_1080_lines(size: str) -> None:
    """They cost more than twice the smallest."""
    usage = {"video_seconds": 1}
    assert exact(cost("sora-2-pro", usage, price_model=f"sora-2-pro/{size}")) == Decimal("0.70")


@pytest.mark.parametrize(
    ("model", "tier", "usage", "usd"),
    [
        ("gpt-6.2-astra", "fast", {"input_tokens": 100_000}, "1.60"),
        ("gpt-6.2-astra", None, {"input_tokens": 100_000, "cache_write_12h_tokens": 100_000}, "2"),
        ("gpt-6.2-astra", None, {"input_tokens": MILLION, "cache_write_12h_tokens": MILLION}, "40"),
        ("gpt-6.2-astra", "fast", {"input_tokens": 100_000, "cache_write_12h_tokens": 100_000}, "4"),
        ("gpt-6-astra-law", None, {"input_tokens": 100_000, "cache_write_12h_tokens": 100_000}, "2.5"),
        ("gpt-daybreak-blue-latest", None, {"input_tokens": 100_000, "cache_write_12h_tokens": 100_000}, "1"),
        ("gpt-daybreak-red-latest", None, {"input_tokens": MILLION, "cache_write_12h_tokens": MILLION}, "62.5"),
    ],
)
def test_writes_for_twelve_hours_and_tiers(model: str, tier: str | None, usage: dict[str, int], usd: str) -> None:
    """Twice the ordinary write, also of models that stand in no other list; `fast` is `priority`."""
    if "cache_write_12h_tokens" in usage:
        usage = {**usage, "cache_write_tokens": usage["cache_write_12h_tokens"]}
    assert exact(cost(model, usage, service_tier=tier)) == Decimal(usd)


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o",
        "gpt-5.4",
        "gpt-6.2-astra",
        "gpt-6-astra-law",
        "gpt-daybreak-red-latest",
        "gpt-daybreak-blue-latest",
        "gpt-5.5-cyber-preview",
        "chat-latest",
        "gpt-rosalind-research",
        "ft:gpt-4.1-2025-04-14:acme::1",
        "ft:gpt-4.1-nano-2025-04-14:acme::1",
        "ft:gpt-4o-2024-08-06:acme::1",
        "ft:o4-mini-2025-04-16:acme::1",
    ],
)
def test_tools_of_all_models(model: str) -> None:
    """A search and a file search cost the same with every model, a container does."""
    before = exact(cost(model, TOKENS))
    found = exact(cost(model, {**TOKENS, "web_searches": 1, "file_searches": 1, "container_minutes": 20}))
    assert before is not None
    assert found == before + Decimal("0.0425")


@pytest.mark.parametrize(
    ("model", "usd", "status"),
    [
        ("gpt-4.1-mini", "0.01376", "estimated"),
        ("gpt-4.1-mini-2025-04-14", "0.01376", "estimated"),
        ("gpt-4o-mini", "0.01141", "estimated"),
        ("gpt-4.1", "0.0128", "priced"),
        ("gpt-4o-mini-search-preview", "0.02521", "priced"),
    ],
)
def test_searches_with_a_fixed_block_of_tokens(model: str, usd: str, status: str) -> None:
    """Of two models a search is 8,000 tokens, too; whether the usage has them in it, nobody says."""
    found = cost(model, {**TOKENS, "web_searches": 1})
    assert (found.total, found.status) == (Decimal(usd), status)
    if "search" not in model:
        preview = cost(model, {**TOKENS, "web_searches": 1, "preview_web_searches": 1})
        assert preview.status == "priced"  # whose content is free


@pytest.mark.parametrize(
    ("provider", "model", "usd", "reason"),
    [
        ("openrouter", "anthropic/claude-3.7-sonnet", "0.01125", None),
        ("openrouter", "anthropic/claude-3.5-haiku", "0.003", None),
        ("openai", "gpt-6-astra-law", "0.0375", None),
        ("openai", "gpt-4o", "0.0075", None),  # they are free, but for the input that they are
        ("openai", "gpt-5.4-2026-03-05", "0.0075", None),
        ("openai", "ft:gpt-4.1-2025-04-14:acme::1", "0.009", None),
        ("azure.ai.openai", "gpt-4o", "0.0075", None),
        ("anthropic", "claude-sonnet-4-5", "0.01125", None),
        ("gcp.gemini", "gemini-2.5-pro", "0.00375", "part_not_priced"),
        ("aws.bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "0.00075", "part_not_priced"),
    ],
)
def test_writes_to_a_cache(provider: str, model: str, usd: str, reason: str | None) -> None:
    """They cost more than the input, or the book says that they do not: else it is an estimate."""
    found = cost(model, {"input_tokens": 3000, "cache_write_tokens": 3000}, provider)
    assert (found.total, found.reason) == (Decimal(usd), reason)
    none = cost(model, {"input_tokens": 3000, "cache_write_tokens": 0}, provider)
    assert none.status == "priced"


@pytest.mark.parametrize(
    ("model", "host", "usd"),
    [
        ("claude-sonnet-4-5@20250929", "europe-west1-aiplatform.googleapis.com", "0.00495"),
        ("claude-sonnet-4-5@20250929", "aiplatform.eu.rep.googleapis.com", "0.00495"),
        ("claude-sonnet-4-5@20250929", "aiplatform.googleapis.com", "0.0045"),
        ("claude-haiku-4-5@20251001", "us-east5-aiplatform.googleapis.com", "0.00165"),
        ("claude-opus-4-6", "us-east5-aiplatform.googleapis.com", "0.00825"),
        ("claude-sonnet-4@20250514", "europe-west1-aiplatform.googleapis.com", "0.0045"),
        ("claude-3-7-sonnet@20250219", "europe-west1-aiplatform.googleapis.com", "0.0045"),
        ("gemini-2.5-pro", "europe-west1-aiplatform.googleapis.com", "0.00225"),
    ],
)
def test_regions_of_vertex(model: str, host: str, usd: str) -> None:
    """Claude costs 10 % more in a region, since Sonnet 4.5; other models do not."""
    assert exact(cost(model, TOKENS, "gcp.vertex_ai", endpoint=host)) == Decimal(usd)


TEXT = {"input_text_tokens": 1000, "output_text_tokens": 100}


@pytest.mark.parametrize(
    ("model", "times"),
    [
        *((model, "1.1") for model in ("gpt-5.4", "gpt-6-sol", "gpt-realtime-2", "gpt-realtime-2.1", "gpt-image-2")),
        *((model, "1.1") for model in ("gpt-daybreak-red-latest", "gpt-daybreak-blue-latest", "daybreak-red-latest")),
        *((model, "1") for model in ("gpt-4o", "gpt-4o-2024-08-06", "gpt-5", "gpt-5.3-codex", "o3", "gpt-realtime")),
        *((model, "1") for model in ("gpt-audio-1.5", "gpt-image-1.5", "ft:gpt-4.1-2025-04-14:acme::1")),
        *((model, None) for model in ("gpt-rosalind-research", "chat-latest", "chatgpt-image-latest")),
    ],
)
def test_regions_of_openai(model: str, times: str | None) -> None:
    """Models since 5 March 2026 cost 10 % more in a region; of which it is not known, that is said."""
    usage = {**TOKENS, **TEXT}
    before = cost(model, usage).total
    assert before is not None
    found = cost(model, usage, endpoint="eu.api.openai.com")
    if times is None:
        assert (found.total, found.status, found.reason) == (before, "estimated", "region_not_priced")
    else:
        assert exact(found) == before * Decimal(times)
    assert cost(model, usage, endpoint="api.openai.com").total == before
