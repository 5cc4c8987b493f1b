"""cost_of(): sums of several requests, which no single prompt's price is for."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.pricing import Cost, price
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


def test_fees_of_each_request() -> None:
    """Perplexity takes a fee for each request: of how many, the usage must say."""
    tokens = {"input_tokens": 1000, "output_tokens": 10}
    one = price(tokens, provider="perplexity", model="sonar")
    fee = next(line.amount for line in one.lines if line.unit == "requests")
    assert one.total is not None
    unknown = summed(tokens, "sonar", "perplexity")
    assert (unknown.total, unknown.status, unknown.reason) == (one.total, "estimated", "several_requests")
    three = summed({**tokens, "requests": 3}, "sonar", "perplexity")
    assert (three.total, three.status) == (one.total + 2 * fee, "priced")
    none = price({**tokens, "requests": 0}, provider="perplexity", model="sonar")
    assert (none.total, none.status) == (one.total - fee, "priced")


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
