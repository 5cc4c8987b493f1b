"""At DEBUG the logger `otel_costs` tells a line per decision on a call, with its id, and nothing that was said."""

import logging
import re
from pathlib import Path
from typing import Any

import openai
import pytest

from otel_costs import semconv as names
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Job, Reading
from otel_costs.calls.writer import finish
from otel_costs.runtime import background, decision_log
from otel_costs.stand_in import Fault, Provider
from tests.support.collector import Collector
from tests.support.program import CLIENT, Program, environ
from tests.support.recorded import Recorded

CANARY = "canary5d1f"
STEPS = ["begun", "route found", "billed", "usage found", "price chosen", "written"]


@pytest.fixture
def client(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> openai.OpenAI:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=openai")
    return openai.OpenAI(base_url=provider.base_url, api_key=f"sk-{CANARY}", max_retries=0)


@pytest.fixture(autouse=True)
def at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="otel_costs")


def steps_of(call_id: str, lines: list[str]) -> list[str]:
    """Return the decisions that were told of a call, in their order."""
    return [re.split(":|$", line.removeprefix(f"call {call_id}: "))[0] for line in lines if call_id in line]


def ask(client: Any, **asked: Any) -> Any:
    return client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": f"{CANARY} is my name"}],
        user=CANARY,
        **asked,
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_told_from_its_route_to_its_record(
    client: openai.OpenAI, recorded: Recorded, caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    """Each decision is one line, in order, under the id that the record has."""
    answer = ask(client, stream=stream)
    if stream:
        list(answer)
    call = recorded.call
    assert steps_of(call[names.CALL_ID], caplog.messages) == STEPS
    told = "\n".join(caplog.messages)
    assert "route found: chat/completions" in told
    assert f"cost {call[names.COST_USD]} USD, priced" in told
    assert f"written: record {call[names.CALL_SEQ]} of process {call[names.PROCESS_ID]}" in told


def test_it_says_why_there_is_no_cost(
    client: openai.OpenAI, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A call without a price names its reason, in the same words as the record."""
    client.chat.completions.create(model="acme-1", messages=[{"role": "user", "content": "hi"}])
    assert recorded.call[names.COST_STATUS] == "unpriced"
    assert "price chosen: (none), cost (none) USD, unpriced: unknown_model" in "\n".join(caplog.messages)


def test_what_is_not_billed_is_told(
    client: openai.OpenAI, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that is no call says so, by its path without what may be an id or a key."""
    client.get(f"/models/{CANARY}?key={CANARY}", cast_to=object)
    assert recorded.calls == []
    assert "no call: GET /models/* is not billed" in caplog.messages


def test_an_answer_without_anything_to_bill_is_told(
    client: openai.OpenAI, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A look at a job that has not ended leaves no record, and says so."""
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve(f"batch_{CANARY}")
    client.batches.list()
    background.drain()
    assert recorded.calls == []
    assert "no call: route batches, the answer has nothing to bill" in caplog.messages
    assert CANARY not in caplog.text


def test_a_second_sight_is_told(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """What is billed already, and the id that a job gives, are told as well."""
    for _ in range(2):
        finish(Call("batch", "openai", "gpt-4o"), Reading(job=Job("batch_1", True, 1, 2)))
    told = "\n".join(caplog.messages)
    assert told.count(f"goes on as call {recorded.call[names.CALL_ID]}, the bill of a job that has ended") == 2
    assert told.count("not billed: it is a look, or was billed before") == 1


@pytest.mark.parametrize("fault", [None, Fault(status=500, error={"error": {"message": CANARY, "code": CANARY}})])
def test_no_line_has_content_or_secrets(
    client: openai.OpenAI, provider: Provider, recorded: Recorded, caplog: pytest.LogCaptureFixture, fault: Fault | None
) -> None:
    """Neither what was said nor keys, users or queries are in a line, whatever becomes of the call."""
    if fault is not None:
        provider.script(fault)
    try:
        ask(client, extra_query={"key": CANARY}, extra_headers={"X-Key": CANARY})
    except openai.APIError:
        assert fault is not None
    assert len(recorded.calls) == 1
    assert len(caplog.messages) >= len(STEPS) - 1
    assert CANARY not in caplog.text


def test_nothing_is_told_where_nobody_listens(
    client: openai.OpenAI, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """At INFO there is no line, and a call has no id before its record needs one."""
    caplog.set_level(logging.INFO, logger="otel_costs")
    assert Call("chat", "openai", "gpt-4o").call_id is None
    ask(client)
    assert len(recorded.calls) == 1
    assert caplog.messages == []


@pytest.mark.long
@pytest.mark.parametrize("spool", [False, True])
def test_what_was_sent_is_told_in_the_end(provider: Provider, tmp_path: Path, spool: bool) -> None:
    """A real program says by a variable alone which of its calls the collector has acknowledged."""
    with Collector() as collector:
        environment = {**environ(provider, collector), "OTEL_COSTS_LOG": "debug"}
        if spool:
            environment["OTEL_COSTS_SPOOL"] = str(tmp_path / "spool")
        with Program(CLIENT + "ask(); ask()", tmp_path, environment) as running:
            found = running.ended()
        assert found.code == 0
        lines = [line.partition("otel_costs: ")[2] for line in found.err.splitlines()]
        for call in collector.calls():
            assert steps_of(call["otel_costs.call.id"], lines) == [*STEPS, "sent"]
        assert len(collector.calls()) == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/models", "/models"),
        ("https://user:pass@llm.acme.com/v1/files/file-8xK?x=secret", "/v1/files/*"),
        ("https://llm.acme.com/sk-live-1234/Chat", "/*/*"),
    ],
)
def test_a_path_is_shown_without_what_may_be_a_key(caplog: pytest.LogCaptureFixture, url: str, shown: str) -> None:
    """Words and versions are shown, the rest is a star; hosts and queries are not shown."""
    decision_log.not_billed_route("get", url)
    assert caplog.messages == [f"no call: GET {shown} is not billed"]
    background.drain()
