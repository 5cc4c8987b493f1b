# mypy: ignore-errors
"""Pipecat's service for OpenAI's Realtime, on `websockets`, in a pipeline without a transport: text in, speech out."""

import warnings

from pipecat.frames import frames
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

from otel_costs.stand_in import Provider
from tests.transports.websocket.frameworks import ledger
from tests.transports.websocket.realtime_turns import MODEL

warnings.simplefilter("ignore", DeprecationWarning)


class UntilTheAnswer(FrameProcessor):
    """Ends the pipeline with the first response that says something."""

    spoke = False

    async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.spoke |= isinstance(frame, frames.TTSTextFrame)
        if self.spoke and isinstance(frame, frames.LLMFullResponseEndFrame):
            await self.push_frame(frames.EndTaskFrame(), FrameDirection.UPSTREAM)
        await self.push_frame(frame, direction)


async def hold(provider: Provider) -> None:
    service = OpenAIRealtimeLLMService(
        api_key="sk-none",
        base_url=f"ws://127.0.0.1:{provider.port}/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(
            model=MODEL, session_properties=events.SessionProperties(instructions="Be brief.")
        ),
    )

    async def track_parcel(call) -> None:
        await call.result_callback({"depot": "Leeds"})

    service.register_function("track_parcel", track_parcel)
    context = LLMContext([{"role": "user", "content": "Where is my parcel?"}])
    both = LLMContextAggregatorPair(context)
    task = PipelineTask(Pipeline([both.user(), service, UntilTheAnswer(), both.assistant()]))
    await task.queue_frame(frames.LLMContextFrame(context))
    await PipelineRunner(handle_sigint=False).run(task)


ledger.keep(hold)
