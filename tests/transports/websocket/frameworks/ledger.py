"""Runs a conversation against a stand-in, instrumented, and prints what the ledger has of it, as JSON."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Final

from otel_costs import semconv as names
from otel_costs.stand_in import Provider
from tests.support.recorded import Recorded, instrumented
from tests.transports.websocket.realtime_turns import TURNS

SPEECH: Final = b"\x01\x02" * 24_000
"""A second of it."""


def keep(hold: Callable[[Provider], Awaitable[None]]) -> None:
    """Hold a conversation of the turns, and print an operation, a model, a cost and an error for each call."""
    os.environ["OTEL_COSTS_PROVIDERS"] = "127.0.0.1=openai"
    recorded = Recorded()
    with Provider() as provider, instrumented(recorded):
        provider.realtime.script(*TURNS)
        asyncio.run(_in_time(hold(provider)))
        told = (names.OPERATION_NAME, names.RESPONSE_MODEL, names.COST_USD, names.ERROR_TYPE)
        print(json.dumps([[call.get(name) for name in told] for call in recorded.calls]))  # noqa: T201
        assert provider.errors == []


async def _in_time(work: Awaitable[None]) -> None:
    async with asyncio.timeout(60):
        await work
