"""What is sent to a provider without its SDK, or is not billed, has none of our baggage either."""

import asyncio
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import boto3  # type: ignore[import-untyped, unused-ignore]
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3
from opentelemetry import baggage, context
from urllib3.connectionpool import HTTPConnectionPool

import otel_costs
from otel_costs import semconv as names
from otel_costs.sessions import baggage as ours
from otel_costs.stand_in import Provider
from tests.support.recorded import Recorded, instrumented

Note = Callable[..., None]


def by_httpx(url: str, note: Note) -> None:
    with httpx.Client(event_hooks={"request": [note]}) as client:
        client.get(url)


def by_httpx2_async(url: str, note: Note) -> None:
    async def hook(_: Any) -> None:
        note()

    async def send() -> None:
        async with httpx2.AsyncClient(event_hooks={"request": [hook]}) as client:
            await client.get(url)

    asyncio.run(send())


def _traced(note: Note) -> aiohttp.ClientSession:
    """What OpenTelemetry's instrumentation of aiohttp does: it writes its headers when a request starts."""

    async def start(*_: object) -> None:
        note()

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(start)
    return aiohttp.ClientSession(trace_configs=[trace])


def by_aiohttp(url: str, note: Note) -> None:
    async def send() -> None:
        async with _traced(note) as session, session.get(url):
            pass

    asyncio.run(send())


def by_socket(url: str, note: Note) -> None:
    async def send() -> None:
        address = url.rpartition("/v1/")[0] + "/v1/realtime?model=gpt-realtime"
        async with _traced(note) as session, session.ws_connect(address, headers={"authorization": "Bearer sk"}):
            pass

    asyncio.run(send())


def by_requests(url: str, note: Note) -> None:
    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> Any:
            note()
            return super().send(*args, **kwargs)

    with requests.Session() as session:
        session.mount("http://", Adapter())
        session.get(url)


def by_urllib3(url: str, note: Note) -> None:
    class Pool(HTTPConnectionPool):
        def _make_request(self, *args: Any, **kwargs: Any) -> Any:
            note()
            return super()._make_request(*args, **kwargs)

    with urllib3.PoolManager() as pools:
        pools.pool_classes_by_scheme = {"http": Pool}
        pools.request("GET", url)


def by_urllib(url: str, note: Note) -> None:
    class Handler(urllib.request.HTTPErrorProcessor):
        def http_request(self, request: Any) -> Any:
            note()
            return request

        def http_response(self, _: Any, response: Any) -> Any:
            return response

    urllib.request.build_opener(Handler).open(url).close()


SENDERS = (by_httpx, by_httpx2_async, by_aiohttp, by_socket, by_requests, by_urllib3, by_urllib)


@pytest.fixture
def carrying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """Instrument, with ids in baggage; a provider is at 127.0.0.1, and localhost is somebody else."""
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")
    monkeypatch.setenv("OTEL_COSTS_BAGGAGE", "out")
    token = context.attach(context.Context())
    with instrumented(recorded := Recorded()):
        yield recorded
    context.detach(token)
    monkeypatch.undo()
    ours.configure()


@pytest.mark.some(6)
@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("to_provider", [True, False])
def test_by_whom_a_request_is_sent_to(carrying: Recorded, send: Any, to_provider: bool) -> None:
    """The host decides, whichever library it is, and who comes next has the baggage again."""
    found: list[object] = []

    def note(*_: object) -> None:
        found.append(baggage.get_baggage(names.SESSION_ID))

    with Provider() as provider, otel_costs.session("abc-123", user="ada"):
        url = f"{provider.root}/v1/models"
        send(url if to_provider else url.replace("127.0.0.1", "localhost"), note)
        assert baggage.get_baggage(names.SESSION_ID) == "abc-123"
    assert found == [None if to_provider else "abc-123"]


def test_an_operation_of_aws_that_is_not_billed(carrying: Recorded) -> None:
    """A list of voices goes to the same host as speech; a bucket does not."""
    found: list[object] = []

    def sent(**_: object) -> None:
        found.append(baggage.get_baggage(names.SESSION_ID))
        raise ConnectionError  # nothing is sent

    with otel_costs.session("abc-123"):
        for service, ask in (("polly", "describe_voices"), ("s3", "list_buckets")):
            client = boto3.client(service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
            client.meta.events.register("before-send", sent)
            with pytest.raises(ConnectionError):
                getattr(client, ask)()
    assert found == [None, "abc-123"]


def test_the_first_request_that_passes_ours_by(carrying: Recorded) -> None:
    """A client of the SDK with a `request` of its own is seen further in, where no context is entered any more."""
    found: list[object] = []
    request: Any = vars(openai._base_client.SyncAPIClient)["request"].__wrapped__

    class Own(openai.OpenAI):
        def request(self, *args: Any, **kwargs: Any) -> Any:
            return request(self, *args, **kwargs)

    def answered(_: httpx2.Request) -> httpx2.Response:
        found.append(baggage.get_baggage(names.SESSION_ID))
        return httpx2.Response(500)

    client = Own(api_key="sk", max_retries=0, http_client=httpx2.Client(transport=httpx2.MockTransport(answered)))
    with otel_costs.session("abc-123"):
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    assert found == [None, None]
    assert len(carrying.calls) == 2
