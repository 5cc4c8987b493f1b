"""The Responses API: created, streamed, retrieved, resumed, cancelled, compacted, in the background, with tools."""

import asyncio
import threading
from decimal import Decimal
from typing import Any

import openai
import pydantic
import pytest

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs import session as otel_session
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import Driver, usd
from tests.providers.test_openai_streams import close, settle
from tests.support.recorded import Recorded

USAGE = {
    "input_tokens": 2000,
    "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
    "output_tokens": 500,
    "output_tokens_details": {"reasoning_tokens": 320},
    "total_tokens": 2500,
}
COST = "0.00872"
"""Of USAGE with gpt-4o: 976 at 2.50, 1,024 at 1.25 and 500 at 10 per million."""

ASKED: Any = {"model": "gpt-4o", "input": "Hello"}


class Answer(pydantic.BaseModel):
    text: str


def create(driver: Driver) -> Any:
    return driver.run(driver.client.responses.create(**ASKED))


def raw(driver: Driver) -> Any:
    return driver.run(driver.client.responses.with_raw_response.create(**ASKED))


def streaming_response(driver: Driver) -> Any:
    return driver.within(driver.client.responses.with_streaming_response.create(**ASKED), lambda found: found.json())


def stream(driver: Driver) -> Any:
    return driver.read(driver.run(driver.client.responses.create(**ASKED, stream=True)))


def stream_helper(driver: Driver) -> Any:
    return driver.within(driver.client.responses.stream(**ASKED), lambda found: found.get_final_response())


def stream_streaming_response(driver: Driver) -> Any:
    asked = driver.client.responses.with_streaming_response.create(**ASKED, stream=True)
    return driver.within(asked, lambda found: found.read())


