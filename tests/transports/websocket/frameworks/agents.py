# mypy: ignore-errors
"""OpenAI's agents, whose Realtime model is on `websockets`: a function is called by the framework itself."""

from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner
from agents.realtime.model_inputs import RealtimeModelSendRawMessage

from otel_costs.stand_in import Provider
from tests.transports.websocket.frameworks import ledger
from tests.transports.websocket.realtime_turns import EAR, MODEL


@function_tool
def track_parcel(parcel: str) -> str:
    """Tell where a parcel is."""
    return f"{parcel} is in Leeds"


async def hold(provider: Provider) -> None:
    agent: RealtimeAgent[Any] = RealtimeAgent(name="parcels", instructions="Be brief.", tools=[track_parcel])
    settings: Any = {"model_name": MODEL, "input_audio_transcription": {"model": EAR}, "turn_detection": None}
    runner = RealtimeRunner(agent, config={"model_settings": settings, "tracing_disabled": True})
    url = f"ws://127.0.0.1:{provider.port}/v1/realtime?model={MODEL}"
    ended = 0
    async with await runner.run(model_config={"api_key": "sk-none", "url": url}) as session:
        await session.send_audio(ledger.SPEECH, commit=True)
        await session.model.send_event(RealtimeModelSendRawMessage(message={"type": "response.create"}))
        async for event in session:
            ended += event.type == "agent_end"
            if ended == 2:
                return


ledger.keep(hold)
