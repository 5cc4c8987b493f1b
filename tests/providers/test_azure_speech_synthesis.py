"""Speech synthesis through Azure's SDK and its native library, against the stand-in."""

import threading
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import otel_costs
from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.messages import content
from otel_costs.providers.azure_speech import synthesis_input
from otel_costs.providers.azure_speech.synthesis import Synthesis, SynthesizerState
from tests.support import garbage
from tests.support.recorded import Recorded, wait_for_records
from tests.support.speech.azure import AzureSpeech
from tests.support.speech.azure_sdk import Heard, config, sdk

TEXT = "Good morning! How may I help you today?"
COST = "0.000585"
"""Of TEXT with a neural voice: 39 characters at 15 per million."""

HD = "en-US-Ava:DragonHDLatestNeural"
SSML = f"<speak version='1.0' xml:lang='en-US'><voice name='{HD}'>Hi<break/> 世界</voice></speak>"
CHUNK = 9_000


@pytest.fixture
def service(recorded: Recorded) -> Iterator[AzureSpeech]:
    """Run the stand-in; a bug of its own fails the test."""
    with AzureSpeech() as running:
        yield running
    assert running.errors == []


def synthesizer(service: AzureSpeech, voice: str | None = None, **options: Any) -> Any:
    asked = config(service, **options)
    asked.set_speech_synthesis_output_format(sdk.SpeechSynthesisOutputFormat.Raw16Khz16BitMonoPcm)
    if voice:
        asked.speech_synthesis_voice_name = voice
    return sdk.SpeechSynthesizer(asked, None)


def said(call: Any) -> dict[str, Any]:
    """Return what a record tells of usage and money."""
    wanted = ("otel_costs.usage.", names.COST_USD, names.COST_STATUS, names.COST_REASON)
    return {name.removeprefix("otel_costs."): value for name, value in call.items() if name.startswith(wanted)}


def billed(characters: int, usd: str, **rest: Any) -> dict[str, Any]:
    """Return what `said` returns of a second of speech."""
    return {
        "usage.input_characters": characters,
        "usage.audio_seconds": "1",
        "usage.output_audio_seconds": "1",
        "cost.status": "priced",
        "cost.usd": usd,
    }


def unheard(characters: int, usd: str, reason: str) -> dict[str, Any]:
    """Return what `said` returns of a synthesis whose end nobody saw."""
    return {
        "usage.input_characters": characters,
        "cost.status": "estimated",
        "cost.reason": f"{reason},usage_estimated",
        "cost.usd": usd,
    }


def read(stream: Any) -> int:
    """Read a stream as an application does; return its bytes."""
    buffer, total = bytes(CHUNK), 0
    while number := stream.read_data(buffer):
        total += number
    return total


@pytest.mark.parametrize("way", ["sync", "future", "event", "all"])
def test_text(way: str, service: AzureSpeech, recorded: Recorded) -> None:
    """A text is one call, billed by its characters, by whichever way its result is taken, and by all together."""
    found = synthesizer(service, "en-US-JennyNeural")
    names_of_events = ("synthesis_started", "synthesizing", "synthesis_completed", "synthesis_canceled")
    heard = Heard(found, *names_of_events) if way in ("event", "all") else None
    with otel_costs.session("abc-123", user="user-1"), otel_costs.step("greeting"):
        if way == "sync":
            result = found.speak_text(TEXT)
        else:
            future = found.speak_text_async(TEXT)
    if heard:
        heard.wait()
    if way in ("future", "all"):
        assert future.get() is future.get()
        result = future.get()
    if way != "event":
        assert (result.reason.name, len(result.audio_data)) == ("SynthesizingAudioCompleted", 32_000)
    call = recorded.call
    assert said(call) == billed(39, COST)
    assert call[names.OPERATION_NAME] == "text_to_speech"
    assert call[names.PROVIDER_NAME] == "azure.speech"
    assert call[names.REQUEST_MODEL] == "neural"
    assert call[names.SPEECH_VOICE] == "en-US-JennyNeural"
    assert (call[names.SESSION_ID], call[names.USER_ID], call[names.STEP]) == ("abc-123", "user-1", "greeting")
    assert len(call[names.RESPONSE_ID]) == 32
    (span,) = recorded.spans
    assert span.name == "text_to_speech neural"
    assert span.attributes is not None
    assert span.attributes[names.OUTPUT_TYPE] == "speech"


