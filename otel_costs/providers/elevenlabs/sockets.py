"""ElevenLabs' sockets: texts that are spoken as they are sent, and live transcription. Neither says what it costs."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qs

from otel_costs.calls.reading import Reading
from otel_costs.providers.kit import speech_usage
from otel_costs.providers.kit.speech_socket import SynthesisCall, TranscriptionCall, outline
from otel_costs.transports.websocket.matching import Handshake, Observer

_FINAL: Final = ('"isFinal":true', '"isFinal": true', '"is_final":true', '"is_final": true')
_SOUND: Final = '"audio_base_64"'
_BYTES: Final = {"pcm": 2, "ulaw": 1, "alaw": 1}  # of a sample


def match(handshake: Handshake) -> Observer | None:
    """Return the observer of a socket to ElevenLabs; None if nothing on it is billed, or its path is unknown."""
    query = parse_qs(handshake.query)
    if handshake.path.endswith("/speech-to-text/realtime"):
        return _Transcription(handshake, query)
    if handshake.path.endswith("stream-input") and "/text-to-speech/" in handshake.path:
        return _Speech(handshake, next(iter(query.get("model_id", ())), "eleven_multilingual_v2"))
    return None


class _Speech:
    """Texts that are spoken: one on a socket, or several, each in a context that has a name."""

    def __init__(self, handshake: Handshake, model: str) -> None:
        self._handshake, self._model = handshake, model
        self._synthesis: dict[str, SynthesisCall] = {}

    def sent(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        context = str(message.get("context_id") or message.get("contextId") or "")
        text = message.get("text")
        if isinstance(text, str) and text.strip():  # the first is a space, which opens it, the last is empty
            if context not in self._synthesis:
                self._synthesis[context] = SynthesisCall(self._handshake, self._model)
            self._synthesis[context].text_sent(text)

    def received(self, frame: str | bytes) -> None:
        if not isinstance(frame, str):
            return
        around = outline(frame)
        if any(mark in around for mark in _FINAL):
            event = json.loads(frame)
            context = str(event.get("contextId") or event.get("context_id") or "")
            if (synthesis := self._synthesis.pop(context, None)) is not None:
                synthesis.closed()
        elif '"audio"' in around:
            for synthesis in self._synthesis.values():
                synthesis.audio_received()

    def closed(self, error: str | None) -> None:
        for synthesis in self._synthesis.values():
            synthesis.closed(error)
        self._synthesis.clear()


class _Transcription:
    """A live transcription, whose seconds are those of the sound that is sent."""

    def __init__(self, handshake: Handshake, query: Mapping[str, list[str]]) -> None:
        model = next(iter(query.get("model_id", ())), None)
        form, _, rate = next(iter(query.get("audio_format", ())), "pcm_16000").partition("_")
        per_second = _BYTES.get(form, 0) * int(rate if rate.isdecimal() else 0)
        self._transcription = TranscriptionCall(handshake, model, _bill, per_second or None)

    def sent(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and (place := frame.find(_SOUND)) >= 0:
            self._transcription.audio_sent(_decoded(frame, place + len(_SOUND)))

    def received(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and '"committed_transcript"' in frame:
            self._transcription.transcript_received(json.loads(frame).get("text"))

    def closed(self, error: str | None) -> None:
        self._transcription.closed(error)


def _decoded(frame: str, place: int) -> int:
    """Return the bytes that the base64 after `place` stands for, without decoding or copying it."""
    start = frame.find('"', place) + 1
    end = frame.find('"', start)
    if not start or end < 0:
        return 0
    padding = 2 if frame.endswith("==", start, end) else int(frame.endswith("=", start, end))
    return (end - start) * 3 // 4 - padding


def _bill(seconds: Decimal) -> Reading:
    return Reading(speech_usage.of_audio(seconds))
