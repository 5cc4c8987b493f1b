"""GET /sessions and /sessions/{id}: what the reports say, as JSON. Of what is not known, what is known is told.

A ClickHouse server has handlers of the same names, written in SQL (`queries/handlers/`), with what those can do.
"""

from collections.abc import Callable, Iterable, Mapping
from threading import local
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from otel_costs.local import compression
from otel_costs.store import StoreError, reports
from otel_costs.store.periods import moment, period
from otel_costs.store.rendering import as_json

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PATH: Final = "/sessions"
LIMIT: Final = 50
MOST: Final = 1000
"""How many sessions a page has if nothing is said, and at most."""

KNOWN: Final = ("user", "scenario", "range", "from", "to", "limit", "cursor")
_TAG: Final = "tag."
_NAMED: Final = f"{', '.join(KNOWN)} and {_TAG}NAME"
# How a ClickHouse server's handlers are given a parameter.
_PREFIX: Final = "param_"


class ParameterError(ValueError):
    """A parameter that is none, or has a value that it cannot have; the message says what can be asked."""


class SessionApi:
    """The two endpoints, over clients that `connect` opens: one for each thread, for none is for two."""

    def __init__(self, connect: "Callable[[], Client]") -> None:
        self._connect = connect
        self._own = local()

    def serves(self, raw_path: str) -> bool:
        """Say whether a path, still percent-encoded, is one of them."""
        return raw_path == PATH or raw_path.startswith(f"{PATH}/")

    def respond(self, request: Request, raw_path: str, limits: Mapping[str, str]) -> Response:
        """Answer, within `limits`, which are settings of the engine. Blocks while the store is asked."""
        for name, value in limits.items():
            self._client.set_client_setting(name, value)
        if request.method not in ("GET", "HEAD"):
            return _response(
                request, {"error": f"{request.method} is not for {PATH}: use GET"}, 405, {"Allow": "GET, HEAD"}
            )
        given = request.query_params.multi_items()
        try:
            if raw_path == PATH:
                return _response(request, reports.sessions(self._client, **asked(given)))
            return self._session(request, unquote(raw_path.removeprefix(f"{PATH}/")), given)
        except ValueError as error:
            return _response(request, {"error": str(error)}, 400)
        except StoreError as error:
            return _response(request, {"error": str(error)}, 500)

    @property
    def _client(self) -> "Client":
        if not hasattr(self._own, "client"):
            self._own.client = self._connect()
        client: Client = self._own.client
        return client

    def _session(self, request: Request, session_id: str, given: Iterable[tuple[str, str]]) -> Response:
        if names := [name for name, _ in given]:
            raise ParameterError(f"unknown parameter {names[0]!r}: {PATH}/ID has none")
        found = reports.session(self._client, session_id)
        if found is None:
            return _response(request, {"error": f"there is no session {session_id!r}; GET {PATH} lists them"}, 404)
        return _response(request, found)


def asked(given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return what `reports.sessions` is asked, of the parameters of a URL. Raises ParameterError."""
    found: dict[str, str] = {}
    for written, value in given:
        name = written.removeprefix(_PREFIX)
        if name not in KNOWN and not (name.startswith(_TAG) and len(name) > len(_TAG)):
            raise ParameterError(f"unknown parameter {written!r}; known are {_NAMED}")
        if name in found:
            raise ParameterError(f"{written!r} is given twice")
        found[name] = value
    tags = {name.removeprefix(_TAG): value for name, value in found.items() if name.startswith(_TAG)}
    since, until = _bounds(found)
    return {
        "user": found.get("user"),
        "scenario": found.get("scenario"),
        "tags": tags or None,
        "since": since,
        "until": until,
        "limit": _limit(found.get("limit")),
        "cursor": found.get("cursor") or None,
    }


def _bounds(found: Mapping[str, str]) -> tuple[Any, Any]:
    try:
        if "range" not in found:
            first, last = found.get("from"), found.get("to")
            return moment(first) if first else None, moment(last, whole_day=True) if last else None
        if "from" in found or "to" in found:
            raise ValueError("give either range, or from and to")
        return period(found["range"])
    except ValueError as error:
        raise ParameterError(str(error)) from None


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST):
        raise ParameterError(
            f"{text!r} is no limit: give 1 to {MOST}, and go on with the cursor that comes with a list"
        )
    return int(text)


def _response(
    request: Request, report: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    content, encoding = compression.compress(
        f"{as_json(report)}\n".encode(), request.headers.get("accept-encoding", "")
    )
    return Response(
        content,
        status,
        {
            "Content-Type": "application/json; charset=UTF-8",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **({"Content-Encoding": encoding} if encoding else {}),
            **(headers or {}),
        },
    )
