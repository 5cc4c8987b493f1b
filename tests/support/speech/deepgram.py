"""Deepgram over HTTP and on its sockets, as its documentation has it."""

import json
from typing import Any

from tests.support.speech.service import Answering, Asked, Said, Service
from tests.support.speech.sockets import SocketService, break_off

HEARD = "Where is my order A-1001?"
SOUND = b"\x00\x01" * 800


class Deepgram(Service):
    """A stand-in for api.deepgram.com: every sound has 15.5 seconds and two channels."""

    seconds = 15.5

    def routes(self) -> dict[tuple[str, str], Answering]:
        return {
            ("POST", "/v1/listen"): self.listen,
            ("POST", "/v1/speak"): self.speak,
            ("POST", "/v1/read"): self.read,
            ("GET", "/v1/projects"): lambda _: Said({"projects": []}),
        }

    def listen(self, asked: Asked) -> Said:
        if "callback" in asked.query:
            return Said({"request_id": "r-callback"})
        both = asked.option("multichannel") == "true"
        channel: dict[str, Any] = {"alternatives": [{"transcript": HEARD, "confidence": 0.99, "words": []}]}
        model = {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}
        metadata = {
            "request_id": "r-1", "sha256": "0" * 64, "created": "2026-11-22T10:00:00.000Z", "duration": self.seconds,
            "channels": 2, "models": ["m-1"], "model_info": {"m-1": model},
        }  # fmt: skip
        return Said({"metadata": metadata, "results": {"channels": [channel] * (2 if both else 1)}})

    def speak(self, asked: Asked) -> Said:
        counted = str(len(asked.json["text"].strip()))
        headers = {"dg-char-count": counted, "dg-model-name": "aura-2-thalia-en", "dg-request-id": "r-2"}
        return Said(pieces=[SOUND] * 4, headers=headers, kind="audio/mpeg")

    def read(self, _: Asked) -> Said:
        info = {"model_uuid": "m-2", "input_tokens": 120, "output_tokens": 30}
        metadata = {"request_id": "r-3", "created": "2026-11-22T10:00:00Z", "language": "en", "summary_info": info}
        return Said({"metadata": metadata, "results": {"summary": {"text": "short"}}})


def result(text: str, start: float, duration: float, *, final: bool = True) -> str:
    """Return a message of the first live API."""
    alternatives = [{"transcript": text, "confidence": 0.99, "words": []}]
    return json.dumps({
        "type": "Results", "channel_index": [0, 1], "duration": duration, "start": start, "is_final": final,
        "speech_final": final, "channel": {"alternatives": alternatives},
        "metadata": {"request_id": "r-1", "model_info": {"name": "n", "version": "v", "arch": "a"}, "model_uuid": "m"},
    })  # fmt: skip


def listen(service: SocketService, connection: Any) -> None:
    """Play live transcription: two guesses and a final for two sounds each, then the metadata, as for 2 channels."""
    for number, text in enumerate(("Where is my order", "A-1001?")):
        for _ in range(2):
            service.take(connection)
        connection.send(result(text[:3], number * 2.0, 1.0, final=False))
        connection.send(result(text, number * 2.0, 2.0))
    while "CloseStream" not in str(service.take(connection)):
        pass
    connection.send(json.dumps({
        "type": "Metadata", "transaction_key": "deprecated", "request_id": "r-1", "sha256": "0", "channels": 2,
        "created": "2026-11-22T10:00:00Z", "duration": 4.5,
    }))  # fmt: skip


def listen_and_break(service: SocketService, connection: Any) -> None:
    """Play live transcription that breaks in the middle."""
    for _ in range(2):
        service.take(connection)
    connection.send(result("Where is my order", 0.0, 2.0))
    service.take(connection)
    break_off(connection)


def turns(service: SocketService, connection: Any) -> None:
    """Play Flux: a turn of 1.5 seconds."""
    turn = {"request_id": "r-1", "turn_index": 0, "audio_window_start": 0.0, "words": [], "end_of_turn_confidence": 0.9}
    connection.send(json.dumps({"type": "Connected", "request_id": "r-1", "sequence_id": 0}))
    service.take(connection)
    for number, (event, end) in enumerate((("StartOfTurn", 0.2), ("Update", 0.9), ("EndOfTurn", 1.5)), 1):
        said = {"type": "TurnInfo", "sequence_id": number, "event": event, "audio_window_end": end, "transcript": HEARD}
        connection.send(json.dumps({**turn, **said}))
    service.take(connection)


def speak(service: SocketService, connection: Any) -> None:
    """Play speech: sound and `Flushed` for every flush, until it is closed."""
    metadata = {"request_id": "r-1", "model_name": "aura-2-thalia-en", "model_version": "1", "model_uuid": "m"}
    connection.send(json.dumps({"type": "Metadata", **metadata}))
    flushes = 0
    while "Close" not in (message := json.loads(service.take(connection)))["type"]:
        if message["type"] == "Flush":
            connection.send(SOUND)
            connection.send(json.dumps({"type": "Flushed", "sequence_id": flushes}))
            flushes += 1


def converse(service: SocketService, connection: Any) -> None:
    """Play a voice agent."""
    connection.send(json.dumps({"type": "Welcome", "request_id": "r-1"}))
    service.take(connection)
    connection.send(json.dumps({"type": "SettingsApplied"}))
    for role, text in (("user", HEARD), ("assistant", "It is on its way.")):
        connection.send(json.dumps({"type": "ConversationText", "role": role, "content": text}))
    connection.send(SOUND)
    service.take(connection)
