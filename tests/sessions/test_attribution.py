"""Who a call belongs to, and by which id it is known."""

import os
import random
import uuid

import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.calls.call import derived_id, random_id
from otel_costs.sessions.scope import attribution


def test_an_open_session_decides() -> None:
    """What a request says of its session does not move a call out of the one that is open."""
    with otel_costs.session("ours", user="anna"):
        found = attribution("request's user", "request's session")
        assert found == {"session.id": "ours", "user.id": "anna", names.SESSION_KIND: "conversation"}


def test_a_request_may_name_what_nobody_else_does() -> None:
    """Outside a session, or in one without a user, the request's own fields are taken."""
    assert attribution("bert", "s-1") == {"session.id": "s-1", "user.id": "bert"}
    with otel_costs.session("ours"):
        found = attribution("bert", "s-1")
        assert found == {"session.id": "ours", "user.id": "bert", names.SESSION_KIND: "conversation"}
    assert attribution() == {}


def test_ids_do_not_follow_the_seed_of_the_host() -> None:
    """`random.seed(42)` in two processes gives the same span ids, and different call ids."""
    found = set()
    for _ in range(2):
        random.seed(42)
        found.add(random_id())
    assert len(found) == 2
    assert {uuid.UUID(value).version for value in found} == {4}


def test_ids_are_new_in_a_child_and_when_the_clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a fork nor a clock repeats one."""
    monkeypatch.setattr("time.time_ns", lambda: 1)
    found = {random_id() for _ in range(1000)}
    assert len(found) == 1000
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, random_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as file:
        assert file.read() not in {*found, random_id()}


def test_a_job_has_the_same_id_wherever_it_is_seen() -> None:
    """The id of a job is made of the provider and of the provider's own id."""
    assert derived_id("openai", "batch_1") == derived_id("openai", "batch_1")
    assert len({derived_id("openai", "batch_1"), derived_id("openai", "batch_2"), derived_id("groq", "batch_1")}) == 3
    assert uuid.UUID(derived_id("openai", "\ud800")).version == 5
