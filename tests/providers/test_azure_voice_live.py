"""Azure's Voice Live through its real client, which speaks Realtime's events over aiohttp."""

import asyncio
from typing import Any

import pytest

from otel_costs import semconv as names
from otel_costs.stand_in import Provider, Turn
from tests.support.recorded import Recorded

voicelive = pytest.importorskip("azure.ai.voicelive.aio")

USAGE = {
    "input_tokens": 1200,
    "output_tokens": 300,
    "total_tokens": 1500,
    "input_token_details": {"text_tokens": 200, "audio_tokens": 1000, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 100, "audio_tokens": 200},
}


async def _talk(provider: Provider) -> list[str]:
    from azure.ai.voicelive.models import InputTextContentPart, UserMessageItem
    from azure.core.credentials import AzureKeyCredential

    seen: list[str] = []
    connecting: Any = voicelive.connect(
        endpoint=provider.root, credential=AzureKeyCredential("sentinel"), model="gpt-realtime"
    )
    async with connecting as connection:
        said: Any = UserMessageItem(content=[InputTextContentPart(text="Where is my order?")])
        await connection.conversation.item.create(item=said)
        await connection.response.create()
        async for event in connection:
            seen.append(str(getattr(event.type, "value", event.type)))
            if seen[-1] == "response.done":
                return seen
    return seen


def test_a_turn(provider: Provider, recorded: Recorded) -> None:
    """A response is a call with the tokens of each kind; nobody gives Voice Live the prices of OpenAI's own models."""
    provider.realtime.script(Turn(says="It comes tomorrow.", usage=USAGE))
    assert asyncio.run(_talk(provider))[-1] == "response.done"
    assert provider.requests[-1].path == "/voice-live/realtime"
    call = recorded.call
    assert call[names.OPERATION_NAME] == "realtime_inference"
    assert call[names.PROVIDER_NAME] == "azure.voice_live"
    assert call["gen_ai.usage.audio.input_tokens"] == 1000
    assert call["gen_ai.usage.audio.output_tokens"] == 200
    assert [message[names.MESSAGE_ROLE] for message in recorded.messages] == ["user", "assistant"]
    assert "sentinel" not in str(recorded.calls) + str([span.attributes for span in recorded.spans])
