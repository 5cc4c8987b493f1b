"""Costs that providers report themselves."""

from decimal import Decimal, localcontext
from typing import Any

import pytest

from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai.reported_cost import reported_cost

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
    assert reported_cost({"usage": usage}, {}, provider) == (Decimal(cost), None)


def test_cost_in_header() -> None:
    """LiteLLM's header counts whichever provider is behind it; a zero there is an unknown price."""
    assert reported_cost({}, {LITELLM: "2.85e-05"}, "openai") == (Decimal("0.0000285"), None)
    assert reported_cost(None, {LITELLM: "0.25"}, "unknown") == (Decimal("0.25"), None)
    assert reported_cost({}, {LITELLM: "0.0"}, "openai") == (None, None)
    assert reported_cost({}, {LITELLM: "None"}, "openai") == (None, None)


@pytest.mark.parametrize(
    "cost",
    ["nan", float("nan"), float("inf"), "-Infinity", -1, -0.5, "-1e-9", True, "much", [1], 10**12, 10**30, "1e400",
     "1e-400", "1_0", "1" * 5000, "0." + "1" * 5000, 10**5000],
    ids=lambda cost: ascii(cost)[:20] if not isinstance(cost, int) else hex(cost)[:20],
)  # fmt: skip
def test_what_is_no_amount_is_refused_with_a_reason(cost: Any) -> None:
    """A cost that is negative, not finite or absurdly long is no money, wherever it is said."""
    refused = (None, "reported_cost_invalid")
    assert reported_cost({"usage": {"cost": cost}}, {}, "openrouter") == refused
    assert reported_cost({"usage": {"cost": {"total_cost": cost}}}, {}, "perplexity") == refused
    assert (
        reported_cost(
            {"usage": {"cost": 1, "is_byok": 1, "cost_details": {"upstream_inference_cost": cost}}}, {}, "openrouter"
        )
        == refused
    )
    if cost != 10**12:  # ticks are a ten-thousand-millionth of a dollar
        assert reported_cost({"usage": {"cost_in_usd_ticks": cost}}, {}, "x_ai") == refused
    if isinstance(cost, float | str):
        assert reported_cost({}, {LITELLM: str(cost)}, "openai") == refused


@pytest.mark.parametrize("cost", [None, ""])
def test_what_is_not_said_is_not_refused(cost: object) -> None:
    """Nothing is no cost, and nothing is wrong with it."""
    assert reported_cost({"usage": {"cost": None}}, {}, "openrouter") == (None, None)
    assert reported_cost({}, {LITELLM: str(cost)}, "openai") == (None, None)


def test_the_other_cost_counts_where_one_is_refused() -> None:
    """A header stands in for a field that is none."""
    assert reported_cost({"usage": {"cost": -1}}, {LITELLM: "0.25"}, "openrouter") == (Decimal("0.25"), None)


def test_the_ambient_context_changes_no_money() -> None:
    """Ticks are divided, and a fee is added, exactly, however the application computes."""
    with localcontext() as context:
        context.prec = 2
        assert reported_cost({"usage": {"cost_in_usd_ticks": 37756001}}, {}, "x_ai")[0] == Decimal("0.0037756001")
        own = {"cost": "0.0012345", "is_byok": True, "cost_details": {"upstream_inference_cost": "0.02"}}
        assert reported_cost({"usage": own}, {}, "openrouter")[0] == Decimal("0.0212345")


def test_a_fee_without_the_upstream_cost_is_no_cost() -> None:
    """With a key of one's own, OpenRouter's fee alone would be far too little, and the list price is without it."""
    alone = (None, CostReason.REPORTED_FEE_ALONE)
    fee = {"cost": 0.001, "is_byok": True}
    assert reported_cost({"usage": fee}, {}, "openrouter") == alone
    unsaid = {**fee, "cost_details": {"upstream_inference_cost": None}}
    assert reported_cost({"usage": unsaid}, {}, "openrouter") == alone
    assert reported_cost({"usage": {**fee, "cost": 0}}, {}, "openrouter") == (None, None)
    assert reported_cost({"usage": fee}, {LITELLM: "0.02"}, "openrouter") == (Decimal("0.02"), None)


@pytest.mark.parametrize("body", [None, "text", b"", {}, {"usage": None}, {"usage": "x"}, {"usage": {"cost": 5}}])
def test_openai_reports_none(body: object) -> None:
    """A field named `cost` counts where the provider is known to write it, and nowhere else."""
    assert reported_cost(body, {}, "openai") == (None, None)
