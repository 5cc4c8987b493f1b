"""Costs that were computed by hand, each checked to the last digit."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_costs.pricing import Cost, price
from otel_costs.pricing.price_book import PriceBook, builtin, with_file
from otel_costs.usage.units import DIMENSIONS

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "golden_costs.json").read_text())
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str | None, PriceBook]:
    """The golden file's price books, written as price files of ours, over the built-in prices."""
    folder = tmp_path_factory.mktemp("prices")
    books: dict[str | None, PriceBook] = {None: builtin()}
    for name, golden in GOLDEN["price_books"].items():
        path = folder / f"{name}.yaml"
        content = {"version": f"{name}-1", "currency": golden["currency"], "prices": prices_of(name, golden)}
        path.write_text(yaml.dump(content, default_style='"', Dumper=_Dumper))
        books[name] = with_file(str(path))
    return books


class _Dumper(yaml.SafeDumper):
    """Write numbers of units plainly; everything else, prices above all, stands in quotes."""

    def represent_int(self, data: int) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:int", str(data), style="")


_Dumper.add_representer(int, _Dumper.represent_int)


def prices_of(book: str, golden: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_price_of(entry, book) for entry in golden["entries"]]


def _price_of(entry: Mapping[str, Any], book: str) -> dict[str, Any]:
    provider, _, model = entry["id"].rpartition(":")
    converted: dict[str, Any] = {
        "provider": provider or _provider_of(model, book),
        "match": {"deployment" if "alias_of" in entry else "model": model},
        "rates": {unit: {"usd": usd, "per": per} for unit, (usd, per) in entry.get("rates", {}).items()},
    }
    base = entry.get("base") or entry.get("alias_of")
    if base:
        provider, _, model = base.partition(":")
        converted["base"] = {"provider": provider, "model": model}
    renamed = {"multiplier": "multiplier", "effective_from": "from", "effective_to": "to"}
    return converted | {ours: entry[theirs] for theirs, ours in renamed.items() if theirs in entry}


@cache
def _provider_of(model: str, book: str) -> str:
    (provider,) = {
        case["provider"] for case in GOLDEN["cases"] if (case["model"], case.get("price_book")) == (model, book)
    }
    return str(provider)


def priced(case: Mapping[str, Any], books: Mapping[str | None, PriceBook]) -> list[Cost]:
    at = datetime.fromisoformat(case["timestamp"]) if "timestamp" in case else NOON
    return [
        price(
            usage,
            provider=case["provider"],
            model=case["model"],
            at=at,
            service_tier=case.get("service_tier"),
            processing=case.get("processing"),
            prices=books[case.get("price_book")],
        )
        for usage in case["usage"].get("turns", [case["usage"]])
    ]


def direction(unit: str) -> str:
    return next((way for way in ("input", "output") if way in DIMENSIONS[unit]), "other")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["id"])
def test_cost_is_exact(case: Mapping[str, Any], books: Mapping[str | None, PriceBook]) -> None:
    """Every line, the sums by direction and the total are those that were computed by hand."""
    costs = priced(case, books)
    lines = [line for cost in costs for line in cost.lines]
    expected = case["expected"]

    assert Counter((line.unit, line.quantity, line.rate, line.per, line.amount) for line in lines) == Counter(
        (line["unit"], Decimal(line["quantity"]), Decimal(line["rate"]), line["per"], Decimal(line["amount"]))
        for line in case["breakdown"]
    )
    assert [cost.total for cost in costs] == [sum((line.amount for line in cost.lines), Decimal(0)) for cost in costs]
    assert sum((cost.total or Decimal(0) for cost in costs), Decimal(0)) == Decimal(expected["total"])
    for way in ("input", "output", "other"):
        amounts = [line.amount for line in lines if direction(line.unit) == way]
        assert sum(amounts, Decimal(0)) == Decimal(expected[way]), way
    assert {(cost.status, cost.reason) for cost in costs} == {(expected["status"], None)}
    assert {cost.currency for cost in costs} == {expected["currency"]}
    assert {line.multiplier for line in lines} == {Decimal(case.get("multiplier", 1))}


@pytest.mark.parametrize("case", GOLDEN["policy_cases"], ids=lambda case: case["id"])
def test_what_is_not_priced_is_said(case: Mapping[str, Any], books: Mapping[str | None, PriceBook]) -> None:
    """An unknown model, unit or tier gives the status, reason and total that were agreed, never a silent zero."""
    (cost,) = priced(case, books)
    expected = case["expected"]

    assert cost.total == (None if expected["total"] is None else Decimal(expected["total"]))
    assert (cost.status, cost.reason) == (expected["status"], expected["reason"])
    if "unpriced_units" in expected:
        assert list(cost.unpriced_units) == expected["unpriced_units"]


def test_all_cases_are_run() -> None:
    """The golden file has the cases that it had: a file that was cut short would pass unseen."""
    assert (len(GOLDEN["cases"]), len(GOLDEN["policy_cases"])) == (28, 4)
