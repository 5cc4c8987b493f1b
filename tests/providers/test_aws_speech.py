"""Amazon Polly and Transcribe through boto3 itself, against a stand-in on loopback."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3  # type: ignore[import-untyped, unused-ignore]
import pytest
from botocore.client import BaseClient  # type: ignore[import-untyped, unused-ignore]
from botocore.config import Config  # type: ignore[import-untyped, unused-ignore]
from botocore.exceptions import (  # type: ignore[import-untyped, unused-ignore]
    ClientError,
    EndpointConnectionError,
)

import otel_costs
from otel_costs import hosts
from otel_costs import semconv as names
from otel_costs.calls import call as call_module
from otel_costs.messages import content
from otel_costs.providers.aws_speech import polly as polly_module
from tests.support.recorded import Recorded, instrumented, wait_for_records
from tests.support.speech.aws import SOUND, Aws

TEXT = "The secret password is swordfish."


@pytest.fixture
def aws() -> Iterator[Aws]:
    with Aws() as running:
        yield running


@pytest.fixture(autouse=True)
def _known_host(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stand-in be Polly: what is Transcribe's test says so itself."""
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=aws.polly")


def client(aws: Aws, service: str = "polly", **options: Any) -> Any:
    found = {
        "region_name": "eu-west-1",
        "endpoint_url": aws.url,
        "config": Config(retries={"total_max_attempts": 1}),
        "aws_access_key_id": "AKIASENTINEL",
        "aws_secret_access_key": "secret",
        **options,
    }
    return boto3.client(service, **found)


def speak(polly: Any, **options: Any) -> Any:
    return polly.synthesize_speech(Text=TEXT, VoiceId="Joanna", OutputFormat="mp3", **options)


@pytest.mark.parametrize(
    ("engine", "cost"),
    [
        (None, "0.000048"),
        ("standard", "0.000048"),
        ("neural", "0.000192"),
        ("long-form", "0.0012"),
        ("generative", "0.00036"),
    ],
)
def test_characters_are_those_that_polly_bills(recorded: Recorded, aws: Aws, engine: str | None, cost: str) -> None:
    """The answer's own count is billed, at the price of the engine that spoke: the standard one, if none is named."""
    speak(client(aws), **({"Engine": engine} if engine else {}))
    call = recorded.call
    assert call[names.usage_attribute("input_characters")] == 12
    assert call[names.COST_USD] == cost
    assert call[names.COST_STATUS] == "priced"
    assert call[names.REQUEST_MODEL] == (engine or "standard")
    assert (call[names.OPERATION_NAME], call[names.PROVIDER_NAME]) == ("text_to_speech", "aws.polly")


def test_the_sound_is_untouched(recorded: Recorded, aws: Aws) -> None:
    """What the application streams is what came, and it is read by the application alone."""
    answer = speak(client(aws))
    assert recorded.call[names.DURATION_S] > 0
    assert type(answer["AudioStream"]).__name__ == "StreamingBody"
    assert answer["AudioStream"].read() == SOUND
    assert answer["RequestCharacters"] == 12


def test_an_answer_without_a_count_is_estimated(recorded: Recorded, aws: Aws) -> None:
    """Then the text's own characters are taken, without its markup, and the record says so."""
    aws.characters = None
    client(aws).synthesize_speech(
        Text='<speak>Hi <break time="1s"/>you</speak>', TextType="ssml", VoiceId="Joanna", OutputFormat="mp3"
    )
    assert recorded.call[names.usage_attribute("input_characters")] == len("Hi you")
    assert recorded.call[names.COST_STATUS] == "estimated"


def test_whose_call_it_is(recorded: Recorded, aws: Aws) -> None:
    """Session, user and step are on the record, and the session knows what it cost."""
    with otel_costs.session("s-1", user="u-1") as session, otel_costs.step("greeting"):
        speak(client(aws), Engine="neural")
    call = recorded.call
    assert (call[names.SESSION_ID], call[names.USER_ID], call[names.STEP]) == ("s-1", "u-1", "greeting")
    assert session.cost_usd == Decimal("0.000192")


