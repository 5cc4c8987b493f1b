"""How budgets are being spent, over a real store."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.local import Stack
from otel_costs.store import budgets, connect, reports
from otel_costs.store.burn_down import with_burn_down
from tests.local.support import export_logs, ledger_record

NOW = datetime.now(UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def client(emptied_stack: Stack) -> Any:
    """Fill the store: a call a day for four days, two of them of a scenario."""
    records = []
    for days in range(4):
        at = min(NOW - timedelta(minutes=1), MIDNIGHT + timedelta(hours=12)) - timedelta(days=days)
        more: dict[str, object] = {"otel_costs.scenario": "sales" if days % 2 else ""}
        if days % 2:
            more["gen_ai.response.model"] = "gpt-4o-2024-08-06"
        records.append(ledger_record(f"s{days}", seq=days + 1, time_ns=int(at.timestamp()) * 10**9, more=more))
    assert export_logs(emptied_stack.otlp_http_url, records).status == 200
    return connect(emptied_stack.http_url)


def budget(scope: str, name: str, period: str, start: datetime, **more: Any) -> dict[str, Any]:
    return {"scope": scope, "name": name, "period": period, "period_start": start, **more}


@pytest.mark.parametrize(
    ("scope", "name", "calls"),
    [
        *(("all", "", 4), ("user", "user-1", 4), ("scenario", "sales", 2), ("model", "gpt-4o", 4)),
        *(("service", "bot", 0), ("tag", "team=west", 0)),
        # A budget of a model is of calls that asked for it, and of those that it answered.
        *(("model", "openai/gpt-4o", 4), ("model", "gpt-4o-2024-08-06", 2), ("model", "acme/gpt-4o", 0)),
    ],
)
def test_days_add_up(client: Any, scope: str, name: str, calls: int) -> None:
    """Each day has a row, also one in which nothing was spent."""
    start = MIDNIGHT - timedelta(days=5)
    (found,) = with_burn_down(client, [budget(scope, name, "week", start)], NOW)
    days = [f"{start + timedelta(days=number):%Y-%m-%d}" for number in range(6)]
    assert [row["piece"] for row in found["burn_down"]] == days
    assert sum(row["spent_usd"] for row in found["burn_down"]) == calls * Decimal("0.01175")
    assert found["burn_down"][-1]["total_usd"] == calls * Decimal("0.01175")
    assert found["period_end"] == start + timedelta(days=7)


def test_where_it_ends(client: Any) -> None:
    """As in the last seven days, or since the first call in them; what is over has ended."""
    start = MIDNIGHT - timedelta(days=1)
    (found,) = with_burn_down(client, [budget("all", "", "month", start, period_end=NOW + timedelta(days=10))], NOW)
    spent = found["burn_down"][-1]["total_usd"]
    assert spent == 2 * Decimal("0.01175")
    assert Decimal("0.1") < found["projected_usd"] - spent < Decimal("0.25")
    (over,) = with_burn_down(client, [budget("all", "", "month", start, period_end=NOW)], NOW)
    assert over["projected_usd"] == spent
    (none,) = with_burn_down(client, [budget("user", "nobody", "month", start)], NOW)
    assert none["projected_usd"] == 0


def test_a_day_by_its_hours(client: Any) -> None:
    """In the zone of the budget."""
    (found,) = with_burn_down(client, [budget("all", "", "day", MIDNIGHT)], NOW)
    assert [row["piece"] for row in found["burn_down"]] == [
        f"{MIDNIGHT + timedelta(hours=number):%Y-%m-%dT%H:%M}+00:00" for number in range(NOW.hour + 1)
    ]
    assert found["burn_down"][-1]["total_usd"] == Decimal("0.01175")


def set_budgets(client: Any) -> list[Any]:
    """Set budgets of every period, and return them as they are."""
    for period in budgets.PERIODS:
        client.command(
            "insert into budgets (scope, name, period, limit_usd, deleted) values"
            f" ('all', '', '{period}', 1, false), ('scenario', 'sales', '{period}', 1, false)"
        )
    return reports.budget_status(client)


def test_as_the_store_has_them(client: Any) -> None:
    """What was spent by its days is what the budget says."""
    listed = set_budgets(client)
    for before, found in zip(listed, with_burn_down(client, listed), strict=True):
        assert found["burn_down"][-1]["total_usd"] == before["spent_usd"], found
        assert found["period_end"] > NOW


@pytest.mark.long
def test_what_ends_behind_the_period(client: Any, emptied_stack: Stack) -> None:
    """A call with the time of a clock that is wrong counts in no period but its own, and tells of no day to come."""
    before = with_burn_down(client, set_budgets(client))
    at = datetime.now(UTC) + timedelta(days=400)
    record = ledger_record("fast", seq=99, time_ns=int(at.timestamp()) * 10**9, more={"otel_costs.scenario": "sales"})
    assert export_logs(emptied_stack.otlp_http_url, [record]).status == 200
    after = with_burn_down(client, reports.budget_status(client))
    told = ("spent_usd", "unpriced_calls", "burn_down")
    assert [[row[name] for name in told] for row in after] == [[row[name] for name in told] for row in before]
    assert all(abs(one["projected_usd"] - two["projected_usd"]) < 1 for one, two in zip(before, after, strict=True))
