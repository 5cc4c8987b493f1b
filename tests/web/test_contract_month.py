"""A month of three teams by hand: equal in the answer to each call, in SQL, in the API, in reports and in commands."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import otel_costs
from otel_costs import pricing
from otel_costs.local import Stack
from otel_costs.store.connection import connect
from otel_costs.store.reprice import Chosen, reprice, settle
from otel_costs.store.rows import Row, rows
from tests.cli.support import run
from tests.support import contract_month as month
from tests.support.contract_month import EXPECTED, Expected

from .support import asked, got, sent, served

PERIOD: dict[str, Any] = {"from_": "2026-11-01", "to": "2026-12-01"}


@pytest.fixture(scope="module")
def app(emptied_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the API by the prices of the month; give its address."""
    file = tmp_path_factory.mktemp("prices") / "month.yaml"
    file.write_text(month.PRICES)
    pricing.use(pricing.load(str(file)))
    dsn = emptied_stack.http_url
    with served(otel_costs.web.app(dsn=dsn, writer_dsn=dsn, write=lambda request: True)) as url:
        yield f"{url}/api/v1"
    pricing.use(None)


@pytest.fixture(scope="module")
def answers(app: str) -> list[Any]:
    """Tell of the calls of the month, and return what was answered."""
    answer = sent(f"{app}/calls", list(month.CALLS))
    assert answer.status == 200, answer.text
    calls: list[Any] = json.loads(answer.text)["calls"]
    return calls


@pytest.fixture(scope="module")
def settled(emptied_stack: Stack, answers: list[Any]) -> list[Row]:
    """Return the calls once the month is settled, in the order of their ends."""
    with connect(emptied_stack.http_url) as client:
        result = settle(client, month.MONTH, now=month.SETTLED_AT)
        assert result.checked == len(EXPECTED)
        return rows(client, "select * from billed_calls order by end_time, call_id")


def in_order() -> list[Expected]:
    return sorted(EXPECTED, key=lambda call: call.at)


