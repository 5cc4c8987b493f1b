"""The real clients, which check every answer of the stand-in against their types."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import openai
import pytest

from otel_costs.stand_in import Provider


class Caller:
    """Makes the same call with the sync and with the async client."""

    def __init__(self, provider: Provider, kind: str) -> None:
        self.provider, self.kind = provider, kind
        self.options: dict[str, Any] = {
            "base_url": provider.base_url,
            "api_key": "sk-test",
            "_strict_response_validation": True,
        }

    def loosely(self) -> None:
        """Check no types: where the real answer, too, is none of the client's own types."""
        self.options["_strict_response_validation"] = False

    def __call__(self, make: Callable[[Any], Any]) -> Any:
        """Return what the call returns; of a stream, all its events."""
        if self.kind == "async":
            return asyncio.run(self._async(make))
        # Loading certificates takes longer than the call.
        with openai.OpenAI(**self.options, http_client=openai.DefaultHttpxClient(verify=False)) as client:
            made = make(client)
            return list(made) if isinstance(made, openai.Stream) else made

    async def _async(self, make: Callable[[Any], Any]) -> Any:
        http_client = openai.DefaultAsyncHttpxClient(verify=False)
        async with openai.AsyncOpenAI(**self.options, http_client=http_client) as client:
            made = make(client)
            made = await made if isinstance(made, Awaitable) else made
            if isinstance(made, openai.AsyncStream):
                return [event async for event in made]
            return made


@pytest.fixture(params=["sync", "async"])
def call(provider: Provider, request: pytest.FixtureRequest) -> Caller:
    return Caller(provider, request.param)


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.base_url, api_key="sk-test", _strict_response_validation=True) as made:
        yield made
