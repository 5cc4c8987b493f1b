"""The FOCUS export: what it has of calls of every kind, and that it adds up as reports do."""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet
import pytest
import yaml

from otel_costs.chargeback import focus, focus_file, shared_costs
from otel_costs.chargeback.focus_columns import COLUMNS, COSTS
from otel_costs.store import costs
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection
from tests.queries.ledger import NOON, LogRow, Store, call
from tests.store.priced_calls import priced
from tests.support import environments
from tests.support.environments import Environment

from .support import allocation, spent_by_team

RULES: dict[str, Any] = {
    "tags": {
        "team": {
            "rules": [{"assign": "search", "service": "search"}, {"assign": "platform", "scenario": "evaluation"}],
            "shared": [{"value": "platform", "split": {"search": 2, "sales": 1}}],
        },
        "product": {"rules": [{"assign": "crm", "tag.team": "sales"}]},
    }
}


def of(row: LogRow, service: str) -> LogRow:
    """Return a record of another service."""
    return {**row, "ServiceName": service}


def records() -> list[LogRow]:
    """Return calls of every kind that a file can have."""
    unknown: dict[str, Any] = {"otel_costs.cost.reason": "unknown_model", "gen_ai.response.model": "gpt-99"}
    odd: dict[str, Any] = {"gen_ai.provider.name": "", "gen_ai.response.model": "=1+1"}
    sales: dict[str, Any] = {"otel_costs__tag__team": "sales"}
    evaluation: dict[str, Any] = {"otel_costs__scenario": "evaluation"}
    contract: dict[str, Any] = {
        "otel_costs__cost__list_usd": "2",
        "otel_costs__cost__contracted_usd": "1.5",
        "otel_costs__contract__amount": "1.35",
        "otel_costs__contract__currency": "EUR",
        "otel_costs__contract__id": "frame-2026",
    }
    return [
        of(priced({"input_tokens": 1001, "output_tokens": 333}), "search"),
        of(priced({"input_tokens": 7, "output_tokens": 0}, NOON + timedelta(minutes=1)), "search"),
        priced({"input_tokens": 3, "output_tokens": 1}, model="gpt-4o-mini", **sales),
        priced({"audio_seconds": 10}, model="whisper-1", gen_ai__operation__name="speech_to_text", **sales),
        priced({"input_tokens": 999, "output_tokens": 1}, NOON + timedelta(days=1), **evaluation),
        call(NOON, cost="0.000000000007", **evaluation),
        call(NOON, cost=None, **unknown),
        call(NOON, cost="1.5", lines={"input_tokens": "1.5"}, **contract),
        call(NOON, cost="0.25", **{**contract, "otel_costs.contract.reservation": "ptu-1"}),
        call(NOON, cost="0", session="", user="", **odd),
    ]  # fmt: skip


@pytest.fixture
def filled(store: Store) -> Store:
    """Fill a store with them."""
    store.insert(*records())
    store.client.command("truncate table contract_charges")
    store.client.command(
        "insert into contract_charges (* except (deleted)) select 'frame-2026', 'reservation', 'ptu-1', ['azure'],"
        " {hour:DateTime('UTC')}, {hour:DateTime('UTC')} + interval 1 hour, 'EUR', 12, 0.25, 11.75, 13.175, 12.925, 1,"
        " now64(6)",
        parameters={"hour": NOON},
    )
    return store


@pytest.fixture
def committed(filled: Store) -> Store:
    """Fill it with what is missing of a commitment, too."""
    filled.client.command(
        "insert into contract_charges (* except (deleted)) select 'frame-2026', 'commitment', 'least', ['azure'],"
        " {hour:DateTime('UTC')} - interval 1 day, {hour:DateTime('UTC')}, 'EUR', 50, 20, 30, 55, 33, 1, now64(6)",
        parameters={"hour": NOON},
    )
    return filled


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    """Return all calls, under rules."""
    return Selection(allocation=allocation(tmp_path, RULES))


