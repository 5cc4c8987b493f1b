"""The same spoken conversation through every client leaves the same records, exact to the digit.

`tests/providers/test_openai_versions.py` runs this under each version of the SDK, too.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import openai
import pytest

from otel_costs import semconv as names
from otel_costs import session
from otel_costs.stand_in import Provider
from otel_costs.stand_in.realtime_turn import Turn
from tests.support.recorded import Recorded, instrumented
from tests.transports.websocket import realtime_talk
from tests.transports.websocket.clients import CLIENTS as LIBRARIES
from tests.transports.websocket.realtime_talk import Talk
from tests.transports.websocket.realtime_turns import COSTS, EAR, MODEL, TURNS

# What the SDK's sync connections bring upon themselves since websockets 17.1.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")

Connect = Callable[[Provider], AbstractAsyncContextManager[Talk]]

CLIENTS: dict[str, Connect] = {library: realtime_talk.raw(library) for library in LIBRARIES}
BETA: dict[str, Connect] = {}
for how, connect in (("sdk", realtime_talk.sdk), ("async sdk", realtime_talk.async_sdk)):
    if hasattr(openai.OpenAI(api_key="sk-none"), "realtime"):
        CLIENTS[f"{how}, recv"] = connect
        CLIENTS[f"{how}, iteration"] = functools.partial(connect, iterates=True)
    if hasattr(openai.OpenAI(api_key="sk-none").beta, "realtime"):
        BETA[how] = functools.partial(connect, beta=True)
        BETA[f"{how}, iteration"] = functools.partial(connect, beta=True, iterates=True)

EXPECTED = [
    ("realtime_inference", COSTS["asks"]),
    ("speech_to_text", COSTS["hears"]),
    ("realtime_inference", COSTS["says"]),
]


@pytest.fixture(autouse=True)
def openai_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_COSTS_PROVIDERS", "127.0.0.1=openai")


def run(work: Awaitable[Any]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(main())


async def talk(provider: Provider, connect: Connect, *, beta: bool = False) -> list[str]:
    provider.realtime.script(*TURNS)
    async with connect(provider) as connection:
        return await realtime_talk.hold(connection, beta=beta)


@pytest.mark.parametrize("client", CLIENTS)
def test_two_turns(client: str, provider: Provider, recorded: Recorded) -> None:
    """Text, audio and cached audio, a function call and a transcription: three calls, priced to the digit."""
    seen = run(talk(provider, CLIENTS[client]))
    assert seen[-1] == "response.done"
    assert realtime_talk.costs(recorded) == EXPECTED
    asks, hears, says = recorded.calls
    assert asks[names.RESPONSE_MODEL] == says[names.RESPONSE_MODEL] == MODEL
    assert hears[names.REQUEST_MODEL] == EAR
    assert {call[names.COST_STATUS] for call in recorded.calls} == {"priced"}
    assert len({call[names.SESSION_ID] for call in recorded.calls}) == 1
    spoken = [span.name for span in recorded.spans if span.name.startswith(("realtime_inference", "speech_to_text"))]
    assert spoken == [f"realtime_inference {MODEL}", f"speech_to_text {EAR}", f"realtime_inference {MODEL}"]


@pytest.mark.parametrize("client", CLIENTS)
def test_same_records(client: str, provider: Provider) -> None:
    """Whichever client speaks, ledger and messages are the same, but for ids and times."""
    found = []
    for each in ("asyncio", client):
        kept = Recorded()
        with instrumented(kept):
            run(talk(provider, CLIENTS[each]))
            spoken = [(message[names.MESSAGE_ROLE], message[names.MESSAGE_TYPE]) for message in kept.messages]
            found.append((realtime_talk.ledger(kept), spoken, sorted(span.name for span in kept.spans)))
    assert found[0] == found[1]
    assert len(found[0][1]) > 3


@pytest.mark.parametrize("client", CLIENTS)
def test_in_a_session(client: str, provider: Provider, recorded: Recorded) -> None:
    """A session that is open when the connection is opened has its calls, though they arrive in other threads."""

    async def work() -> None:
        with session("abc-123", user="user-1") as opened:
            await talk(provider, CLIENTS[client])
        assert opened.cost_usd == sum(COSTS.values())

    run(work())
    assert {(call[names.SESSION_ID], call[names.USER_ID]) for call in recorded.calls} == {("abc-123", "user-1")}


@pytest.mark.parametrize("client", CLIENTS)
def test_uninstrumented(client: str, provider: Provider, recorded: Recorded) -> None:
    """The application sees the same events with us as without."""
    with_us = run(talk(provider, CLIENTS[client]))
    from otel_costs import CostsInstrumentor

    CostsInstrumentor().uninstrument()
    assert run(talk(provider, CLIENTS[client])) == with_us


@pytest.mark.parametrize("client", CLIENTS)
def test_server_drops(client: str, provider: Provider, recorded: Recorded) -> None:
    """A connection that breaks in the middle of a response leaves a record that says so, without a cost."""
    provider.realtime.script(Turn(says="It is in Leeds, as far as I can see from here.", cut_after=6))

    async def work() -> None:
        async with CLIENTS[client](provider) as connection:
            await connection.send({"type": "response.create"})
            while True:
                await connection.event()

    with pytest.raises(Exception, match=r"1006|close frame|JSON") as raised:
        run(work())
    assert not isinstance(raised.value, TimeoutError)
    call = recorded.call
    assert call[names.ERROR_TYPE] == "1006"
    assert call[names.COST_STATUS] == "unpriced"
    assert call[names.RESPONSE_ID].startswith("resp_")


@pytest.mark.parametrize("client", CLIENTS)
def test_callback_raises(client: str, provider: Provider, recorded: Recorded) -> None:
    """An exception of the application's goes on; what was spent before it is recorded, and once."""
    provider.realtime.script(*TURNS)

    async def work() -> None:
        async with CLIENTS[client](provider) as connection:
            await connection.send({"type": "response.create"})
            while (await connection.event())["type"] != "response.done":
                pass
            raise KeyError("the application's")

    with pytest.raises(KeyError, match="the application's"):
        run(work())
    call = recorded.call
    assert Decimal(call[names.COST_USD]) == COSTS["asks"]
    assert names.ERROR_TYPE not in call


