"""The Azure Speech SDK on its stand-in: recognizers and synthesizers as an application makes them."""

import os
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

try:
    import azure.cognitiveservices.speech as sdk  # type: ignore[import-untyped, unused-ignore]
except (ImportError, OSError) as error:  # pragma: no cover
    # The native library needs glibc, ALSA's libasound2 and OpenSSL; there is none for Alpine.
    if os.environ.get("CI") == "true":
        raise
    pytest.skip(f"the native library of Azure Speech does not load here: {error}", allow_module_level=True)

from .azure import BYTES_PER_SECOND, AzureSpeech

__all__ = ["PATIENCE_S", "Heard", "Microphone", "Pulled", "config", "sdk", "wav"]

PATIENCE_S = 30.0


def config(service: AzureSpeech, **options: Any) -> Any:
    """Return a SpeechConfig of the stand-in."""
    return sdk.SpeechConfig(endpoint=service.endpoint, subscription="sentinel-key", **options)


class Microphone:
    """A push stream, and the AudioConfig of it."""

    def __init__(self, form: Any = None) -> None:
        self.stream = sdk.audio.PushAudioInputStream(form)
        self.config = sdk.audio.AudioConfig(stream=self.stream)

    def say(self, seconds: float, *, last: bool = True) -> Any:
        """Write seconds of silence, and close the stream if they are the last; return the AudioConfig."""
        self.stream.write(bytes(int(seconds * BYTES_PER_SECOND)))
        if last:
            self.stream.close()
        return self.config


class Pulled(sdk.audio.PullAudioInputStreamCallback):  # type: ignore[misc]
    """A callback that has seconds of silence to give."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.left = int(seconds * BYTES_PER_SECOND)
        self.closed = False

    def read(self, buffer: memoryview) -> int:
        number = min(len(buffer), self.left)
        self.left -= number
        buffer[:number] = bytes(number)
        return number

    def close(self) -> None:
        self.closed = True


def wav(folder: Path, seconds: float, channels: int = 1) -> str:
    """Write a wav file of silence and return its path."""
    path = folder / "said.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(int(seconds * BYTES_PER_SECOND) * channels))
    return str(path)


class Heard:
    """The events of a recognizer, as an application collects them."""

    def __init__(self, recognizer: Any, *names: str) -> None:
        self.events: list[Any] = []
        self._over, self._phrase = threading.Event(), threading.Event()
        for name in names:
            getattr(recognizer, name).connect(self._taker(name))

    def _taker(self, name: str) -> Callable[[Any], None]:
        def take(event: Any) -> None:
            self.events.append((name, event))
            if name in ("session_stopped", "synthesis_completed", "synthesis_canceled"):
                self._over.set()
            if name in ("recognized", "transcribed"):
                self._phrase.set()

        return take

    @property
    def texts(self) -> list[str]:
        return [event.result.text for name, event in self.events if name in ("recognized", "transcribed")]

    def wait(self) -> None:
        """Wait until it is over."""
        assert self._over.wait(PATIENCE_S)

    def wait_phrase(self) -> None:
        """Wait until something was heard."""
        assert self._phrase.wait(PATIENCE_S)
