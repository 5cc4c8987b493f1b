"""A provider's reports of usage and costs on loopback: it answers by path, asks for its key, and fails when told to."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "key-of-the-stand-in-0123456789"


@dataclass(frozen=True)
class Asked:
    """A request: its path, its parameters and its headers."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


@dataclass(frozen=True)
class Refusal:
    """An answer that is none."""

    status: int
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[Asked], Any]


class Reports:
    """What a provider answers; `refusals` come first, one for each request."""

    def __init__(self, answer: Answer, header: str, value: str) -> None:
        self.answer, self.header, self.value = answer, header, value
        self.asked: list[Asked] = []
        self.refusals: list[Refusal] = []
        self.errors: list[BaseException] = []
        reports = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                asked = Asked(url.path, parse_qs(url.query), {name.lower(): v for name, v in self.headers.items()})
                try:
                    status, body, headers = reports.answered(asked)
                except BaseException as error:  # noqa: BLE001  # told by the test
                    reports.errors.append(error)
                    status, body, headers = 599, b"", {}
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answered(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers."""
        self.asked.append(asked)
        if self.refusals:
            refusal = self.refusals.pop(0)
            return refusal.status, refusal.body, refusal.headers
        if asked.headers.get(self.header) != self.value:
            return (
                401,
                json.dumps({"error": {"message": f"no such key: {asked.headers.get(self.header)}"}}).encode(),
                {},
            )
        return 200, json.dumps(self.answer(asked)).encode(), {}


@contextmanager
def running(answer: Answer, header: str, value: str) -> Iterator[Reports]:
    """Run the reports; an error of theirs fails the test."""
    made = Reports(answer, header, value)
    thread = Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
    assert made.errors == []
