"""Parts of a report add up to the same, whatever arrives while they are read."""

from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from otel_costs.store import comparison, cost_parts, costs, rollups, selected_report, usage_report, user_report
from otel_costs.store.comparison import Side
from otel_costs.store.rows import Row, rows
from otel_costs.store.selection import Selection
from tests.queries.ledger import NOON, Store, call

BERLIN = ZoneInfo("Europe/Berlin")
MODULES: tuple[ModuleType, ...] = (costs, cost_parts, rollups, user_report)


@pytest.fixture
def busy(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store in which calls arrive before every question about costs: of now, and of long ago."""
    calls = [call(NOON - timedelta(hours=hours), cost="0.5", session="a", user="ada") for hours in range(4)]
    store.insert(*calls)
    store.count_costs()

    def asked(client: Any, sql: str, parameters: Any = None) -> list[Row]:
        times = [NOON - timedelta(hours=hours) for hours in (0, 2, 30)]
        store.insert(*(call(time, cost="0.25", session="a", user="ada") for time in times))
        return rows(client, sql, parameters)

    for module in MODULES:
        monkeypatch.setattr(module, "rows", asked)
    return store


every_selection = pytest.mark.parametrize(
    "selection",
    [
        pytest.param(Selection(tz=BERLIN), id="counted", marks=pytest.mark.long),
        pytest.param(Selection(scenario="", tz=BERLIN), id="of one dimension"),
        pytest.param(Selection(user="ada", tz=BERLIN), id="of the calls", marks=pytest.mark.long),
    ],
)


@pytest.mark.long
@every_selection
def test_a_report_adds_up_while_calls_arrive(busy: Store, selection: Selection) -> None:
    """By day, model, scenario and kind it is the same sum, and that is its total."""
    found = user_report.user_report(busy.client, selection, 10)
    assert found["summary"]["total_cost_usd"] > Decimal(2)
    for part in user_report.PARTS:
        assert sum(row["cost_usd"] for row in found[part]) == found["summary"]["total_cost_usd"], part
        assert sum(row["call_count"] for row in found[part]) == found["summary"]["calls"], part
    assert sum(row["cost_usd"] for row in found["summary"]["by_kind"].values()) == found["summary"]["total_cost_usd"]
    shown = selected_report.selected_report(busy.client, selection, 10)
    for part in ("days", "models", "scenarios"):
        assert sum(row["cost_usd"] for row in shown[part]) == shown["cost_usd"], part


@every_selection
def test_a_comparison_adds_up_while_calls_arrive(busy: Store, selection: Selection) -> None:
    """The groups of a side are its total."""
    found = comparison.compared(busy.client, Side("a", selection), Side("b", selection), "model")
    for side in ("a", "b"):
        groups = sum(row[f"{side}_usd"] for row in found["groups"])
        assert groups == found[side]["cost_usd"] == found["total"][f"{side}_usd"]


@pytest.mark.long
@every_selection
def test_usage_adds_up_while_calls_arrive(busy: Store, selection: Selection) -> None:
    """The hours of the week are the total."""
    found = usage_report.usage(busy.client, selection)
    assert sum(row["cost_usd"] for row in found["by_hour"]) == found["total"]["cost_usd"]
