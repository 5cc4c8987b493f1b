"""What a bill says as attributes: the cost, its status, and what nothing accounts for."""

import logging
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from otel_costs import semconv as names
from otel_costs.calls.bill import Bill, cost_attributes
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Reading
from otel_costs.calls.writer import finish
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import telemetry
from otel_costs.usage import Usage
from tests.support.recorded import Recorded

TOKENS = {"input_tokens": 1000, "output_tokens": 100}  # 0.0035 of gpt-4o


def said(bill: Bill) -> dict[str, Any]:
    return cost_attributes(bill, bill.cost("openai", ("gpt-4o", None), 1_790_000_000_000_000_000))


@pytest.mark.parametrize(
    ("usage", "options", "reason", "keys"),
    [
        (["holographic_tokens"], [], "unknown_usage", ["holographic_tokens"]),
        ([], ["tool:teleport"], "unknown_option", ["tool:teleport"]),
        (["a", "b"], ["c", "a"], "unknown_option,unknown_usage", ["a", "b", "c"]),
    ],
)
def test_what_nothing_accounts_for_makes_a_cost_a_lower_bound(
    usage: Sequence[str], options: list[str], reason: str, keys: list[str]
) -> None:
    """A key or an option without a meaning is named, and the call is partial: its cost is known in part."""
    found = said(Bill(Usage.of(TOKENS, unknown=tuple(usage)), unknown=options))
    assert found[names.COST_UNKNOWN] == keys
    assert (found[names.COST_STATUS], found[names.COST_REASON]) == ("partial", reason)
    assert found[names.COST_USD] == "0.0035"


def test_a_lower_bound_is_no_estimate() -> None:
    """What is not known at all is graver than what was estimated; both reasons are said."""
    found = said(
        Bill(Usage.of(TOKENS, estimated=True), reasons=[CostReason.STREAM_CLOSED_EARLY], unknown=["tool:teleport"])
    )
    assert found[names.COST_STATUS] == "partial"
    assert found[names.COST_REASON] == "stream_closed_early,unknown_option,usage_estimated"


def test_a_usage_of_unknown_keys_alone_has_no_price() -> None:
    """Nothing that has a price is known, which is no zero."""
    found = said(Bill(Usage({}, unknown=("holographic_tokens",))))
    assert (found[names.COST_STATUS], found[names.COST_REASON]) == ("unpriced", "unknown_usage")
    assert names.COST_USD not in found


def test_the_cost_that_a_provider_reports_accounts_for_all_of_its_keys() -> None:
    """Who bills the call knows what each key costs."""
    found = said(Bill(Usage.of(TOKENS, unknown=("holographic_tokens",)), reported=Decimal("0.5")))
    assert (found[names.COST_STATUS], found[names.COST_USD]) == ("priced", "0.5")
    assert names.COST_UNKNOWN not in found


def test_at_most_sixteen_names_of_sixty_four_characters_are_kept() -> None:
    """The names come from the provider: they can be printed, and there is an end to them."""
    keys = ("\x1b[31m\n", "\ud800", "k" * 100, *map(str, range(30)))
    found = said(Bill(Usage.of(TOKENS, unknown=keys)))[names.COST_UNKNOWN]
    assert len(found) == 16
    assert found[:3] == ["\\x1b[31m\\n", "\\ud800", "k" * 64]
    assert all(key.isprintable() and len(key) <= 64 for key in found)


def test_a_name_is_warned_of_once(
    recorded: Recorded, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line of the log for each key and process, and an end to them where each call has another."""
    monkeypatch.setattr(telemetry, "_warned", set())
    monkeypatch.setattr(telemetry, "_kinds", Counter())
    with caplog.at_level(logging.WARNING, "otel_costs"):
        for key in ("twice", "twice", *(f"key-{number}" for number in range(400))):
            finish(Call("chat", "openai", "gpt-4o"), Reading(usage=Usage.of(TOKENS, unknown=(key,))))
    lines = [record.getMessage() for record in caplog.records]
    assert sum("'twice'" in line for line in lines) == 1
    assert len(lines) <= telemetry.MAX_OF_A_KIND


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        ("no-such-model", Usage.of({"input_tokens": 5}, estimated=True), ("unpriced", "unknown_model,usage_estimated")),
        ("no-such-model", Usage.of({"input_tokens": 5}), ("unpriced", "unknown_model")),
        ("gpt-4o", Usage.of({"input_tokens": 5}, estimated=True), ("estimated", "usage_estimated")),
        ("gpt-4o", Usage.of({"input_tokens": 5}), ("priced", None)),
    ],
)
def test_an_estimated_usage_says_so_whatever_its_price_says(
    model: str, usage: Usage, expected: tuple[str, str | None]
) -> None:
    """Or the price that comes later would make it exact."""
    bill = Bill(usage=usage)
    found = cost_attributes(bill, bill.cost("openai", (model, None), 1_795_800_000_000_000_000))
    assert (found[names.COST_STATUS], found.get(names.COST_REASON)) == expected
