"""Live sessions in budgets: they are let on for some seconds at a time, end a turn, and stop when nothing is left."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import pytest

import otel_costs
from otel_costs.calls import estimate
from otel_costs.calls.estimate import Kind
from otel_costs.providers.openai_live.connection import LiveConnection
from otel_costs.runtime import background, telemetry
from otel_costs.sessions import shared_budgets
from otel_costs.sessions.budget_feed import StoredBudget
from otel_costs.sessions.reservations import Limit
from otel_costs.sessions.session import BudgetExceeded, Session
from otel_costs.stand_in.live import transcript
from tests.support.recorded import Recorded

from .test_openai_live import CONFIG, SECOND, follow, follow_from_the_side, tell

SOUND = json.dumps({"type": "session.input_audio.append", "audio": "AAAA"})


def use(socket: LiveConnection, seconds: float) -> None:
    tell(socket, {"type": "session.usage.updated", "usage": {"seconds": seconds}})


def goes_on(socket: LiveConnection) -> bool:
    """Return whether the next sound may be sent."""
    try:
        socket.sent(SOUND)
    except BudgetExceeded:
        return False
    return True


def limit_of(session: Session) -> Limit:
    assert session.limit is not None
    return session.limit


@pytest.fixture(params=["0.0125"])
def poor(request: pytest.FixtureRequest, recorded: Recorded) -> Iterator[Session]:
    """Open a session with a budget of 15 seconds."""
    estimate.forget()
    with otel_costs.session("poor", budget_usd=request.param) as session:
        yield session


def test_a_turn_is_heard_to_its_end(poor: Session) -> None:
    """While the model speaks, sound is sent; the next one after that is refused, whatever tells that time went on."""
    socket = follow()
    for event in transcript("assistant", "well then", 14_000):
        tell(socket, event)
    use(socket, 15)
    assert goes_on(socket)
    sound = json.dumps({"type": "session.output_audio.delta", "delta": SECOND})
    for _ in range(17):
        tell(socket, sound)
    assert not goes_on(socket)
    socket.closed(None)
    background.drain()
    assert (limit_of(poor).under_way, limit_of(poor).reserved_usd) == (0, Decimal("0"))


def test_a_delegated_response_is_waited_for(poor: Session) -> None:
    """It has a reservation of its own; the next sound after it is refused."""
    socket = follow()
    response = {"id": "resp_0123456789abcdef", "model": "gpt-4o", "status": "completed", "usage": {"input_tokens": 1}}
    begun, done = (
        {"type": "response.event", "delegation_id": "dlg_1", "event": {"type": kind, "response": response}}
        for kind in ("response.created", "response.completed")
    )
    tell(socket, begun)
    assert limit_of(poor).under_way == 2
    use(socket, 15)
    assert goes_on(socket)
    tell(socket, done)
    assert not goes_on(socket)
    socket.closed(None)
    assert poor.totals.calls == 2
    assert limit_of(poor).under_way == 0


def test_sound_that_is_heard_counts_without_a_report(poor: Session) -> None:
    """Where the service says nothing of what was used, its sound does."""
    socket = follow()
    for _ in range(16):
        assert goes_on(socket)
        tell(socket, json.dumps({"type": "session.output_audio.delta", "delta": SECOND}))
    assert not goes_on(socket)
    socket.closed(None)


@pytest.mark.parametrize("poor", ["0.05"], indirect=True)
def test_several_sessions_share_what_is_left(poor: Session) -> None:
    """The fourth of four has its first 15 seconds, the fifth does not begin; each stops where nothing is left."""
    sockets = [follow(f"live_{number:016}") for number in range(4)]
    assert (limit_of(poor).under_way, limit_of(poor).reserved_usd) == (4, Decimal("0.0500"))
    with pytest.raises(BudgetExceeded, match="does not fit"):
        follow("live_4000000000000000")
    assert limit_of(poor).under_way == 4
    for socket in sockets:
        use(socket, 15)
        assert not goes_on(socket)
        tell(socket, {"type": "session.closed", "usage": {"seconds": 15}})
        socket.closed(None)
    assert poor.cost_usd == Decimal("0.05")


@pytest.mark.parametrize("poor", ["0.03"], indirect=True)
def test_it_goes_on_when_others_have_left_something(poor: Session) -> None:
    """What was refused once is asked again at the next sound."""
    one, other = follow("live_1000000000000000"), follow("live_2000000000000000")
    use(one, 15)
    assert not goes_on(one)
    tell(other, {"type": "session.closed", "usage": {"seconds": 1}})
    other.closed(None)
    background.drain()
    assert goes_on(one)
    one.closed(None)


def test_a_session_without_a_price_reserves_the_dearest_of_its_kind(recorded: Recorded) -> None:
    """Nothing is known of its seconds: what others have cost lately, as nothing else is known."""
    estimate.forget()
    unknown = {**CONFIG, "model": "gpt-live-99"}
    with otel_costs.session("a", budget_usd="1") as session:
        estimate.note(Kind("realtime_inference", "openai", "gpt-live-99"), Decimal(0), Decimal("0.4"), bounded=False)
        sockets = [follow(f"live_{number:016}", unknown) for number in range(2)]
        assert limit_of(session).reserved_usd == Decimal("0.8")
        with pytest.raises(BudgetExceeded):
            follow("live_9000000000000000", unknown)
        for socket in sockets:
            socket.closed(None)
    assert limit_of(session).under_way == 0


def test_a_session_without_a_price_is_refused_where_that_is_asked_for(recorded: Recorded) -> None:
    """As soon as one of its kind had no cost; one that has a price begins."""
    estimate.forget()
    unknown = {**CONFIG, "model": "gpt-live-99"}
    with otel_costs.session("a", unpriced="refuse") as session:
        first = follow("live_1000000000000000", unknown)
        tell(first, {"type": "session.closed", "usage": {"seconds": 15}})
        first.closed(None)
        background.drain()
        with pytest.raises(BudgetExceeded, match="refuses calls without a price"):
            follow("live_2000000000000000", unknown)
        follow("live_3000000000000000").closed(None)
    assert limit_of(session).under_way == 0


def test_a_soft_budget_warns_of_a_session_that_goes_on(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """At 80 % while it runs, once, and once past the limit."""
    with otel_costs.session("soft", budget_usd="0.0125", soft=True):
        socket = follow()
        for seconds in (6, 12.5, 15, 30):
            use(socket, seconds)
            assert goes_on(socket)
        socket.closed(None)
    assert [text for text in caplog.messages if "of its budget" in text] == [
        "[COST] Session soft has spent $0.010416666667 of its budget of $0.012500",
        "[COST] Session soft has spent $0.012500 of its budget of $0.012500",
    ]


@pytest.mark.parametrize("poor", ["0.05"], indirect=True)
def test_who_looks_on_takes_the_reservation_over(poor: Session) -> None:
    """When who led has left: in its own session's budget, of which all that was used is spent, as the bill will be."""
    socket = follow()
    with otel_costs.session("other", budget_usd="1") as other:
        side = follow_from_the_side()
    use(socket, 15)
    use(side, 15)
    assert (limit_of(poor).under_way, other.limit and other.limit.under_way) == (1, 0)
    socket.closed("abnormal")
    assert other.limit is not None
    assert (other.limit.under_way, other.limit.so_far_usd) == (1, Decimal("0.0125"))
    side.closed(None)
    background.drain()
    assert (limit_of(poor).under_way, other.limit.under_way) == (0, 0)


