"""A key that a provider invents is said on its first day: on every surface, at any depth, through the real client."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import openai
import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.calls import jobs
from otel_costs.providers import openai_live
from otel_costs.runtime import telemetry
from otel_costs.transports.websocket import Handshake, observe
from otel_costs.usage import Usage
from tests.providers.conftest import HELLO
from tests.support.recorded import Recorded

TOKENS: Final = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
RESPONSE_TOKENS: Final = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
_GIVEN_TOOLS: Final = {"web_search": {"num_requests": 0}}

Usages = Mapping[str, Any]
Ask = Callable[[openai.OpenAI], object]


def _chat(usage: Usages) -> tuple[Any, Ask]:
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": choices,
        "usage": usage,
    }
    return body, lambda client: client.chat.completions.create(model="gpt-4o", messages=HELLO)


def _chat_stream(usage: Usages) -> tuple[Any, Ask]:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    said = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    chunks = [{**head, **said}, {**head, "choices": [], "usage": usage}]
    options: Any = {"include_usage": True}
    return _events(("", chunk) for chunk in chunks), lambda client: list(
        client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True, stream_options=options)
    )


def _response(usage: Usages, **fields: object) -> dict[str, Any]:
    head = {"id": "r1", "object": "response", "status": "completed", "created_at": 1, "model": "gpt-4o", "output": []}
    return {**head, "usage": usage, **fields}


def _responses(usage: Usages) -> tuple[Any, Ask]:
    return _response(usage), lambda client: client.responses.create(model="gpt-4o", input="Hi")


def _responses_stream(usage: Usages) -> tuple[Any, Ask]:
    event = {"type": "response.completed", "sequence_number": 1, "response": _response(usage)}
    return _events([("response.completed", event)]), lambda client: list(
        client.responses.create(model="gpt-4o", input="Hi", stream=True)
    )


def _responses_background(usage: Usages) -> tuple[Any, Ask]:
    return _response(usage, background=True), lambda client: client.responses.retrieve("r1")


def _compact(usage: Usages) -> tuple[Any, Ask]:
    body = {
        "id": "r1",
        "object": "response.compaction",
        "created_at": 1,
        "model": "gpt-4o",
        "output": [],
        "usage": usage,
    }
    return body, lambda client: client.responses.compact(model="gpt-4o", input="Hi")


def _completions(usage: Usages) -> tuple[Any, Ask]:
    body = {"id": "c1", "model": "gpt-3.5-turbo-instruct", "choices": [{"text": "Hi", "index": 0}], "usage": usage}
    return body, lambda client: client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hi")


def _embeddings(usage: Usages) -> tuple[Any, Ask]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    body = {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}
    return body, lambda client: client.embeddings.create(
        model="text-embedding-3-small", input="Hi", encoding_format="float"
    )


def _images(usage: Usages) -> tuple[Any, Ask]:
    body = {"created": 1, "data": [{"b64_json": ""}], "usage": usage}
    return body, lambda client: client.images.generate(model="gpt-image-1", prompt="A harbour")


def _images_stream(usage: Usages) -> tuple[Any, Ask]:
    event = {"type": "image_generation.completed", "b64_json": "", "usage": usage}
    return _events([("image_generation.completed", event)]), lambda client: list(
        client.images.generate(model="gpt-image-1", prompt="A harbour", stream=True)
    )


def _transcription(usage: Usages) -> tuple[Any, Ask]:
    file = ("a.wav", io.BytesIO(b"RIFF"))
    return {"text": "Hi", "usage": usage}, lambda client: client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=file
    )


def _transcription_stream(usage: Usages) -> tuple[Any, Ask]:
    event = {"type": "transcript.text.done", "text": "Hi", "usage": usage}
    file = ("a.wav", io.BytesIO(b"RIFF"))
    return _events([("", event)]), lambda client: list(
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file, stream=True)
    )


def _speech(usage: Usages) -> tuple[Any, Ask]:
    event = {"type": "speech.audio.done", "usage": usage}
    return _events([("", event)]), lambda client: client.audio.speech.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hi", stream_format="sse"
    ).read()


def _batch(usage: Usages) -> tuple[Any, Ask]:
    body = {"id": "b1", "object": "batch", "status": "completed", "model": "gpt-4o", "created_at": 1, "usage": usage}
    return body, lambda client: client.batches.retrieve("b1")


def _run(usage: Usages) -> tuple[Any, Ask]:
    body = {"id": "run_1", "object": "thread.run", "status": "completed", "model": "gpt-4o", "created_at": 1}
    return {**body, "usage": usage}, lambda client: client.beta.threads.runs.retrieve("run_1", thread_id="t1")


def _decision(usage: Usages) -> tuple[Any, Ask]:
    body = {"id": "d1", "object": "decision", "model": "gpt-6-luna", "answers": [], "usage": usage}
    return body, lambda client: client.post("/decisions", body={"model": "gpt-6-luna"}, cast_to=object)


def _unheard_of(usage: Usages) -> tuple[Any, Ask]:
    body = {"id": "x1", "model": "gpt-4o", "usage": usage}
    return body, lambda client: client.post("/holograms", body={"model": "gpt-4o"}, cast_to=object)


def _events(events: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    named = (
        f"event: {name}\ndata: {json.dumps(data)}\n\n" if name else f"data: {json.dumps(data)}\n\n"
        for name, data in events
    )
    return ("".join(named) + "data: [DONE]\n\n").encode()


_CHATS: Final = (_chat, _chat_stream, _completions, _run)
SURFACES: Final = {
    surface.__name__.strip("_"): (surface, TOKENS if surface in _CHATS else RESPONSE_TOKENS)
    for surface in (
        _chat, _chat_stream, _responses, _responses_stream, _responses_background, _compact, _completions, _images,
        _images_stream, _transcription, _transcription_stream, _speech, _batch, _run, _decision, _unheard_of,
    )
} | {"embeddings": (_embeddings, {"prompt_tokens": 1000, "total_tokens": 1000})}  # fmt: skip

_INVENTED: Final = {
    "holographic_tokens": 40,
    "prompt_tokens_details": {"holographic_tokens": 40},
    "output_tokens_details": {"light": {"waves": [{"sent": 40}]}},
}
_NAMES: Final = (
    "holographic_tokens",
    "prompt_tokens_details.holographic_tokens",
    "output_tokens_details.light.waves.sent",
)


class Service:
    """A service on loopback that answers whatever is asked with what it was given last."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.body: Any = {}

    def ask(self, surface: str, more: Usages, client: openai.OpenAI) -> None:
        """Ask for what a surface does, and have its usage answered with `more` in it."""
        make, usage = SURFACES[surface]
        self.body, ask = make({**usage, **more})
        ask(client)


