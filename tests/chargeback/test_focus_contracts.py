"""The FOCUS export of calls under contracts: split as the prices are, and what was reserved paid for once."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from otel_costs import pricing
from otel_costs.chargeback import focus, focus_commitments
from otel_costs.chargeback.focus_reservations import hours_without_rate
from otel_costs.pricing import PriceBook, price_file
from otel_costs.store import costs
from otel_costs.store.reprice import settle
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection
from tests.queries.ledger import Store
from tests.store.priced_calls import priced

MONTH = datetime(2026, 11, 1, tzinfo=UTC)
DAY = MONTH + timedelta(days=9)
OVER = datetime(2026, 12, 1, tzinfo=UTC)
HOURS = 30 * 24
MILLION = 1_000_000

PRICES = """version: t
currency: USD
prices:
  - {provider: openai, match: {model: large}, rates: {input_tokens: {usd: "2", per: 1000000},
     output_tokens: {usd: "6", per: 1000000}}}
  - {provider: azure, match: {model: reserved}, rates: {input_tokens: {usd: "5", per: 1000000},
     output_tokens: {usd: "15", per: 1000000}}}
"""
EURO = 'exchange_rates: [{currency: EUR, from: 2026-10-01, usd: "1.25"}]\n'
OWN = """contracts:
  - id: own
    provider: openai
    rates: [{match: {model: large}, rates: {%s: {amount: "%s", per: 1000000}}}]
"""
BY_VOLUME = """contracts:
  - id: volume
    provider: openai
    rates: [{match: {model: large}, rates: {input_tokens: {amount: "1", per: 1000000}}}]
    discounts: [{tiers: [{above: "0", percent: "0"}, {above: "2", percent: "50"}]}]
"""
RESERVED = """contracts:
  - id: hourly
    provider: azure
    currency: EUR
    from: 2026-10-01
    reservations:
      - {id: ptu, amount_per_hour: "8", measure: {input_tokens: "1", output_tokens: "1"}, capacity_per_hour: "4000000"}
"""
COMMITTED = """contracts:
  - id: least
    provider: openai
    currency: EUR
    from: 2026-10-01
    commitments:
      - {id: first, amount: "20", from: 2026-10-01, to: 2026-12-01}
      - {id: kept, amount: "1", from: 2026-11-01, to: 2026-12-01}
      - {id: later, amount: "9", from: 2026-12-01, to: 2027-12-01}
"""


@pytest.fixture(autouse=True)
def no_prices() -> Iterator[None]:
    """Take the prices of a test out of force."""
    yield
    pricing.use(None)


def in_force(*texts: str) -> None:
    """Put prices into force, and no others."""
    pricing.use(PriceBook((price_file.parse(PRICES + "".join(texts), "t.yaml"),), version="t"))


def both(at: datetime = DAY, **more: Any) -> Any:
    """Return the record of a call of a million tokens each way."""
    return priced({"input_tokens": MILLION, "output_tokens": MILLION}, at, **{"model": "large", **more})


def reserved(at: datetime) -> Any:
    """Return the record of a call that uses half of an hour of the reservation."""
    return both(at, provider="azure", model="reserved")


def exported(store: Store, **selection: Any) -> list[Row]:
    """Return the rows of a selection; the amounts of their calls are those of the report."""
    rows = list(focus.rows(store.client, Selection(**selection)))
    used = [row for row in rows if row["ChargeCategory"] == "Usage" and row["CommitmentDiscountStatus"] != "Unused"]
    total = costs.total(store.client, Selection(**selection))
    assert sum(row["EffectiveCost"] for row in used) == total["cost_usd"]
    assert sum(row["ListCost"] for row in used) == total["list_usd"]
    return rows


def by_unit(rows: Sequence[Row], column: str) -> dict[str, Decimal]:
    """Return an amount of each unit that was used."""
    return {row["SkuMeter"]: row[column] for row in rows}


def test_units_cost_what_the_list_and_the_contract_say(store: Store) -> None:
    """Each unit has its own list price and its contract's, whatever the rates of the others."""
    in_force(OWN % ("input_tokens", "1"))
    store.insert(both())
    rows = exported(store)
    assert by_unit(rows, "ListCost") == {"Input tokens": 2, "Output tokens": 6}
    assert by_unit(rows, "ContractedCost") == by_unit(rows, "EffectiveCost") == {"Input tokens": 1, "Output tokens": 6}
    assert by_unit(rows, "ListUnitPrice") == {"Input tokens": Decimal("2e-6"), "Output tokens": Decimal("6e-6")}
    assert by_unit(rows, "ContractedUnitPrice") == {"Input tokens": Decimal("1e-6"), "Output tokens": Decimal("6e-6")}


