"""A stream is finished once, however it ends, and says what is known of its cost."""

import asyncio
import copy
import logging
import pickle
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import openai
import pytest
from opentelemetry import trace

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from otel_costs.transports.http import body
from tests.providers.conftest import COST, HELLO, USAGE, Driver, usd
from tests.support import garbage
from tests.support.recorded import Recorded

STREAM: Any = {"model": "gpt-4o", "messages": HELLO, "stream": True}


@pytest.fixture(autouse=True)
def _no_detach_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert "detach" not in caplog.text
    assert [
        record for record in caplog.records if record.name == "otel_costs" and record.levelno >= logging.WARNING
    ] == []


def open_stream(driver: Driver) -> Any:
    return driver.run(driver.client.chat.completions.create(**STREAM))


def settle(driver: Driver) -> None:
    """Let the collector and the event loop do what they do sooner or later."""
    for _ in range(3):
        garbage.collect()
        driver.run(asyncio.sleep(0) if driver.kind == "async" else None)


def close(driver: Driver, stream: Any) -> None:
    driver.run(stream.close())


def closed_early(driver: Driver) -> None:
    stream = open_stream(driver)
    driver.take(stream, 2)
    close(driver, stream)


def closed_unread(driver: Driver) -> None:
    close(driver, open_stream(driver))


def left(driver: Driver) -> None:
    driver.take(open_stream(driver), 2)


def dropped(driver: Driver) -> None:
    stream = open_stream(driver)
    driver.run(next(stream) if driver.kind == "sync" else stream.__anext__())


def never_read(driver: Driver) -> None:
    open_stream(driver)


def never_parsed(driver: Driver) -> None:
    driver.run(driver.client.chat.completions.with_raw_response.create(**STREAM))


def left_helper(driver: Driver) -> None:
    manager = driver.client.chat.completions.stream(model="gpt-4o", messages=HELLO)
    driver.within(manager, lambda events: driver_next(driver, events))


def left_streaming_response(driver: Driver) -> None:
    manager = driver.client.chat.completions.with_streaming_response.create(**STREAM)
    driver.within(manager, lambda response: driver_next(driver, response.iter_lines()))


def unread_streaming_response(driver: Driver) -> None:
    driver.within(driver.client.chat.completions.with_streaming_response.create(**STREAM), lambda response: None)


def driver_next(driver: Driver, items: Any) -> Any:
    return next(iter(items)) if driver.kind == "sync" else anext(aiter(items))


ENDINGS = [
    closed_early, closed_unread, left, dropped, never_read, never_parsed, left_helper, left_streaming_response,
    unread_streaming_response,
]  # fmt: skip


