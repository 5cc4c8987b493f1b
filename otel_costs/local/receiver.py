"""What both OTLP receivers do with a request: read it, store it, and only then say so."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from otel_costs.local import otlp, rows
from otel_costs.local.ingest import PENDING_BYTES, Ingest, UnavailableError

WAITING: Final = 4096
"""Requests that wait at the same time to be read and stored; more are told to come again."""

_TABLES = {otlp.Signal.LOGS: "otel_logs", otlp.Signal.TRACES: "otel_traces"}


class Receiver:
    """Stores the bodies of OTLP requests. Metrics are read and dropped: there is no table for them."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._waiting = [0, 0]  # requests, and bytes of them
        # One thread: the work holds the interpreter's lock, and the loop must stay free to answer.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="otel-costs-otlp")

    async def receive(self, signal: otlp.Signal, body: bytes, content_type: str = otlp.PROTOBUF) -> int:
        """Return how many records were refused, once all others are stored.

        Raises otlp.MalformedError for what is no request, ingest.UnavailableError when it cannot be stored now.
        """
        if self._waiting[0] >= WAITING or self._waiting[1] + len(body) > max(PENDING_BYTES, len(body)):
            raise UnavailableError("too many records wait to be stored")
        self._count(1, len(body))
        try:
            read = asyncio.get_running_loop().run_in_executor(self._reader, _read, signal, body, content_type)
            lines = await read
            if not lines:
                return 0
            return await asyncio.wrap_future(self._ingest.submit(_TABLES[signal], lines))
        finally:
            self._count(-1, -len(body))

    def _count(self, requests: int, size: int) -> None:
        self._waiting[0] += requests
        self._waiting[1] += size

    def close(self) -> None:
        """Let the reading thread go."""
        self._reader.shutdown(wait=False)


def _read(signal: otlp.Signal, body: bytes, content_type: str) -> list[bytes]:
    request = otlp.decode(signal, body, content_type)
    if signal is otlp.Signal.LOGS:
        return rows.of_logs(request.resource_logs)
    if signal is otlp.Signal.TRACES:
        return rows.of_traces(request.resource_spans)
    return []
