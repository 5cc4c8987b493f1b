"""What the tests of the providers share: a client of the real SDK on the stand-in, sync or async."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest

from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.stand_in import Fault, Provider

USAGE = {
    "prompt_tokens": 1500,
    "completion_tokens": 800,
    "total_tokens": 2300,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
COST = "0.011625"
"""Of USAGE with gpt-4o: 1,400 at 2.50, 100 at 1.25 and 800 at 10 per million."""

HELLO: Any = [{"role": "user", "content": "Hello"}]


class Driver:
    """Does the same with the sync and with the async client."""

    def __init__(self, kind: str, base_url: str) -> None:
        self.kind, self.base_url = kind, base_url
        self._runner = asyncio.Runner() if kind == "async" else None
        self.client: Any = self.new()

    def new(self, **options: Any) -> Any:
        """Return a client of the stand-in."""
        found = {"api_key": "sk-sentinel-key", "base_url": self.base_url, "max_retries": 0, **options}
        return openai.OpenAI(**found) if self._runner is None else openai.AsyncOpenAI(**found)

    def run(self, asked: Any) -> Any:
        """Return what a call returns, awaited where it has to be."""
        return asked if self._runner is None else self._runner.run(_awaited(asked))

    def read(self, stream: Any) -> list[Any]:
        """Read a stream to its end."""
        return list(stream) if self._runner is None else self._runner.run(_read(stream))

    def take(self, stream: Any, number: int) -> list[Any]:
        """Read the first items of a stream and leave it as a loop is left with `break`."""
        return _take(stream, number) if self._runner is None else self._runner.run(_take_async(stream, number))

    def within(self, manager: Any, action: Callable[[Any], Any]) -> Any:
        """Return what `action` returns in a `with` block."""
        if self._runner is None:
            with manager as entered:
                return action(entered)
        return self._runner.run(_within(manager, action))

    def close(self) -> None:
        if self._runner is not None:
            self._runner.run(self.client.close())
            self._runner.close()
        else:
            self.client.close()


async def _awaited(asked: Any) -> Any:
    return await asked if hasattr(asked, "__await__") else asked


async def _read(stream: Any) -> list[Any]:
    return [item async for item in stream]


def _take(stream: Any, number: int) -> list[Any]:
    found = []
    for item in stream:
        found.append(item)
        if len(found) == number:
            break
    return found


async def _take_async(stream: Any, number: int) -> list[Any]:
    found = []
    async for item in stream:
        found.append(item)
        if len(found) == number:
            break
    return found


async def _within(manager: Any, action: Callable[[Any], Any]) -> Any:
    async with manager as entered:
        done = action(entered)
        if hasattr(done, "__aiter__"):
            return [item async for item in done]
        return await done if hasattr(done, "__await__") else done


@pytest.fixture(autouse=True)
def _known_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the stand-in be OpenAI, and content be off."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    for name in (names.ENV_STREAM_USAGE, names.ENV_CAPTURE_CONTENT, names.ENV_PRICES):
        monkeypatch.delenv(name, raising=False)
    yield
    content.configure(content.Capture.NO_CONTENT)


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest, provider: Provider) -> Iterator[Driver]:
    """Drive the sync client, then the async one."""
    driving = Driver(request.param, provider.base_url)
    yield driving
    driving.close()


@pytest.fixture
def client(provider: Provider) -> Iterator[openai.OpenAI]:
    """Open a sync client of the stand-in."""
    with openai.OpenAI(api_key="sk-sentinel-key", base_url=provider.base_url, max_retries=0) as opened:
        yield opened


@pytest.fixture
def known_usage(provider: Provider) -> None:
    """Have the stand-in say USAGE, whose cost is COST, in its next answers."""
    provider.script(Fault(usage=USAGE, times=50))


def usd(record: Any) -> Decimal:
    """Return the exact cost of a ledger record."""
    return Decimal(record[names.COST_USD])
