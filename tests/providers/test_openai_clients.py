"""Clients of every kind: Azure, other providers, the module's, subclasses, copies, custom transports, retries."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from decimal import Decimal
from typing import Any

import httpx2 as httpx
import openai
import pytest
from openai._models import FinalRequestOptions

from otel_costs import CostsInstrumentor, pricing
from otel_costs import semconv as names
from otel_costs import session as otel_session
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import COST, HELLO, USAGE, Driver, usd
from tests.support.recorded import Recorded

ASKED: Any = {"model": "gpt-4o", "messages": HELLO}


def azure(driver: Driver, **options: Any) -> Any:
    kind = openai.AzureOpenAI if driver.kind == "sync" else openai.AsyncAzureOpenAI
    found = {"api_key": "k", "api_version": "2024-10-21", "max_retries": 0, **options}
    return kind(**found)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_azure(
    fixed: bool, streamed: bool, driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure's deployment is priced by the model that answers; a stream is asked for its usage."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=azure")
    provider.script(Fault(usage=USAGE))
    options = {"azure_deployment": "prod-chat-eu"} if fixed else {}
    client = azure(driver, azure_endpoint=provider.root, **options)
    found = driver.run(client.chat.completions.create(model="prod-chat-eu", messages=HELLO, stream=streamed))
    if streamed:
        assert all(chunk.choices for chunk in driver.read(found))
    assert "/deployments/prod-chat-eu/chat/completions" in provider.requests[-1].path
    call = recorded.call
    assert call[names.PROVIDER_NAME] == "azure.ai.openai"
    assert call[names.REQUEST_MODEL] == "prod-chat-eu"
    assert call[names.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("priced", COST)
    driver.run(client.close())


def test_azure_deployment_price(
    driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A deployment that has a price of its own is found by its name, which may stand in the client's address alone."""
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        """
version: "1"
currency: USD
prices:
  - provider: azure.ai.openai
    match: {deployment: prod-chat-eu}
    base: {provider: openai, model: gpt-4o}
    multiplier: "1.1"
    source: a contract
    checked: 2026-11-22
"""
    )
    monkeypatch.setenv(names.ENV_PRICES, str(prices))
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=azure")
    pricing.use(None)
    provider.script(Fault(usage=USAGE, times=2))
    try:
        for options, model in (({"azure_deployment": "prod-chat-eu"}, "whatever"), ({}, "prod-chat-eu")):
            client = azure(driver, azure_endpoint=provider.root, **options)
            driver.run(client.chat.completions.create(model=model, messages=HELLO))
            driver.run(client.close())
        assert {usd(call) for call in recorded.calls} == {Decimal(COST) * Decimal("1.1")}
    finally:
        pricing.use(None)


@pytest.mark.parametrize(
    ("whose", "asked", "answered", "expected"),
    [
        ("openai", "gpt-4o", "gpt-4o-2024-08-06", "0.007"),  # the user's price, for the version that answered too
        ("openai", "gpt-4o", "gpt-4o-mini-2024-07-18", "0.00015"),  # a gateway that turned to another model
        ("openai", "gpt-4o", "claude-sonnet-4-5", None),  # and to one that it has no price for
        ("gcp.gemini", "models/gemini-2.5-pro", "models/gemini-2.5-pro", "0.00125"),
        ("openai", "openai/gpt-4o", "gpt-4o", "0.007"),
    ],
)
def test_which_price_a_call_has(
    whose: str, asked: str, answered: str, expected: str | None, driver: Driver, provider: Provider,
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Any,
) -> None:  # fmt: skip
    """That of the model that answered, by the user's word for it where there is one."""
    prices = tmp_path / "prices.yaml"
    entry = 'provider: openai, match: {model: gpt-4o}, rates: {input_tokens: {usd: "7", per: 1000000}}'
    prices.write_text(f"version: mine\ncurrency: USD\nprices:\n  - {{{entry}}}\n")
    monkeypatch.setenv(names.ENV_PRICES, str(prices))
    monkeypatch.setenv(names.ENV_PROVIDERS, f"127.0.0.1={whose}")
    pricing.use(None)
    provider.script(Fault(usage={"prompt_tokens": 1000, "completion_tokens": 0}, fields={"model": answered}))
    kind = openai.OpenAI if driver.kind == "sync" else openai.AsyncOpenAI
    client = kind(api_key="k", base_url=f"{provider.root}/v1")
    try:
        driver.run(client.chat.completions.create(model=asked, messages=HELLO))
        driver.run(client.close())
        assert recorded.call.get(names.COST_USD) == expected
    finally:
        pricing.use(None)


