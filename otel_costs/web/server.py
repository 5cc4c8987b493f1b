"""The server of `otel-costs web`: the API beside a ClickHouse, until SIGINT or SIGTERM."""

import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from otel_costs import pricing
from otel_costs.chargeback.rules import Allocation
from otel_costs.web import access_log
from otel_costs.web.application import application
from otel_costs.web.connected_store import ConnectedStore
from otel_costs.web.page_settings import PageSettings
from otel_costs.web.roles import Roles

_STOP_S: Final = 10
_CONNECTIONS: Final = 512


class StartError(Exception):
    """It cannot start; the message says why and what to do."""


def run(
    *,
    dsn: str | None,
    writer_dsn: str | None,
    host: str,
    port: int,
    roles: Roles,
    settings: PageSettings,
    allocation: Allocation | None = None,
    announce: Callable[[str], object] = print,
) -> None:
    """Serve. Port 0 is any free one; `announce` gets what there is to say when it is ready. Raises StartError."""
    with _listening(host, port) as taken:
        pricing.warm_up()
        access_log.show()
        made = application(ConnectedStore(dsn, writer_dsn), roles, settings=settings, allocation=allocation)
        served = _Pinged(made)
        config = uvicorn.Config(
            served,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=75,  # longer than clients keep a connection, so that it is they who close it
            timeout_graceful_shutdown=_STOP_S,
        )
        name = f"[{host}]" if ":" in host else host
        announce(f"otel-costs web is ready: http://{name}:{taken.getsockname()[1]}/")
        _Server(config, made.close).run(sockets=[taken])


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(256)
    except (OSError, OverflowError) as error:
        made.close()
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        why = "is taken by another program: stop that, or" if taken else f"cannot be used ({error}):"
        raise StartError(f"port {port} on {host} {why} choose another one with --port") from None
    return made


class _Server(uvicorn.Server):
    """uvicorn, which ends well when it is told to end; its own way is to raise the signal again."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop, and end the answers that would last."""
        self._stopping()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Pinged:
    """ASGI middleware: /ping answers that the server runs, without a token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ping = scope["type"] == "http" and scope["path"] == "/ping" and scope["method"] in ("GET", "HEAD")
        await (PlainTextResponse("Ok.\n") if is_ping else self._app)(scope, receive, send)
