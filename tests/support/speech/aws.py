"""A stand-in for Amazon Polly and Amazon Transcribe, as boto3 talks to them: REST and RPC, both with JSON."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SOUND = b"ID3 a sound" * 100
CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that went away."""


class Aws:
    """Answers as scripted; `paths` are the requests that came, `bodies` what they carried."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.characters: str | None = "12"
        """What the answer says is billed; None leaves it out."""
        self.errors: list[tuple[int, str]] = []
        """Statuses and codes of the next answers."""
        self.task: dict[str, Any] = {
            "TaskId": "11111111-2222-3333-4444-555555555555",
            "TaskStatus": "scheduled",
            "Engine": "neural",
            "RequestCharacters": 311,
            "CreationTime": CREATED.timestamp(),
        }
        self.job: dict[str, Any] = {
            "TranscriptionJobName": "call-7",
            "TranscriptionJobStatus": "IN_PROGRESS",
            "LanguageCode": "en-US",
            "CreationTime": CREATED.timestamp(),
        }
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        aws = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                aws.paths.append(self.path)
                aws.headers.append(dict(self.headers))
                target = self.headers.get("x-amz-target", "")
                status, kind, body = aws._respond(self.path, target.rpartition(".")[2])
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                if status >= 400:
                    self.send_header("x-amzn-errortype", aws._code)
                if "mpeg" in kind and aws.characters is not None:
                    self.send_header("x-amzn-RequestCharacters", aws.characters)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _respond(self, path: str, operation: str) -> tuple[int, str, bytes]:
        if self.errors:
            status, self._code = self.errors.pop(0)
            return status, "application/json", _json({"__type": self._code, "message": "no"})
        if operation:
            return (
                200,
                "application/x-amz-json-1.1",
                _json({operation.removeprefix("Start").removeprefix("Get"): self.job}),
            )
        if path == "/v1/speech":
            return 200, "audio/mpeg", SOUND
        listed = "MaxResults" in path
        return (
            200,
            "application/json",
            _json({"SynthesisTasks": [self.task]} if listed else {"SynthesisTask": self.task}),
        )


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
