"""Chat completions in every form of the SDK: one span and one exact ledger record each, the result untouched."""

import inspect
from collections.abc import Callable
from typing import Any

import pydantic
import pytest

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import COST, HELLO, USAGE, Driver
from tests.support.recorded import Recorded

pytestmark = pytest.mark.usefixtures("known_usage")


class Answer(pydantic.BaseModel):
    text: str


def create(driver: Driver) -> Any:
    return driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO))


def parse(driver: Driver) -> Any:
    return driver.run(driver.client.chat.completions.parse(model="gpt-4o", messages=HELLO, response_format=Answer))


def raw(driver: Driver) -> Any:
    return driver.run(driver.client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO)).parse()


def raw_unparsed(driver: Driver) -> Any:
    return driver.run(driver.client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO))


def streaming_json(driver: Driver) -> Any:
    asked = driver.client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO)
    return driver.within(asked, lambda response: response.json())


def streaming_parse(driver: Driver) -> Any:
    asked = driver.client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO)
    return driver.within(asked, lambda response: response.parse())


def streaming_lines(driver: Driver) -> Any:
    asked = driver.client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO)
    return driver.within(asked, lambda response: _all(response.iter_lines()))


def streaming_sized(driver: Driver) -> Any:
    asked = driver.client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO)
    return driver.within(asked, lambda response: _all(response.iter_bytes(7)))


def streaming_raw_bytes(driver: Driver, **options: Any) -> Any:
    asked = driver.client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO, **options)
    return driver.within(asked, lambda response: _all(_raw(response)))


def _raw(response: Any) -> Any:
    found = response.http_response
    return found.iter_raw() if hasattr(response, "__enter__") or _is_sync(response) else found.aiter_raw()


def _is_sync(response: Any) -> bool:
    return not inspect.iscoroutinefunction(response.read)


def _all(items: Any) -> Any:
    return items if hasattr(items, "__aiter__") else list(items)


WHOLE = [
    create,
    raw,
    raw_unparsed,
    streaming_json,
    streaming_parse,
    streaming_lines,
    streaming_sized,
    streaming_raw_bytes,
]


def stream(driver: Driver) -> Any:
    return driver.read(driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)))


def stream_helper(driver: Driver) -> Any:
    return driver.within(driver.client.chat.completions.stream(model="gpt-4o", messages=HELLO), _all)


def stream_raw(driver: Driver) -> Any:
    asked = driver.client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HELLO, stream=True)
    return driver.read(driver.run(asked).parse())


def stream_streaming(driver: Driver) -> Any:
    asked = driver.client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO, stream=True)
    return driver.within(asked, lambda response: _all(response.iter_lines()))


def stream_streaming_parse(driver: Driver) -> Any:
    async def parsed(response: Any) -> Any:
        return [chunk async for chunk in await response.parse()]

    asked = driver.client.chat.completions.with_streaming_response.create(model="gpt-4o", messages=HELLO, stream=True)
    return driver.within(asked, (lambda found: list(found.parse())) if driver.kind == "sync" else parsed)


STREAMS = [stream, stream_helper, stream_raw, stream_streaming, stream_streaming_parse]


@pytest.mark.parametrize("form", WHOLE + STREAMS)
def test_one_exact_record(form: Callable[[Driver], Any], driver: Driver, recorded: Recorded) -> None:
    """Every form leaves one ledger record with exact tokens and money, and one span."""
    form(driver)
    call = recorded.call
    assert {name: value for name, value in call.items() if "usage" in name or "cost." in name} == {
        "gen_ai.usage.input_tokens": 1500,
        "gen_ai.usage.output_tokens": 800,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.audio.input_tokens": 0,
        "gen_ai.usage.audio.output_tokens": 0,
        "gen_ai.usage.reasoning.output_tokens": 0,
        "gen_ai.usage.cost.amount": 0.011625,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
        "otel_costs.cost.status": "priced",
        "otel_costs.cost.usd": COST,
        "otel_costs.cost.line.input_tokens": "0.0035",
        "otel_costs.cost.line.cache_read_tokens": "0.000125",
        "otel_costs.cost.line.output_tokens": "0.008",
    }
    assert call[names.OPERATION_NAME] == "chat"
    assert call[names.PROVIDER_NAME] == "openai"
    assert call[names.REQUEST_MODEL] == "gpt-4o"
    assert call[names.RESPONSE_MODEL] == "gpt-4o-2024-08-06"
    assert call[names.RESPONSE_ID].startswith("chatcmpl-")
    assert call[names.OPENAI_RESPONSE_SERVICE_TIER] == "default"
    assert call[names.OPENAI_API_TYPE] == "chat_completions"
    assert call[names.SERVER_ADDRESS] == "127.0.0.1"
    assert names.ERROR_TYPE not in call
    assert call[names.CALL_ID][12] == "4"
    (span,) = recorded.spans
    assert span.name == "chat gpt-4o"
    assert span.attributes is not None
    assert span.attributes[names.COST_USD] == COST
    assert span.attributes[names.RESPONSE_FINISH_REASONS] == ("stop",)
    assert span.attributes.get(names.REQUEST_STREAM, False) is (form in STREAMS)
    assert (names.RESPONSE_TIME_TO_FIRST_CHUNK in span.attributes) is (form not in (create, raw, raw_unparsed))
    assert span.status.is_unset


