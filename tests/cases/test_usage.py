"""Cases 1 to 8, and 17: usage, models and money that make no sense."""

from decimal import Decimal
from typing import Any

import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.stand_in import REMOVED, Fault
from tests.cases.conftest import Case, used


def usage(prompt: Any = 1000, completion: Any = 100, **more: Any) -> Fault:
    return Fault(usage={"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0, **more})


@pytest.mark.parametrize("fault", [Fault(usage=None), Fault(fields={"usage": REMOVED})], ids=["null", "absent"])
def test_case_01_a_usage_of_none_is_unknown_and_not_zero(fault: Fault, case: Case) -> None:
    """No quantity is made up, and no cost: the call is in the ledger, and says why it has none."""
    assert case.ask(fault).usage is None
    assert used(case.call) == {}
    assert (case.call[names.COST_STATUS], case.call[names.COST_REASON]) == ("unpriced", "usage_unknown")
    assert not case.call.keys() & {names.COST_USD, names.COST_AMOUNT}


def test_case_02_negative_tokens_are_refused_and_flagged(case: Case) -> None:
    """They must not pay for other calls; the rest of the usage is kept."""
    answer = case.ask(usage(-5, 100))
    assert answer.usage
    assert answer.usage.prompt_tokens == -5
    assert used(case.call) == {"gen_ai.usage.output_tokens": 100, "otel_costs.usage.invalid": ["input_tokens"]}
    assert case.call[names.COST_STATUS] != "priced"


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), float("-inf"), -1, True, "abc", {}])
def test_case_03_a_cost_that_is_no_amount_is_not_the_cost(
    cost: Any, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a provider that reports its cost itself: NaN would make every sum NaN. The computed cost holds, if any."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openrouter")
    with otel_costs.session("a") as session:
        case.ask(usage(1000, 100, cost=cost), model="openai/gpt-4o")
        assert session.cost_usd.is_finite()
    assert case.call.get(names.COST_SOURCE) != "provider"
    money = [str(value).lower() for name, value in case.call.items() if ".cost." in name]
    assert not {"nan", "inf", "-inf", "infinity", "-infinity"} & set(money)


def test_case_03_the_control_is_a_cost_that_is_an_amount(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same path with a good one: it is the cost."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openrouter")
    case.ask(usage(1000, 100, cost=0.0125), model="openai/gpt-4o")
    assert (case.call[names.COST_SOURCE], case.call[names.COST_USD]) == ("provider", "0.0125")


@pytest.mark.parametrize("count", [2**63, 2**70])
def test_case_04_more_tokens_than_a_column_holds_are_flagged(count: int, case: Case) -> None:
    """The exporter would fail on such a number, and lose the whole batch."""
    case.ask(usage(count, 100))
    case.ask()
    assert used(case.calls[0]) == {"gen_ai.usage.output_tokens": 100, "otel_costs.usage.invalid": ["input_tokens"]}
    assert case.calls[1][names.COST_STATUS] == "priced"


@pytest.mark.parametrize(
    ("given", "read"),
    [("12", 12), (12.0, 12), ("1e3", 1000), (True, None), ("abc", None), (1.5, None), ([3], None), ({}, None)],
    ids=repr,
)
def test_case_05_tokens_of_another_type_are_parsed_or_flagged(given: Any, read: int | None, case: Case) -> None:
    """What is clearly a number is one; what is not is no reason to fail, nor to say zero."""
    case.ask(usage(given, 100))
    assert case.call.get("gen_ai.usage.input_tokens") == read
    assert (names.USAGE_INVALID in case.call) == (read is None)


def test_case_06_more_cached_than_there_was_is_clamped_and_flagged(case: Case) -> None:
    """A part is never more than its whole: the difference would be billed as less than nothing."""
    case.ask(usage(1000, 100, prompt_tokens_details={"cached_tokens": 5000}))
    assert case.call["gen_ai.usage.cache_read.input_tokens"] == 1000
    assert case.call["otel_costs.usage.invalid"] == ["cache_read_tokens"]
    assert Decimal(case.call[names.COST_USD]) == Decimal("1000") * Decimal("1.25e-6") + Decimal("100") * Decimal("1e-5")


def test_case_07_a_model_of_none_is_that_of_the_request(case: Case) -> None:
    """An answer that does not name its model is priced by the one that was asked for, and none is made up."""
    case.ask(Fault(fields={"model": None}))
    assert names.RESPONSE_MODEL not in case.call
    assert case.call[names.COST_STATUS] == "priced"


def test_case_07_a_model_of_none_is_unknown(case: Case) -> None:
    """Nobody names one: there is a record, without a price, and no model is made up."""
    otel_costs.record("chat", provider="openai", model=None, usage={"input_tokens": 5})
    assert case.call.get(names.REQUEST_MODEL, "unknown") == "unknown"
    assert (case.call[names.COST_STATUS], case.call[names.COST_REASON]) == ("unpriced", "unknown_model")


def test_case_08_a_model_without_a_price_has_no_cost(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    """None instead of zero, the usage in full, and one warning that names the model and what to do."""
    for _ in range(2):
        case.ask(Fault(fields={"model": "fantasy-9"}), model="fantasy-9")
    for found in case.calls:
        assert found["gen_ai.usage.input_tokens"] > 0
        assert (found[names.COST_STATUS], found.get(names.COST_USD)) == ("unpriced", None)
    assert caplog.text.count("No price for model 'fantasy-9' of provider 'openai'") == 1
    assert "OTEL_COSTS_PRICES" in caplog.text


def test_a_host_without_a_provider_is_named_and_no_price_asked_for(
    case: Case, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both warnings say to name the provider: a price in a file would not help, and the setting can be copied."""
    monkeypatch.delenv("OTEL_COSTS_PROVIDERS")
    case.ask(Fault(fields={"model": "gpt-4o"}), model="gpt-4o")
    assert case.call[names.COST_STATUS] == "unpriced"
    assert "OTEL_COSTS_PROVIDERS=127.0.0.1=openai " in caplog.text
    assert "Name its provider with OTEL_COSTS_PROVIDERS." in caplog.text
    assert "OTEL_COSTS_PRICES" not in caplog.text


TWO_HUNDRED: dict[str, Any] = {f"tag{number}": "x" for number in range(200)}
IDENTITY = {names.CALL_ID, names.CALL_SEQ, names.PROCESS_ID, names.SESSION_ID, names.PROVIDER_NAME, names.COST_USD}


def test_case_17_two_hundred_tags_of_a_session_do_not_push_the_cost_out(case: Case) -> None:
    """The SDK keeps 128 attributes and drops the oldest: cost and identity are on the record, and on the span."""
    with otel_costs.session("a", **TWO_HUNDRED):
        case.ask()
    assert case.call.keys() >= IDENTITY
    assert case.spans[0].keys() >= {names.SESSION_ID, names.PROVIDER_NAME, names.COST_USD}


def test_case_17_two_hundred_tags_of_a_record_do_not_push_the_cost_out(case: Case) -> None:
    """The same for a call that the application records itself, in a session with tags."""
    with otel_costs.session("a", **TWO_HUNDRED):
        otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 8000}, **TWO_HUNDRED)
    assert case.call.keys() >= IDENTITY
    assert case.spans[0].keys() >= {names.SESSION_ID, names.PROVIDER_NAME, names.COST_USD}
