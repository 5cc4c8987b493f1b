"""The usage of a stream, asked for and taken out again: the application's bytes are what they would have been."""

import copy
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx2 as httpx
import openai
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.providers.openai.usage_filter import UsageFilter
from otel_costs.stand_in import Fault, Provider
from otel_costs.transports.http.body import events
from tests.providers.conftest import COST, HELLO, USAGE, Driver
from tests.support.recorded import Recorded

LINE_ENDS = ("\n", "\r\n", "\r")

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ['"usage":null', ',"usage":null', '{"choices":[],"usage":{"a":1}}', "\n\ndata: x", "\r\n", "data: [DONE]"]
    ),
)

SILENT = {"index": 0, "delta": {}, "finish_reason": None}
EXTRA: list[dict[str, Any]] = [
    {"id": "1", "choices": []},
    {"id": "1"},
    {"id": "", "choices": None},
    {"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
    {"id": "", "choices": [SILENT]},
    {"choices": [{**SILENT, "delta": {"role": "assistant", "content": ""}, "logprobs": None}]},
    {"choices": [{**SILENT, "delta": None, "content_filter_results": {"hate": {"filtered": False}}}]},
    {"choices": [SILENT, {**SILENT, "index": 1, "delta": {"content": None, "tool_calls": []}}]},
    {"choices": [{"index": 0, "text": "", "finish_reason": None}]},
]
"""The chunk that was asked for, but for its usage, in the shapes that providers give it."""


def event(fields: dict[str, Any], name: str | None, end: str, spaced: bool) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    named = f"event: {name}{end}" if name else ""
    return f"{named}data: {json.dumps(fields, separators=separators)}{end}{end}".encode()


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Return a stream as it is when nobody asked for the usage, and as it is when somebody did."""
    end, spaced = draw(st.sampled_from(LINE_ENDS)), draw(st.booleans())
    name = draw(st.sampled_from([None, "chunk"]))
    unasked, asked = b"", b""
    for text in draw(st.lists(texts, max_size=6)):
        fields = {"id": "1", "choices": [{"index": 0, "delta": {"content": text}}]}
        more = draw(st.sampled_from([{}, {"obfuscation": "aB3"}]))
        unasked += event({**fields, **more}, name, end, spaced)
        asked += event({**fields, "usage": None, **more}, name, end, spaced)
    extra = draw(st.sampled_from(EXTRA)) if unasked else draw(st.sampled_from(EXTRA[:3]))
    last = event({**extra, "usage": {"prompt_tokens": 3, "details": {"a": None}}}, name, end, spaced)
    done = f"data: [DONE]{end}{end}".encode()
    comment = draw(st.sampled_from([b"", f": still here{end}{end}".encode()]))
    return unasked + comment + done, asked + comment + last + done


def cut(raw: bytes, places: list[int]) -> Iterator[bytes]:
    for start, stop in pairwise([0, *sorted({place % (len(raw) + 1) for place in places}), len(raw)]):
        yield raw[start:stop]


@given(streams(), st.lists(st.integers(0, 10_000), max_size=12))
def test_bytes_are_what_they_would_have_been(found: tuple[bytes, bytes], places: list[int]) -> None:
    """However the stream is cut, spaced and terminated, what is shown is to the byte what it would have been."""
    unasked, asked = found
    usage_filter = UsageFilter()
    assert b"".join([*(usage_filter.feed(piece) for piece in cut(asked, places)), usage_filter.flush()]) == unasked


@given(streams())
def test_byte_by_byte(found: tuple[bytes, bytes]) -> None:
    """One byte at a time is no different."""
    unasked, asked = found
    usage_filter = UsageFilter()
    assert b"".join([*(usage_filter.feed(bytes([byte])) for byte in asked), usage_filter.flush()]) == unasked


@given(st.binary(max_size=200), st.lists(st.integers(0, 10_000), max_size=5))
def test_other_bytes_pass(raw: bytes, places: list[int]) -> None:
    """What says nothing of a usage comes out as it went in."""
    assume(b'"usage"' not in raw and b'"choices"' not in raw)
    usage_filter = UsageFilter()
    assert b"".join([*(usage_filter.feed(piece) for piece in cut(raw, places)), usage_filter.flush()]) == raw


def test_events_are_not_held_longer_than_needed() -> None:
    """A whole event is shown at once, whatever follows."""
    usage_filter = UsageFilter()
    first, second = (
        event({"choices": [1], "usage": None}, None, "\n", False),
        event({"choices": [2]}, None, "\n", False),
    )
    assert usage_filter.feed(first) == event({"choices": [1]}, None, "\n", False)
    assert usage_filter.feed(second[:-1]) == b""
    assert usage_filter.feed(second[-1:] + first[:5]) == second


@pytest.mark.parametrize("ending", [b"\n\n", b"\r\n\r\n"])
def test_a_cut_usage_chunk_is_not_shown(ending: bytes) -> None:
    """A usage chunk that the connection's end cuts short is not shown in part either."""
    chunk = event({"choices": [], "usage": {"prompt_tokens": 3}}, None, "\n", False)
    for length in range(len(b'data: {"choices":[]'), len(chunk) - 1):
        usage_filter = UsageFilter()
        assert usage_filter.feed(b"data: 1" + ending + chunk[:length]) + usage_filter.flush() == b"data: 1" + ending


DELTA: dict[str, Any] = {"content": "Hi"}


@pytest.mark.parametrize(
    "choice",
    [
        {"delta": DELTA, "finish_reason": "stop"},
        {"delta": {}, "finish_reason": "stop"},
        {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}, "finish_reason": None},
        {"delta": {"reasoning_content": "Hm"}, "finish_reason": None},
        {"text": "Hi", "finish_reason": None},
    ],
)
def test_a_chunk_that_says_something_stays(choice: dict[str, Any]) -> None:
    """A chunk with content, a call of a function or an end is the application's, though its usage stands in it."""
    said = event({"choices": [{"index": 0, **choice}], "usage": {"prompt_tokens": 3}}, None, "\n", False)
    usage_filter = UsageFilter()
    begun = event({"choices": [{"index": 0, "delta": DELTA}]}, None, "\n", False)
    assert usage_filter.feed(begun) + usage_filter.feed(said) + usage_filter.flush() == begun + said