@pytest.mark.parametrize("name", sorted({name for name, kind in (
    (names.USAGE_INPUT_TOKENS, int),
    (names.CALL_SEQ, int),
    (names.START_TIME_UNIX_NANO, int),
)}))  # fmt: skip
def test_whole_numbers_are_int(name: str, driver: Driver, recorded: Recorded) -> None:
    """Counts and nanoseconds are int: as a double, a large one would not be exact."""
    create(driver)
    found = recorded.call["gen_ai.usage.input_tokens" if name == names.USAGE_INPUT_TOKENS else name]
    assert type(found) is int


def test_value_types(driver: Driver, recorded: Recorded) -> None:
    """Money is an exact string, and a double for display; seconds are a double; text is str."""
    stream(driver)
    call = recorded.call
    types = {
        names.COST_USD: str,
        names.COST_AMOUNT: float,
        names.COST_STATUS: str,
        names.COST_LINE_PREFIX + "input_tokens": str,
        names.DURATION_S: float,
        names.RESPONSE_TIME_TO_FIRST_CHUNK: float,
        "gen_ai.usage.output_tokens": int,
        names.CALL_ID: str,
        names.PROCESS_ID: str,
    }
    assert {name: type(call[name]) for name in types} == types
    assert 0 <= call[names.RESPONSE_TIME_TO_FIRST_CHUNK] <= call[names.DURATION_S]
    assert call["timestamp"] == call[names.START_TIME_UNIX_NANO] + round(call[names.DURATION_S] * 1e9)


@pytest.mark.parametrize("form", WHOLE + STREAMS)
def test_result_is_untouched(
    form: Callable[[Driver], Any], driver: Driver, recorded: Recorded, provider: Provider
) -> None:
    """With us and without, the application gets the same types and the same content, but for ids and times."""
    with_us = form(driver)
    assert recorded.call[names.COST_USD] == COST
    CostsInstrumentor().uninstrument()
    provider.script(Fault(usage=USAGE))
    assert shape(with_us) == shape(form(driver))


def shape(result: Any) -> Any:
    """Return what is the same in every run."""
    if isinstance(result, list):
        if result and isinstance(result[0], bytes):
            return shape(b"".join(result)), [len(piece) for piece in result][:3]
        return [shape(item) for item in result]
    if hasattr(result, "model_dump"):
        fields = result.model_dump() if "object" in result.model_fields_set else {}
        return (
            type(result),
            sorted(result.model_fields_set),
            {k: v for k, v in fields.items() if k not in ("id", "created")},
        )
    if isinstance(result, bytes | str):
        return type(result), len(result)
    return type(result)


def test_parse(driver: Driver, recorded: Recorded, provider: Provider) -> None:
    """A parsed answer is billed like any other, also when it cannot be parsed: the model has answered."""
    text = {
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"text":"x"}'}}]
    }
    provider.reset()
    provider.script(Fault(usage=USAGE, fields=text), Fault(usage=USAGE, fields={"choices": [
        {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": '{"te'}}
    ]}))  # fmt: skip
    assert parse(driver).choices[0].message.parsed == Answer(text="x")
    with pytest.raises(Exception, match="length limit was reached") as raised:
        parse(driver)
    assert type(raised.value).__name__ == "LengthFinishReasonError"
    first, second = recorded.calls
    assert first[names.COST_USD] == second[names.COST_USD] == COST
    assert names.ERROR_TYPE not in second


@pytest.mark.parametrize("form", [streaming_json, streaming_parse, streaming_lines, stream, stream_streaming])
def test_gzip(form: Callable[[Driver], Any], driver: Driver, recorded: Recorded, provider: Provider) -> None:
    """A compressed body is read where it is decompressed."""
    provider.reset()
    provider.script(Fault(usage=USAGE, gzip=True))
    form(driver)
    assert recorded.call[names.COST_USD] == COST


@pytest.mark.parametrize("streamed", [False, True])
def test_raw_bytes_of_gzip(streamed: bool, driver: Driver, recorded: Recorded, provider: Provider) -> None:
    """Compressed bytes that the application asks for as they are pass so, and are decompressed for the record."""
    provider.reset()
    provider.script(Fault(usage=USAGE, gzip=True))
    pieces = streaming_raw_bytes(driver, stream=streamed)
    assert b"".join(pieces)[:2] == b"\x1f\x8b"
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_USD]) == ("priced", COST)


