"""The stand-in itself: a server on loopback, what it was told to do, and what it was asked."""

import contextlib
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from http.server import ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from otel_costs.stand_in import fault as faults
from otel_costs.stand_in import models, routes
from otel_costs.stand_in.connection import Connection
from otel_costs.stand_in.exchange import Answer, RefusedError, Request, Store, error_body
from otel_costs.stand_in.fault import Fault
from otel_costs.stand_in.realtime import Stage

FLAVOURS = {
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "api.x.ai": "xai",
    "api.perplexity.ai": "perplexity",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "litellm": "litellm",
}
_NAMES = set(FLAVOURS.values())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    provider: "Provider"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # socketserver's
        """Keep what went wrong in the stand-in itself; a client that went away is no error."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.provider.errors.append(error)


class Provider:
    """A stand-in for OpenAI and the providers that speak its protocol.

    `deployments` maps Azure's deployment names to models. `requests` has every request as it came, oldest first;
    `realtime` is what its spoken conversations are told. `abandoned` counts answers whose client went away; `errors`
    has the stand-in's own bugs, none when all is well. `pace` is how fast it speaks in a Realtime session: 1 as
    OpenAI does, about three times as fast as a person, 0 without a pause.
    """

    def __init__(self, *, port: int = 0, deployments: Mapping[str, str] | None = None, pace: float = 0) -> None:
        self.deployments = dict(deployments or {"prod-chat-eu": "gpt-4o-2024-08-06"})
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self.abandoned = 0
        self.connections: set[socket.socket] = set()
        self.store = Store()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.realtime = Stage(lambda seconds: self._stopped.wait(seconds * pace) if pace else None)
        handler = type("_Connection", (Connection,), {"provider": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self._server.provider = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="stand-in", daemon=True
        )

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Let go of waiting answers, close every connection and the port."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):  # closed by its own thread
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._server.server_port

    @property
    def root(self) -> str:
        """The address without a path: an `azure_endpoint`, or an HTTP proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The `base_url` of an OpenAI client."""
        return f"{self.root}/v1"

    def url(self, flavour: str) -> str:
        """Return the `base_url` under which usage is written as by `flavour`: deepseek, openrouter, xai, ..."""
        if flavour not in _NAMES:
            raise ValueError(f"no flavour {flavour!r}; there are {', '.join(sorted(_NAMES))}")
        return f"{self.root}/{flavour}/v1"

    def script(self, *these: Fault) -> None:
        """Strike the next requests with these faults, in this order, after those that still wait."""
        with self._lock:
            self._faults.extend(fault for fault in these for _ in range(fault.times))

    def reset(self) -> None:
        """Forget requests, faults and everything that was created."""
        with self._lock:
            self._faults.clear()
        self.requests.clear()
        self.store.things.clear()

    def wait(self, gate: threading.Event) -> None:
        """Wait until a test opens `gate`, or the provider stops, or half a minute is over."""
        for _ in range(int(faults.GATE_TIMEOUT_S / 0.02)):
            if gate.wait(0.02) or self._stopped.is_set():
                return

    def asked(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
        """Record a request."""
        url = urlsplit(target)
        request = Request(method, url.path, url.query, headers, body)
        self.requests.append(request)
        return request

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Answer, Fault]:
        """Record a request and return the answer to it, with the fault that strikes it."""
        request = self.asked(method, target, headers, body)
        try:
            fault = faults.in_header(request) or self._next_fault(request)
            return routes.answer(self._routed(request, fault.outcome), self.store), fault
        except RefusedError as refused:
            error = error_body(refused.status, str(refused), param=refused.param, code=refused.code)
            return Answer(error, status=refused.status), faults.NOTHING

    def _next_fault(self, request: Request) -> Fault:
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.path in request.path:
                    return self._faults.pop(index)
        return faults.NOTHING

    def _routed(self, request: Request, outcome: str | None) -> Request:
        """Return `request` with its flavour and deployment, and a path that begins after the version."""
        if not request.headers.get("authorization") and not request.headers.get("api-key"):
            raise RefusedError(401, "You didn't provide an API key.", code="invalid_api_key")
        host = request.headers.get("host", "").partition(":")[0]
        flavour = FLAVOURS.get(host, "openai")
        parts = request.path.strip("/").split("/")
        if parts[0] in _NAMES:
            flavour = parts.pop(0)
        deployment = None
        if parts[:2] == ["openai", "deployments"] and len(parts) > 2:
            name = unquote(parts[2])
            deployment = self.deployments.get(name, models.dated(name))
            parts = parts[3:]
        for prefix in ("openai", "api", "v1"):
            if parts[:1] == [prefix]:
                parts.pop(0)
        path = "/" + "/".join(parts)
        return replace(request, path=path, flavour=flavour, deployment=deployment, outcome=outcome)
