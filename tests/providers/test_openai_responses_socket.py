"""Responses over a WebSocket, through the real clients: asked for, chained, on lanes, steered, refused, broken off."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextvars import copy_context
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import websockets
import websockets.sync.client
from openai.lib.responses_websocket import ResponsesWebSocketLimits, ResponsesWebSocketSession

import otel_costs
from otel_costs import CostsInstrumentor, hosts
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.openai import response_streams, responses_socket
from otel_costs.sessions.session import BudgetExceeded
from otel_costs.stand_in import Fault, Provider
from otel_costs.transports.websocket import Handshake
from tests.providers.conftest import Driver, usd
from tests.providers.test_openai_responses import COST, USAGE
from tests.support.recorded import Recorded, instrumented, wait_for_records

# Of openai 3.54 with websockets 17.1.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")

LAST = ("response.completed", "response.incomplete", "response.failed", "error")
LOOKUP: Any = {
    "type": "function",
    "name": "find_order",
    "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
}


class Line:
    """A connection of the SDK's, sync or async."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.connection: Any = self._run(driver.client.responses.connect().enter())

    def _run(self, asked: Any) -> Any:
        """Run in the session that is open here: a runner has a context of its own."""
        runner = self._driver._runner
        return asked if runner is None else runner.run(asked, context=copy_context())

    def ask(self, text: str = "Hello", **options: Any) -> None:
        self._run(self.connection.response.create(**{"model": "gpt-4o", "input": text, **options}))

    def send(self, event: Any) -> None:
        self._run(self.connection.send(event))

    def recv(self) -> Any:
        return self._run(self.connection.recv())

    def read(self, *last: str) -> list[Any]:
        """Read to the end of a response, or to an event of one of these types."""
        events = [self.recv()]
        while events[-1].type not in (last or LAST):
            events.append(self.recv())
        return events

    def close(self) -> None:
        self._run(self.connection.close())


@pytest.fixture
def line(recorded: Recorded, driver: Driver) -> Iterator[Line]:
    """Open a connection that is followed."""
    opened = Line(driver)
    yield opened
    opened.close()


