"""Pseudonyms of users: the name itself is nowhere, and finds all that is recorded of it."""

import logging
import re
from typing import Any

import openai
import pytest
from opentelemetry import baggage, context

import otel_costs
from otel_costs import semconv as names
from otel_costs.privacy import pseudonyms
from otel_costs.sessions import baggage as ours
from otel_costs.stand_in import Provider
from otel_costs.store.selection import Selection
from otel_costs.web.models import TrackedCall
from otel_costs.web.tracking import call_id_of, tracked
from tests.queries.ledger import NOON
from tests.support.recorded import Recorded

SALT = "a long salt of the tests"
NAME = "ada@example.com"


@pytest.fixture(autouse=True)
def salt(monkeypatch: pytest.MonkeyPatch) -> str:
    """Set a salt, and return the pseudonym of NAME."""
    pseudonyms._log_once.cache_clear()
    monkeypatch.setenv("OTEL_COSTS_USER_HASH", SALT)
    return pseudonyms.asked(NAME)


def test_a_pseudonym(salt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the same name and salt, its own, and another with another salt; without one a name is itself."""
    assert re.fullmatch("u~[0-9a-f]{24}", salt)
    assert pseudonyms.recorded(NAME) == salt == pseudonyms.recorded(salt)
    assert pseudonyms.names(NAME) == (salt, NAME)
    assert pseudonyms.recorded("") == ""
    monkeypatch.setenv("OTEL_COSTS_USER_HASH", SALT[::-1])
    assert pseudonyms.recorded(NAME) not in (salt, NAME)
    monkeypatch.delenv("OTEL_COSTS_USER_HASH")
    assert pseudonyms.recorded(NAME) == NAME
    assert pseudonyms.names(NAME) == (NAME,)


@pytest.mark.parametrize("bad", ["", "  ", "short"])
def test_a_salt_that_is_none(
    bad: str, monkeypatch: pytest.MonkeyPatch, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """No user is recorded, never a plain name instead, and one line says why."""
    monkeypatch.setenv("OTEL_COSTS_USER_HASH", bad)
    for number in range(2):
        with otel_costs.session(f"s{number}", user=NAME):
            otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 1})
    assert [found.get(names.USER_ID) for found in recorded.calls] == [None, None]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert "OTEL_COSTS_USER_HASH" in said[0]
    assert NAME not in caplog.text
    with pytest.raises(ValueError, match="OTEL_COSTS_USER_HASH"):
        pseudonyms.stored(NAME)


def test_no_record_has_the_name(
    salt: str, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a session's user, of the fields of a request, and of baggage: spans, records, metrics, logs."""
    caplog.set_level(logging.DEBUG)
    client = openai.OpenAI(base_url=provider.base_url, api_key="sk-none")
    said = [{"role": "user", "content": "hi"}]
    with otel_costs.session("s1", user=NAME) as session:
        client.chat.completions.create(model="gpt-4o", messages=said)  # type: ignore[arg-type]
    assert session.user == NAME
    for field in ({"user": NAME}, {"safety_identifier": NAME}):
        client.chat.completions.create(model="gpt-4o", messages=said, **field)  # type: ignore[call-overload]
    monkeypatch.setattr(ours, "mode", "in")
    token = context.attach(baggage.set_baggage(names.USER_ID, NAME))
    client.chat.completions.create(model="gpt-4o", messages=said)  # type: ignore[arg-type]
    context.detach(token)
    assert [found[names.USER_ID] for found in recorded.calls] == [salt] * 4
    spans = "".join(span.to_json() for span in recorded.spans)
    everything = [spans, repr(recorded.log_exporter.get_finished_logs()), str(recorded.metrics()), caplog.text]
    assert NAME not in "".join(everything)


def test_the_name_does_not_leave_in_baggage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session goes, the user does not; what the application put there itself stays its own."""
    monkeypatch.setattr(ours, "mode", "both")
    token = context.attach(baggage.set_baggage(names.USER_ID, "own"))
    try:
        with otel_costs.session("s1", user=NAME):
            assert baggage.get_baggage(names.SESSION_ID) == "s1"
            assert baggage.get_baggage(names.USER_ID) is None
        assert baggage.get_baggage(names.USER_ID) == "own"
    finally:
        context.detach(token)


def test_a_call_that_a_program_tells(salt: str) -> None:
    """Its record has the pseudonym, whether the program sends the name or the pseudonym."""
    said: Any = {"operation": "chat", "provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 1}}
    told = [TrackedCall(**said, user=user, idempotency_key="k") for user in (NAME, salt)]
    ids = {call_id_of(one) for one in told}
    assert len(ids) == 1
    for one in told:
        assert tracked(one, ids.copy().pop(), None, NOON).attributes[names.USER_ID] == salt


def test_what_is_asked_of_a_user(salt: str) -> None:
    """Every filter of commands and API means the pseudonym, by the name or by itself."""
    assert Selection(user=NAME).user == salt == Selection(user=salt).user
    assert Selection(user="").user == ""
    assert Selection().user is None


def test_a_long_name() -> None:
    """It is cut before it is hashed: the pseudonym is the same wherever it is told, and wherever it is asked for."""
    for long in (NAME * 40, "\u00fc" * 200):
        call = TrackedCall(operation="chat", provider="openai", usage={}, user=long)
        told = tracked(call, call_id_of(call), None, NOON).attributes[names.USER_ID]
        with otel_costs.session("s", user=long) as session:
            assert session.attributes[names.USER_ID] == told
        assert told == pseudonyms.asked(long) == pseudonyms.stored(long) == Selection(user=long).user
        assert pseudonyms.names(long)[0] == told
        assert long in pseudonyms.names(long)
