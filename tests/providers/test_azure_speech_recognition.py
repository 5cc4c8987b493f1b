"""Recognition, transcription and translation through Azure's SDK and its native library, against the stand-in."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.azure_speech import recognition
from tests.support.recorded import Recorded, wait_for_records
from tests.support.speech.azure import AzureSpeech, Phrase
from tests.support.speech.azure_sdk import Heard, Microphone, Pulled, config, sdk, wav

TWO = [Phrase("Hello there.", 0.1, 1.0), Phrase("Goodbye.", 1.3, 0.5)]


@pytest.fixture
def service(recorded: Recorded) -> Iterator[AzureSpeech]:
    """Run the stand-in; a bug of its own fails the test."""
    with AzureSpeech() as running:
        yield running
    assert running.errors == []


def recognizer(service: AzureSpeech, audio: Any, **options: Any) -> Any:
    return sdk.SpeechRecognizer(speech_config=config(service), audio_config=audio, **options)


def said(call: Any) -> dict[str, Any]:
    """Return what a record tells of usage and money."""
    wanted = ("otel_costs.usage.", names.COST_USD, names.COST_STATUS, names.COST_REASON)
    return {name.removeprefix("otel_costs."): value for name, value in call.items() if name.startswith(wanted)}


def estimated(reason: str) -> dict[str, Any]:
    """Return what `said` returns of an estimate, beside the figures."""
    return {"cost.status": "estimated", "cost.reason": f"{reason},usage_estimated"}


def billed(seconds: Any, usd: str, *, whole: int) -> dict[str, Any]:
    """Return what `said` returns of a call whose seconds are known."""
    return {
        "usage.audio_seconds": str(whole),
        "usage.input_audio_seconds": str(seconds),
        "cost.status": "priced",
        "cost.usd": usd,
    }


@pytest.mark.parametrize("way", ["sync", "future", "event"])
def test_once(way: str, service: AzureSpeech, recorded: Recorded) -> None:
    """One utterance is one call, by whichever way its result is taken, and by all of them together."""
    found = recognizer(service, Microphone().say(2.4), language="de-DE")
    heard = Heard(found, "recognized", "session_stopped") if way == "event" else None
    with otel_costs.session("abc-123", user="user-1", scenario="support"), otel_costs.step("listening"):
        if way == "sync":
            assert found.recognize_once().text == "Hello there."
        else:
            future = found.recognize_once_async()
    if heard:
        heard.wait()
        assert heard.texts == ["Hello there."]
    if way != "sync":
        assert future.get().text == future.get().text == "Hello there."
    call = recorded.call
    assert said(call) == billed("2.4", "0.000833333333", whole=3)
    assert call[names.OPERATION_NAME] == "speech_to_text"
    assert call[names.PROVIDER_NAME] == "azure.speech"
    assert call[names.REQUEST_MODEL] == "standard"
    assert call[names.SPEECH_INPUT_LANGUAGE] == "de-DE"
    assert (call[names.SERVER_ADDRESS], call[names.SERVER_PORT]) == ("127.0.0.1", service.port)
    assert (call[names.SESSION_ID], call[names.USER_ID], call[names.STEP]) == ("abc-123", "user-1", "listening")
    assert len(call[names.RESPONSE_ID]) == 32
    (span,) = recorded.spans
    assert span.name == "speech_to_text standard"


def test_event_without_get(service: AzureSpeech, recorded: Recorded) -> None:
    """A future that nobody gets leaves a record all the same."""
    found = recognizer(service, Microphone().say(2.0))
    heard = Heard(found, "recognized", "session_stopped")
    found.recognize_once_async()
    heard.wait()
    assert said(recorded.call) == billed(2, "0.000555555556", whole=2)


def test_each_utterance(service: AzureSpeech, recorded: Recorded) -> None:
    """The SDK sends again what came after an utterance: each call has what was sent for it, as the service counts."""
    service.phrases = TWO
    found = recognizer(service, Microphone().say(4.0))
    results = [found.recognize_once() for _ in range(3)]
    assert [result.reason.name for result in results] == ["RecognizedSpeech", "RecognizedSpeech", "NoMatch"]
    seconds = [float(call["otel_costs.usage.input_audio_seconds"]) for call in recorded.calls]
    assert seconds == [4.0, 2.9, 2.2]
    assert sum(seconds) == pytest.approx(service.audio_bytes / 32_000)
    assert [call["otel_costs.usage.audio_seconds"] for call in recorded.calls] == ["4", "3", "3"]


def test_file(service: AzureSpeech, recorded: Recorded, tmp_path: Path) -> None:
    """A wav file is as long as its header says, though it may be gone before the record is written."""
    path = wav(tmp_path, 2.25)
    found = recognizer(service, sdk.audio.AudioConfig(filename=path))
    assert found.recognize_once().text == "Hello there."
    Path(path).unlink()
    assert said(recorded.call) == billed("2.25", "0.000833333333", whole=3)


def test_pulled(service: AzureSpeech, recorded: Recorded) -> None:
    """Of a stream that the SDK pulls counts what it has read; the application's callback is called as before."""
    callback = Pulled(1.75)
    stream = sdk.audio.PullAudioInputStream(callback)
    found = recognizer(service, sdk.audio.AudioConfig(stream=stream))
    assert found.recognize_once().text == "Hello there."
    assert callback.left == 0
    assert said(recorded.call) == billed("1.75", "0.000555555556", whole=2)


