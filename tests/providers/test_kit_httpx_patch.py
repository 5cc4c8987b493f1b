"""Requests over httpx: only those of vendors whose package is there are looked at, and at no cost until then."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import openai
import pytest

import otel_costs
from otel_costs import semconv as names
from otel_costs.providers.kit import httpx_patch
from tests.support.recorded import Recorded
from tests.support.speech.assemblyai import AssemblyAI
from tests.support.speech.deepgram import Deepgram

VENDORS = ("assemblyai", "cartesia", "deepgram", "elevenlabs")

ABSENT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {vendors!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from otel_costs import CostsInstrumentor
CostsInstrumentor().instrument()
print(*(name for name in sys.modules if "vendor" in name or name.partition(".")[0] in ("httpx", "websockets")
        or name.startswith("otel_costs.providers.") and name.rpartition(".")[2] in {vendors!r}))
CostsInstrumentor().uninstrument()
"""


@pytest.mark.long
def test_a_package_that_is_not_there() -> None:
    """A vendor whose package is not installed costs nothing: neither it nor what we have for it is imported."""
    source = ABSENT.format(vendors=VENDORS)
    found = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
    assert "Traceback" not in found.stderr


@pytest.mark.some(1)
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_package_that_is_imported(vendor: str) -> None:
    """It is its import that patches, whichever comes first; nothing is said of it."""
    source = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from otel_costs import CostsInstrumentor, providers\n"
        "import importlib\n"
        f"module = next(p.patched[0] for p in providers.PROVIDERS if p.module.endswith('.{vendor}'))\n"
        "CostsInstrumentor().instrument()\n"
        "importlib.import_module(module)\n"
        "import httpx\n"
        "from otel_costs.providers.kit import httpx_patch\n"
        "print(hasattr(httpx.Client.send, '__wrapped__'), *httpx_patch._vendors)\n"
    )
    found = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", vendor]
    assert "could not patch" not in found.stderr
    assert "is not there" not in found.stderr


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deepgram]:
    import deepgram.core.http_client  # noqa: F401  # what we wait for

    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=deepgram")
    with Deepgram() as running:
        yield running
    assert running.errors == []


def ask(service: Deepgram) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/listen?model=nova-3", json={"url": "https://example.com/a.wav"})


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_without_the_package(library: Any, service: Deepgram, recorded: Recorded) -> None:
    """Who asks a vendor by himself, with httpx or httpx2, is recorded as well, in the process that has the package."""
    asked = {"url": "https://example.com/a.wav"}
    answer = library.post(f"{service.url}/v1/listen?model=nova-3", json=asked)
    assert answer.json()["metadata"]["duration"] == 15.5
    assert recorded.call[names.COST_USD] == "0.001110833333"


