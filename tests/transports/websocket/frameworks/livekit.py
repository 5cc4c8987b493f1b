# mypy: ignore-errors
"""LiveKit's plugin for OpenAI, on `aiohttp`: its session needs neither a room nor devices."""

import asyncio

import aiohttp
from livekit import rtc
from livekit.agents import llm
from livekit.plugins.openai import realtime
from openai.types.realtime import AudioTranscription

from otel_costs.stand_in import Provider
from tests.transports.websocket.frameworks import ledger
from tests.transports.websocket.realtime_turns import EAR, MODEL


async def hold(provider: Provider) -> None:
    async with aiohttp.ClientSession() as http:
        model = realtime.RealtimeModel(
            model=MODEL, base_url=f"ws://127.0.0.1:{provider.port}/v1", api_key="sk-none", http_session=http,
            turn_detection=None, input_audio_transcription=AudioTranscription(model=EAR),
        )  # fmt: skip
        session = model.session()
        heard = asyncio.Event()
        session.on("input_audio_transcription_completed", lambda event: event.is_final and heard.set())
        session.push_audio(rtc.AudioFrame(ledger.SPEECH, 24_000, 1, 24_000))
        session.commit_audio()
        asks = await session.generate_reply()
        (call,) = [call async for call in asks.function_stream]
        await heard.wait()
        history = session.chat_ctx.copy()
        result = llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output="Leeds", is_error=False)
        history.items.append(result)
        await session.update_chat_ctx(history)
        says = await session.generate_reply()
        async for message in says.message_stream:
            assert [text async for text in message.text_stream]
        await session.aclose()
        await model.aclose()


ledger.keep(hold)