@pytest.fixture
def service() -> Iterator[Service]:
    """Serve a service."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            body = found.body
            self.send_response(200)
            self.send_header("content-type", "text/event-stream" if isinstance(body, bytes) else "application/json")
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        do_GET = do_POST  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Service(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def client(service: Service) -> Iterator[openai.OpenAI]:
    """Open a client of the service."""
    with openai.OpenAI(api_key="sk-sentinel-key", base_url=service.url, max_retries=0) as opened:
        yield opened


@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
@pytest.mark.parametrize("surface", SURFACES)
def test_an_invented_key_is_said_on_every_surface(
    surface: str, client: openai.OpenAI, service: Service, recorded: Recorded
) -> None:
    """The call is partial, its tokens and their cost are there, and the keys stand in its record and on its span."""
    service.ask(surface, _INVENTED, client)
    call = recorded.call
    assert tuple(call[names.COST_UNKNOWN]) == _NAMES
    assert call[names.COST_STATUS] == "partial"
    assert "unknown_usage" in call[names.COST_REASON].split(",")
    assert call[names.usage_attribute("input_tokens")] == 1000
    assert Decimal(call[names.COST_USD]) > 0
    priced = [span.attributes or {} for span in recorded.spans if names.COST_USD in (span.attributes or {})]
    assert len(priced) == (surface != "responses_background")  # a look's span has no money
    assert all(list(span[names.COST_UNKNOWN]) == list(_NAMES) for span in priced)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
@pytest.mark.parametrize("surface", SURFACES)
def test_what_is_free_changes_no_status(
    surface: str, client: openai.OpenAI, service: Service, recorded: Recorded
) -> None:
    """Times, costs, parts and zeros leave a call what it is without them."""
    free = {"queue_time": 0.2, "cost": 0.1, "holographic_tokens": 0, "light": {"waves": 0}, "service_tier": "standard"}
    service.ask(surface, {}, client)
    jobs.forget()  # or it is known that a job was billed
    service.ask(surface, free, client)
    said = [(call[names.COST_STATUS], call[names.COST_USD], call.get(names.COST_UNKNOWN)) for call in recorded.calls]
    assert said == [said[0]] * len(said)
    assert said[0][0] != "partial"


def test_a_key_of_the_use_of_tools_is_said(client: openai.OpenAI, service: Service, recorded: Recorded) -> None:
    """What hosted tools used stands beside the usage, and is accounted for like it."""
    tools = {**_GIVEN_TOOLS, "image_gen": {"total_tokens": 0}, "teleport": {"num_requests": 3}}
    service.body = _response(RESPONSE_TOKENS, tool_usage=tools)
    client.responses.create(model="gpt-4o", input="Hi")
    assert list(recorded.call[names.COST_UNKNOWN]) == ["tool_usage.teleport.num_requests"]
    assert recorded.call[names.COST_STATUS] == "partial"


def test_a_usage_beside_the_response_counts(client: openai.OpenAI, service: Service, recorded: Recorded) -> None:
    """An event that has an empty usage in its response, and the true one beside it, has the true one."""
    event = {"type": "response.completed", "sequence_number": 1, "response": _response({}), "usage": RESPONSE_TOKENS}
    service.body = _events([("response.completed", event)])
    list(client.responses.create(model="gpt-4o", input="Hi", stream=True))
    assert (recorded.call[names.COST_USD], recorded.call[names.COST_STATUS]) == ("0.0035", "priced")


@pytest.mark.parametrize("kind", ["response", "transcription"])
def test_realtime(kind: str, recorded: Recorded) -> None:
    """The usage of a spoken response, and of a transcription, has its keys said."""
    observer = observe(Handshake("127.0.0.1", 443, "/v1/realtime", "model=gpt-realtime", {}))
    assert observer is not None
    told = {"id": "sess_0123456789abcdef", "type": "realtime", "model": "gpt-realtime"}
    audio = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}
    observer.received(json.dumps({"type": "session.created", "session": {**told, "audio": audio}}))
    details = {"input_token_details": {"text_tokens": 1000, "holographic_tokens": 40}}
    usage = {**RESPONSE_TOKENS, **details, "output_token_details": {"text_tokens": 100}}
    if kind == "response":
        response = {"id": "resp_1", "status": "completed", "output": [], "usage": usage}
        observer.received(json.dumps({"type": "response.done", "response": response}))
    else:
        event = "conversation.item.input_audio_transcription.completed"
        observer.received(json.dumps({"type": event, "item_id": "item_1", "transcript": "Hi", "usage": usage}))
    observer.closed(None)
    assert list(recorded.call[names.COST_UNKNOWN]) == ["input_token_details.holographic_tokens"]
    assert recorded.call[names.COST_STATUS] == "partial"


def test_live(recorded: Recorded) -> None:
    """An hour of which two minutes were active costs 1.26; a key that is new is said."""
    observer = openai_live.match(Handshake("127.0.0.1", 443, "/v1/live/sessions", "", {}))
    assert observer is not None
    session = {"id": "live_1", "model": "gpt-live-1", "expires_at": 1_790_000_000}
    usage = {"seconds": 3600, "active_seconds": 120, "paused_seconds": 3480}
    observer.sent(json.dumps({"type": "session.start", "session": {"model": "gpt-live-1"}}))
    observer.received(json.dumps({"type": "session.started", "session": session}))
    observer.received(json.dumps({"type": "session.usage.updated", "usage": usage}))
    observer.received(
        json.dumps({"type": "session.closed", "usage": {**usage, "paused_seconds": 0, "dreamt_seconds": 7}})
    )
    observer.closed(None)
    call = recorded.calls[-1]
    assert call[names.usage_attribute("paused_seconds")] == "3480"
    assert names.COST_USD in call, [dict(c) for c in recorded.calls]
    assert (call[names.COST_USD], call[names.COST_STATUS]) == ("1.26", "partial")
    assert list(call[names.COST_UNKNOWN]) == ["dreamt_seconds"]


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 1000, "output_tokens": 100, "holographic_tokens": 40},
        {**TOKENS, "holographic_tokens": 40},
        Usage.of({"input_tokens": 1000, "output_tokens": 100}, unknown=("holographic_tokens",)),
    ],
    ids=["units", "reported", "read"],
)
def test_record_and_price(usage: Any, recorded: Recorded) -> None:
    """What an application records, or has priced, is accounted for by the same rule."""
    asked: Any = {"provider": "openai", "model": "gpt-4o", "usage": usage}
    assert otel_costs.record("chat", **asked) == Decimal("0.0035")
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_REASON]) == ("partial", "unknown_usage")
    assert list(recorded.call[names.COST_UNKNOWN]) == ["holographic_tokens"]
    cost = otel_costs.price(**asked)
    assert (cost.total, cost.status, cost.reason) == (Decimal("0.0035"), "partial", "unknown_usage")
    assert cost.unknown == ("holographic_tokens",)


def test_a_key_is_warned_of_once(
    client: openai.OpenAI, service: Service, recorded: Recorded, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One line for each key and process, however often it comes."""
    monkeypatch.setattr(telemetry, "_warned", set())
    with caplog.at_level(logging.WARNING, "otel_costs"):
        for _ in range(3):
            service.ask("chat", {"holographic_tokens": 40}, client)
        assert len(recorded.calls) == 3
    assert sum("holographic_tokens" in record.getMessage() for record in caplog.records) == 1
