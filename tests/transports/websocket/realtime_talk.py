"""One spoken conversation of two turns, and every client that can hold it."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

import openai

from otel_costs import semconv as names
from otel_costs.stand_in import Provider
from tests.support.recorded import Recorded
from tests.transports.websocket.clients import CLIENTS
from tests.transports.websocket.realtime_turns import EAR, MODEL


class Talk(Protocol):
    """One Realtime connection, in JSON."""

    async def send(self, event: Mapping[str, Any]) -> None: ...

    async def event(self) -> Mapping[str, Any]: ...


class Raw:
    """On a WebSocket client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def send(self, event: Mapping[str, Any]) -> None:
        await self._client.send(json.dumps(event))

    async def event(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(await self._client.receive())
        return found


class Sdk:
    """On a connection of the SDK's; the stand-in has threads of its own, so a sync one may block the loop."""

    def __init__(self, connection: Any, *, iterates: bool = False) -> None:
        self._connection = connection
        self._events = iter(connection) if iterates else None

    async def send(self, event: Mapping[str, Any]) -> None:
        self._connection.send(event)

    async def event(self) -> Mapping[str, Any]:
        event = next(self._events) if self._events else self._connection.recv()
        found: Mapping[str, Any] = event.to_dict()
        return found


class AsyncSdk:
    """The same, async."""

    def __init__(self, connection: Any, *, iterates: bool = False) -> None:
        self._connection = connection
        self._events = aiter(connection) if iterates else None

    async def send(self, event: Mapping[str, Any]) -> None:
        await self._connection.send(event)

    async def event(self) -> Mapping[str, Any]:
        event = await anext(self._events) if self._events else await self._connection.recv()
        found: Mapping[str, Any] = event.to_dict()
        return found


async def hold(talk: Talk, *, beta: bool = False) -> list[str]:
    """Hold the conversation, and return the types of the events."""
    seen: list[str] = []
    called: Mapping[str, Any] = {}
    await talk.send({"type": "session.update", "session": _settings(beta=beta)})
    await talk.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\x01\x02" * 24_000).decode()})
    await talk.send({"type": "input_audio_buffer.commit"})
    await talk.send({"type": "response.create"})
    while True:
        event = await talk.event()
        seen.append(event["type"])
        if event["type"] == "response.done":
            (item,) = event["response"]["output"]
            if item["type"] == "message":
                return seen
            called = item
        elif event["type"] == "conversation.item.input_audio_transcription.completed":
            result = {"type": "function_call_output", "call_id": called["call_id"], "output": '{"depot": "Leeds"}'}
            await talk.send({"type": "conversation.item.create", "item": result})
            await talk.send({"type": "response.create"})


def _settings(*, beta: bool) -> Mapping[str, Any]:
    if beta:
        return {"input_audio_transcription": {"model": EAR}, "turn_detection": None, "instructions": "Be brief."}
    ear = {"transcription": {"model": EAR}, "turn_detection": None}
    return {"type": "realtime", "audio": {"input": ear}, "instructions": "Be brief."}


def _addresses(provider: Provider) -> dict[str, Any]:
    # The second since the SDK's older versions take TLS for granted.
    socket_url = provider.base_url.replace("http:", "ws:")
    return {"base_url": provider.base_url, "websocket_base_url": socket_url, "api_key": "sk-none"}


@contextlib.asynccontextmanager
async def sdk(provider: Provider, *, beta: bool = False, iterates: bool = False) -> AsyncIterator[Talk]:
    with openai.OpenAI(**_addresses(provider)) as client:
        realtime = client.beta.realtime if beta else client.realtime
        with realtime.connect(model=MODEL) as connection:
            yield Sdk(connection, iterates=iterates)


@contextlib.asynccontextmanager
async def async_sdk(provider: Provider, *, beta: bool = False, iterates: bool = False) -> AsyncIterator[Talk]:
    async with openai.AsyncOpenAI(**_addresses(provider)) as client:
        realtime = client.beta.realtime if beta else client.realtime
        async with realtime.connect(model=MODEL) as connection:
            yield AsyncSdk(connection, iterates=iterates)


def raw(library: str) -> Callable[[Provider], contextlib.AbstractAsyncContextManager[Talk]]:
    """Return how a WebSocket client opens the connection without any SDK."""

    @contextlib.asynccontextmanager
    async def connect(provider: Provider) -> AsyncIterator[Talk]:
        url = f"ws://127.0.0.1:{provider.port}/v1/realtime?model={MODEL}"
        async with CLIENTS[library](url, {"Authorization": "Bearer sk-none"}) as client:
            yield Raw(client)

    return connect


# What differs between two connections that did the same.
_OWN = {
    "otel_costs.call.id", "otel_costs.process.id", "otel_costs.call.seq", "otel_costs.start_time_unix_nano",
    "otel_costs.duration_s", "otel_costs.realtime.time_to_first_audio", "gen_ai.response.time_to_first_chunk",
    "gen_ai.response.id", "gen_ai.realtime_session.id", "session.id", "server.port", "timestamp",
}  # fmt: skip


def ledger(recorded: Recorded) -> list[Mapping[str, Any]]:
    """Return the ledger without what differs between any two connections."""
    return [{name: value for name, value in call.items() if name not in _OWN} for call in recorded.calls]


def costs(recorded: Recorded) -> list[tuple[str, Decimal]]:
    return [(call[names.OPERATION_NAME], Decimal(call[names.COST_USD])) for call in recorded.calls]
