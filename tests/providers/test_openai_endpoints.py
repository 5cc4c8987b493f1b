"""Embeddings, decisions, legacy completions and containers; what is free; and endpoints that nobody knows yet."""

import json
from decimal import Decimal
from typing import Any

import httpx2 as httpx
import openai
import pytest
from openai._response import APIResponse, AsyncAPIResponse

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import HELLO, Driver, usd
from tests.support.recorded import Recorded


@pytest.mark.parametrize("given", ["Hello there", ["one", "two"], [1, 2, 3]])
@pytest.mark.parametrize("encoding", ["base64", "float"])
def test_embeddings(given: Any, encoding: Any, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Embeddings are billed by what was read; nothing was said."""
    provider.script(Fault(usage={"prompt_tokens": 1000, "total_tokens": 1000}))
    create = driver.client.embeddings.create
    found = driver.run(create(model="text-embedding-3-small", input=given, encoding_format=encoding, dimensions=256))
    assert len(found.data[0].embedding) > 0
    call = recorded.call
    assert call[names.OPERATION_NAME] == "embeddings"
    assert call["gen_ai.usage.input_tokens"] == 1000
    assert "gen_ai.usage.output_tokens" not in call
    assert (call[names.COST_USD], call[names.COST_STATUS]) == ("0.00002", "priced")
    (span,) = recorded.spans
    assert span.name == "embeddings text-embedding-3-small"
    assert span.attributes is not None
    assert span.attributes[names.EMBEDDINGS_DIMENSION_COUNT] == 256
    assert recorded.messages == []


def test_decisions(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A decision is billed by its own price list: what it answers is free."""
    provider.script(Fault(usage={"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}))
    question: Any = {"type": "predicate", "name": "angry", "text": "Is the customer angry?"}
    driver.run(driver.client.decisions.create(model="gpt-6-luna", input="Where is my order?", questions=[question]))
    call = recorded.call
    assert call[names.OPERATION_NAME] == "decision"
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == (1000, 100)
    assert call[names.COST_STATUS] == "priced"
    assert call[names.COST_LINE_PREFIX + "output_tokens"] == "0"


@pytest.mark.parametrize("prompt", ["Once upon a time", ["one", "two"]])
def test_completions(prompt: Any, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Legacy completions are billed like a chat."""
    provider.script(Fault(usage={"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}))
    driver.run(driver.client.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompt))
    call = recorded.call
    assert call[names.OPERATION_NAME] == "text_completion"
    assert usd(call) == (100 * Decimal("1.5") + 40 * Decimal(2)) / 1_000_000


def test_moderations_are_free(driver: Driver, recorded: Recorded) -> None:
    """What is free has a span, and no record that would be counted as one without a price."""
    driver.run(driver.client.moderations.create(model="omni-moderation-latest", input="Hello"))
    assert recorded.calls == []
    assert [span.name for span in recorded.spans] == ["moderation omni-moderation-latest"]


def test_moderation_that_is_billed(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A provider that says what a moderation used bills it."""
    provider.script(Fault(fields={"usage": {"prompt_tokens": 10, "total_tokens": 10}}))
    driver.run(driver.client.moderations.create(model="omni-moderation-latest", input="Hello"))
    assert recorded.call["gen_ai.usage.input_tokens"] == 10
    assert recorded.call[names.COST_USD] == "0"


def free(client: Any) -> list[Any]:
    """Return calls that cost nothing."""
    return [
        lambda: client.models.list(),
        lambda: client.models.retrieve("gpt-4o"),
        lambda: client.files.create(file=("a.jsonl", b"{}"), purpose="batch"),
        lambda: client.files.list(),
        lambda: client.responses.input_tokens.count(model="gpt-4o", input="Hello"),
    ]


def test_free_endpoints(driver: Driver, recorded: Recorded) -> None:
    """What is never billed leaves nothing: no record, no span."""
    for ask in free(driver.client):
        found = ask()
        driver.read(found) if hasattr(found, "__aiter__") else driver.run(found)
    assert recorded.calls == []
    assert recorded.spans == []


@pytest.mark.parametrize("way", ["whole", "streaming_response"])
def test_unknown_endpoint(way: str, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An endpoint that nobody knows leaves a record when its answer says what it used, priced by its model."""
    provider.script(Fault(usage={"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}))
    asked: Any = {"cast_to": object, "body": {"model": "gpt-4o", "question": "What is next?"}}
    if way == "whole":
        driver.run(driver.client.post("/future/things", **asked))
    else:
        asked |= {"cast_to": response_type(driver), "options": {"headers": {"X-Stainless-Raw-Response": "stream"}}}
        driver.run(driver.run(driver.client.post("/future/things", **asked)).read())
    call = recorded.call
    assert call[names.OPERATION_NAME] == "unknown"
    assert call[names.REQUEST_MODEL] == "gpt-4o"
    assert usd(call) == (1000 * Decimal("2.5") + 100 * 10) / 1_000_000
    assert len(recorded.spans) == 1


def response_type(driver: Driver) -> Any:
    return APIResponse[object] if driver.kind == "sync" else AsyncAPIResponse[object]


def test_unknown_stream(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of such an endpoint is billed by the last usage in it, also one level down."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "llm.example=openai")
    spent = {"input_tokens": 1000, "output_tokens": 100}
    said = [{"type": "a"}, {"type": "b", "thing": {"model": "gpt-4o", "usage": {**spent, "input_tokens": 1}}}]
    said.append({"type": "c", "thing": {"model": "gpt-4o", "usage": spent}})
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in said)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter([body.encode()]))

    transport = httpx.Client(transport=httpx.MockTransport(answer))
    with openai.OpenAI(api_key="k", base_url="http://llm.example/v1", http_client=transport) as client:
        options: Any = {"stream": True, "stream_cls": openai.Stream[object]}
        assert len(list(client.post("/future/things", cast_to=object, body={}, **options))) == 3
    assert recorded.call[names.RESPONSE_MODEL] == "gpt-4o"
    assert usd(recorded.call) == (1000 * Decimal("2.5") + 100 * 10) / 1_000_000


def test_containers(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container has its fee where it is made, by its size."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "llm.example=openai")
    made = {"id": "cntr_1", "object": "container", "created_at": 1, "name": "c", "status": "running"}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**made, "memory_limit": "4g"})

    transport = httpx.Client(transport=httpx.MockTransport(answer))
    with openai.OpenAI(api_key="k", base_url="http://llm.example/v1", http_client=transport) as client:
        client.containers.create(name="c")
        client.containers.retrieve("cntr_1")
    assert recorded.call[names.USAGE_PREFIX + "containers"] == 1
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_USD]) == ("estimated", "0.12")


def test_unknown_endpoint_without_usage(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """One that does not say so leaves nothing."""
    provider.script(Fault(fields={"usage": None}))
    driver.run(driver.client.post("/future/things", cast_to=object, body={"model": "gpt-4o"}))
    assert recorded.calls == []
    assert recorded.spans == []


def test_stored_completions_are_not_billed_again(driver: Driver, recorded: Recorded) -> None:
    """A stored completion says its usage again whenever it is looked at or tagged; it was billed when it was made."""
    made = driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, store=True))
    for method in ("post", "get"):
        with pytest.raises(Exception, match="Invalid URL"):  # the stand-in keeps none; the route is what counts
            driver.run(getattr(driver.client, method)(f"/chat/completions/{made.id}", cast_to=object))
    assert len(recorded.calls) == 1


def test_usage_of_none(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An answer without usage is unknown, not zero."""
    provider.script(Fault(usage=None), Fault(fields={"usage": "__removed__"}))
    for _ in range(2):
        driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO))
    for call in recorded.calls:
        assert not [name for name in call if name.startswith("gen_ai.usage.")]
        assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "usage_unknown")


@pytest.mark.parametrize(
    ("usage", "invalid", "tokens"),
    [
        ({"prompt_tokens": -1, "completion_tokens": 5}, ("input_tokens",), None),
        ({"prompt_tokens": 2**70, "completion_tokens": 5}, ("input_tokens",), None),
        ({"prompt_tokens": "12", "completion_tokens": 5.0}, (), 12),
        ({"prompt_tokens": True, "completion_tokens": 5}, ("input_tokens",), None),
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 99}},
         ("cache_read_tokens",), 10),
        ("a lot", ("usage",), None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("streamed", [False, True])
def test_odd_usage(
    usage: Any, invalid: tuple[str, ...], tokens: int | None, streamed: bool, driver: Driver, provider: Provider,
    recorded: Recorded,
) -> None:  # fmt: skip
    """Quantities that cannot be are refused or clamped, and named; the application sees them as they came."""
    provider.script(Fault(usage=usage))
    found = driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=streamed))
    if streamed:
        driver.read(found)
    call = recorded.call
    assert call.get(names.USAGE_INVALID, ()) == invalid
    assert call.get("gen_ai.usage.input_tokens") == tokens
    CostsInstrumentor().uninstrument()


def test_model_of_none(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An answer without a model is priced by the request's."""
    provider.script(Fault(fields={"model": None}, usage={"prompt_tokens": 1000, "completion_tokens": 0}))
    driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO))
    assert names.RESPONSE_MODEL not in recorded.call
    assert recorded.call[names.COST_USD] == "0.0025"


def test_unknown_model(driver: Driver, recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """A model that nobody has a price for is recorded without a cost, with one warning, never as zero."""
    for _ in range(2):
        driver.run(driver.client.chat.completions.create(model="acme-1", messages=HELLO))
    for call in recorded.calls:
        assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "unknown_model")
        assert names.COST_USD not in call
        assert names.COST_AMOUNT not in call
        assert call["gen_ai.usage.input_tokens"] > 0
    assert [record.getMessage().count("acme-1") for record in caplog.records if record.name == "otel_costs"] == [1]
