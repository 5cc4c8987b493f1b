"""What-if, as scripts ask for it."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from otel_costs.local import Stack
from otel_costs.web import what_if_api
from tests.local.support import Answer

from .conftest import cookie
from .support import got, refusal, sent

NOW = datetime.now(UTC).replace(microsecond=0)
MINI = {"alternatives": [{"model": "gpt-4o-mini"}]}


def call(session: str, *, days: int = 0, **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(days=days)).isoformat()
    usage = {"input_tokens": 1500, "output_tokens": 800}
    named = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": usage}
    return {**named, "session": session, "user": "ada", "at": at, **more}


@pytest.fixture(scope="module")
def api(emptied_stack: Stack) -> str:
    """Fill the store: two sessions, speech, and a call that nobody can price."""
    api = f"{emptied_stack.http_url}/api/v1"
    heard: dict[str, Any] = {"operation": "speech_to_text", "model": "whisper-1", "usage": {"audio_seconds": 60}}
    calls = [call("a"), call("a", days=1), call("b", user="bob"), call("b", **heard), call("b", model="nobody-knows")]
    assert sent(f"{api}/calls", calls).status == 200
    return api


def asked(api: str, body: object, query: str = "") -> Answer:
    return sent(f"{api}/what-if?{query}", body)


def test_another_model(api: str) -> None:
    """The cost of the same usage, what stays, what has no price, and the lines that differ."""
    found = json.loads(asked(api, MINI, "range=30d").text)
    assert found["recorded"]["call_count"] == 5
    assert found["recorded"]["cost_usd"] == got(f"{api}/summary", range="30d")["cost_usd"] == "0.041250"
    (one,) = found["alternatives"]
    assert (one["label"], one["cost_usd"], one["recorded_usd"]) == ("gpt-4o-mini", "0.008115", "0.041250")
    assert (one["priced_calls"], one["kept_calls"], one["kept_usd"], one["not_priced_calls"]) == (3, 1, "0.006000", 1)
    assert [row["reason"] for row in one["not_priced"]] == ["unknown_model"]
    assert [line["unit"] for line in one["differences"]] == ["output_tokens", "input_tokens"]
    (output,) = (line for line in one["lines"] if line["unit"] == "output_tokens")
    assert (output["quantity"], output["rate_usd"], output["per"]) == (2400, "0.600000", 1_000_000)


def test_a_session_and_filters(api: str) -> None:
    """Of a session alone, of a user, of one operation; nothing is left of an unknown session."""
    for query, calls in (("session=a", 2), ("user=bob", 1), ("operation=speech_to_text", 1), ("session=nobody", 0)):
        assert json.loads(asked(api, MINI, query).text)["recorded"]["call_count"] == calls


@pytest.mark.long
def test_as_csv_and_as_numbers(api: str) -> None:
    """The amounts of an alternative add up to its cost in every form."""
    text = asked(api, MINI, "format=csv").text
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["alternative"] == "gpt-4o-mini"]
    assert sum(Decimal(row["amount_usd"] or 0) for row in rows) == Decimal("0.008115")
    assert [row["reason"] for row in rows if row["part"] == "not_priced"] == ["unknown_model"]
    numbers = json.loads(asked(api, MINI, "money=number").text, parse_float=Decimal)
    assert numbers["alternatives"][0]["cost_usd"] == Decimal("0.008115")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "alternatives"),
        ({"alternatives": []}, "at least 1"),
        ({"alternatives": [{}] * 17}, "at most 16"),
        ({"alternatives": [{"modell": "x"}]}, "modell"),
        ({"alternatives": [{"model": ""}]}, "at least 1"),
        ({**MINI, "prices_at": "soon"}, "is no date"),
        ({**MINI, "prices_at": "0001-01-01T00:00:00+14:00"}, "no time that can be stored"),
        ({**MINI, "prices_at": "9999-12-31T23:59:59-14:00"}, "no time that can be stored"),
    ],
)
def test_what_cannot_be_asked(api: str, body: object, said: str) -> None:
    """A field that is none, or a value that it cannot have, is named."""
    assert said in refusal(asked(api, body), 400)


def test_prices_of_another_time(api: str) -> None:
    """Of now, and of a moment."""
    for when in ("now", "2026-11-01", "2026-11-01T10:00:00Z"):
        found = json.loads(asked(api, {**MINI, "prices_at": when}).text)
        assert found["alternatives"][0]["priced_calls"] == 3
        assert found["prices_at"] is not None


@pytest.mark.usefixtures("api")
def test_too_many_calls(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a request has the time for are refused, and what to do instead is said."""
    monkeypatch.setattr(what_if_api, "MOST_PRICES", 2)
    said = refusal(sent(f"{program}/api/v1/what-if", MINI, cookie("clerk")), 400)
    assert "5 calls" in said
    assert "otel-costs price" in said


def test_who_reads_costs_may_ask(program: str) -> None:
    """It writes nothing, and needs no right to; to search in conversations is another right."""
    url = f"{program}/api/v1/what-if"
    assert sent(url, MINI, cookie("clerk")).status == 200
    assert "conversations" in refusal(sent(f"{url}?q=secret", MINI, cookie("clerk")), 403)
    assert refusal(sent(url, MINI, {**cookie("clerk"), "Origin": "https://evil.example"}), 403)