def test_content_is_off_by_default(recorded: Recorded, aws: Aws) -> None:
    """No text of what was spoken is anywhere; that something was is told."""
    with otel_costs.session("s"):
        speak(client(aws))
    (message,) = recorded.messages
    assert (message["body"], message[names.MESSAGE_TYPE]) == (None, "audio")
    assert "swordfish" not in repr([recorded.calls, recorded.messages, [span.to_json() for span in recorded.spans]])


def test_content_where_it_is_wanted(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text that was spoken is the message's content."""
    monkeypatch.setenv(names.ENV_CAPTURE_CONTENT, "EVENT_ONLY")
    kept = Recorded()
    with instrumented(kept):
        speak(client(aws))
        (message,) = kept.messages
    content.configure(content.Capture.NO_CONTENT)
    assert message["body"] == TEXT


def test_a_refused_request_costs_nothing(recorded: Recorded, aws: Aws) -> None:
    """The application sees botocore's own error, and the ledger a call that is known to cost nothing."""
    aws.errors = [(400, "TextLengthExceededException")]
    polly = client(aws)
    with pytest.raises(polly.exceptions.TextLengthExceededException):
        speak(polly)
    call = recorded.call
    assert (call[names.ERROR_TYPE], call[names.COST_USD]) == ("TextLengthExceededException", "0")


def test_a_service_that_is_not_reached_leaves_a_record(recorded: Recorded, aws: Aws) -> None:
    """Nobody knows what a request costs that got no answer."""
    polly = client(aws, endpoint_url="http://127.0.0.1:1")
    with pytest.raises(EndpointConnectionError):
        speak(polly)
    call = recorded.call
    assert (call[names.ERROR_TYPE], call[names.COST_STATUS]) == ("EndpointConnectionError", "unpriced")


def test_what_is_retried_is_one_call(recorded: Recorded, aws: Aws) -> None:
    """Two throttled attempts and a good one are billed once."""
    aws.errors = [(400, "ThrottlingException"), (503, "ServiceFailureException")]
    polly = client(aws, config=Config(retries={"total_max_attempts": 4}))
    speak(polly)
    assert len(aws.paths) == 3
    assert recorded.call[names.COST_USD] == "0.000048"


def test_a_spent_budget_stops_the_request(recorded: Recorded, aws: Aws) -> None:
    """The next call raises before anything is sent."""
    polly = client(aws)
    with otel_costs.session("s-2", budget_usd="0.00004"):
        speak(polly)
        with pytest.raises(otel_costs.BudgetExceeded):
            speak(polly)
    assert len(aws.paths) == 1


def test_a_bug_of_ours_leaves_the_call_intact(
    recorded: Recorded, aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The application gets its sound; the record says that the answer was not read."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(polly_module, "_usage", broken)
    with caplog.at_level(logging.WARNING, "otel_costs"):
        assert speak(client(aws))["AudioStream"].read() == SOUND
        call = recorded.call
    assert (call[names.COST_STATUS], call[names.COST_REASON]) == ("unpriced", "response_not_read")
    assert [record.message for record in caplog.records if "a bug" in record.message] == []


def test_a_bug_at_the_start_leaves_the_call_intact(
    recorded: Recorded, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then there is no record, and nothing else is lost."""
    monkeypatch.setattr(call_module.Call, "__init__", lambda *_, **__: 1 / 0)
    assert speak(client(aws))["AudioStream"].read() == SOUND
    assert recorded.calls == []


def test_other_services_and_operations_are_left_alone(recorded: Recorded, aws: Aws) -> None:
    """What is not billed by its sound or text leaves no record."""
    client(aws).describe_voices()
    client(aws, "transcribe").list_transcription_jobs()
    aws.errors = [(400, "AccessDenied")]
    with pytest.raises(ClientError):
        client(aws, "translate").list_languages()
    assert (recorded.calls, recorded.spans) == ([], [])


def test_nothing_of_ours_is_sent(recorded: Recorded, aws: Aws) -> None:
    """The request is the application's own, header by header."""
    speak(client(aws))
    assert not [name for headers in aws.headers for name in headers if name.lower() in ("traceparent", "baggage")]


def test_uninstrument_restores_the_original() -> None:
    """botocore's method is its own again, the same object."""
    original = vars(BaseClient)["_make_api_call"]
    with instrumented(Recorded()):
        assert vars(BaseClient)["_make_api_call"] is not original
    assert vars(BaseClient)["_make_api_call"] is original


def test_a_host_that_nobody_knows_has_no_prices(recorded: Recorded, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator bills nothing: it has a price only if somebody says whose."""
    monkeypatch.delenv(names.ENV_PROVIDERS)
    speak(client(aws))
    assert (recorded.call[names.PROVIDER_NAME], recorded.call[names.COST_STATUS]) == ("unknown", "unpriced")


def start_task(polly: Any) -> Any:
    return polly.start_speech_synthesis_task(
        Text=TEXT, VoiceId="Joanna", OutputFormat="mp3", OutputS3BucketName="bucket", Engine="neural"
    )["SynthesisTask"]


def test_a_task_is_billed_once(recorded: Recorded, aws: Aws) -> None:
    """Its start says what it will cost, its end that it does; both are one call, and it is the starter's."""
    polly = client(aws)
    with otel_costs.session("s-3", user="u-3") as session:
        task_id = start_task(polly)["TaskId"]
    polly.get_speech_synthesis_task(TaskId=task_id)
    aws.task["TaskStatus"] = "completed"
    for _ in range(2):
        polly.get_speech_synthesis_task(TaskId=task_id)
    polly.list_speech_synthesis_tasks(MaxResults=5)
    started, ended = recorded.calls
    assert started[names.CALL_ID] == ended[names.CALL_ID]
    assert (started[names.CALL_REVISION], ended[names.CALL_REVISION]) == (0, 1)
    assert (started[names.COST_STATUS], started[names.COST_REASON]) == ("estimated", "job_not_ended")
    assert (ended[names.COST_STATUS], ended[names.COST_USD]) == ("priced", "0.004976")
    assert (ended[names.SESSION_ID], ended[names.USER_ID]) == ("s-3", "u-3")
    assert session.cost_usd == Decimal("0.004976")
    assert started["timestamp"] == ended["timestamp"]


def test_a_task_that_failed_costs_nothing(recorded: Recorded, aws: Aws) -> None:
    """Its last record takes back what its first one expected."""
    polly = client(aws)
    task_id = start_task(polly)["TaskId"]
    aws.task["TaskStatus"] = "failed"
    polly.get_speech_synthesis_task(TaskId=task_id)
    assert [call[names.COST_USD] for call in recorded.calls] == ["0.004976", "0"]


@pytest.fixture
def transcribe(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(names.ENV_PROVIDERS, "127.0.0.1=aws.transcribe")
    return client(aws, "transcribe")


def start_job(transcribe: Any) -> None:
    transcribe.start_transcription_job(
        TranscriptionJobName="call-7", LanguageCode="en-US", Media={"MediaFileUri": "s3://bucket/call-7.wav"}
    )


def test_a_job_has_no_duration_and_says_so(recorded: Recorded, aws: Aws, transcribe: Any) -> None:
    """It is pending until somebody finds it completed, and even then its cost is not known: NULL, never zero."""
    start_job(transcribe)
    transcribe.get_transcription_job(TranscriptionJobName="call-7")
    aws.job["TranscriptionJobStatus"] = "COMPLETED"
    for _ in range(2):
        transcribe.get_transcription_job(TranscriptionJobName="call-7")
    started, ended = recorded.calls
    assert started[names.CALL_ID] == ended[names.CALL_ID]
    assert [call[names.COST_REASON] for call in (started, ended)] == ["job_not_ended", "duration_not_reported"]
    assert [call[names.COST_STATUS] for call in (started, ended)] == ["unpriced", "unpriced"]
    assert names.COST_USD not in ended
    assert ended[names.PROVIDER_NAME] == "aws.transcribe"


def test_a_job_that_names_its_languages_is_estimated(recorded: Recorded, aws: Aws, transcribe: Any) -> None:
    """How long each language was adds up to the audio; each second that was begun is billed."""
    start_job(transcribe)
    aws.job |= {
        "TranscriptionJobStatus": "COMPLETED",
        "LanguageCodes": [
            {"LanguageCode": "en-US", "DurationInSeconds": 40.25},
            {"LanguageCode": "fr-FR", "DurationInSeconds": 20.5},
        ],
    }
    transcribe.get_transcription_job(TranscriptionJobName="call-7")
    ended = recorded.calls[-1]
    assert ended[names.usage_attribute("audio_seconds")] == "61"
    assert ended[names.usage_attribute("input_audio_seconds")] == "60.75"
    assert (ended[names.COST_STATUS], ended[names.COST_USD]) == ("estimated", "0.0061")


def test_a_job_that_failed(recorded: Recorded, aws: Aws, transcribe: Any) -> None:
    """It is recorded with its error, and without a cost."""
    start_job(transcribe)
    aws.job["TranscriptionJobStatus"] = "FAILED"
    transcribe.get_transcription_job(TranscriptionJobName="call-7")
    ended = recorded.calls[-1]
    assert (ended[names.ERROR_TYPE], ended[names.COST_STATUS]) == ("failed", "unpriced")


def test_a_name_that_is_used_again_is_another_job(recorded: Recorded, aws: Aws, transcribe: Any) -> None:
    """Names are free again when a job is deleted; the time of its creation tells two apart."""
    start_job(transcribe)
    aws.job["CreationTime"] += 3600
    start_job(transcribe)
    one, other = recorded.calls
    assert one[names.CALL_ID] != other[names.CALL_ID]


def test_what_costs_more_is_said(recorded: Recorded, aws: Aws, transcribe: Any) -> None:
    """Redaction is not in the price."""
    start_job(transcribe)
    aws.job |= {
        "TranscriptionJobStatus": "COMPLETED",
        "ContentRedaction": {"RedactionType": "PII", "RedactionOutput": "redacted"},
        "LanguageCodes": [{"LanguageCode": "en-US", "DurationInSeconds": 60.0}],
    }
    transcribe.get_transcription_job(TranscriptionJobName="call-7")
    assert "add_on_not_priced" in recorded.calls[-1][names.COST_REASON]


def test_a_package_that_is_not_there_costs_nothing() -> None:
    """Instrumenting imports nothing of AWS."""
    source = (
        "import sys; from otel_costs import CostsInstrumentor; CostsInstrumentor().instrument();"
        "print([name for name in sys.modules if name.startswith(('boto', 'amazon', 'awscrt', 'google.cloud',"
        " 'otel_costs.providers.aws_speech', 'otel_costs.providers.google_speech'))])"
    )
    found = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_call_is_written_elsewhere(recorded: Recorded, aws: Aws) -> None:
    """What is expensive is done in the background."""
    speak(client(aws))
    wait_for_records()


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("polly.us-east-1.amazonaws.com", "aws.polly"),
        ("polly-fips.us-east-1.amazonaws.com", "aws.polly"),
        ("vpce-1.polly.eu-west-1.vpce.amazonaws.com", "aws.polly"),
        ("polly.us-east-1.api.aws", "aws.polly"),
        ("transcribe.eu-west-1.amazonaws.com", "aws.transcribe"),
        ("fips.transcribe.us-east-1.amazonaws.com", "aws.transcribe"),
        ("transcribestreaming.cn-north-1.amazonaws.com.cn", "aws.transcribe"),
        ("polly.example.com", None),
        ("notpolly.us-east-1.amazonaws.com", None),
    ],
)
def test_hosts(host: str, provider: str | None) -> None:
    """AWS is known by its names: those of every region, and of private endpoints."""
    assert hosts.provider_of(host, 443) == provider
