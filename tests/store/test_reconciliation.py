"""What was recorded, in the figures that a provider reports."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from otel_costs.store import reconciliation
from otel_costs.store.reconciliation import Asked
from tests.queries.ledger import NOON, Store, at, call
from tests.queries.test_missing_calls import settle

DAY = NOON.replace(hour=0)
ASKED = Asked(("openai",), DAY, DAY + timedelta(days=1))


def usage(store: Store, asked: Asked = ASKED) -> list[dict[str, Any]]:
    """Return the rows without what is unknown."""
    found = reconciliation.recorded_usage(store.client, asked)
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def test_usage_of_a_day(store: Store) -> None:
    """A row per day and model, with the units that were stated; nothing of before, after and other providers."""
    tokens: dict[str, Any] = {"gen_ai__usage__input_tokens": 10, "gen_ai__usage__cache_read__input_tokens": 4}
    store.insert(
        call(at("00:00:00"), **tokens, gen_ai__usage__output_tokens=3),
        call(at("23:59:59.999"), **tokens),
        call(DAY - timedelta(milliseconds=1), **tokens),
        call(DAY + timedelta(days=1), **tokens),
        call(gen_ai__provider__name="groq", **tokens),
        call(gen_ai__response__model="tts-1", otel_costs__usage__input_characters=7),
    )
    day = NOON.date()
    assert usage(store) == [
        {
            "day": day, "provider": "openai", "model": "gpt-4o-2024-08-06", "requests": 2, "jobs": 0,
            "input_tokens": 20, "cache_read_tokens": 8, "output_tokens": 3,
        },
        {"day": day, "provider": "openai", "model": "tts-1", "requests": 1, "jobs": 0, "input_characters": 7},
    ]  # fmt: skip


def test_a_call_that_failed(store: Store) -> None:
    """It is no request when it did not say what it used, and one when it did."""
    store.insert(
        call(error__type="RateLimitError", otel_costs__cost__reason="request_refused", cost="0"),
        call(error__type="APIConnectionError", otel_costs__cost__reason="usage_unknown", cost=None),
        call(error__type="cancelled", gen_ai__usage__input_tokens=5),
    )
    (row,) = usage(store)
    assert (row["requests"], row["input_tokens"]) == (1, 5)


def test_costs_of_a_day(store: Store) -> None:
    """The sum of what is known to the last digit, of whatever operation, and how many calls have no price."""
    store.insert(
        call(cost="0.000000000001"),
        call(cost="0.1", gen_ai__operation__name="video_generation"),
        call(cost=None),
    )
    (row,) = reconciliation.recorded_costs(store.client, ASKED)
    assert (row["cost_usd"], row["unpriced_calls"]) == (Decimal("0.100000000001"), 1)


def test_one_service(store: Store) -> None:
    """Of services alone, if there are any."""
    store.insert(call())
    for services, rows in ((("shop",), 1), (("other", "shop"), 1), (("other",), 0)):
        asked = Asked(("openai",), ASKED.since, ASKED.until, services)
        assert len(usage(store, asked)) == rows
        assert len(reconciliation.recorded_costs(store.client, asked)) == rows


def test_records_that_never_arrived(store: Store) -> None:
    """They are counted for the processes that were at work then, and for no other day."""
    store.insert(call(otel_costs__call__seq=1), call(otel_costs__call__seq=4))
    settle(store)
    assert reconciliation.missing_calls(store.client, ASKED) == 2
    assert reconciliation.missing_calls(store.client, Asked(("openai",), ASKED.since, ASKED.until, ("other",))) == 0
    assert reconciliation.missing_calls(store.client, Asked(("openai",), ASKED.until, ASKED.until + timedelta(1))) == 0
