"""Live sessions through the real clients: their seconds, what they delegate, what was said, and how they end."""

import json
from collections.abc import Iterator
from contextvars import copy_context
from decimal import Decimal, Inexact, localcontext
from typing import Any

import pytest
import websockets

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.calls.call import derived_id
from otel_costs.messages import content
from otel_costs.providers import openai_live
from otel_costs.providers.openai_live.connection import LiveConnection
from otel_costs.sessions.session import BudgetExceeded
from otel_costs.stand_in import Provider, live
from otel_costs.stand_in.live import LASTS_S, LiveSession, delegated, transcript
from otel_costs.transports.websocket import Handshake
from tests.providers.conftest import Driver, usd
from tests.support.recorded import Recorded, wait_for_records

# Of openai 3.54 with websockets 17.1.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")

CONFIG: Any = {"model": "gpt-live-1", "delegation": {"type": "client"}}
SECOND = "AAAA" * 16_000
"""Base64 of a second of silence: 48,000 bytes at 24 kHz and 16 bits."""


class Line:
    """A connection of the SDK's, sync or async; `session` is what the service knows of it."""

    def __init__(self, driver: Driver, provider: Provider, opened: Any) -> None:
        self._driver, self._provider = driver, provider
        self.connection: Any = self.run(opened.enter())

    def run(self, asked: Any) -> Any:
        runner = self._driver._runner
        return asked if runner is None else runner.run(asked, context=copy_context())

    def start(self, **config: Any) -> LiveSession:
        self.run(self.connection.session.start(session={**CONFIG, **config}))
        self.read("session.started")
        return live.sessions(self._provider)[-1]

    def read(self, last: str) -> list[Any]:
        """Read to an event of a type."""
        events = [self.run(self.connection.recv())]
        while events[-1].type != last:
            events.append(self.run(self.connection.recv()))
        return events

    def close(self) -> None:
        self.run(self.connection.close())


@pytest.fixture
def line(recorded: Recorded, driver: Driver, provider: Provider) -> Iterator[Line]:
    """Open a connection that is followed."""
    opened = Line(driver, provider, driver.client.live.connect())
    yield opened
    opened.close()


@pytest.fixture
def looking_on(driver: Driver, provider: Provider) -> Iterator[Any]:
    """Open connections to the side of a session."""
    opened: list[Line] = []

    def look(session: LiveSession) -> Line:
        opened.append(Line(driver, provider, driver.client.live.sideband.connect(session_id=session.id)))
        assert session.attached.acquire(timeout=10)
        return opened[-1]

    yield look
    for line in opened:
        line.close()


def final(recorded: Recorded) -> list[Any]:
    """Return the bills of sessions; notes of what was used so far have revision 0."""
    spoken = [call for call in recorded.calls if call[names.OPERATION_NAME] == "realtime_inference"]
    return [call for call in spoken if call[names.CALL_REVISION] == 1]


def test_one_exact_record(line: Line, recorded: Recorded) -> None:
    """A session is one bill: 92.5 seconds, the last and largest of the totals, at 0.05 a minute."""
    session = line.start()
    for seconds in (15, 30, 45, 60.25, 75, 90):
        session.use(seconds)
    session.close(92.5)
    line.read("session.closed")
    (call,) = final(recorded)
    assert {name: value for name, value in call.items() if "usage" in name or "cost." in name} == {
        "otel_costs.usage.audio_seconds": "92.5",
        "gen_ai.usage.cost.amount": pytest.approx(0.0770833),
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": "0.077083333333",
        "otel_costs.cost.line.audio_seconds": "0.077083333333",
    }
    assert call[names.OPERATION_NAME] == "realtime_inference"
    assert call[names.REQUEST_MODEL] == call[names.RESPONSE_MODEL] == "gpt-live-1"
    assert call[names.SERVER_ADDRESS] == "127.0.0.1"
    assert call[names.REALTIME_SESSION_ID] == session.id
    assert call[names.REALTIME_STATUS_REASON] == "close_requested"
    assert call[names.CALL_ID] == derived_id("openai", session.id)
    assert call[names.START_TIME_UNIX_NANO] == (session.config["expires_at"] - LASTS_S) * 10**9 == call["timestamp"]
    assert names.ERROR_TYPE not in call