def test_formats(service: AzureSpeech, recorded: Recorded) -> None:
    """Bytes are seconds by the format of the stream: 8 kHz takes half of them."""
    form = sdk.audio.AudioStreamFormat(samples_per_second=8000, bits_per_sample=16, channels=1)
    found = recognizer(service, Microphone(form).say(1.0))
    found.recognize_once()
    assert said(recorded.call) == billed(2, "0.000555555556", whole=2)


@pytest.mark.parametrize("apart", [False, True])
def test_channels(apart: bool, service: AzureSpeech, recorded: Recorded) -> None:
    """Two channels are as long as one, and count twice only where each is recognized for itself."""
    asked = config(service)
    if apart:
        asked.set_property_by_name("SPEECH-EnableMultiChannelProcessing", "true")
    form = sdk.audio.AudioStreamFormat(samples_per_second=16_000, bits_per_sample=16, channels=2)
    found = sdk.SpeechRecognizer(asked, Microphone(form).say(4.0))
    assert found.recognize_once().text == "Hello there."
    expected = billed(2, "0.000555555556", whole=2)
    if apart:
        expected = billed(4, "0.001111111111", whole=4) | estimated("billing_of_channels_not_published")
    assert said(recorded.call) == expected


def test_continuous(service: AzureSpeech, recorded: Recorded) -> None:
    """Continuous recognition is one call, of all the audio that there was until its end."""
    service.phrases = TWO
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    heard = Heard(found, "recognized", "canceled", "session_stopped")
    with otel_costs.session("abc-123"):
        found.start_continuous_recognition()
    microphone.say(2.5)
    heard.wait()
    assert heard.texts == ["Hello there.", "Goodbye."]
    found.stop_continuous_recognition()
    call = recorded.call
    assert said(call) == billed("2.5", "0.000833333333", whole=3)
    assert call[names.SESSION_ID] == "abc-123"
    assert call[names.RESPONSE_ID] == heard.events[0][1].session_id
    assert [message[names.MESSAGE_AUDIO_SECONDS] for message in recorded.messages] == ["1", "0.5"]
    assert service.audio_bytes == 2.5 * 32_000


@pytest.mark.parametrize("way", ["sync", "future", "not awaited", "dropped"])
def test_stopped(way: str, service: AzureSpeech, recorded: Recorded) -> None:
    """A recognition that is stopped is over, though the application listens to phrases alone."""
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    heard = Heard(found, "recognized")
    found.start_continuous_recognition()
    microphone.say(2.0, last=False)
    heard.wait_phrase()
    if way == "sync":
        found.stop_continuous_recognition()
    elif way == "future":
        found.stop_continuous_recognition_async().get()
    elif way == "not awaited":
        found.stop_continuous_recognition_async()
    else:
        del found
    if way in ("sync", "future"):
        assert said(recorded.call) == billed(2, "0.000555555556", whole=2)
    else:
        reason = "stop_not_awaited" if way == "not awaited" else "recognizer_dropped"
        assert said(recorded.call) == billed(2, "0.000555555556", whole=2) | estimated(reason)