def test_a_part_that_the_contract_alone_prices(store: Store) -> None:
    """At list prices it costs what its whole does."""
    in_force(OWN % ("cache_read_tokens", "0.5"))
    store.insert(priced({"input_tokens": MILLION, "cache_read_tokens": MILLION // 4}, DAY, model="large"))
    rows = exported(store)
    assert by_unit(rows, "PricingQuantity") == {"Input tokens": 750_000, "Cache read tokens": 250_000}
    assert by_unit(rows, "ListCost") == {"Input tokens": Decimal("1.5"), "Cache read tokens": Decimal("0.5")}
    assert by_unit(rows, "ContractedCost") == {"Input tokens": Decimal("1.5"), "Cache read tokens": Decimal("0.125")}


@pytest.mark.long
def test_equal_sums_of_other_parts(store: Store) -> None:
    """A contract that takes from one unit what it adds to another has the list's sum, and not its parts."""
    in_force(OWN % ('output_tokens: {amount: "5", per: 1000000}, input_tokens', "3"))
    store.insert(both())
    rows = exported(store)
    assert by_unit(rows, "ListCost") == {"Input tokens": 2, "Output tokens": 6}
    assert by_unit(rows, "ContractedCost") == {"Input tokens": 3, "Output tokens": 5}


def test_prices_that_have_changed(store: Store) -> None:
    """What was recorded at other prices is split as the cost in effect is, and adds up to what was recorded."""
    in_force(OWN % ("input_tokens", "1"))
    store.insert(both())
    pricing.use(PriceBook((price_file.parse(PRICES.replace('"6"', '"7"'), "t.yaml"),), version="t"))
    rows = exported(store)
    assert by_unit(rows, "EffectiveCost") == by_unit(rows, "ContractedCost") == {"Input tokens": 1, "Output tokens": 6}
    assert by_unit(rows, "ListCost") == {
        "Input tokens": Decimal("1.142857142857"),
        "Output tokens": Decimal("6.857142857143"),
    }


def test_a_month_that_is_settled(store: Store) -> None:
    """A discount by volume is part of what the contract says of each unit, and not of the list."""
    in_force(BY_VOLUME)
    store.insert(both())
    settle(store.client, MONTH, now=OVER)
    rows = exported(store)
    assert by_unit(rows, "ListCost") == {"Input tokens": 2, "Output tokens": 6}
    # 6 dollars have a discount: half of the 4 above the first 2 is off.
    assert by_unit(rows, "ContractedCost") == by_unit(rows, "EffectiveCost") == {"Input tokens": 1, "Output tokens": 4}


@pytest.mark.long
def test_a_settled_reservation(store: Store) -> None:
    """What is paid is the hours; its calls keep their list price, unit by unit, and all adds up."""
    in_force(EURO, RESERVED)
    store.insert(reserved(DAY))
    settle(store.client, MONTH, now=OVER)
    rows = exported(store)
    used = [row for row in rows if row["CommitmentDiscountStatus"] == "Used"]
    assert by_unit(used, "ListCost") == by_unit(used, "ContractedCost") == {"Input tokens": 5, "Output tokens": 15}
    assert sum(row["EffectiveCost"] for row in used) == 5  # half of 8 euros at 1.25
    (bought,) = purchases(rows)
    assert (bought["BilledCost"], bought["PricingCurrencyListUnitPrice"]) == (10 * HOURS, 8 * HOURS)
    assert (bought["x_CostStatus"], bought["x_ContractId"]) == (None, "hourly")
    assert sum(row["BilledCost"] for row in rows) == sum(row["EffectiveCost"] for row in rows)


def purchases(rows: Sequence[Row]) -> list[Row]:
    """Return what was bought."""
    return [row for row in rows if row["ChargeCategory"] == "Purchase"]


@pytest.mark.long
def test_a_late_call_of_a_settled_hour(store: Store) -> None:
    """Changes nothing of what is paid for the hours; until it is settled too, the purchase is marked."""
    in_force(EURO, RESERVED)
    store.insert(reserved(DAY))
    settle(store.client, MONTH, now=OVER)
    store.insert(reserved(DAY + timedelta(minutes=30)))
    (bought,) = purchases(exported(store))
    assert (bought["BilledCost"], bought["PricingCurrencyListUnitPrice"]) == (10 * HOURS, 8 * HOURS)
    assert (bought["x_CostStatus"], bought["x_CostReason"]) == ("estimated", "reservation_not_settled")
    assert bought["ChargeDescription"] == "Reserved throughput ptu, not settled yet"
    settle(store.client, MONTH, now=OVER)
    rows = exported(store)
    (bought,) = purchases(rows)
    assert (bought["BilledCost"], bought["x_CostStatus"]) == (10 * HOURS, None)
    assert sum(row["BilledCost"] for row in rows) == sum(row["EffectiveCost"] for row in rows)


@pytest.mark.long
def test_hours_that_are_not_settled(store: Store) -> None:
    """What their calls cost so far is what is paid, as an estimate, beside the hours that are settled."""
    in_force(EURO, RESERVED)
    store.insert(reserved(DAY), reserved(DAY + timedelta(hours=2)))
    settle(store.client, MONTH, now=DAY + timedelta(hours=1))
    rows = exported(store)
    (bought,) = purchases(rows)
    hours = 9 * 24 + 1
    # The other call has the half of its hour that it used so far.
    assert bought["BilledCost"] == 10 * hours + 5
    assert bought["PricingCurrencyListUnitPrice"] == 8 * hours + 4
    assert bought["x_CostStatus"] == "estimated"
    assert sum(row["BilledCost"] for row in rows) == sum(row["EffectiveCost"] for row in rows)


@pytest.mark.long
def test_only_some_calls(store: Store) -> None:
    """Of a user's calls the purchase is what they cost: nobody's hours are the user's."""
    in_force(EURO, RESERVED)
    store.insert(reserved(DAY))
    settle(store.client, MONTH, now=OVER)
    (bought,) = purchases(exported(store, user="u1"))
    assert (bought["BilledCost"], bought["PricingCurrencyListUnitPrice"], bought["x_CostStatus"]) == (5, 4, None)


@pytest.mark.long
def test_a_time_that_ends_within_an_hour(store: Store) -> None:
    """Of an hour whose calls are only partly meant the purchase is what those cost, and what nobody used."""
    in_force(EURO, RESERVED)
    store.insert(reserved(DAY), reserved(DAY + timedelta(minutes=40)))
    settle(store.client, MONTH, now=OVER)
    rows = exported(store, since=DAY, until=DAY + timedelta(minutes=30))
    assert [row["BilledCost"] for row in purchases(rows)] == [5]
    assert sum(row["BilledCost"] for row in rows) == sum(row["EffectiveCost"] for row in rows)


@pytest.mark.long
def test_no_rate_of_exchange(store: Store) -> None:
    """Then all is in dollars, and no dollar is called a euro; hours without an amount in dollars are counted."""
    first = MONTH + timedelta(days=19)
    in_force(EURO.replace("2026-10-01", f"{first:%Y-%m-%d}"), RESERVED)
    store.insert(reserved(DAY))
    for _ in range(2):  # before it is settled, and after
        rows = exported(store, until=first)
        assert {row["PricingCurrency"] for row in rows} == {"USD"}
        (bought,) = purchases(rows)
        assert bought["BilledCost"] == bought["PricingCurrencyListUnitPrice"] == 20
        assert bought["x_CostStatus"] == "estimated"
        for row in rows:
            assert row["PricingCurrencyEffectiveCost"] == row["EffectiveCost"]
            assert row["PricingCurrencyListUnitPrice"] == row["ListUnitPrice"]
        settle(store.client, MONTH, now=OVER)
    euros, dollars = sorted(purchases(exported(store)), key=lambda row: str(row["PricingCurrency"]))
    known = HOURS - 19 * 24
    assert (euros["BilledCost"], euros["PricingCurrencyListUnitPrice"], euros["x_CostStatus"]) == (
        10 * known, 8 * known, None
    )  # fmt: skip
    assert (dollars["PricingCurrency"], dollars["BilledCost"]) == ("USD", 20)
    assert hours_without_rate(store.client, Selection()) == 19 * 24
    assert hours_without_rate(store.client, Selection(since=DAY, until=DAY + timedelta(days=1))) == 24
    assert hours_without_rate(store.client, Selection(user="u1")) == 0


def adjustments(rows: Sequence[Row]) -> list[Row]:
    """Return what is charged beside what was used and bought."""
    return [row for row in rows if row["ChargeCategory"] == "Adjustment"]


def test_what_is_missing_of_a_commitment(store: Store) -> None:
    """Is charged once, in the month in which it ends, to nobody; nothing is missing of what was used or goes on."""
    in_force(EURO, COMMITTED)
    store.insert(both())  # of 8 dollars, which are 6.40 euros
    assert adjustments(exported(store)) == [], "it is not settled"
    settle(store.client, MONTH, now=OVER)
    (row,) = adjustments(exported(store))
    assert {row[f"{name}Cost"] for name in ("Billed", "Contracted", "Effective", "List")} == {Decimal("17")}
    assert (row["PricingCurrency"], row["PricingCurrencyEffectiveCost"]) == ("EUR", Decimal("13.6"))
    assert (row["ProviderName"], row["x_ContractId"], row["Tags"]) == ("openai", "least", None)
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == (MONTH, OVER)
    assert row["CommitmentDiscountId"] is None
    assert "first" in row["ChargeDescription"]
    assert adjustments(exported(store, until=OVER - timedelta(hours=1))) == []
    assert adjustments(exported(store, since=MONTH, until=OVER)) == [row]
    assert adjustments(exported(store, user="u1")) == []


def test_a_commitment_without_a_rate_of_exchange(store: Store) -> None:
    """Is left out, and counted."""
    in_force(EURO.replace("2026-10-01", "2026-12-02"), COMMITTED)
    store.insert(both())
    settle(store.client, MONTH, now=OVER)
    assert adjustments(exported(store)) == []
    assert focus_commitments.without_rate(store.client, Selection()) == 2