def test_notes(line: Line, recorded: Recorded) -> None:
    """What was used so far is written now and then, under the id and the time that the bill will have."""
    session = line.start()
    for seconds in range(15, 1500, 15):
        session.use(seconds)
    session.close(1500)
    line.read("session.closed")
    *notes, bill = recorded.calls
    assert [note["otel_costs.usage.audio_seconds"] for note in notes] == [
        "15",
        "30",
        "60",
        "120",
        "240",
        "480",
        "780",
        "1080",
        "1380",
    ]
    assert {note[names.CALL_REVISION] for note in notes} == {0}
    assert {(note[names.COST_STATUS], note[names.COST_REASON].partition(",")[0]) for note in notes} == {
        ("estimated", "session_not_ended")
    }
    assert bill[names.CALL_REVISION] == 1
    assert len({(call[names.CALL_ID], call["timestamp"]) for call in recorded.calls}) == 1


def test_session_of_its_own(line: Line, recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """Outside any session the connection is one, which ends with it and counts what is billed, and no note."""
    session = line.start()
    session.use(30)
    session.close(60)
    line.read("session.closed")
    with caplog.at_level("INFO", "otel_costs"):
        line.close()
        wait_for_records()
    assert recorded.calls[-1][names.SESSION_ID] == session.id
    (ended,) = recorded.records(names.SESSION_EVENT)
    assert ended[names.SESSION_ID] == session.id
    assert (ended[names.SESSION_CALLS], ended[names.COST_USD]) == (1, "0.05")
    assert f"[COST] Session {session.id}: $0.050000 (1 call; audio_seconds 60)" in caplog.text


def test_session_of_the_application(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A session that is open when the connection is made has its calls, wherever it ends."""
    with otel_costs.session("s-1", user="u-1", kb_id="kb") as found, otel_costs.step("talk"):
        line = Line(driver, provider, driver.client.live.connect())
        line.start().close(60)
        line.read("session.closed")
        assert found.cost_usd == Decimal("0.05")
    line.close()
    (call,) = final(recorded)
    assert (call[names.SESSION_ID], call[names.USER_ID], call[names.STEP]) == ("s-1", "u-1", "talk")
    assert [ended[names.SESSION_ID] for ended in recorded.records(names.SESSION_EVENT)] == ["s-1"]


def test_backwards(line: Line, recorded: Recorded) -> None:
    """A total that is smaller than one before is late or wrong: the largest counts."""
    session = line.start()
    for seconds in (15, 45, 30):
        session.use(seconds)
    session.close(40)
    line.read("session.closed")
    assert final(recorded)[0]["otel_costs.usage.audio_seconds"] == "45"


@pytest.mark.parametrize(
    ("totals", "closing", "used", "status"),
    [
        ([30], None, "30", "estimated"),
        ([30], "soon", "30", "estimated"),
        ([30], -5, "30", "estimated"),
        (["12"], "20", "20", "priced"),
        ([], "soon", None, "unpriced"),
        ([], None, None, "unpriced"),
        ([2**70], 10, "10", "priced"),
        ([True], 10, "10", "priced"),
    ],
)
def test_strange_totals(totals: Any, closing: Any, used: Any, status: str, recorded: Recorded) -> None:
    """A total that is missing or none is never a zero: the last known counts, and says that it may not be the last."""
    socket = follow()
    for seconds in totals:
        tell(socket, {"type": "session.usage.updated", "usage": {"seconds": seconds}})
    tell(socket, {"type": "session.closed", "reason": "expired", "usage": {"seconds": closing}})
    socket.closed(None)
    (call,) = final(recorded)
    assert call.get("otel_costs.usage.audio_seconds") == used
    assert call[names.COST_STATUS] == status
    if status != "priced":
        assert call[names.COST_REASON].startswith("usage_not_reported")


def test_dropped(line: Line, recorded: Recorded) -> None:
    """A connection that breaks leaves a bill of what is known, which says that it is not the last word."""
    session = line.start()
    session.use(15)
    line.read("session.usage.updated")
    session.drop()
    with pytest.raises(websockets.ConnectionClosedError):
        line.read("session.closed")
    (call,) = final(recorded)
    assert call["otel_costs.usage.audio_seconds"] == "15"
    assert call[names.COST_USD] == "0.0125"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("socket_closed_early")
    assert call[names.ERROR_TYPE] == "websocket_1006"


def test_left_without_closing(line: Line, recorded: Recorded) -> None:
    """Who hangs up before the first report is billed by the sound of the session, and it is no error."""
    line.start()
    for _ in range(7):
        line.run(line.connection.session.input_audio.append(audio=SECOND))
        line.read("session.output_audio.delta")
    line.close()
    (call,) = final(recorded)
    assert call["otel_costs.usage.audio_seconds"] == "7"
    assert call[names.COST_STATUS] == "estimated"
    assert names.ERROR_TYPE not in call


def test_late_report(recorded: Recorded) -> None:
    """What is reported after the end adds nothing to the bill, and no note beside it."""
    socket = follow()
    for _ in range(2):
        tell(socket, {"type": "session.closed", "usage": {"seconds": 60}})
        tell(socket, {"type": "session.usage.updated", "usage": {"seconds": 600}})
    socket.closed("1006")
    assert recorded.call[names.COST_USD] == "0.05"
    assert sorted(span.name for span in recorded.spans) == ["realtime", "realtime_inference gpt-live-1"]


def test_never_started(line: Line, recorded: Recorded) -> None:
    """A session that was refused is none."""
    line.run(line.connection.send({"type": "session.start", "session": {}}))
    line.read("error")
    line.close()
    assert recorded.calls == []


def test_its_own_clock(line: Line, recorded: Recorded) -> None:
    """A session as the service lets it go on: sound in both directions, a report on the way, and its last total."""
    line.start()
    for _ in range(16):
        line.run(line.connection.session.input_audio.append(audio=SECOND))
    line.run(line.connection.session.close())
    line.read("session.closed")
    assert [call["otel_costs.usage.audio_seconds"] for call in recorded.calls] == ["15", "16"]


def test_seen_twice(line: Line, looking_on: Any, recorded: Recorded) -> None:
    """A session that is seen from the side, too, is billed once, and its messages are written once."""
    content.configure(content.Capture.EVENT_ONLY)
    session = line.start()
    side = looking_on(session)
    session.use(30)
    side.read("session.usage.updated")
    session.send(*transcript("user", "Good morning", 0))
    usage = {"input_tokens": 1000, "output_tokens": 7, "total_tokens": 1007}
    decision = {"type": "decision.completed", "decision": {"model": "gpt-6-luna", "answers": [], "usage": usage}}
    session.send({"type": "decision.event", "event": decision}, *delegated("dlg_1", nested()))
    session.close(60)
    side.read("session.closed")
    line.read("session.closed")
    side.close()
    line.close()
    operations = [call[names.OPERATION_NAME] for call in recorded.calls if call.get(names.CALL_REVISION) != 0]
    assert sorted(operations) == ["chat", "decision", "realtime_inference"]
    assert sorted(span.name.partition(" ")[0] for span in recorded.spans if span.name != "realtime") == [
        "chat", "decision", "realtime_inference", "realtime_inference",
    ]  # fmt: skip
    (bill,) = final(recorded)
    assert bill[names.COST_USD] == "0.05"
    assert [message["body"] for message in recorded.messages if message["body"]] == ["Good morning"]


def test_seen_elsewhere(line: Line, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Another process that looks on writes its bill under the same id and time, so that the store counts one."""
    session = line.start()
    session.close(60)
    line.read("session.closed")
    line.close()
    (ours,) = final(recorded)
    CostsInstrumentor().uninstrument()
    other = Recorded()
    CostsInstrumentor().instrument(**other.providers)
    socket = openai_live.match(HANDSHAKE._replace(path=f"/v1/live/sessions/{session.id}/attach"))
    assert socket is not None
    tell(socket, {"type": "session.closed", "usage": {"seconds": 60}, "session": session.config})
    socket.closed(None)
    (theirs,) = final(other)
    assert [theirs[name] for name in (names.CALL_ID, "timestamp", names.COST_USD)] == [
        ours[name] for name in (names.CALL_ID, "timestamp", names.COST_USD)
    ]


DECIDED: Any = {
    "type": "decision.event",
    "event_id": "event_0123456789abcdef0123",
    "event": {
        "type": "decision.completed",
        "decision": {"model": "gpt-6-luna", "answers": [], "usage": {"input_tokens": 1000, "output_tokens": 7}},
    },
}


def test_told_late(recorded: Recorded) -> None:
    """Who looks on, and is told something only when the session's own connection is gone, does not bill it again."""
    own, side = follow(), follow_from_the_side()
    tell(own, DECIDED)
    own.closed(None)
    tell(side, DECIDED)
    tell(side, {**DECIDED, "event_id": "event_1123456789abcdef0123"})
    side.closed(None)
    decisions = [call for call in recorded.calls if call[names.OPERATION_NAME] == "decision"]
    assert [call[names.COST_STATUS] for call in decisions] == ["priced", "priced"]


@pytest.mark.parametrize("leaves_first", ["own", "side"])
def test_model_that_another_knows(leaves_first: str, recorded: Recorded) -> None:
    """Whoever writes the bill, its model is the one that any connection of the session was told."""
    side = follow_from_the_side()
    own = follow()
    tell(own, {"type": "session.usage.updated", "usage": {"seconds": 60}})
    for socket in (own, side) if leaves_first == "own" else (side, own):
        socket.closed(None)
    (call,) = final(recorded)
    assert (call[names.RESPONSE_MODEL], call[names.COST_USD]) == ("gpt-live-1", "0.05")


def test_primary_is_lost(line: Line, looking_on: Any, recorded: Recorded) -> None:
    """Who still looks on when the session's own connection is gone writes the bill, once the service has closed it."""
    session = line.start()
    side = looking_on(session)
    session.use(15)
    side.read("session.usage.updated")
    line.read("session.usage.updated")
    line.close()
    assert final(recorded) == []
    session.close(20, "connection_lost")
    side.read("session.closed")
    side.close()
    (call,) = final(recorded)
    assert call["otel_costs.usage.audio_seconds"] == "20"
    assert call[names.REALTIME_STATUS_REASON] == "connection_lost"


def test_everybody_is_gone(line: Line, looking_on: Any, recorded: Recorded) -> None:
    """Who looks on until the end, after the session's own connection is gone, bills what is known: it did not go on."""
    session = line.start()
    side = looking_on(session)
    session.use(15)
    side.read("session.usage.updated")
    line.close()
    side.close()
    (call,) = final(recorded)
    assert call["otel_costs.usage.audio_seconds"] == "15"
    assert call[names.COST_REASON].startswith("socket_closed_early")


def test_spans(line: Line, recorded: Recorded) -> None:
    """The connection's span is the parent of what is billed on it."""
    session = line.start()
    session.send(*delegated("dlg_1", nested()))
    session.close(10)
    line.read("session.closed")
    line.close()
    found = {span.name: span for span in recorded.spans}
    assert sorted(found) == ["chat gpt-4o-2024-08-06", "realtime", "realtime_inference gpt-live-1"]
    connection = found.pop("realtime").context
    assert connection is not None
    assert [span.parent and span.parent.span_id for span in found.values()] == [connection.span_id] * 2


def test_callback_that_raises(recorded: Recorded, provider: Provider) -> None:
    """An exception of the application's own handler reaches it, and what is known is billed."""
    driver = Driver("sync", provider.base_url)

    def fail(_: Any) -> None:
        raise ZeroDivisionError

    with driver.client.live.connect() as connection:
        connection.session.start(session=CONFIG)
        connection.on("session.usage.updated", fail)
        while connection.recv().type != "session.started":
            pass
        live.sessions(provider)[-1].use(15)
        with pytest.raises(ZeroDivisionError):
            connection.dispatch_events()
    assert final(recorded)[0]["otel_costs.usage.audio_seconds"] == "15"
    driver.close()


def test_looked_at(recorded: Recorded) -> None:
    """A look from the side that ends before the session leaves a note, and one that saw nothing leaves none."""
    path = "/v1/live/sessions/live_0123456789abcdef/attach"
    for seconds in (None, 45):
        socket = openai_live.match(HANDSHAKE._replace(path=path))
        assert socket is not None
        if seconds:
            tell(socket, {"type": "session.usage.updated", "usage": {"seconds": seconds}})
        socket.closed(None)
    call = recorded.call
    assert call[names.CALL_REVISION] == 0
    assert call["otel_costs.usage.audio_seconds"] == "45"
    assert call[names.COST_REASON].startswith("session_not_ended")


def test_fork(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A session that goes on where another one was is billed as its own."""
    first = Line(driver, provider, driver.client.live.connect())
    session = first.start(store=True)
    session.close(30)
    first.read("session.closed")
    fork = Line(driver, provider, driver.client.live.forks.connect(session_id=session.id))
    fork.run(fork.connection.session.start(session={}))
    fork.read("session.started")
    live.sessions(provider)[-1].close(60)
    fork.read("session.closed")
    for line in (first, fork):
        line.close()
    assert [call["otel_costs.usage.audio_seconds"] for call in final(recorded)] == ["30", "60"]
    assert len({call[names.CALL_ID] for call in final(recorded)}) == 2


def nested(**fields: Any) -> list[Any]:
    """Return the events of a response of the backend that searches the web once and calls a function."""

    class Event:
        def __init__(self, kind: str, **data: Any) -> None:
            self.data = {"type": kind, **data}

    response: dict[str, Any] = {
        "id": "resp_0123456789abcdef01",
        "object": "response",
        "model": "gpt-4o-2024-08-06",
        "usage": None,
    }
    response |= {"created_at": 1_795_343_400, "background": False, "service_tier": "default", **fields}
    usage = {"input_tokens": 2000, "output_tokens": 500, "total_tokens": 2500}
    search = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "x"}}
    made = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_0123456789abcdef",
        "name": "find",
        "arguments": "{}",
    }
    return [
        Event("response.created", response=response),
        Event("response.output_item.done", item=search, output_index=0),
        Event("response.function_call_arguments.delta", delta="{}"),
        Event("response.output_item.done", item=made, output_index=1),
        Event("response.completed", response={**response, "usage": usage}),
    ]


def test_delegated_responses(line: Line, recorded: Recorded) -> None:
    """A response that the session delegates is a call of its own model: 2,000 at 2.50, 500 at 10, and a search."""
    content.configure(content.Capture.EVENT_ONLY)
    session = line.start(delegation={"type": "responses", "responses": {"model": "gpt-4o"}})
    created = {"id": "dlg_0123456789abcdef", "target": "responses", "type": "delegation"}
    session.send({"type": "session.delegation.created", "delegation": created, "offset_ms": 900})
    session.send(*delegated("dlg_0123456789abcdef", nested()))
    line.read("session.delegation.created")
    for _ in range(5):
        line.read("response.event")
    item: Any = {"type": "function_call_output", "call_id": "call_0123456789abcdef", "output": "on its way"}
    line.run(line.connection.response.item.create(item=item))
    line.run(line.connection.response.create())
    session.send(*delegated("dlg_0123456789abcdef", nested(id="resp_fedcba987654321001")))
    session.close(30)
    line.read("session.closed")
    (bill,) = final(recorded)
    first, second = (call for call in recorded.calls if call is not bill and call[names.OPERATION_NAME] == "chat")
    for call in (first, second):
        assert call[names.OPERATION_NAME] == "chat"
        assert call[names.OPENAI_API_TYPE] == "responses"
        assert call["otel_costs.usage.web_searches"] == 1
        assert usd(call) == Decimal("0.005") + Decimal("0.005") + Decimal("0.01")
        assert call[names.SESSION_ID] == session.id
        assert call[names.CALL_ID][12] == "5"
    assert bill["otel_costs.usage.audio_seconds"] == "30"
    said = [(message[names.MESSAGE_TYPE], message.get(names.MESSAGE_FUNCTION_NAME)) for message in recorded.messages]
    assert ("function_call", "delegate_to_responses") in said
    assert ("function_call", "find") in said
    assert ("function_result", "find") in said
    assert [m["body"] for m in recorded.messages if m[names.MESSAGE_TYPE] == "function_result"][-1] == "on its way"


def test_delegated_response_broken_off(line: Line, recorded: Recorded) -> None:
    """A delegated response whose end was not seen leaves a record that says so."""
    session = line.start(delegation={"type": "responses", "responses": {"model": "gpt-4o"}})
    session.send(*delegated("dlg_1", nested()[:2]))
    session.close(10)
    line.read("session.closed")
    call = next(call for call in recorded.calls if call[names.OPERATION_NAME] == "chat")
    assert call[names.COST_REASON].startswith("stream_closed_early")
    assert call[names.RESPONSE_ID] == "resp_0123456789abcdef01"


def test_decisions(line: Line, recorded: Recorded) -> None:
    """A decision is a call of its own: 1,000 tokens of gpt-6-luna at its price for decisions, whose output is free."""
    session = line.start()
    usage = {"input_tokens": 1000, "output_tokens": 7, "total_tokens": 1007}
    decision = {"model": "gpt-6-luna", "answers": [{"type": "predicate", "probability": 0.9}], "usage": usage}
    session.send({"type": "decision.event", "event": {"type": "decision.completed", "decision": decision}})
    session.close(10)
    line.read("session.closed")
    made = next(call for call in recorded.calls if call[names.OPERATION_NAME] == "decision")
    expected = otel_costs.price(usage_of(usage), provider="openai", model="gpt-6-luna", processing="decisions")
    assert made[names.OPERATION_NAME] == "decision"
    assert made[names.RESPONSE_MODEL] == "gpt-6-luna"
    assert usd(made) == expected.total
    assert usd(made) > 0


def usage_of(usage: dict[str, int]) -> dict[str, int]:
    return {unit: usage[unit] for unit in ("input_tokens", "output_tokens")}


def test_conversation(line: Line, recorded: Recorded) -> None:
    """Pieces of transcripts become messages in order, with when they were said and for how long."""
    content.configure(content.Capture.EVENT_ONLY)
    history: Any = [{"role": "user", "content": [{"type": "input_text", "text": "I called before."}]}]
    session = line.start(instructions="Be kind.", input=history)
    session.send(*transcript("user", "Where is my order?", 0))
    session.send(*transcript("assistant", "One moment please.", 1500))
    created = {"id": "dlg_0123456789abcdef", "target": "client", "type": "delegation"}
    session.send({"type": "session.delegation.created", "delegation": created, "offset_ms": 2100})
    line.read("session.delegation.created")
    line.run(line.connection.session.commentary.append(content="It arrives on Monday.", delegation_id=created["id"]))
    session.send(*transcript("assistant", "It arrives on Monday.", 6000))
    session.send(*transcript("user", "Thank you", 8000))
    session.close(10)
    line.read("session.closed")
    said = sorted(recorded.messages, key=lambda message: message["timestamp"])
    spoken = [message for message in said if message[names.MESSAGE_TYPE] == "audio"]
    assert [(m[names.MESSAGE_ROLE], m["body"], m[names.MESSAGE_AUDIO_SECONDS]) for m in spoken] == [
        ("user", "Where is my order?", "1"),
        ("assistant", "One moment please.", "0.75"),
        ("assistant", "It arrives on Monday.", "1"),
        ("user", "Thank you", "0.5"),
    ]
    begun = spoken[0]["timestamp"]
    assert [m["timestamp"] - begun for m in spoken] == [0, 1_500_000_000, 6_000_000_000, 8_000_000_000]
    others = {(m[names.MESSAGE_ROLE], m[names.MESSAGE_TYPE]): m["body"] for m in said if m not in spoken}
    assert others == {
        ("system", "text"): "Be kind.",
        ("user", "text"): "I called before.",
        ("assistant", "function_call"): None,
        ("function", "function_result"): "It arrives on Monday.",
    }
    assert {m[names.SESSION_ID] for m in said} == {session.id}
    assert {m[names.CALL_ID] for m in said} == {derived_id("openai", session.id)}


@pytest.mark.parametrize("capture", list(content.Capture))
def test_content(capture: content.Capture, line: Line, recorded: Recorded) -> None:
    """What was said is recorded where it was switched on, and nowhere else; the cost is the same."""
    content.configure(capture)
    session = line.start(instructions="a sentinel instruction")
    session.send(*transcript("user", "a sentinel question", 0))
    line.run(line.connection.session.instructions.append(content="a sentinel hint", delegation_id=None))
    session.send(*delegated("dlg_1", nested()))
    line.read("session.instructions.appended")
    session.close(60)
    line.read("session.closed")
    on_events = capture in (content.Capture.EVENT_ONLY, content.Capture.SPAN_AND_EVENT)
    assert ("sentinel" in str(recorded.messages)) is on_events
    assert "sentinel" not in str(recorded.calls) + str([span.attributes for span in recorded.spans])
    assert final(recorded)[-1][names.COST_USD] == "0.05"
    assert "user" in [message[names.MESSAGE_ROLE] for message in recorded.messages]


def test_budget(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A session that has spent its budget starts no further one."""
    with otel_costs.session("s-1", budget_usd=Decimal("0.01")):
        for number in range(2):
            line = Line(driver, provider, driver.client.live.connect())
            if number:
                with pytest.raises(BudgetExceeded):
                    line.start()
            else:
                line.start().close(60)
                line.read("session.closed")
            line.close()
    assert len(live.sessions(provider)) == 1
    assert len(final(recorded)) == 1


def test_a_session_that_spends_its_budget_is_told_at_its_next_sound(line: Line, recorded: Recorded) -> None:
    """Over a real socket: what the service says was used counts at once, and no sound goes out that nothing pays."""
    line.close()
    with otel_costs.session("s-1", budget_usd=Decimal("0.02")) as session:
        spent = Line(line._driver, line._provider, line._driver.client.live.connect())
        live_session = spent.start()
        append = spent.connection.session.input_audio.append
        spent.run(append(audio="AAAA"))
        live_session.use(15)
        spent.read("session.usage.updated")
        spent.run(append(audio="AAAA"))
        live_session.use(30)
        spent.read("session.usage.updated")
        with pytest.raises(BudgetExceeded) as no:
            spent.run(append(audio="AAAA"))
        assert (no.value.spent_usd, no.value.budget_usd) == (Decimal("0.025"), Decimal("0.02"))
        live_session.close(31)
        spent.read("session.closed")
        assert session.cost_usd == Decimal("0.025833333333")
        spent.close()


def test_uninstrumented(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """After `uninstrument` a connection leaves nothing behind."""
    CostsInstrumentor().uninstrument()
    line = Line(driver, provider, driver.client.live.connect())
    line.start().close(60)
    line.read("session.closed")
    line.close()
    assert recorded.calls == []


def test_a_bug_of_ours(
    line: Line, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of ours is logged, and the application gets every event."""
    monkeypatch.setattr("otel_costs.providers.openai_live.connection.parsed", lambda text: text.nonsense)
    session = line.start()
    session.use(15)
    session.close(60)
    assert [event.type for event in line.read("session.closed")] == ["session.usage.updated", "session.closed"]
    assert "could not follow a socket's messages (AttributeError)" in caplog.text


# Below, the observer alone.

HANDSHAKE = Handshake("127.0.0.1", 80, "/v1/live/sessions", "", {})


def tell(socket: LiveConnection, event: Any) -> None:
    socket.received(event if isinstance(event, str | bytes) else json.dumps(event))


def follow(session_id: str = "live_0123456789abcdef", config: Any = CONFIG) -> LiveConnection:
    """Return the observer of a session that has started."""
    socket = openai_live.match(HANDSHAKE)
    assert socket is not None
    try:
        socket.sent(json.dumps({"type": "session.start", "session": config}))
    except BudgetExceeded:
        socket.closed(None)
        raise
    session = {**config, "id": session_id, "expires_at": 1_795_350_600}
    tell(socket, {"type": "session.started", "session": session})
    return socket


def follow_from_the_side() -> LiveConnection:
    """Return the observer of a connection that looks at the session of `follow`, and is told nothing of it yet."""
    socket = openai_live.match(HANDSHAKE._replace(path="/v1/live/sessions/live_0123456789abcdef/attach"))
    assert socket is not None
    return socket


@pytest.mark.parametrize(
    ("path", "followed"),
    [
        ("/v1/live/sessions", True),
        ("/openai/v1/live/sessions/", True),
        ("/v1/live/sessions/live_1/attach", True),
        ("/v1/live/sessions/live_1/fork", True),
        ("/v1/live/sessions/live_1/hangup", False),
        ("/v1/realtime", False),
        ("/v1/responses", False),
    ],
)
def test_match(path: str, followed: bool) -> None:
    """What is no connection of a Live session is left to others."""
    socket = openai_live.match(HANDSHAKE._replace(path=path))
    assert (socket is not None) is followed
    if socket is not None:
        socket.closed(None)


@pytest.mark.parametrize(
    "noise",
    [
        "{", "", "[]", "null", b"\xff", '{"type": []}', '{"type": "session.unheard_of"}',
        '{"type": "session.usage.updated"}', '{"type": "session.usage.updated", "usage": 7}',
        '{"type": "session.input_transcript.delta"}', '{"type": "session.input_transcript.delta", "delta": 1}',
        '{"type": "session.input_transcript.delta", "delta": "a", "start_ms": -1, "end_ms": "x"}',
        '{"type": "response.event"}', '{"type": "response.event", "event": {"type": "response.created"}}',
        '{"type": "decision.event", "event": {}}', '{"type": "session.delegation.created", "delegation": []}',
        '{"type": "session.output_audio.delta"}', '{"type": "session.updated", "session": 3}',
    ],
)  # fmt: skip
def test_noise(noise: Any, recorded: Recorded) -> None:
    """What is malformed, or not known yet, neither stops us nor changes the bill."""
    socket = follow()
    tell(socket, noise)
    tell(socket, {"type": "session.closed", "usage": {"seconds": 60}})
    tell(socket, noise)
    socket.closed(None)
    assert [call[names.COST_USD] for call in final(recorded)] == ["0.05"]


def test_the_context_of_the_application_changes_no_second(recorded: Recorded) -> None:
    """Its Decimal context is its own, however few digits it has and whatever it forbids."""
    with localcontext() as context:
        context.prec = 3
        context.traps[Inexact] = True
        socket = follow()
        for event in transcript("user", "well then", 1_234_000):
            tell(socket, event)
        for seconds in ("1234.567", "2345.678"):
            tell(socket, {"type": "session.usage.updated", "usage": {"seconds": seconds}})
        tell(socket, {"type": "session.closed", "usage": {"seconds": "3456.789"}})
        socket.closed(None)
    (call,) = final(recorded)
    assert (call["otel_costs.usage.audio_seconds"], call[names.COST_STATUS]) == ("3456.789", "priced")


@pytest.mark.parametrize(
    ("usages", "invalid"),
    [
        ([{"seconds": 100, "paused_seconds": 3480}], ("paused_seconds",)),
        ([{"seconds": 100, "paused_seconds": 3480}, {"seconds": 4000, "paused_seconds": 3480}], ()),
        ([{"seconds": 100, "paused_seconds": -1}], ("paused_seconds",)),
        ([{"seconds": 100, "paused_seconds": 30}], ()),
    ],
)
def test_what_cannot_be_is_no_price(recorded: Recorded, usages: list[Any], invalid: tuple[str, ...]) -> None:
    """More seconds paused than there are is said, until the service tells it rightly."""
    socket = follow()
    for usage in usages:
        tell(socket, {"type": "session.usage.updated", "usage": usage})
    tell(socket, {"type": "session.closed", "usage": usages[-1]})
    socket.closed(None)
    (call,) = final(recorded)
    assert tuple(call.get(names.USAGE_INVALID, ())) == invalid
    assert (call[names.COST_STATUS] == "priced") == (not invalid)


def test_an_hour(recorded: Recorded) -> None:
    """An hour of sound and of words stays in memory only as far as somebody is still speaking."""
    socket = follow()
    sound = json.dumps({"type": "session.output_audio.delta", "delta": "AAAA" * 2000})
    for number in range(3600):
        tell(socket, sound)
        role = "user" if number % 20 < 10 else "assistant"
        for event in transcript(role, "well then", number * 1000):
            tell(socket, event)
    assert sum(said.size for said in socket._transcript._open.values()) < 1000
    socket.closed(None)
    assert final(recorded)[0]["otel_costs.usage.audio_seconds"] == "3599.5"
    assert len(recorded.messages) > 300
