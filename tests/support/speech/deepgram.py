"""Deepgram over HTTP, as its documentation has it."""

from typing import Any

from tests.support.speech.service import Answering, Asked, Said, Service

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
