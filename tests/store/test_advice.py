"""advice(): each figure computed from stored calls, exact, and nothing that would cost more."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_costs.store.advice import advice
from otel_costs.store.rows import Row
from otel_costs.store.selection import Selection
from otel_costs.store.smaller_model import smaller
from tests.queries.ledger import NOON, LogRow, Store
from tests.support.selection import examples

from .priced_calls import priced

ALL = Selection()
MILLION = 1_000_000
STREAMED = {"gen_ai__response__time_to_first_chunk": 0.2}


def chat(sent: int, answered: int, minutes: float = 0, cached: int = 0, model: str = "gpt-4o", **rest: Any) -> LogRow:
    """Return a call of text whose answer was streamed, some minutes after the first."""
    usage = {"input_tokens": sent, "output_tokens": answered} | ({"cache_read_tokens": cached} if cached else {})
    return priced(usage, NOON + timedelta(minutes=minutes), model=model, **{**STREAMED, **rest})


def told(store: Store, selection: Selection = ALL) -> Mapping[str, Row]:
    """Return the advice by its name, held to its sums."""
    found = advice(store.client, selection)
    saved = [one["saved_usd"] for one in found["advice"]]
    assert saved == sorted(saved, reverse=True)
    for one in found["advice"]:
        assert one["saved_usd"] == one["recorded_usd"] - one["cost_usd"] > 0
        assert one["period_usd"] == found["cost_usd"] - one["saved_usd"] >= 0
        for name in ("recorded_usd", "cost_usd", "saved_usd", "call_count"):
            assert sum(row[name] for row in one["by"]) == one[name]
        assert all(row["saved_usd"] > 0 for row in one["by"])
        assert one["how"]
        assert one["limits"]
    return {one["idea"]: one for one in found["advice"]}


def test_repeated_prompts_from_the_cache(store: Store) -> None:
    """As much as the call before had, in steps of 128; not after a pause, not in another session, not twice."""
    store.insert(
        chat(2000, 300),
        chat(3000, 300, 1),  # 1,920 tokens of it
        chat(4000, 300, 2, cached=2944),  # as much as there is
        chat(5000, 300, 60),  # an hour later
        chat(1500, 300, 61, step="other", otel_costs__step="other"),
        chat(2000, 300, 1, session="b"),
        chat(900, 300, 2, session="b"),  # too short
        chat(9000, 300, 1, session=""),
        chat(9000, 300, 2, session=""),
    )
    one = told(store)["cache"]
    assert (one["call_count"], one["saved_usd"]) == (1, Decimal(1920) * Decimal("1.25") / MILLION)


def test_a_smaller_model_for_short_answers(store: Store) -> None:
    """Up to 200 tokens, by model; a model without a smaller one is no advice, and no missing price."""
    store.insert(chat(1000, 200), chat(1000, 201), chat(1000, 10, model="gpt-4.1"), chat(1000, 10, model="gpt-4o-mini"))
    one = told(store)["smaller_model"]
    assert [(row["model"], row["to"], row["call_count"]) for row in one["by"]] == [
        ("gpt-4o", "gpt-4o-mini", 1),
        ("gpt-4.1", "gpt-4.1-mini", 1),
    ]
    # 2.50 and 10 become 0.15 and 0.60.
    assert one["by"][0]["cost_usd"] == (1000 * Decimal("0.15") + 200 * Decimal("0.6")) / MILLION
    assert one["not_priced_calls"] == 0


def test_batches_for_what_nobody_waits_for(store: Store) -> None:
    """Half the price for what was not streamed and was no batch."""
    store.insert(
        chat(1000, 500, gen_ai__response__time_to_first_chunk=None),
        chat(1000, 500),
        chat(1000, 500, processing="batch", gen_ai__response__time_to_first_chunk=None),
    )
    one = told(store)["batch"]
    assert (one["call_count"], one["cost_usd"], one["saved_usd"]) == (1, Decimal("0.00375"), Decimal("0.00375"))


def test_text_in_the_place_of_sound(store: Store) -> None:
    """As many tokens at the rates of text; a conversation's transcriptions and speech are not made."""
    sound = {"input_tokens": 1000, "input_audio_tokens": 900, "output_tokens": 300, "output_audio_tokens": 200}
    spoken = priced(sound, model="gpt-realtime", gen_ai__operation__name="realtime_inference")
    heard: dict[str, Any] = {"gen_ai__operation__name": "speech_to_text", "model": "whisper-1"}
    store.insert(
        spoken,
        priced({"audio_seconds": 60}, **heard, otel_costs__session__kind="conversation"),
        priced({"audio_seconds": 60}, **heard, otel_costs__session__kind="creation", session="c"),
    )
    one = told(store)["text"]
    by = {row["to"]: (row["call_count"], row["recorded_usd"], row["cost_usd"]) for row in one["by"]}
    # 32 and 64 dollars a million for sound, 4 and 16 for text.
    assert by["text"] == (1, Decimal("0.0436"), Decimal("0.0088"))
    assert by["no call"] == (1, Decimal("0.006"), 0)


