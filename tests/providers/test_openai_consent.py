"""Consent: a session that says no has nothing of its content recorded, wherever content goes otherwise."""

import hashlib
import logging
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.sessions.scope import current_scope
from otel_costs.stand_in import Provider
from tests.providers.conftest import Driver
from tests.providers.test_openai_content import (
    ALL,
    ANSWERED,
    SENTINEL,
    chat,
    everything,
    refused,
)
from tests.providers.test_openai_realtime import PIECE, Wire, _message
from tests.support.recorded import Recorded


@pytest.fixture(autouse=True)
def switched_on(recorded: Recorded) -> Iterator[None]:
    """Record content on spans and in message records."""
    content.configure(content.Capture.SPAN_AND_EVENT)
    yield
    content.configure(content.Capture.NO_CONTENT)


@pytest.mark.parametrize("ask", [ask for ask in ALL if ask is not refused])
@pytest.mark.parametrize("session_id", ["abc", None])
def test_nothing_is_recorded(
    ask: object,
    session_id: str | None,
    driver: Driver,
    provider: Provider,
    recorded: Recorded,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On spans, in records, metrics and logs; the call itself is, and its cost."""
    caplog.set_level(logging.DEBUG)
    provider.script(ANSWERED)
    with otel_costs.session(session_id, content=False):
        ask(driver)  # type: ignore[operator]
    assert SENTINEL not in everything(recorded, caplog)
    assert recorded.spans


def test_it_is_told_as_not_recorded(provider: Provider, recorded: Recorded) -> None:
    """Messages are there without content, with ids and hashes that nobody can try words with."""
    driver = Driver("sync", provider.base_url)
    with otel_costs.session("abc", content=False):
        chat(driver)
    with otel_costs.session("abd"):
        chat(driver)
    ours = [message for message in recorded.messages if message[names.SESSION_ID] == "abc"]
    others = [message for message in recorded.messages if message[names.SESSION_ID] == "abd"]
    assert [one[names.MESSAGE_ROLE] for one in ours] == [one[names.MESSAGE_ROLE] for one in others]
    assert {one["body"] for one in ours} == {None}
    assert any(one["body"] for one in others)
    hashes = [{one[names.MESSAGE_SHA256] for one in some if names.MESSAGE_SHA256 in one} for some in (ours, others)]
    assert hashes[0]
    assert not hashes[0] & hashes[1]


@pytest.mark.parametrize("inner", [None, True])
def test_what_is_opened_in_it_has_none_either(inner: bool | None, provider: Provider, recorded: Recorded) -> None:
    """Inner sessions, steps, threads and what is pickled; behind it, all is as before."""
    driver = Driver("sync", provider.base_url)
    with otel_costs.session("outer", content=False):
        with otel_costs.session("inner", content=inner), otel_costs.step("plan"):
            chat(driver)
            scope = pickle.loads(pickle.dumps(current_scope()))
            with ThreadPoolExecutor(1) as threads:
                threads.submit(chat, driver).result()
        assert not scope.content
        assert not scope.session.content
    assert {message["body"] for message in recorded.messages} == {None}
    chat(driver)
    assert any(message["body"] for message in recorded.messages)


def test_a_realtime_conversation(recorded: Recorded) -> None:
    """What was said, heard and instructed, on a connection of that session."""
    with otel_costs.session("abc", content=False):
        wire = Wire().created()
        _instruct(wire)
        wire.append(PIECE)
        wire.commit("item_user")
        wire.transcribe("item_user", SENTINEL, {"type": "duration", "seconds": 1})
        wire.begin("resp_1")
        wire.done("resp_1", output=[_message("item_answer", SENTINEL)])
        wire.close()
    messages = recorded.messages
    assert {message[names.MESSAGE_ROLE] for message in messages} == {"system", "user", "assistant"}
    assert SENTINEL not in str(messages) + "".join(span.to_json() for span in recorded.spans)
    assert hashlib.sha256(PIECE).hexdigest() not in str(messages)
    instructed = {message[names.MESSAGE_ID] for message in messages if message[names.MESSAGE_ROLE] == "system"}
    with otel_costs.session("abc"):
        wire = Wire().created()
        _instruct(wire)
        wire.close()
    assert SENTINEL in str(recorded.messages)
    again = {message[names.MESSAGE_ID] for message in recorded.messages if message["body"] == SENTINEL}
    assert not instructed & again


@pytest.mark.parametrize("session_id", ["abc", None])
@pytest.mark.parametrize("goes_on_in", [None, "other"])
def test_a_connection_that_outlives_the_session(
    session_id: str | None, goes_on_in: str | None, recorded: Recorded
) -> None:
    """Who did not agree when it was opened has not agreed to what is said on it later, wherever that is read."""
    with otel_costs.session(session_id, content=False):
        wire = Wire()
    with otel_costs.session(goes_on_in):
        wire.created()
        _instruct(wire)
        wire.begin("resp_1")
        wire.done("resp_1", output=[_message("item_answer", SENTINEL)])
        wire.close()
    assert recorded.messages
    assert SENTINEL not in str(recorded.messages) + "".join(span.to_json() for span in recorded.spans)


def test_a_connection_that_is_used_in_a_session_without_an_id(recorded: Recorded) -> None:
    """Has a session of its own, and loses nothing."""
    wire = Wire()
    with otel_costs.session(None):
        wire.created()
        _instruct(wire)
        wire.begin("resp_1")
        wire.done("resp_1", output=[_message("item_answer", SENTINEL)])
        wire.close()
    assert len({message[names.SESSION_ID] for message in recorded.messages}) == 1
    assert SENTINEL in str(recorded.messages)


def _instruct(wire: Wire) -> None:
    wire.client("session.update", session={"type": "realtime", "instructions": SENTINEL})
    wire.server("session.updated", session={"type": "realtime", "model": "gpt-realtime"})


def test_events_that_the_application_brings(recorded: Recorded) -> None:
    """Those of a transport of its own belong to the session that they are brought for."""
    with otel_costs.session("outer", content=False), otel_costs.session("abc") as session:
        created = {"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime"}}
        otel_costs.observe_realtime_event(session, "server", created)
        response = {"id": "resp_1", "status": "completed", "output": [_message("item_1", SENTINEL)], "usage": None}
        otel_costs.observe_realtime_event(session, "server", {"type": "response.done", "response": response})
    assert recorded.messages
    assert SENTINEL not in str(recorded.messages)
