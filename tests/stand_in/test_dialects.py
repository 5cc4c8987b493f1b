"""Azure, and the others who speak the protocol."""

import asyncio
from typing import Any

import openai
import pytest

from otel_costs.stand_in import Provider
from tests.support import loopback

from .asked import HELLO


def test_azure(provider: Provider) -> None:
    """Azure's deployments are paths, and answer with the model behind them; its newer paths are OpenAI's."""
    azure = openai.AzureOpenAI(azure_endpoint=provider.root, api_key="k", api_version="2024-10-21")
    with azure:
        answer = azure.chat.completions.create(model="prod-chat-eu", messages=HELLO)
    assert answer.model == "gpt-4o-2024-08-06"
    assert provider.requests[-1].path == "/openai/deployments/prod-chat-eu/chat/completions"
    assert provider.requests[-1].query == "api-version=2024-10-21"
    with openai.OpenAI(base_url=f"{provider.root}/openai/v1/", api_key="k") as client:
        assert client.responses.create(model="gpt-4o", input="Hello").status == "completed"


@pytest.mark.parametrize(
    ("flavour", "expected"),
    [
        ("deepseek", {"prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 9}),
        ("openrouter", {"cost": 0.000057}),
        ("xai", {"cost_in_usd_ticks": 570000}),
        ("perplexity", {"search_context_size": "low"}),
    ],
)
def test_dialects(provider: Provider, flavour: str, expected: dict[str, Any]) -> None:
    """Others write their own fields into the usage, and the client keeps them."""
    with openai.OpenAI(base_url=provider.url(flavour), api_key="k") as client:
        answer = client.chat.completions.create(model="some-model", messages=HELLO)
    assert answer.usage is not None
    assert expected.items() <= (answer.usage.model_extra or {}).items()


def test_thoughts_beside_the_completion(provider: Provider) -> None:
    """xAI counts reasoning beside the completion, and both in the total."""
    with openai.OpenAI(base_url=provider.url("xai"), api_key="k") as client:
        usage = client.chat.completions.create(model="grok-4", messages=HELLO).usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + 128


@pytest.mark.parametrize(
    ("flavour", "expected"),
    [("openrouter", [12]), ("xai", [12]), ("mistral", [12]), ("perplexity", [*range(1, 12), 12]), ("groq", [])],
)
def test_usage_that_nobody_asked_for(provider: Provider, flavour: str, expected: list[int]) -> None:
    """Some say the usage of every stream: in a chunk of its own, in the last one, or growing in each."""
    with openai.OpenAI(base_url=provider.url(flavour), api_key="k") as client:
        chunks = list(client.chat.completions.create(model="some-model", messages=HELLO, stream=True))
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == expected
    if flavour == "groq":
        assert (chunks[-1].model_extra or {})["x_groq"]["usage"]["completion_tokens"] == 12


def test_cost_header(provider: Provider) -> None:
    """LiteLLM says the cost in a header, and not on streams."""
    with openai.OpenAI(base_url=provider.url("litellm"), api_key="k") as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)
        streamed = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO, stream=True)
        streamed.parse().close()
    assert raw.headers["x-litellm-response-cost"] == "0.000057"
    assert "x-litellm-response-cost" not in streamed.headers


def test_clients_of_real_hosts(provider: Provider) -> None:
    """A client of a real host reaches the stand-in without knowing it, and gets that host's dialect."""
    made = openai.OpenAI(base_url="https://api.deepseek.com", api_key="k", http_client=loopback.http_client(provider))
    with made as client:
        raw = client.chat.completions.with_raw_response.create(model="deepseek-chat", messages=HELLO)
    assert raw.http_request.url.host == "api.deepseek.com"
    assert "prompt_cache_miss_tokens" in raw.text


def test_async_clients_of_real_hosts(provider: Provider) -> None:
    """The same, async."""

    async def ask() -> str:
        transport = loopback.async_http_client(provider)
        async with openai.AsyncOpenAI(base_url="https://api.x.ai/v1", api_key="k", http_client=transport) as client:
            raw = await client.chat.completions.with_raw_response.create(model="grok-4", messages=HELLO)
            return raw.text

    assert "cost_in_usd_ticks" in asyncio.run(ask())


def test_hosts_behind_a_proxy(provider: Provider) -> None:
    """As an HTTP proxy, the stand-in answers for any host, in its dialect."""
    transport = openai.DefaultHttpxClient(proxy=provider.root)
    with openai.OpenAI(base_url="http://openrouter.ai/api/v1", api_key="k", http_client=transport) as client:
        answer = client.chat.completions.create(model="openai/gpt-4o", messages=HELLO)
    assert answer.usage is not None
    assert (answer.usage.model_extra or {})["cost"] > 0
    assert provider.requests[-1].headers["host"] == "openrouter.ai"
