"""cost_of(): sums of several requests, which no single prompt's price is for."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.pricing import Cost, PriceBook, price
from otel_costs.pricing.price_file import parse
from otel_costs.usage import Usage

MILLION = {"input_tokens": 1_000_000, "output_tokens": 100_000}
"""More than the 272,000 tokens from which on a prompt costs more."""


def summed(usage: Mapping[str, object], model: str, provider: str = "openai", **more: Any) -> Cost:
    """Return what the sum of several requests costs."""
    return price(replace(Usage.of(usage), several=True), provider=provider, model=model, **more)


@pytest.mark.parametrize(
    ("usage", "usd", "status"),
    [
        (MILLION, "15", "estimated"),  # nobody knows how large a prompt was: that of short ones
        ({**MILLION, "requests": 1000}, "15", "estimated"),
        ({**MILLION, "requests": 2}, "27.5", "estimated"),  # half a million each, in the mean
        ({**MILLION, "requests": 1}, "27.5", "priced"),
        ({"input_tokens": 272_000, "output_tokens": 100_000}, "7.72", "priced"),  # then none of them can be long
        ({"input_tokens": 272_001, "output_tokens": 100_000}, "7.72001", "estimated"),
        ({"output_tokens": 100_000}, "5", "priced"),
    ],
)
def test_a_threshold_is_for_each_prompt(usage: Mapping[str, object], usd: str, status: str) -> None:
    """What many short prompts are together is no long one."""
    found = summed(usage, "gpt-6-astra")
    assert (found.total, found.status) == (Decimal(usd), status)
    assert found.reason == (None if status == "priced" else "several_requests")


def test_a_single_prompt_crosses_its_threshold() -> None:
    """As before: what is no sum is one prompt."""
    found = price(MILLION, provider="openai", model="gpt-6-astra")
    assert (found.total, found.status) == (Decimal("27.5"), "priced")


FEES = """
version: acme-1
currency: USD
prices:
  - provider: acme
    match: {model: searching}
    rates:
      input_tokens: {usd: "1", per: 1000000}
      output_tokens: {usd: "1", per: 1000000}
      requests: {usd: "5", per: 1000}
"""


def test_fees_of_each_request() -> None:
    """A fee is taken for each request: of how many, the usage must say."""
    asked: Any = {"provider": "acme", "prices": PriceBook([parse(FEES, "acme.yaml")], version="1")}
    tokens = {"input_tokens": 1000, "output_tokens": 10}
    unknown = summed(tokens, "searching", **asked)
    assert (unknown.total, unknown.status, unknown.reason) == (Decimal("0.00601"), "estimated", "several_requests")
    three = summed({**tokens, "requests": 3}, "searching", **asked)
    assert (three.total, three.status) == (Decimal("0.01601"), "priced")
    one = price(tokens, model="searching", **asked)
    assert (one.total, one.status) == (Decimal("0.00601"), "priced")
    none = price({**tokens, "requests": 0}, model="searching", **asked)
    assert (none.total, none.status) == (Decimal("0.00101"), "priced")


@pytest.mark.parametrize("model", ["sonar", "sonar-pro", "sonar-reasoning-pro"])
def test_a_fee_that_depends_on_the_size_of_a_search(model: str) -> None:
    """Perplexity says the cost itself; where it does not, the fee for the largest searches is an estimate."""
    found = price({"input_tokens": 1000, "output_tokens": 10}, provider="perplexity", model=model)
    assert (found.status, found.reason) == ("estimated", "rate_estimated")


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"containers_4g": 1, "container_minutes_4g": 20}, "0.12"),
        ({"containers": 1, "containers_4g": 1, "container_minutes": 20, "container_minutes_4g": 20}, "0.12"),
        ({"containers_16g": 1, "container_minutes_4g": 20}, "0.60"),  # another one
        ({"containers": 1, "container_minutes": 20}, "0.03"),
    ],
)
def test_containers_by_the_minute(usage: dict[str, int], usd: str) -> None:
    """Who knows the minutes is not charged the container as well, whether or not the whole is said."""
    assert price(usage, provider="openai", model="gpt-5.4").total == Decimal(usd)


def test_credits_beside_tokens() -> None:
    """A speech service counts its bill in them; beside tokens nobody knows what they cost."""
    found = price({"input_tokens": 1000, "output_tokens": 100, "credits": 3}, provider="openai", model="gpt-4o")
    assert (found.total, found.status, found.unpriced_units) == (Decimal("0.0035"), "partial", ("credits",))
    speech = price({"input_characters": 1000, "credits": 500}, provider="elevenlabs", model="eleven_v4")
    assert speech.status == "priced"


def test_the_least_that_is_billed_is_of_each_request() -> None:
    """Groq bills ten seconds at least: of how many files fifteen seconds are, decides what they cost."""
    assert summed({"audio_seconds": 15}, "whisper-large-v3", "groq").reason == "several_requests"
    assert price({"audio_seconds": 15}, provider="groq", model="whisper-large-v3").status == "priced"


def test_requests_without_a_fee() -> None:
    """A call is a request; a price that has no fee for it has none for more of them, and nothing else has a price."""
    usage = {"input_tokens": 1000, "output_tokens": 100}
    assert price({**usage, "requests": 7}, provider="openai", model="gpt-4o").status == "priced"
    alone = price({"requests": 7}, provider="openai", model="gpt-4o")
    assert (alone.total, alone.status) == (None, "unpriced")
