"""A store that is connected to by its address, when it is asked first, and again after it was away."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from otel_costs.store import connect
from otel_costs.store.rows import store_errors
from otel_costs.web.store import NoWriterError, Result

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PLACES: Final = 8
"""Questions that are asked at the same time; others wait."""

_TIME_S: Final = 60

_NO_WRITER: Final = (
    "this application reads only: give it the address of the store with a user who may write (writer_dsn,"
    " or --writer-dsn)"
)


class ConnectedStore:
    """The store at `dsn`, and the same at `writer_dsn`, with a user who may write, if there is one."""

    def __init__(self, dsn: str | None, writer_dsn: str | None = None) -> None:
        self._reader = _Clients(dsn)
        self._writer = None if writer_dsn is None else _Clients(writer_dsn)

    @property
    def refused_records(self) -> int | None:
        """Not known: refusals are reported to the sender of records."""
        return None

    async def ask(self, request: Request | None, job: "Callable[[Client], Result]") -> Result:  # noqa: ARG002
        """See Store."""
        return await self._reader.run(job)

    async def change(self, request: Request | None, job: "Callable[[Client], Result]") -> Result:  # noqa: ARG002
        """See Store."""
        return await self._writing().run(job)

    async def insert(self, lines: Sequence[bytes]) -> None:
        """See Store."""
        await self._writing().run(lambda client: _insert(client, lines))

    def _writing(self) -> "_Clients":
        if self._writer is None:
            raise NoWriterError(_NO_WRITER)
        return self._writer


class _Clients:
    """Threads with a client each: none is for two at the same time."""

    def __init__(self, dsn: str | None) -> None:
        self._dsn = dsn
        self._own = local()
        self._threads = ThreadPoolExecutor(PLACES, thread_name_prefix="otel-costs-web")

    async def run(self, job: "Callable[[Client], Result]") -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: job(self._client()))

    def _client(self) -> "Client":
        if not hasattr(self._own, "client"):
            client = connect(self._dsn)
            client.set_client_setting("max_execution_time", str(_TIME_S))
            self._own.client = client
        found: Client = self._own.client
        return found


def _insert(client: "Client", lines: Sequence[bytes]) -> None:
    # On the disk before it is acknowledged, whatever the store is set to do.
    settings = {"async_insert": 0, "max_partitions_per_insert_block": 0}
    with store_errors("cannot store the calls"):
        client.raw_insert("otel_logs", insert_block=b"\n".join(lines), fmt="JSONEachRow", settings=settings)
