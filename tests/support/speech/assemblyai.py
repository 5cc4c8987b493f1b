"""AssemblyAI over HTTP and on its sockets, as its documentation has it."""

import json
from typing import Any

from tests.support.speech.service import Answering, Asked, Said, Service
from tests.support.speech.sockets import SocketService, break_off

HEARD = "Where is my order A-1001?"
SOUND = b"\x00\x01" * 800


class AssemblyAI(Service):
    """A stand-in for AssemblyAI's hosts: a transcript is completed when it is looked at for the third time."""

    seconds: Any = 15
    status = "completed"

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, int] = {}
        self.wished: dict[str, Any] = {}

    def routes(self) -> dict[tuple[str, str], Answering]:
        return {
            ("POST", "/v2/transcript"): self.submit,
            ("GET", "/v2/transcript/"): self.look,
            ("GET", "/v2/transcript"): lambda _: Said({"page_details": _PAGE, "transcripts": []}),
            ("POST", "/v2/upload"): lambda _: Said({"upload_url": "https://cdn.example/u-1"}),
            ("POST", "/v1/transcribe"): self.transcribe,
            ("POST", "/v1/speech"): self.speak,
            ("POST", "/v1/chat/completions"): self.chat,
        }

    def submit(self, asked: Asked) -> Said:
        self.wished = asked.json
        name = f"t-{len(self.looks) + 1}"
        self.looks[name] = 0
        return Said(self.transcript(name, "queued"))

    def look(self, asked: Asked) -> Said:
        name = asked.path.rpartition("/")[2]
        self.looks[name] += 1
        return Said(self.transcript(name, self.status if self.looks[name] > 2 else "processing"))

    def transcript(self, name: str, status: str) -> dict[str, Any]:
        found: dict[str, Any] = {**self.wished, "id": name, "status": status, "audio_url": "https://example.com/a.wav"}
        if status == "completed":
            used = (self.wished.get("speech_models") or ["universal-2"])[0]
            found |= {"text": HEARD, "words": [], "audio_duration": self.seconds, "speech_model_used": used}
        if status == "error":
            found["error"] = "no sound"
        return found

    def transcribe(self, _: Asked) -> Said:
        return Said({"text": HEARD, "words": [], "confidence": 0.9, "audio_duration_ms": 15500, "session_id": "s-1"})

    def speak(self, asked: Asked) -> Said:
        headers = {
            "x-tts-billed-characters": str(len(asked.json["text"].strip())), "x-tts-model": "tts-1",
            "x-request-id": "r-1", "x-tts-audio-duration-ms": "100",
        }  # fmt: skip
        return Said(pieces=[SOUND] * 4, headers=headers, kind="audio/wav")

    def chat(self, asked: Asked) -> Said:
        usage = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}
        about = {"id": "c-1", "request_id": "r-9", "object": "chat.completion", "created": 1, "model": "gpt-4.1"}
        if asked.json.get("stream"):
            delta = {"index": 0, "delta": {"role": "assistant", "content": HEARD}, "finish_reason": "stop"}
            events = [{**about, "choices": [delta]}, {**about, "choices": [], "usage": usage}]
            pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
            return Said(pieces=[*pieces, b"data: [DONE]\n\n"], kind="text/event-stream")
        choice = {"index": 0, "message": {"role": "assistant", "content": HEARD}, "finish_reason": "stop"}
        return Said({**about, "choices": [choice], "usage": usage})


_PAGE = {"limit": 10, "result_count": 0, "current_url": "x", "prev_url": None, "next_url": None}


def turn(text: str, *, end: bool, formatted: bool = False) -> str:
    return json.dumps({
        "type": "Turn", "turn_order": 0, "turn_is_formatted": formatted, "end_of_turn": end, "transcript": text,
        "end_of_turn_confidence": 0.9, "words": [],
    })  # fmt: skip


def listen(service: SocketService, connection: Any) -> None:
    """Play live transcription: a guess, a turn, and, when it is terminated, what it came to: 15 s, of 4 s of sound."""
    connection.send(json.dumps({"type": "Begin", "id": "s-1", "expires_at": "2026-11-22T13:00:00Z"}))
    service.take(connection)
    connection.send(turn("where is", end=False))
    connection.send(turn("where is my order", end=True))
    if "format_turns=True" in service.paths[-1] or "format_turns=true" in service.paths[-1]:
        connection.send(turn(HEARD, end=True, formatted=True))
    while "Terminate" not in str(service.take(connection)):
        pass
    ended = {"type": "Termination", "audio_duration_seconds": 4, "session_duration_seconds": 15}
    connection.send(json.dumps(ended))


def listen_and_break(service: SocketService, connection: Any) -> None:
    """Play live transcription that breaks."""
    connection.send(json.dumps({"type": "Begin", "id": "s-1", "expires_at": "2026-11-22T13:00:00Z"}))
    service.take(connection)
    break_off(connection)
