"""Deepgram, through its own package: transcription, speech, text analysis, and its sockets."""

import importlib
import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from otel_costs import semconv as names
from otel_costs.providers.deepgram import prices
from tests.support.recorded import Recorded
from tests.support.speech.deepgram import HEARD, Deepgram
from tests.support.speech.driver import Driver
from tests.support.speech.promises import Promises, Retries, said


class DeepgramDriver(Driver):
    provider = "deepgram"
    heard = HEARD

    def open(self) -> Any:
        with warnings.catch_warnings():  # of the package itself, about websockets
            warnings.simplefilter("ignore")
            for module in ("listen.v1", "listen.v2", "speak.v1", "speak.v2", "agent.v1"):
                importlib.import_module(f"deepgram.{module}.client")
        from deepgram import AsyncDeepgramClient, DeepgramClient
        from deepgram.environment import DeepgramClientEnvironment

        url = self.service.url
        environment = DeepgramClientEnvironment(
            base=url, production=url.replace("http", "ws"), agent=url.replace("http", "ws"), agent_rest=url
        )
        kind = AsyncDeepgramClient if self.is_async else DeepgramClient
        return kind(api_key="sentinel-key", environment=environment)

    def speak(self, **asked: Any) -> Any:
        return self.client.speak.v1.audio.generate(**{"text": self.text, "model": "aura-2-thalia-en", **asked})

    def listen(self, **asked: Any) -> Any:
        options = {"url": "https://example.com/a.wav", "model": "nova-3", **asked}
        return self.run(self.client.listen.v1.media.transcribe_url(**options))

    def transcribe(self) -> str:
        return str(self.listen().results.channels[0].alternatives[0].transcript)

    @property
    def refusal(self) -> type[Exception]:
        from deepgram.core.api_error import ApiError

        return ApiError

    def shut(self) -> Any:
        client = self.client._client_wrapper.httpx_client.httpx_client
        return client.aclose() if self.is_async else client.close()

    def look(self) -> None:
        self.run(self.client.manage.v1.projects.list())


@pytest.fixture
def service() -> Iterator[Deepgram]:
    with Deepgram() as running:
        yield running
    assert running.errors == []


@pytest.fixture(params=["sync", "async"])
def driver(request: pytest.FixtureRequest, service: Deepgram, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=deepgram")
    driving = DeepgramDriver(request.param, service)
    yield driving
    driving.close()


class TestPromises(Promises, Retries):
    pass


@pytest.mark.parametrize(
    ("asked", "seconds", "usd"),
    [
        ({}, "15.5", "0.001110833333"),  # 15.5 / 60 * 0.0043
        ({"language": "multi"}, "15.5", "0.001343333333"),
        ({"diarize": True}, "15.5", "0.0016275"),
        ({"diarize": False}, "15.5", "0.001110833333"),
        ({"language": "multi", "diarize": True}, "15.5", "0.00186"),
        ({"model": "nova-3-medical"}, "15.5", "0.001110833333"),
        ({"model": "nova-2-phonecall"}, "15.5", "0.001110833333"),
        ({"multichannel": True}, "31", "0.002221666667"),
    ],
)
def test_transcription(asked: Any, seconds: Any, usd: str, driver: DeepgramDriver, recorded: Recorded) -> None:
    """Seconds are billed as Deepgram reports them, of every channel that is transcribed, by model and features."""
    driver.listen(**asked)
    assert said(recorded.call) == {
        "usage.audio_seconds": seconds,
        "usage.input_audio_seconds": seconds,
        "cost.status": "priced",
        "cost.usd": usd,
    }
    assert recorded.call[names.RESPONSE_ID] == "r-1"
    assert recorded.call[names.OPERATION_NAME] == "speech_to_text"


def test_an_upload(driver: DeepgramDriver, recorded: Recorded) -> None:
    """Bytes are sent as they are, whole or in pieces."""
    driver.run(driver.client.listen.v1.media.transcribe_file(request=b"sound", model="nova-3"))
    assert driver.service.asked[-1].body == b"sound"
    assert recorded.call[names.COST_USD] == "0.001110833333"
    assert recorded.call[names.REQUEST_MODEL] == "nova-3"


def test_a_feature_without_a_price(driver: DeepgramDriver, recorded: Recorded) -> None:
    """What costs more by an amount that is not known makes an estimate, and says why."""
    driver.listen(summarize="v2", redact="pii")
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("estimated", "feature_not_priced")


def test_an_option_that_nobody_knows(driver: DeepgramDriver, recorded: Recorded) -> None:
    """It is named, and the cost is a lower bound; one that is switched off is not."""
    more = {"hologram": "true", "teleport": "false"}
    driver.listen(punctuate=True, request_options={"additional_query_parameters": more})
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("partial", "unknown_option")
    assert list(call[names.COST_UNKNOWN]) == ["hologram"]
    assert call[names.COST_USD] == "0.001110833333"


@pytest.mark.parametrize("module", ["v1.media.client:MediaClient.transcribe_url", "v1.client:V1Client.connect",
                                    "v2.client:V2Client.connect"])  # fmt: skip
def test_every_option_of_a_transcription_is_known(module: str) -> None:
    """A release of the package that has another one fails here, until somebody has looked at what it costs."""
    module, _, name = module.partition(":")
    client, _, method = name.partition(".")
    found = getattr(getattr(importlib.import_module(f"deepgram.listen.{module}"), client), method)
    asked = set(inspect.signature(found).parameters) - {"self", "url", "authorization", "request_options"}
    assert asked <= prices._FREE | set(prices._BILLED)


@pytest.mark.parametrize("model", [None, "enhanced-general", "whisper-large"])
def test_a_model_without_a_price(model: Any, driver: DeepgramDriver, recorded: Recorded) -> None:
    """A model whose price is not known has seconds and no cost."""
    driver.listen(model=model)
    call = recorded.call
    assert call[names.COST_STATUS] == "unpriced"
    assert names.COST_USD not in call
    assert call[names.USAGE_PREFIX + "audio_seconds"] == "15.5"
    assert call[names.REQUEST_MODEL] == model or "base-general"


def test_an_answer_by_callback(driver: DeepgramDriver, recorded: Recorded) -> None:
    """What is answered elsewhere is recorded with an unknown cost, not with none."""
    driver.listen(callback="https://example.com/back")
    call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "usage_not_reported")
    assert call[names.RESPONSE_ID] == "r-callback"