@pytest.mark.parametrize("end", LINE_ENDS)
@pytest.mark.parametrize("name", [None, "chunk"])
def test_a_usage_beside_something_that_is_said(name: str | None, end: str) -> None:
    """A provider that puts null usages where it is asked puts the usage there, too: the chunk stays, without it."""
    usage_filter = UsageFilter()
    said = {"choices": [{"index": 0, "delta": {"content": 'é "usage"'}, "finish_reason": "stop"}]}
    begun = {"choices": [{"index": 0, "delta": DELTA}]}
    shown = usage_filter.feed(event({**begun, "usage": None}, name, end, False))
    shown += (
        usage_filter.feed(event({"id": "1", "usage": {"a": {"b": 1}}, **said}, name, end, False)) + usage_filter.flush()
    )
    first, second = [json.loads(data) for _, data in events(shown)]
    assert (first, second) == (begun, {"id": "1", **said})
    assert shown.endswith(2 * end.encode())


def test_a_usage_of_something_else_stays() -> None:
    """What is no usage of the chunk itself is left as it is, to the byte."""
    usage_filter = UsageFilter()
    begun = event({"choices": [{"index": 0, "delta": DELTA}]}, None, "\n", False)
    usage_filter.feed(event({"choices": [{"index": 0, "delta": DELTA}], "usage": None}, None, "\n", False))
    for fields in ({"x_groq": {"usage": {"a": 1}}}, {"tools": [{"usage": "how"}]}):
        other = event({"choices": [{"index": 0, "delta": DELTA}], **fields}, None, "\n", True)
        assert usage_filter.feed(begun + other) == begun + other


def test_a_provider_that_always_tells() -> None:
    """Where every chunk has a usage, nobody's question brought it: an empty text stays, also the first."""
    texts = [event({"choices": [{"index": 0, "delta": {"content": text}}], "usage": {"a": 1}}, None, "\n", False)
             for text in ("", "Hi", "", "!")]  # fmt: skip
    usage_filter = UsageFilter()
    assert b"".join(map(usage_filter.feed, texts)) == b"".join(texts)


def test_an_error_stays() -> None:
    """An error in a stream is shown, whatever was used until then."""
    error = event({"error": {"message": "overloaded"}, "usage": {"prompt_tokens": 3}}, None, "\n", False)
    assert UsageFilter().feed(error) == error


@pytest.mark.parametrize("extra", EXTRA)
def test_extra_chunks_of_every_shape(
    extra: dict[str, Any], driver: Driver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real client sees the chunks that it would have seen, and we the usage, whatever shape it comes in."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "llm.example=openai")
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    said = [{"index": 0, "delta": DELTA, "finish_reason": None}]
    over = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    asked = [
        {**head, "choices": said, "usage": None},
        {**head, "choices": over, "usage": None},
        {**head, **extra, "usage": USAGE},
    ]
    chunks = chunks_of(driver, asked)
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, "stop"]
    assert recorded.call[names.COST_USD] == COST