def test_started_again(service: AzureSpeech, recorded: Recorded) -> None:
    """A recognizer that is stopped and started makes a call each time, of what it was given meanwhile."""
    service.phrases = [Phrase("One.", 0.0, 1.0), Phrase("Two.", 1.0, 1.0)]
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    for _ in range(2):
        heard = Heard(found, "recognized", "session_stopped")
        found.start_continuous_recognition()
        microphone.say(1.0, last=False)
        heard.wait_phrase()
        found.stop_continuous_recognition()
    assert [call["otel_costs.usage.audio_seconds"] for call in recorded.calls] == ["1", "1"]


def test_more_than_can_be_sent(service: AzureSpeech, recorded: Recorded) -> None:
    """Of an hour that is pushed at once and stopped after a moment, only what can have been sent is counted."""
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    heard = Heard(found, "recognized")
    microphone.stream.write(bytes(32_000 * 3600))
    found.start_continuous_recognition()
    heard.wait_phrase()
    found.stop_continuous_recognition()
    call = recorded.call
    sent = service.audio_bytes / 32_000
    assert sent <= float(call["otel_costs.usage.input_audio_seconds"]) < 3600 / 2
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_REASON] == "audio_sent_not_known,usage_estimated"


def test_compressed(service: AzureSpeech, recorded: Recorded) -> None:
    """The bytes of a compressed stream tell no seconds: what the results tell is an estimate."""
    try:
        form = sdk.audio.AudioStreamFormat(compressed_stream_format=sdk.AudioStreamContainerFormat.MULAW)
        microphone = Microphone(form)
        found = recognizer(service, microphone.config)
        microphone.stream.write(bytes(16_000))
        microphone.stream.close()
        result = found.recognize_once()
    except RuntimeError as error:  # GStreamer is not installed
        pytest.skip(f"no decoder here: {error}"[:100])
    if result.reason.name != "RecognizedSpeech":
        pytest.skip("no decoder here")
    assert recorded.call[names.COST_STATUS] == "estimated"


def test_no_match(service: AzureSpeech, recorded: Recorded) -> None:
    """Silence is billed too, and says nothing."""
    service.phrases = []
    result = recognizer(service, Microphone().say(3.0)).recognize_once()
    assert result.reason.name == "NoMatch"
    assert said(recorded.call) == billed(3, "0.000833333333", whole=3)
    assert recorded.messages == []


@pytest.mark.parametrize("kind", ["ConversationTranscriber", "MeetingTranscriber"])
def test_transcriber(kind: str, service: AzureSpeech, recorded: Recorded) -> None:
    """Transcription of a conversation is a call at a price of its own."""
    if kind == "MeetingTranscriber":
        pytest.skip("reserved for Microsoft's own applications: it needs a meeting on a server of theirs")
    service.phrases = [Phrase("Hello.", 0.1, 0.9, speaker="Guest-1"), Phrase("Hi.", 1.2, 0.4, speaker="Guest-2")]
    microphone = Microphone()
    found = sdk.transcription.ConversationTranscriber(config(service), microphone.config)
    heard = Heard(found, "transcribed", "canceled", "session_stopped")
    found.start_transcribing_async().get()
    microphone.say(2.0)
    heard.wait()
    found.stop_transcribing_async().get()
    assert heard.texts == ["Hello.", "Hi."]
    call = recorded.call
    assert call[names.REQUEST_MODEL] == "conversation-transcription"
    assert said(call) == billed(2, "0.000722222222", whole=2) | {
        "cost.status": "estimated",
        "cost.reason": call[names.COST_REASON],
    }