def test_ssml(service: AzureSpeech, recorded: Recorded) -> None:
    """A document is billed by its characters and markup, at the price of the voice that it names."""
    content.configure(content.Capture.EVENT_ONLY)
    synthesizer(service, "en-US-JennyNeural").speak_ssml(SSML)
    call = recorded.call
    assert said(call) == billed(len("Hi<break/> xxxx"), "0.00033")
    assert (call[names.REQUEST_MODEL], call[names.SPEECH_VOICE]) == ("neural-hd", HD)
    assert [message["body"] for message in recorded.messages] == ["Hi 世界"]


@pytest.mark.parametrize("way", ["text", "ssml", "text future", "ssml future", "request"])
@pytest.mark.parametrize("events", [False, True])
def test_started(way: str, events: bool, service: AzureSpeech, recorded: Recorded) -> None:
    """Speech that is read as it comes is one call, with the time to its first sound."""
    found = synthesizer(service)
    heard = Heard(found, "synthesis_completed") if events else None
    if way == "request":
        request = sdk.SpeechSynthesisRequest(sdk.SpeechSynthesisRequestInputType.TextStream)
        request.input_stream.write(TEXT)
        request.input_stream.close()
        result = found.start_speaking(request)
    elif way.startswith("text"):
        result = found.start_speaking_text_async(TEXT).get() if "future" in way else found.start_speaking_text(TEXT)
    else:
        result = found.start_speaking_ssml_async(SSML).get() if "future" in way else found.start_speaking_ssml(SSML)
    assert result.reason.name == "SynthesizingAudioStarted"
    assert read(sdk.AudioDataStream(result)) == 32_000
    if heard:
        heard.wait()
    call = recorded.call
    assert call["otel_costs.usage.input_characters"] == (15 if way.startswith("ssml") else 39)
    assert call[names.COST_STATUS] == "priced"
    assert 0 < call[names.RESPONSE_TIME_TO_FIRST_CHUNK] <= call[names.DURATION_S]


def test_saved(service: AzureSpeech, recorded: Recorded, tmp_path: Path) -> None:
    """Speech that is saved to a file has been read to its end."""
    found = synthesizer(service)
    stream = sdk.AudioDataStream(found.start_speaking_text(TEXT))
    stream.save_to_wav_file(str(tmp_path / "said.wav"))
    assert recorded.call[names.COST_STATUS] == "priced"
    assert (tmp_path / "said.wav").stat().st_size >= 32_000


@pytest.mark.parametrize("left", ["unread", "early"])
def test_left(left: str, service: AzureSpeech, recorded: Recorded) -> None:
    """Speech that is not read to its end is billed by its characters, which is an estimate of what became of it."""
    found = synthesizer(service)
    result = found.start_speaking_text(TEXT)
    if left == "early":
        stream = sdk.AudioDataStream(result)
        assert stream.read_data(bytes(100)) == 100
        del result
        assert recorded.calls == []
        del stream
    else:
        del result
    assert said(recorded.call) == unheard(39, COST, "result_not_seen")


def test_stream_of_text(service: AzureSpeech, recorded: Recorded) -> None:
    """Text that is written while it is spoken is billed by all its pieces, whenever they came."""
    content.configure(content.Capture.EVENT_ONLY)
    found = synthesizer(service)
    request = sdk.SpeechSynthesisRequest(sdk.SpeechSynthesisRequestInputType.TextStream)
    request.input_stream.write("Good morning! ")
    future = found.speak_async(request)
    for piece in ("How may ", "I help ", "you today?"):
        request.input_stream.write(piece)
    request.input_stream.close()
    assert future.get().reason.name == "SynthesizingAudioCompleted"
    assert said(recorded.call) == billed(39, COST)
    assert [message["body"] for message in recorded.messages] == [TEXT]


