"""reprice(): a newer price for calls that are stored, by the code that prices them when they are made."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otel_costs import pricing
from otel_costs.store import reports
from otel_costs.store.reprice import Chosen, reprice
from tests.queries.ledger import NOON, LogRow, Store, at, call, job, only

PRICES = """
version: acme-1
currency: USD
prices:
  - provider: openai
    match: {model: house-model}
    rates:
      input_tokens: {usd: "3", per: 1000000}
      output_tokens: {usd: "7", per: 1000000}
    source: https://example.com/prices
    checked: 2026-11-22
  - provider: openai
    match: {model: house-model/large}
    rates:
      images: {usd: "0.25", per: 1}
    source: https://example.com/prices
    checked: 2026-11-22
  - provider: openai
    match: {model: long-house}
    rates:
      input_tokens: {usd: "3", per: 1000000}
      output_tokens: {usd: "7", per: 1000000}
    source: https://example.com/prices
    checked: 2026-11-22
  - provider: openai
    match: {model: long-house}
    when: {input_tokens_above: 500}
    rates:
      input_tokens: {usd: "6", per: 1000000}
      output_tokens: {usd: "14", per: 1000000}
    source: https://example.com/prices
    checked: 2026-11-22
"""


@pytest.fixture
def prices(tmp_path: Path) -> Iterator[None]:
    """Put prices of a model into force that no list of ours has."""
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES)
    pricing.use(pricing.load(str(file)))
    yield
    pricing.use(None)


def used(**attributes: Any) -> LogRow:
    """Return the record of a call of that model: 1,000 tokens in, 100 out, at a price of its own."""
    given: dict[str, Any] = {
        "cost": None,
        "gen_ai__response__model": "house-model",
        "gen_ai__usage__input_tokens": 1000,
        "gen_ai__usage__output_tokens": 100,
        "otel_costs__cost__reason": "unknown_model",
        "gen_ai__usage__cost__source": None,
    }
    return call(**{**given, **attributes})


def costs(store: Store) -> list[tuple[Any, ...]]:
    """Return what every billed call costs, and how that is known."""
    found = store.ask("select * from billed_calls order by end_time, call_id")
    return only(found, "cost_usd", "computed_usd", "cost_status", "cost_reason", "revision")


@pytest.mark.usefixtures("prices")
def test_a_call_without_a_price_gets_one(store: Store) -> None:
    """3 and 7 dollars a million, exact, in calls, lines and sessions; what was used and who did it stay."""
    store.insert(used(otel_costs__step="plan", otel_costs__tag__kb="law"))
    before = store.one("select * from billed_calls")
    result = reprice(store.client, Chosen())
    (changed,) = result.sums.values()
    assert (result.checked, changed.calls, changed.unpriced_before, changed.unpriced_after) == (1, 1, 1, 0)
    assert (changed.before_usd, changed.after_usd) == (Decimal(0), Decimal("0.0037"))
    after = store.one("select * from billed_calls")
    assert after["cost_usd"] == Decimal("0.0037")
    assert after["cost_lines"] == {"input_tokens": Decimal("0.003"), "output_tokens": Decimal("0.0007")}
    assert (after["text_input_usd"], after["text_output_usd"]) == (Decimal("0.003"), Decimal("0.0007"))
    assert after["price_book"].startswith("acme-1")
    filled = {name for name in before if before[name] != after[name]}
    assert filled == {
        "cost_usd", "cost_lines", "cost_status", "cost_reason", "cost_source", "price_id", "price_book", "line_kinds",
        "itemized", "list_usd", "contracted_usd", "text_input_usd", "text_output_usd", "revision", "repriced",
        "inserted_at",
    }  # fmt: skip
    assert store.one("select cost_usd, unpriced_calls from sessions") == {
        "cost_usd": Decimal("0.0037"),
        "unpriced_calls": 0,
    }


@pytest.mark.usefixtures("prices")
def test_the_second_time_there_is_nothing_to_do(store: Store) -> None:
    """Neither is there after a late copy of the old record, nor for a book that says the same."""
    record = used()
    store.insert(record)
    reprice(store.client, Chosen())
    store.insert(record)
    again = reprice(store.client, Chosen())
    assert (again.checked, again.sums) == (1, {})
    assert costs(store) == [(Decimal("0.0037"), None, "priced", "", 1)]


@pytest.mark.usefixtures("prices")
def test_a_dry_run_writes_nothing(store: Store) -> None:
    """It says the same."""
    store.insert(used())
    (changed,) = reprice(store.client, Chosen(), dry_run=True).sums.values()
    assert changed.after_usd == Decimal("0.0037")
    assert costs(store) == [(None, None, "unpriced", "unknown_model", 0)]


@pytest.mark.usefixtures("prices")
def test_what_the_provider_reported_stays_the_cost(store: Store) -> None:
    """Our own price beside it becomes the new one."""
    store.insert(used(cost="0.005", gen_ai__usage__cost__source="provider", otel_costs__cost__computed_usd="0.004"))
    (changed,) = reprice(store.client, Chosen()).sums.values()
    assert (changed.calls, changed.computed_only, changed.before_usd) == (1, 1, changed.after_usd)
    assert costs(store)[0][:3] == (Decimal("0.005"), Decimal("0.0037"), "priced")


@pytest.mark.some(2)
@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"otel_costs__cost__reason": "stream_closed_early"}, ("0.0037", "estimated", "stream_closed_early")),
        ({"otel_costs__usage__invalid": '["images"]'}, ("0.0037", "partial", "invalid_usage")),
        ({"otel_costs__cost__reason": "unknown_model,usage_estimated"}, ("0.0037", "estimated", "usage_estimated")),
        ({"otel_costs__usage__web_searches": 2}, ("0.0037", "partial", "unit_not_priced")),
        ({"otel_costs__cost__reason": "no_usage"}, ("0.0037", "partial", "no_usage")),  # tools alone were told
        ({"otel_costs__cost__reason": "region_not_priced"}, ("0.0037", "estimated", "region_not_priced")),
        (
            {"otel_costs__cost__reason": "region_not_priced", "server__address": "eu.api.openai.com"},
            ("0.0037", "priced", ""),  # of a price before: the host says the region, and a price knows it now
        ),
        ({"otel_costs__cost__reason": "zone_not_priced"}, ("0.0037", "priced", "")),  # of a price before
        ({"otel_costs__cost__reason": "window_not_priced"}, ("0.0037", "estimated", "window_not_priced")),
        (
            {"otel_costs__cost__reason": "unknown_usage", "otel_costs__cost__unknown": '["holographic_tokens"]'},
            ("0.0037", "partial", "unknown_usage"),
        ),
        (
            {"otel_costs__cost__reason": "unknown_option", "otel_costs__cost__unknown": '["tool:teleport"]'},
            ("0.0037", "partial", "unknown_option"),
        ),
        (
            {
                "otel_costs__price__model": "house-model/large",
                "otel_costs__usage__images": 2,
                "gen_ai__usage__input_tokens": None,
                "gen_ai__usage__output_tokens": None,
            },
            ("0.5", "priced", ""),
        ),
    ],
)
def test_what_was_known_of_a_call_is_not_forgotten(
    store: Store, attributes: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    """A doubt about its usage stays a doubt, and what its price was listed under is looked up again."""
    store.insert(used(**attributes))
    reprice(store.client, Chosen())
    usd, _, status, reason, _ = costs(store)[0]
    assert (usd, status, reason) == (Decimal(expected[0]), *expected[1:])


@pytest.mark.usefixtures("prices")
def test_what_has_no_price_of_its_own_is_left_alone(store: Store) -> None:
    """A refused request costs nothing, an unknown usage is unknown, a job that has not ended has no cost yet."""
    nothing: dict[str, Any] = {"gen_ai__usage__input_tokens": None, "gen_ai__usage__output_tokens": None}
    store.insert(
        used(cost="0", otel_costs__cost__reason="request_refused", gen_ai__usage__cost__source="local"),
        used(otel_costs__cost__reason="usage_unknown", **nothing),
        job(cost=None, revision=0, otel_costs__cost__reason="job_not_ended"),
    )
    before = costs(store)
    assert reprice(store.client, Chosen()).sums == {}
    assert costs(store) == before


@pytest.mark.long
@pytest.mark.usefixtures("prices")
def test_a_job_of_two_sessions_stays_one_call(store: Store) -> None:
    """Who has it keeps it, at the new price, and copies that come later change nothing."""
    facts: dict[str, Any] = {
        "cost": None, "gen_ai__response__model": "house-model", "gen_ai__usage__input_tokens": 1000,
        "otel_costs__cost__reason": "unknown_model",
    }  # fmt: skip
    store.insert(job(session="a", **facts))
    reprice(store.client, Chosen())
    store.insert(job(session="b", **facts))
    store.insert(job(session="a", **facts))
    assert only(store.ask("select * from billed_calls"), "session_id", "cost_usd") == [("a", Decimal("0.003"))]


@pytest.mark.some(4)
@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (Chosen(), 3),
        (Chosen(user="u2"), 1),
        (Chosen(session="s1"), 2),
        (Chosen(model="house-model"), 3),
        (Chosen(model="gpt-4o"), 3),
        (Chosen(model="other"), 0),
        (Chosen(provider="azure"), 0),
        (Chosen(unpriced=True), 2),
        (Chosen(since=NOON), 1),
        (Chosen(until=NOON), 2),
    ],
)
def test_what_is_chosen(store: Store, chosen: Chosen, count: int) -> None:
    """By who, what and when; the rest is not even looked at."""
    store.insert(
        used(at=at("10:00:00")),
        used(at=at("10:00:00"), cost="0.001", otel_costs__cost__reason=None),
        used(at=NOON + timedelta(days=1), user="u2", session="s2"),
    )
    assert reprice(store.client, chosen, dry_run=True).checked == count


@pytest.mark.usefixtures("prices")
def test_a_re_price_is_no_arrival(store: Store) -> None:
    """Numbers that were forgotten with time do not come back and leave gaps between them."""
    store.insert(used(), used())
    store.client.command("truncate table call_sequences")
    reprice(store.client, Chosen())
    assert store.one("select count() as n from call_sequences") == {"n": 0}
    assert len(reports.session_calls(store.client, "s1")) == 2


@pytest.mark.long
@pytest.mark.usefixtures("prices")
def test_a_users_calls_are_those_of_every_report(store: Store) -> None:
    """Also those that name the session alone, and no other's that do."""
    store.insert(
        used(user="ada", session="s1"),
        used(at=at("12:00:01"), user="", session="s1"),
        used(at=at("12:00:02"), user="", session="s2"),
        used(at=at("12:00:03"), user="bob", session="s2"),
    )
    result = reprice(store.client, Chosen(user="ada"))
    assert result.checked == 2
    assert reports.user_report(store.client, "ada")["cost_usd"] == Decimal("0.0074")
    assert reports.user_report(store.client, "bob")["unpriced_calls"] == 2


@pytest.mark.some(2)
@pytest.mark.usefixtures("prices")
@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, ("0.0074", "priced", "")),
        ({"gen_ai__operation__name": "batch"}, ("0.0037", "estimated", "several_requests")),
        ({"gen_ai__operation__name": "invoke_agent"}, ("0.0037", "estimated", "several_requests")),
        ({"gen_ai__operation__name": "evaluation", "otel_costs__usage__requests": 1}, ("0.0074", "priced", "")),
        ({"otel_costs__cost__reason": "several_requests"}, ("0.0074", "priced", "")),
    ],
)
def test_a_stored_sum_is_one_still(store: Store, attributes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    """Its operation says that it is, as when it was made: what several prompts are together is no long one."""
    store.insert(used(gen_ai__response__model="long-house", **attributes))
    reprice(store.client, Chosen())
    usd, status, reason = expected
    ((cost, _, *said),) = [found[:4] for found in costs(store)]
    assert (cost, *said) == (Decimal(usd), status, reason)