def test_history_that_is_cut(store: Store) -> None:
    """The first prompt and what the last ten calls added; what was cached behind the cut is paid for again."""
    store.insert(*(chat(2000 + 1000 * number, 300, 20 * number) for number in range(13)))
    one = told(store)["history"]
    # The twelfth and the thirteenth call: ten calls before them 3,000 and 4,000 tokens were sent.
    assert (one["call_count"], one["saved_usd"]) == (2, (1000 + 2000) * Decimal("2.5") / MILLION)
    store.insert(
        *(
            chat(4000 + 100 * number, 300, number, session="b", user="b", cached=3968 * bool(number))
            for number in range(12)
        )
    )
    store.insert(
        *(
            chat(
                4000 + 100 * number,
                300,
                number,
                session="c",
                user="c",
                cached=(3900 + 100 * number) // 128 * 128 * bool(number),
            )
            for number in range(12)
        )
    )
    assert told(store, Selection(user="b"))["history"]["saved_usd"] == 100 * Decimal("2.5") / MILLION
    assert "history" not in told(store, Selection(user="c"))


def test_only_calls_whose_cost_is_known_here(store: Store) -> None:
    """A cost that the provider told, another price, none: counted, and in no advice; nothing at all is no advice."""
    store.insert(
        chat(1000, 10, gen_ai__usage__cost__source="provider"),
        chat(1000, 10, otel_costs__cost__usd="9", otel_costs__cost__line__input_tokens="9"),
        chat(1000, 10, model="nobody-knows"),
    )
    found = advice(store.client, ALL)
    assert (found["advice"], found["other_price_calls"], found["unpriced_calls"], found["call_count"]) == ([], 2, 1, 3)
    assert advice(store.client, Selection(user="nobody"))["advice"] == []


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("gpt-4o-2024-08-06", ["gpt-4o-mini"]),
        ("gpt-4.1-mini", ["gpt-4.1-nano"]),
        ("gpt-4.1-nano", []),
        ("o3", ["o3-mini"]),
        ("gpt-6.1-sol", ["gpt-6.1-terra", "gpt-6.1-luna"]),
        ("gpt-realtime-2", ["gpt-realtime-2-mini"]),
        ("claude-opus-4-5", ["claude-sonnet-4-5", "claude-haiku-4-5"]),
        ("gemini-2.5-flash", ["gemini-2.5-flash-lite"]),
        ("gemini-2.5-flash-lite", []),
        ("mistral-large-latest", ["mistral-medium-latest", "mistral-small-latest"]),
        ("geminite", []),
        ("", []),
    ],
)
def test_the_next_smaller_model(model: str, names: list[str]) -> None:
    """By the words that families have for their sizes; words inside of others are none."""
    assert list(smaller(model)) == names


drawn = st.lists(
    st.fixed_dictionaries(
        {
            "usage": st.fixed_dictionaries(
                {"input_tokens": st.integers(0, 300_000), "output_tokens": st.integers(0, 500)},
                optional={
                    "cache_read_tokens": st.integers(0, 200_000),
                    "cache_write_tokens": st.integers(0, 100_000),
                    "input_audio_tokens": st.integers(0, 5000),
                    "output_audio_tokens": st.integers(0, 500),
                },
            ),
            "model": st.sampled_from(["gpt-4o", "gpt-5.4", "gpt-6-astra", "gpt-realtime", "nobody-knows"]),
            "at": st.integers(0, 300).map(lambda minutes: NOON + timedelta(minutes=minutes)),
            "session": st.sampled_from(["", "a"]),
            "gen_ai__response__time_to_first_chunk": st.sampled_from([None, 0.5]),
        }
    ),
    max_size=30,
)


@pytest.mark.long
@settings(parent=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn)
def test_nothing_that_would_cost_more(store: Store, calls: list[dict[str, Any]]) -> None:
    """Whatever was called: each advice saves something, and comes to its sums."""
    for table in ("otel_logs", "calls", "session_days", "call_arrivals"):
        store.client.command(f"truncate table {table}")
    if calls:
        store.insert(*(priced(**one) for one in calls))
    told(store)