@pytest.mark.parametrize("form", [create, raw, streaming_response, stream, stream_helper, stream_streaming_response])
def test_one_exact_record(form: Any, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Every form leaves one ledger record with exact tokens and money, and one span."""
    provider.script(Fault(usage=USAGE))
    form(driver)
    call = recorded.call
    assert {name: value for name, value in call.items() if "usage" in name or "cost." in name} == {
        "gen_ai.usage.input_tokens": 2000,
        "gen_ai.usage.output_tokens": 500,
        "gen_ai.usage.cache_read.input_tokens": 1024,
        "gen_ai.usage.cache_write.input_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 320,
        "gen_ai.usage.cost.amount": 0.00872,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": COST,
        "otel_costs.cost.line.input_tokens": "0.00244",
        "otel_costs.cost.line.cache_read_tokens": "0.00128",
        "otel_costs.cost.line.output_tokens": "0.005",
    }
    assert call[names.OPERATION_NAME] == "chat"
    assert call[names.OPENAI_API_TYPE] == "responses"
    assert call[names.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert call[names.RESPONSE_ID].startswith("resp_")
    assert call[names.CALL_ID][12] == "4"
    assert names.CALL_REVISION not in call
    (span,) = recorded.spans
    assert span.name == "chat gpt-4o"
    assert span.attributes is not None
    assert span.attributes[names.RESPONSE_FINISH_REASONS] == ("completed",)


def test_parse(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A parsed response is billed like any other."""
    provider.script(Fault(usage=USAGE))
    driver.run(driver.client.responses.parse(**ASKED, text_format=Answer))
    assert recorded.call[names.COST_USD] == COST


def test_incomplete(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A response that was cut short is billed, and says why it ended."""
    provider.script(Fault(outcome="incomplete", times=2))
    driver.run(driver.client.responses.create(**ASKED))
    driver.read(driver.run(driver.client.responses.create(**ASKED, stream=True)))
    assert [call[names.COST_STATUS] for call in recorded.calls] == ["priced", "priced"]
    for span in recorded.spans:
        assert span.attributes is not None
        assert span.attributes[names.RESPONSE_FINISH_REASONS] == ("max_output_tokens",)


@pytest.mark.parametrize("streamed", [False, True])
def test_failed(streamed: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A response that failed is an error of its kind, and what it used is billed all the same."""
    provider.script(Fault(outcome="failed"))
    found = driver.run(driver.client.responses.create(**ASKED, stream=streamed))
    if streamed:
        driver.read(found)
    call = recorded.call
    assert call[names.ERROR_TYPE] == "server_error"
    assert call[names.COST_STATUS] == "priced"
    assert usd(call) > 0


@pytest.mark.some(2)
@pytest.mark.parametrize("read", [False, True])
def test_left_early(read: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream that is not read to its end is an estimate that says so."""
    provider.script(Fault(gate=threading.Event(), gate_events=8))
    found = driver.run(driver.client.responses.create(**ASKED, stream=True))
    if read:
        driver.take(found, 7)
        close(driver, found)
    del found
    settle(driver)
    call = recorded.call
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("stream_closed_early")
    assert (call["gen_ai.usage.output_tokens"] > 0) is read


def test_error_event(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An error that comes as an event is on the record, whether the SDK raises it or hands it on."""
    provider.script(Fault(error_event=2))
    found = driver.run(driver.client.responses.create(**ASKED, stream=True))
    with pytest.raises(Exception, match="The server had an error"):
        driver.read(found)
    assert recorded.call[names.ERROR_TYPE] == "APIError"
    assert recorded.call[names.COST_STATUS] == "estimated"


def test_retrieved_is_not_billed_again(driver: Driver, recorded: Recorded) -> None:
    """Who looks at a response again leaves a span without tokens, and no record."""
    found = driver.run(driver.client.responses.create(**ASKED))
    driver.run(driver.client.responses.retrieve(found.id))
    driver.read(driver.run(driver.client.responses.retrieve(found.id, stream=True)))
    driver.read(driver.run(driver.client.responses.retrieve(found.id, stream=True, starting_after=3)))
    assert len(recorded.calls) == 1
    first, *looks = recorded.spans
    assert [span.name for span in looks] == ["fetch_response"] * 3
    for span in looks:
        assert not [name for name in span.attributes or () if "usage" in name or "cost" in name]
    assert first.name == "chat gpt-4o"


def test_input_items_and_count_are_free(driver: Driver, recorded: Recorded) -> None:
    """Counting tokens, listing input items and deleting leave nothing."""
    found = driver.run(driver.client.responses.create(**ASKED))
    driver.run(driver.client.responses.input_items.list(found.id))
    driver.run(driver.client.responses.input_tokens.count(**ASKED))
    driver.run(driver.client.responses.delete(found.id))
    assert len(recorded.calls) == len(recorded.spans) == 1


def test_background(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A response in the background is pending, and billed once when a look finds that it has ended."""
    with otel_session("abc-123", user="user-1", scenario="research"):
        begun = driver.run(driver.client.responses.create(**ASKED, background=True))
        assert begun.status == "queued"
    pending = recorded.call
    assert pending[names.CALL_REVISION] == 0
    assert pending[names.COST_STATUS] == "unpriced"
    assert pending[names.COST_REASON] == "job_not_ended"
    provider.script(Fault(usage=USAGE, times=5))
    statuses = [driver.run(driver.client.responses.retrieve(begun.id)).status for _ in range(4)]
    assert statuses == ["in_progress", "completed", "completed", "completed"]
    _, final = recorded.calls
    assert final[names.CALL_REVISION] == 1
    assert final[names.COST_USD] == COST
    assert final[names.CALL_ID] == pending[names.CALL_ID]
    assert final[names.CALL_ID][12] == "5"
    assert final["timestamp"] == pending["timestamp"] == int(begun.created_at) * 1_000_000_000
    # Whoever looks, it is the bill of the session that began it.
    for name, value in ((names.SESSION_ID, "abc-123"), (names.USER_ID, "user-1"), (names.SCENARIO, "research")):
        assert final[name] == pending[name] == value


def test_background_cost_of_a_session(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The session that began a background response pays when it has ended, once."""
    with otel_session("abc-123") as ours:
        begun = driver.run(driver.client.responses.create(**ASKED, background=True))
        assert ours.cost_usd == 0
        provider.script(Fault(usage=USAGE, times=5))
        for _ in range(3):
            driver.run(driver.client.responses.retrieve(begun.id))
        assert ours.cost_usd == Decimal(COST)
        assert ours.totals.calls == 1


def test_background_of_others(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A background response that another process began is billed under the id that it has there, too."""
    CostsInstrumentor().uninstrument()
    begun = driver.run(driver.client.responses.create(**ASKED, background=True))
    ids = []
    for _ in range(2):
        other = Recorded()
        CostsInstrumentor().instrument(**other.providers)
        provider.script(Fault(usage=USAGE, times=3))
        for _ in range(3):
            driver.run(driver.client.responses.retrieve(begun.id))
        assert other.call[names.COST_USD] == COST
        assert other.call[names.CALL_REVISION] == 1
        ids.append(other.call[names.CALL_ID])
        CostsInstrumentor().uninstrument()
    assert ids[0] == ids[1]
    CostsInstrumentor().instrument(**recorded.providers)


def test_background_streamed(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream of a background response that is left, and resumed later, is billed once."""
    provider.script(Fault(gate=threading.Event(), gate_events=5))
    left = driver.run(driver.client.responses.create(**ASKED, background=True, stream=True))
    (first, *_) = driver.take(left, 4)
    close(driver, left)
    pending = recorded.call
    assert (pending[names.CALL_REVISION], pending[names.COST_REASON]) == (0, "job_not_ended")
    provider.script(Fault(usage=USAGE, times=4))
    resume = driver.client.responses.retrieve
    driver.read(driver.run(resume(first.response.id, stream=True, starting_after=3)))
    driver.read(driver.run(resume(first.response.id, stream=True, starting_after=3)))
    driver.run(resume(first.response.id))
    _, final = recorded.calls
    assert final[names.CALL_REVISION] == 1
    assert final[names.COST_USD] == COST
    assert final[names.CALL_ID] == pending[names.CALL_ID]


def test_background_read_to_the_end(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream of a background response that is read to its end is final at once."""
    provider.script(Fault(usage=USAGE))
    driver.read(driver.run(driver.client.responses.create(**ASKED, background=True, stream=True)))
    assert recorded.call[names.CALL_REVISION] == 1
    assert recorded.call[names.COST_USD] == COST


def test_cancelled_in_the_background(driver: Driver, recorded: Recorded) -> None:
    """A background response that is cancelled is billed for what it had read."""
    begun = driver.run(driver.client.responses.create(**ASKED, background=True))
    driver.run(driver.client.responses.retrieve(begun.id))
    driver.run(driver.client.responses.cancel(begun.id))
    driver.run(driver.client.responses.retrieve(begun.id))
    pending, final = recorded.calls
    assert final[names.CALL_ID] == pending[names.CALL_ID]
    assert final[names.CALL_REVISION] == 1
    assert final["gen_ai.usage.output_tokens"] == 0
    assert final[names.COST_STATUS] == "priced"


def test_compact(driver: Driver, recorded: Recorded) -> None:
    """A compacted conversation has no model in its answer: the request's is the price's."""
    driver.run(driver.client.responses.compact(model="gpt-4o", input="A long story."))
    call = recorded.call
    assert call[names.REQUEST_MODEL] == "gpt-4o"
    assert names.RESPONSE_MODEL not in call
    assert call["gen_ai.usage.output_tokens"] == 120
    assert call[names.COST_STATUS] == "priced"
    assert call[names.COST_LINE_PREFIX + "output_tokens"] == "0.0012"


@pytest.mark.parametrize(
    ("tool", "question", "unit", "fee"),
    [
        ({"type": "web_search"}, "the latest news", "web_searches", "0.01"),
        ({"type": "file_search", "vector_store_ids": ["vs_1"]}, "our policy", "file_searches", "0.0025"),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, "calculate it", "containers", "0.03"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_fees_of_tools(
    tool: Any, question: str, unit: str, fee: str, streamed: bool, driver: Driver, recorded: Recorded
) -> None:
    """Each call of a built-in tool has its fee, beside the tokens."""
    asked = driver.client.responses.create(model="gpt-4o", input=question, tools=[tool], stream=streamed)
    found = driver.run(asked)
    if streamed:
        driver.read(found)
    call = recorded.call
    assert call[names.USAGE_PREFIX + unit] == 1
    assert call[names.COST_LINE_PREFIX + unit] == fee
    tokens = sum(Decimal(call[names.COST_LINE_PREFIX + name]) for name in ("input_tokens", "output_tokens"))
    assert usd(call) == tokens + Decimal(fee)


def test_a_named_container_has_no_fee_here(driver: Driver, recorded: Recorded) -> None:
    """A container that the request names was billed where it was made."""
    tool = {"type": "code_interpreter", "container": "cntr_mine"}
    driver.run(driver.client.responses.create(model="gpt-4o", input="calculate it", tools=[tool]))
    assert names.USAGE_PREFIX + "containers" not in recorded.call


@pytest.mark.parametrize("streamed", [False, True])
def test_image_tool(streamed: bool, driver: Driver, recorded: Recorded) -> None:
    """What the image generation tool uses is of another model: a record of its own, at that model's price."""
    tool = {"type": "image_generation", "model": "gpt-image-1"}
    asked = driver.client.responses.create(model="gpt-4o", input="draw a cat", tools=[tool], stream=streamed)
    found = driver.run(asked)
    if streamed:
        driver.read(found)
    talk, image = recorded.calls
    assert talk[names.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert (image[names.OPERATION_NAME], image[names.RESPONSE_MODEL]) == ("image_generation", "gpt-image-1")
    assert image["gen_ai.usage.image.output_tokens"] == 1056
    assert image[names.COST_STATUS] == "priced"
    assert usd(image) == Decimal("1056") * 40 / 1_000_000 + Decimal(40) * 5 / 1_000_000
    assert image[names.CALL_ID] != talk[names.CALL_ID]
    spans = {span.name: span for span in recorded.spans}
    parent = spans["image_generation gpt-image-1"].parent
    assert parent is not None
    assert parent.span_id == spans["chat gpt-4o"].context.span_id


def test_image_tool_in_a_session(driver: Driver, recorded: Recorded) -> None:
    """Both records belong to the session, and it pays for both."""
    tool = {"type": "image_generation", "model": "gpt-image-1"}
    with otel_session("abc-123", user="user-1") as ours:
        driver.run(driver.client.responses.create(model="gpt-4o", input="draw a cat", tools=[tool]))
    assert ours.cost_usd == sum(usd(call) for call in recorded.calls)
    assert {call[names.SESSION_ID] for call in recorded.calls} == {"abc-123"}
    assert {call[names.USER_ID] for call in recorded.calls} == {"user-1"}


def test_image_tool_of_a_look(driver: Driver, recorded: Recorded) -> None:
    """Who looks at such a response again finds nothing to bill, and leaves the one span of a look."""
    tool = {"type": "image_generation", "model": "gpt-image-1"}
    found = driver.run(driver.client.responses.create(model="gpt-4o", input="draw a cat", tools=[tool]))
    driver.run(driver.client.responses.retrieve(found.id))
    assert len(recorded.calls) == 2
    assert sorted(span.name.partition(" ")[0] for span in recorded.spans) == [
        "chat", "fetch_response", "image_generation"
    ]  # fmt: skip


def test_background_image_tool_is_billed_once(driver: Driver, recorded: Recorded) -> None:
    """In the background, too, the image is billed once, under an id that everybody derives."""
    tool = {"type": "image_generation", "model": "gpt-image-1"}
    asked = {"model": "gpt-4o", "input": "draw a cat", "tools": [tool], "background": True}
    begun = driver.run(driver.client.responses.create(**asked))
    for _ in range(4):
        driver.run(driver.client.responses.retrieve(begun.id))
    _, final, image = recorded.calls
    assert final[names.CALL_REVISION] == image[names.CALL_REVISION] == 1
    assert image[names.CALL_ID][12] == "5"
    assert image[names.CALL_ID] != final[names.CALL_ID]


def test_session_of_a_look_in_another_task(provider: Provider, recorded: Recorded) -> None:
    """A job that somebody else began belongs to the session in which it is found to have ended."""

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            CostsInstrumentor().uninstrument()
            begun = await client.responses.create(**ASKED, background=True)
            CostsInstrumentor().instrument(**recorded.providers)

            async def poll() -> None:
                async with otel_session("poller"):
                    for _ in range(2):
                        await client.responses.retrieve(begun.id)

            await asyncio.create_task(poll())

    asyncio.run(main())
    assert recorded.call[names.SESSION_ID] == "poller"
