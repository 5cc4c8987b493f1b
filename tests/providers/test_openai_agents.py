"""The Agents API: each token of a session once, at its model's price, whether the session is looked at or its turns."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

import otel_costs
from otel_costs import BudgetExceeded, CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import Driver, usd
from tests.support.recorded import Recorded

MODEL = "gpt-4o"
RATES = {"input": Decimal("2.5"), "cached": Decimal("1.25"), "output": Decimal(10)}
LOOKS = ("session", "turns", "turn", "sessions", "events")


def sessions(driver: Driver) -> Any:
    return driver.client.beta.agents.sessions


def create(driver: Driver, *, environment: Any = None, **agent: Any) -> Any:
    environment = environment or {"type": "none"}
    asked: Any = {"agent": {"model": MODEL, **agent}, "environment": environment, "input": "Where is my order?"}
    return driver.run(sessions(driver).create(**asked))


def go_on(driver: Driver, session_id: str) -> None:
    """Submit another message."""
    events: Any = [{"type": "agent.session.input.submit", "input": "And when?"}]
    driver.run(sessions(driver).events.create(session_id, events=events))


def look(driver: Driver, session_id: str, which: str) -> None:
    if which == "session":
        driver.run(sessions(driver).retrieve(session_id))
    elif which == "sessions":
        driver.read(sessions(driver).list())
    elif which == "events":
        driver.read(driver.run(sessions(driver).events.stream(session_id)))
    else:
        turns = driver.read(sessions(driver).turns.list(session_id))
        if which == "turn":
            driver.run(sessions(driver).turns.retrieve(turns[0].id, session_id=session_id))


def billed(recorded: Recorded) -> list[Mapping[str, Any]]:
    """Return the records that the store counts: of each id the newest, but for those that came to nothing."""
    found: dict[str, Mapping[str, Any]] = {}
    for call in sorted(recorded.calls, key=lambda call: call[names.CALL_REVISION]):
        found[call[names.CALL_ID]] = call
    assert all(call[names.CALL_REVISION] == 1 for call in found.values())
    return [call for call in found.values() if call.get(names.COST_USD) != "0"]


def total(calls: list[Mapping[str, Any]]) -> dict[str, int]:
    parts = {"input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens"}
    return {part: sum(call[name] for call in calls) for part, name in parts.items()}


def price(usage: Any) -> Decimal:
    cached = usage.input_tokens_details.cached_tokens
    fresh = (usage.input_tokens - cached) * RATES["input"] + cached * RATES["cached"]
    return Decimal(fresh + usage.output_tokens * RATES["output"]) / 1_000_000


def final(driver: Driver, session_id: str) -> Any:
    """Return the session as it is in the end, as somebody whom nobody watches sees it."""
    CostsInstrumentor().uninstrument()
    return driver.run(sessions(driver).retrieve(session_id))


def test_a_session_that_is_polled(driver: Driver, recorded: Recorded) -> None:
    """A session is pending until a look finds it idle, and billed once to who began it, at its agent's model."""
    with otel_costs.session("abc-123", user="user-1") as ours:
        begun = create(driver)
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_REASON]) == ("unpriced", "job_not_ended")
    for _ in range(4):
        look(driver, begun.id, "session")
    pending, call = recorded.calls
    assert pending[names.CALL_ID] == call[names.CALL_ID]
    assert call[names.RESPONSE_MODEL] == MODEL
    assert call[names.OPERATION_NAME] == "invoke_agent"
    assert call[names.COST_STATUS] == "priced"
    assert (call[names.SESSION_ID], call[names.USER_ID]) == ("abc-123", "user-1")
    ended = final(driver, begun.id)
    assert usd(call) == price(ended.usage) == ours.cost_usd


@pytest.mark.some(11)
@pytest.mark.parametrize("order", [(a, b) for a in LOOKS for b in ("session", "turns", "events")])
def test_every_token_once(order: tuple[str, ...], driver: Driver, recorded: Recorded) -> None:
    """Two turns, looked at in any way and order, come to what the session used."""
    begun = create(driver)
    for _ in range(2):
        driver.run(driver.client.get(f"/agents/sessions/{begun.id}", cast_to=object))
    go_on(driver, begun.id)
    for which in (*order, "session", "session", *order):
        look(driver, begun.id, which)
    calls = billed(recorded)
    ended = final(driver, begun.id)
    assert total(calls) == {"input": ended.usage.input_tokens, "output": ended.usage.output_tokens}
    assert sum(map(usd, calls)) == price(ended.usage)
    assert {call[names.RESPONSE_MODEL] for call in calls} == {MODEL}
    assert {call[names.COST_STATUS] for call in calls} == {"priced"}


def test_turns_alone(driver: Driver, recorded: Recorded) -> None:
    """A turn names no model; it has that of its session, and nothing is left pending."""
    begun = create(driver)
    look(driver, begun.id, "events")
    for _ in range(2):
        look(driver, begun.id, "turns")
    (call,) = billed(recorded)
    assert call[names.RESPONSE_ID].startswith("turn_")
    assert call[names.RESPONSE_MODEL] == MODEL
    assert usd(call) == price(final(driver, begun.id).usage)


