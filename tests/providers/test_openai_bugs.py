"""A bug of ours, wherever it is, leaves the application's result as it is, and loses at most our record of a call."""

import importlib
import logging
import pkgutil
import types
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from otel_costs import hosts, messages
from otel_costs import semconv as names
from otel_costs.calls import bill, call, message_log, writer
from otel_costs.pricing import price_book
from otel_costs.providers import openai as openai_package
from otel_costs.providers.openai import usage
from otel_costs.sessions import scope
from otel_costs.stand_in import Provider, tokens
from otel_costs.transports.http import body, streaming
from otel_costs.values import audio_length
from tests.providers.conftest import HELLO, Driver
from tests.support.recorded import Recorded, wait_for_records

# What a bug breaks off leaves httpx's stream to the interpreter, which closes it whenever it collects: once in some
# thirty runs it then finds the generator executing, says so, and goes on.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator object Response.aiter_raw:pytest.PytestUnraisableExceptionWarning"
)

PREFIX = openai_package.__name__ + "."

MODULES = (
    openai_package,
    *(importlib.import_module(found.name) for found in pkgutil.iter_modules(openai_package.__path__, PREFIX)),
    *(hosts, body, audio_length, streaming, bill, message_log, scope, messages, price_book, call, writer),
)

# They are what keeps a bug from the application, or are the patches themselves.
OUTERMOST = {
    "openai._request", "openai._request_async", "openai._options_of", "openai._process_response", "openai.install",
    "openai._begin", "openai._notice", "openai._cover", "openai._build_request", "openai._make_status_error",
    "CallContext.__init__", "CallContext.__enter__", "CallContext.__exit__",
    "Exchange.failed", "Exchange.not_received", "Exchange.received", "Exchange._give_up", "Exchange._hide_usage",
    "Watch.feed", "Watch.flush", "Watch.end", "Watch.end_from_finalizer", "Watch.closed", "Watch.forget",
    "Watch.end_with_process", "Watch.read_out", "Watch.see", "_Followed.__iter__", "_Followed.__aiter__",
    "_Followed.close", "_Followed.aclose", "_Followed._self_closed",
    "message_log.forget", "openai.jobs.forget",
}  # fmt: skip

# What takes the usage out of a stream that we asked for it: without it the application sees one chunk more.
HIDING = {
    "UsageFilter.__init__", "UsageFilter.feed", "UsageFilter.flush", "UsageFilter._without_usage",
    "UsageFilter._visible_event", "UsageFilter._is_usage_chunk", "streaming.watch", "Watch.__init__",
    "_Followed.__init__",
}  # fmt: skip


class BugError(Exception):
    pass


def places() -> Iterator[tuple[str, Any, str]]:
    """Yield every function and method of ours that a call may pass, as a name, its owner and its attribute."""
    for module in MODULES:
        name = module.__name__
        short = name.removeprefix("otel_costs.providers.") if name.startswith(PREFIX) else name.rpartition(".")[2]
        for name, found in vars(module).items():
            if getattr(found, "__module__", None) != module.__name__:
                continue
            if isinstance(found, types.FunctionType):
                yield f"{short}.{name}", module, name
            elif isinstance(found, type) and not getattr(found, "_is_protocol", False):
                for method, function in vars(found).items():
                    if isinstance(function, types.FunctionType | property | classmethod) and method != "__repr__":
                        yield f"{name}.{method}", found, method


PLACES = {name: (owner, attribute) for name, owner, attribute in places() if name not in OUTERMOST}


def broken(owner: Any, name: str) -> Any:
    def raising(*args: Any, **kwargs: Any) -> Any:
        raise BugError(name)

    found = vars(owner)[name]
    if isinstance(found, property):
        return property(raising)
    return classmethod(raising) if isinstance(found, classmethod) else raising


