"""Batches, fine-tuning, evaluations and runs: pending when they start, and billed once when they have ended."""

from decimal import Decimal
from typing import Any

import httpx2 as httpx
import openai
import pytest

from otel_costs import BudgetExceeded, CostsInstrumentor
from otel_costs import semconv as names
from otel_costs import session as otel_session
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import Driver, usd
from tests.support.recorded import Recorded

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def batch(driver: Driver) -> Any:
    return driver.run(
        driver.client.batches.create(
            completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1"
        )
    )  # fmt: skip


def test_batch(driver: Driver, recorded: Recorded) -> None:
    """A batch costs half; it is billed once, when a look finds it ended, and not by what it used until then."""
    with otel_session("abc-123", user="user-1"):
        begun = batch(driver)
    assert (recorded.call[names.CALL_REVISION], recorded.call[names.COST_REASON]) == (0, "job_not_ended")
    for _ in range(3):
        driver.run(driver.client.batches.retrieve(begun.id))
    driver.read(driver.client.batches.list())
    pending, final = recorded.calls
    assert final[names.CALL_ID] == pending[names.CALL_ID]
    assert final[names.CALL_REVISION] == 1
    assert final[names.OPERATION_NAME] == "batch"
    assert (final["gen_ai.usage.input_tokens"], final["gen_ai.usage.output_tokens"]) == (360, 120)
    assert final[names.COST_STATUS] == "priced"
    assert usd(final) == (360 * Decimal("1.25") + 120 * 5) / 1_000_000
    assert (final[names.SESSION_ID], final[names.USER_ID]) == ("abc-123", "user-1")


def test_a_batch_of_short_prompts(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """What a batch used is a sum: it may be more than the threshold of long prompts, and none of them be one."""
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000, "total_tokens": 1_100_000}
    ended = {
        "id": "batch_1", "object": "batch", "endpoint": "/v1/chat/completions", "status": "completed", "usage": usage,
        "created_at": 1795000000, "model": "gpt-6-astra", "request_counts": {"total": 50, "completed": 50, "failed": 0},
    }  # fmt: skip
    provider.script(Fault(status=200, error=ended))
    batch(driver)
    (call,) = recorded.calls
    assert call["otel_costs.usage.requests"] == 50
    assert (usd(call), call[names.COST_STATUS]) == (Decimal("7.5"), "estimated")
    assert call[names.COST_REASON] == "several_requests"


def test_a_spent_budget_does_not_stop_a_look(driver: Driver, recorded: Recorded) -> None:
    """What was started before the budget was spent can be fetched and cancelled; nothing new is started."""
    with otel_session("abc-123", budget_usd="0.000001"):
        begun = batch(driver)
        driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}]))
        with pytest.raises(BudgetExceeded):
            batch(driver)
        driver.run(driver.client.batches.retrieve(begun.id))
        ended = driver.run(driver.client.batches.retrieve(begun.id))
    assert ended.status == "completed"
    assert [call[names.OPERATION_NAME] for call in recorded.calls] == ["batch", "chat", "batch"]


def test_looks_at_what_has_not_ended(driver: Driver, recorded: Recorded) -> None:
    """A look at a job that runs leaves nothing: no record, no span."""
    begun = batch(driver)
    driver.run(driver.client.batches.retrieve(begun.id))
    assert len(recorded.calls) == len(recorded.spans) == 1


def test_cancelled_batch(driver: Driver, recorded: Recorded) -> None:
    """A batch that was cancelled is billed for what it did."""
    begun = batch(driver)
    driver.run(driver.client.batches.retrieve(begun.id))
    driver.run(driver.client.batches.cancel(begun.id))
    _, final = recorded.calls
    assert final[names.CALL_REVISION] == 1
    assert (final["gen_ai.usage.input_tokens"], final[names.COST_USD]) == (0, "0")


