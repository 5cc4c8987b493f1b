"""Google Cloud Speech-to-Text through its own clients, over gRPC, against a stand-in on loopback."""

import asyncio
import importlib
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import speech_v1, speech_v2
from google.cloud.speech_v1.services.speech.client import SpeechClient
from google.cloud.speech_v1.services.speech.transports import SpeechGrpcTransport

import otel_costs
from otel_costs import hosts
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.google_speech import recognition
from tests.support import garbage
from tests.support.recorded import Recorded, instrumented
from tests.support.speech.google import Google
from tests.support.speech.google_clients import Clients

SECONDS = names.usage_attribute("audio_seconds")
CONFIG = {"encoding": "LINEAR16", "sample_rate_hertz": 16000, "language_code": "en-US", "model": "latest_long"}
CONFIG_V2 = {"model": "chirp_2", "language_codes": ["en-US"], "auto_decoding_config": {}}
RECOGNIZER = "projects/p/locations/global/recognizers/_"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=gcp.speech")
    with Google() as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def clients(request: pytest.FixtureRequest, google: Google) -> Iterator[Clients]:
    driving = Clients(request.param, google)
    yield driving
    driving.close()


@pytest.fixture
def client(clients: Clients) -> Any:
    return clients.client("speech_v1", "speech.Speech")


def recognize(client: Any, **options: Any) -> Any:
    return client.recognize(request={"config": {**CONFIG, **options}, "audio": {"content": b"\x00" * 32000}})


def chunks(**options: Any) -> list[Any]:
    """Return a stream of half a second."""
    first = speech_v1.StreamingRecognizeRequest(streaming_config={"config": {**CONFIG, **options}})
    return [first, *(speech_v1.StreamingRecognizeRequest(audio_content=b"\x00" * 3200) for _ in range(5))]


def ask(clients: Clients, client: Any, way: str) -> None:
    """Ask in one of three ways."""
    if way == "unary":
        clients.run(recognize(client))
    elif way == "stream":
        clients.read(clients.stream(_streaming(client), chunks()))
    else:
        clients.run(client.long_running_recognize(request={"config": CONFIG, "audio": {"uri": "gs://b/a"}}))


@pytest.mark.parametrize("package", ["speech_v1", "speech_v1p1beta1"])
def test_seconds_are_those_that_google_bills(
    recorded: Recorded, google: Google, clients: Clients, package: str
) -> None:
    """`total_billed_time` is the quantity; the first API costs 0.024 a minute."""
    answer = clients.run(recognize(clients.client(package, "speech.Speech")))
    assert answer.total_billed_time == timedelta(seconds=16)
    call = recorded.call
    assert (call[SECONDS], call[names.COST_USD], call[names.COST_STATUS]) == ("16", "0.0064", "priced")
    assert (call[names.OPERATION_NAME], call[names.PROVIDER_NAME]) == ("speech_to_text", "gcp.speech")
    assert (call[names.REQUEST_MODEL], call[names.PRICE_MODEL]) == ("latest_long", "v1/latest_long")


@pytest.mark.parametrize("model", ["chirp_2", "chirp_3", "telephony", "long"])
def test_the_second_api_has_a_price_of_its_own(
    recorded: Recorded, google: Google, clients: Clients, model: str
) -> None:
    """`total_billed_duration` at 0.016 a minute, whatever the model is."""
    client = clients.client("speech_v2", "speech.Speech")
    request = speech_v2.RecognizeRequest(recognizer=RECOGNIZER, config={**CONFIG_V2, "model": model}, content=b"x")
    clients.run(client.recognize(request=request))
    call = recorded.call
    assert (call[SECONDS], call[names.COST_USD]) == ("16", "0.004266666667")
    assert (call[names.REQUEST_MODEL], call[names.COST_STATUS]) == (model, "priced")