@pytest.mark.some(3)
@pytest.mark.parametrize("end", ENDINGS)
def test_left_early(end: Callable[[Driver], None], driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream that is not read to its end leaves one record, an estimate that says why, and one ended span."""
    # One event in each network chunk, so that the end is not read by chance.
    provider.script(Fault(gate=threading.Event(), gate_events=4))
    end(driver)
    settle(driver)
    call = recorded.call
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].split(",")[0] == "stream_closed_early"
    assert call["gen_ai.usage.input_tokens"] > 0
    assert names.ERROR_TYPE not in call
    (span,) = recorded.spans
    assert span.end_time is not None
    assert span.status.is_unset


def test_estimate_of_what_was_read(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The estimate counts what was said until then: four characters a token."""
    provider.script(Fault(gate=threading.Event(), gate_events=5))
    stream = open_stream(driver)
    chunks = driver.take(stream, 4)
    close(driver, stream)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    call = recorded.call
    assert call["gen_ai.usage.output_tokens"] == -(-len(said) // 4)
    assert call["gen_ai.usage.input_tokens"] == -(-len("Hello") // 4)
    assert usd(call) > 0


def test_end_in_the_same_chunk(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """What has arrived counts, even if the application stops in the middle of it: then the cost is exact."""
    provider.script(Fault(usage=USAGE, piece=1_000_000))
    left(driver)
    settle(driver)
    assert recorded.call[names.COST_USD] == COST
    assert recorded.call[names.COST_STATUS] == "priced"


def test_helper_that_collects(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The helper's final completion costs nothing more."""
    provider.script(Fault(usage=USAGE))
    manager = driver.client.chat.completions.stream(model="gpt-4o", messages=HELLO)
    final = driver.within(manager, lambda stream: stream.get_final_completion())
    assert final.choices[0].finish_reason == "stop"
    assert recorded.call[names.COST_USD] == COST


def test_cut_by_the_server(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A connection that breaks in the middle is an error of its kind, an estimate, and the application's own error."""
    provider.script(Fault(cut_events=3))
    stream = open_stream(driver)
    with pytest.raises(openai.APIConnectionError) as raised:
        driver.read(stream)
    call = recorded.call
    assert call[names.ERROR_TYPE] == type(raised.value.__cause__).__name__ == "RemoteProtocolError"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("stream_failed")
    (span,) = recorded.spans
    assert not span.status.is_ok
    assert not span.status.is_unset


@pytest.mark.parametrize("at", [10, 300, 555, 1000])
def test_cut_in_an_event(at: int, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Wherever the bytes end, the application sees the same chunks and the same error as without us."""

    def chunks() -> tuple[int, type]:
        provider.script(Fault(cut=at))
        stream, found = open_stream(driver), []
        try:
            while True:
                found.append(driver.run(next(stream) if driver.kind == "sync" else stream.__anext__()))
        except openai.APIConnectionError as error:
            return len(found), type(error.__cause__)

    with_us = chunks()
    assert recorded.call[names.ERROR_TYPE] == "RemoteProtocolError"
    CostsInstrumentor().uninstrument()
    number, cause = chunks()
    # Without us the usage was not asked for: a chunk is shorter then, and more of them may have arrived whole.
    assert with_us[1] is cause
    assert number - with_us[0] in (0, 1)


def test_error_event(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An error that comes as an event is the application's, and one record with its type."""
    provider.script(Fault(error_event=3))
    with pytest.raises(openai.APIError, match="The server had an error") as raised:
        driver.read(open_stream(driver))
    call = recorded.call
    assert call[names.ERROR_TYPE] == type(raised.value).__name__ == "APIError"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("stream_failed")


class ConsumerError(Exception):
    pass


@pytest.mark.some(2)
@pytest.mark.parametrize("managed", [True, False])
def test_consumers_exception(managed: bool, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The consumer's own exception goes on unchanged; in a `with` block, where it ends the stream, its type is kept."""
    provider.script(Fault(gate=threading.Event(), gate_events=4))
    failure = ConsumerError("private words")

    def consume() -> None:
        stream = open_stream(driver)
        if not managed:
            for _ in stream:
                raise failure
        with stream:
            for _ in stream:
                raise failure

    async def consume_async() -> None:
        stream = await driver.client.chat.completions.create(**STREAM)
        if not managed:
            async for _ in stream:
                raise failure
        async with stream:
            async for _ in stream:
                raise failure

    with pytest.raises(ConsumerError) as raised:
        consume() if driver.kind == "sync" else driver.run(consume_async())
    assert raised.value is failure
    failure.__traceback__ = None
    del raised
    settle(driver)
    call = recorded.call
    assert call[names.COST_STATUS] == "estimated"
    assert call.get(names.ERROR_TYPE) == ("ConsumerError" if managed else None)
    assert "private words" not in str(recorded.log_exporter.get_finished_logs()) + str(
        [s.to_json() for s in recorded.spans]
    )


def test_exception_before_the_stream(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An exception that was being handled when the stream was opened is not the stream's."""
    provider.script(Fault(gate=threading.Event(), gate_events=4))
    try:
        raise ConsumerError
    except ConsumerError:
        closed_early(driver)
    assert names.ERROR_TYPE not in recorded.call


def test_cancelled(provider: Provider, recorded: Recorded) -> None:
    """A task that is cancelled in the middle of a stream gets its CancelledError, and leaves one record."""
    gate = threading.Event()
    provider.script(Fault(gate=gate, gate_events=3))

    async def consume(started: asyncio.Event, client: openai.AsyncOpenAI) -> None:
        read = 0
        async for _ in await client.chat.completions.create(**STREAM):
            read += 1
            if read == 3:
                started.set()  # whoever waits for it comes to it when this task waits for the next chunk

    async def main() -> None:
        started = asyncio.Event()
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            task = asyncio.create_task(consume(started, client))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    gate.set()
    call = recorded.call
    assert call[names.ERROR_TYPE] == "CancelledError"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON].startswith("stream_failed")


def test_finished_in_another_thread(client: openai.OpenAI, provider: Provider, recorded: Recorded) -> None:
    """A stream that is opened in one thread and read in another is one record, without a word in the logs."""
    provider.script(Fault(usage=USAGE))
    stream = client.chat.completions.create(**STREAM)
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.extend(stream))
    reader.start()
    reader.join()
    assert found
    assert recorded.call[names.COST_USD] == COST


def test_finished_in_another_task(provider: Provider, recorded: Recorded) -> None:
    """A stream that is opened in one task and read, or closed, in others is one record."""
    provider.script(Fault(usage=USAGE))

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            stream = await asyncio.create_task(client.chat.completions.create(**STREAM))
            await asyncio.create_task(stream.__anext__())

            async def rest() -> None:
                async for _ in stream:
                    pass

            await asyncio.create_task(rest())
            await asyncio.create_task(stream.close())

    asyncio.run(main())
    assert recorded.call[names.COST_USD] == COST


def test_generator_over_a_stream(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An application that hands a stream on through a generator of its own loses nothing, nor the current span."""
    provider.script(Fault(usage=USAGE))

    def handed_on() -> Iterator[Any]:
        yield from open_stream(driver)

    async def handed_on_async() -> Any:
        async for chunk in await driver.client.chat.completions.create(**STREAM):
            yield chunk

    tracer = recorded.tracer_provider.get_tracer("application")

    def read() -> None:
        with tracer.start_as_current_span("request") as outer:
            list(handed_on())
            assert trace.get_current_span() is outer

    async def read_async() -> None:
        with tracer.start_as_current_span("request") as outer:
            assert [chunk async for chunk in handed_on_async()]
            assert trace.get_current_span() is outer

    read() if driver.kind == "sync" else driver.run(read_async())
    assert recorded.call[names.COST_USD] == COST
    spans = {span.name: span for span in recorded.spans}
    parent, theirs = spans["chat gpt-4o"].parent, spans["request"].context
    assert parent is not None
    assert theirs is not None
    assert parent.span_id == theirs.span_id


def test_spans_while_streaming(client: openai.OpenAI, recorded: Recorded) -> None:
    """What the application does between two chunks is not below the call's span."""
    for _ in client.chat.completions.create(**STREAM):
        assert trace.get_current_span() is trace.INVALID_SPAN
    assert recorded.call


def test_closed_twice(driver: Driver, recorded: Recorded) -> None:
    """Closing again, or reading what is closed, adds nothing."""
    stream = open_stream(driver)
    driver.read(stream)
    close(driver, stream)
    close(driver, stream)
    assert driver.read(stream) == []
    assert len(recorded.calls) == 1


def test_response_is_itself_again(driver: Driver, recorded: Recorded) -> None:
    """After its end the HTTP response is of its own class, with nothing of ours on it."""
    stream = open_stream(driver)
    response = stream.response
    assert isinstance(response, httpx.Response)
    driver.read(stream)
    assert type(response) is httpx.Response
    assert not [name for name in vars(response) if "otel" in name]
    assert len(recorded.calls) == 1


def opened(driver: Driver) -> Any:
    """The HTTP response of a stream, of which nothing is read yet."""
    return driver.run(driver.client.chat.completions.with_raw_response.create(**STREAM)).http_response


def joined(pieces: list[bytes]) -> bytes:
    """Bytes of a stream without what differs between two requests."""
    return re.sub(rb'chatcmpl-[^"]*|"created":\d+', b"", b"".join(pieces))


def second_reader(driver: Driver, way: str) -> tuple[bytes, str]:
    """What one reader reads of a stream while another tries to, and the error of the other."""
    response = opened(driver)
    name = way if driver.kind == "sync" else f"a{way}"
    reading = getattr(response, "iter_bytes" if driver.kind == "sync" else "aiter_bytes")()
    begun = [driver.run(next(reading) if driver.kind == "sync" else anext(reading)) for _ in range(2)]
    try:
        found = getattr(response, name)()
        other = repr(driver.run(found) if way == "read" else driver.read(found))
    except Exception as error:  # noqa: BLE001
        other = type(error).__name__
    return joined([*begun, *driver.read(reading)]), other


@pytest.mark.parametrize("way", ["read", "iter_bytes", "iter_raw", "iter_lines"])
def test_a_second_reader(way: str, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """It takes nothing from the first, whose call is recorded when that has read all."""
    provider.script(Fault(usage=USAGE, piece=50, times=2))
    with_us = second_reader(driver, way)
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_USD]) == ("priced", COST)
    CostsInstrumentor().uninstrument()
    assert second_reader(driver, way) == with_us


def test_a_copy_that_is_read(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A copy and a pickle of a response have no body; that they are read is not the end of the original's."""
    provider.script(Fault(usage=USAGE, times=2))

    def copied() -> Any:
        response = opened(driver)
        found: list[Any] = []
        for other in (copy.copy(response), copy.deepcopy(response), pickle.loads(pickle.dumps(response))):
            with pytest.raises(httpx.StreamError) as raised:
                driver.run(other.read() if driver.kind == "sync" else other.aread())
            found.append((type(other), sorted(vars(other)), type(raised.value)))
        found.append((type(response), sorted(vars(response))))
        return found, joined([driver.run(response.read() if driver.kind == "sync" else response.aread())])

    with_us = copied()
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_USD]) == ("priced", COST)
    CostsInstrumentor().uninstrument()
    assert copied() == with_us


@pytest.mark.parametrize("is_read", [False, True])
def test_the_length_of_a_stream(is_read: bool, driver: Driver, recorded: Recorded) -> None:
    """A length that a gateway gives is true, although it counts what we asked for and hide."""
    event = b'data: {"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"x"}}],"usage":null}\n\n'
    usage = b'data: {"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":1500,"completion_tokens":800}}\n\n'
    body = event + usage + b"data: [DONE]\n\n"

    class Whole(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield body

        async def __aiter__(self) -> Any:
            yield body

    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"content-type": "text/event-stream", "content-length": str(len(body))}
        return httpx.Response(200, headers=headers, stream=Whole())

    def read(response: Any) -> None:
        response.read()

    async def read_async(response: Any) -> None:
        await response.aread()

    hook: Any = read if driver.kind == "sync" else read_async
    kind: Any = httpx.Client if driver.kind == "sync" else httpx.AsyncClient
    hooks = {"response": [hook]} if is_read else {}
    transport = httpx.MockTransport(answer)
    with_hook = driver.new(http_client=kind(transport=transport, event_hooks=hooks))
    found = driver.run(with_hook.chat.completions.with_raw_response.create(**STREAM)).http_response
    shown = driver.run(found.read() if driver.kind == "sync" else found.aread())
    assert b"prompt_tokens" not in shown
    assert found.headers["content-length"] == str(len(shown))
    assert shown.rstrip(b"\n").endswith(b"data: [DONE]")
    assert recorded.call["gen_ai.usage.output_tokens"] == 800


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_a_stream_by_another_type(kind: str, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A gateway that calls a stream something else is read like the SDK reads it: as events."""
    provider.script(Fault(usage=USAGE, headers={"content-type": kind}))
    assert driver.read(open_stream(driver))
    assert recorded.call[names.COST_USD] == COST


def test_an_answer_that_does_not_stream(driver: Driver, recorded: Recorded) -> None:
    """A gateway that answers with JSON what was asked to stream is billed by its usage."""
    body = {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [], "usage": USAGE}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    kind: Any = httpx.Client if driver.kind == "sync" else httpx.AsyncClient
    client = driver.new(http_client=kind(transport=transport))
    driver.read(driver.run(client.chat.completions.create(**STREAM)))
    assert recorded.call[names.COST_USD] == COST


@pytest.mark.parametrize("piece", [1, 2, 17])
def test_odd_network_chunks(piece: int, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Events that are split over network chunks, down to single bytes, are read whole."""
    provider.script(Fault(usage=USAGE, piece=piece))
    chunks = driver.read(open_stream(driver))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said
    assert recorded.call[names.COST_USD] == COST


def test_long_stream(
    client: openai.OpenAI, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that is too long to be kept is read in parts, and comes to the same."""
    monkeypatch.setattr(body, "ACCUMULATE_AT", 100)
    provider.script(Fault(usage=USAGE, piece=50), Fault(usage=USAGE))
    list(client.chat.completions.create(**STREAM))
    list(client.chat.completions.create(**STREAM))
    first, second = recorded.calls
    assert first[names.COST_USD] == second[names.COST_USD] == COST
