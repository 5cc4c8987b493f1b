"""Errors: the application gets its own, unchanged, and the call one record that says what is known of its cost."""

import asyncio
import threading
from typing import Any

import httpx2 as httpx
import openai
import pytest
from opentelemetry.trace import StatusCode

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.stand_in import Fault, Provider
from tests.providers.conftest import HELLO, Driver
from tests.support.recorded import Recorded

ASKED: Any = {"model": "gpt-4o", "messages": HELLO}


def caught(driver: Driver, ask: Any) -> BaseException:
    try:
        driver.run(ask())
    except BaseException as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_refused(
    status: int, kind: type[Exception], streamed: bool, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """What the provider refuses costs nothing, and that is known; the exception is what it is without us."""
    provider.script(Fault(status=status, times=2))
    ask = lambda: driver.client.chat.completions.create(**ASKED, stream=streamed)  # noqa: E731
    with_us = caught(driver, ask)
    CostsInstrumentor().uninstrument()
    without = caught(driver, ask)
    assert type(with_us) is type(without) is kind
    assert str(with_us) == str(without)
    assert isinstance(with_us, openai.APIStatusError)
    assert isinstance(without, openai.APIStatusError)
    assert with_us.body == without.body
    assert type(with_us.__cause__) is type(without.__cause__)
    call = recorded.call
    assert call[names.ERROR_TYPE] == kind.__name__
    assert (call[names.COST_USD], call[names.COST_STATUS]) == ("0", "priced")
    assert call[names.COST_REASON] == "request_refused"
    (span,) = recorded.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes[names.ERROR_TYPE] == kind.__name__
    assert span.attributes[names.REQUEST_MODEL] == "gpt-4o"
    assert not span.events


@pytest.mark.parametrize("way", ["create", "raw", "streaming_response", "stream", "responses", "embeddings", "speech"])
def test_refused_in_every_form(way: str, driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """Whatever is refused, in whatever form it was asked, leaves one record."""
    provider.script(Fault(status=429))
    chat = driver.client.chat.completions
    asks: dict[str, Any] = {
        "create": lambda: chat.create(**ASKED),
        "raw": lambda: chat.with_raw_response.create(**ASKED),
        "responses": lambda: driver.client.responses.create(model="gpt-4o", input="Hello"),
        "embeddings": lambda: driver.client.embeddings.create(model="text-embedding-3-small", input="x"),
        "speech": lambda: driver.client.audio.speech.create(model="tts-1", voice="alloy", input="x"),
    }
    managers: dict[str, Any] = {
        "streaming_response": lambda: chat.with_streaming_response.create(**ASKED),
        "stream": lambda: chat.stream(**ASKED),
    }
    with pytest.raises(openai.RateLimitError):
        driver.run(asks[way]()) if way in asks else driver.within(managers[way](), lambda found: None)
    assert recorded.call[names.COST_REASON] == "request_refused"
    assert len(recorded.spans) == 1


def test_connection_error(driver: Driver, recorded: Recorded) -> None:
    """Nobody there: the error is the SDK's, and the cost unknown, not zero."""
    client = driver.new(base_url="http://127.0.0.1:9/v1")
    error = caught(driver, lambda: client.chat.completions.create(**ASKED))
    assert type(error) is openai.APIConnectionError
    call = recorded.call
    assert call[names.ERROR_TYPE] == "APIConnectionError"
    assert call[names.COST_STATUS] == "unpriced"
    assert names.COST_USD not in call
    driver.run(client.close())


def test_broken_off(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A whole answer that breaks off is an error whose cost is unknown: the provider may have billed it."""
    provider.script(Fault(cut=40))
    assert type(caught(driver, lambda: driver.client.chat.completions.create(**ASKED))) is openai.APIConnectionError
    assert recorded.call[names.COST_STATUS] == "unpriced"
    assert recorded.call[names.ERROR_TYPE] == "APIConnectionError"


def test_timeout(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A timeout is the SDK's, and one record."""
    gate = threading.Event()
    provider.script(Fault(gate=gate))
    client = driver.client.with_options(timeout=0.05)
    assert type(caught(driver, lambda: client.chat.completions.create(**ASKED))) is openai.APITimeoutError
    gate.set()
    assert recorded.call[names.ERROR_TYPE] == "APITimeoutError"
    assert recorded.call[names.COST_STATUS] == "unpriced"


def test_timeout_in_a_stream(driver: Driver, provider: Provider, recorded: Recorded) -> None:
    """A stream that falls silent is an estimate of what was said."""
    gate = threading.Event()
    provider.script(Fault(gate=gate, gate_events=3))
    stream = driver.run(driver.client.chat.completions.create(**ASKED, stream=True))
    # Only the stream is short of time: on a busy machine its head may take longer than that to come.
    stream.response.request.extensions["timeout"]["read"] = 0.1
    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
        driver.read(stream)
    gate.set()
    assert recorded.call[names.ERROR_TYPE] == "ReadTimeout"
    assert recorded.call[names.COST_STATUS] == "estimated"


def test_cancelled(provider: Provider, recorded: Recorded) -> None:
    """A cancelled task gets its CancelledError, with its message, and leaves one record."""
    gate = threading.Event()
    provider.script(Fault(gate=gate))

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            task = asyncio.create_task(client.chat.completions.create(**ASKED))
            while not provider.requests:  # noqa: ASYNC110  the stand-in is in another thread
                await asyncio.sleep(0.001)
            task.cancel("enough")
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await task

    asyncio.run(main())
    gate.set()
    call = recorded.call
    assert call[names.ERROR_TYPE] == "CancelledError"
    assert call[names.COST_STATUS] == "unpriced"
    assert len(recorded.spans) == 1


def test_waited_for_too_long(provider: Provider, recorded: Recorded) -> None:
    """`asyncio.timeout` around a call works as without us."""
    gate = threading.Event()
    provider.script(Fault(gate=gate))

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="k", base_url=provider.base_url) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.chat.completions.create(**ASKED)

    asyncio.run(main())
    gate.set()
    assert recorded.call[names.ERROR_TYPE] == "CancelledError"


class Odd(BaseException):
    pass


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), SystemExit(3), Odd("private words"), ValueError("private")])
def test_the_same_object(failure: BaseException, driver: Driver, recorded: Recorded) -> None:
    """Whatever a transport raises goes on as the same object, with the traceback to where it was raised."""

    def answer(_: Any) -> Any:
        raise failure

    kind: Any = httpx.Client if driver.kind == "sync" else httpx.AsyncClient
    client = driver.new(http_client=kind(transport=httpx.MockTransport(answer)))

    async def ask() -> BaseException:
        # An event loop does not hand on an interrupt that passes through it.
        try:
            await client.chat.completions.create(**ASKED)
        except BaseException as error:  # noqa: BLE001
            return error
        raise AssertionError

    raised = (
        caught(driver, lambda: client.chat.completions.create(**ASKED)) if driver.kind == "sync" else driver.run(ask())
    )
    assert raised is failure or raised.__cause__ is failure
    assert recorded.call[names.ERROR_TYPE] == type(raised).__name__
    assert "private" not in str(recorded.call)