@pytest.mark.parametrize("client", [name for name in CLIENTS if not name.startswith(("sync", "sdk"))])
def test_cancelled(client: str, provider: Provider, recorded: Recorded) -> None:
    """A task that is cancelled while it waits for a response gets its CancelledError; the response is recorded."""
    provider.realtime.script(Turn(says="It is in Leeds, as far as I can see from here.", interrupted_after=1))

    async def wait(begun: asyncio.Event) -> None:
        async with CLIENTS[client](provider) as connection:
            await connection.send({"type": "response.create"})
            while True:
                if "audio.delta" in (await connection.event())["type"]:
                    begun.set()

    async def work() -> None:
        begun = asyncio.Event()
        task = asyncio.ensure_future(wait(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())
    call = recorded.call
    assert call[names.COST_STATUS] == "unpriced"
    assert call[names.RESPONSE_ID].startswith("resp_")


@pytest.mark.parametrize("client", CLIENTS)
def test_budget(client: str, provider: Provider, recorded: Recorded) -> None:
    """Who has spent the budget of the session is told when asking for the next response, which is never sent."""

    async def work() -> None:
        with session("abc-123", budget_usd="0.01"):
            async with CLIENTS[client](provider) as connection:
                provider.realtime.script(*TURNS)
                await realtime_talk.hold(connection)
                sent = len(provider.realtime.sent)
                from otel_costs import BudgetExceeded

                with pytest.raises(BudgetExceeded):
                    await connection.send({"type": "response.create"})
            assert len(provider.realtime.sent) == sent

    run(work())
    assert realtime_talk.costs(recorded) == EXPECTED


@pytest.mark.parametrize("client", BETA)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_beta(client: str, provider: Provider, recorded: Recorded) -> None:
    """The events of the beta, which does not split what was cached, make the same calls."""
    run(talk(provider, BETA[client], beta=True))
    asks, hears, says = recorded.calls
    assert realtime_talk.costs(recorded)[:2] == EXPECTED[:2]
    assert (asks[names.COST_STATUS], hears[names.COST_STATUS]) == ("priced", "priced")
    # All 60 of text taken as cached, and 132 of the audio: 60 at 0.40, 108 at 32, 132 at 0.40, 20 at 16, 70 at 64.
    assert (says[names.COST_STATUS], says[names.COST_USD]) == ("estimated", "0.0083328")


def test_every_kind_of_client() -> None:
    """No client is left out of this version of the SDK without notice."""
    major, minor = map(int, version("openai").split(".")[:2])
    assert len(CLIENTS) == (8 if (major, minor) >= (1, 108) else 4)
    assert len(BETA) == (4 if (major, minor) >= (1, 58) else 0)
