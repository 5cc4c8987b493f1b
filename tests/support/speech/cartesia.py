"""Cartesia over HTTP and on its sockets, as its documentation has it."""

import base64
import json
from typing import Any

from tests.support.speech.service import Answering, Asked, Said, Service
from tests.support.speech.sockets import SocketService

HEARD = "Where is my order A-1001?"
SOUND = b"\x00\x01" * 800


class Cartesia(Service):
    """A stand-in for api.cartesia.ai: every sound that it hears has 15.5 seconds."""

    seconds: Any = 15.5

    def routes(self) -> dict[tuple[str, str], Answering]:
        return {
            ("POST", "/tts/bytes"): lambda _: Said(pieces=[SOUND] * 4, kind="audio/wav"),
            ("POST", "/infill/bytes"): lambda _: Said(pieces=[SOUND] * 4, kind="audio/wav"),
            ("POST", "/voice-changer/bytes"): lambda _: Said(pieces=[SOUND] * 4, kind="audio/wav"),
            ("POST", "/tts/sse"): self.events,
            ("POST", "/stt"): self.transcribe,
            ("GET", "/voices"): lambda _: Said({"data": [], "has_more": False}),
        }

    def events(self, _: Asked) -> Said:
        chunk = {"type": "chunk", "data": base64.b64encode(SOUND).decode(), "done": False, "status_code": 206}
        events = [{**chunk, "step_time": 1.0}] * 3 + [{"type": "done", "done": True, "status_code": 200}]
        pieces = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
        return Said(pieces=pieces, kind="text/event-stream")

    def transcribe(self, _: Asked) -> Said:
        return Said({"type": "transcript", "text": HEARD, "duration": self.seconds, "request_id": "r-1"})


def speak(service: SocketService, connection: Any) -> None:
    """Play speech: a sound and the end of its context for every text that is not continued; "fail" is an error."""
    while True:
        message = json.loads(service.take(connection))
        if message.get("continue") or message.get("cancel"):
            continue
        about = {"context_id": message["context_id"], "status_code": 200}
        if message["transcript"] == "fail":
            connection.send(json.dumps({"type": "error", "done": True, "error": "no", **about, "status_code": 400}))
            continue
        sound = base64.b64encode(SOUND).decode()
        connection.send(json.dumps({"type": "chunk", "data": sound, "done": False, "step_time": 1.0, **about}))
        connection.send(json.dumps({"type": "done", "done": True, **about}))


def listen(service: SocketService, connection: Any) -> None:
    """Play live transcription: a guess and a final for every sound until it is closed."""
    for text in ("Where is ", "my order"):
        service.take(connection)
        for final in (False, True):
            said = {"type": "transcript", "is_final": final, "text": text, "request_id": "r-1", "duration": 0.5}
            connection.send(json.dumps(said))
    service.take(connection)
    connection.send(json.dumps({"type": "done", "request_id": "r-1"}))
