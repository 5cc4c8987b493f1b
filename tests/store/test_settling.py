"""Settling: what a month makes of its calls adds up, to the last digit, whatever they are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_costs import pricing
from otel_costs.pricing import PriceBook, price_file
from otel_costs.store import stored_call
from otel_costs.store.reprice import Chosen, month_after, priced, reprice, settle
from otel_costs.store.settling import Settling, is_settled
from tests.queries.ledger import Store, call

MONTH = datetime(2026, 11, 1, tzinfo=UTC)
OVER = datetime(2026, 12, 1, tzinfo=UTC)
PRICES = """version: t
currency: USD
prices:
  - {provider: openai, match: {model: large}, rates: {input_tokens: {usd: "3.7", per: 1000000},
     output_tokens: {usd: "11.1", per: 1000000}}}
  - {provider: azure, match: {model: reserved}, rates: {input_tokens: {usd: "5", per: 1000000}}}
exchange_rates: [{currency: EUR, from: 2026-10-01, usd: "1.0837"}]
contracts:
  - id: volume
    provider: openai
    rates: [{match: {model: large}, rates: {web_searches: {amount: "7", per: 1000}}}]
    discounts:
      - tiers: [{above: "0", percent: "3"}, {above: "1", percent: "12.5"}, {above: "40", percent: "33.33"}]
  - id: hourly
    provider: azure
    currency: EUR
    from: 2026-10-01
    reservations:
      - {id: r, amount_per_hour: "7.77", measure: {input_tokens: "1", output_tokens: "4"}, capacity_per_hour: "900000"}