@pytest.mark.parametrize("way", ["once", "continuous"])
def test_translation(way: str, service: AzureSpeech, recorded: Recorded) -> None:
    """A translation is billed by the hour of audio, at a price of its own."""
    content.configure(content.Capture.EVENT_ONLY)
    service.phrases = [Phrase("Hello.", 0.1, 0.9, translations={"de": "Hallo.", "fr": "Salut."})]
    options: Any = {"speech_recognition_language": "en-US", "target_languages": ["de", "fr"]}
    asked = sdk.translation.SpeechTranslationConfig(endpoint=service.endpoint, subscription="k", **options)
    microphone = Microphone()
    found = sdk.translation.TranslationRecognizer(asked, audio_config=microphone.config)
    if way == "once":
        microphone.say(2.0)
        assert found.recognize_once().translations == {"de": "Hallo.", "fr": "Salut."}
    else:
        heard = Heard(found, "recognized", "canceled", "session_stopped")
        found.start_continuous_recognition()
        microphone.say(2.0)
        heard.wait()
        found.stop_continuous_recognition()
    call = recorded.call
    assert call[names.REQUEST_MODEL] == "translation"
    assert said(call) == billed(2, "0.001388888889", whole=2)
    bodies = [(message[names.MESSAGE_ROLE], message["body"]) for message in recorded.messages]
    assert bodies == [("user", "Hello."), ("assistant", "Hallo."), ("assistant", "Salut.")]


def test_custom_model(service: AzureSpeech, recorded: Recorded) -> None:
    """An endpoint of one's own is asked at the price of custom models, and can be told from others."""
    asked = config(service)
    asked.endpoint_id = "11111111-aaaa"
    sdk.SpeechRecognizer(asked, Microphone().say(2.0)).recognize_once()
    call = recorded.call
    assert (call[names.REQUEST_MODEL], call[names.PRICE_DEPLOYMENT]) == ("custom", "11111111-aaaa")
    assert call[names.COST_USD] == "0.000666666667"


def test_languages_identified_all_the_time(service: AzureSpeech, recorded: Recorded) -> None:
    """Languages that are identified continuously cost more."""
    asked = config(service)
    asked.set_property(sdk.PropertyId.SpeechServiceConnection_LanguageIdMode, "Continuous")
    languages = sdk.languageconfig.AutoDetectSourceLanguageConfig(languages=["en-US", "de-DE"])
    found = sdk.SpeechRecognizer(asked, Microphone().say(2.0), auto_detect_source_language_config=languages)
    found.recognize_once()
    call = recorded.call
    assert call[names.PRICE_MODEL] == "standard/language-identification"
    assert call[names.COST_USD] == "0.000722222222"


def test_region() -> None:
    """A region is a host, and the host of an endpoint is its own."""
    from otel_costs.providers.azure_speech import service as azure

    asked = sdk.SpeechConfig(subscription="k", region="westeurope")
    found = sdk.SpeechRecognizer(asked, Microphone().config)
    assert azure.place_of(found.properties, "stt").address == "westeurope.stt.speech.microsoft.com"
    asked = sdk.SpeechConfig(subscription="k", host="wss://speech.acme.com:8443")
    found = sdk.SpeechRecognizer(asked, Microphone().config)
    place = azure.place_of(found.properties, "stt")
    assert (place.address, place.port) == ("speech.acme.com", 8443)


@pytest.mark.parametrize("captured", [False, True])
def test_content(captured: bool, service: AzureSpeech, recorded: Recorded) -> None:
    """What was heard is recorded only where content is switched on; the cost is the same."""
    if captured:
        content.configure(content.Capture.SPAN_AND_EVENT)
    with otel_costs.session("s"):
        recognizer(service, Microphone().say(2.0)).recognize_once()
    (message,) = recorded.messages
    assert message[names.MESSAGE_ROLE] == "user"
    assert message[names.MESSAGE_TYPE] == "audio"
    assert message[names.MESSAGE_AUDIO_SECONDS] == "1.2"
    assert message["body"] == ("Hello there." if captured else None)
    everything = str(recorded.calls) + str(recorded.messages) + str([span.attributes for span in recorded.spans])
    assert ("Hello there." in everything) is captured
    assert recorded.call[names.COST_USD] == "0.000555555556"
    assert "sentinel-key" not in everything


