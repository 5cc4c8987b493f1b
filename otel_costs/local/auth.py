"""Who may speak to the ports: nobody without the token where there is one, and no web page of another origin ever.

A page in the user's browser can send requests to loopback, and by DNS rebinding under a name of its own. So on
loopback the Host header must name loopback, and a request that a page of another origin made is refused.
"""

import base64
import binascii
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_logger: Final = logging.getLogger("otel_costs")

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Policy:
    """What a request must show. `token` None: nothing; `loopback`: the ports are bound to loopback."""

    token: str | None
    loopback: bool

    def knows(self, headers: Headers) -> bool:
        """Say whether the request brings the token: as bearer, as ClickHouse's key or as basic password."""
        return self.token is None or any(self.is_token(offer) for offer in _offers(headers))

    def is_token(self, offer: str) -> bool:
        """Compare in constant time."""
        return self.token is None or hmac.compare_digest(offer.encode(), self.token.encode())

    def is_own_host(self, headers: Headers) -> bool:
        """Say whether the Host header can only have come from who meant this server."""
        if not self.loopback:
            return True
        name = urlsplit("//" + headers.get("host", "")).hostname
        return name in _LOOPBACK_NAMES

    def is_own_origin(self, scope: Scope, headers: Headers) -> bool:
        """Say whether no web page made the request, or one of ours did."""
        if (origin := headers.get("origin")) is not None:
            return urlsplit(origin).netloc == headers.get("host", "")
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        # A link to the page itself is harmless.
        followed = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        return followed and scope["path"] == "/" and not scope["query_string"]


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


def _offers(headers: Headers) -> list[str]:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    offers = [headers.get("x-clickhouse-key", "")]
    if scheme.lower() == "bearer":
        offers.append(value.strip())
    if scheme.lower() == "basic":
        offers.append(_password(value))
    return offers


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _refuse(status: int, text: str) -> ASGIApp:
    headers = {"WWW-Authenticate": 'Basic realm="otel-costs"', "X-ClickHouse-Exception-Code": "516"}
    return PlainTextResponse(f"{text}\n", status, headers if status == 401 else None)