def test_personal_voice(service: AzureSpeech, recorded: Recorded) -> None:
    """A personal voice has a price of its own."""
    kind = sdk.SpeechSynthesisRequestInputType.TextStream
    request = sdk.PersonalVoiceSynthesisRequest(kind, "mine", "DragonLatestNeural")
    request.input_stream.write("Hello")
    request.input_stream.close()
    synthesizer(service).speak(request)
    call = recorded.call
    assert (call[names.REQUEST_MODEL], call[names.COST_USD]) == ("personal-voice", "0.00012")


def test_custom_voice(service: AzureSpeech, recorded: Recorded) -> None:
    """A voice behind an endpoint of one's own has a price that we do not know, and says which endpoint it was."""
    asked = config(service)
    asked.endpoint_id = "11111111-aaaa"
    sdk.SpeechSynthesizer(asked, None).speak_text("Hello")
    call = recorded.call
    assert (call[names.REQUEST_MODEL], call[names.PRICE_DEPLOYMENT]) == ("custom-neural", "11111111-aaaa")
    assert call[names.COST_STATUS] == "unpriced"


def test_several_kinds(service: AzureSpeech, recorded: Recorded) -> None:
    """Voices of two prices in one document make the cost an estimate."""
    synthesizer(service).speak_ssml(
        f"<speak><voice name='{HD}'>Hi</voice><voice name='en-US-JennyNeural'>there</voice></speak>"
    )
    call = recorded.call
    assert call[names.COST_STATUS] == "estimated"
    assert "several_kinds_of_voices" in call[names.COST_REASON]


def test_queue(service: AzureSpeech, recorded: Recorded) -> None:
    """What is asked for at once is said one after the other: each call has one text, each text and each result once.

    In which order is the library's to say: on a busy machine its threads overtake each other before they queue up.
    """
    found = synthesizer(service)
    completed: list[str] = []
    over = threading.Event()

    def take(event: Any) -> None:
        completed.append(event.result.result_id)
        if len(completed) == 4:
            over.set()

    found.synthesis_completed.connect(take)
    futures = [found.speak_text_async("x" * length) for length in (10, 20, 30, 40)]
    assert futures[2].get().reason.name == "SynthesizingAudioCompleted"
    assert over.wait(30)
    # The application's callback is told before us: the last call is written when it has returned.
    assert all(future.get() for future in futures)
    calls = {call[names.RESPONSE_ID]: call["otel_costs.usage.input_characters"] for call in recorded.calls}
    assert sorted(calls[result_id] for result_id in completed) == [10, 20, 30, 40]
    assert len(recorded.calls) == len(set(completed)) == 4


def result(result_id: str) -> Any:
    """Return a result as the library gives it, without sound."""
    reason = SimpleNamespace(name="SynthesizingAudioCompleted")
    return SimpleNamespace(result_id=result_id, reason=reason, audio_duration=None, audio_data=b"x")


@pytest.mark.parametrize(
    "told",
    [
        # Who tells of which result: an event, or the future of the first or the second text.
        ["event b", "future 2 b", "event a", "future 1 a"],
        ["started b", "future 2 b", "event b", "event a", "future 1 a"],
        ["started b", "started a", "future 2 b", "future 1 a", "event b", "event a"],
        ["started a", "started b", "future 2 a", "future 1 b"],
        ["future 2 b", "started a", "event a", "future 1 a"],
    ],
)
def test_the_library_overtakes_itself(service: AzureSpeech, recorded: Recorded, told: list[str]) -> None:
    """Each text and each result is in one call, whatever the order in which they are told of."""
    found = synthesizer(service)
    state = SynthesizerState()
    asked = [Synthesis(found, state, synthesis_input.Text("x" * length)) for length in (10, 20)]
    for speaking in asked:
        speaking.take_place()
    for telling in told:
        kind, *which, result_id = telling.split()
        if kind == "future":
            asked[int(which[0]) - 1].got(result(result_id))
        else:
            name = "synthesis_started" if kind == "started" else "synthesis_completed"
            state.on_event(name, SimpleNamespace(result=result(result_id)))
    assert sorted(call["otel_costs.usage.input_characters"] for call in recorded.calls) == [10, 20]
    assert sorted(call[names.RESPONSE_ID] for call in recorded.calls) == ["a", "b"]


def test_nobody_looks(service: AzureSpeech, recorded: Recorded) -> None:
    """A synthesis whose result nobody looks at is billed: what became of it is not known."""
    found = synthesizer(service)
    found.speak_text_async(TEXT)
    garbage.collect()
    assert said(recorded.call) == unheard(39, COST, "result_not_seen")


