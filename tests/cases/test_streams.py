"""Cases 21 to 25: streams that do not come to their end, or to it elsewhere."""

import asyncio
import threading
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault
from tests.cases.conftest import WORDS, Case
from tests.support import garbage


def stream(case: Case, **options: Any) -> "openai.Stream[ChatCompletionChunk]":
    asked: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": WORDS}], "stream": True, **options}
    opened: openai.Stream[ChatCompletionChunk] = case.client.chat.completions.create(**asked)
    return opened


def test_case_21_a_stream_that_is_never_iterated_leaves_one_record(case: Case) -> None:
    """It was billed: closed without a look, or dropped for the garbage collector to find."""
    with otel_costs.session("a"):
        stream(case).close()
        opened = stream(case)
        del opened
        garbage.collect()
    assert [found[names.SESSION_ID] for found in case.calls] == ["a", "a"]
    for found in case.calls:
        assert found[names.COST_STATUS] in ("estimated", "unpriced")
        assert "stream_closed_early" in found[names.COST_REASON]


def test_case_22_a_stream_that_is_left_early_is_partly_known(case: Case) -> None:
    """Two chunks and a break: the usage is a guess, and is said to be one."""
    opened = stream(case)
    for number, _ in enumerate(opened):
        if number == 1:
            break
    opened.close()
    assert case.call[names.COST_STATUS] == "estimated"
    assert "stream_closed_early" in case.call[names.COST_REASON]
    assert case.call["gen_ai.usage.input_tokens"] > 0


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
def test_case_23_a_cancelled_task_is_recorded_and_stays_cancelled(streaming: bool, case: Case) -> None:
    """CancelledError goes on to the application, and the call that was under way is in the ledger with it."""
    gate = threading.Event()
    case.provider.script(Fault(gate=gate, gate_events=2 if streaming else 0))

    async def ask(started: asyncio.Event) -> None:
        async with openai.AsyncOpenAI(base_url=case.provider.base_url, api_key="sk-none", max_retries=0) as client:
            asked: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": WORDS}]}
            if not streaming:
                asyncio.get_running_loop().call_soon(started.set)
                await client.chat.completions.create(**asked)
            async for _ in await client.chat.completions.create(**asked, stream=True):
                started.set()

    async def main() -> None:
        started = asyncio.Event()
        async with otel_costs.session("a"):
            task = asyncio.create_task(ask(started))
        await started.wait()
        while not case.provider.requests:  # noqa: ASYNC110  the stand-in runs in a thread
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())
    gate.set()
    assert (case.call[names.ERROR_TYPE], case.call[names.SESSION_ID]) == ("CancelledError", "a")


def test_case_24_a_stream_may_end_in_another_thread(case: Case) -> None:
    """It belongs to the session that opened it, and nothing complains of a context that is not its own."""
    with otel_costs.session("opener"):
        opened = stream(case)

    def read() -> None:
        with otel_costs.session("reader"):
            list(opened)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert (case.call[names.SESSION_ID], case.call[names.COST_STATUS]) == ("opener", "priced")


def test_case_24_a_stream_may_end_in_another_task(case: Case) -> None:
    """The same for tasks of an event loop."""

    async def main() -> None:
        async with openai.AsyncOpenAI(base_url=case.provider.base_url, api_key="sk-none") as client:
            async with otel_costs.session("opener"):
                opened = await client.chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": WORDS}], stream=True
                )

            async def read() -> int:
                async with otel_costs.session("reader"):
                    return len([chunk async for chunk in opened])

            assert await asyncio.create_task(read())

    asyncio.run(main())
    assert (case.call[names.SESSION_ID], case.call[names.COST_STATUS]) == ("opener", "priced")


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}], ids=["not asked", "asked"])
def test_case_25_the_chunks_are_those_that_the_application_asked_for(options: Any, case: Case) -> None:
    """Without `include_usage` it gets none of what we ask for, with it all of it; and the cost is known either way."""

    def chunks() -> list[dict[str, Any]]:
        found = [chunk.to_dict() for chunk in stream(case, **options)]
        return [{key: value for key, value in chunk.items() if key not in ("id", "created")} for chunk in found]

    seen = chunks()
    call = case.call
    CostsInstrumentor().uninstrument()
    plain = chunks()
    CostsInstrumentor().instrument(**case.recorded.providers)
    assert seen == plain
    assert any(chunk.get("usage") for chunk in seen) is bool(options)
    assert call[names.COST_STATUS] == "priced"