def exact(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def test_what_is_known_at_the_call(answers: list[Any]) -> None:
    """Flat discounts, rates and zones at once; what a month decides is an estimate."""
    for answer, call in zip(answers, EXPECTED, strict=True):
        assert (answer["status"], answer["list_usd"]) == (call.at_first, plain(call.list_usd))
        assert answer["cost_usd"] == plain(call.at_first_usd or call.cost_usd)
        assert answer["contract_id"] == call.contract_id
        assert answer["contract_currency"] == call.contract_currency
        if call.at_first == "priced":
            assert answer["contract_amount"] == plain(call.contract_amount)


def plain(amount: str | None) -> str | None:
    """Write an amount as the API does."""
    return None if amount is None else f"{Decimal(amount):.6f}"


def test_every_call_in_sql(settled: list[Row]) -> None:
    """Exact, priced, and its lines add up to it."""
    for row, call in zip(settled, in_order(), strict=True):
        assert row["cost_usd"] == Decimal(call.cost_usd), call
        assert row["list_usd"] == Decimal(call.list_usd), call
        assert row["contracted_usd"] == Decimal(call.contracted_usd or call.cost_usd), call
        assert row["contract_amount"] == exact(call.contract_amount), call
        said = (row["contract_id"], row["contract_currency"], row["reservation_id"])
        assert said == (call.contract_id, call.contract_currency, call.reservation_id)
        assert (row["cost_status"], row["cost_reason"], row["itemized"]) == ("priced", "", True)
        assert sum(row["cost_lines"].values()) == row["cost_usd"]


def test_by_team_in_the_api(app: str, settled: list[Row]) -> None:
    """Also in rollups, which list costs are in, too."""
    found = got(f"{app}/costs", by="tag.team", **PERIOD)
    assert {row["tag.team"]: Decimal(row["cost_usd"]) for row in found["costs"]} == month.COST_BY_TEAM
    assert {row["tag.team"]: Decimal(row["list_usd"]) for row in found["costs"]} == month.LIST_BY_TEAM
    assert (Decimal(found["total"]["cost_usd"]), Decimal(found["total"]["list_usd"])) == (
        month.COST_USD,
        month.LIST_USD,
    )
    days = got(f"{app}/costs", by="day", **PERIOD)["costs"]
    assert sum(Decimal(row["list_usd"]) for row in days) == month.LIST_USD


def test_in_the_report(emptied_stack: Stack, settled: list[Row]) -> None:
    """By the command, as CSV."""
    result = run("report", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "csv", url=emptied_stack.http_url)
    assert result.exit_code == 0, result.output
    total = [row for row in csv.DictReader(io.StringIO(result.output)) if row["by"] == "day"]
    assert sum(Decimal(row["cost_usd"]) for row in total) == month.COST_USD


def test_a_call_in_the_api(app: str, settled: list[Row]) -> None:
    """With its contract, and the revision before."""
    row = next(row for row in settled if row["reservation_id"] and row["user_id"].startswith("support"))
    call = got(f"{app}/calls/{row['call_id']}")
    assert (call["cost_usd"], call["list_usd"], call["contract_amount"]) == ("3.960000", "1.500000", "3.600000")
    assert (call["contract_currency"], call["reservation_id"], call["revision"]) == ("EUR", "ptu", 1)


def test_what_nobody_used(emptied_stack: Stack, settled: list[Row]) -> None:
    """The hours of the reservation, and what is missing of the commitment."""
    with connect(emptied_stack.http_url) as client:
        hours = rows(client, "select * from contract_balances where kind = 'reservation' order by period_start")
        (commitment,) = rows(client, "select * from contract_balances where kind = 'commitment'")
    found = [
        (f"{row['period_start']:%Y-%m-%dT%H:%M:%S}", row["used_amount"], row["unused_amount"], row["unused_usd"])
        for row in hours
    ]
    assert found == list(month.HOURS)
    assert sum(row["unused_usd"] for row in hours) == month.UNUSED_RESERVATION_USD
    assert (commitment["amount"], commitment["used_amount"], commitment["unused_amount"]) == month.COMMITTED
    assert (commitment["contract_id"], commitment["name"], commitment["call_count"]) == ("openai-2026", "november", 4)


def test_contracts_in_the_api(app: str, settled: list[Row]) -> None:
    """What each contract's calls cost, in its currency, what was reserved, and what is left of the commitment."""
    found = {row["contract_id"]: row for row in got(f"{app}/contracts", **PERIOD)["contracts"]}
    amounts = {name: (row["currency"], Decimal(row["contract_amount"])) for name, row in found.items()}
    assert amounts == month.AMOUNTS
    assert {row["unsettled_calls"] for row in found.values()} == {0}
    (hours,) = found["azure-2026"]["reservations"]
    assert (hours["hours"], hours["unsettled_hours"], hours["call_count"]) == (3, 0, 3)
    assert (Decimal(hours["used_amount"]), Decimal(hours["unused_amount"])) == (Decimal(15), Decimal(21))
    assert Decimal(hours["unused_usd"]) == month.UNUSED_RESERVATION_USD
    (commitment,) = found["openai-2026"]["commitments"]
    told = tuple(Decimal(commitment[name]) for name in ("amount", "used_amount", "left_amount"))
    assert (told, commitment["used"]) == (month.COMMITTED, 0.468)


def test_contracts_by_the_command(emptied_stack: Stack, app: str, settled: list[Row], tmp_path: Path) -> None:
    """The same as a table and as CSV."""
    file = tmp_path / "month.yaml"
    file.write_text(month.PRICES)
    given = ["contracts", "--from", "2026-11-01", "--to", "2026-12-01", "--prices", str(file)]
    result = run(*given, "--format", "csv", url=emptied_stack.http_url)
    assert result.exit_code == 0, result.output
    listed = list(csv.DictReader(io.StringIO(result.output)))
    amounts = {row["contract_id"]: Decimal(row["contract_amount"]) for row in listed if row["kind"] == "contract"}
    assert amounts == {name: amount for name, (_, amount) in month.AMOUNTS.items()}
    (missing,) = (Decimal(row["left_amount"]) for row in listed if row["kind"] == "commitment")
    assert missing == month.COMMITTED[2]
    table = run(*given, url=emptied_stack.http_url)
    assert table.exit_code == 0, table.output
    for said in ("openai-2026/november", "azure-2026/ptu", "EUR 21.00", "$234.00", "47%"):
        assert said in table.output, table.output


def test_contracts_as_csv(app: str, emptied_stack: Stack, settled: list[Row], tmp_path: Path) -> None:
    """The API has the very rows of the command: one per contract, reservation and commitment."""
    file = tmp_path / "month.yaml"
    file.write_text(month.PRICES)
    given = ["contracts", "--from", "2026-11-01", "--to", "2026-12-01", "--prices", str(file), "--format", "csv"]
    result = run(*given, url=emptied_stack.http_url)
    assert result.exit_code == 0, result.output
    text = asked(f"{app}/contracts", format="csv", **PERIOD).text
    listed = list(csv.DictReader(io.StringIO(text)))
    assert [row["kind"] for row in listed] == ["contract", "reservation", "contract", "contract", "commitment"]
    # A projection goes by the moment that is asked.
    by_moment = ("projected_amount", "missing_amount")
    for row, same in zip(listed, csv.DictReader(io.StringIO(result.output)), strict=True):
        assert {k: v for k, v in row.items() if k not in by_moment} == {
            k: v for k, v in same.items() if k not in by_moment
        }


def test_what_if_knows_the_contracts(app: str, settled: list[Row]) -> None:
    """With the very model the cost is the recorded one, settled; another model has its own price by the contract."""
    asked = f"{app}/what-if?from=2026-11-01&to=2026-12-01"
    answer = sent(asked, {"alternatives": [{"model": None}, {"model": "house-small", "provider": "openai"}]})
    assert answer.status == 200, answer.text
    same, small = json.loads(answer.text)["alternatives"]
    assert Decimal(same["cost_usd"]) == month.COST_USD
    assert (same["estimated_calls"], same["differences"]) == (0, [])
    # All as house-small, at 9 and 27 dollars a million: 24.15 millions in, and 1.025 answered. What was reserved is
    # paid all the same: 9.24 + 3.96 + 3.30.
    assert Decimal(small["cost_usd"]) == Decimal("245.025")
    assert Decimal(small["reserved_usd"]) == Decimal("16.5")
    assert Decimal(same["reserved_usd"]) == 0
    recorded = json.loads(answer.text)["recorded"]
    assert (recorded["call_count"], recorded["other_price_calls"]) == (len(EXPECTED), 0)


def test_settled_stays_settled(emptied_stack: Stack, settled: list[Row]) -> None:
    """A plain re-price changes nothing, and settling again does not either."""
    with connect(emptied_stack.http_url) as client:
        assert not reprice(client, Chosen()).sums
        assert not settle(client, month.MONTH, now=month.SETTLED_AT).sums


def test_price_file(tmp_path: Path) -> None:
    """`prices check` has nothing to say of it."""
    file = tmp_path / "month.yaml"
    file.write_text(month.PRICES)
    result = run("prices", "check", str(file))
    assert result.exit_code == 0, result.output


def test_in_statements(app: str, emptied_stack: Stack, settled: list[Row]) -> None:
    """What each team pays, by model too; the same by the command."""
    found = got(f"{app}/statements", month="2026-11")
    assert {one["value"]: Decimal(one["total_usd"]) for one in found["statements"]} == month.COST_BY_TEAM
    assert {one["value"]: Decimal(one["list_usd"]) for one in found["statements"]} == month.LIST_BY_TEAM
    for one in found["statements"]:
        assert sum(Decimal(row["total_usd"]) for row in one["by_model"]) == Decimal(one["total_usd"])
    said = run("statement", "--month", "2026-11", "--format", "csv", url=emptied_stack.http_url)
    listed = [row for row in csv.DictReader(io.StringIO(said.stdout)) if row["part"] == "total"]
    assert {row["value"]: Decimal(row["total_usd"]) for row in listed} == month.COST_BY_TEAM


def test_in_focus(emptied_stack: Stack, settled: list[Row]) -> None:
    """Effective and list cost of each team, and what contracts come to in their own currency."""
    said = run("export", "--format", "focus", "--range", "2026-11", url=emptied_stack.http_url)
    assert said.exit_code == 0, said.stderr
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    used = [row for row in rows if row["ChargeCategory"] == "Usage" and row["CommitmentDiscountStatus"] != "Unused"]
    for column, expected in (("EffectiveCost", month.COST_BY_TEAM), ("ListCost", month.LIST_BY_TEAM)):
        found: dict[str, Decimal] = {}
        for row in used:
            team = json.loads(row["Tags"])["team"]
            found[team] = found.get(team, Decimal()) + Decimal(row[column])
        assert found == expected
    amounts: dict[str, tuple[str, Decimal]] = {}
    for row in used:
        if row["x_ContractId"]:
            before = amounts.get(row["x_ContractId"], ("", Decimal()))[1]
            amount = before + Decimal(row["PricingCurrencyEffectiveCost"])
            amounts[row["x_ContractId"]] = (row["PricingCurrency"], amount)
    assert amounts == month.AMOUNTS
    unused = [row for row in rows if row["CommitmentDiscountStatus"] == "Unused"]
    assert sum(Decimal(row["EffectiveCost"]) for row in unused) == month.UNUSED_RESERVATION_USD
    assert all(row["Tags"] == row["ConsumedQuantity"] == "" for row in unused)
    (bought,) = [row for row in rows if row["ChargeCategory"] == "Purchase"]
    paid = Decimal(36) * Decimal("1.1")  # three hours of 12 euros
    assert (Decimal(bought["BilledCost"]), Decimal(bought["EffectiveCost"])) == (paid, Decimal(0))
    billed, effective = (sum(Decimal(row[column]) for row in rows) for column in ("BilledCost", "EffectiveCost"))
    (missing,) = [row for row in rows if row["ChargeCategory"] == "Adjustment"]
    assert (missing["PricingCurrency"], Decimal(missing["PricingCurrencyEffectiveCost"])) == ("USD", month.COMMITTED[2])
    assert billed == effective == month.COST_USD + month.UNUSED_RESERVATION_USD + month.COMMITTED[2]
