"""AssemblyAI's sockets: live transcription, billed by the time that its connection is open, and speech."""

import json
from decimal import Decimal
from typing import Final
from urllib.parse import parse_qs

from otel_costs.calls.reading import Reading
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.kit import speech_usage
from otel_costs.providers.kit.speech_socket import SynthesisCall, TranscriptionCall
from otel_costs.transports.websocket.matching import Handshake, Observer


def match(handshake: Handshake) -> Observer | None:
    """Return the observer of a socket to AssemblyAI; None if nothing on it is billed, or its path is unknown."""
    if handshake.path.endswith("/v3/ws"):
        return _Transcription(handshake)
    speaks = handshake.path.endswith("/v1/ws") and not handshake.host.startswith("agents.")
    return _Speech(handshake) if speaks else None


class _Transcription:
    """A live transcription, billed by the time that its connection is open; `Termination` says it."""

    def __init__(self, handshake: Handshake) -> None:
        asked = {name: values[0] for name, values in parse_qs(handshake.query).items()}
        self._formats = asked.get("format_turns", "").lower() == "true"
        self._is_plain = not asked.keys() & {
            "keyterms_prompt",
            "speaker_labels",
            "domain",
            "llm_gateway",
            "voice_focus",
        }
        self._model = asked.get("speech_model") or "universal-streaming-english"
        self._transcription = TranscriptionCall(handshake, self._model, self._bill, timed=True)

    def sent(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._transcription.audio_sent(len(frame))

    def received(self, frame: str | bytes) -> None:
        if not isinstance(frame, str) or not any(mark in frame for mark in _SAID):
            return
        event = json.loads(frame)
        if event.get("type") == "Termination":
            self._transcription.seconds_reported(event.get("session_duration_seconds"))
        elif event.get("type") == "Turn" and (event.get("turn_is_formatted") or not self._formats):
            self._transcription.transcript_received(event.get("transcript"))

    def closed(self, error: str | None) -> None:
        self._transcription.closed(error)

    def _bill(self, seconds: Decimal) -> Reading:
        reasons = () if self._is_plain else (CostReason.FEATURE_NOT_PRICED,)
        return Reading(speech_usage.of_audio(seconds), price_model=f"{self._model}/streaming", reasons=reasons)


_SAID: Final = ('"Termination"', '"end_of_turn":true', '"end_of_turn": true')


class _Speech:
    """Texts that are spoken on one connection; `Termination` says the characters that are billed."""

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        self._synthesis: SynthesisCall | None = None
        self._characters: object = None

    def sent(self, frame: str | bytes) -> None:
        text = json.loads(frame).get("text")
        if isinstance(text, str) and text:
            self._synthesis = self._synthesis or SynthesisCall(self._handshake, None)
            self._synthesis.text_sent(text)

    def received(self, frame: str | bytes) -> None:
        if self._synthesis is not None and isinstance(frame, str):
            self._synthesis.audio_received()
            if '"Termination"' in frame:
                self._characters = json.loads(frame).get("total_input_char_length")

    def closed(self, error: str | None) -> None:
        if self._synthesis is not None:
            self._synthesis.closed(error, characters=self._characters)
