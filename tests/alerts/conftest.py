"""The store that alerts watch, and a receiver on loopback."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from tests.queries.conftest import store

__all__ = ["Receiver", "store"]


class Receiver:
    """What a webhook gets. It takes nothing while `down`.

    At /302 and /307 it sends elsewhere, at /waits it answers once it `goes_on`. `looked_at` is how often it was read.
    """

    def __init__(self) -> None:
        self.got: list[str] = []
        self.down = False
        self.looked_at = 0
        self.goes_on = Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if (place := self.path.strip("/")) in ("302", "307"):
                    self.send_response(int(place))
                    self.send_header("Location", "/")
                    self.end_headers()
                    return
                if not receiver.down:
                    receiver.got.append(body["message"])
                if place == "waits":
                    receiver.goes_on.wait()
                self.send_response(503 if receiver.down else 200)
                self.end_headers()

            def do_GET(self) -> None:
                receiver.looked_at += 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.goes_on.set()
    made.server.shutdown()
    made.server.server_close()
    thread.join()
