"""Settling: what a month makes of its calls adds up, to the last digit, whatever they are."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_costs import pricing
from otel_costs.pricing import PriceBook, price_file
from otel_costs.store import contracts as contracts_
from otel_costs.store import costs, stored_call
from otel_costs.store.connection import StoreError
from otel_costs.store.reprice import Chosen, priced, reprice, settle
from otel_costs.store.selection import Selection
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
    in_force(PRICES)
    yield
    pricing.use(None)


def in_force(text: str) -> None:
    """Put the prices of a file into force, and no others."""
    pricing.use(PriceBook((price_file.parse(text, "t.yaml"),), version="t"))


@pytest.fixture
def changing() -> Iterator[Callable[[str], None]]:
    """Return what puts other prices into force, until the test has ended."""
    yield in_force
    in_force(PRICES)


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
    settling = Settling(MONTH, OVER, OVER)
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


@pytest.mark.long
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


def test_a_cost_without_a_list_price(store: Store) -> None:
    """It counts as its own list price, as in FOCUS, and nothing of it is saved: what is not known is not nothing."""
    day = MONTH + timedelta(days=9)
    told: dict[str, Any] = {"gen_ai__usage__cost__source": "provider", "otel_costs__contract__id": "volume"}
    store.insert(
        call(day, cost="5", otel_costs__contract__currency="USD", **told),
        call(day, cost="3", otel_costs__contract__currency="USD", otel_costs__cost__computed_usd="4", **told),
    )
    row = next(row for row in contracts_.contracts(store.client, now=OVER) if row["call_count"])
    assert (row["list_usd"], row["contracted_usd"], row["cost_usd"], row["saved_usd"]) == (9, 9, 8, 1)
    for view in ("daily_costs", "contract_costs"):
        assert store.one(f"select sum(list_usd) as listed from {view}") == {"listed": Decimal(9)}
    parts = costs.costs(store.client, Selection(), ["modality"])
    assert sum(part["list_usd"] for part in parts) == 9


def test_another_list_price_unsettles(store: Store) -> None:
    """What was settled stays only as long as the list price it was settled by."""
    found = priced(row("openai", 0, 1_000_000, 0, 0))
    was = {**found, "cost_reason": "", "cost_status": "priced"}
    assert is_settled(was, found)
    assert not is_settled({**was, "list_usd": Decimal(1)}, found)
    assert not is_settled({**was, "contract_id": "other"}, found)
    assert not is_settled(found, found)


class Busy:
    """A client of a store in which something happens between the two passes of a settlement, `times` at most."""

    def __init__(self, client: Any, meanwhile: Callable[[], None], times: int = 1) -> None:
        self._client, self._meanwhile, self._times = client, meanwhile, times
        self._passes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query_rows_stream(self, *given: Any, **named: Any) -> Any:
        """Read the calls of the one day that has some: every second time it is the second pass."""
        self._passes += 1
        if self._passes % 2 == 0 and self._passes <= 2 * self._times:
            self._meanwhile()
        return self._client.query_rows_stream(*given, **named)


@pytest.mark.some(1)
@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("arriving", ["another call", "a copy"])
def test_what_arrives_while_a_month_is_settled(store: Store, arriving: str, dry_run: bool) -> None:
    """It waits for the next time, and what was there is settled: a late copy of a call does not hide it."""
    day = MONTH + timedelta(days=9)
    known, late = used(day, 10_000_000), used(day + timedelta(minutes=1), 10_000_000)
    store.insert(known)
    client: Any = Busy(store.client, lambda: store.insert(known if arriving == "a copy" else late))
    (found,) = settle(client, MONTH, now=OVER, dry_run=dry_run).sums.values()
    assert (found.calls, found.after_usd) == (1, Decimal("32.47"))
    settled = (None, "unpriced", "") if dry_run else (Decimal("32.47"), "priced", "")
    assert stored(store) == [settled, *([(None, "unpriced", "")] if arriving == "another call" else [])]
    assert store.one("select count() as n from contract_balances")["n"] == (0 if dry_run else 720)


@pytest.mark.long
def test_a_call_that_was_being_stored(store: Store) -> None:
    """It has arrived before the settlement began, and is seen by its second pass alone: then all is shared anew."""
    day = MONTH + timedelta(days=9)

    def arrive() -> None:
        store.insert(used(day + timedelta(minutes=1), 10_000_000))
        store.pretend_earlier("calls", "inserted_at", 60)

    store.insert(used(day, 10_000_000))
    client: Any = Busy(store.client, arrive)
    settle(client, MONTH, now=OVER)
    assert stored(store) == [(Decimal("28.8814"), "priced", "")] * 2
    again: Any = Busy(store.client, arrive, times=9)
    with pytest.raises(StoreError, match="run it again"):
        settle(again, MONTH, now=OVER)
    settle(store.client, MONTH, now=OVER)
    assert {status for _, status, _ in stored(store)} == {"priced"}


@pytest.mark.long
def test_what_a_contract_has_no_more(store: Store, changing: Callable[[str], None]) -> None:
    """Hours under another name, and hours before and after shorter terms, are charged once; other months stay."""

    def hours(since: str) -> list[tuple[Any, ...]]:
        found = store.ask(
            "select contract_id, name, count() as n, sum(amount) as amount from contract_balances"
            " where kind = 'reservation' and toStartOfMonth(period_start) = {since:Date}"
            " group by contract_id, name order by contract_id, name",
            since=since,
        )
        return [tuple(each.values()) for each in found]

    store.insert(used(MONTH + timedelta(days=9), 450_000, "reserved", "azure"))
    settle(store.client, datetime(2026, 10, 1, tzinfo=UTC), now=OVER)
    for text, expected in (
        (PRICES, ("hourly", "r", 720)),
        (PRICES.replace("{id: r,", "{id: renamed,"), ("hourly", "renamed", 720)),
        (PRICES.replace("- id: hourly", "- id: yearly"), ("yearly", "r", 720)),
        (PRICES.replace("{id: r,", "{id: r, from: 2026-11-10, to: 2026-11-11,"), ("hourly", "r", 24)),
        (PRICES, ("hourly", "r", 720)),
    ):
        changing(text)
        settle(store.client, MONTH, now=OVER)
        assert hours("2026-11-01") == [(*expected, expected[2] * Decimal("7.77"))]
    assert hours("2026-10-01") == [("hourly", "r", 744, 744 * Decimal("7.77"))]


def test_a_commitment_of_several_months(store: Store, changing: Callable[[str], None]) -> None:
    """It is what all its months come to, in whatever order they are settled, and is gone with its contract."""
    terms = "provider: openai\n    from: 2026-10-01\n    to: 2026-12-01\n    commitments: [{id: c, amount: '100'}]\n"
    changing(PRICES.replace("provider: openai\n", terms, 1))
    october = datetime(2026, 10, 1, tzinfo=UTC)
    store.insert(used(october + timedelta(days=9), 10_000_000))
    reprice(store.client, Chosen())
    used_so_far = "select name, used_amount from contract_balances where kind = 'commitment'"
    for month, expected in ((MONTH, "35.89"), (october, "32.47")):
        settle(store.client, month, now=OVER)
        assert store.one(used_so_far) == {"name": "c", "used_amount": Decimal(expected)}
    changing(PRICES)
    settle(store.client, october, now=OVER)
    assert store.ask(used_so_far) == []


@pytest.mark.long
def test_a_doubt_of_the_calls_own(store: Store) -> None:
    """It stays when a reservation makes moot what the prices lack."""
    day = MONTH + timedelta(days=9)
    for reason in ("region_not_priced", "zone_not_priced"):
        store.insert(used(day, 450_000, "reserved", "azure", otel_costs__cost__reason=reason))
    settle(store.client, MONTH, now=OVER)
    assert sorted(stored(store)) == sorted(
        [(Decimal("4.2101745"), "estimated", "region_not_priced"), (Decimal("4.2101745"), "priced", "")]
    )


OTHER = "{provider: azure, match: {model: other}, rates: {input_tokens: {usd: '5', per: 1000000}}}"


@pytest.mark.long
def test_before_the_first_rate_of_exchange(store: Store, changing: Callable[[str], None]) -> None:
    """A reserved hour costs nobody knows how many dollars; in its own currency its calls have shares, which stay."""
    commitment = "    currency: EUR\n    commitments: [{id: c, amount: '10000', from: 2026-11-01, to: 2026-12-01}]\n"
    late = PRICES.replace("from: 2026-10-01, usd", "from: 2026-11-11, usd").replace("    currency: EUR\n", commitment)
    late = late.replace("exchange_rates", f"  - {OTHER}\nexchange_rates", 1).replace(
        "{id: r", "{id: r, match: {model: reserved}"
    )
    changing(late)
    before, after = (MONTH + timedelta(days=days) for days in (9, 10))
    for day in (before, after):
        store.insert(*(used(day + timedelta(minutes=minute), 150_000, "reserved", "azure") for minute in range(3)))
    store.insert(used(before, 1_000_000, "other", "azure"))
    settle(store.client, MONTH, now=OVER)
    amounts = "select reservation_id, contract_amount from billed_calls order by end_time, call_id"
    found = store.ask(amounts)
    reserved = [row["contract_amount"] for row in found if row["reservation_id"]]
    assert sum(reserved[:3]) == sum(reserved[3:]) == Decimal("3.885")
    hours = store.one("select sum(used_amount) as used, sum(unused_amount) as unused from contract_balances"
                      " where kind = 'reservation'")  # fmt: skip
    assert hours["used"] == sum(reserved)
    (told,) = (row for row in contracts_.contracts(store.client, MONTH, now=OVER) if row["commitments"])
    (commitment_,) = told["commitments"]
    of_calls = sum(row["contract_amount"] or 0 for row in found)
    assert commitment_["used_amount"] == of_calls + hours["unused"]
    none = sum(row["contract_amount"] is None for row in found)
    assert (told["unconverted_calls"], commitment_["unconverted_calls"]) == (none, none)
    assert none == 1
    assert reprice(store.client, Chosen()).sums == settle(store.client, MONTH, now=OVER).sums == {}
    assert store.ask(amounts) == found
    changing(late.replace("from: 2026-11-11, usd", "from: 2026-10-01, usd"))
    settle(store.client, MONTH, now=OVER)
    assert {row["contract_amount"] for row in store.ask(amounts) if row["reservation_id"]} == {*reserved}
    assert {status for _, status, _ in stored(store)} == {"priced"}


@pytest.mark.long
def test_a_commitment_counts_what_is_in_its_currency(store: Store, changing: Callable[[str], None]) -> None:
    """What was stored before a contract was in another currency waits to be priced again, and is not added to it."""
    text = """version: t
currency: USD
exchange_rates: [{currency: EUR, from: 2026-10-01, usd: "1.25"}]
contracts:
  - id: c
    provider: openai
    currency: %s
    discounts: [{percent: "50"}]
    commitments: [{id: least, amount: "100", from: 2026-11-01, to: 2026-12-01}]
prices: [{provider: openai, match: {model: large}, rates: {input_tokens: {usd: "2", per: 1000000}}}]
"""
    day = MONTH + timedelta(days=9)
    changing(text % "USD")
    store.insert(used(day, 10_000_000))
    settle(store.client, MONTH, now=OVER)
    changing(text % "EUR")
    (found,) = [row for row in contracts_.contracts(store.client, now=OVER) if row["commitments"]]
    assert (found["currency"], found["commitments"][0]["used_amount"]) == ("EUR", 0)
    settle(store.client, MONTH, now=OVER)
    (found,) = contracts_.contracts(store.client, now=OVER)
    assert (found["currency"], found["commitments"][0]["used_amount"]) == ("EUR", 8)
    assert store.one("select currency, used_amount from contract_balances where kind = 'commitment'") == {
        "currency": "EUR", "used_amount": 8,
    }  # fmt: skip