def read(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return rows as they are read from the CSV."""
    text = b"".join(focus_file.as_csv(rows)).decode()
    return list(csv.DictReader(io.StringIO(text)))


SPECIFICATION = yaml.safe_load((Path(__file__).parents[1] / "data" / "focus-1.2.yaml").read_text(encoding="utf-8"))
"""The columns as the specification defines them."""


def test_columns_of_the_specification() -> None:
    """All that are mandatory are there, each has the type that it is to have, and ours are told by their names."""
    mandatory = {name for name, column in SPECIFICATION.items() if column["level"] == "Mandatory"}
    assert mandatory <= COLUMNS.keys()
    for name, kind in COLUMNS.items():
        assert name.startswith("x_") or SPECIFICATION[name]["type"] == kind, name


def test_rows_hold_to_the_specification(committed: Store, selection: Selection) -> None:
    """Every value has its type and is allowed, null is where it may be, and quantity times price is the cost."""
    rows = read(list(focus.rows(committed.client, selection)))
    assert {row["ChargeFrequency"] for row in rows} == {"Usage-Based", "Recurring", "One-Time"}
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Purchase", "Adjustment"}
    for row in rows:
        for name, column in SPECIFICATION.items():
            if row.get(name, "") == "":
                assert column["nulls"] or name not in COLUMNS, name
            else:
                _has_type(row[name], column["type"])
                assert row[name] in column.get("values", [row[name]]), name
        _is_whole(row)


def _has_type(text: str, kind: str) -> None:
    if kind == "Decimal":
        assert re.fullmatch(r"-?[0-9]+\.[0-9]+", text)
    elif kind == "Date/Time":
        assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    elif kind == "JSON":
        assert all(isinstance(value, str) for value in json.loads(text).values())


def _is_whole(row: Mapping[str, str]) -> None:
    """Hold a row to what the specification says of several columns together."""
    is_usage, is_bought = row["ChargeCategory"] == "Usage", row["ChargeCategory"] != "Adjustment"
    for name in ("SkuId", "SkuPriceId", "ListUnitPrice", "ContractedUnitPrice", "PricingCategory", "PricingQuantity"):
        assert (row[name] != "") == is_bought, name
    assert (row["ConsumedQuantity"] != "") == (is_usage and row["CommitmentDiscountStatus"] != "Unused")
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        assert (row[quantity] != "") == (row[unit] != "")
    if is_bought:
        for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
            assert Decimal(row[price]) >= 0
            assert round(Decimal(row[price]) * Decimal(row["PricingQuantity"]), 12) == Decimal(row[cost])
    discount = ("Id", "Name", "Category", "Type", "Quantity", "Unit")
    assert len({row[f"CommitmentDiscount{name}"] != "" for name in discount}) == 1
    assert (row["CommitmentDiscountStatus"] != "") == (row["CommitmentDiscountId"] != "" and is_usage)
    assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
    assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["BillingPeriodEnd"]


def test_sums_are_those_of_reports(filled: Store, selection: Selection) -> None:
    """In all, by team with what is shared, by model, service, scenario, kind and tag, to the last digit."""
    rows = list(focus.rows(filled.client, selection))
    listed = costs.total(filled.client, selection)
    assert sum(row["EffectiveCost"] for row in rows) == sum(row["BilledCost"] for row in rows)
    rows = [row for row in rows if row["CommitmentDiscountStatus"] != "Unused"]
    assert sum(row["EffectiveCost"] for row in rows) == listed["cost_usd"]
    assert sum(row["ListCost"] for row in rows if row["ChargeCategory"] == "Usage") == listed["list_usd"]
    assert sum(row["x_UnpricedCallCount"] or 0 for row in rows) == listed["unpriced_calls"] == 1
    teams = shared_costs.report(filled.client, selection, ("tag.team",), 100)["costs"]
    assert spent_by_team(rows) == {row["tag.team"]: row["total_usd"] for row in teams}
    for name, column in {"model": "x_Model", "operation": "x_Operation", "provider": "ProviderName"}.items():
        found = costs.costs(filled.client, selection, (name,))
        assert _by(rows, column) == {
            ("unknown" if name == "provider" and not row[name] else row[name]): row["cost_usd"] for row in found
        } | ({} if name == "provider" else {"": Decimal(0)})
    used = [row for row in rows if row["ChargeCategory"] == "Usage"]
    for name, column in {"service": "x_Service", "scenario": "x_Scenario", "kind": "x_SessionKind"}.items():
        found = costs.costs(filled.client, selection, (name,))
        assert _by(used, column) == {row[name]: row["cost_usd"] for row in found}


def _by(rows: Sequence[Row], column: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row[column] or ""] += row["EffectiveCost"]
    return dict(found)


def test_what_is_not_priced_is_said(filled: Store, selection: Selection) -> None:
    """The amounts cannot be null: the row says that they are not known, and counts the calls."""
    (row,) = [row for row in focus.rows(filled.client, selection) if row["x_CostStatus"] == "unpriced"]
    assert [row[name] for name in COSTS] == [0] * 4
    assert (row["x_UnpricedCallCount"], row["PricingQuantity"], row["PricingUnit"]) == (1, 1, "Requests")
    assert row["ChargeDescription"] == "gpt-99, chat: not priced (unknown_model), the cost is not known and not 0"


def test_quantities_are_what_was_used(filled: Store, selection: Selection) -> None:
    """Alike calls of a day are one row for each unit; a tag of a call's own is told from one of a rule."""
    rows = [row for row in focus.rows(filled.client, selection) if row["x_Service"] == "search"]
    assert {row["SkuMeter"]: (row["PricingQuantity"], row["PricingUnit"], row["EffectiveCost"]) for row in rows} == {
        "Input tokens": (1008, "Tokens", Decimal("0.00252")),
        "Output tokens": (333, "Tokens", Decimal("0.00333")),
    }
    assert {row["ListUnitPrice"] for row in rows} == {Decimal("0.0000025"), Decimal("0.00001")}
    assert {(row["Tags"], row["x_TagSource"]) for row in rows} == {('{"team": "search"}', '{"team": "rule"}')}
    (sales,) = [row for row in focus.rows(filled.client, selection) if row["x_Model"] == "whisper-1"]
    assert json.loads(sales["Tags"]) == {"team": "sales", "product": "crm"}
    assert json.loads(sales["x_TagSource"]) == {"team": "tag", "product": "rule"}
    assert (sales["PricingQuantity"], sales["PricingUnit"]) == (10, "Seconds")
    assert sales["ServiceSubcategory"] == "Natural Language Processing"


def test_contracts(filled: Store, selection: Selection) -> None:
    """List price, contract, effect and the contract's currency; what was reserved is billed by its purchase, once."""
    rows = [row for row in focus.rows(filled.client, selection) if row["PricingCurrency"] == "EUR"]
    unused, plain, reserved, bought = sorted(rows, key=lambda row: -row["EffectiveCost"])
    assert (unused["EffectiveCost"], unused["PricingCurrencyEffectiveCost"]) == (Decimal("12.925"), Decimal("11.75"))
    assert [plain[name] for name in ("ListCost", "ContractedCost", "EffectiveCost", "BilledCost")] == [
        Decimal(2), Decimal("1.5"), Decimal("1.5"), Decimal("1.5")
    ]  # fmt: skip
    assert plain["PricingCurrencyEffectiveCost"] == Decimal("1.35")
    assert plain["PricingCurrencyListUnitPrice"] == Decimal("1.8")
    assert (plain["x_ContractId"], plain["PricingCategory"]) == ("frame-2026", "Standard")
    assert (reserved["BilledCost"], reserved["EffectiveCost"], reserved["PricingCategory"]) == (
        0, Decimal("0.25"), "Committed"
    )  # fmt: skip
    assert (bought["BilledCost"], bought["EffectiveCost"]) == (Decimal("13.175"), 0)
    assert reserved["CommitmentDiscountId"] == bought["CommitmentDiscountId"] == "ptu-1"


def test_days_and_months_of_a_zone(store: Store) -> None:
    """A charge is of its day, and billed in its month, of the zone that is asked in, told in UTC."""
    ended = NOON.replace(hour=22, minute=30)
    store.insert(call(ended, cost="1"))
    berlin = ZoneInfo("Europe/Berlin")
    (row,) = focus.rows(store.client, Selection(tz=berlin), account="cost-center 7")
    day = ended.astimezone(berlin).replace(hour=0, minute=0, second=0, microsecond=0)
    assert row["ChargePeriodStart"] == day.astimezone(UTC)
    assert row["ChargePeriodEnd"] == (day + timedelta(days=1)).astimezone(UTC)
    assert row["BillingPeriodStart"] == day.replace(day=1).astimezone(UTC)
    assert row["BillingAccountId"] == "cost-center 7"


def test_parquet_says_the_same(filled: Store, selection: Selection) -> None:
    """With decimals, times and texts as types."""
    rows = list(focus.rows(filled.client, selection))
    table = pyarrow.parquet.read_table(io.BytesIO(b"".join(focus_file.as_parquet(rows))))
    assert table.column_names == list(COLUMNS)
    for found, row in zip(table.to_pylist(), rows, strict=True):
        for name in (*COSTS, "ChargePeriodStart", "Tags", "ChargeClass", "x_Model"):
            assert found[name] == row[name], name


VALIDATOR = Environment("focus_validator", "3.12", ("focus-validator>=2.2.1,<2.3", "pyarrow>=20,<24"), free=None)
"""The specification's own validator, which needs a newer Python than we do, and other versions of what we use."""

CRITERIA = (
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED", "COMMITMENT_DISCOUNT_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED",
    "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED", "TAGGING_SUPPORTED", "UNIT_PRICING_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED",
)  # fmt: skip

CONTRADICTED = {
    # "MUST NOT be null when CommitmentDiscountId is not null": the validator asks it where the id is null.
    "CommitmentDiscountStatus-C-000-C", "CommitmentDiscountStatus-C-002-C", "CommitmentDiscountStatus-C-004-C",
    # "MUST NOT be null when the charge is associated with an invoice": the validator asks it always.
    "InvoiceId-C-005-C",
}  # fmt: skip
"""Rules whose check is not what their own text says."""

_VALIDATE = """
import os, sys
from importlib.util import find_spec
folder = sys.argv.pop(1)
os.symlink(find_spec("focus_validator").submodule_search_locations[0], f"{folder}/focus_validator")
os.chdir(folder)  # it opens files of its own beside it, and writes a log
from focus_validator.main import main
main()
"""


@pytest.mark.long
def test_validated_by_the_specifications_validator(committed: Store, selection: Selection, tmp_path: Path) -> None:
    """Of all rules for what we support only those fail whose check contradicts their text, in CSV and in Parquet."""
    rows = list(focus.rows(committed.client, selection))
    for name, content in (("focus.csv", focus_file.as_csv(rows)), ("focus.parquet", focus_file.as_parquet(rows))):
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        (folder / name).write_bytes(b"".join(content))
        asked = ("--data-file", name, "--applicability-criteria", ",".join(CRITERIA), "--block-download")
        version = ("--validate-version", "1.2.0.1", "--focus-dataset", "CostAndUsage")
        ended, said = environments.run(VALIDATOR, "-c", _VALIDATE, str(folder), *version, *asked)
        if ended == "skipped":
            pytest.skip(said)
        results = dict(re.findall(r"^\S+ (\S+): (PASS|FAIL)\b", said, re.MULTILINE))
        assert {rule for rule, result in results.items() if result == "FAIL"} == CONTRADICTED, said[-3000:]
        assert sum(result == "PASS" for result in results.values()) > 250
        assert (folder / "focus_validator_detailed.log").exists()