def test_fine_tuning(driver: Driver, recorded: Recorded) -> None:
    """Training is billed by the tokens it read, when it has succeeded."""
    begun = driver.run(driver.client.fine_tuning.jobs.create(model="gpt-4o-mini", training_file="file-1"))
    for _ in range(5):
        driver.run(driver.client.fine_tuning.jobs.retrieve(begun.id))
    driver.read(driver.client.fine_tuning.jobs.list())
    pending, final = recorded.calls
    assert final[names.CALL_ID] == pending[names.CALL_ID]
    assert final["otel_costs.usage.training_tokens"] == 5768
    assert usd(final) == 5768 * Decimal(3) / 1_000_000
    assert final[names.OPERATION_NAME] == "fine_tuning"


def evaluate(driver: Driver) -> tuple[str, Any]:
    source: Any = {"type": "custom", "item_schema": {}}
    criteria: Any = [{"type": "string_check", "name": "n", "input": "a", "operation": "eq", "reference": "a"}]
    made = driver.run(driver.client.evals.create(data_source_config=source, testing_criteria=criteria))
    data: Any = {
        "type": "completions",
        "model": "gpt-4o-mini",
        "source": {"type": "file_id", "id": "file-1"},
    }  # fmt: skip
    return made.id, driver.run(driver.client.evals.runs.create(made.id, data_source=data))


def test_evaluation_of_several_models(driver: Driver, recorded: Recorded) -> None:
    """An evaluation is billed once for each model that it used, each at its own price."""
    with otel_session("abc-123") as ours:
        evaluation, begun = evaluate(driver)
        for _ in range(3):
            driver.run(driver.client.evals.runs.retrieve(begun.id, eval_id=evaluation))
        driver.read(driver.client.evals.runs.list(evaluation))
        pending, first, second = recorded.calls
        assert ours.cost_usd == usd(first) + usd(second)
        assert ours.totals.calls == 2
    assert first[names.CALL_ID] == pending[names.CALL_ID]
    assert second[names.CALL_ID] != first[names.CALL_ID]
    assert second[names.CALL_ID][12] == "5"
    assert first[names.RESPONSE_MODEL] == "gpt-4o-mini-2024-07-18"
    assert usd(first) == (300 * Decimal("0.15") + 60 * Decimal("0.6")) / 1_000_000
    assert second[names.RESPONSE_MODEL] == "o3-2025-04-16"
    assert usd(second) == (772 * Decimal(2) + 128 * Decimal("0.5") + 200 * Decimal(8)) / 1_000_000
    assert first["timestamp"] == second["timestamp"] == begun.created_at * 1_000_000_000
    assert {call[names.SESSION_ID] for call in recorded.calls} == {"abc-123"}
    assert len(recorded.spans) == 3


def test_evaluation_ids_are_the_same_everywhere(driver: Driver, recorded: Recorded) -> None:
    """Another process that looks at the same evaluation gives its records the same ids."""
    evaluation, begun = evaluate(driver)
    for _ in range(2):
        driver.run(driver.client.evals.runs.retrieve(begun.id, eval_id=evaluation))
    here = {call[names.CALL_ID] for call in recorded.calls}
    CostsInstrumentor().uninstrument()
    other = Recorded()
    CostsInstrumentor().instrument(**other.providers)
    driver.run(driver.client.evals.runs.retrieve(begun.id, eval_id=evaluation))
    assert {call[names.CALL_ID] for call in other.calls} == here


def test_evaluation_ids_do_not_depend_on_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever order an answer lists the models, each has its own id."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "llm.example=openai")
    spent = [{"model_name": name, "prompt_tokens": 10, "completion_tokens": 1} for name in ("o3", "gpt-4o", "gpt-5")]
    found = []
    for listed in (spent, spent[::-1]):
        run = {
            "id": "evalrun_1",
            "object": "eval.run",
            "status": "completed",
            "created_at": 5,
            "per_model_usage": listed,
        }
        transport = httpx.MockTransport(lambda _, answer=run: httpx.Response(200, json=answer))
        kept = Recorded()
        CostsInstrumentor().instrument(**kept.providers)
        http = httpx.Client(transport=transport)
        with openai.OpenAI(api_key="k", base_url="http://llm.example/v1", http_client=http) as client:
            client.evals.runs.retrieve("evalrun_1", eval_id="eval_1")
        found.append({call[names.RESPONSE_MODEL]: call[names.CALL_ID] for call in kept.calls})
        CostsInstrumentor().uninstrument()
    assert found[0] == found[1]
    assert len(set(found[0].values())) == 3