def test_notes_are_counted_once_in_budgets_of_the_store(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the ledger has of a session that goes on is not what it has used beside it; its bill is the whole, once."""
    monkeypatch.setattr(shared_budgets, "is_on", True)
    now = time.time()
    told = partial(StoredBudget, "user", "u", "day", now - 60, now + 3600, Decimal(1), soft=False)
    shared_budgets._update([told(Decimal(0))], 0)
    (limit,) = shared_budgets._limits["user", "u"].values()
    try:
        with otel_costs.session("s", user="u"):
            socket = follow()
            for seconds in (15, 30, 45):
                use(socket, seconds)
                background.drain()
                assert limit.so_far_usd == Decimal(seconds) / 1200
            noted = Decimal(30) / 1200  # the store has two notes
            shared_budgets._update([told(noted)], telemetry.process.last_seq)
            assert limit.so_far_usd == Decimal(45) / 1200
            tell(socket, {"type": "session.closed", "usage": {"seconds": 48}})
            socket.closed(None)
            background.drain()
            assert (limit.spent_usd, limit.under_way) == (Decimal(48) / 1200, 0)
            shared_budgets._update([told(Decimal(48) / 1200)], telemetry.process.last_seq)
            assert limit.spent_usd == Decimal(48) / 1200
    finally:
        shared_budgets.stop()


def test_a_bug_of_budgets_lets_a_session_go_on(
    poor: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is warned of once, and nothing is raised."""
    monkeypatch.setattr("otel_costs.calls.advance._price", lambda *_: 1 / 0)
    socket = follow()
    use(socket, 3600)
    assert goes_on(socket)
    socket.closed(None)
    assert caplog.text.count("otel_costs could not check a budget; a session goes on") == 1
    assert limit_of(poor).under_way == 0
