"""The handlers: the JSON that ClickHouse serves, as it reads it back itself."""

import json
from typing import Any

import pytest

from otel_costs.store import reports
from otel_costs.store.rendering import as_json

from .ledger import Store, at, call, message


def get(store: Store, handler: str, **parameters: object) -> Any:
    """Run a handler's query the way the HTTP interface does: with the parameters that the request has, no others."""
    query = store.one("select query from system.handlers where name = {name:String}", name=handler)["query"]
    body = store.client.raw_query(query, parameters=parameters)
    return json.loads(body) if body else None


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with two sessions of two users."""
    store.insert(
        call(
            at("10:34:05.500"),
            session="abc-123",
            user="user-1",
            lasted=1.5,
            cost="0.07425",
            lines={"input_tokens": "0.00625", "output_tokens": "0.068"},
            otel_costs__scenario="customer_service",
            otel_costs__tag__kb_id="kb_finance",
            gen_ai__usage__input_tokens=1250,
            gen_ai__usage__output_tokens=3400,
        ),
        message(at("10:30:00"), "Wie geht's? 🙂", session="abc-123", user="user-1"),
        message(
            at("10:30:01"),
            "12 °C",
            message_id="m2",
            session="abc-123",
            user="user-1",
            role="function",
            otel_costs__message__type="function_result",
            otel_costs__message__function_name="weather",
            otel_costs__message__arguments='{"city": "Oslo"}',
        ),
        call(at("09:00:00"), session="other", user="user-2", cost=None),
    )
    return store


def test_a_session_in_the_shape_of_the_design(filled: Store) -> None:
    """Exact strings for money, numbers for the rest, times in ISO 8601, messages in order."""
    day = f"{at('10:30:00'):%Y-%m-%d}"
    assert get(filled, "session", id="abc-123") == {
        "session_id": "abc-123",
        "user_id": "user-1",
        "kind": "conversation",
        "scenario": "customer_service",
        "tags": {"kb_id": "kb_finance"},
        "start_time": f"{day}T10:30:00.000Z",
        "end_time": f"{day}T10:34:05.500Z",
        "duration_seconds": 245.5,
        "message_count": 2,
        "call_count": 1,
        "cost_usd": "0.074250",
        "unpriced_calls": 0,
        "error_count": 0,
        "messages": [
            {
                "timestamp": f"{day}T10:30:00.000Z",
                "role": "user",
                "type": "text",
                "content": "Wie geht's? 🙂",
                "metadata": {},
                "call_id": "",
            },
            {
                "timestamp": f"{day}T10:30:01.000Z",
                "role": "function",
                "type": "function_call",
                "content": "12 °C",
                "metadata": {"function_name": "weather", "arguments": '{"city": "Oslo"}'},
                "call_id": "",
            },
        ],
        "cost": {
            "cost_usd": "0.074250",
            "tokens": {"text_input": 1250, "text_output": 3400, "audio_input": 0, "audio_output": 0, "cached_input": 0},
            "audio_seconds": 0,
            "characters": 0,
            "cost_breakdown": {
                "text_input": "0.006250",
                "text_output": "0.068000",
                "audio_input": "0",
                "audio_output": "0",
                "speech_to_text": "0",
                "text_to_speech": "0",
                "other": "0",
            },
        },
    }


def test_the_session_list(filled: Store) -> None:
    """The newest first, and how many there are whatever the limit."""
    listed = get(filled, "sessions")
    assert [(session["session_id"], session["cost_usd"]) for session in listed["sessions"]] == [
        ("abc-123", "0.074250"),
        ("other", None),
    ]
    assert listed["sessions"][1]["unpriced_calls"] == 1
    assert listed["total"] == 2
    first = get(filled, "sessions", limit=1)
    assert (len(first["sessions"]), first["total"]) == (1, 2)
    theirs = get(filled, "sessions", user="user-2")
    assert ([session["session_id"] for session in theirs["sessions"]], theirs["total"]) == (["other"], 1)
    assert get(filled, "sessions", user="nobody") == {"sessions": [], "total": 0}


def test_no_such_session(filled: Store) -> None:
    """The answer is empty, which the HTTP interface can tell from a session."""
    assert get(filled, "session", id="none") is None


@pytest.mark.some(1)
@pytest.mark.parametrize("name", ["it's", "' or 1=1 --", "\\", "a\nb", "{id:String}"])
def test_whatever_is_asked_for_is_a_value(store: Store, name: str) -> None:
    """An id or a user in a request is never read as SQL."""
    store.insert(call(session=name, user=name), call(session="s2", user="u2"))
    assert get(store, "session", id=name)["session_id"] == name
    assert [session["user_id"] for session in get(store, "sessions", user=name)["sessions"]] == [name]


def test_the_command_says_the_same(filled: Store) -> None:
    """What the reports render in Python is what ClickHouse serves."""
    assert json.loads(as_json(reports.session(filled.client, "abc-123"))) == get(filled, "session", id="abc-123")
    assert json.loads(as_json(reports.sessions(filled.client))) == get(filled, "sessions")


@pytest.mark.some(1)
@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ("1", "1.000000"),
        ("0.000001", "0.000001"),
        ("0.0000000001", "0.0000000001"),
        ("0.123456789012", "0.123456789012"),
        ("1234567.5", "1234567.500000"),
        ("0", "0"),
    ],
)
def test_money_is_exact_with_six_decimals_at_least(store: Store, cost: str, expected: str) -> None:
    """The same in SQL and in Python."""
    store.insert(call(cost=cost))
    assert get(store, "session", id="s1")["cost"]["cost_usd"] == expected
    assert json.loads(as_json(reports.session(store.client, "s1")))["cost_usd"] == expected
