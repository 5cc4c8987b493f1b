"""The policy of the ports: no request without the token where there is one, and none of a page of another origin.

A page in the user's browser can send requests to loopback, and by DNS rebinding under a name of its own. So on
loopback the Host header must name loopback, and a request that a page of another origin made is refused.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from otel_costs.web.access import Policy

_logger: Final = logging.getLogger("otel_costs")


class Authentication:
    """ASGI middleware that holds requests to a `Policy`. `public` paths need no token."""

    def __init__(self, app: ASGIApp, policy: Policy, public: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._policy = policy
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 or 403."""
        answer: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if scope["type"] == "http":
            answer = self._refusal(scope) or self._app
        try:
            await answer(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - a traceback's text may hold what was sent
            _logger.error("a request failed: %s", type(error).__name__)
            await PlainTextResponse("The request failed for a reason of the server's own.\n", 500)(scope, receive, send)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if not self._policy.is_own_host(headers):
            return _refuse(403, "the Host header must be localhost, 127.0.0.1 or [::1]")
        if not self._policy.is_own_origin(scope, headers):
            return _refuse(403, "requests from web pages of another origin are refused")
        if scope["path"] not in self._public and not self._policy.knows(headers):
            return _refuse(401, "this server wants its token: as Authorization: Bearer, or as password")
        return None


def _refuse(status: int, text: str) -> ASGIApp:
    headers = {"WWW-Authenticate": 'Basic realm="otel-costs"', "X-ClickHouse-Exception-Code": "516"}
    return PlainTextResponse(f"{text}\n", status, headers if status == 401 else None)
