"""Calls of a real client under a contract: the price, the session and the record are those of the contract."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import otel_costs
from otel_costs import pricing
from otel_costs import semconv as names
from tests.providers.conftest import COST, HELLO, Driver
from tests.support.recorded import Recorded

pytestmark = pytest.mark.usefixtures("known_usage")

PRICES = """version: t
currency: USD
exchange_rates: [{{currency: EUR, from: 2020-01-01, usd: "1.25"}}]
contracts:
  - id: acme
    provider: openai
    currency: EUR
    from: 2020-01-01
    {terms}
"""
CONTRACT = ("cost.list_usd", "cost.contracted_usd", "contract.amount", "contract.currency", "contract.id")


@pytest.fixture
def terms(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Put a contract with the parameter's terms into force."""
    file = tmp_path / "contract.yaml"
    file.write_text(PRICES.format(terms=request.param))
    pricing.use(pricing.load(str(file)))
    yield
    pricing.use(None)


def ask(driver: Driver) -> Decimal:
    """Make a call in a session, and return what that has cost."""
    with otel_costs.session("s1") as session:
        driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO))
        return session.cost_usd


def said(call: Any) -> dict[str, Any]:
    return {name: call.get(f"otel_costs.{name}") for name in (*CONTRACT, "contract.reservation")}


@pytest.mark.parametrize("terms", ['discounts: [{match: {model: gpt-4o}, percent: "20"}]'], indirect=True)
def test_a_discount(terms: None, driver: Driver, recorded: Recorded) -> None:
    """20 % off 0.011625 are 0.0093 dollars, which are 0.00744 euros."""
    assert ask(driver) == Decimal("0.0093")
    call = recorded.call
    assert (call[names.COST_USD], call[names.COST_STATUS], call.get(names.COST_REASON)) == ("0.0093", "priced", None)
    assert said(call) == {
        "cost.list_usd": COST,
        "cost.contracted_usd": "0.0093",
        "contract.amount": "0.00744",
        "contract.currency": "EUR",
        "contract.id": "acme",
        "contract.reservation": None,
    }


@pytest.mark.parametrize("terms", ['reservations: [{id: ptu, amount_per_hour: "5"}]'], indirect=True)
def test_what_is_reserved(terms: None, driver: Driver, recorded: Recorded) -> None:
    """Its share of the hour is not known yet: it costs what it would without, and says why."""
    assert ask(driver) == Decimal(COST)
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("estimated", "reservation_not_settled")
    assert (call[names.CONTRACT_RESERVATION], call[names.CONTRACT_AMOUNT]) == ("ptu", "0.0093")


@pytest.mark.parametrize("terms", ['reservations: [{id: ptu, amount_per_hour: "5"}]'], indirect=True)
def test_what_is_reserved_and_in_doubt_for_another_reason(terms: None, recorded: Recorded) -> None:
    """The month's settlement takes away its own reason, and finds the call by it: both stand in the record."""
    otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 10, "cached": 1})
    call = recorded.call
    assert call[names.COST_REASON].split(",") == ["unknown_usage", "reservation_not_settled"]
    assert (call[names.COST_STATUS], call[names.CONTRACT_RESERVATION]) == ("partial", "ptu")


@pytest.mark.parametrize("terms", ["match: {model: o3}\n    discounts: [{percent: '20'}]"], indirect=True)
def test_without_a_contract_nothing_is_said(terms: None, driver: Driver, recorded: Recorded) -> None:
    """The record is as it was: without a contract the list price is the cost."""
    ask(driver)
    assert recorded.call[names.COST_USD] == COST
    assert not [name for name in recorded.call if "contract" in name or name == names.COST_LIST_USD]