def ask_all(driver: Driver, *, tolerant: bool = False) -> list[Any]:
    """Ask for something of every kind, and return what the application gets."""
    chat = driver.client.chat.completions
    asked: Any = {"model": "gpt-4o", "messages": HELLO}
    stream = driver.run(chat.create(**asked, stream=True))
    first = driver.take(stream, 1)
    driver.run(stream.close())
    with pytest.raises(openai.RateLimitError):
        driver.run(chat.create(**asked, extra_headers={"x-stand-in-fault": '{"status": 429}'}))
    begun = driver.run(driver.client.responses.create(model="gpt-4o", input="draw", background=True))
    speech = driver.client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hello", response_format="wav"
    )
    return [
        driver.run(chat.create(**asked)).choices[0].message.content,
        [chunk.choices[0].delta.content for chunk in driver.read(driver.run(chat.create(**asked, stream=True)))
         if chunk.choices or not tolerant],
        first[0].choices[0].delta.role,
        [event.type for event in driver.read(driver.run(
            driver.client.responses.create(model="gpt-4o", input="hi", stream=True)))],
        [driver.run(driver.client.responses.retrieve(begun.id)).status for _ in range(3)],
        len(driver.within(speech, lambda found: found.read())),
        driver.run(driver.client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", tokens.wav(1)), response_format="text")),
        driver.run(driver.client.images.generate(model="dall-e-2", prompt="x", n=2)).data[0].url,
        len(driver.run(driver.client.embeddings.create(model="text-embedding-3-small", input="x")).data),
        driver.run(driver.client.post("/future/things", cast_to=object, body={"model": "gpt-4o"}))["object"],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def drivers() -> Iterator[dict[str, Driver]]:
    with Provider() as provider:
        found = {kind: Driver(kind, provider.base_url) for kind in ("sync", "async")}
        yield found
        for driver in found.values():
            driver.close()
    assert provider.errors == []


@pytest.fixture(scope="module")
def expected(drivers: dict[str, Driver]) -> dict[str, list[Any]]:
    """Ask without us."""
    return {kind: ask_all(driver) for kind, driver in drivers.items()}


@pytest.mark.some(30)
@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_bug_leaves_the_result(
    place: str, drivers: dict[str, Driver], expected: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch,
    recorded: Recorded,
) -> None:  # fmt: skip
    """A function of ours that raises changes nothing of what the application gets, and stops nothing of it."""
    owner, name = PLACES[place]
    monkeypatch.setattr(owner, name, broken(owner, name))
    # Below the patches sync and async share everything but the body of a response.
    for kind in ("sync", "async") if place in HIDING or owner is streaming.Watch else (_one_of(place),):
        assert ask_all(drivers[kind], tolerant=place in HIDING) == expected[kind]
    wait_for_records()


def _one_of(place: str) -> str:
    return "sync" if sum(place.encode()) % 2 else "async"


def test_a_bug_is_logged_once(
    driver: Driver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug is one warning, which names neither prompt nor key; its traceback is for DEBUG."""
    monkeypatch.setattr(usage, "read_usage", broken(usage, "read_usage"))
    for _ in range(3):
        driver.run(driver.client.chat.completions.create(model="gpt-4o", messages=HELLO))
    wait_for_records()
    ours = [record for record in caplog.records if record.name == "otel_costs"]
    assert [record.levelno for record in ours] == [logging.WARNING]
    assert "BugError" in ours[0].getMessage()
    assert "Hello" not in caplog.text


@pytest.mark.parametrize(
    "place",
    [
        "openai.usage.read_usage", "openai.messages.read_request", "openai.messages.read_response",
        "openai.answer.failure", "openai.jobs.identified", "price_book.price",
    ],
)  # fmt: skip
def test_tokens_cost_and_words_fail_apart(
    place: str, client: openai.OpenAI, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not broken is recorded all the same: there is a record, and a span that has ended."""
    owner, name = PLACES[place]
    monkeypatch.setattr(owner, name, broken(owner, name))
    client.chat.completions.create(model="gpt-4o", messages=HELLO)
    list(client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True))
    calls = recorded.calls
    assert len(calls) == len(recorded.spans) == 2
    if place not in ("openai.usage.read_usage", "price_book.price"):
        assert [call[names.COST_STATUS] for call in calls] == ["priced", "priced"]
    if place == "price_book.price":
        assert [call["gen_ai.usage.input_tokens"] > 0 for call in calls] == [True, True]


def test_places() -> None:
    """The lists of places are of what there is."""
    assert len(PLACES) > 100
    known = {name for name, *_ in places()}
    assert known >= OUTERMOST
    assert known >= HIDING
