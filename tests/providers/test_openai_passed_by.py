"""Requests that do not come by our wrapper of `request`: noticed by what they call next, and recorded once."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai._base_client import AsyncAPIClient, BaseClient, SyncAPIClient

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.support.recorded import Recorded, instrumented, wait_for_records

from .conftest import COST, HELLO, USAGE

ASKED: Any = {"model": "gpt-4o", "messages": HELLO}


@pytest.fixture
def passing(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client whose `request` is a function of the application's, which holds the SDK's own from before us."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    original = SyncAPIClient.request
    with openai.OpenAI(base_url=provider.base_url, api_key="k", max_retries=1) as client:
        vars(client)["request"] = lambda *args, **kwargs: original(client, *args, **kwargs)
        yield client


@pytest.fixture
def kept(passing: Any) -> Iterator[Recorded]:
    recorded = Recorded()
    with instrumented(recorded):
        yield recorded


def chat(client: Any) -> object:
    return client.chat.completions.create(**ASKED).choices


def stream(client: Any) -> object:
    chunks = list(client.chat.completions.create(**ASKED, stream=True))
    assert all(chunk.choices for chunk in chunks)  # what we asked for is hidden
    return chunks


def raw(client: Any) -> object:
    return client.chat.completions.with_raw_response.create(**ASKED).text


@pytest.mark.parametrize("ask", [chat, stream, raw])
def test_recorded_once(ask: Callable[[Any], object], passing: Any, provider: Provider, kept: Recorded) -> None:
    """The first that passes by, and the next, for which its client has our wrapper, are one exact record each."""
    provider.script(Fault(usage=USAGE, times=2))
    for number in (1, 2):
        assert ask(passing)
        assert [call[names.COST_USD] for call in kept.calls] == [COST] * number
        assert len(kept.spans) == number


def test_a_retry(passing: Any, provider: Provider, kept: Recorded) -> None:
    """An attempt that fails, and one that does not, are one call."""
    provider.script(Fault(status=500, headers={"retry-after-ms": "1"}), Fault(usage=USAGE))
    assert chat(passing)
    assert kept.call[names.COST_USD] == COST


def test_refused(passing: Any, provider: Provider, kept: Recorded) -> None:
    """An answer that is an error is recorded with its kind, and costs nothing."""
    provider.script(Fault(status=400))
    with pytest.raises(openai.BadRequestError):
        chat(passing)
    assert (kept.call[names.ERROR_TYPE], kept.call[names.COST_USD]) == ("BadRequestError", "0")


def test_its_error_made_again(passing: Any, provider: Provider, kept: Recorded) -> None:
    """An application that makes the SDK's error of a response once more has made no other call."""
    provider.script(Fault(status=400))
    with pytest.raises(openai.BadRequestError) as raised:
        chat(passing)
    again = passing._make_status_error_from_response(raised.value.response)
    assert type(again) is openai.BadRequestError
    assert len(kept.calls) == 1


def test_a_budget(passing: Any, provider: Provider, kept: Recorded) -> None:
    """A session that has spent its budget sends nothing more, whatever the way."""
    with otel_costs.session("spent", budget_usd="0.01"):
        otel_costs.record("chat", provider="openai", model="gpt-4o", usage={"input_tokens": 8_000})
        before = len(provider.requests)
        with pytest.raises(otel_costs.BudgetExceeded):
            chat(passing)
    assert len(provider.requests) == before


def test_taken_back(passing: Any, provider: Provider) -> None:
    """The client has its own function again, and the SDK its own methods; nothing more is recorded."""
    theirs, recorded, methods = vars(passing)["request"], Recorded(), dict(vars(BaseClient))
    with instrumented(recorded):
        chat(passing)
        assert vars(passing)["request"] is not theirs
    assert vars(passing)["request"] is theirs
    assert dict(vars(BaseClient)) == methods
    chat(passing)
    wait_for_records()
    assert len(recorded.calls) == 1


async def _async(provider: Provider, recorded: Recorded) -> None:
    original = AsyncAPIClient.request
    async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="k") as client:
        vars(client)["request"] = lambda *args, **kwargs: original(client, *args, **kwargs)
        CostsInstrumentor().instrument(**recorded.providers)
        for _ in range(2):
            assert (await client.chat.completions.create(**ASKED)).choices
            chunks = [chunk async for chunk in await client.chat.completions.create(**ASKED, stream=True)]
            assert all(chunk.choices for chunk in chunks)


def test_async(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of the async client."""
    import asyncio

    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    provider.script(Fault(usage=USAGE, times=4))
    recorded = Recorded()
    try:
        asyncio.run(_async(provider, recorded))
        assert [call[names.COST_USD] for call in recorded.calls] == [COST] * 4
    finally:
        CostsInstrumentor().uninstrument()


def test_a_wrapper_that_hides_what_it_calls(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a class, too: a plain function over the SDK's own, which no `__wrapped__` tells of."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    original = SyncAPIClient.request
    monkeypatch.setattr(openai.OpenAI, "request", lambda *args, **kwargs: original(*args, **kwargs), raising=False)
    recorded = Recorded()
    with instrumented(recorded), openai.OpenAI(base_url=provider.base_url, api_key="k") as client:
        for number in (1, 2):
            assert chat(client)
            assert len(recorded.calls) == number
        client.models.list()  # not billed, whichever way
        assert len(recorded.calls) == 2