def test_flattened_arguments(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """A request given in parts is read alike."""
    clients.run(client.recognize(config=speech_v1.RecognitionConfig(CONFIG), audio={"uri": "gs://bucket/a.wav"}))
    assert recorded.call[names.REQUEST_MODEL] == "latest_long"


def test_a_fraction_of_a_second_is_kept(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """What is billed is taken to the microsecond, as it is said."""
    google.billed = timedelta(seconds=1, microseconds=250001)
    clients.run(recognize(client))
    assert recorded.call[SECONDS] == "1.250001"


def test_an_answer_that_bills_nothing_is_estimated(
    recorded: Recorded, google: Google, clients: Clients, client: Any
) -> None:
    """Then the sound that was sent says how long it is, and the record that this is an estimate."""
    google.billed = None
    clients.run(recognize(client))
    call = recorded.call
    assert (call[SECONDS], call[names.COST_STATUS]) == ("1", "estimated")
    assert "billed_time_not_reported" in call[names.COST_REASON]


def test_medical_models_have_no_price(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """They cost more; what, is not known here."""
    clients.run(recognize(client, model="medical_dictation"))
    assert (recorded.call[names.COST_STATUS], recorded.call[SECONDS]) == ("unpriced", "16")


def test_whose_call_it_is(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """Session, user and step are on the record."""
    with otel_costs.session("s-1", user="u-1") as session, otel_costs.step("hearing"):
        clients.run(recognize(client))
    call = recorded.call
    assert (call[names.SESSION_ID], call[names.USER_ID], call[names.STEP]) == ("s-1", "u-1", "hearing")
    assert session.cost_usd == Decimal("0.0064")


def test_content_is_off_by_default(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """No word of what was heard is anywhere."""
    with otel_costs.session("s"):
        clients.run(recognize(client))
        clients.read(clients.stream(_streaming(client), chunks()))
    assert [message[names.MESSAGE_TYPE] for message in recorded.messages] == ["audio", "audio"]
    assert "swordfish" not in repr([recorded.calls, recorded.messages, [span.to_json() for span in recorded.spans]])


def test_content_where_it_is_wanted(google: Google, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The final transcripts are the message, and interim ones are not."""
    monkeypatch.setenv(names.ENV_CAPTURE_CONTENT, "EVENT_ONLY")
    kept = Recorded()
    with instrumented(kept):
        clients.read(clients.stream(_streaming(clients.client("speech_v1", "speech.Speech")), chunks()))
        (message,) = kept.messages
    content.configure(content.Capture.NO_CONTENT)
    assert message["body"] == "swordfish"
    assert (message[names.MESSAGE_ROLE], message[names.MESSAGE_AUDIO_SECONDS]) == ("user", "0.5")


def _streaming(client: Any) -> Any:
    """Return the method of the client without the sync helper's own signature."""
    if isinstance(client, SpeechClient):
        return partial(SpeechClient.streaming_recognize, client)
    return client.streaming_recognize


def test_a_stream_is_billed_by_its_last_answer(
    recorded: Recorded, google: Google, clients: Clients, client: Any
) -> None:
    """The model comes from the first request, and the time from the last answer."""
    answers = clients.read(clients.stream(_streaming(client), chunks()))
    assert len(answers) == 3
    call = recorded.call
    assert (call[SECONDS], call[names.COST_STATUS], call[names.REQUEST_MODEL]) == ("16", "priced", "latest_long")
    assert call[names.RESPONSE_TIME_TO_FIRST_CHUNK] > 0


def test_the_stream_is_the_sdks_own(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """Type and methods are those that it has without us."""
    stream = clients.stream(_streaming(client), chunks())
    assert type(stream).__module__.startswith("google.api_core.grpc_helpers")
    clients.read(stream)
    assert clients.run(stream.code()) == grpc.StatusCode.OK


def test_the_helper_of_the_sync_client(recorded: Recorded, google: Google) -> None:
    """`streaming_recognize(config, requests)` puts the configuration first by itself."""
    clients = Clients("sync", google)
    client = clients.client("speech_v1", "speech.Speech")
    config = speech_v1.StreamingRecognitionConfig(config=CONFIG)
    list(client.streaming_recognize(config, iter(chunks()[1:])))
    clients.close()
    assert (recorded.call[SECONDS], recorded.call[names.REQUEST_MODEL]) == ("16", "latest_long")


def test_streams_of_the_second_api(recorded: Recorded, google: Google, clients: Clients) -> None:
    """Each answer says what was billed so far: the most of it counts, not the sum."""
    client = clients.client("speech_v2", "speech.Speech")
    request = speech_v2.StreamingRecognizeRequest
    asked = [request(recognizer=RECOGNIZER, streaming_config={"config": CONFIG_V2}), request(audio=b"x" * 100)]
    clients.read(clients.stream(client.streaming_recognize, asked))
    assert (recorded.call[SECONDS], recorded.call[names.REQUEST_MODEL]) == ("16", "chirp_2")


def test_reading_and_writing(recorded: Recorded, google: Google) -> None:
    """The async stream's other style is followed too."""
    clients = Clients("async", google)
    client = clients.client("speech_v1", "speech.Speech")

    async def talk() -> int:
        stream = await client.streaming_recognize()
        for request in chunks():
            await stream.write(request)
        await stream.done_writing()
        number = 0
        while await stream.read() is not grpc.aio.EOF:
            number += 1
        return number

    assert clients.run(talk()) == 3
    clients.close()
    assert (recorded.call[SECONDS], recorded.call[names.REQUEST_MODEL]) == ("16", "latest_long")


def test_a_stream_that_is_cancelled(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """One record, with the sound that was sent as an estimate."""
    stream = clients.stream(_streaming(client), chunks())
    clients.read(stream, 1)
    _cancel(clients, stream)
    call = recorded.call
    assert (call[names.ERROR_TYPE], call[names.COST_STATUS], call[SECONDS]) == ("CancelledError", "estimated", "0.5")


def _cancel(clients: Clients, stream: Any) -> None:
    async def cancel() -> None:
        stream.cancel()

    if clients.kind == "sync":
        stream.cancel()
    else:
        clients.run(cancel())


def test_a_stream_that_is_dropped_unread(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """It leaves one record when it is collected."""
    stream = clients.stream(_streaming(client), chunks())
    clients.read(stream, 1)
    _cancel_beneath(clients, stream)
    del stream
    garbage.collect()
    assert recorded.call[SECONDS] == "0.5"


def _cancel_beneath(clients: Clients, stream: Any) -> None:
    """End gRPC's call where nobody sees it, so that nothing of it outlives the test."""
    if clients.kind == "async":

        async def cancel() -> None:
            stream._call.__wrapped__.cancel()

        clients.run(cancel())


def test_a_task_that_is_cancelled(recorded: Recorded, google: Google) -> None:
    """CancelledError goes on, and the record says what is known."""
    clients = Clients("async", google)
    client = clients.client("speech_v1", "speech.Speech")

    async def listen() -> None:
        task = asyncio.create_task(hear())
        await started.wait()
        task.cancel()
        await task

    async def hear() -> None:
        stream = await client.streaming_recognize(requests=held())
        async for _ in stream:
            pass

    async def held() -> Any:
        for request in chunks():
            yield request
        started.set()
        await asyncio.Event().wait()

    started = asyncio.Event()
    with pytest.raises(asyncio.CancelledError):
        clients.run(listen())
    clients.close()
    assert (recorded.call[names.ERROR_TYPE], recorded.call[SECONDS]) == ("CancelledError", "0.5")


def test_a_stream_that_breaks(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """The application sees the SDK's exception; what was heard until then is an estimate of what is billed."""
    google.breaks = grpc.StatusCode.INTERNAL
    with pytest.raises(exceptions.InternalServerError):
        clients.read(clients.stream(_streaming(client), chunks()))
    call = recorded.call
    assert (call[names.ERROR_TYPE], call[SECONDS], call[names.COST_STATUS]) == ("INTERNAL", "0.5", "estimated")


@pytest.mark.parametrize("way", ["unary", "stream"])
def test_a_refused_request_costs_nothing(
    recorded: Recorded, google: Google, clients: Clients, client: Any, way: str
) -> None:
    """The SDK's own exception goes on, and the record is known to cost nothing."""
    google.errors = [grpc.StatusCode.INVALID_ARGUMENT]
    with pytest.raises(exceptions.InvalidArgument):
        ask(clients, client, way)
    call = recorded.call
    assert (call[names.ERROR_TYPE], call[names.COST_USD], call[names.COST_STATUS]) == (
        "INVALID_ARGUMENT",
        "0",
        "priced",
    )


def test_what_is_retried_is_one_call(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """The SDK asks twice; one is billed."""
    google.errors = [grpc.StatusCode.UNAVAILABLE]
    clients.run(recognize(client))
    assert len(google.requests) == 2
    assert recorded.call[names.COST_USD] == "0.0064"


def test_an_operation_is_billed_when_it_is_found_done(
    recorded: Recorded, google: Google, clients: Clients, client: Any
) -> None:
    """Pending until then; both records are one call, which is the starter's, whoever waits for it."""
    with otel_costs.session("s-2", user="u-2") as session:
        request = {"config": CONFIG, "audio": {"uri": "gs://bucket/a.wav"}}
        future = clients.run(client.long_running_recognize(request=request))
    answer = clients.run(future.result(timeout=20))
    clients.run(future.done())
    assert answer.total_billed_time == timedelta(seconds=16)
    started, ended = recorded.calls
    assert started[names.CALL_ID] == ended[names.CALL_ID]
    assert (started[names.COST_STATUS], started[names.COST_REASON]) == ("unpriced", "job_not_ended")
    assert (ended[names.COST_USD], ended[names.COST_STATUS], ended[names.SESSION_ID]) == ("0.0064", "priced", "s-2")
    assert (started[names.CALL_REVISION], ended[names.CALL_REVISION]) == (0, 1)
    assert ended[names.DURATION_S] == 60
    assert session.cost_usd == Decimal("0.0064")
    assert type(future).__module__.startswith("google.api_core.operation")


@pytest.mark.parametrize(("strategy", "cost"), [(None, "0.004266666667"), ("DYNAMIC_BATCHING", "0.0008")])
def test_batches_cost_less_where_they_may_wait(
    recorded: Recorded, google: Google, clients: Clients, strategy: str | None, cost: str
) -> None:
    """A batch has the usual price; dynamic batching has one of its own."""
    client = clients.client("speech_v2", "speech.Speech")
    request = speech_v2.BatchRecognizeRequest(
        recognizer=RECOGNIZER, config=CONFIG_V2, files=[{"uri": "gs://b/a.wav"}], processing_strategy=strategy
    )
    clients.run(clients.run(client.batch_recognize(request=request)).result(timeout=20))
    ended = recorded.calls[-1]
    assert (ended[names.COST_USD], ended[names.COST_STATUS], ended[SECONDS]) == (cost, "priced", "16")
    assert ended.get(names.PRICE_PROCESSING) == (strategy and "batch")


def test_an_operation_that_fails(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """It is recorded with its error, and without a cost."""
    google.fails = True
    future = clients.run(client.long_running_recognize(request={"config": CONFIG, "audio": {"uri": "gs://b/a"}}))
    with pytest.raises(exceptions.GoogleAPICallError):
        clients.run(future.result(timeout=20))
    ended = recorded.calls[-1]
    assert (ended[names.ERROR_TYPE], ended[names.COST_STATUS]) == ("INTERNAL", "unpriced")
    assert ended[names.COST_REASON] == "job_failed"


def test_an_operation_that_is_done_at_once(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """One record, and no pending one."""
    google.polls = 0
    future = clients.run(client.long_running_recognize(request={"config": CONFIG, "audio": {"uri": "gs://b/a"}}))
    clients.run(future.result(timeout=20))
    assert (recorded.call[names.COST_USD], recorded.call[names.CALL_REVISION]) == ("0.0064", 1)


@pytest.mark.parametrize("way", ["unary", "stream", "job"])
def test_a_spent_budget_stops_the_request(
    recorded: Recorded, google: Google, clients: Clients, client: Any, way: str
) -> None:
    """The next call raises before anything is sent."""
    with otel_costs.session("s-3", budget_usd="0.001"):
        clients.run(recognize(client))
        with pytest.raises(otel_costs.BudgetExceeded):
            ask(clients, client, way)
    assert len(google.requests) == 1


@pytest.mark.parametrize("broken", ["answered", "asked", "model", "reading", "start"])
def test_a_bug_of_ours_leaves_the_call_intact(
    google: Google, clients: Clients, client: Any, broken: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The application gets what it would have got, and the bug is one warning."""

    def bug(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(recognition.Recognition, broken, bug)
    with caplog.at_level(logging.WARNING, "otel_costs"), instrumented(Recorded()):
        assert clients.run(recognize(client)).total_billed_time == timedelta(seconds=16)
        assert len(clients.read(clients.stream(_streaming(client), chunks()))) == 3
        future = clients.run(client.long_running_recognize(request={"config": CONFIG, "audio": {"uri": "gs://b/a"}}))
        assert clients.run(future.result(timeout=20)).total_billed_time == timedelta(seconds=16)
    assert len([record for record in caplog.records if "RuntimeError" in record.getMessage()]) >= 1


def test_nothing_of_ours_is_sent(recorded: Recorded, google: Google, clients: Clients, client: Any) -> None:
    """No header of ours goes to Google."""
    clients.run(recognize(client))
    assert not {"traceparent", "baggage"} & set(google.metadata[0])


def test_uninstrument_restores_the_originals() -> None:
    """The clients' methods are their own again, the same objects."""
    for name, method in (("v1", "recognize"), ("v1p1beta1", "streaming_recognize"), ("v2", "batch_recognize")):
        module = importlib.import_module(f"google.cloud.speech_{name}.services.speech")
        for client in (module.SpeechClient, module.SpeechAsyncClient):
            original = vars(client)[method]
            with instrumented(Recorded()):
                assert vars(client)[method] is not original
            assert vars(client)[method] is original


def test_a_host_that_nobody_knows_has_no_prices(
    recorded: Recorded, google: Google, clients: Clients, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emulator bills nothing: it has a price only if somebody says whose."""
    monkeypatch.delenv(names.ENV_PROVIDERS)
    clients.run(recognize(client))
    assert (recorded.call[names.PROVIDER_NAME], recorded.call[names.COST_STATUS]) == ("unknown", "unpriced")


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("speech.googleapis.com", "gcp.speech"),
        ("us-central1-speech.googleapis.com", "gcp.speech"),
        ("speech.us-central1.rep.googleapis.com", "gcp.speech"),
        ("texttospeech.googleapis.com", "gcp.text_to_speech"),
        ("eu-texttospeech.googleapis.com", "gcp.text_to_speech"),
        ("evilspeech.googleapis.com", None),
        ("speech.example.com", None),
    ],
)
def test_hosts(host: str, provider: str | None) -> None:
    """Google is known by its names, those of its regions too."""
    assert hosts.provider_of(host, 443) == provider


def test_the_clients_own_host(recorded: Recorded, google: Google) -> None:
    """Without a word of configuration a client is Google's: by the host that its transport names."""
    transport = SpeechGrpcTransport(channel=grpc.insecure_channel(google.target))
    client = speech_v1.SpeechClient(transport=transport)
    recognize(client)
    transport.close()  # type: ignore[no-untyped-call]
    assert (recorded.call[names.PROVIDER_NAME], recorded.call[names.SERVER_ADDRESS]) == (
        "gcp.speech",
        "speech.googleapis.com",
    )
