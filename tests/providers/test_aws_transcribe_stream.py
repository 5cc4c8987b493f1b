"""Amazon Transcribe's streams through amazon-transcribe itself, over HTTP/2, against a stand-in on loopback."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from amazon_transcribe.auth import StaticCredentialResolver
from amazon_transcribe.client import TranscribeStreamingClient
from amazon_transcribe.endpoints import StaticEndpointResolver
from amazon_transcribe.eventstream import BaseStream
from amazon_transcribe.exceptions import BadRequestException, InternalFailureException
from amazon_transcribe.handlers import TranscriptResultStreamHandler
from awscrt import io  # type: ignore[import-untyped, unused-ignore]

import otel_costs
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.aws_speech import transcribe_stream
from tests.support import garbage
from tests.support.recorded import Recorded, instrumented
from tests.support.speech.aws_streams import PCM_SECOND, AwsStreams

BILLED = names.usage_attribute("audio_seconds")
HEARD = names.usage_attribute("input_audio_seconds")
PCM: Any = {"language_code": "en-US", "media_sample_rate_hz": 16000, "media_encoding": "pcm"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStreams]:
    monkeypatch.setenv(names.ENV_PROVIDERS, "localhost=aws.transcribe")
    with AwsStreams() as running:
        yield running


def client(aws: AwsStreams) -> Any:
    made = TranscribeStreamingClient(
        region="eu-west-1",
        endpoint_resolver=StaticEndpointResolver(aws.url),  # type: ignore[no-untyped-call]
        credential_resolver=StaticCredentialResolver("AKIASENTINEL", "secret"),
    )
    trust = io.TlsContextOptions()
    trust.override_default_trust_store(aws.ca_pem)
    made._session_manager._tls_ctx = io.ClientTlsContext(trust)
    return made


def run(talk: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(talk())


async def transcribe(aws: AwsStreams, seconds: float = 2.5, **options: Any) -> list[Any]:
    """Send some seconds of sound, and return what was heard of them."""
    stream = await client(aws).start_stream_transcription(**{**PCM, **options})
    await send(stream, seconds)
    return [event async for event in stream.output_stream]


async def send(stream: Any, seconds: float) -> None:
    for _ in range(int(seconds * 10)):
        await stream.input_stream.send_audio_event(audio_chunk=b"\x00" * (PCM_SECOND // 10))
    await stream.input_stream.end_stream()


def test_seconds_are_those_that_were_sent(recorded: Recorded, aws: AwsStreams) -> None:
    """Each second that was begun is billed, and what was heard stands beside; it is an estimate."""
    events = run(lambda: transcribe(aws, 20.3))
    assert [event.transcript.results[0].alternatives[0].transcript for event in events] == ["sword", "swordfish"]
    call = recorded.call
    assert (call[BILLED], call[HEARD]) == ("21", "20.3")
    assert (call[names.COST_STATUS], call[names.COST_USD]) == ("estimated", "0.0035")
    assert (call[names.PROVIDER_NAME], call[names.OPERATION_NAME]) == ("aws.transcribe", "speech_to_text")
    assert (call[names.RESPONSE_ID], call[names.REQUEST_MODEL]) == ("s-77", "standard")


def test_fifteen_seconds_are_billed_at_least(recorded: Recorded, aws: AwsStreams) -> None:
    """The least is in the price; the quantity is what was sent."""
    run(lambda: transcribe(aws, 2.5))
    assert (recorded.call[BILLED], recorded.call[names.COST_USD]) == ("3", "0.0025")


def test_channels_are_billed_as_one(recorded: Recorded, aws: AwsStreams) -> None:
    """Two channels in the same bytes are half as long."""
    run(lambda: transcribe(aws, 40, enable_channel_identification=True, number_of_channels=2))
    assert recorded.call[BILLED] == "20"


def test_other_formats_are_as_long_as_their_last_result(recorded: Recorded, aws: AwsStreams) -> None:
    """Their bytes do not say how long they are."""
    run(lambda: transcribe(aws, 17.5, media_encoding="ogg-opus"))
    assert (recorded.call[BILLED], recorded.call[HEARD]) == ("18", "17.5")


def test_what_costs_more_is_said(recorded: Recorded, aws: AwsStreams) -> None:
    """Redaction is not in the price."""
    run(lambda: transcribe(aws, 1, content_redaction_type="PII"))
    assert "add_on_not_priced" in recorded.call[names.COST_REASON]


def test_whose_call_it_is(recorded: Recorded, aws: AwsStreams) -> None:
    """Session, user and step are on the record."""
    with otel_costs.session("s-1", user="u-1"), otel_costs.step("hearing"):
        run(lambda: transcribe(aws, 1))
    call = recorded.call
    assert (call[names.SESSION_ID], call[names.USER_ID], call[names.STEP]) == ("s-1", "u-1", "hearing")


def test_content_is_off_by_default(recorded: Recorded, aws: AwsStreams) -> None:
    """No word of what was heard is anywhere."""
    with otel_costs.session("s"):
        run(lambda: transcribe(aws, 1))
    (message,) = recorded.messages
    assert (message["body"], message[names.MESSAGE_TYPE]) == (None, "audio")
    assert "swordfish" not in repr([recorded.calls, recorded.messages, [span.to_json() for span in recorded.spans]])


def test_content_where_it_is_wanted(aws: AwsStreams, monkeypatch: pytest.MonkeyPatch) -> None:
    """The final results are the message, and partial ones are not."""
    monkeypatch.setenv(names.ENV_CAPTURE_CONTENT, "EVENT_ONLY")
    kept = Recorded()
    with instrumented(kept):
        run(lambda: transcribe(aws, 1))
        (message,) = kept.messages
    content.configure(content.Capture.NO_CONTENT)
    assert message["body"] == "swordfish"


def test_the_sdks_handler(recorded: Recorded, aws: AwsStreams) -> None:
    """Its usual way, a handler beside a sender, is followed too."""
    found: list[Any] = []

    class Handler(TranscriptResultStreamHandler):
        async def handle_transcript_event(self, transcript_event: Any) -> None:
            found.append(transcript_event)

    async def talk() -> None:
        stream = await client(aws).start_stream_transcription(**PCM)
        handler: Any = Handler(stream.output_stream)
        await asyncio.gather(send(stream, 3), handler.handle_events())

    run(talk)
    assert (len(found), recorded.call[BILLED]) == (2, "3")


def test_a_refused_stream_costs_nothing(recorded: Recorded, aws: AwsStreams) -> None:
    """The SDK's own exception goes on."""
    aws.refuses = "BadRequestException"
    with pytest.raises(BadRequestException):
        run(lambda: transcribe(aws))
    assert (recorded.call[names.ERROR_TYPE], recorded.call[names.COST_USD]) == ("BadRequestException", "0")