def test_refused(service: AzureSpeech, recorded: Recorded) -> None:
    """A wrong key costs nothing, and the application is told as before."""
    service.refuses = HTTPStatus.UNAUTHORIZED
    result = recognizer(service, Microphone().say(2.0)).recognize_once()
    assert result.cancellation_details.code.name == "AuthenticationFailure"
    call = recorded.call
    assert call[names.ERROR_TYPE] == "AuthenticationFailure"
    assert said(call) == {"cost.status": "priced", "cost.reason": "request_refused", "cost.usd": "0"}


@pytest.mark.some(1)
@pytest.mark.parametrize("once", [True, False])
def test_connection_lost(once: bool, service: AzureSpeech, recorded: Recorded) -> None:
    """A service that closes the socket for good leaves a record with what is known, and says that it did not end."""
    service.closes_after_s = 0.3
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    if once:
        microphone.say(2.0)
        assert found.recognize_once().reason.name == "Canceled"
    else:
        heard = Heard(found, "canceled", "session_stopped")
        found.start_continuous_recognition()
        microphone.say(2.0)
        heard.wait()
    call = recorded.call
    assert call[names.ERROR_TYPE] == "ServiceError"
    assert call[names.COST_STATUS] == "unpriced"
    assert names.COST_USD not in call


@pytest.mark.long
def test_connection_lost_after_a_phrase(service: AzureSpeech, recorded: Recorded) -> None:
    """What was heard before the connection was lost was sent, and is billed."""
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    heard = Heard(found, "recognized", "canceled", "session_stopped")
    found.start_continuous_recognition()
    microphone.say(2.0, last=False)
    heard.wait_phrase()
    service.refuses = HTTPStatus.SERVICE_UNAVAILABLE
    service.closes_after_s = 0.0
    microphone.say(1.0)
    heard.wait()
    call = recorded.call
    assert call[names.ERROR_TYPE] in ("ConnectionFailure", "ServiceUnavailable")
    assert call[names.COST_STATUS] == "estimated"
    assert call["otel_costs.usage.audio_seconds"] == "3"
    assert call[names.MESSAGE_COUNT] == 1


def test_budget(service: AzureSpeech, recorded: Recorded) -> None:
    """A session that has spent its budget is stopped before anything is sent."""
    with otel_costs.session("abc-123", budget_usd="0.0001"):
        recognizer(service, Microphone().say(2.0)).recognize_once()
        wait_for_records()
        found = recognizer(service, Microphone().say(2.0))
        with pytest.raises(otel_costs.BudgetExceeded):
            found.recognize_once()
        with pytest.raises(otel_costs.BudgetExceeded):
            found.start_continuous_recognition()
    assert service.connections == 1
    assert len(recorded.calls) == 1


def test_not_started(service: AzureSpeech, recorded: Recorded) -> None:
    """What the SDK does not even start ends its call there, and goes on to the application."""
    found = recognizer(service, Microphone().config)
    with pytest.raises(TypeError):
        found.recognize_once_async("surplus")
    wait_for_records()
    assert recorded.call[names.ERROR_TYPE] == "TypeError"
    assert service.connections == 0


def test_offline(service: AzureSpeech, recorded: Recorded) -> None:
    """An embedded model costs nothing: it leaves no record, whatever is spent."""
    found = recognizer(service, Microphone().say(2.0))
    recognition._recognizers[found].is_offline = True  # as of an EmbeddedSpeechConfig, which wants a model on disk
    with otel_costs.session("abc-123", budget_usd=0):
        assert found.recognize_once().text == "Hello there."
    wait_for_records()
    assert recorded.calls == []


def test_uninstrumented(service: AzureSpeech, recorded: Recorded) -> None:
    """Nothing is recorded after we are gone, of objects that were made before either."""
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    CostsInstrumentor().uninstrument()
    microphone.say(2.0)
    assert found.recognize_once().text == "Hello there."
    assert recorded.calls == []


def test_made_before(service: AzureSpeech, recorded: Recorded) -> None:
    """A recognizer that was made before we instrument is recorded by what its results tell."""
    CostsInstrumentor().uninstrument()
    found = recognizer(service, Microphone().say(2.0))
    CostsInstrumentor().instrument(**recorded.providers)
    assert found.recognize_once().text == "Hello there."
    assert said(recorded.call) == billed("1.3", "0.000555555556", whole=2) | estimated("audio_sent_not_known")
