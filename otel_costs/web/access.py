"""The rights of a request: by its token, the page that it came from, and what the host program grants it."""

import base64
import binascii
import hmac
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Scope

from otel_costs.values.loopback import is_loopback
from otel_costs.web import page_paths

_logger: Final = logging.getLogger("otel_costs")

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Right = bool | Callable[[Request], bool | Awaitable[bool]]
"""Whether a request may do something: the same for all, or what a function of the request says."""

Who = Callable[[Request], str | Awaitable[str]]
"""Says whose request it is."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a request may do, beside reading what calls cost: read what was said, and write.

    `who` is the user of the request, for the log of reads of content.
    """

    content: bool
    write: bool
    who: str = ""


class RefusedError(Exception):
    """A request may not do what it asks for; the message says what it would need.

    `status` is 401 or 403, or 500 where it is not known what it may do.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Policy:
    """What a request must show. `token` None: nothing; `loopback`: the ports are bound to loopback."""

    token: str | None
    loopback: bool

    def knows(self, headers: Headers) -> bool:
        """Return whether the request brings the token: as bearer, as ClickHouse's key or as basic password."""
        return self.token is None or any(self.is_token(offer) for offer in offers(headers))

    def is_token(self, offer: str) -> bool:
        """Compare in constant time."""
        return self.token is None or hmac.compare_digest(offer.encode(), self.token.encode())

    def is_own_host(self, headers: Headers) -> bool:
        """Return whether the Host header can only be that of a client that meant this server."""
        if not self.loopback:
            return True
        try:
            name = urlsplit("//" + headers.get("host", "")).hostname
        except ValueError:  # no host has such a name
            return False
        return is_loopback(name or "")

    def is_own_origin(self, scope: Scope, headers: Headers) -> bool:
        """Return whether no web page made the request, or one of ours did."""
        if (origin := headers.get("origin")) is not None:
            return _is_host_of(origin, headers)
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        # A link to a page is harmless: it has no data in it. With a suffix or a statement it would be something else.
        is_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        page = page_paths.find(scope["path"]) if is_link and "text/html" in headers.get("accept", "") else None
        return page is not None and page.form is None and "query" not in QueryParams(scope["query_string"])


class Access(Protocol):
    """The access to an application."""

    async def rights(self, request: Request) -> Rights:
        """Return what a request may do. Raises RefusedError, and HTTPException of a host's own."""
        ...


@dataclass(frozen=True, slots=True)
class HostAccess:
    """The access to a mounted application: for requests with the `token`, or for all that its host lets through.

    `content` and `write`: a bool, or a function of the request that returns one, or awaits it. `who`: a function of the
    request that returns, or awaits, the user's name for the log of reads of content.
    """

    token: str | None = None
    content: Right = False
    write: Right = False
    who: Who | None = None

    async def rights(self, request: Request) -> Rights:
        """Return what a request may do. Raises RefusedError."""
        if not Policy(self.token, loopback=False).knows(request.headers):
            raise RefusedError(401, "this server wants its token: as Authorization: Bearer, or as password")
        check_origin(request)
        content = await _granted("content", self.content, request)
        write = await _granted("write", self.write, request)
        return Rights(content, write, await self._who(request) if content else "")

    async def _who(self, request: Request) -> str:
        if self.who is None:
            return "anybody" if self.token is None else "token"
        found = self.who(request)
        return str(await found if inspect.isawaitable(found) else found)


def check_origin(request: Request) -> None:
    """Raise RefusedError for a request that a web page of another origin made, to write something."""
    if request.method not in _SAFE_METHODS and not _is_own_page(request.headers):
        raise RefusedError(403, "a web page of another origin may not write")


def offers(headers: Headers) -> list[str]:
    """Return what a request brings that may be a token."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    found = [headers.get("x-clickhouse-key", "")]
    if scheme.lower() == "bearer":
        found.append(value.strip())
    if scheme.lower() == "basic":
        found.append(_password(value))
    return found


async def _granted(name: str, right: Right, request: Request) -> bool:
    """Return whether the host grants a right. Raises RefusedError where its function fails, and its HTTPException."""
    try:
        found = right(request) if callable(right) else right
        return bool(await found if inspect.isawaitable(found) else found)
    except HTTPException:
        raise
    except PermissionError:
        raise RefusedError(403, f"the program refuses this request, by its function {name}=") from None
    except Exception as error:  # noqa: BLE001  # whatever it is, nothing is granted
        # Its text, and a traceback's, may hold what the request brought.
        kind = type(error).__name__
        _logger.error("the function %s= that the program gave to otel_costs.web.app failed: %s", name, kind)
        message = f"the program's function {name}=, which says what a request may do, failed; its log names the error"
        raise RefusedError(500, message) from None


def _is_own_page(headers: Headers) -> bool:
    """Return whether a browser sent the request for a page of the same origin, or no browser did.

    No page can forge either header. A proxy may change Host, so that what the browser says of itself comes first.
    """
    if (site := headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or _is_host_of(origin, headers)


def _is_host_of(origin: str, headers: Headers) -> bool:
    try:
        return urlsplit(origin).netloc == headers.get("host", "")
    except ValueError:  # an origin that no browser writes
        return False


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