def chunks_of(driver: Driver, asked: list[dict[str, Any]]) -> list[Any]:
    """Return the chunks that the application sees of a stream."""
    body = b"".join(event(chunk, None, "\n", False) for chunk in asked) + b"data: [DONE]\n\n"

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    transport = httpx.MockTransport(answer)
    http = httpx.AsyncClient(transport=transport) if driver.kind == "async" else httpx.Client(transport=transport)
    client = driver.new(base_url="http://llm.example/v1", http_client=http)
    found = driver.read(driver.run(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)))
    driver.run(client.close())
    return found


def test_a_filter_after_the_usage(driver: Driver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure tells what its filter thinks before the first word and after the usage; both stay, the usage does not."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "llm.example=azure.ai.openai")
    monkeypatch.setenv(names.ENV_STREAM_USAGE, "on")
    model = "gpt-4o-2024-08-06"
    filtered: dict[str, Any] = {"index": 0, "finish_reason": None, "content_filter_results": {}}
    chunks = chunks_of(driver, [
        {"model": "", "choices": [], "usage": None},
        {"model": model, "choices": [{"index": 0, "delta": DELTA, "finish_reason": None}], "usage": None},
        {"model": model, "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}},
        {"id": "", "model": "", "choices": [filtered], "usage": None},
    ])  # fmt: skip
    assert [len(chunk.choices) for chunk in chunks] == [0, 1, 1]
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    assert recorded.call[names.COST_USD] == "0.0035"


ASKED = {
    "text": {"model": "gpt-4o", "messages": HELLO},
    "choices": {"model": "gpt-4o", "messages": HELLO, "n": 2},
    "speech": {
        "model": "gpt-4o-audio-preview",
        "messages": HELLO,
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "pcm16"},
    },
    "tools": {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Where is my order A-1001?"}],
        "tools": [{"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}],
    },
}


def received(driver: Driver, asked: dict[str, Any], chunk_size: int | None) -> list[bytes]:
    """Return the bytes that the application reads of a stream, but for ids and times."""
    call = driver.client.chat.completions.with_streaming_response.create(**asked, stream=True)
    pieces = driver.within(call, lambda response: _all(response.iter_bytes(chunk_size)))
    return [re.sub(rb'("id":"[a-z]+[-_])[^"]+"|("created":)\d+|("expires_at":)\d+', rb"\1\2\3", b"".join(pieces))]


def _all(items: Any) -> Any:
    return items if hasattr(items, "__aiter__") else list(items)


@pytest.mark.some(8)
@pytest.mark.parametrize(
    ("kind", "piece"),
    # Half a megabyte of speech is not cut into single bytes.
    [(kind, piece) for kind in ASKED for piece in (None, 1, 3, 64, 100_000) if kind != "speech" or piece not in (1, 3)],
)
def test_bytes_over_the_wire(
    kind: str, piece: int | None, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """Over a connection, in odd chunks, the application reads the same bytes with us and without, and we the usage."""
    provider.script(Fault(piece=piece, usage=USAGE), Fault(piece=piece, usage=USAGE))
    with_us = received(driver, ASKED[kind], None)
    assert provider.requests[-1].json["stream_options"] == {"include_usage": True}
    assert recorded.call["gen_ai.usage.input_tokens"] == 1500
    CostsInstrumentor().uninstrument()
    assert received(driver, ASKED[kind], None) == with_us
    assert "stream_options" not in provider.requests[-1].json


@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
def test_sizes_of_chunks(chunk_size: int, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Who asks for chunks of a size gets them of that size, but for the last, as without us."""

    def sizes() -> list[int]:
        call = driver.client.chat.completions.with_streaming_response.create(**ASKED["text"], stream=True)
        return [len(piece) for piece in driver.within(call, lambda found: _all(found.iter_bytes(chunk_size)))]

    with_us = sizes()
    assert recorded.call[names.COST_STATUS] == "priced"
    CostsInstrumentor().uninstrument()
    assert with_us == sizes()


def test_parsed_chunks(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """The application's chunks have no usage, not even a null one, and there is no chunk without choices."""
    provider.script(Fault(usage=USAGE))
    chunks = driver.read(driver.run(driver.client.chat.completions.create(**ASKED["text"], stream=True)))
    assert all(chunk.choices and "usage" not in chunk.model_fields_set for chunk in chunks)
    assert recorded.call[names.COST_USD] == COST


def test_legacy_completions(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Streams of legacy completions are asked too."""
    spent = {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140}
    provider.script(Fault(usage=spent))
    create = driver.client.completions.create
    chunks = driver.read(driver.run(create(model="gpt-3.5-turbo-instruct", prompt="Hello", stream=True)))
    assert all(chunk.choices for chunk in chunks)
    call = recorded.call
    assert (call["gen_ai.usage.input_tokens"], call["gen_ai.usage.output_tokens"]) == (100, 40)
    assert call[names.COST_STATUS] == "priced"


def test_asked_by_the_application(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An application that asks for the usage itself sees it."""
    provider.script(Fault(usage=USAGE))
    asked = {**ASKED["text"], "stream": True, "stream_options": {"include_usage": True}}
    *others, last = driver.read(driver.run(driver.client.chat.completions.create(**asked)))
    assert last.choices == []
    assert last.usage.prompt_tokens == 1500
    assert all("usage" in chunk.model_fields_set for chunk in others)
    assert recorded.call[names.COST_USD] == COST


def test_declined_by_the_application(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """An application that declines the usage is not overruled: the cost is an estimate, and says so."""
    asked = {**ASKED["text"], "stream": True, "stream_options": {"include_usage": False}}
    driver.read(driver.run(driver.client.chat.completions.create(**asked)))
    assert provider.requests[-1].json["stream_options"] == {"include_usage": False}
    assert recorded.call[names.COST_STATUS] == "estimated"
    assert recorded.call[names.COST_REASON].startswith("usage_not_reported")


@pytest.mark.parametrize("options", [{"include_obfuscation": False}, {}])
@pytest.mark.parametrize("place", ["argument", "extra_body"])
def test_other_stream_options(
    options: dict[str, bool], place: str, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """Other options of the stream stay, wherever they were given, and nothing of the application's is changed."""
    provider.script(Fault(usage=USAGE))
    given = (
        {"stream_options": options} if place == "argument" else {"extra_body": {"stream_options": options, "seed": 1}}
    )
    before = copy.deepcopy(given)
    messages = copy.deepcopy(HELLO)
    asked = driver.client.chat.completions.create(model="gpt-4o", messages=messages, stream=True, **given)
    driver.read(driver.run(asked))
    assert given == before
    assert messages == HELLO
    assert provider.requests[-1].json["stream_options"] == {**options, "include_usage": True}
    assert recorded.call[names.COST_USD] == COST


def test_off(driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_COSTS_STREAM_USAGE=off leaves the request alone; the cost is then an estimate, and says so."""
    monkeypatch.setenv(names.ENV_STREAM_USAGE, "off")
    driver.read(driver.run(driver.client.chat.completions.create(**ASKED["text"], stream=True)))
    with_us = provider.requests[-1]
    CostsInstrumentor().uninstrument()
    driver.read(driver.run(driver.client.chat.completions.create(**ASKED["text"], stream=True)))
    assert with_us.body == provider.requests[-1].body
    assert recorded.call[names.COST_STATUS] == "estimated"
    assert "usage_estimated" in recorded.call[names.COST_REASON]


@pytest.mark.parametrize("provider_name", ["mistral_ai", "groq", "deepseek", "unknown"])
def test_others_are_not_asked(
    provider_name: str, driver: Driver, provider: Provider, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that is not known to take the question is not asked; `on` asks everybody."""
    monkeypatch.setenv(names.ENV_PROVIDERS, f"127.0.0.1={provider_name}")
    create = driver.client.chat.completions.create
    driver.read(driver.run(create(**ASKED["text"], stream=True)))
    assert "stream_options" not in provider.requests[-1].json
    monkeypatch.setenv(names.ENV_STREAM_USAGE, "on")
    driver.read(driver.run(create(**ASKED["text"], stream=True)))
    assert provider.requests[-1].json["stream_options"] == {"include_usage": True}
    assert recorded.calls[0][names.PROVIDER_NAME] == provider_name


def test_whole_answers_are_not_asked(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A request that does not stream is sent as it is: providers refuse the question there."""
    driver.run(driver.client.chat.completions.create(**ASKED["text"]))
    assert "stream_options" not in provider.requests[-1].json
    assert recorded.call[names.COST_STATUS] == "priced"


@pytest.mark.parametrize("end", LINE_ENDS)
def test_line_ends(end: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client decodes a stream of any line ends, and sees what it would have seen."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "llm.example=openai")
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    delta = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
    events = [
        event({**chunk, "choices": [delta], "usage": None}, None, end, True),
        event({**chunk, "choices": [], "usage": USAGE}, None, end, True),
        f"data: [DONE]{end}{end}".encode(),
    ]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=iter(events))

    transport = httpx.Client(transport=httpx.MockTransport(answer))
    with openai.OpenAI(api_key="k", base_url="http://llm.example/v1", http_client=transport) as client:
        (only,) = list(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    assert only.choices[0].delta.content == "Hi"
    assert recorded.call[names.COST_USD] == COST