def test_a_stream_that_breaks(recorded: Recorded, aws: AwsStreams) -> None:
    """What was sent until then is an estimate of what is billed."""
    aws.breaks = "InternalFailureException"
    with pytest.raises(InternalFailureException):
        run(lambda: transcribe(aws, 20))
    assert (recorded.call[names.ERROR_TYPE], recorded.call[BILLED]) == ("InternalFailureException", "20")


def test_a_connection_that_is_cut(recorded: Recorded, aws: AwsStreams) -> None:
    """The SDK takes it for an end; one record is left."""
    aws.cuts = True
    run(lambda: transcribe(aws, 20))
    assert recorded.call[BILLED] == "20"


def test_a_task_that_is_cancelled(recorded: Recorded, aws: AwsStreams) -> None:
    """CancelledError goes on, and the record says what is known."""

    async def talk() -> None:
        stream = await client(aws).start_stream_transcription(**PCM)
        await stream.input_stream.send_audio_event(audio_chunk=b"\x00" * PCM_SECOND)
        task = asyncio.create_task(hear(stream))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        finally:
            await stream.input_stream.end_stream()

    async def hear(stream: Any) -> None:
        async for _ in stream.output_stream:
            pass

    with pytest.raises(asyncio.CancelledError):
        run(talk)
    assert (recorded.call[names.ERROR_TYPE], recorded.call[BILLED]) == ("CancelledError", "1")


def test_a_stream_that_is_dropped_unread(recorded: Recorded, aws: AwsStreams) -> None:
    """It leaves one record when it is collected."""

    async def talk() -> None:
        stream = await client(aws).start_stream_transcription(**PCM)
        await send(stream, 2)

    run(talk)
    garbage.collect()
    assert recorded.call[BILLED] == "2"


def test_a_stream_that_is_left_and_read_on(recorded: Recorded, aws: AwsStreams) -> None:
    """Leaving a loop is no end: the SDK lets the application go on."""

    async def talk() -> int:
        stream = await client(aws).start_stream_transcription(**PCM)
        await send(stream, 2)
        async for _ in stream.output_stream:
            break
        return len([event async for event in stream.output_stream])

    assert run(talk) == 1
    assert recorded.call[BILLED] == "2"


def test_a_spent_budget_stops_the_stream(recorded: Recorded, aws: AwsStreams) -> None:
    """The next stream raises before anything is sent."""
    with otel_costs.session("s-2", budget_usd="0.001"):
        run(lambda: transcribe(aws, 1))
        with pytest.raises(otel_costs.BudgetExceeded):
            run(lambda: transcribe(aws, 1))
    assert len(aws.headers) == 1


@pytest.mark.parametrize("broken", ["start", "feed", "sent", "_reading", "asked"])
def test_a_bug_of_ours_leaves_the_stream_intact(
    aws: AwsStreams, broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The application hears what it would have heard, and the bug is one warning."""

    def bug(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(transcribe_stream.Transcription, broken, bug)
    with caplog.at_level(logging.WARNING, "otel_costs"), instrumented(Recorded()):
        assert len(run(lambda: transcribe(aws, 1))) == 2
    assert len([record for record in caplog.records if "RuntimeError" in record.getMessage()]) == 1


def test_uninstrument_restores_the_originals() -> None:
    """The SDK's methods are its own again, the same objects."""
    for owner, name in ((TranscribeStreamingClient, "start_stream_transcription"), (BaseStream, "send_event")):
        original = vars(owner)[name]
        with instrumented(Recorded()):
            assert vars(owner)[name] is not original
        assert vars(owner)[name] is original