@pytest.mark.parametrize("stream", [False, True])
def test_openais_client(stream: bool, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenAI's own client asks a vendor's host is recorded once, as what that client asks."""
    import assemblyai.client  # noqa: F401

    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=assemblyai")
    with AssemblyAI() as service, openai.OpenAI(base_url=f"{service.url}/v1", api_key="k") as client:
        answer = client.chat.completions.create(
            model="gpt-4.1", messages=[{"role": "user", "content": "Hello"}], stream=stream
        )
        if stream:
            list(answer)
    assert recorded.call[names.PROVIDER_NAME] == "assemblyai"
    assert len(recorded.spans) == 1


@pytest.mark.parametrize("provider", ["openai", "acme", ""])
def test_requests_to_others(
    provider: str, service: Deepgram, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same request to somebody else is none of ours."""
    monkeypatch.setenv(names.ENV_PROVIDERS, f"127.0.0.1={provider}" if provider else "")
    assert ask(service).status_code == 200
    assert (recorded.calls, recorded.spans) == ([], [])


def test_the_span_is_sent_and_our_baggage_is_not(service: Deepgram, recorded: Recorded) -> None:
    """What is done while a request is sent belongs to its span, and afterwards to what it belonged to before."""
    from opentelemetry import trace

    seen = []

    def see(_: httpx.Request) -> None:
        seen.append(trace.get_current_span().get_span_context().span_id)

    with otel_costs.session("s"), httpx.Client(event_hooks={"request": [see]}) as client:
        client.post(f"{service.url}/v1/listen?model=nova-3", json={"url": "https://example.com/a.wav"})
        after = trace.get_current_span().get_span_context().span_id
    (span,) = recorded.spans
    assert span.context is not None
    assert seen == [span.context.span_id]
    assert after == 0


def test_a_budget_stops_what_is_sent(service: Deepgram, recorded: Recorded) -> None:
    """Where no package stands between, the budget is looked at before it is sent, too."""
    with otel_costs.session("s", budget_usd="0.0001"):
        otel_costs.record("chat", provider="acme", model="m", usage={"requests": 1}, cost_usd="1")
        with pytest.raises(otel_costs.BudgetExceeded):
            ask(service)
    assert service.asked == []


def test_a_connection_that_is_refused(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that nobody answers is recorded with an unknown cost, and its error."""
    with Deepgram() as gone:
        monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=deepgram")
    with pytest.raises(httpx.ConnectError):
        ask(gone)
    call = recorded.call
    assert call[names.ERROR_TYPE] == "ConnectError"
    assert call[names.COST_STATUS] == "unpriced"


def test_one_patch_for_all(service: Deepgram, recorded: Recorded) -> None:
    """However many vendors there are, a request passes one wrapper of ours."""
    import cartesia._base_client  # noqa: F401
    import elevenlabs.core.http_client  # noqa: F401

    assert len(httpx_patch._vendors) >= 3
    assert not hasattr(httpx.Client.send.__wrapped__, "__wrapped__")  # type: ignore[attr-defined]
    ask(service)
    assert len(recorded.calls) == 1


class Tried(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A service that is busy at first."""

    def __init__(self) -> None:
        self.answers = [httpx.Response(429, json={}, headers={"retry-after-ms": "1"})]

    def handle_request(self, _: httpx.Request) -> httpx.Response:
        sound = httpx.Response(200, content=b"\0" * 100, headers={"content-type": "audio/wav"})
        return self.answers.pop() if self.answers else sound

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


SPEECH: Any = {
    "model_id": "sonic-2",
    "transcript": "hello",
    "voice": {"mode": "id", "id": "x"},
    "output_format": {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 44100},
}
ELSEWHERE = (
    "https://alerts.example.com/x",  # nobody's
    "https://api.cartesia.ai/infill/bytes",  # the vendor's, and another call
    "https://api.elevenlabs.io/v1/text-to-speech/v?output_format=mp3_44100_128",
)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_what_a_hook_sends_between_two_attempts(elsewhere: str, recorded: Recorded) -> None:
    """It is a request of its own; the attempts are one call, which the last of them decides."""
    import cartesia
    import elevenlabs.core.http_client  # noqa: F401  # so that it is known, too

    class Alerting(httpx.Client):
        def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            answer = super().send(request, **options)
            if answer.status_code == 429:
                httpx.Client(transport=Tried()).post(elsewhere, json={"text": "busy", "model_id": "m"})
            return answer

    client = cartesia.Cartesia(api_key="k", http_client=Alerting(transport=Tried()))
    client.tts.generate(**SPEECH).read()
    called = [(call.get("error.type"), call["gen_ai.operation.name"]) for call in recorded.calls]
    assert (None, "text_to_speech") in called
    assert len([call for call in recorded.calls if call.get("error.type") is None]) == 1
    assert len(called) == (1 if "example" in elsewhere else 2)


def test_what_a_task_sends_between_two_attempts(recorded: Recorded) -> None:
    """A task has the context of who began it, and is not a part of its request: also where it asks for the same."""
    import cartesia

    tasks: list[asyncio.Task[None]] = []

    async def same() -> None:
        with otel_costs.session("other", user="bob"):
            client = cartesia.AsyncCartesia(api_key="k", http_client=httpx.AsyncClient(transport=Tried()))
            await (await client.tts.generate(**SPEECH)).read()

    class Alerting(httpx.AsyncClient):
        async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            answer = await super().send(request, **options)
            if answer.status_code == 429:
                tasks.append(asyncio.create_task(same()))
                await asyncio.sleep(0)
            return answer

    async def main() -> None:
        with otel_costs.session("mine", user="alice"):
            client = cartesia.AsyncCartesia(api_key="k", http_client=Alerting(transport=Tried()))
            await (await client.tts.generate(**SPEECH)).read()
        await asyncio.gather(*tasks)

    asyncio.run(main())
    assert sorted(str(call[names.USER_ID]) for call in recorded.calls) == ["alice", "bob"]
    assert {call.get("error.type") for call in recorded.calls} == {None}