"""
TIERS = ((Decimal(0), Decimal(3)), (Decimal(1), Decimal("12.5")), (Decimal(40), Decimal("33.33")))

CALLS = st.lists(
    st.tuples(
        st.sampled_from(["openai", "azure"]),
        st.integers(0, 3 * 3600 - 1),  # seconds after the beginning of a day
        st.integers(0, 3_000_000),
        st.integers(0, 200_000),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module", autouse=True)
def contracts() -> Iterator[None]:
    """Put the contracts into force, and no other prices."""
    pricing.use(PriceBook((price_file.parse(PRICES, "t.yaml"),), version="t"))
    yield
    pricing.use(None)


def row(provider: str, second: int, sent: int, answered: int, searches: int) -> dict[str, Any]:
    """Return a stored call."""
    ended = MONTH + timedelta(days=9, seconds=second)
    nothing = dict.fromkeys(stored_call.UNITS)
    return {
        **dict.fromkeys(stored_call.FACTS, ""), **nothing,
        "provider": provider, "model": "large" if provider == "openai" else "reserved", "operation": "chat",
        "input_tokens": sent, "output_tokens": answered, "web_searches": searches if provider == "openai" else None,
        "other_usage": {}, "invalid_usage": [], "cost_unknown": [], "cost_usd": None, "start_time": ended,
        "end_time": ended,
    }  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CALLS)
def test_everything_adds_up(calls: list[tuple[str, int, int, int, int]]) -> None:
    """The month's discount, and each hour's sum, are what the calls have together; no call pays less than nothing."""
    rows = [row(*each) for each in sorted(calls, key=lambda each: each[1])]
    settling = Settling(MONTH, month_after(MONTH), OVER)
    for each in rows:
        settling.add(each)
    settling.close()
    before = [priced(each) for each in rows]
    after = [settling.settle(each, found) for each, found in zip(rows, before, strict=True)]
    assert settling.is_whole()
    for found in after:
        assert (found["cost_status"], found["cost_reason"]) in (("priced", ""), ("estimated", "unit_not_priced"))
        assert (
            sum(map(Fraction, found["cost_lines"].values())) == Fraction(found["cost_usd"]) or not found["cost_lines"]
        )
        assert found["cost_usd"] >= 0
    _volume_adds_up(rows, after)
    _hours_add_up(settling, rows, after)


def _volume_adds_up(rows: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    by_volume = [(each, found) for each, found in zip(rows, after, strict=True) if each["provider"] == "openai"]
    base = sum(
        (Fraction(each["input_tokens"]) * 37 + Fraction(each["output_tokens"]) * 111) / 10**7 for each, _ in by_volume
    )
    off = Fraction(0)
    for number, (above, percent) in enumerate(TIERS):
        until = Fraction(TIERS[number + 1][0]) if number + 1 < len(TIERS) else base
        off += max(Fraction(0), min(until, base) - Fraction(above)) * Fraction(percent) / 100
    searched = sum(Fraction(each["web_searches"]) * 7 / 1000 for each, _ in by_volume)
    total = sum(Fraction(found["cost_usd"]) for _, found in by_volume)
    # The discount of the month is rounded once, whatever the number of calls.
    assert abs(total - (base + searched - off)) <= Fraction(1, 2 * 10**12)


def _hours_add_up(settling: Settling, rows: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    hours = {each["period_start"]: each for each in settling.hours()}
    assert len(hours) == 30 * 24
    for start, hour in hours.items():
        of_hour = [
            found
            for each, found in zip(rows, after, strict=True)
            if each["provider"] == "azure" and start <= each["end_time"] < start + timedelta(hours=1)
        ]
        assert sum(Fraction(found["contract_amount"]) for found in of_hour) == Fraction(hour["used_amount"])
        assert hour["used_amount"] + hour["unused_amount"] == hour["amount"] == Decimal("7.77")
        dollars = sum(Fraction(found["cost_usd"]) for found in of_hour)
        assert dollars + Fraction(hour["unused_usd"]) == Fraction(hour["amount_usd"])
        assert hour["call_count"] == len(of_hour)


def used(ended: datetime, tokens: int, model: str = "large", provider: str = "openai", **more: Any) -> Any:
    """Return the record of a call as a program with the contracts writes it."""
    given_ = {
        "gen_ai__usage__input_tokens": tokens,
        "gen_ai__response__model": model,
        "gen_ai__provider__name": provider,
    }
    return call(ended, cost=None, gen_ai__usage__cost__source=None, **{**given_, **more})


def stored(store: Store) -> list[tuple[Any, ...]]:
    """Return cost, status and reason of every call."""
    found = store.ask("select cost_usd, cost_status, cost_reason from billed_calls order by end_time, call_id")
    return [tuple(each.values()) for each in found]


def test_a_month_that_is_not_over(store: Store) -> None:
    """Is computed as far as it has come, as an estimate; hours that are over are settled."""
    day = MONTH + timedelta(days=9)
    store.insert(used(day, 10_000_000), used(day + timedelta(minutes=5), 450_000, "reserved", "azure"))
    settle(store.client, MONTH, now=day + timedelta(hours=2))
    # 37 dollars: 3 % of the first one, 12.5 % of 36: 0.03 + 4.50 = 4.53. Half of the hour: 3.885 euros at 1.0837.
    assert stored(store) == [
        (Decimal("32.47"), "estimated", "volume_not_settled"),
        (Decimal("4.2101745"), "priced", ""),
    ]
    settle(store.client, MONTH, now=OVER)
    assert stored(store)[0] == (Decimal("32.47"), "priced", "")


def test_a_call_that_comes_late(store: Store) -> None:
    """Waits, and changes nothing of what is settled, until the month is settled again: then all have their part."""
    day = MONTH + timedelta(days=9)
    store.insert(used(day, 10_000_000))
    settle(store.client, MONTH, now=OVER)
    store.insert(used(day + timedelta(days=1), 10_000_000))
    reprice(store.client, Chosen())
    assert stored(store) == [
        (Decimal("32.47"), "priced", ""),
        (Decimal("35.89"), "estimated", "volume_not_settled"),
    ]
    settle(store.client, MONTH, now=OVER)
    # 74 dollars: 0.03 + 39 × 12.5 % + 34 × 33.33 % = 0.03 + 4.875 + 11.3322 = 16.2372; half of that each.
    assert stored(store) == [(Decimal("28.8814"), "priced", "")] * 2
    assert store.one("select sum(cost_usd) as usd, sum(list_usd) as listed from daily_costs") == {
        "usd": Decimal("57.7628"), "listed": Decimal(74),
    }  # fmt: skip


def test_what_is_not_shared(store: Store) -> None:
    """A call that was refused, and one whose cost the provider told, have no part; an unknown use has no share."""
    day = MONTH + timedelta(days=9)
    store.insert(
        used(day, 10_000_000),
        used(day, 10_000_000, otel_costs__cost__reason="request_refused"),
        call(day, cost="5", gen_ai__usage__cost__source="provider", gen_ai__response__model="large",
             gen_ai__usage__input_tokens=1000),
        call(day, cost=None, gen_ai__provider__name="azure", gen_ai__response__model="reserved",
             gen_ai__usage__cost__source=None),
    )  # fmt: skip
    settle(store.client, MONTH, now=OVER)
    found = sorted(((usd, status) for usd, status, _ in stored(store)), key=str)
    assert found == sorted(
        [(Decimal("32.47"), "priced"), (Decimal(0), "priced"), (Decimal(5), "priced"), (None, "unpriced")], key=str
    )
    hours = store.one("select sum(unused_amount) as unused, sum(call_count) as calls from contract_balances")
    assert hours == {"unused": Decimal("7.77") * 720, "calls": 0}


def test_another_list_price_unsettles(store: Store) -> None:
    """What was settled stays only as long as the list price it was settled by."""
    found = priced(row("openai", 0, 1_000_000, 0, 0))
    was = {**found, "cost_reason": "", "cost_status": "priced"}
    assert is_settled(was, found)
    assert not is_settled({**was, "list_usd": Decimal(1)}, found)
    assert not is_settled({**was, "contract_id": "other"}, found)
    assert not is_settled(found, found)
