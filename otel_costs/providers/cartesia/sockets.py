"""Cartesia's sockets: texts that are spoken, each in a context of its own, and live transcription."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qs

from otel_costs.calls.reading import Reading
from otel_costs.providers.kit import speech_usage
from otel_costs.providers.kit.speech_socket import SynthesisCall, TranscriptionCall, outline
from otel_costs.transports.websocket.matching import Handshake, Observer

_BYTES: Final = {"pcm_s16le": 2, "pcm_s32le": 4, "pcm_f16le": 2, "pcm_f32le": 4, "pcm_mulaw": 1, "pcm_alaw": 1}


def match(handshake: Handshake) -> Observer | None:
    """Return the observer of a socket to Cartesia; None if nothing on it is billed."""
    if handshake.path.endswith("/tts/websocket"):
        return _Speech(handshake)
    if handshake.path.endswith(("/stt/websocket", "/stt/turns/websocket")):
        return _Transcription(handshake, parse_qs(handshake.query))
    return None


class _Speech:
    """Texts that are spoken, each in a context that has a name, several at a time."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._synthesis: dict[str, SynthesisCall] = {}

    def sent(self, frame: str | bytes) -> None:
        message = json.loads(frame)
        context, text = str(message.get("context_id") or ""), message.get("transcript")
        if not isinstance(text, str) or (not text and context not in self._synthesis):
            return
        if context not in self._synthesis:
            self._synthesis[context] = SynthesisCall(self._handshake, message.get("model_id"))
        self._synthesis[context].text_sent(text)

    def received(self, frame: str | bytes) -> None:
        if not isinstance(frame, str):
            return
        around = outline(frame)
        if '"done":true' not in around and '"done": true' not in around:
            for context, synthesis in self._synthesis.items():
                if f'"{context}"' in around:
                    synthesis.audio_received()
            return
        event = json.loads(frame)
        if (ended := self._synthesis.pop(str(event.get("context_id") or ""), None)) is not None:
            # What fails costs nothing.
            failed = event.get("type") == "error"
            ended.closed(str(event.get("status_code") or "error") if failed else None, refused=failed)

    def closed(self, error: str | None) -> None:
        for synthesis in self._synthesis.values():
            synthesis.closed(error)
        self._synthesis.clear()


class _Transcription:
    """A live transcription, silence too; seconds are those of the sound that is sent."""

    def __init__(self, handshake: Handshake, query: Mapping[str, list[str]]) -> None:
        asked = {name: values[0] for name, values in query.items()}
        rate = asked.get("sample_rate", "16000")
        per_second = _BYTES.get(asked.get("encoding", ""), 0) * int(rate if rate.isdecimal() else 0)
        self._transcription = TranscriptionCall(handshake, asked.get("model"), self._bill, per_second or None)
        self._price_model = f"{asked.get('model')}/streaming"

    def sent(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._transcription.audio_sent(len(frame))

    def received(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and any(
            mark in frame for mark in ('"is_final":true', '"is_final": true', '"turn.end"')
        ):
            event = json.loads(frame)
            self._transcription.transcript_received(event.get("text") or event.get("transcript"))

    def closed(self, error: str | None) -> None:
        self._transcription.closed(error)

    def _bill(self, seconds: Decimal) -> Reading:
        return Reading(speech_usage.of_audio(seconds), price_model=self._price_model)