@pytest.mark.parametrize(
    ("address", "provider_name"),
    [
        ("http://acme.openai.azure.com/openai/v1", "azure.ai.openai"),
        ("http://api.openai.com/v1", "openai"),
        ("http://eu.api.openai.com/v1", "openai"),
        ("http://api.deepseek.com", "deepseek"),
        ("http://openrouter.ai/api/v1", "openrouter"),
        ("http://llm.acme.com/v1", "unknown"),
    ],
)
def test_provider_by_host(
    address: str, provider_name: str, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """The provider is who is behind the host; nobody's price is taken for a host that nobody knows."""
    proxied: Any = (httpx.Client if driver.kind == "sync" else httpx.AsyncClient)(proxy=provider.root)
    client = driver.new(base_url=address, http_client=proxied)
    driver.run(client.chat.completions.create(**ASKED))
    call = recorded.call
    assert call[names.PROVIDER_NAME] == provider_name
    assert call[names.SERVER_ADDRESS] == httpx.URL(address).host
    assert (names.COST_USD in call) is (provider_name not in ("unknown", "deepseek"))
    driver.run(client.close())


@pytest.mark.parametrize("streamed", [False, True])
def test_cost_that_the_provider_reports(
    streamed: bool, driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cost that the provider itself says is the cost; the computed one stands beside it."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openrouter")
    client = driver.new(base_url=provider.url("openrouter"))
    provider.script(Fault(usage={**USAGE, "cost": 0.0123}))
    found = driver.run(client.chat.completions.create(model="openai/gpt-4o", messages=HELLO, stream=streamed))
    if streamed:
        driver.read(found)
    call = recorded.call
    assert (call[names.COST_USD], call[names.COST_SOURCE]) == ("0.0123", "provider")
    assert call[names.COST_STATUS] == "priced"
    driver.run(client.close())


def test_cost_in_a_header(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """LiteLLM's proxy says the cost in a header."""
    client = driver.new(base_url=provider.url("litellm"))
    provider.script(Fault(usage=USAGE, headers={"x-litellm-response-cost": "0.02"}))
    driver.run(client.chat.completions.create(**ASKED))
    call = recorded.call
    assert (call[names.COST_USD], call[names.COST_SOURCE]) == ("0.02", "provider")
    assert call[names.COST_COMPUTED_USD] == COST
    driver.run(client.close())


def test_module_client(provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module's own client, `openai.chat.completions.create`, is recorded like any other."""
    monkeypatch.setattr(openai, "api_key", "k")
    monkeypatch.setattr(openai, "base_url", provider.base_url + "/")
    provider.script(Fault(usage=USAGE))
    try:
        openai.chat.completions.create(**ASKED)
    finally:
        openai._load_client().close()
        openai._reset_client()
    assert recorded.call[names.COST_USD] == COST


def test_subclasses(provider: Provider, recorded: Recorded) -> None:
    """A subclass that overrides what we patch is recorded once, and stays what it is."""

    class Mine(openai.OpenAI):
        asked = 0

        def request(self, *args: Any, **kwargs: Any) -> Any:
            self.asked += 1
            return super().request(*args, **kwargs)

    provider.script(Fault(usage=USAGE))
    with Mine(api_key="k", base_url=provider.base_url) as client:
        client.chat.completions.create(**ASKED)
        assert isinstance(client, openai.OpenAI)
        assert client.asked == 1
    assert recorded.call[names.COST_USD] == COST


def test_copies(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Copies of a client are recorded once, too."""
    provider.script(Fault(usage=USAGE, times=2))
    copied = driver.client.with_options(timeout=5).copy(max_retries=1)
    driver.run(copied.chat.completions.create(**ASKED))
    driver.run(copied.chat.completions.with_raw_response.create(**ASKED))
    assert [call[names.COST_USD] for call in recorded.calls] == [COST, COST]


def test_custom_transport(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A client of the application's own, with hooks that read the body, is as good as the SDK's."""
    read: list[int] = []

    def hook(response: Any) -> None:
        response.read()
        read.append(response.status_code)

    async def hook_async(response: Any) -> None:
        await response.aread()
        read.append(response.status_code)

    kind: Any = httpx.Client if driver.kind == "sync" else httpx.AsyncClient
    hooks = {"response": [hook if driver.kind == "sync" else hook_async]}
    client = driver.new(http_client=kind(event_hooks=hooks))
    provider.script(Fault(usage=USAGE, times=2))
    driver.run(client.chat.completions.create(**ASKED))
    chunks = driver.read(driver.run(client.chat.completions.create(**ASKED, stream=True)))
    assert read == [200, 200]
    assert chunks
    assert [call[names.COST_USD] for call in recorded.calls] == [COST, COST]
    driver.run(client.close())


def test_request_within_a_hook(provider: Provider, recorded: Recorded) -> None:
    """A free request that is made while another is sent is not taken for the other."""
    plain = openai.OpenAI(api_key="k", base_url=provider.base_url)

    def hook(request: Any) -> None:
        plain.models.list()

    provider.script(Fault(usage=USAGE, path="/chat"))
    with openai.OpenAI(
        api_key="k", base_url=provider.base_url, http_client=httpx.Client(event_hooks={"request": [hook]})
    ) as client:
        assert client.chat.completions.create(**ASKED).usage.prompt_tokens == 1500
    plain.close()
    assert recorded.call[names.COST_USD] == COST


def test_billed_request_within_a_hook(provider: Provider, recorded: Recorded) -> None:
    """A billed one is a record of its own."""
    plain = openai.OpenAI(api_key="k", base_url=provider.base_url)

    def hook(request: Any) -> None:
        plain.embeddings.create(model="text-embedding-3-small", input="x")

    with openai.OpenAI(
        api_key="k", base_url=provider.base_url, http_client=httpx.Client(event_hooks={"request": [hook]})
    ) as client:
        client.chat.completions.create(**ASKED)
    plain.close()
    assert sorted(call[names.OPERATION_NAME] for call in recorded.calls) == ["chat", "embeddings"]


def test_absolute_address(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A request to another host than the client's is that host's."""
    client = driver.new(base_url="http://llm.acme.com/v1")
    provider.script(Fault(usage=USAGE))
    driver.run(client.post(f"{provider.base_url}/chat/completions", cast_to=object, body=dict(ASKED)))
    call = recorded.call
    assert (call[names.PROVIDER_NAME], call[names.SERVER_ADDRESS]) == ("openai", "127.0.0.1")
    assert (call[names.COST_USD], call[names.OPERATION_NAME]) == (COST, "chat")
    driver.run(client.close())


def test_retries(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """429, 429 and then an answer: one call, billed once."""
    client = driver.new(max_retries=2)
    provider.script(Fault(status=429, headers={"retry-after-ms": "1"}, times=2), Fault(usage=USAGE))
    driver.run(client.chat.completions.create(**ASKED))
    assert len(provider.requests) == 3
    assert recorded.call[names.COST_USD] == COST
    assert len(recorded.spans) == 1
    driver.run(client.close())


def test_retried_stream(
    driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose first attempt is refused, or broken off before it begins, is one call."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    client = driver.new(max_retries=2)
    provider.script(Fault(status=500, headers={"retry-after-ms": "1"}), Fault(cut=-1), Fault(usage=USAGE))
    driver.read(driver.run(client.chat.completions.create(**ASKED, stream=True)))
    assert all(request.json["stream_options"] == {"include_usage": True} for request in provider.requests)
    assert recorded.call[names.COST_USD] == COST
    driver.run(client.close())


def test_extra_body(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """What is sent by `extra_body` is what counts, and the application's own dict stays as it is."""
    extra = {"model": "gpt-4o-mini", "seed": 7}
    driver.run(driver.client.chat.completions.create(**ASKED, extra_body=extra))
    assert extra == {"model": "gpt-4o-mini", "seed": 7}
    assert recorded.call[names.REQUEST_MODEL] == "gpt-4o-mini"
    assert provider.requests[-1].json["model"] == "gpt-4o-mini"


def test_requests_are_unchanged(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """What is sent is to the byte what is sent without us; nothing of ours is in a header."""
    for _ in range(2):
        driver.run(driver.client.chat.completions.create(**ASKED, temperature=0.1))
        CostsInstrumentor().uninstrument()
    with_us, without = provider.requests
    assert with_us.body == without.body
    assert with_us.headers == without.headers
    assert len(recorded.calls) == 1


@pytest.mark.long
def test_concurrent_calls(provider: Provider, recorded: Recorded) -> None:
    """A hundred calls at once, in sessions of their own, are kept apart."""

    async def one(client: openai.AsyncOpenAI, number: int) -> None:
        async with otel_session(f"session-{number}"):
            stream = await client.chat.completions.create(**ASKED, stream=True, user=f"user-{number}")
            async for _ in stream:
                pass
            await client.embeddings.create(model="text-embedding-3-small", input="x")

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            await asyncio.gather(*(one(client, number) for number in range(50)))

    asyncio.run(main())
    calls = recorded.calls
    assert len(calls) == 100
    assert {call[names.CALL_SEQ] for call in calls} == set(
        range(calls[0][names.CALL_SEQ], calls[0][names.CALL_SEQ] + 100)
    )
    for number in range(50):
        mine = [call for call in calls if call[names.SESSION_ID] == f"session-{number}"]
        assert sorted(call[names.OPERATION_NAME] for call in mine) == ["chat", "embeddings"]


def test_threads(client: openai.OpenAI, recorded: Recorded) -> None:
    """Calls of several threads through one client are kept apart, too."""

    def one(number: int) -> None:
        with otel_session(f"session-{number}"):
            client.chat.completions.create(**ASKED)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(call[names.SESSION_ID] for call in recorded.calls) == [f"session-{number}" for number in range(8)]


def test_abandoned_coroutine(provider: Provider, recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """A coroutine that is closed in another context than it ran in leaves that context alone, and no error."""
    caplog.set_level("DEBUG")
    gate = threading.Event()
    provider.script(Fault(gate=gate))

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            asked = client.chat.completions.create(**ASKED)
            waiting = copy_context().run(asked.send, None)
            assert waiting is not None
            asked.close()
            gate.set()

    asyncio.run(main())
    assert recorded.call[names.ERROR_TYPE] == "GeneratorExit"
    assert "detach" not in caplog.text


class AllHere(threading.Event):
    """A gate of the provider's that opens when so many requests wait at it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number, self._waiting = number, set[int]()

    def wait(self, timeout: float | None = None) -> bool:
        self._waiting.add(threading.get_ident())
        if len(self._waiting) == self._number:
            self.set()
        return super().wait(timeout)


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_options_at_the_same_time(
    stream: bool, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """Options that several tasks or threads send at the same time are as many calls, and stay what they are."""
    provider.script(Fault(gate=AllHere(5), usage=USAGE, times=5))
    body = {**ASKED, "stream": True} if stream else ASKED
    options = FinalRequestOptions.construct(method="post", url="/chat/completions", json_data=body)
    before = repr(options)
    of_chunks: Any = openai.Stream[Any] if driver.kind == "sync" else openai.AsyncStream[Any]
    kinds = {"stream": True, "stream_cls": of_chunks} if stream else {}

    def send() -> Any:
        return driver.client.request(object, options, **kinds)

    async def send_all() -> list[Any]:
        return await asyncio.gather(*(send() for _ in range(5)))

    if driver.kind == "async":
        answers = driver.run(send_all())
    else:
        with ThreadPoolExecutor(5) as threads:
            answers = list(threads.map(lambda _: send(), range(5)))
    for answer in answers:
        assert driver.read(answer) if stream else answer
    assert [call[names.COST_USD] for call in recorded.calls] == [COST] * 5
    assert repr(options) == before
