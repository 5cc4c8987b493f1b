"""A row that is written again keeps all that is stored of it, whatever its defaults, but what is worked out anew."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from otel_costs import pricing
from otel_costs.pricing import PriceBook, price_file
from otel_costs.store import erase
from otel_costs.store.kept_columns import ARRIVAL, OF_PRICE, kept_columns
from otel_costs.store.periods import UTC_ZONE, month_of
from otel_costs.store.reprice import Chosen, reprice, settle
from tests.queries.ledger import Store, at, call, message

PRICES = """version: t
currency: USD
prices:
  - {provider: openai, match: {model: large}, rates: {input_tokens: {usd: "3", per: 1000000}}}
contracts:
  - {id: volume, provider: openai, discounts: [{tiers: [{above: "0", percent: "0"}, {above: "1", percent: "50"}]}]}
"""
PRICED = {
    "cost_usd", "cost_lines", "cost_status", "cost_reason", "cost_source", "computed_usd", "list_usd", "contracted_usd",
    "contract_amount", "contract_currency", "contract_id", "reservation_id", "price_id", "price_book", "revision",
    "repriced",
}  # fmt: skip


@pytest.fixture(autouse=True)
def prices() -> Iterator[None]:
    """Put a list and a contract into force."""
    pricing.use(PriceBook((price_file.parse(PRICES, "t.yaml"),), version="t"))
    yield
    pricing.use(None)


@pytest.fixture
def shared(store: Store) -> Store:
    """Return a store with a session of two users, whose columns have other values than their defaults would be."""
    record: dict[str, Any] = {
        "session": "both", "cost": None, "gen_ai__response__model": "large", "gen_ai__usage__input_tokens": 1_000_000,
        "gen_ai__usage__cost__source": None, "otel_costs__session__kind": "creation",
    }  # fmt: skip
    store.insert(
        call(at("10:00:00"), user="ada", **record),
        call(at("10:00:01"), user="bob", **record),
        message(at("10:00:00"), "from ada", user="ada", session="both", otel_costs__session__kind="creation"),
        message(
            at("10:00:01"), "from bob", user="bob", session="both", message_id="m2",
            otel_costs__session__kind="creation",
        ),
    )  # fmt: skip
    changed = "cached_input = 11, text_input = 12, text_output = 13, audio_input = 14, all_audio_seconds = 15"
    for table, values in (("calls", changed), ("messages", "content = ''")):  # as if its retention were over
        store.client.command(f"alter table {table} update {values} where true", settings={"mutations_sync": 1})
    return store


def kept(store: Store, table: str, but: Sequence[str] = ARRIVAL) -> list[tuple[Any, ...]]:
    """Return what is stored of bob's row but for some columns."""
    names = ", ".join(kept_columns(store.client, table, but))
    return [tuple(row.values()) for row in store.ask(f"select {names} from {table} final where user_id = 'bob'")]


def test_what_has_a_default_is_stored(store: Store) -> None:
    """The kind of a session is, and what content was recorded."""
    assert {"kind", "cached_input", "list_usd"} < set(kept_columns(store.client, "calls"))
    assert {"kind", "had_content", "content_hash", "earliness"} < set(kept_columns(store.client, "messages"))


def test_a_newer_revision(shared: Store) -> None:
    """Of a re-price, and of a settlement, has another price, and nothing else."""
    but = (*ARRIVAL, *OF_PRICE, *PRICED)
    before = kept(shared, "calls", but)
    assert reprice(shared.client, Chosen()).sums
    assert kept(shared, "calls", but) == before
    month = at("10:00:00").replace(day=1, hour=0)
    assert settle(shared.client, month, now=month_of(month, UTC_ZONE)[1]).sums
    assert kept(shared, "calls", but) == before
    assert shared.one("select kind, sum(cost_usd) as usd from named_calls group by kind") == {
        "kind": "creation", "usd": Decimal("3.5"),
    }  # fmt: skip


def test_what_is_left_of_a_shared_session(shared: Store) -> None:
    """It is as it was, when another user of it has been erased."""
    before = {table: kept(shared, table) for table in ("calls", "messages")}
    assert all(len(found) == 1 for found in before.values())
    erase.erase(shared.client, erase.of_user(shared.client, "ada"))
    assert {table: kept(shared, table) for table in before} == before
    assert shared.one("select kind, had_content from messages final") == {"kind": "creation", "had_content": True}


def test_what_follows_from_a_price(store: Store) -> None:
    """It is what has a default that names a price, or what follows from one."""
    columns = store.ask(
        "select name, default_expression as said from system.columns"
        " where database = currentDatabase() and table = 'calls' and default_kind = 'DEFAULT'"
    )
    found = set(PRICED)
    for _ in columns:
        found |= {row["name"] for row in columns if found & set(re.findall(r"\w+", row["said"]))}
    assert found - PRICED == set(OF_PRICE)
