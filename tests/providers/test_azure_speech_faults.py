"""Whatever goes wrong, with Azure's SDK, its callbacks or us: the application sees what it would have seen."""

import importlib
import logging
import pkgutil
import signal
import subprocess
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_costs import CostsInstrumentor
from otel_costs import semconv as names
from otel_costs.providers import azure_speech
from otel_costs.runtime import unfinished
from tests.support import garbage
from tests.support.recorded import Recorded, wait_for_records
from tests.support.speech.azure import AzureSpeech, Phrase
from tests.support.speech.azure_sdk import Heard, Microphone, Pulled, config, sdk

ROOT = Path(__file__).parents[2]
PREFIX = azure_speech.__name__ + "."
MODULES = [importlib.import_module(found.name) for found in pkgutil.iter_modules(azure_speech.__path__, PREFIX)]


@pytest.fixture
def service(recorded: Recorded) -> Iterator[AzureSpeech]:
    """Run the stand-in; a bug of its own fails the test."""
    with AzureSpeech() as running:
        yield running
    assert running.errors == []


def recognizer(service: AzureSpeech, audio: Any) -> Any:
    return sdk.SpeechRecognizer(speech_config=config(service), audio_config=audio)


class BugError(Exception):
    pass


# They are what keeps a bug from the application, or are the patches themselves: what the SDK calls, and thin.
OUTERMOST = {
    "audio_input.format_made", "audio_input.push_stream_made", "audio_input.pull_stream_made",
    "audio_input.config_made", "audio_input.written", "recognition.recognizer_made", "recognition.recognize_once",
    "recognition.start", "recognition.stop", "recognition._begin", "recognition._starts", "results.future_got",
    "results.signalled", "synthesis_input.piece_written", "synthesis_input.personal_voice_made",
    "synthesizer.start_speaking",
    "synthesizer._begin", "open_calls.asked", "synthesizer._speaks", "synthesizer.data_stream_made",
    "synthesizer.data_read", "synthesizer.data_saved", "_Counted.__init__", "_Counted.read",
    "OpenCall.give_up_from_finalizer", "OpenCall.end", "Synthesis.result_dropped", "Synthesis._reader_dropped",
    "SynthesizerState._dropped", "RecognizerState._dropped",
    "OpenCall.forget", "OpenCall.give_up", "OpenCall.end_with_process",
}  # fmt: skip


def places() -> Iterator[tuple[str, Any, str]]:
    """Yield every function and method of ours that a call may pass, but for those that are never_raises themselves."""
    for module in MODULES:
        short = module.__name__.removeprefix(PREFIX)
        for name, found in vars(module).items():
            if getattr(found, "__module__", None) != module.__name__:
                continue
            if isinstance(found, types.FunctionType) and not hasattr(found, "__wrapped__"):
                yield f"{short}.{name}", module, name
            elif isinstance(found, type) and not getattr(found, "_is_protocol", False):
                for method, function in vars(found).items():
                    if isinstance(function, types.FunctionType | property) and not hasattr(function, "__wrapped__"):
                        yield f"{found.__name__}.{method}", found, method


PLACES = {
    name: (owner, attribute)
    for name, owner, attribute in places()
    if name not in OUTERMOST and (attribute == "__init__" or not attribute.startswith("__"))
}


def broken(found: Any) -> Any:
    def raising(*_: Any, **__: Any) -> Any:
        raise BugError

    return property(raising) if isinstance(found, property) else raising