def test_a_stream(driver: Driver, recorded: Recorded) -> None:
    """The events of a new session tell its model, its turn, and what the session came to: one bill."""
    asked: Any = {"agent": {"model": MODEL}, "environment": {"type": "none"}, "input": "Hello", "stream": True}
    events = driver.read(driver.run(driver.client.post(
        "/agents/sessions", cast_to=object, body=asked, stream=True, stream_cls=stream_class(driver)
    )))  # fmt: skip
    session_id = events[0]["session"]["id"]
    look(driver, session_id, "session")
    look(driver, session_id, "turns")
    call = recorded.call
    assert usd(call) == price(final(driver, session_id).usage)


def stream_class(driver: Driver) -> Any:
    import openai

    return openai.AsyncStream[object] if driver.kind == "async" else openai.Stream[object]


@pytest.mark.parametrize("tier", ["priority", "flex", "auto"])
def test_the_tier_of_an_agent(tier: str, driver: Driver, recorded: Recorded) -> None:
    """The agent's tier is that of its model's requests."""
    begun = create(driver, model="gpt-5", service_tier=tier)
    look(driver, begun.id, "session")
    look(driver, begun.id, "session")
    (call,) = billed(recorded)
    assert call[names.OPENAI_RESPONSE_SERVICE_TIER] == tier
    factor = {"priority": 2, "flex": Decimal("0.5"), "auto": 1}[tier]
    used = final(driver, begun.id).usage
    cached = used.input_tokens_details.cached_tokens
    standard = (
        (used.input_tokens - cached) * Decimal("1.25") + cached * Decimal("0.125") + used.output_tokens * 10
    ) / 1_000_000
    assert usd(call) == standard * factor


@pytest.mark.parametrize("watched", [False, True])
def test_searches_of_an_agent(watched: bool, driver: Driver, recorded: Recorded) -> None:
    """A search that is seen has its fee; where nobody tells whether there was one, the cost is an estimate."""
    begun = create(driver, tools=[{"type": "web_search", "mode": "live", "context_size": "medium"}])
    for _ in range(2):
        look(driver, begun.id, "events" if watched else "session")
    (call,) = billed(recorded)
    assert usd(call) == price(final(driver, begun.id).usage) + (Decimal("0.01") if watched else 0)
    assert call[names.COST_STATUS] == ("priced" if watched else "estimated")


@pytest.mark.parametrize(
    ("environment", "fee", "unknown"),
    [
        ({"type": "self_hosted"}, "0", []),
        ({"type": "openai_hosted", "container_size": "small"}, "0.03", []),
        ({"type": "openai_hosted", "container_size": "medium"}, "0.12", []),
        ({"type": "openai_hosted", "container_size": "large"}, "0.48", []),
        ({"type": "openai_hosted", "container_size": None}, "0.03", []),
        ({"type": "openai_hosted", "container_size": "huge"}, "0.03", ["huge"]),
        ({"type": "moon_hosted"}, "0", ["moon_hosted"]),
    ],
)
def test_environments(environment: Any, fee: str, unknown: list[str], driver: Driver, recorded: Recorded) -> None:
    """A hosted environment has the fee of a container of its size, once for a session, as an estimate."""
    begun = create(driver, environment=environment)
    for _ in range(2):
        look(driver, begun.id, "session")
    go_on(driver, begun.id)
    for _ in range(2):
        look(driver, begun.id, "session")
    calls = billed(recorded)
    assert sum(map(usd, calls)) == price(final(driver, begun.id).usage) + Decimal(fee)
    assert list(calls[0].get(names.COST_UNKNOWN, ())) == unknown
    expected = "partial" if unknown else "estimated" if fee != "0" else "priced"
    assert calls[0][names.COST_STATUS] == expected


def test_a_failed_turn(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A turn that failed is billed for what it used, with its error."""
    provider.script(Fault(outcome="failed"))
    begun = create(driver)
    look(driver, begun.id, "events")
    (call,) = billed(recorded)
    assert call[names.ERROR_TYPE] == "server_overloaded"


def test_sessions_of_others(driver: Driver, recorded: Recorded) -> None:
    """A list shows the sessions of everybody: those that this process has not seen are not billed to it."""
    CostsInstrumentor().uninstrument()
    begun = create(driver)
    driver.run(sessions(driver).retrieve(begun.id))
    CostsInstrumentor().instrument(**recorded.providers)
    look(driver, begun.id, "sessions")
    assert recorded.calls == []
    look(driver, begun.id, "session")  # who asks for one by its id has to do with it
    assert len(billed(recorded)) == 1


def test_a_spent_budget(driver: Driver, recorded: Recorded) -> None:
    """Nothing new is started when a budget is spent; what runs can be looked at."""
    with otel_costs.session("abc-123", budget_usd="0.000001"):
        begun = create(driver)
        look(driver, begun.id, "session")
        look(driver, begun.id, "session")
        assert len(billed(recorded)) == 1
        with pytest.raises(BudgetExceeded):
            create(driver)
        look(driver, begun.id, "turns")


def test_an_unknown_key(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A key of the usage that nobody knows makes the session's bill a lower bound."""
    begun = create(driver)
    look(driver, begun.id, "session")
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110, "holographic_tokens": 5}
    provider.script(Fault(usage=usage))
    look(driver, begun.id, "session")
    call = recorded.calls[-1]
    assert (call[names.COST_STATUS], list(call[names.COST_UNKNOWN])) == ("partial", ["holographic_tokens"])