@pytest.mark.parametrize("stream", [False, True])
def test_bound_before(stream: bool, driver: Driver) -> None:
    """What was bound before we instrumented is recorded too: the SDK keeps such objects."""
    create = driver.client.chat.completions.create
    raw = driver.client.chat.completions.with_raw_response.create
    kept = Recorded()
    CostsInstrumentor().instrument(**kept.providers)
    try:
        for bound in (create, raw):
            found = driver.run(bound(model="gpt-4o", messages=HELLO, stream=stream))
            if stream:
                driver.read(found.parse() if bound is raw else found)
        assert [call[names.COST_USD] for call in kept.calls] == [COST, COST]
    finally:
        CostsInstrumentor().uninstrument()


def test_several_choices(driver: Driver, recorded: Recorded) -> None:
    """Several choices are one call, with a reason to finish each."""
    asked = driver.client.chat.completions
    driver.run(asked.create(model="gpt-4o", messages=HELLO, n=3))
    driver.read(driver.run(asked.create(model="gpt-4o", messages=HELLO, n=3, stream=True)))
    for span in recorded.spans:
        assert span.attributes is not None
        assert span.attributes[names.RESPONSE_FINISH_REASONS] == ("stop", "stop", "stop")
        assert span.attributes[names.REQUEST_CHOICE_COUNT] == 3
    assert [call[names.COST_USD] for call in recorded.calls] == [COST, COST]


def test_tier_of_the_answer(driver: Driver, recorded: Recorded) -> None:
    """The tier that the provider served is what is paid, whatever was asked for."""
    asked = driver.client.chat.completions
    driver.run(asked.create(model="gpt-4o", messages=HELLO, service_tier="auto"))
    driver.read(driver.run(asked.create(model="gpt-4o", messages=HELLO, service_tier="auto", stream=True)))
    for call, span in zip(recorded.calls, recorded.spans, strict=True):
        assert call[names.OPENAI_RESPONSE_SERVICE_TIER] == "default"
        assert call[names.COST_USD] == COST
        assert span.attributes is not None
        assert span.attributes[names.OPENAI_REQUEST_SERVICE_TIER] == "auto"


def test_request_attributes(driver: Driver, recorded: Recorded) -> None:
    """What was asked stands on the span by the names of the conventions, with the types it was given in.

    Sequences to stop at are words of a prompt: they are content.
    """
    driver.run(
        driver.client.chat.completions.create(
            model="gpt-4o",
            messages=HELLO,
            temperature=0.2,
            top_p=1,
            max_completion_tokens=50,
            frequency_penalty=0.1,
            presence_penalty=-0.1,
            seed=42,
            stop=["a", "b"],
        )
    )
    (span,) = recorded.spans
    assert span.attributes is not None
    asked = {name: value for name, value in span.attributes.items() if name.startswith("gen_ai.request.")}
    assert asked == {
        names.REQUEST_MODEL: "gpt-4o",
        names.REQUEST_TEMPERATURE: 0.2,
        names.REQUEST_TOP_P: 1,
        names.REQUEST_MAX_TOKENS: 50,
        names.REQUEST_FREQUENCY_PENALTY: 0.1,
        names.REQUEST_PRESENCE_PENALTY: -0.1,
        names.REQUEST_SEED: 42,
    }


def test_requests_own_identity(driver: Driver, recorded: Recorded) -> None:
    """Outside any session, the user and the session that the request itself names are taken."""
    driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO, user="user-1"))
    driver.run(
        driver.client.chat.completions.create(
            model="gpt-4o", messages=HELLO, safety_identifier="hashed", metadata={"session_id": "abc-123"}
        )
    )
    first, second = recorded.calls
    assert first[names.USER_ID] == "user-1"
    assert names.SESSION_ID not in first
    assert (second[names.USER_ID], second[names.SESSION_ID]) == ("hashed", "abc-123")
