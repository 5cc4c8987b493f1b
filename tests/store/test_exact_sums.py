"""Sums of money have all digits, however many, and whatever context of decimals the program has that asks for them."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any

import pytest

from otel_costs.store import budget_sums, cost_parts
from otel_costs.store.reports import MEASURES, summed
from otel_costs.usage.numbers import total

MOST = Decimal("999999999999.999999999999")
"""As much as a call may cost."""


@pytest.fixture(autouse=True, params=[4, 28])
def context(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have a program's own context: a narrow one, and Python's."""
    with localcontext(prec=request.param):
        yield


def row(usd: Decimal) -> dict[str, Any]:
    return {column: usd if column.endswith("_usd") else 1 for column in MEASURES} | {"audio_seconds": Decimal("0.1")}


def digits(amount: Decimal) -> int:
    """Return an amount in units of its last decimal."""
    return int("".join(map(str, amount.as_tuple().digits)))


@pytest.mark.parametrize("count", [1, 3, 20_001])
def test_a_total(count: int) -> None:
    """Of reports, of their parts, and of what is told beside them."""
    wanted = count * (10**24 - 1)
    assert digits(total([MOST] * count)) == wanted
    assert digits(summed([row(MOST)] * count)["cost_usd"]) == wanted
    found = cost_parts._added([{"key_0": "a", **row(MOST)}] * count, ("model",))
    assert [digits(one["cost_usd"]) for one in found] == [wanted]
    assert found[0]["call_count"] == count


def test_nothing_is_a_decimal() -> None:
    """And a count is a number."""
    assert (summed([])["cost_usd"], summed([])["call_count"]) == (Decimal(), 0)
    assert total([]) == Decimal()


def test_what_is_left_of_a_budget() -> None:
    """The limit, with what was carried over, less what was spent."""
    names = ("scope", "name", "period", "period_start", "period_end", "zone", "soft", "rollover", "since")
    limit = {**dict.fromkeys(names), "limit_usd": MOST}
    found = budget_sums.status_of(limit, Decimal("0.000000000001"), MOST, 0)
    assert digits(found["remaining_usd"]) == 2 * (10**24 - 1) - 1
    assert found["state"] == "ok"
    nearly = budget_sums.status_of({**limit, "limit_usd": Decimal("123456.80")}, Decimal("98765.43"), Decimal(0), 0)
    assert (nearly["state"], nearly["used"]) == ("ok", 98765.43 / 123456.8)
