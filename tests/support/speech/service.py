"""What every stand-in has: a server on loopback that answers by route, and what was asked of it."""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def is_speech(self) -> bool:
        """Whether a text was to be spoken."""
        return any(word in self.path for word in ("speak", "text-to-speech", "/tts"))

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def option(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]


@dataclass
class Said:
    """An answer: JSON, or pieces of a sound, which are sent chunk by chunk; `cut` breaks the connection after those."""

    body: Any = None
    pieces: Iterable[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    cut: bool = False


Answering = Callable[[Asked], Said]


class Service:
    """A stand-in; `routes` are its answers, by method and the beginning of a path. The longest counts.

    `faults` are answered first, one by one. Between two pieces of a sound it waits for `go_on`, if that is not set.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: list[Said] = []
        self.errors: list[BaseException] = []
        self.cut = False  # whether a sound breaks off
        self.go_on = threading.Event()
        self.go_on.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def routes(self) -> dict[tuple[str, str], Answering]:
        raise NotImplementedError

    def answer(self, asked: Asked) -> Said:
        if self.faults:
            return self.faults.pop(0)
        found = [key for key in self.routes() if key[0] == asked.method and asked.path.startswith(key[1])]
        if not found:
            return Said({"error": "not found"}, status=404)
        return self.routes()[max(found, key=lambda key: len(key[1]))](asked)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def do_DELETE(self) -> None:
                self._take()

            def _take(self) -> None:
                try:
                    url = urlsplit(self.path)
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    asked = Asked(self.command, url.path, parse_qs(url.query), headers, self._body())
                    service.asked.append(asked)
                    self._say(service.answer(asked))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client left early
                except BaseException as error:
                    service.errors.append(error)
                    raise

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                found = b""
                while size := int(self.rfile.readline(), 16):
                    found += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return found

            def _say(self, said: Said) -> None:
                self.send_response(said.status)
                self.send_header("content-type", said.kind)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                if not said.pieces:
                    whole = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                    self.send_header("content-length", str(len(whole)))
                    self.end_headers()
                    self.wfile.write(whole)
                    return
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for piece in said.pieces:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                    service.go_on.wait(30)
                if said.cut or service.cut:
                    self.close_connection = True
                else:
                    self.wfile.write(b"0\r\n\r\n")

        return Handler