def test_one_exact_record(line: Line, provider: Provider, recorded: Recorded) -> None:
    """A response leaves one ledger record with exact tokens and money, and one span, as it does over HTTP."""
    provider.script(Fault(usage=USAGE))
    line.ask()
    said = line.read()[-1].response
    call = recorded.call
    assert {name: value for name, value in call.items() if "usage" in name or "cost." in name} == {
        "gen_ai.usage.input_tokens": 2000,
        "gen_ai.usage.output_tokens": 500,
        "gen_ai.usage.cache_read.input_tokens": 1024,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 320,
        "gen_ai.usage.cost.amount": 0.00872,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": COST,
        "otel_costs.cost.line.input_tokens": "0.00244",
        "otel_costs.cost.line.cache_read_tokens": "0.00128",
        "otel_costs.cost.line.output_tokens": "0.005",
    }
    assert call[names.OPERATION_NAME] == "chat"
    assert call[names.OPENAI_API_TYPE] == "responses"
    assert call[names.REQUEST_MODEL] == "gpt-4o"
    assert call[names.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert call[names.RESPONSE_ID] == said.id
    assert call[names.SERVER_ADDRESS] == "127.0.0.1"
    assert names.CALL_REVISION not in call
    assert 0 < call[names.RESPONSE_TIME_TO_FIRST_CHUNK] <= call[names.DURATION_S]
    (span,) = recorded.spans
    assert span.name == "chat gpt-4o"
    assert span.attributes is not None
    assert span.attributes[names.RESPONSE_FINISH_REASONS] == ("completed",)
    assert span.attributes[names.REQUEST_STREAM] is True


def test_service_tier(line: Line, provider: Provider, recorded: Recorded) -> None:
    """What was served in another tier is priced in it: flex is half of the standard price of o3 (2 and 8 a million)."""
    provider.script(Fault(usage={"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}))
    line.ask(model="o3", service_tier="flex")
    line.read()
    assert recorded.call[names.OPENAI_RESPONSE_SERVICE_TIER] == "flex"
    assert usd(recorded.call) == (Decimal(1000) * 2 + Decimal(500) * 8) / 2 / 1_000_000


def test_tools(line: Line, provider: Provider, recorded: Recorded) -> None:
    """Searches are counted from the terminal event, and billed beside the tokens."""
    provider.script(Fault(usage={"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}))
    line.ask("Search the web for the weather in Paris.", model="gpt-4.1", tools=[{"type": "web_search"}])
    line.read()
    call = recorded.call
    assert call["otel_costs.usage.web_searches"] == 1
    assert usd(call) == Decimal(1000) * 2 / 1_000_000 + Decimal(100) * 8 / 1_000_000 + Decimal("0.01")


def test_chain(line: Line, provider: Provider, recorded: Recorded) -> None:
    """Turns that continue each other on one connection are a call each, and each message of them is there once."""
    content.configure(content.Capture.EVENT_ONLY)
    provider.script(Fault(usage=USAGE, times=2))
    with otel_costs.session("s-1", user="u-1"), otel_costs.step("first"):
        line.ask("Where is order A-1?", tools=[LOOKUP], tool_choice={"type": "function", "name": "find_order"})
        first = line.read()[-1].response
    (made,) = [item for item in first.output if item.type == "function_call"]
    with otel_costs.session("s-1", user="u-1") as session:
        line.send(
            {
                "type": "response.create",
                "model": "gpt-4o",
                "previous_response_id": first.id,
                "input": [{"type": "function_call_output", "call_id": made.call_id, "output": "on its way"}],
            }
        )
        line.read()
        assert session.cost_usd == 2 * Decimal(COST)
    assert [(call[names.SESSION_ID], call.get(names.STEP)) for call in recorded.calls] == [
        ("s-1", "first"),
        ("s-1", None),
    ]
    said = [(message[names.MESSAGE_ROLE], message[names.MESSAGE_TYPE]) for message in recorded.messages]
    assert said[:3] == [("user", "text"), ("assistant", "function_call"), ("function", "function_result")]
    assert said[3:] == [("assistant", "text")]
    found = recorded.messages[2]
    assert found["body"] == "on its way"
    assert found[names.MESSAGE_FUNCTION_NAME] == "find_order"
    assert len({message[names.MESSAGE_ID] for message in recorded.messages}) == 4


def test_retrieved_later(line: Line, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A look over HTTP at a response that came over the socket is not billed again."""
    provider.script(Fault(usage=USAGE, times=2))
    line.ask()
    said = line.read()[-1].response
    driver.run(driver.client.responses.retrieve(said.id))
    assert recorded.call[names.RESPONSE_ID] == said.id
    assert [span.name for span in recorded.spans] == ["chat gpt-4o", "fetch_response"]


def test_streams(line: Line, provider: Provider, recorded: Recorded) -> None:
    """Responses that arrive interleaved are told apart by their lane, whichever ends first."""
    gate = threading.Event()
    slow = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    fast = {"input_tokens": 3000, "output_tokens": 30, "total_tokens": 3030}
    provider.script(Fault(usage=slow, gate=gate, gate_events=4), Fault(usage=fast))
    line.ask(stream_id="slow", metadata={"stream_id": "fast"})
    while line.recv().type != "response.output_item.added":
        pass
    line.ask(model="gpt-4o-mini", stream_id="fast")
    line.read("response.completed")
    gate.set()
    line.read("response.completed")
    assert [(c[names.REQUEST_MODEL], c["gen_ai.usage.input_tokens"], c[names.COST_STATUS]) for c in recorded.calls] == [
        ("gpt-4o-mini", 3000, "priced"),
        ("gpt-4o", 100, "priced"),
    ]


def test_streams_of_the_sdk(recorded: Recorded, provider: Provider) -> None:
    """The SDK's own lanes bypass its connection's `send`, and are followed like anything else on the socket."""
    driver = Driver("sync", provider.base_url)
    provider.script(Fault(usage=USAGE, times=2))
    limits = ResponsesWebSocketLimits(4, 500, 1000, 1 << 20, 1 << 20)
    with (
        driver.client.responses.connect() as connection,
        ResponsesWebSocketSession(connection, limits=limits) as session,
    ):
        opened = [session.lane("one"), session.lane("two")]
        for lane in opened:
            lane.send({"type": "response.create", "model": "gpt-4o", "input": "Hello"})
        answers = [lane.get_final_response(timeout=10) for lane in opened]
    assert sorted(call[names.RESPONSE_ID] for call in recorded.calls) == sorted(answer.id for answer in answers)
    assert {call[names.COST_USD] for call in recorded.calls} == {COST}
    driver.close()


def test_steered(line: Line, provider: Provider, recorded: Recorded) -> None:
    """A response that follows by itself is a call of its own, whose input is what it was steered with."""
    content.configure(content.Capture.EVENT_ONLY)
    gate = threading.Event()
    provider.script(Fault(usage=USAGE, gate=gate, gate_events=5), Fault(usage=USAGE))
    line.ask("Tell me of Paris")
    begun = line.recv().response
    said = [{"type": "message", "role": "user", "content": "Rather of Rome"}]
    line.send({"type": "response.steer", "previous_response_id": begun.id, "input": said})
    line.read("response.steer.accepted")
    gate.set()
    line.read("response.completed")
    line.read("response.completed")
    assert [call[names.COST_USD] for call in recorded.calls] == [COST, COST]
    assert recorded.calls[1][names.REQUEST_MODEL].startswith("gpt-4o")
    assert [message["body"] for message in recorded.messages if message[names.MESSAGE_ROLE] == "user"] == [
        "Tell me of Paris",
        "Rather of Rome",
    ]


def asked_raw(provider: Provider) -> tuple[str, str]:
    """Return the address and the question for clients without the SDK."""
    question = json.dumps({"type": "response.create", "model": "gpt-4o", "input": "Hello"})
    return provider.base_url.replace("http", "ws") + "/responses", question


def test_raw_websockets(provider: Provider, recorded: Recorded) -> None:
    """The library alone, without the SDK, is followed as well."""
    provider.script(Fault(usage=USAGE))
    url, question = asked_raw(provider)
    with websockets.sync.client.connect(url, additional_headers={"authorization": "Bearer x"}) as socket:
        socket.send(question)
        assert any(json.loads(frame)["type"] == "response.completed" for frame in socket)
    assert recorded.call[names.COST_USD] == COST


def test_raw_aiohttp(provider: Provider, recorded: Recorded) -> None:
    """So is aiohttp."""
    provider.script(Fault(usage=USAGE))
    url, question = asked_raw(provider)

    async def talk() -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers={"api-key": "x"}) as socket:
            await socket.send_str(question)
            while json.loads(await socket.receive_str())["type"] != "response.completed":
                pass

    asyncio.run(talk())
    assert recorded.call[names.COST_USD] == COST


def test_reconnected(provider: Provider, recorded: Recorded) -> None:
    """A response that a broken connection cut off is on record; the one that was queued for the next is billed."""
    driver = Driver("sync", provider.base_url)
    provider.script(Fault(cut_events=6), Fault(usage=USAGE))

    def ask_again(_: Any) -> None:
        connection.response.create(model="gpt-4o", input="Once more")

    with driver.client.responses.connect(on_reconnecting=ask_again, initial_delay=0.01) as connection:
        connection.response.create(model="gpt-4o", input="Hello")
        assert any(event.type == "response.completed" for event in connection)
    broken, billed = recorded.calls
    assert broken[names.COST_REASON].startswith("stream_failed")
    assert billed[names.COST_USD] == COST
    driver.close()


@pytest.mark.parametrize("status", [404, 500])
def test_refused(status: int, line: Line, provider: Provider, recorded: Recorded) -> None:
    """A request that is answered with an error costs nothing; the next one on the connection is billed as ever."""
    if status == 404:
        line.ask(previous_response_id="resp_unknown")
    else:
        provider.script(Fault(status=status))
        line.ask()
    assert line.read()[-1].type == "error"
    line.ask()
    line.read()
    refused, billed = recorded.calls
    assert refused[names.ERROR_TYPE] in ("invalid_request_error", "server_error")
    assert refused[names.COST_REASON] == "request_refused"
    assert refused[names.COST_USD] == "0"
    assert billed[names.COST_STATUS] == "priced"
    assert names.ERROR_TYPE not in billed


def test_error_within(line: Line, provider: Provider, recorded: Recorded) -> None:
    """An error in the middle of a response is on its record, with an estimate of what was said until then."""
    provider.script(Fault(error_event=8))
    line.ask()
    line.read()
    call = recorded.call
    assert call[names.ERROR_TYPE] == "server_error"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("stream_failed")
    assert call["gen_ai.usage.output_tokens"] > 0


@pytest.mark.parametrize("outcome", ["failed", "incomplete"])
def test_outcomes(outcome: str, line: Line, provider: Provider, recorded: Recorded) -> None:
    """A response that failed or was cut short is billed for what it used, and says how it ended."""
    provider.script(Fault(outcome=outcome, usage=USAGE))
    line.ask()
    line.read()
    assert recorded.call[names.COST_USD] == COST
    assert (recorded.call.get(names.ERROR_TYPE) == "server_error") is (outcome == "failed")


def test_connection_lost(line: Line, provider: Provider, recorded: Recorded) -> None:
    """A socket that breaks in the middle of a response leaves a record that says so, and an estimate."""
    provider.script(Fault(cut_events=8))
    line.ask()
    with pytest.raises(websockets.ConnectionClosedError):
        line.read()
    call = recorded.call
    assert call[names.ERROR_TYPE] == "websocket_1006"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("stream_failed")
    assert call[names.RESPONSE_ID].startswith("resp_")


def test_closed_by_the_application(line: Line, provider: Provider, recorded: Recorded) -> None:
    """Who closes in the middle of a response gets an estimate of what was said until then; it is no error."""
    provider.script(Fault(gate=(gate := threading.Event()), gate_events=8))
    line.ask()
    for _ in range(8):
        line.recv()
    line.close()
    gate.set()
    call = recorded.call
    assert names.ERROR_TYPE not in call
    assert call[names.COST_REASON].startswith("stream_closed_early")
    assert call["gen_ai.usage.output_tokens"] > 0


def test_never_begun(line: Line, provider: Provider, recorded: Recorded) -> None:
    """A question whose response never began has a record without a cost: nobody knows whether it was billed."""
    provider.script(Fault(gate=(gate := threading.Event())))
    line.ask()
    line.close()
    gate.set()
    call = recorded.call
    assert call[names.COST_STATUS] == "unpriced"
    assert call[names.COST_REASON] == "stream_closed_early,response_not_read"
    assert "gen_ai.usage.input_tokens" not in call


@pytest.mark.parametrize(
    ("usage", "status", "reason"),
    [
        (None, "estimated", "usage_not_reported,usage_estimated"),
        ({"input_tokens": "many", "output_tokens": 5}, "partial", "invalid_usage"),
        ({"input_tokens": -1, "output_tokens": 5}, "partial", "invalid_usage"),
    ],
)
def test_strange_usage(
    usage: Any, status: str, reason: str, line: Line, provider: Provider, recorded: Recorded
) -> None:
    """A usage that is missing or makes no sense is said to, and never a zero."""
    provider.script(Fault(fields={"usage": usage}))
    line.ask()
    line.read()
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_REASON]) == (status, reason)


def test_budget(line: Line, provider: Provider, recorded: Recorded) -> None:
    """A session that has spent its budget sends no further question, and what is under way goes on."""
    provider.script(Fault(usage=USAGE, times=3))
    with otel_costs.session("s-1", budget_usd=Decimal("0.001")):
        line.ask()
        line.read()
        asked = len(provider.requests)
        with pytest.raises(BudgetExceeded):
            line.ask()
    assert len(provider.requests) == asked
    line.ask()
    line.read()
    assert [call[names.COST_USD] for call in recorded.calls] == [COST, COST]


@pytest.mark.parametrize("capture", list(content.Capture))
def test_content(capture: content.Capture, line: Line, provider: Provider, recorded: Recorded) -> None:
    """What was said is recorded where it was switched on, and nowhere else; the cost is the same."""
    content.configure(capture)
    provider.script(Fault(usage=USAGE))
    with otel_costs.session("s"):
        line.ask("a sentinel question", instructions="a sentinel instruction")
        line.read()
    on_events = capture in (content.Capture.EVENT_ONLY, content.Capture.SPAN_AND_EVENT)
    on_spans = capture in (content.Capture.SPAN_ONLY, content.Capture.SPAN_AND_EVENT)
    assert ("sentinel" in str(recorded.messages)) is on_events
    assert any("sentinel" in str(span.attributes) for span in recorded.spans) is on_spans
    assert "sentinel" not in str(recorded.calls)
    assert [message[names.MESSAGE_ROLE] for message in recorded.messages] == ["system", "user", "assistant"]
    assert recorded.call[names.COST_USD] == COST


def test_uninstrumented(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """After `uninstrument` a connection leaves nothing behind."""
    CostsInstrumentor().uninstrument()
    line = Line(driver)
    line.ask()
    assert line.read()[-1].type == "response.completed"
    line.close()
    assert recorded.calls == []


def test_a_bug_of_ours(
    line: Line,
    provider: Provider,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bug of ours is logged, and the application gets every event."""
    monkeypatch.setattr(responses_socket, "as_text", lambda frame: frame.nonsense)
    line.ask()
    events = line.read()
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    assert "could not follow a socket's messages (AttributeError)" in caplog.text


# Below, the observer alone: what no stand-in says of itself.

HANDSHAKE = Handshake("127.0.0.1", 80, "/v1/responses", "", {})


def follow(*frames: Any, asks: int = 1, error: str | None = None) -> None:
    """Ask, take the frames, and close."""
    socket = responses_socket.match(HANDSHAKE)
    assert socket is not None
    for _ in range(asks):
        socket.sent(json.dumps({"type": "response.create", "model": "gpt-4o", "input": "Hello"}))
    for frame in frames:
        socket.received(frame if isinstance(frame, str | bytes) else json.dumps(frame))
    socket.closed(error)
    wait_for_records()


def event(kind: str, **fields: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "object": "response", "model": "gpt-4o-2024-08-06", "usage": None, **fields}
    return {"type": kind, "sequence_number": 1, "response": response}


@pytest.mark.parametrize(
    ("path", "followed"),
    [
        ("/v1/responses", True),
        ("/openai/v1/responses", True),
        ("/v1/responses/", True),
        ("/v1/realtime", False),
        ("/v1/responses/resp_1", False),
        ("/v1/live/sessions", False),
    ],
)
def test_match(path: str, followed: bool) -> None:
    """What is no connection for responses is left to others."""
    assert (responses_socket.match(HANDSHAKE._replace(path=path)) is not None) is followed


@pytest.mark.parametrize(
    "noise", ["{", "", "[]", "null", '{"type": 1}', '{"type": "response.unheard_of"}', b"\xff", {}]
)
def test_noise(noise: Any, recorded: Recorded) -> None:
    """What is malformed, or not known yet, changes nothing."""
    follow(noise, event("response.created"), noise, event("response.completed", usage=USAGE), noise)
    assert recorded.call[names.COST_USD] == COST


def test_sorted_and_spaced(recorded: Recorded) -> None:
    """A gateway may write the fields of an event in another order, and with other spaces."""
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    frames = [event("response.created"), event("response.completed", usage=USAGE, output=[item])]
    follow(*(json.dumps(frame, sort_keys=True, indent=2) for frame in frames))
    assert recorded.call[names.COST_USD] == COST


def test_output_beside(recorded: Recorded) -> None:
    """Items that came as events count where the last event comes without its output."""
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    done = {"type": "response.output_item.done", "output_index": 0, "item": search}
    follow(event("response.created"), done, event("response.completed", usage=USAGE, output=None))
    assert recorded.call["otel_costs.usage.web_searches"] == 1
    assert usd(recorded.call) > Decimal(COST)


def test_said_twice(recorded: Recorded) -> None:
    """Text whose item was sent as a whole is not counted a second time in the estimate of a response cut off."""
    item = {
        "type": "message",
        "id": "m1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "abcdefgh"}],
    }
    follow(
        event("response.created"),
        {"type": "response.output_text.delta", "item_id": "m1", "delta": "abcdefgh"},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.output_text.delta", "item_id": "m2", "delta": "ijkl"},
        error="1011",
    )
    assert recorded.call["gen_ai.usage.output_tokens"] == 3
    assert recorded.call[names.ERROR_TYPE] == "websocket_1011"


def test_first_event_missed(recorded: Recorded) -> None:
    """A terminal event without a beginning is billed to the question that waits, or as a call of its own."""
    follow(event("response.completed", usage=USAGE), event("response.completed", usage=USAGE, id="resp_2"))
    assert [call[names.COST_USD] for call in recorded.calls] == [COST, COST]
    assert [names.REQUEST_MODEL in call for call in recorded.calls] == [True, True]


def test_error_without_its_lane(recorded: Recorded) -> None:
    """An error that does not name a lane belongs to the only question there is."""
    socket = responses_socket.ResponsesSocket(hosts.at("127.0.0.1", 80))
    socket.sent(json.dumps({"type": "response.create", "model": "gpt-4o", "input": "Hello", "stream_id": "a b"}))
    socket.received(json.dumps({"type": "error", "status": 400, "error": {"type": "invalid_request_error"}}))
    socket.closed(None)
    assert recorded.call[names.COST_REASON] == "request_refused"


def test_many_pieces(recorded: Recorded) -> None:
    """Of a long response a few megabytes are kept at most, until its last event says everything."""
    socket = responses_socket.ResponsesSocket(hosts.at("127.0.0.1", 80))
    socket.sent(json.dumps({"type": "response.create", "model": "gpt-4o", "input": "Hello"}))
    socket.received(json.dumps(event("response.created")))
    piece = json.dumps({"type": "response.output_text.delta", "item_id": "m1", "delta": "x" * 100_000})
    for _ in range(200):
        socket.received(piece)
    (response,) = socket._streams._begun.values()
    assert sum(len(data) for _, data in response._pieces) < response_streams.KEPT + 1000
    socket.received(json.dumps(event("response.completed", usage=USAGE)))
    assert recorded.call[names.COST_USD] == COST


def test_azure(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Azure the model of a request is a deployment's name."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=azure.ai.openai")
    follow(event("response.created"), event("response.completed", usage=USAGE))
    assert recorded.call[names.PROVIDER_NAME] == "azure.ai.openai"
    assert recorded.call[names.PRICE_DEPLOYMENT] == "gpt-4o"


def test_instrumented_later(provider: Provider) -> None:
    """A connection that was open before is left alone, and the next one is followed."""
    driver, kept = Driver("sync", provider.base_url), Recorded()
    early = Line(driver)
    with instrumented(kept):
        late = Line(driver)
        for line in (early, late):
            line.ask()
            line.read()
        assert len(kept.calls) >= 1
        early.close()
        late.close()
    driver.close()
