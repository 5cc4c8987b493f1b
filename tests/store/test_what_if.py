"""what_if(): the usage of stored calls at other prices, exact, with what no price tells named."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_costs import pricing
from otel_costs.store import costs, line_sums
from otel_costs.store.alternative import Alternative, outcome
from otel_costs.store.rows import Row
from otel_costs.store.selected_calls import selected_calls
from otel_costs.store.selection import Selection
from otel_costs.store.what_if import MOST_ALTERNATIVES, TooManyCallsError, what_if
from tests.queries.ledger import NOON, Store, call, job, message
from tests.support.selection import examples

from .priced_calls import priced

ALL = Selection()
TABLES = ("otel_logs", "calls", "session_days", "call_arrivals")

PRICES = """
version: acme-1
currency: USD
prices:
  - {provider: openai, match: {model: small}, rates: {input_tokens: {usd: "1", per: 1000000},
     output_tokens: {usd: "2", per: 1000000}}, source: https://example.com, checked: 2026-11-22}
  - {provider: openai, match: {model: long}, rates: {input_tokens: {usd: "1", per: 1000000},
     output_tokens: {usd: "2", per: 1000000}}, source: https://example.com, checked: 2026-11-22}
  - {provider: openai, match: {model: long}, when: {input_tokens_above: 5000}, rates: {
     input_tokens: {usd: "3", per: 1000000}, output_tokens: {usd: "4", per: 1000000}},
     source: https://example.com, checked: 2026-11-22}
  - {provider: openai, match: {model: new}, from: 2027-01-01, rates: {input_tokens: {usd: "1", per: 1000000},
     output_tokens: {usd: "2", per: 1000000}}, source: https://example.com, checked: 2026-11-22}
  - {provider: openai, match: {model: small}, when: {processing: batch}, base: {provider: openai, processing: sync},
     multiplier: "0.5", source: https://example.com, checked: 2026-11-22}
"""


@pytest.fixture
def prices(tmp_path: Path) -> Iterator[None]:
    """Put prices of models into force that no list of ours has."""
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    pricing.use(pricing.load(str(file)))
    yield
    pricing.use(None)


def only(found: Row) -> Row:
    """Return the one alternative."""
    (alternative,) = found["alternatives"]
    assert isinstance(alternative, dict)
    return alternative


def adds_up(found: Row) -> None:
    """Hold a comparison to its sums: lines to totals, differences to the difference, every call to one place."""
    recorded = found["recorded"]
    assert sum(line["amount_usd"] for line in recorded["lines"]) == recorded["cost_usd"]
    for one in found["alternatives"]:
        assert sum(line["amount_usd"] for line in one["lines"]) + one["kept_usd"] == one["cost_usd"]
        assert one["cost_usd"] - one["recorded_usd"] == one["difference_usd"]
        assert sum(row["difference_usd"] for row in one["differences"]) == one["difference_usd"]
        left_out = sum(row["recorded_usd"] for row in one["not_priced"])
        assert one["recorded_usd"] + left_out == recorded["cost_usd"]
        assert one["priced_calls"] + one["kept_calls"] + one["not_priced_calls"] == recorded["call_count"]
        for line in [*one["lines"], *recorded["lines"]]:
            if line["quantity"] is not None:
                exact = line["quantity"] * line["rate_usd"] / line["per"] * Decimal(line["multiplier"])
                assert line["amount_usd"] == exact.quantize(Decimal("1e-12"))


@pytest.mark.usefixtures("prices")
def test_another_model_line_by_line(store: Store) -> None:
    """Quantity times rate, what differs by line, and the cost of today's model beside it."""
    store.insert(priced({"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 100}))
    found = what_if(store.client, ALL, [Alternative("small")])
    adds_up(found)
    one = only(found)
    assert (found["recorded"]["cost_usd"], one["cost_usd"]) == (Decimal("0.003000"), Decimal("0.0012"))
    assert [(line["unit"], line["quantity"], line["rate_usd"]) for line in one["lines"]] == [
        ("input_tokens", 1000, Decimal(1)),
        ("output_tokens", 100, Decimal(2)),
    ]
    assert {row["unit"]: row["difference_usd"] for row in one["differences"]} == {
        "output_tokens": Decimal("-0.0008"),
        "input_tokens": Decimal("-0.0005"),
        "cache_read_tokens": Decimal("-0.0005"),
    }


@pytest.mark.usefixtures("prices")
def test_the_context_of_each_call_decides_its_rates(store: Store) -> None:
    """Two calls of 4,000 tokens are not one of 8,000."""
    store.insert(*(priced({"input_tokens": tokens, "output_tokens": 0}) for tokens in (4000, 4000, 6000)))
    found = what_if(store.client, ALL, [Alternative("long")])
    adds_up(found)
    lines = only(found)["lines"]
    assert [(line["quantity"], line["rate_usd"]) for line in lines if line["quantity"]] == [
        (6000, Decimal(3)),
        (8000, Decimal(1)),
    ]


@pytest.mark.usefixtures("prices")
def test_what_has_no_price_is_named_and_no_zero(store: Store) -> None:
    """A model that nobody knows, one that came later, sound, a batch, a window: each with its reason, in no sum."""
    sound = {"input_tokens": 900, "input_audio_tokens": 800, "output_tokens": 10, "output_audio_tokens": 10}
    store.insert(
        priced(),
        priced(sound, model="gpt-realtime", gen_ai__operation__name="realtime_inference"),
        call(cost=None, otel_costs__cost__reason="usage_unknown"),
    )
    asked = [
        Alternative("nobody-knows"),
        Alternative("new"),
        Alternative("small"),
        Alternative(processing="window_99h"),
        Alternative(service_tier="gold"),
    ]
    found = what_if(store.client, ALL, asked)
    adds_up(found)
    named = [
        {row["model"]: (row["reason"], tuple(row["units"])) for row in one["not_priced"]}
        for one in found["alternatives"]
    ]
    unknown = ("unknown_model", ("input_tokens", "output_tokens"))
    assert named[0]["gpt-4o"] == named[1]["gpt-4o"] == unknown
    assert named[2]["gpt-realtime"] == ("modality_not_priced", ("input_audio_tokens", "output_audio_tokens"))
    assert named[3]["gpt-4o"][0] == "processing_not_priced"
    assert named[4]["gpt-4o"][0] == "tier_not_priced"
    assert all(one["gpt-4o-2024-08-06"][0] == "usage_unknown" for one in named)
    assert [one["cost_usd"] for one in found["alternatives"]] == [0, 0, Decimal("0.0012"), 0, 0]
    later = what_if(store.client, ALL, [Alternative("new")], at=NOON.replace(year=2028))
    assert only(later)["priced_calls"] == 1


@pytest.mark.usefixtures("prices")
def test_tiers_and_windows(store: Store) -> None:
    """A batch at its multiplier; from a batch back to a call by itself; a tier that a call had stays."""
    store.insert(priced(model="small"), priced(model="small", processing="batch"), priced(model="small", tier="batch"))
    batch, standard, tier = (
        Alternative(processing="batch"),
        Alternative(processing="standard"),
        Alternative(service_tier="default"),
    )
    found = what_if(store.client, ALL, [batch, standard, tier])
    adds_up(found)
    assert found["recorded"]["cost_usd"] == Decimal("0.0024")
    assert [one["cost_usd"] for one in found["alternatives"]] == [
        Decimal("0.0018"),
        Decimal("0.0036"),
        Decimal("0.0036"),
    ]


def test_another_model_takes_the_calls_in_which_one_answers(store: Store) -> None:
    """Speech is transcribed and embedded as before; asked for by its operation, it is what is meant."""
    heard = {"audio_seconds": 60}
    store.insert(priced(), priced(heard, model="whisper-1", gen_ai__operation__name="speech_to_text"))
    found = what_if(store.client, ALL, [Alternative("gpt-4o-mini")])
    adds_up(found)
    one = only(found)
    assert (one["priced_calls"], one["kept_calls"], one["kept_usd"]) == (1, 1, Decimal("0.006"))
    asked = Selection(operation="speech_to_text")
    found = what_if(store.client, asked, [Alternative("gpt-4o-mini"), Alternative("nova-3", "deepgram")])
    adds_up(found)
    mini, nova = found["alternatives"]
    assert [row["units"] for row in mini["not_priced"]] == [["audio_seconds"]]
    assert nova["lines"][0]["provider"] == "deepgram"
    assert nova["cost_usd"] > 0


def test_a_cost_that_the_provider_told(store: Store) -> None:
    """It stays what it is as it was recorded; otherwise the book's prices are applied."""
    store.insert(priced(gen_ai__usage__cost__source="provider", otel_costs__cost__usd="7"))
    found = what_if(store.client, ALL, [Alternative("gpt-4o-mini")])
    assert (found["recorded"]["cost_usd"], found["recorded"]["other_price_calls"]) == (7, 1)
    assert [(line["unit"], line["quantity"]) for line in found["recorded"]["lines"]] == [("", None)]
    assert only(found)["cost_usd"] == Decimal("0.00021")
    adds_up(found)


def test_a_session_a_selection_and_a_job_that_two_look_at(store: Store) -> None:
    """A session alone, over midnight; filters; a call that is billed to another session counts once."""
    late = NOON + timedelta(hours=13)
    store.insert(
        priced(session="a"),
        priced(at=late, session="a", otel_costs__step="plan"),
        priced(session="b", user="u2"),
        priced(session="", user="", gen_ai__operation__name="chat"),
        job(session="b"),
        job(session="a", at=NOON + timedelta(seconds=1)),
        message(session="c"),
    )
    one = [Alternative("gpt-4o-mini")]
    for selection in (ALL, Selection(user="u1"), Selection(step="plan"), Selection(since=late)):
        found = what_if(store.client, selection, one)
        assert found["recorded"]["cost_usd"] == costs.total(store.client, selection)["cost_usd"]
        adds_up(found)
    found = what_if(store.client, ALL, one, session="a")
    (of_session,) = store.ask("select call_count, cost_usd from sessions where session_id = 'a'")
    assert (found["recorded"]["call_count"], found["recorded"]["cost_usd"]) == tuple(of_session.values())
    assert what_if(store.client, ALL, one, session="c")["recorded"]["call_count"] == 0


def test_more_than_is_looked_at(store: Store) -> None:
    """Too many calls or alternatives are refused with their number, before any is priced."""
    store.insert(priced(), priced())
    with pytest.raises(TooManyCallsError, match="2 calls, and 1 are"):
        what_if(store.client, ALL, [Alternative("x")], most=1)
    with pytest.raises(ValueError, match="at most"):
        what_if(store.client, ALL, [Alternative("x")] * (MOST_ALTERNATIVES + 1))


def test_tables_do_not_grow_with_names(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond their most, lines and reasons are one row together, and all still adds up."""
    monkeypatch.setattr(line_sums, "MOST", 3)
    models = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"]
    store.insert(*(priced(model=model) for model in models))
    found = what_if(store.client, ALL, [Alternative("nobody-knows"), Alternative("gpt-4o-mini")])
    adds_up(found)
    assert len(found["recorded"]["lines"]) == 4
    assert len(found["alternatives"][0]["not_priced"]) == 4


units = st.fixed_dictionaries(
    {"input_tokens": st.integers(0, 400_000), "output_tokens": st.integers(0, 20_000)},
    optional={
        "cache_read_tokens": st.integers(0, 300_000),
        "cache_write_tokens": st.integers(0, 300_000),
        "input_audio_tokens": st.integers(0, 5000),
        "output_audio_tokens": st.integers(0, 5000),
        "output_reasoning_tokens": st.integers(0, 5000),
        "web_searches": st.integers(0, 3),
        "audio_seconds": st.decimals(0, 500, places=3),
        "images": st.integers(0, 2),
    },
)
drawn = st.lists(
    st.fixed_dictionaries(
        {
            "usage": units,
            "model": st.sampled_from(
                ["gpt-4o", "gpt-5.4", "gpt-6.1-sol", "gpt-realtime", "whisper-1", "gpt-image-1", "nobody-knows"]
            ),
            "tier": st.sampled_from([None, "default", "flex", "priority"]),
            "processing": st.sampled_from([None, "batch", "window_8h"]),
            "at": st.integers(0, 10 * 24 * 60).map(lambda minutes: NOON - timedelta(minutes=minutes)),
        }
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.long
@settings(parent=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn)
def test_as_it_was_it_costs_what_was_recorded(store: Store, calls: list[dict[str, Any]]) -> None:
    """The very model, tier and window come to the recorded cost of each priced call, line by line."""
    for table in TABLES:
        store.client.command(f"truncate table {table}")
    store.insert(*(priced(**one, gen_ai__operation__name="chat", session=str(n)) for n, one in enumerate(calls)))
    (found,), counted = what_if(store.client, ALL, [Alternative()])["alternatives"], Decimal()
    for row in selected_calls(store.client, ALL):
        one = calls[int(row["session_id"])]
        again = outcome(row, Alternative(one["model"], "openai", one["tier"], one["processing"]))
        if row["cost_status"] == "priced":
            assert (again.usd, again.estimated) == (row["cost_usd"], False)
            assert {line.unit: line.amount for line in again.lines} == row["cost_lines"]
        if row["cost_status"] in ("priced", "estimated"):
            counted += row["cost_usd"]
    assert (found["cost_usd"], found["difference_usd"]) == (counted, 0)
    assert found["differences"] == []
