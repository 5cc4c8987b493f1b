"""A translation session: sound in, sound and words of another language out, and not a word of usage."""

import base64
import json

from otel_costs.stand_in import tokens
from otel_costs.stand_in.exchange import Json, new_id, now
from otel_costs.stand_in.websocket import Socket

_SAID = "Guten Morgen, ich möchte wissen, wo meine Bestellung ist."
_HEARD = "Good morning, I would like to know where my order is."
_CHUNK_S = 1.0  # of speech that is translated at once


class Translation:
    """One session on one socket."""

    def __init__(self, model: str, socket: Socket) -> None:
        self._socket = socket
        self._waiting_s = self._elapsed_s = 0.0
        self._words = [*zip(tokens.pieces(_SAID), tokens.pieces(_HEARD), strict=False)]
        self._config: Json = {
            "id": new_id("sess_", 20),
            "object": "realtime.translation_session",
            "type": "translation",
            "model": model,
            "expires_at": now() + 3600,
            "audio": {"input": {"transcription": None, "noise_reduction": None}, "output": {"language": "de"}},
        }
        self._send({"type": "session.created", "session": self._config})

    def take(self, frame: str | bytes) -> None:
        """Read what the client sends."""
        event = json.loads(frame)
        if event["type"] == "session.update":
            for side, changes in (event["session"].get("audio") or {}).items():
                self._config["audio"][side] |= changes
            self._send({"type": "session.updated", "session": self._config})
        elif event["type"] == "session.input_audio_buffer.append":
            self._waiting_s += len(base64.b64decode(event["audio"])) / 48_000
            while self._waiting_s >= _CHUNK_S:
                self._waiting_s -= _CHUNK_S
                self._translate(_CHUNK_S)
        elif event["type"] == "session.close":
            if self._waiting_s:
                self._translate(self._waiting_s)
            self._send({"type": "session.closed"})
            self._socket.close()

    def _translate(self, seconds: float) -> None:
        self._elapsed_s += seconds
        elapsed = {"elapsed_ms": round(self._elapsed_s * 1000)}
        output, source = self._words[int(self._elapsed_s) % len(self._words)]
        if self._config["audio"]["input"]["transcription"]:
            self._send({"type": "session.input_transcript.delta", "delta": source, **elapsed})
        self._send({"type": "session.output_transcript.delta", "delta": output, **elapsed})
        sound = base64.b64encode(tokens.pcm(seconds)).decode()
        form = {"sample_rate": 24_000, "channels": 1, "format": "pcm16"}
        self._send({"type": "session.output_audio.delta", "delta": sound, **form, **elapsed})

    def _send(self, event: Json) -> None:
        kind, rest = event["type"], {name: value for name, value in event.items() if name != "type"}
        self._socket.send({"type": kind, "event_id": new_id("event_", 20), **rest})