def test_arguments_that_are_refused(driver: Driver, recorded: Recorded) -> None:
    """What the SDK itself refuses before it asks anybody leaves nothing."""
    with pytest.raises(TypeError):
        driver.run(driver.client.chat.completions.create(model="gpt-4o"))
    assert recorded.calls == []


def test_answer_that_is_no_json(driver: Driver, recorded: Recorded) -> None:
    """An answer that nobody can read is a record without a usage; the application gets what it gets without us."""

    def answer(_: Any) -> Any:
        return httpx.Response(200, headers={"content-type": "application/json"}, content=b"<html>\xff")

    kind: Any = httpx.Client if driver.kind == "sync" else httpx.AsyncClient
    client = driver.new(http_client=kind(transport=httpx.MockTransport(answer)))
    with_us = caught(driver, lambda: client.chat.completions.create(**ASKED))
    CostsInstrumentor().uninstrument()
    without = caught(driver, lambda: client.chat.completions.create(**ASKED))
    assert type(with_us) is type(without)
    assert str(with_us) == str(without)
    assert recorded.call[names.COST_STATUS] == "unpriced"


def test_look_that_fails(driver: Driver, recorded: Recorded) -> None:
    """A look at something that is not there leaves nothing: it would not have been billed."""
    for resource in (driver.client.responses, driver.client.batches):
        with pytest.raises(openai.NotFoundError):
            driver.run(resource.retrieve("none"))
    assert recorded.calls == []
    assert recorded.spans == []


@pytest.mark.some(24)
@pytest.mark.parametrize(
    ("behind", "status", "error", "is_free"),
    [
        ("openai", 400, {"code": "content_filter"}, True),
        ("azure.ai.openai", 400, {"code": "content_filter"}, False),
        ("azure.ai.openai", 400, {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}, False),
        ("azure.ai.openai", 400, {"code": "context_length_exceeded"}, False),
        ("azure.ai.openai", 400, {"code": "invalid_request_error"}, True),
        ("azure.ai.openai", 429, {"code": "429"}, True),
        *[(behind, status, {"code": "x"}, False) for behind in ("openai", "azure.ai.openai") for status in (408, 504)],
        *[("openai", status, {"code": "server_error"}, True) for status in (500, 502, 503, 529)],
        *[("azure.ai.openai", status, {"code": "x"}, False) for status in (418, 500, 502, 503)],
        *[("gcp.vertex_ai", status, {"code": "x"}, True) for status in (400, 408, 500, 504)],
        *[("groq", status, {"code": "x"}, status == 503) for status in (499, 503, 524)],
    ],
)
def test_an_error_status_is_free_where_that_is_known(
    behind: str,
    status: int,
    error: object,
    is_free: bool,
    driver: Driver,
    provider: Provider,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What may have been processed may be billed: its cost is unknown, not zero."""
    monkeypatch.setenv(names.ENV_PROVIDERS, f"127.0.0.1={behind}")
    provider.script(Fault(status=status, error={"error": error}))
    assert isinstance(caught(driver, lambda: driver.client.chat.completions.create(**ASKED)), openai.APIStatusError)
    call = recorded.call
    wanted = ("priced", "request_refused", "0") if is_free else ("unpriced", "usage_unknown", None)
    assert (call[names.COST_STATUS], call[names.COST_REASON], call.get(names.COST_USD)) == wanted


@pytest.mark.parametrize("status", [400, 408, 429, 500])
@pytest.mark.parametrize("nested", [False, True])
def test_a_usage_in_an_error_is_billed(
    status: int, nested: bool, driver: Driver, provider: Provider, recorded: Recorded
) -> None:
    """Who says what a failed request used bills it."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}
    error: dict[str, Any] = {"code": "content_filter"}
    body = {"error": {**error, "usage": usage}} if nested else {"error": error, "usage": usage}
    provider.script(Fault(status=status, error=body))
    assert isinstance(caught(driver, lambda: driver.client.chat.completions.create(**ASKED)), openai.APIStatusError)
    assert (recorded.call[names.COST_STATUS], recorded.call[names.COST_USD]) == ("priced", "0.0025")
