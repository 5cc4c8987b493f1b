"""ClickHouse's HTTP interface: what curl, clickhouse-connect and clickhouse-go (the collector's exporter, Grafana) use.

https://clickhouse.com/docs/interfaces/http. Not here: sessions (`session_id` is accepted and means nothing), progress
headers, external tables.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from otel_costs.chargeback.rules import Allocation
from otel_costs.local import body, compression, handlers, limits, query, snapshots
from otel_costs.local.auth import Authentication
from otel_costs.local.guard import ForbiddenError
from otel_costs.local.ingest import Ingest
from otel_costs.local.limits import Queries
from otel_costs.local.query import Query, Result, Runner
from otel_costs.local.report_store import ReportStore
from otel_costs.local.sql_guard import SeveralStatementsError, UnreadableError
from otel_costs.local.state import State
from otel_costs.store.embedded import Engine, EngineError
from otel_costs.web.access import HostAccess, Policy
from otel_costs.web.application import application, serves
from otel_costs.web.page_settings import PageSettings
from otel_costs.web.pages import is_browser

_CONTENT_TYPES: Final = {
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONObjectEachRow": "application/json; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}
_HEADER_NAME: Final = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_HEADER_VALUE: Final = re.compile(r"[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?|")
_FRAMING: Final = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding", "upgrade"})
_STATUSES: Final = {
    **dict.fromkeys((6, 26, 27, 36, 38, 41, 43, 44, 53, 62, 69, 70, 72, 117, 130, 131), 400),
    **dict.fromkeys((167, 168, 306, 452, 456, 457), 400),
    **dict.fromkeys((164, 497), 403),
    **dict.fromkeys((16, 46, 47, 50, 56, 60, 73, 81, 115), 404),
    159: 408,
    48: 501,
    **dict.fromkeys((202, 243, 252), 503),
}


class _NoHandler(PlainTextResponse):
    """Says that no endpoint that is defined in SQL is for a request."""


class Interface:
    """The interface over `engine`, into which `ingest` writes; `memory` is for bodies, `settings` are those of pages.

    `allocation`: rules that say whose spend is.
    """

    def __init__(
        self,
        engine: Engine,
        memory: body.BodyMemory,
        state: State,
        ingest: Ingest,
        settings: PageSettings,
        allocation: Allocation | None = None,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._state = state
        self._ingest = ingest
        self._runner = Runner(engine)
        self._queries = Queries(partial(limits.end, engine))
        # A request that has passed the policy of the port may read and write everything by SQL, too.
        self._web = application(
            ReportStore(engine, self._queries, ingest, state, _gone),
            HostAccess(content=True, write=True),
            settings=settings,
            allocation=allocation,
        )
        self._closed = False

    def application(self, policy: Policy) -> Starlette:
        """Make the application."""
        routes = [
            Route("/ping", self.ping, methods=["GET"]),
            Route("/state", self.state, methods=["GET"]),
            Route(snapshots.PATH, self.snapshot, methods=["POST"]),
            Route("/", self.root, methods=["GET", "POST"]),
        ]
        made = Starlette(
            routes=routes, middleware=[Middleware(Authentication, policy=policy, public=frozenset({"/ping"}))]
        )
        # Not a route: its pattern for any path knows no newline, and a session's id may have one.
        made.router.default = self._rest
        return made

    def end_streams(self) -> None:
        """End the answers that would last: the server stops."""
        self._web.close()

    def close(self) -> None:
        """Give up the queries that run or wait."""
        self._closed = True
        self._queries.close()
        self._engine.execute("KILL QUERY WHERE query_kind = 'Select' ASYNC")

    async def ping(self, _request: Request) -> Response:
        """Answer that all is well only while records are stored."""
        trouble = self._ingest.trouble
        return PlainTextResponse(f"{trouble}\n", 503) if trouble else PlainTextResponse("Ok.\n")

    async def state(self, request: Request) -> Response:
        """Answer what `State` knows."""
        kind = limits.REPORT
        return await self._in_class(kind, kind.time_s, lambda _mark: JSONResponse(self._state.report()), _gone(request))

    async def snapshot(self, _request: Request) -> Response:
        """Make a snapshot of the tables between two inserts, and tell its name: exactly what was acknowledged."""
        kind = limits.WORK
        # Not given up with the client: what is begun is finished, in milliseconds.
        return await self._in_class(kind, kind.time_s, lambda _mark: snapshots.answer(self._engine), _never())

    async def root(self, request: Request) -> Response | ASGIApp:
        if request.method != "POST" and "query" not in request.query_params:
            if is_browser(request):
                return self._web
            return PlainTextResponse("Ok.\n")
        async with self._memory.share() as share:
            return await self._root(request, share)

    async def _root(self, request: Request, share: body.BodyShare) -> Response:
        try:
            asked = await query.read(request, share)
        except ClientDisconnect:
            return Response(status_code=400)
        except (body.SlowError, body.NoMemoryError) as error:
            status, code = (408, 209) if isinstance(error, body.SlowError) else (503, limits.TOO_MANY_QUERIES)
            response = self._failed(status, code, str(error))
            response.headers["Connection"] = "close"
            return response
        except compression.TooLargeError as error:
            return self._failed(413, 307, str(error))
        except (compression.UnreadableError, ValueError) as error:
            return self._failed(400, 33, str(error))
        kind = limits.class_of(request.headers.get("user-agent", ""), brings_data=asked.brings_data)
        left = _gone(request) if asked.only_reads else asyncio.Event().wait()
        return await self._answer(request, kind, kind.seconds(asked.settings), left, lambda: asked)

    async def handler(self, request: Request) -> Response:
        raw_path = request.scope["raw_path"].decode("ascii", "replace")
        kind = limits.REPORT
        parameters = dict(request.query_params)
        return await self._answer(
            request,
            kind,
            kind.time_s,
            _gone(request),
            lambda: handlers.find(self._engine, request.method, raw_path, parameters),
        )

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is for no port of ClickHouse's: reports, and endpoints that are defined in SQL."""
        answering: ASGIApp = self._web
        if not serves(scope["path"]):
            request = Request(scope, receive)
            found = await self.handler(request)
            is_lost = isinstance(found, _NoHandler) and request.method == "GET" and is_browser(request)
            # A browser that asks for a page there gets one that leads on.
            answering = self._web if is_lost else found
        await answering(scope, receive, send)

    async def _answer(
        self,
        request: Request,
        kind: limits.QueryClass,
        time_s: float,
        left: Coroutine[Any, Any, object],
        find: Callable[[], Query | None],
    ) -> Response:
        """Run what `find` gives, within `time_s`, unless its client has `left`."""
        return await self._in_class(kind, time_s, partial(self._perform, request, kind, find), left)

    async def _in_class(
        self,
        kind: limits.QueryClass,
        time_s: float,
        perform: Callable[[str], Response],
        left: Coroutine[Any, Any, object],
    ) -> Response:
        try:
            return await self._queries.run(kind, time_s, perform, left)
        except EngineError as error:
            self._state.failed(error)
            return self._failed(_STATUSES.get(error.code, 500), error.code, error.message)
        except (asyncio.CancelledError, RuntimeError):
            if not self._closed:
                raise
            return self._failed(503, 236, "The server is stopping")

    def _perform(
        self, request: Request, kind: limits.QueryClass, find: Callable[[], Query | None], mark: str
    ) -> Response:
        try:
            asked = find()
            if asked is None:
                return _NoHandler(f"There is no handler for {request.method} {request.url.path}.\n", 404)
            return self._write(request, asked, self._runner.run(asked, kind.settings(asked.settings, mark)))
        except ForbiddenError as error:
            return self._failed(403, 497, str(error))
        except (SeveralStatementsError, UnreadableError) as error:
            return self._failed(400, 62, str(error))

    def _write(self, request: Request, asked: Query, result: Result) -> Response:
        content, encoding = result.content, ""
        if request.query_params.get("compress") == "1":
            content = b"".join(compression.frame(content))
        elif request.query_params.get("enable_http_compression", "1") != "0":
            content, encoding = compression.compress(content, request.headers.get("accept-encoding", ""))
        headers = self._headers(asked, result)
        headers = {name: value for name, value in headers.items() if _is_sendable(name, value)}
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(content, headers=headers)

    def _headers(self, asked: Query, result: Result) -> dict[str, str]:
        return {
            "Content-Type": _CONTENT_TYPES.get(result.format, "text/plain; charset=UTF-8"),
            "X-Content-Type-Options": "nosniff",
            "X-ClickHouse-Format": result.format,
            "X-ClickHouse-Query-Id": asked.query_id or str(uuid.uuid4()),
            "X-ClickHouse-Server-Display-Name": self._runner.display_name,
            "X-ClickHouse-Summary": json.dumps({"written_rows": str(result.written_rows)}),
            "X-ClickHouse-Timezone": self._runner.timezone,
            **asked.headers,
        }

    def _failed(self, status: int, code: int, message: str) -> Response:
        text = message if message.startswith("Code: ") else f"Code: {code}. DB::Exception: {message}."
        headers = {"X-ClickHouse-Exception-Code": str(code), "X-ClickHouse-Timezone": self._runner.timezone}
        return PlainTextResponse(f"{text} (version {self._runner.version})\n", status, headers)


def _is_sendable(name: str, value: str) -> bool:
    """Return whether a header of a query or a handler can be sent. How the body is sent is not theirs to say."""
    return name.lower() not in _FRAMING and bool(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value))


async def _never() -> None:
    await asyncio.Event().wait()


async def _gone(request: Request) -> None:
    """Wait until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
