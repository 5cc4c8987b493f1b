"""Batches, videos, fine-tuning, evaluations, runs."""

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from .asked import HELLO, ORDER_TOOL
from .conftest import Caller

# Endpoints that are deprecated, or shut down for others, are billed where they are still served.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def looked(call: Caller, look: Callable[[Any], Any], times: int = 3) -> Any:
    """Look at a job as often as it takes to end."""
    for _ in range(times):
        job = call(look)
    return job


def test_videos(call: Caller) -> None:
    """A video is queued, made, and can be fetched."""
    video = call(lambda c: c.videos.create(model="sora-2", prompt="A sunset", seconds="8", size="1280x720"))
    assert video.status == "queued"
    video = looked(call, lambda c: c.videos.retrieve(video.id))
    assert (video.status, video.seconds, video.size) == ("completed", "8", "1280x720")
    remix = call(lambda c: c.videos.remix(video.id, prompt="A sunrise"))
    assert (remix.remixed_from_video_id, remix.seconds) == (video.id, "8")


def test_batches(call: Caller) -> None:
    """A batch has usage of its own when it is completed; what it has before is nothing."""
    line = {
        "custom_id": "1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o", "messages": HELLO},
    }
    file = call(lambda c: c.files.create(file=("b.jsonl", json.dumps(line).encode() * 1), purpose="batch"))
    batch = call(
        lambda c: c.batches.create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id=file.id)
    )
    assert (batch.status, batch.usage) == ("validating", None)
    running = call(lambda c: c.batches.retrieve(batch.id))
    assert (running.status, running.usage.total_tokens) == ("in_progress", 0)
    done = call(lambda c: c.batches.retrieve(batch.id))
    assert (done.status, done.model, done.request_counts.completed) == ("completed", "gpt-4o-2024-08-06", 1)
    assert done.usage.output_tokens == 40
    assert call(lambda c: c.batches.retrieve(batch.id)) == done


def test_cancelled_batch(call: Caller) -> None:
    """A batch can be cancelled until it has ended."""
    options: Any = {"completion_window": "24h", "endpoint": "/v1/embeddings", "input_file_id": "file-1"}
    batch = call(lambda c: c.batches.create(**options))
    assert call(lambda c: c.batches.cancel(batch.id)).status == "cancelled"
    with pytest.raises(openai.ConflictError):
        call(lambda c: c.with_options(max_retries=0).batches.cancel(batch.id))


def test_fine_tuning(call: Caller) -> None:
    """Trained tokens are known when the job has succeeded."""
    job = call(lambda c: c.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1"))
    assert job.trained_tokens is None
    job = looked(call, lambda c: c.fine_tuning.jobs.retrieve(job.id))
    assert (job.status, job.trained_tokens) == ("succeeded", 5768)
    assert job.fine_tuned_model.startswith("ft:gpt-4o-mini-2024-07-18")


def test_evaluations(call: Caller) -> None:
    """An evaluation has a usage for each of its models."""
    criterion: Any = {"type": "string_check", "name": "same", "operation": "eq", "input": "a", "reference": "b"}
    made = call(
        lambda c: c.evals.create(
            data_source_config={"type": "custom", "item_schema": {"type": "object"}}, testing_criteria=[criterion]
        )
    )
    source: Any = {
        "type": "completions",
        "model": "gpt-4o-mini",
        "source": {"type": "file_id", "id": "file-1"},
    }
    run = call(lambda c: c.evals.runs.create(made.id, data_source=source))
    run = looked(call, lambda c: c.evals.runs.retrieve(run.id, eval_id=made.id))
    assert [spent.run_model_name for spent in run.per_model_usage] == ["gpt-4o-mini-2024-07-18", "o3-2025-04-16"]
    assert run.status == "completed"


def test_graders(call: Caller) -> None:
    """A grader that asks a model says what it used of it."""
    grader: Any = {
        "type": "score_model",
        "name": "g",
        "model": "gpt-4o",
        "input": [{"role": "user", "content": "{{x}}"}],
    }
    answer = call(lambda c: c.fine_tuning.alpha.graders.run(grader=grader, model_sample="Hello"))
    assert answer.api_model_grader_token_usage_per_model["gpt-4o"]["completion_tokens"] == 12


def test_runs_of_threads(call: Caller) -> None:
    """A run asks for its tools, and says its usage when it is done; streamed, it is the same."""
    tool: Any = {"type": "function", "function": ORDER_TOOL}
    assistant = call(lambda c: c.beta.assistants.create(model="gpt-4o", tools=[tool]))
    message: Any = {"role": "user", "content": "Where is my order A-1001?"}
    run = call(lambda c: c.beta.threads.create_and_run(assistant_id=assistant.id, thread={"messages": [message]}))
    assert (run.status, run.usage) == ("queued", None)
    run = looked(call, lambda c: c.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id), 2)
    assert run.status == "requires_action"
    outputs: Any = [
        {"tool_call_id": one.id, "output": '{"status": "shipped"}'}
        for one in run.required_action.submit_tool_outputs.tool_calls
    ]
    place: Any = {"thread_id": run.thread_id, "tool_outputs": outputs}
    call(lambda c: c.beta.threads.runs.submit_tool_outputs(run.id, **place))
    run = call(lambda c: c.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id))
    assert (run.status, run.usage.total_tokens) == ("completed", run.usage.prompt_tokens + run.usage.completion_tokens)

    events = call(
        lambda c: c.beta.threads.create_and_run(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello"}]}, stream=True
        )
    )
    assert [event.event for event in events[:3]] == [
        "thread.run.created",
        "thread.run.queued",
        "thread.run.in_progress",
    ]
    assert events[-1].event == "thread.run.completed"
    assert events[-1].data.usage.completion_tokens == 12
