"""What every request passes first: its rights, its size, and its path, which stays as it was written.

A session's id may hold a slash, a newline, or end in `.json`. So endpoints see paths percent-encoded, and decode the
ids themselves.
"""

import logging
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from otel_costs.web.access import Access, RefusedError
from otel_costs.web.answer import failed
from otel_costs.web.context import RIGHTS

_logger: Final = logging.getLogger("otel_costs")

BODY_BYTES: Final = 8 * 2**20
"""The largest body that is read."""

_DISCARDED: Final = 64 * 2**20


class Entrance:
    """ASGI middleware before `app`, for requests that have `access`. Call `close` when the server begins to stop."""

    def __init__(self, app: ASGIApp, access: Access, close: Callable[[], None]) -> None:
        self._app = app
        self._access = access
        self.close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401, 403, 413 or, for a fault of our own, 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(send, has_body=scope["method"] != "HEAD")
        try:
            await self._pass_on(scope, _Limited(receive), answering)
        except Exception as error:  # noqa: BLE001
            # A traceback's text may hold what was sent.
            _logger.error("a request failed: %s", type(error).__name__)
            if not answering.has_begun:
                await failed(500, "the request failed for a reason of the server's own")(scope, receive, answering)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            rights = await self._access.rights(request)
        except RefusedError as error:
            challenge = {"WWW-Authenticate": 'Basic realm="otel-costs"'} if error.status == 401 else None
            await failed(error.status, str(error), challenge)(scope, receive, send)
            return
        except HTTPException as error:  # of the host's own function
            await failed(error.status_code, str(error.detail), error.headers)(scope, receive, send)
            return
        inner = {**scope, **_as_written(scope), RIGHTS: rights}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        await self._app(inner, receive, send)


class _Answering:
    """`send`, which knows whether the answer has begun, and leaves the body out of one to HEAD."""

    def __init__(self, send: Send, *, has_body: bool) -> None:
        self._send = send
        self._has_body = has_body
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        if message["type"] == "http.response.body" and not self._has_body:
            message = {**message, "body": b""}
        await self._send(message)


class _Limited:
    """`receive`, which raises HTTPException for a body that is too large, when it is over."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._size = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > BODY_BYTES:
            # A client that is still sending does not read the answer: it is let to end, within reason.
            while message.get("more_body", False) and self._size < _DISCARDED:
                message = await self._receive()
                self._size += len(message.get("body", b""))
            raise HTTPException(413, f"the body is larger than {BODY_BYTES:,} bytes")
        return message


def _as_written(scope: Scope) -> dict[str, str]:
    """Return the path of a request as it was written, percent-encoded, below where the application is mounted."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    below = path[len(root) :] if root and path.startswith(root) else path
    raw = (scope.get("raw_path") or b"").partition(b"?")[0].decode("ascii", "replace")
    place = quote(root, safe="/!$&'()*+,;=:@~")
    written = raw.removeprefix(place) if raw.startswith(place) else quote(below, safe="/")
    return {"path": root + written, "root_path": root}
