"""uvicorn for one of several ports, without places for clients that do not send a whole request.

Every connection may be idle or half sent for a time. When there are too many connections, the one that has been so for
longest makes way.
"""

import asyncio
from contextlib import nullcontext
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from otel_costs.local.options import STOP_S

HEAD_S: Final = 10.0
"""Seconds from the first byte of a request, or from the opening of a connection, to the end of the headers."""

CONNECTIONS: Final = 512
"""Connections of a port at the same time."""


class Server(uvicorn.Server):
    """uvicorn, for one of several ports: the signals are not its own."""

    def __init__(self, application: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,  # longer than clients keep a connection, so that they close it
                timeout_graceful_shutdown=int(STOP_S / 2),
            )
        )

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        """Leave signals to the process that runs all ports."""
        return nullcontext()


class _Connection(H11Protocol):
    """One connection, closed when the headers of a request do not come whole in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._since = 0.0  # when it last began to wait for a request, or got one

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room for it among the others."""
        if len(self.connections) >= CONNECTIONS:
            self._make_way()
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read on; the time for the headers is over once they are whole."""
        request = self.cycle
        super().data_received(data)
        if self.cycle is not request:
            self._stop_waiting()
            self._since = self.loop.time()
        elif self._is_idle and self._deadline is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Return whether no request is under way whose headers are whole."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _is_unfinished(self) -> bool:
        """Return whether nothing whole is lost with it."""
        return self._is_idle or self.cycle.more_body

    def _wait_for_head(self) -> None:
        self._since = self.loop.time()
        self._deadline = self.loop.call_later(HEAD_S, self._close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _make_way(self) -> None:
        others = [one for one in self.connections if isinstance(one, _Connection) and one._is_unfinished]
        if others:
            min(others, key=lambda one: one._since).transport.abort()
