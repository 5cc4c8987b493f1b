"""What every version of openai since 1.30 is recorded as; `test_openai_versions.py` runs this under each of them.

Only what is there in all of them is used, or what is missing is left out where it is not.
"""

import asyncio
import io
import threading
from typing import Any

import openai
import pytest
from openai._base_client import AsyncAPIClient, SyncAPIClient

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider, tokens
from tests.providers.conftest import COST, HELLO, USAGE, Driver
from tests.support import garbage
from tests.support.recorded import Recorded

ASKED: Any = {"model": "gpt-4o", "messages": HELLO}


def chat(driver: Driver) -> Any:
    return driver.client.chat.completions


def settle(driver: Driver) -> None:
    for _ in range(3):
        garbage.collect()
        driver.run(asyncio.sleep(0) if driver.kind == "async" else None)


@pytest.mark.parametrize("raw", [False, True])
def test_chat(raw: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A chat is one exact record and one span, and the result the SDK's own."""
    provider.script(Fault(usage=USAGE))
    found = driver.run((chat(driver).with_raw_response if raw else chat(driver)).create(**ASKED))
    answer = found.parse() if raw else found
    assert answer.usage.prompt_tokens == 1500
    call = recorded.call
    assert (call[names.COST_USD], call[names.COST_STATUS]) == (COST, "priced")
    assert call[names.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert [span.name for span in recorded.spans] == ["chat gpt-4o"]


@pytest.mark.parametrize("piece", [None, 1])
@pytest.mark.parametrize("raw", [False, True])
def test_stream(piece: int | None, raw: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream is asked for its usage, and the application does not see it."""
    provider.script(Fault(usage=USAGE, piece=piece))
    found = driver.run((chat(driver).with_raw_response if raw else chat(driver)).create(**ASKED, stream=True))
    chunks = driver.read(found.parse() if raw else found)
    assert provider.requests[-1].json["stream_options"] == {"include_usage": True}
    assert all(chunk.choices for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert recorded.call[names.COST_USD] == COST


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_streaming_response(
    streamed: bool, packed: bool, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """A body that the application streams itself is read along with it."""
    provider.script(Fault(usage=USAGE, gzip=packed))
    manager = chat(driver).with_streaming_response.create(**ASKED, stream=streamed)
    assert driver.within(manager, lambda response: response.read())
    assert recorded.call[names.COST_USD] == COST


@pytest.mark.some(1)
@pytest.mark.parametrize("way", ["closed", "left", "never_read"])
def test_stream_left_early(way: str, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream that is not read to its end is one record, and an estimate."""
    gate = threading.Event()
    provider.script(Fault(gate=gate, gate_events=4))
    stream = driver.run(chat(driver).create(**ASKED, stream=True))
    if way != "never_read":
        driver.take(stream, 2)
    if way == "closed":
        driver.run(stream.close() if hasattr(stream, "close") else stream.response.close())
    del stream
    settle(driver)
    gate.set()
    assert recorded.call[names.COST_STATUS] == "estimated"
    assert recorded.call[names.COST_REASON].startswith("stream_closed_early")


def test_stream_cut_by_the_server(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream that breaks off is the application's error, and one record."""
    provider.script(Fault(cut_events=3))
    stream = driver.run(chat(driver).create(**ASKED, stream=True))
    with pytest.raises(Exception):  # noqa: B017  the SDK's own since 2.x, the transport's before
        driver.read(stream)
    assert recorded.call[names.COST_STATUS] == "estimated"
    assert names.ERROR_TYPE in recorded.call


def test_helper(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The streaming helper, wherever this version has it."""
    places = (chat(driver), getattr(getattr(driver.client.beta, "chat", None), "completions", None))
    completions: Any = next((place for place in places if hasattr(place, "stream")), None)
    if completions is None:
        pytest.skip("this version has no helper")
    provider.script(Fault(usage=USAGE))
    final = driver.within(completions.stream(**ASKED), lambda stream: stream.get_final_completion())
    assert final.choices
    assert recorded.call[names.COST_USD] == COST


def test_embeddings(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Embeddings."""
    provider.script(Fault(usage={"prompt_tokens": 1000, "total_tokens": 1000}))
    driver.run(driver.client.embeddings.create(model="text-embedding-3-small", input=["one", "two"]))
    assert recorded.call[names.COST_USD] == "0.00002"


def test_audio(driver: Driver, recorded: Recorded) -> None:
    """Speech by the character, transcriptions by the second."""
    driver.run(driver.client.audio.speech.create(model="tts-1", voice="alloy", input="Hello there"))
    file = ("a.wav", io.BytesIO(tokens.wav(15.0)))
    driver.run(driver.client.audio.transcriptions.create(model="whisper-1", file=file, response_format="text"))
    spoken, heard = recorded.calls
    assert spoken[names.COST_USD] == "0.000165"
    assert heard[names.COST_USD] == "0.0015"


def test_responses(driver: Driver, recorded: Recorded) -> None:
    """Responses, streamed and in the background, wherever this version has them."""
    if not hasattr(driver.client, "responses"):
        pytest.skip("this version has no responses")
    create = driver.client.responses.create
    driver.run(create(model="gpt-4o", input="Hello"))
    driver.read(driver.run(create(model="gpt-4o", input="Hello", stream=True)))
    begun = driver.run(create(model="gpt-4o", input="Hello", background=True))
    for _ in range(3):
        driver.run(driver.client.responses.retrieve(begun.id))
    statuses = [call[names.COST_STATUS] for call in recorded.calls]
    assert statuses == ["priced", "priced", "unpriced", "priced"]


def test_jobs(driver: Driver, recorded: Recorded) -> None:
    """A batch, which is found by its URL."""
    create = driver.client.batches.create
    begun = driver.run(create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1"))
    for _ in range(3):
        driver.run(driver.client.batches.retrieve(begun.id))
    driver.run(driver.client.batches.list())  # the first page: the stand-in has no second, and old versions ask for it
    assert [call[names.CALL_REVISION] for call in recorded.calls] == [0, 1]


def test_azure(
    driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """Azure's deployments."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=azure")
    kind: Any = openai.AzureOpenAI if driver.kind == "sync" else openai.AsyncAzureOpenAI
    client = kind(api_key="k", api_version="2024-10-21", azure_endpoint=provider.root)
    provider.script(Fault(usage=USAGE))
    driver.read(driver.run(client.chat.completions.create(model="prod-chat-eu", messages=HELLO, stream=True)))
    assert recorded.call[names.PROVIDER_NAME] == "azure.ai.openai"
    assert recorded.call[names.COST_USD] == COST
    driver.run(client.close())


@pytest.mark.parametrize("streamed", [False, True])
def test_errors(streamed: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Refused: the SDK's exception, and a record that costs nothing."""
    provider.script(Fault(status=429))
    with pytest.raises(openai.RateLimitError):
        driver.run(chat(driver).create(**ASKED, stream=streamed))
    assert (recorded.call[names.COST_USD], recorded.call[names.ERROR_TYPE]) == ("0", "RateLimitError")


def test_connection_error(driver: Driver, recorded: Recorded) -> None:
    """Nobody there."""
    client = driver.new(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(openai.APIConnectionError):
        driver.run(client.chat.completions.create(**ASKED))
    assert recorded.call[names.COST_STATUS] == "unpriced"
    driver.run(client.close())


def test_retries(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """429, 429 and then an answer: billed once."""
    client = driver.new(max_retries=2)
    provider.script(Fault(status=429, headers={"retry-after-ms": "1", "retry-after": "0.001"}, times=2))
    provider.script(Fault(usage=USAGE))
    driver.run(client.chat.completions.create(**ASKED))
    assert len(provider.requests) == 3
    assert recorded.call[names.COST_USD] == COST
    driver.run(client.close())


def test_taken_back(driver: Driver, provider: Provider) -> None:
    """Uninstrumented, the SDK has its own methods again, and what was bound meanwhile passes through."""
    methods = [(kind, name) for kind in (SyncAPIClient, AsyncAPIClient) for name in ("request", "_process_response")]
    originals = [vars(kind)[name] for kind, name in methods]
    kept = Recorded()
    CostsInstrumentor().instrument(**kept.providers)
    create = chat(driver).create
    assert all(vars(kind)[name] is not original for (kind, name), original in zip(methods, originals, strict=True))
    CostsInstrumentor().uninstrument()
    assert all(vars(kind)[name] is original for (kind, name), original in zip(methods, originals, strict=True))
    driver.run(create(**ASKED))
    assert kept.calls == []