def do_all(service: AzureSpeech) -> list[Any]:
    """Do something of every kind, and return what the application gets.

    The library waits for half a second wherever it listens or speaks: all of it is begun before any of it is read.
    """
    service.phrases = [Phrase("Hello.", 0.0, 0.1, translations={"de": "Hallo."})]
    asked = sdk.translation.SpeechTranslationConfig(
        endpoint=service.endpoint, subscription="k", speech_recognition_language="en-US", target_languages=["de"]
    )
    translator = sdk.translation.TranslationRecognizer(asked, audio_config=Microphone().say(0.2))
    translated = translator.recognize_once_async()
    asking = recognizer(service, Microphone().say(0.2))
    once = asking.recognize_once_async()
    source = sdk.audio.AudioConfig(stream=sdk.audio.PullAudioInputStream(Pulled(0.2)))  # the SDK needs it kept
    pulling = recognizer(service, source)
    pulled = pulling.recognize_once_async()
    microphone = Microphone(sdk.audio.AudioStreamFormat(16_000, 16, 1))
    continuous = recognizer(service, microphone.config)
    heard = Heard(continuous, "recognized", "canceled", "session_stopped")
    continuous.start_continuous_recognition()
    microphone.say(0.2)
    speaker = sdk.SpeechSynthesizer(config(service), None)
    request = sdk.SpeechSynthesisRequest(sdk.SpeechSynthesisRequestInputType.TextStream)
    request.input_stream.write("Hello")
    request.input_stream.close()
    started = speaker.start_speaking_text("Hello")
    stream = sdk.AudioDataStream(started)
    buffer, size = bytes(8_000), 0
    while number := stream.read_data(buffer):
        size += number
    told = Heard(speaker, "synthesis_completed")
    spoken = speaker.speak_ssml("<speak><voice name='en-US-JennyNeural'>Hello</voice></speak>")
    told.wait()
    heard.wait()
    continuous.stop_continuous_recognition()
    return [
        once.get().text, pulled.get().text, heard.texts, [name for name, _ in heard.events],
        translated.get().translations, spoken.reason.name, len(spoken.audio_data), size,
        started.reason.name, speaker.speak(request).reason.name,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    """Do it without us."""
    with AzureSpeech() as service:
        return do_all(service)


@pytest.mark.some(2)
@pytest.mark.parametrize("place", sorted(PLACES))
def test_a_bug_leaves_the_result(
    place: str, expected: list[Any], service: AzureSpeech, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function of ours that raises changes nothing of what the application gets, and stops nothing of it."""
    owner, name = PLACES[place]
    monkeypatch.setattr(owner, name, broken(vars(owner)[name]))
    assert do_all(service) == expected
    wait_for_records()


def test_everything_is_recorded(expected: list[Any], service: AzureSpeech, recorded: Recorded) -> None:
    """Without a bug, what the tests above do is eight calls, and the application gets the same."""
    assert do_all(service) == expected
    garbage.collect()
    assert (
        sorted(call[names.OPERATION_NAME] for call in recorded.calls) == ["speech_to_text"] * 4 + ["text_to_speech"] * 3
    )
    assert {call[names.COST_STATUS] for call in recorded.calls} == {"priced"}


def test_places() -> None:
    """The list of the outermost is of what there is, and what it leaves is most."""
    known = {name for name, *_ in places()}
    assert known >= OUTERMOST, OUTERMOST - known
    assert len(PLACES) > 60


def test_a_bug_is_logged_once(
    service: AzureSpeech, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug is one warning, which says nothing of what was said."""
    monkeypatch.setattr(azure_speech.recognition.Recognition, "_sent_s", broken(None))
    for _ in range(3):
        assert recognizer(service, Microphone().say(1.5)).recognize_once().text == "Hello there."
    wait_for_records()
    ours = [record for record in caplog.records if record.name == "otel_costs"]
    assert [record.levelno for record in ours] == [logging.WARNING]
    assert "Hello there" not in caplog.text


def test_callback_raises(service: AzureSpeech, recorded: Recorded) -> None:
    """A callback of the application's that raises does not keep the call from its record."""
    found = recognizer(service, Microphone().say(2.0))

    def fail(_: Any) -> None:
        raise BugError

    found.recognized.connect(fail)
    heard = Heard(found, "recognized", "session_stopped")
    found.start_continuous_recognition()
    heard.wait()
    found.stop_continuous_recognition()
    assert heard.texts == ["Hello there."]
    assert recorded.call["otel_costs.usage.audio_seconds"] == "2"


def test_disconnected(service: AzureSpeech, recorded: Recorded) -> None:
    """An application that disconnects everything while it listens has its record when it stops."""
    microphone = Microphone()
    found = recognizer(service, microphone.config)
    heard = Heard(found, "recognized", "canceled", "session_stopped")
    found.start_continuous_recognition()
    microphone.say(2.0, last=False)
    heard.wait_phrase()
    for event in (found.recognized, found.canceled, found.session_stopped):
        event.disconnect_all()
    microphone.say(1.0, last=False)
    found.stop_continuous_recognition()
    call = recorded.call
    assert call["otel_costs.usage.audio_seconds"] == "3"
    assert call[names.COST_STATUS] == "priced"


def test_nothing_is_connected(service: AzureSpeech, recorded: Recorded) -> None:
    """We connect nothing to the application's objects: a callback of ours could abort a process that ends."""
    found = recognizer(service, Microphone().say(2.0))
    found.start_continuous_recognition()
    found.stop_continuous_recognition()
    speaker = sdk.SpeechSynthesizer(config(service), None)
    speaker.speak_text("Hello")
    signals = [getattr(found, name) for name in ("recognized", "canceled", "session_stopped")]
    signals += [getattr(speaker, name) for name in ("synthesis_started", "synthesis_completed", "synthesis_canceled")]
    assert not any(signal.is_connected() for signal in signals)


def test_dropped_before_its_result(service: AzureSpeech, recorded: Recorded) -> None:
    """A recognizer that is dropped before its result gives what the SDK gives, and a record that says so."""
    service.is_mute = True
    found = recognizer(service, Microphone().say(1.0))
    future = found.recognize_once_async()
    del found
    garbage.collect()
    assert future.get().reason.name == "Canceled"
    call = recorded.call
    assert call[names.ERROR_TYPE] == "Canceled"
    assert call[names.COST_STATUS] == "unpriced"


def test_objects_are_collected(service: AzureSpeech, recorded: Recorded) -> None:
    """We keep no recognizer, stream, future or synthesizer alive, and no call of theirs."""
    import weakref

    microphone = Microphone()
    found = recognizer(service, microphone.say(2.0))
    future = found.recognize_once_async()
    future.get()
    speaker = sdk.SpeechSynthesizer(config(service), None)
    result = speaker.start_speaking_text("Hello")
    stream = sdk.AudioDataStream(result)
    while stream.read_data(bytes(8_000)):
        pass
    watched = [weakref.ref(one) for one in (microphone.stream, found, future, speaker, result, stream)]
    del microphone, found, future, speaker, result, stream
    assert [ref() for ref in watched] == [None] * 6
    wait_for_records()
    assert unfinished._open == set()


@pytest.mark.long
def test_fifty_cycles(service: AzureSpeech, recorded: Recorded) -> None:
    """Fifty times there and gone again leaves the SDK as it was, and one record a call."""
    CostsInstrumentor().uninstrument()
    speech, audio = sdk.speech, sdk.audio
    classes = [
        speech.SpeechRecognizer, speech.ResultFuture, speech.EventSignal, speech.SpeechSynthesizer,
        speech.SpeechSynthesisRequest.InputStream, speech.AudioDataStream,
        speech.PersonalVoiceSynthesisRequest, audio.PushAudioInputStream, audio.PullAudioInputStream,
        audio.AudioConfig, audio.AudioStreamFormat, sdk.translation.TranslationRecognizer,
        sdk.transcription.ConversationTranscriber, sdk.transcription.MeetingTranscriber,
    ]  # fmt: skip

    def now() -> list[dict[str, int]]:
        # By identity: a wrapper is equal to what it wraps.
        return [{name: id(found) for name, found in vars(one).items()} for one in classes]

    before = now()
    for _ in range(50):
        CostsInstrumentor().instrument(**recorded.providers)
        assert all(has != had for has, had in zip(now(), before, strict=True))
        CostsInstrumentor().uninstrument()
    assert now() == before
    CostsInstrumentor().instrument(**recorded.providers)
    recognizer(service, Microphone().say(2.0)).recognize_once()
    assert len(recorded.calls) == 1


PROGRAM = """
    import sys, threading
    sys.path.insert(0, {root!r})
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, SimpleLogRecordProcessor
    from otel_costs import CostsInstrumentor
    from tests.support.speech.azure_sdk import Microphone, config, sdk

    logs = LoggerProvider()
    logs.add_log_record_processor(SimpleLogRecordProcessor(ConsoleLogRecordExporter()))
    CostsInstrumentor().instrument(logger_provider=logs)

    class Service:
        endpoint = sys.argv[1]

    microphone = Microphone()
    recognizer = sdk.SpeechRecognizer(config(Service), microphone.config)
    heard = threading.Event()
    recognizer.recognized.connect(lambda event: heard.set())
    recognizer.start_continuous_recognition()
    microphone.say(2.0, last=False)
    assert heard.wait(30)
    recognizer.recognized.disconnect_all()
"""


@pytest.mark.long
@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise RuntimeError"])
def test_process_ends_while_it_listens(end: str, service: AzureSpeech, tmp_path: Path) -> None:
    """A process that ends while it listens leaves a record, and the exit code that it would have had."""
    path = tmp_path / "app.py"
    path.write_text(textwrap.dedent(PROGRAM.format(root=str(ROOT))) + end + "\n")
    done = subprocess.run([sys.executable, str(path), service.endpoint], capture_output=True, text=True, timeout=60)
    assert done.returncode == {"": 0, "sys.exit(3)": 3}.get(end, 1), done.stderr
    assert done.stdout.count('"otel_costs.call.seq"') == 1
    assert '"otel_costs.usage.audio_seconds": "2"' in done.stdout
    assert "process_ended" in done.stdout


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_comes_while_it_listens(service: AzureSpeech, tmp_path: Path) -> None:
    """SIGTERM while it listens: one record with the seconds until then, and the end that it would have had."""
    path = tmp_path / "app.py"
    end = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    path.write_text(textwrap.dedent(PROGRAM.format(root=str(ROOT))) + end + "\n")
    done = subprocess.run([sys.executable, str(path), service.endpoint], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert done.stdout.count('"otel_costs.call.seq"') == 1
    assert '"otel_costs.usage.audio_seconds": "2"' in done.stdout
    assert "process_ended" in done.stdout
