"""Every reason of a cost is a member of one enumeration, which explains it."""

import ast
import json
from pathlib import Path

import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.calls.bill import Bill, cost_attributes
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.usage import Usage
from tests.support.recorded import reasons_outside

PACKAGE = Path(otel_costs.__file__).parent

NOT_REASONS = {("store/stored_call.py", "invalid_usage"), ("transports/websocket/websockets.py", "connection_lost")}
"""(module, string): a column and an attribute of another library have the names of reasons."""


@pytest.mark.parametrize("reason", CostReason)
def test_each_is_explained(reason: CostReason) -> None:
    """A reason has one sentence on what it means and one on what to do; its name is what is recorded."""
    assert reason.name == reason.upper()
    for sentence in (reason.meaning, reason.remedy):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert ". " not in sentence


def test_what_is_recorded_is_text() -> None:
    """A record, JSON and a message have the reason as plain text."""
    found = cost_attributes(Bill(reasons=[CostReason.STREAM_FAILED, CostReason.NO_USAGE]), None)[names.COST_REASON]
    assert (type(found), found) == (str, "stream_failed,no_usage")
    assert json.dumps(CostReason.NO_USAGE) == '"no_usage"'
    assert f"{CostReason.NO_USAGE}" == str(CostReason.NO_USAGE) == "no_usage"


def test_a_price_has_it() -> None:
    """The public `price` gives the member, which is the text that it always was."""
    cost = otel_costs.price({"input_tokens": 1}, provider="acme", model="none")
    assert cost.reason is CostReason.UNKNOWN_MODEL
    assert str(cost.reason) == "unknown_model"


@pytest.mark.long
def test_no_module_spells_a_reason() -> None:
    """The text of a reason stands in one place; all others name the member, which a type checker holds them to."""
    values = {reason.value for reason in CostReason}
    found = {
        (str(path.relative_to(PACKAGE)), node.value)
        for path in PACKAGE.rglob("*.py")
        if path.name != "cost_reason.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in values
    }
    assert found == NOT_REASONS


def test_a_reason_that_is_no_member_is_found() -> None:
    """The check that every recorded call of the tests goes through tells a text that is no reason."""
    bill = Bill(Usage.of({"input_tokens": 1}), reasons=["made_up"])  # type: ignore[list-item]
    record = cost_attributes(bill, bill.cost("openai", ("gpt-4o", None), 0))
    assert reasons_outside([record]) == {"made_up"}
    assert reasons_outside([{names.COST_REASON: "no_usage,stream_failed"}, {}]) == set()
