"""usage(): how much, when, by kind, and what the cache saved, exact."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from otel_costs.store import costs
from otel_costs.store.cache_savings import savings
from otel_costs.store.selection import Selection
from otel_costs.store.usage_report import COLUMNS, usage, usage_rows
from tests.queries.ledger import NOON, Store, at, call, message

from .priced_calls import priced

ALL = Selection()
MIDNIGHT = at("00:00:00")
DAYS = Selection(since=MIDNIGHT, until=MIDNIGHT + timedelta(days=4))


def kind_of(kind: str, usd: str | None, session: str, **rest: Any) -> Any:
    return call(cost=usd, session=session, otel_costs__session__kind=kind, **rest)


def test_averages_and_kinds(store: Store) -> None:
    """A day's cost, calls and sessions; of each kind mean and percentiles over the sessions that have a cost."""
    store.insert(
        *(kind_of("conversation", str(number), f"s{number}") for number in range(1, 21)),
        kind_of("creation", "3", "made"),
        kind_of("creation", None, "odd"),
        call(session="", user="", cost="0.5"),
    )
    found = usage(store.client, DAYS, now=MIDNIGHT + timedelta(days=2))
    assert found["days"] == 2
    assert found["per_day"] == {"cost_usd": Decimal("106.75"), "call_count": 11.5, "session_count": 11}
    conversation, creation = found["by_kind"]
    assert (conversation["mean_usd"], conversation["p50_usd"], conversation["p95_usd"]) == (Decimal("10.5"), 11, 20)
    assert (creation["session_count"], creation["unpriced_sessions"], creation["sessions_per_day"]) == (2, 1, 1)
    assert (creation["cost_usd"], creation["mean_usd"]) == (3, 3)
    of_nobody = usage(store.client, Selection(user="nobody"), now=NOON)
    assert (of_nobody["by_kind"], of_nobody["per_day"]["cost_usd"], of_nobody["cache"]["saved_usd"]) == ([], 0, 0)


@pytest.mark.long
def test_days_and_hours_in_a_zone(store: Store) -> None:
    """Half past eleven in the evening is the next day in Berlin; hours of the week are added over weeks."""
    late, berlin = at("23:30:00"), ZoneInfo("Europe/Berlin")
    store.insert(
        kind_of("conversation", "1", "a", at=late, lasted=0),
        kind_of("conversation", "2", "b", at=late - timedelta(days=7), lasted=0),
        kind_of("creation", "4", "c", at=at("09:00:00"), lasted=0),
        message(at("09:00:00"), session="words"),
    )
    for tz in (ZoneInfo("UTC"), berlin, ZoneInfo("Asia/Kathmandu")):
        selection = Selection(tz=tz)
        found, local = usage(store.client, selection), late.astimezone(tz)
        hours = {(row["weekday"], row["hour"]): row["cost_usd"] for row in found["by_hour"]}
        assert hours[local.isoweekday(), local.hour] == 3
        assert sum(hours.values()) == found["total"]["cost_usd"] == costs.total(store.client, selection)["cost_usd"]
        days = {(row["day"], row["kind"]): (row["session_count"], row["cost_usd"]) for row in found["by_day"]}
        assert days[f"{local:%Y-%m-%d}", "conversation"][1] == 1
        view = store.ask("select * from kind_sessions(since = null, until = null, tz = {tz:String})", tz=tz.key)
        assert days == {(str(row["day"]), row["kind"]): (row["session_count"], row["cost_usd"]) for row in view}
        assert sum(row["session_count"] for row in found["by_kind"]) == sum(row["session_count"] for row in view)


def test_percentiles_of_the_view(store: Store) -> None:
    """The same as the report's, of a day; null where no session has a cost."""
    store.insert(*(kind_of("x", str(number), f"s{number}") for number in range(1, 21)), kind_of("y", None, "odd"))
    ends = {"since": NOON - timedelta(hours=1), "until": NOON + timedelta(hours=1)}
    x, y = store.ask(
        "select * from kind_sessions(since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')},"
        " tz = 'UTC') order by kind",
        **ends,
    )
    (of_x, _) = usage(store.client, Selection(ends["since"], ends["until"]))["by_kind"]
    assert (x["p50_usd"], x["p95_usd"]) == (of_x["p50_usd"], of_x["p95_usd"]) == (11, 20)
    assert (y["p50_usd"], y["unpriced_sessions"], y["cost_usd"]) == (None, 1, 0)


def test_what_the_cache_saved(store: Store) -> None:
    """The cached tokens at the input rate of the same price, sound at that of sound, less what they cost."""
    text = {"input_tokens": 2000, "cache_read_tokens": 1000, "output_tokens": 10}
    sound = {
        "input_tokens": 1000, "input_audio_tokens": 800, "cache_read_tokens": 500, "cache_text_read_tokens": 100,
        "cache_audio_read_tokens": 400, "output_tokens": 0,
    }  # fmt: skip
    store.insert(priced(text), priced(sound, model="gpt-realtime"), priced())
    found = usage(store.client, ALL)["cache"]
    # gpt-4o: 2.50 and 1.25; gpt-realtime: 4 and 0.40 for text, 32 and 0.40 for sound; each for a million.
    expected = Decimal("0.00125") + Decimal("0.00036") + Decimal("0.01264")
    assert (found["saved_usd"], found["counted_calls"], found["not_counted"]) == (expected, 2, [])
    assert (found["cached_tokens"], found["share"]) == (1500, 1500 / 4000)


def test_what_the_cache_saved_where_it_cannot_be_told(store: Store) -> None:
    """Another's cost, a price that is not here, no price at all, and no total: named, and not counted."""
    cached = {"input_tokens": 2000, "cache_read_tokens": 1000}
    store.insert(
        priced(cached, gen_ai__usage__cost__source="provider"),
        priced(cached, otel_costs__cost__usd="9", otel_costs__cost__line__input_tokens="9"),
        priced(cached, model="nobody-knows"),
        priced({"cache_read_tokens": 1000}),
    )
    found = usage(store.client, ALL)["cache"]
    reasons = {row["reason"]: row["cached_tokens"] for row in found["not_counted"]}
    assert reasons == dict.fromkeys(
        ["cost_of_the_provider", "other_price_here", "unknown_model", "input_not_told"], 1000
    )
    assert (found["saved_usd"], found["not_counted_calls"]) == (None, 4)


def test_more_than_is_looked_at(store: Store) -> None:
    """Nothing is said to be saved, and why."""
    cached = {"input_tokens": 2000, "cache_read_tokens": 1000}
    store.insert(priced(cached), priced(cached))
    found = savings(store.client, ALL, most=1)
    assert (found["saved_usd"], found["not_counted_calls"], found["not_counted"][0]["reason"]) == (
        None,
        2,
        "too_many_calls",
    )


@pytest.mark.parametrize("selection", [ALL, Selection(user="u1"), Selection(kind="creation")])
def test_as_one_table(store: Store, selection: Selection) -> None:
    """Every part has its rows, and days, kinds and hours add up."""
    store.insert(kind_of("creation", "3", "made"), kind_of("conversation", "1", "said"))
    found = list(usage_rows(usage(store.client, selection)))
    assert all(tuple(row) == COLUMNS for row in found)
    sums = {
        part: sum(row["cost_usd"] for row in found if row["part"] == part) for part in ("total", "kind", "day", "hour")
    }
    assert set(sums.values()) == {sums["total"]}