def test_dropped(service: AzureSpeech, recorded: Recorded) -> None:
    """A synthesizer that is dropped while it speaks leaves a record of everything that it was asked to say."""
    service.is_mute = True
    found = synthesizer(service)
    Heard(found, "synthesis_completed")
    futures = [found.speak_text_async(TEXT) for _ in range(2)]
    del found
    garbage.collect()
    assert [said(call) for call in recorded.calls] == [unheard(39, COST, "synthesizer_dropped")] * 2
    del futures


def test_stopped(service: AzureSpeech, recorded: Recorded) -> None:
    """Speech that the application stops is one call, and never an error that the application did not see."""
    found = synthesizer(service)
    future = found.speak_text_async(TEXT)
    found.stop_speaking()
    result = future.get()
    call = recorded.call
    if result.reason.name == "Canceled":
        assert names.ERROR_TYPE in call
    else:
        assert said(call) == billed(39, COST)


def test_refused(service: AzureSpeech, recorded: Recorded) -> None:
    """A wrong key costs nothing, and the application is told as before."""
    service.refuses = HTTPStatus.UNAUTHORIZED
    result = synthesizer(service).speak_text(TEXT)
    assert result.cancellation_details.error_code.name == "AuthenticationFailure"
    call = recorded.call
    assert call[names.ERROR_TYPE] == "AuthenticationFailure"
    assert said(call) == {"cost.status": "priced", "cost.reason": "request_refused", "cost.usd": "0"}


@pytest.mark.parametrize("way", ["whole", "streamed"])
def test_connection_lost(way: str, service: AzureSpeech, recorded: Recorded) -> None:
    """A socket that closes while it speaks leaves a record with what was sent, as an estimate and an error."""
    service.closes_synthesis = True
    found = synthesizer(service)
    if way == "whole":
        assert found.speak_text(TEXT).reason.name == "Canceled"
    else:
        stream = sdk.AudioDataStream(found.start_speaking_text(TEXT))
        assert read(stream) < 32_000
        assert stream.cancellation_details is not None
    call = recorded.call
    assert call[names.ERROR_TYPE] == "ServiceError"
    assert call[names.COST_STATUS] == "estimated"
    assert call[names.COST_USD] == COST


@pytest.mark.parametrize("captured", [False, True])
def test_content(captured: bool, service: AzureSpeech, recorded: Recorded) -> None:
    """What is spoken is recorded only where content is switched on; the cost is the same."""
    if captured:
        content.configure(content.Capture.SPAN_AND_EVENT)
    with otel_costs.session("s"):
        synthesizer(service).speak_text(TEXT)
    (message,) = recorded.messages
    assert (message[names.MESSAGE_ROLE], message[names.MESSAGE_TYPE]) == ("assistant", "audio")
    assert message["body"] == (TEXT if captured else None)
    everything = str(recorded.calls) + str(recorded.messages) + str([span.attributes for span in recorded.spans])
    assert (TEXT in everything) is captured
    assert "sentinel-key" not in everything
    assert recorded.call[names.COST_USD] == COST


def test_budget(service: AzureSpeech, recorded: Recorded) -> None:
    """A session that has spent its budget is stopped before anything is sent."""
    with otel_costs.session("abc-123", budget_usd="0.0001"):
        found = synthesizer(service)
        found.speak_text(TEXT)
        wait_for_records()
        for ask in (found.speak_text, found.speak_ssml, found.start_speaking_text):
            with pytest.raises(otel_costs.BudgetExceeded):
                ask(TEXT)
    assert len(service.said) == len(recorded.calls) == 1


def test_wrong_use(service: AzureSpeech, recorded: Recorded) -> None:
    """What the SDK raises for a wrong use is what the application sees."""
    found = synthesizer(service)
    CostsInstrumentor().uninstrument()
    with pytest.raises(Exception) as expected:
        found.speak_text(None)
    CostsInstrumentor().instrument(**recorded.providers)
    with pytest.raises(type(expected.value)) as raised:
        found.speak_text(None)
    assert str(raised.value) == str(expected.value)
