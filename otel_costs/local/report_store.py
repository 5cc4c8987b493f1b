"""The embedded store as the API asks it: within the limits that reports have, and written to as records come in."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from threading import local
from typing import TYPE_CHECKING

import clickhouse_connect
from starlette.requests import Request

from otel_costs.local import ingest, limits
from otel_costs.local.ingest import Ingest
from otel_costs.local.limits import Queries
from otel_costs.local.state import State
from otel_costs.store import StoreError
from otel_costs.store.embedded import Engine, EngineError
from otel_costs.web.store import Result, UnavailableError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class ReportStore:
    """The store of `engine`. A request that its port accepts may write to it."""

    def __init__(
        self,
        engine: Engine,
        queries: Queries,
        ingest: Ingest,
        state: State,
        gone: Callable[[Request], Awaitable[object]],
    ) -> None:
        self._connect = partial(clickhouse_connect.get_client, interface="chdb", path=str(engine.path))
        self._queries, self._ingest, self._state, self._gone = queries, ingest, state, gone
        self._own = local()

    @property
    def refused_records(self) -> int | None:
        """See otel_costs.web.store.Store."""
        return self._ingest.refused

    async def ask(self, request: Request | None, job: "Callable[[Client], Result]") -> Result:
        """See otel_costs.web.store.Store."""
        kind = limits.REPORT
        left = asyncio.Event().wait() if request is None else self._gone(request)
        try:
            return await self._queries.run(kind, kind.time_s, partial(self._run, job), left)
        except EngineError as error:
            self._state.failed(error)
            raise UnavailableError(error.message) from error
        except RuntimeError as error:  # its threads take nothing more
            raise UnavailableError("the server is stopping") from error

    async def change(self, request: Request | None, job: "Callable[[Client], Result]") -> Result:
        """See otel_costs.web.store.Store."""
        return await self.ask(request, job)

    async def insert(self, lines: Sequence[bytes]) -> None:
        """See otel_costs.web.store.Store."""
        try:
            refused = await asyncio.wrap_future(self._ingest.submit("otel_logs", lines))
        except ingest.UnavailableError as error:
            raise UnavailableError(str(error)) from error
        if refused:
            raise StoreError(f"the store refused {refused} of {len(lines)} records for what they hold")

    def _run(self, job: "Callable[[Client], Result]", mark: str) -> Result:
        if not hasattr(self._own, "client"):
            self._own.client = self._connect()
        client: Client = self._own.client
        for name, value in limits.REPORT.settings({}, mark).items():
            client.set_client_setting(name, value)
        return job(client)
