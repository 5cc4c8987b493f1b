"""A spoken call to a parcel service: it looks a parcel up, is interrupted, and leaves a message in the end.

The model that speaks is one of OpenAI's over a WebSocket, another writes down what the customer said, and the message
is spoken by Deepgram where there is a DEEPGRAM_API_KEY. It names the session itself: two lines with otel_costs.

python examples/support_assistant/voice_call.py
"""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from typing import Any, Final

from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

import otel_costs

MODEL: Final = os.environ.get("SUPPORT_MODEL_REALTIME", "gpt-realtime")
HEARS: Final = os.environ.get("SUPPORT_MODEL_HEARS", "gpt-4o-mini-transcribe")
SPEAKS: Final = os.environ.get("SUPPORT_MODEL_SPEAKS", "gpt-4o-mini-tts")
VOICE: Final = "aura-2-thalia-en"

PACE: Final = float(os.environ.get("SUPPORT_PACE", "0"))
"""How fast the customer speaks: 1 as a person does, 0 without a pause."""

BYTES_PER_SECOND: Final = 48_000  # 24 kHz, 16 bits
FRAME: Final = BYTES_PER_SECOND // 10
SILENCE: Final = bytes(BYTES_PER_SECOND)

QUESTION: Final = (
    "Hello, this is Mary Fletcher. I am calling about my parcel A-1001, which should have come on Monday, "
    "and has not arrived. Can you tell me where it is?"
)
OBJECTION: Final = "Sorry, tomorrow is too late. Can I pick it up myself?"
NOTE: Final = "Your parcel A-1001 waits for you at the depot in Leeds until eight tonight. Please bring your passport."

SESSION: Final[Any] = {
    "type": "realtime",
    "instructions": "You are the voice of a parcel service. Look parcels up before you answer. Two sentences at most.",
    "audio": {"input": {"transcription": {"model": HEARS}, "turn_detection": {"type": "server_vad"}}},
    "tools": [
        {
            "type": "function",
            "name": "track_parcel",
            "description": "Say where a parcel is.",
            "parameters": {"type": "object", "properties": {"parcel": {"type": "string"}}, "required": ["parcel"]},
        }
    ],
}


async def main() -> None:
    """Hold the call, and leave the message."""
    client = AsyncOpenAI()
    question, objection = [await spoken(client, text) for text in (QUESTION, OBJECTION)]
    with otel_costs.session("parcel-call-12", user="mary", scenario="voice"):
        async with client.realtime.connect(model=MODEL) as connection:
            await connection.session.update(session=SESSION)
            await say(connection, question)
            async for sentence in answers(connection, objection):
                print(f"assistant: {sentence}")
        if os.environ.get("DEEPGRAM_API_KEY"):
            print(f"message: {leave_message():,} bytes of sound")


async def spoken(client: AsyncOpenAI, text: str) -> bytes:
    """Return a customer's words as sound. There is no microphone here: a model speaks them, outside of the session."""
    speech = await client.audio.speech.create(model=SPEAKS, voice="echo", input=text, response_format="pcm")
    return speech.content + SILENCE


async def say(connection: AsyncRealtimeConnection, sound: bytes) -> None:
    """Speak into the call, a tenth of a second at a time."""
    for start in range(0, len(sound), FRAME):
        piece = base64.b64encode(sound[start : start + FRAME]).decode()
        await connection.input_audio_buffer.append(audio=piece)
        await asyncio.sleep(PACE * FRAME / BYTES_PER_SECOND)


async def answers(connection: AsyncRealtimeConnection, objection: bytes) -> AsyncIterator[str]:
    """Yield what the assistant says, and interrupt it once, until it has answered that and all is written down."""
    heard = sentences = pieces = 0
    interrupted = False
    async for event in connection:
        if event.type == "response.output_audio.delta":
            pieces += 1
            if pieces == 3 and not interrupted:
                interrupted = True
                await connection.conversation.item.truncate(item_id=event.item_id, content_index=0, audio_end_ms=600)
                await say(connection, objection)
        elif event.type == "conversation.item.input_audio_transcription.completed":
            heard += 1
        elif event.type == "response.done":
            for item in event.response.output or ():
                if item.type == "function_call":
                    await answer_tool(connection, item.call_id or "", item.arguments or "{}")
                elif item.type == "message" and item.role == "assistant":
                    sentences += 1
                    yield "".join(part.transcript or "" for part in item.content)
        elif event.type == "error":
            raise RuntimeError(event.error.message)
        if heard == 2 and sentences == 2:
            return


async def answer_tool(connection: AsyncRealtimeConnection, call_id: str, arguments: str) -> None:
    """Say where the parcel is, and let the assistant go on."""
    parcel = json.loads(arguments).get("parcel")
    found = {"parcel": parcel, "place": "depot Leeds", "scanned": "08:12", "arrives": "tomorrow, 9 to 11"}
    await connection.conversation.item.create(
        item={"type": "function_call_output", "call_id": call_id, "output": json.dumps(found)}
    )
    await connection.response.create()


def leave_message() -> int:
    """Leave a message on the customer's answering machine, and return how many bytes of sound it has."""
    address = os.environ.get("DEEPGRAM_BASE_URL", "https://api.deepgram.com")
    everywhere = DeepgramClientEnvironment(base=address, production=address, agent=address, agent_rest=address)
    client = DeepgramClient(environment=everywhere)
    return sum(len(piece) for piece in client.speak.v1.audio.generate(text=NOTE, model=VOICE))


if __name__ == "__main__":
    asyncio.run(main())
