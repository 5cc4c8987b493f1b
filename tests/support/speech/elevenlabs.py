"""ElevenLabs over HTTP and on its sockets, as its documentation has it."""

import base64
import json
import math
from typing import Any

from tests.support.speech.service import Answering, Asked, Said, Service
from tests.support.speech.sockets import SocketService

HEARD = "Where is my order A-1001?"
SOUND = b"\x00\x01" * 800


class ElevenLabs(Service):
    """A stand-in for api.elevenlabs.io: every sound that it hears has 15.5 seconds."""

    seconds: Any = 15.5
    counts = True  # whether it says what a call costs

    def routes(self) -> dict[tuple[str, str], Answering]:
        return {
            ("POST", "/v1/text-to-speech/"): self.speak,
            ("POST", "/v1/text-to-dialogue"): self.converse,
            ("POST", "/v1/speech-to-text"): self.transcribe,
            ("POST", "/v1/voice-changer/"): lambda _: self.sound(258),
            ("POST", "/v1/sound-generation"): lambda _: self.sound(100),
            ("POST", "/v1/audio-isolation"): lambda _: self.sound(250),
            ("GET", "/v1/models"): lambda _: Said([]),
        }

    def sound(self, cost: int) -> Said:
        headers = {"character-cost": str(cost), "request-id": "r-1"} if self.counts else {"request-id": "r-1"}
        return Said(pieces=[SOUND] * 4, headers=headers, kind="audio/mpeg")

    def speak(self, asked: Asked) -> Said:
        text = asked.json["text"]
        fast = "flash" in asked.json.get("model_id", "") or "turbo" in asked.json.get("model_id", "")
        found = self.sound(math.floor(len(text) / 2) if fast else len(text))
        if asked.path.endswith("/with-timestamps"):
            timed = {"audio_base64": base64.b64encode(SOUND).decode(), "alignment": None, "normalized_alignment": None}
            if "/stream/" not in asked.path:
                return Said(timed, headers=found.headers)
            found.pieces, found.kind = [json.dumps(timed).encode() + b"\n"] * 2, "application/json"
        return found

    def converse(self, asked: Asked) -> Said:
        return self.sound(sum(len(line["text"]) for line in asked.json["inputs"]))

    def transcribe(self, asked: Asked) -> Said:
        if b'name="webhook"\r\n\r\ntrue' in asked.body:
            return Said({"message": "Request processed", "request_id": "r-2", "transcription_id": "t-2"})
        heard = {"language_code": "eng", "language_probability": 0.98, "text": HEARD, "words": []}
        if b'name="use_multi_channel"\r\n\r\ntrue' in asked.body:
            channels = [{**heard, "channel_index": index} for index in (0, 1)]
            return Said({"transcripts": channels, "transcription_id": "t-1", "audio_duration_secs": self.seconds})
        return Said({**heard, "transcription_id": "t-1", "audio_duration_secs": self.seconds})


def speak(service: SocketService, connection: Any) -> None:
    """Play speech on a socket: a sound for every text but the opening space, and the end after an empty one."""
    while (message := json.loads(service.take(connection))).get("text") != "":
        if message.get("text", "").strip():
            sound = base64.b64encode(SOUND).decode()
            connection.send(json.dumps({"audio": sound, "isFinal": None, "contextId": message.get("context_id")}))
    connection.send(json.dumps({"audio": None, "isFinal": True, "contextId": message.get("context_id")}))


def listen(service: SocketService, connection: Any) -> None:
    """Play live transcription: a guess and a transcript when a sound is committed."""
    config = {"sample_rate": 16000, "audio_format": "pcm_16000", "model_id": "scribe_v2_realtime"}
    connection.send(json.dumps({"message_type": "session_started", "session_id": "s-1", "config": config}))
    while not json.loads(service.take(connection)).get("commit"):
        connection.send(json.dumps({"message_type": "partial_transcript", "text": HEARD[:5]}))
    connection.send(json.dumps({"message_type": "committed_transcript", "text": HEARD}))
    service.take(connection)