def test_cancelled_evaluation(driver: Driver, recorded: Recorded) -> None:
    """An evaluation that was cancelled is billed for what it did until then."""
    evaluation, begun = evaluate(driver)
    driver.run(driver.client.evals.runs.retrieve(begun.id, eval_id=evaluation))
    driver.run(driver.client.post(f"/evals/{evaluation}/runs/{begun.id}", cast_to=object))
    _, final = recorded.calls
    assert final[names.CALL_REVISION] == 1
    assert final[names.RESPONSE_MODEL] == "gpt-4o-mini-2024-07-18"
    assert usd(final) > 0


def test_grader(driver: Driver, recorded: Recorded) -> None:
    """A grader is billed by the model that it asked."""
    grader: Any = {
        "type": "score_model", "name": "g", "model": "gpt-4o-2024-08-06", "input": [{"role": "user", "content": "x"}]
    }  # fmt: skip
    run = driver.client.fine_tuning.alpha.graders.run
    driver.run(run(grader=grader, model_sample="an answer"))
    call = recorded.call
    assert call[names.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert call["gen_ai.usage.output_tokens"] == 12
    assert call[names.COST_STATUS] == "priced"
    assert names.CALL_REVISION not in call


FUNCTION: Any = {"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}


def assistant(driver: Driver, *tools: Any) -> tuple[Any, Any]:
    made = driver.run(driver.client.beta.assistants.create(model="gpt-4o", tools=list(tools)))
    return made, driver.run(driver.client.beta.threads.create())


def say(driver: Driver, thread: Any, text: str = "Hello") -> None:
    driver.run(driver.client.beta.threads.messages.create(thread.id, role="user", content=text))


def test_run(driver: Driver, recorded: Recorded) -> None:
    """A run is billed once, when it has ended; assistants, threads and messages are free."""
    made, thread = assistant(driver)
    say(driver, thread)
    runs = driver.client.beta.threads.runs
    begun = driver.run(runs.create(thread.id, assistant_id=made.id))
    for _ in range(4):
        driver.run(runs.retrieve(begun.id, thread_id=thread.id))
    driver.read(runs.list(thread.id))
    pending, final = recorded.calls
    assert final[names.CALL_ID] == pending[names.CALL_ID]
    assert [pending[names.CALL_REVISION], final[names.CALL_REVISION]] == [0, 1]
    assert final[names.COST_STATUS] == "priced"
    read, made_tokens = final["gen_ai.usage.input_tokens"], final["gen_ai.usage.output_tokens"]
    assert usd(final) == (read * Decimal("2.5") + made_tokens * Decimal(10)) / 1_000_000
    assert final[names.OPERATION_NAME] == "invoke_agent"


@pytest.mark.parametrize("way", ["stream=True", "stream()", "create_and_run"])
def test_streamed_run(way: str, driver: Driver, recorded: Recorded) -> None:
    """A streamed run is final at once; a look at it later adds nothing."""
    made, thread = assistant(driver)
    say(driver, thread)
    runs = driver.client.beta.threads.runs
    if way == "stream()":
        run = driver.within(runs.stream(thread_id=thread.id, assistant_id=made.id), _last_run)
    else:
        asked = (
            runs.create(thread.id, assistant_id=made.id, stream=True)
            if way == "stream=True"
            else driver.client.beta.threads.create_and_run(
                assistant_id=made.id, thread={"messages": [{"role": "user", "content": "Hello"}]}, stream=True
            )
        )
        run = next(event.data for event in driver.read(driver.run(asked)) if event.event == "thread.run.completed")
    driver.run(runs.retrieve(run.id, thread_id=run.thread_id))
    call = recorded.call
    assert call[names.CALL_REVISION] == 1
    assert call["gen_ai.usage.input_tokens"] == run.usage.prompt_tokens
    assert call[names.RESPONSE_ID] == run.id


def _last_run(stream: Any) -> Any:
    async def last() -> Any:
        await stream.until_done()
        return stream.current_run

    if hasattr(stream, "__aiter__"):
        return last()
    stream.until_done()
    return stream.current_run


def test_run_that_asks_for_tools(driver: Driver, recorded: Recorded) -> None:
    """A run that waits for the application's tools is pending, and billed once when it has ended."""
    made, thread = assistant(driver, FUNCTION)
    say(driver, thread, "Where is my order A-1001?")
    runs = driver.client.beta.threads.runs
    begun = driver.read(driver.run(runs.create(thread.id, assistant_id=made.id, stream=True)))[-1].data
    assert begun.status == "requires_action"
    assert recorded.call[names.COST_REASON] == "job_not_ended"
    wanted = begun.required_action.submit_tool_outputs.tool_calls
    outputs: Any = [{"tool_call_id": call.id, "output": '{"status":"shipped"}'} for call in wanted]
    submit = runs.submit_tool_outputs(begun.id, thread_id=thread.id, tool_outputs=outputs, stream=True)
    done = driver.read(driver.run(submit))[-1].data
    assert done.status == "completed"
    pending, final = recorded.calls
    assert final[names.CALL_ID] == pending[names.CALL_ID]
    assert final["gen_ai.usage.output_tokens"] == done.usage.completion_tokens


def test_cancelled_and_failed_runs(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A run that was cancelled or failed has ended, too; the latter with its error."""
    made, thread = assistant(driver)
    say(driver, thread)
    runs = driver.client.beta.threads.runs
    begun = driver.run(runs.create(thread.id, assistant_id=made.id))
    driver.run(runs.cancel(begun.id, thread_id=thread.id))
    provider.script(Fault(outcome="failed"))
    failing = driver.run(runs.create(thread.id, assistant_id=made.id))
    for _ in range(2):
        driver.run(runs.retrieve(failing.id, thread_id=thread.id))
    _, cancelled, _, failed = recorded.calls
    assert cancelled[names.CALL_REVISION] == failed[names.CALL_REVISION] == 1
    assert failed[names.ERROR_TYPE] == "server_error"


def agent(events: bool) -> httpx.MockTransport:
    """Answer as the API of agents does, with a turn that has ended and one that has not."""
    spent = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
    ended = {"id": "turn_1", "object": "agent.session.turn", "status": "completed", "created_at": 5, "usage": spent}
    running = {**ended, "id": "turn_2", "status": "in_progress"}
    session = {"id": "sess_1", "object": "agent.session", "status": "idle", "usage": {**spent, "input_tokens": 9999}}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"object": "list", "data": [ended, running], "has_more": False})
        if not events:
            return httpx.Response(200, json=session)
        data = [{"type": f"agent.session.turn.{t['status']}", "turn": t} for t in (running, ended)]
        body = "".join(f"event: {d['type']}\ndata: {httpx.Response(200, json=d).text}\n\n" for d in data)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=body)

    return httpx.MockTransport(answer)


@pytest.mark.parametrize("events", [False, True])
def test_turns_of_agents(events: bool, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an agent's session each turn is billed once; the session's own usage grows, and would count twice."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "agents.example=openai")
    transport = httpx.Client(transport=agent(events))
    with openai.OpenAI(api_key="k", base_url="http://agents.example/v1", http_client=transport) as client:
        for _ in range(2):
            made = client.post("/agents/sessions", cast_to=object, body={"stream": events}, stream=events,
                               stream_cls=openai.Stream[object])  # fmt: skip
            if events:
                list(made)  # type: ignore[call-overload]
            client.get("/agents/sessions/sess_1/turns", cast_to=object)
    call = recorded.call
    assert call["gen_ai.usage.input_tokens"] == 100
    assert call[names.CALL_REVISION] == 1
    assert call[names.RESPONSE_ID] == "turn_1"
