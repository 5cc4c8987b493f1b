"""Azure Speech through its SDK, `azure-cognitiveservices-speech`: recognition, translation, transcription, synthesis.

The SDK is a native library under a thin layer of Python, which is patched where results pass it: `ResultFuture.get` and
`EventSignal.signal`. Nothing is connected to the application's recognizers: a callback that the native library calls
while the interpreter ends aborts the process (docs/decisions/azure-speech.md).
"""

from typing import Final

from otel_costs.providers.azure_speech import audio_input, recognition, results, synthesis_input, synthesizer
from otel_costs.runtime.patching import Patches

_SDK: Final = "azure.cognitiveservices.speech."


def install(patches: Patches) -> None:
    """Patch the SDK; each of its modules when it is imported. Works with 1.40 to 1.53."""
    patches.on_import(_SDK + "audio", _install_audio)
    patches.on_import(_SDK + "speech", _install_speech)
    patches.on_import(_SDK + "translation", _install_translation)
    patches.on_import(_SDK + "transcription", _install_transcription)


def _install_audio(patches: Patches) -> None:
    module = _SDK + "audio"
    patches.wrap(module, "AudioStreamFormat.__init__", audio_input.format_made)
    patches.wrap(module, "PushAudioInputStream.__init__", audio_input.push_stream_made)
    patches.wrap(module, "PushAudioInputStream.write", audio_input.written)
    patches.wrap(module, "PullAudioInputStream.__init__", audio_input.pull_stream_made)
    patches.wrap(module, "AudioConfig.__init__", audio_input.config_made)


def _install_speech(patches: Patches) -> None:
    module = _SDK + "speech"
    patches.wrap(module, "ResultFuture.get", results.future_got)
    patches.wrap(module, "EventSignal.signal", results.signalled)
    _recognizer(patches, module, "SpeechRecognizer", "continuous_recognition", once=True)
    for began in ("", "start_"):
        speak = "speaking" if began else "speak"
        patches.wrap(module, f"SpeechSynthesizer.{began}{speak}_text_async", synthesizer.speak_text)
        patches.wrap(module, f"SpeechSynthesizer.{began}{speak}_ssml_async", synthesizer.speak_ssml)
    patches.wrap(module, "SpeechSynthesizer.speak_async", synthesizer.speak)
    patches.wrap(module, "SpeechSynthesizer.start_speaking", synthesizer.start_speaking)
    patches.wrap(module, "SpeechSynthesisRequest.InputStream.write", synthesis_input.piece_written)
    patches.wrap(module, "PersonalVoiceSynthesisRequest.__init__", synthesis_input.personal_voice_made)
    patches.wrap(module, "AudioDataStream.__init__", synthesizer.data_stream_made)
    patches.wrap(module, "AudioDataStream.read_data", synthesizer.data_read)
    patches.wrap(module, "AudioDataStream.save_to_wav_file", synthesizer.data_saved)


def _install_translation(patches: Patches) -> None:
    _recognizer(patches, _SDK + "translation", "TranslationRecognizer", "continuous_recognition", once=True)


def _install_transcription(patches: Patches) -> None:
    for name in ("ConversationTranscriber", "MeetingTranscriber"):
        _recognizer(patches, _SDK + "transcription", name, "transcribing", once=False)


def _recognizer(patches: Patches, module: str, name: str, running: str, *, once: bool) -> None:
    patches.wrap(module, f"{name}.__init__", recognition.recognizer_made)
    patches.wrap(module, f"{name}.start_{running}_async", recognition.start)
    patches.wrap(module, f"{name}.stop_{running}_async", recognition.stop)
    if once:
        patches.wrap(module, f"{name}.recognize_once_async", recognition.recognize_once)
