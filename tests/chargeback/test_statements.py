"""Monthly statements: own, shared and total of each team, by model and service, all adding up to the report."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from otel_costs.chargeback import shared_costs, statement_page, statements
from otel_costs.store import budgets
from otel_costs.store.budgets import Terms
from otel_costs.store.rendering import money
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection
from tests.queries.ledger import Store

from .support import Call, allocation
from .test_shared_costs import FIRST, RULES, at

MONTH = f"{FIRST:%Y-%m}"


@pytest.fixture
def filled(store: Store) -> Store:
    """Fill a store with a month of three teams, a platform that is shared, and a call of the next month."""
    calls = [
        Call(at(1), Decimal(3), tags={"team": "sales"}, model="gpt-4o-mini"),
        Call(at(2), Decimal(1), service="search"),
        Call(at(3), Decimal("0.5"), service="indexer"),
        Call(at(4), Decimal("2.000000000001"), scenario="evaluation"),
        Call(at(5), Decimal("0.1"), scenario="evaluation", model="gpt-4o-mini", service="bot"),
        Call(at(6), None, service="else"),
        Call(at(7), Decimal("0.25"), tags={"team": "<b>&"}),
        Call(at(33), Decimal(100), tags={"team": "sales"}),
    ]
    store.insert(*(one.record() for one in calls))
    return store


def made(store: Store, tmp_path: Path, tz: str = "UTC") -> Row:
    """Return the statements of the month."""
    selection = Selection(tz=ZoneInfo(tz), allocation=allocation(tmp_path, RULES))
    return statements.statements(store.client, selection, MONTH, "tag.team")


def test_statements_are_the_report(filled: Store, tmp_path: Path) -> None:
    """Each value has the amounts of the report by the tag; its parts by model and by service add up to them."""
    budgets.put(filled.client, "tag", "team=sales", "month", Terms(Decimal(4)))
    found = made(filled, tmp_path)
    selection = Selection(since=found["since"], until=found["until"], allocation=allocation(tmp_path, RULES))
    report = shared_costs.report(filled.client, selection, ("tag.team",), 100)
    columns = ("cost_usd", "shared_usd", "total_usd", "call_count", "unpriced_calls")
    assert {one["value"]: [one[name] for name in columns] for one in found["statements"]} == {
        row["tag.team"]: [row[name] for name in columns] for row in report["costs"]
    }
    assert {name: found["total"][name] for name in columns} == {name: report["total"][name] for name in columns}
    for one in found["statements"]:
        for part in ("by_model", "by_service"):
            for name in columns:
                assert sum(row[name] for row in one[part]) == one[name], (one["value"], part, name)
    assert [one["value"] for one in found["statements"]] == ["sales", "search", "<b>&", "platform", ""]
    sales = found["statements"][0]
    assert sales["limit_usd"] == 4
    (part,) = sales["shared_from"]
    assert (part["value"], part["shared_usd"]) == ("platform", sales["shared_usd"])
    assert {row["model"] for row in sales["by_model"]} == {"gpt-4o", "gpt-4o-mini"}
    nobody = found["statements"][-1]
    assert nobody["not_priced"] == [{"cost_status": "unpriced", "cost_reason": "", "call_count": 1}]
    assert nobody["limit_usd"] is None


def test_rows_of_one_table(filled: Store, tmp_path: Path) -> None:
    """Rows of each part add up to the total of all."""
    found = made(filled, tmp_path)
    listed = list(statements.statement_rows(found))
    for part in ("total", "model", "service"):
        rows = [row for row in listed if row["part"] == part]
        assert sum(row["total_usd"] for row in rows) == found["total"]["total_usd"]
    assert {row["part"] for row in listed} == {"total", "model", "service", "shared_from", "not_priced"}
    assert all(set(row) <= set(statements.COLUMNS) for row in listed)


def test_the_month_is_that_of_the_zone(filled: Store, tmp_path: Path) -> None:
    """It begins and ends there at midnight, and the zone is said."""
    found = made(filled, tmp_path, "Asia/Tokyo")
    assert found["since"] == (FIRST - timedelta(hours=9)).astimezone(UTC)
    assert found["tz"] == "Asia/Tokyo"


def test_without_rules(filled: Store) -> None:
    """Tags alone make statements, too, and what has none has one."""
    found = statements.statements(filled.client, Selection(), MONTH, "tag.team")
    assert {one["value"]: one["total_usd"] for one in found["statements"]} == {
        "sales": 3, "<b>&": Decimal("0.25"), "": Decimal("3.600000000001")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("of_month", "by", "said"),
    [
        ("2026", "tag.team", "no month"),
        ("2026-13", "tag.team", "no month"),
        ("9999-12", "tag.team", "no month"),
        ("0001-01", "tag.team", "no month"),
        (MONTH, "model", "no tag"),
        (MONTH, "tag.", "no tag"),
    ],
)
def test_what_is_none(filled: Store, of_month: str, by: str, said: str) -> None:
    """A month and a tag that are none are told."""
    with pytest.raises(ValueError, match=said):
        statements.statements(filled.client, Selection(), of_month, by)


def test_the_month_before() -> None:
    """By default it is the last month that is over, in the zone."""
    now = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert statements.last_month(ZoneInfo("UTC"), now) == "2026-11"
    assert statements.last_month(ZoneInfo("Europe/Berlin"), now) == "2026-12"


def test_a_page_to_print(filled: Store, tmp_path: Path) -> None:
    """It has all amounts, names are text, and it loads and runs nothing."""
    budgets.put(filled.client, "tag", "team=sales", "month", Terms(Decimal(4)))
    found = made(filled, tmp_path)
    page = statement_page.page(found)
    for one in found["statements"]:
        if one["total_usd"]:
            assert f"${money(one['total_usd'])}" in page
    assert "team: &lt;b&gt;&amp;" in page
    assert "<b>&" not in page
    assert "(no team)" in page
    assert "Budget of the month: $4.000000, over it." in page
    assert "not priced" in page
    assert not re.search(r"<script|src=|href=|url\(", page)
