"""Costs that providers report themselves."""

from decimal import Decimal
from typing import Any

import pytest

from otel_costs.providers.openai.usage import reported_cost

LITELLM = "x-litellm-response-cost"


@pytest.mark.parametrize(
    ("provider", "usage", "cost"),
    [
        ("openrouter", {"cost": 0.00014}, "0.00014"),
        ("openrouter", {"cost": 0}, "0"),
        (
            "openrouter",
            {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}},
            "0.021",
        ),
        ("x_ai", {"cost_in_usd_ticks": 37756000}, "0.0037756"),
        ("perplexity", {"cost": {"input_tokens_cost": 0.0, "request_cost": 0.005, "total_cost": 0.005012}}, "0.005012"),
    ],
)
def test_cost_in_usage(provider: str, usage: dict[str, Any], cost: str) -> None:
    """The cost in the usage is exact, as it was written."""
    assert reported_cost({"usage": usage}, {}, provider) == Decimal(cost)


def test_cost_in_header() -> None:
    """LiteLLM's header counts whichever provider is behind it; a zero there is an unknown price."""
    assert reported_cost({}, {LITELLM: "2.85e-05"}, "openai") == Decimal("0.0000285")
    assert reported_cost(None, {LITELLM: "0.25"}, "unknown") == Decimal("0.25")
    assert reported_cost({}, {LITELLM: "0.0"}, "openai") is None
    assert reported_cost({}, {LITELLM: "None"}, "openai") is None


@pytest.mark.parametrize("cost", ["nan", float("nan"), float("inf"), -1, True, None, "", [1], 10**30])
def test_what_is_no_amount_is_no_cost(cost: object) -> None:
    """A cost that no money can be is as none."""
    assert reported_cost({"usage": {"cost": cost}}, {}, "openrouter") is None
    assert reported_cost({}, {LITELLM: str(cost)}, "openai") is None


def test_a_fee_without_the_upstream_cost_is_no_cost() -> None:
    """With a key of one's own, OpenRouter's fee alone would be far too little."""
    assert reported_cost({"usage": {"cost": 0.001, "is_byok": True}}, {}, "openrouter") is None


@pytest.mark.parametrize("body", [None, "text", b"", {}, {"usage": None}, {"usage": "x"}, {"usage": {"cost": 5}}])
def test_openai_reports_none(body: object) -> None:
    """A field named `cost` counts where the provider is known to write it, and nowhere else."""
    assert reported_cost(body, {}, "openai") is None