def test_speech(driver: DeepgramDriver, recorded: Recorded) -> None:
    """The characters that Deepgram counted are billed, not those that were sent."""
    driver.read(driver.speak(text="Hello there  "))
    call = recorded.call
    assert said(call) == {"usage.input_characters": 11, "cost.status": "priced", "cost.usd": "0.00033"}
    assert call[names.RESPONSE_MODEL] == "aura-2-thalia-en"
    assert call[names.RESPONSE_TIME_TO_FIRST_CHUNK] > 0
    assert recorded.spans[0].name == "text_to_speech aura-2-thalia-en"


def test_speech_that_nobody_counted(
    driver: DeepgramDriver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the header the length of the text is an estimate."""
    answer = driver.service.speak

    def uncounted(asked: Any) -> Any:
        found = answer(asked)
        found.headers = {}
        return found

    monkeypatch.setattr(driver.service, "speak", uncounted)
    driver.read(driver.speak(model="aura-asteria-en"))
    assert said(recorded.call) == {
        "usage.input_characters": 39, "cost.status": "estimated", "cost.reason": "usage_estimated",
        "cost.usd": "0.000585",
    }  # fmt: skip


def test_text_analysis(driver: DeepgramDriver, recorded: Recorded) -> None:
    """The tokens of a text's analysis are recorded; what they cost is not known."""
    driver.run(driver.client.read.v1.text.analyze(request={"text": "Once upon a time"}, summarize="v2"))
    call = recorded.call
    assert call["gen_ai.usage.input_tokens"] == 120
    assert call[names.COST_STATUS] == "unpriced"


@pytest.mark.parametrize(
    ("usage", "status", "unknown"),
    [
        ({"holographic_seconds": 7}, "partial", ["holographic_seconds"]),
        ({"details": {"light": [{"waves": 3}]}}, "partial", ["details.light.waves"]),
        ({"queue_time": 0.2, "holographic_seconds": 0}, "priced", None),
    ],
)
def test_a_usage_that_it_says_one_day_is_accounted_for(
    usage: Any, status: str, unknown: Any, driver: DeepgramDriver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor that bills by its own measures today may say a usage tomorrow: its keys are said as anybody's are."""
    answer = driver.service.listen

    def with_usage(asked: Any) -> Any:
        found = answer(asked)
        found.body["usage"] = usage
        return found

    monkeypatch.setattr(driver.service, "listen", with_usage)
    driver.listen()
    call = recorded.call
    assert (call[names.COST_USD], call[names.COST_STATUS]) == ("0.001110833333", status)
    assert (list(call[names.COST_UNKNOWN]) if unknown else call.get(names.COST_UNKNOWN)) == unknown


@pytest.mark.parametrize("duration", [None, "long", -1, float("1e300")])
def test_a_duration_that_is_none(duration: Any, driver: DeepgramDriver, recorded: Recorded) -> None:
    """Nonsense is flagged, and never billed."""
    driver.service.seconds = duration
    driver.listen()
    call = recorded.call
    assert names.COST_USD not in call
    assert call[names.COST_STATUS] == "unpriced"


def test_a_host_that_nobody_knows(
    driver: DeepgramDriver, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind a proxy the package is known by its name: there is a record without a price, and one warning why."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "other.example=deepgram")
    driver.listen()
    assert recorded.call[names.PROVIDER_NAME] == "unknown"
    assert recorded.call[names.COST_STATUS] == "unpriced"
    assert names.ENV_PROVIDERS in caplog.text
