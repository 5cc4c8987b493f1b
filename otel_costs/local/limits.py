"""How long a query may take, how much memory it may have, and how many of a kind run at the same time.

Each kind has places of its own, so that none waits for another. The engine ends a query when
its time is over; what it does not end, it is told to, and what does not end even then gives its place back.
"""

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from otel_costs.store.connection import LONG_WORK, REPORTS
from otel_costs.store.embedded import Engine, EngineError, quote

_logger: Final = logging.getLogger("otel_costs")

_Result = TypeVar("_Result")

WAIT_S: Final = 10.0
"""Seconds that a query waits for a place."""

_GRACE_S: Final = 1.0  # in which the engine ends what is over by itself
_END_S: Final = 5.0  # in which what was told to end does so
_STUCK: Final = 8  # threads more than places, for what does not
_MIB: Final = 2**20

MEMORY_SHARE: Final = 0.6
"""The share of the machine's memory that the engine has for everything."""

TIMEOUT_EXCEEDED: Final = 159
TOO_MANY_QUERIES: Final = 202
CONSTRAINT_VIOLATION: Final = 452
_CANCELLED: Final = 394

MARK: Final = "query_cache_tag"
"""The setting by which a query is found in the engine's list: free text, without meaning where nothing is cached."""

OWN: Final = frozenset(
    {"max_execution_time", "max_memory_usage", "max_memory_usage_for_user", "max_result_bytes", "max_threads"}
    | {"max_bytes_before_external_group_by", "max_bytes_before_external_sort", MARK}
    | {"max_temporary_data_on_disk_size_for_query", "max_untracked_memory"}
)
"""Settings that are decided here: a client can ask for less of them, by its URL or in its SQL."""

_CHECKED: Final = OWN - {"max_execution_time"}


@dataclass(frozen=True, slots=True)
class QueryClass:
    """One kind of queries: how many run at the same time, and what each of them may take at most."""

    name: str
    places: int
    time_s: float
    memory_share: float
    result_bytes: int = 512 * _MIB

    def settings(self, asked: Mapping[str, str], mark: str) -> dict[str, str]:
        """Return the settings of a query that is known as `mark` and asked for `asked`: that, where it is less."""
        memory = max(int(self.memory_share * machine_memory()), 256 * _MIB)
        limits = {
            "max_memory_usage": memory,
            "max_result_bytes": self.result_bytes,
            "max_bytes_before_external_group_by": memory // 2,
            "max_bytes_before_external_sort": memory // 2,
            "max_temporary_data_on_disk_size_for_query": 4096 * _MIB,
            "max_untracked_memory": 4 * _MIB,  # a thread's, before it is counted
        }
        found = {name: str(int(_less(asked.get(name), limit))) for name, limit in limits.items()}
        found["max_execution_time"] = str(self.seconds(asked))
        if (threads := asked.get("max_threads")) is not None:
            found["max_threads"] = str(int(_less(threads, 64))) if threads.isdigit() else threads
        return {**{name: value for name, value in asked.items() if name not in OWN}, **found, MARK: mark}

    def seconds(self, asked: Mapping[str, str]) -> float:
        """Return the seconds that a query may take that asked for `asked`."""
        return _less(asked.get("max_execution_time"), self.time_s)


SQL: Final = QueryClass("sql", places=16, time_s=30, memory_share=1 / 16)
"""Queries of any client."""

INSERTS: Final = QueryClass("inserts", places=8, time_s=120, memory_share=1 / 8)
"""Inserts of any client that bring their data, as the collector's exporter does."""

REPORT: Final = QueryClass("reports", places=8, time_s=60, memory_share=1 / 8)
"""The page, the handlers of `queries/handlers/` and the commands that report."""

WORK: Final = QueryClass("work", places=4, time_s=3600, memory_share=1 / 4, result_bytes=4096 * _MIB)
"""Commands that take long: export, reprice, erase, reconcile, schema."""


def class_of(user_agent: str, *, brings_data: bool) -> QueryClass:
    """Return the kind of a query. A client says what it is; the places of a kind are few, so that it gains nothing."""
    first = user_agent.partition(" ")[0]
    if first == LONG_WORK:
        return WORK
    if brings_data:
        return INSERTS
    return REPORT if first == REPORTS else SQL


def check_changes(changes: Iterable[tuple[str, str]], settings: Mapping[str, str]) -> None:
    """Raise EngineError when a statement gives itself more than `settings` do. Its time is watched, whatever it says.

    `changes` are the settings that it names, with their values as text: "" for DEFAULT.
    """
    for name, value in changes:
        setting = name.lower()
        if setting not in _CHECKED:
            continue
        limit = settings.get(setting, "64" if setting == "max_threads" else "0")
        if not value.isdecimal() or not limit.isdecimal() or not 0 < int(value) <= int(limit):
            most = f"at most {limit}" if limit.isdecimal() and limit != "0" else "decided by this server"
            raise _error(CONSTRAINT_VIOLATION, f"{setting} is {most}. (SETTING_CONSTRAINT_VIOLATION)")


class Queries:
    """Runs queries in threads. `end` is given the mark of one that is to end."""

    def __init__(self, end: Callable[[str], object]) -> None:
        self._end = end
        self._ending = ThreadPoolExecutor(2, thread_name_prefix="otel-costs-end")
        self._numbers = itertools.count(1)
        kinds = (SQL, INSERTS, REPORT, WORK)
        self._places = {kind: asyncio.Semaphore(kind.places) for kind in kinds}
        self._threads = {
            kind: ThreadPoolExecutor(kind.places + _STUCK, thread_name_prefix=f"otel-costs-{kind.name}")
            for kind in kinds
        }

    async def run(
        self, kind: QueryClass, time_s: float, job: Callable[[str], _Result], given_up: Awaitable[object]
    ) -> _Result:
        """Run `job`, which gets the mark for its query, and return what it returns.

        It is ended after `time_s`, or when `given_up` is done: its client is gone. Raises what it raises, and
        EngineError when there is no place for it, when its time is over, and when it was given up.
        """
        leaving = asyncio.ensure_future(given_up)
        try:
            async with self._place(kind):
                return await self._run(kind, time_s, job, leaving)
        finally:
            leaving.cancel()

    def close(self) -> None:
        """Accept nothing more, and drop what waits for a thread."""
        for threads in (*self._threads.values(), self._ending):
            threads.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def _place(self, kind: QueryClass) -> AsyncIterator[None]:
        """Wait for a place in `kind`, and give it back. Raises EngineError when there is none in time."""
        try:
            async with asyncio.timeout(WAIT_S):
                await self._places[kind].acquire()
        except TimeoutError:
            taken = f"all {kind.places} places for {kind.name} are taken: ask again. (TOO_MANY_SIMULTANEOUS_QUERIES)"
            raise _error(TOO_MANY_QUERIES, taken) from None
        try:
            yield
        finally:
            self._places[kind].release()

    async def _run(
        self, kind: QueryClass, time_s: float, job: Callable[[str], _Result], leaving: "asyncio.Future[object]"
    ) -> _Result:
        loop = asyncio.get_running_loop()
        mark = f"otel-costs-{next(self._numbers)}"
        running = loop.run_in_executor(self._threads[kind], job, mark)
        either: set[asyncio.Future[Any]] = {running, leaving}
        await asyncio.wait(either, timeout=time_s + _GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        over = not leaving.done()
        until = loop.time() + _END_S
        while not running.done() and loop.time() < until:
            await loop.run_in_executor(self._ending, self._end, mark)
            await asyncio.wait({running}, timeout=0.5)
        if not running.done():
            _logger.warning("a query does not end, %.0f seconds after its time", _END_S)
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
        else:
            with suppress(Exception):
                if not isinstance(running.exception(), EngineError):
                    return running.result()  # it came to its end after all
        what = f"elapsed {time_s:g} s, maximum: {time_s:g} s. (TIMEOUT_EXCEEDED)" if over else "the client is gone"
        raise _error(TIMEOUT_EXCEEDED if over else _CANCELLED, f"Timeout exceeded: {what}" if over else what)


def end(engine: Engine, mark: str) -> None:
    """Have the engine end the query that is known as `mark`, and do not wait for that. Raises EngineError."""
    engine.execute(f"KILL QUERY WHERE Settings['{MARK}'] = {quote(mark)} ASYNC")


@cache
def machine_memory() -> int:
    """Return the bytes of memory that this machine has, or this container."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found.append(int((Path("/sys/fs/cgroup") / name).read_text()))
    return min(found)


def _less(asked: str | None, limit: float) -> float:
    """Return what was asked for if it is a limit at all, and less than `limit`: 0 is none, for the engine."""
    with suppress(ValueError, OverflowError):
        wanted = float(asked or 0)
        if 0 < wanted < limit:
            return wanted
    return limit


def _error(code: int, message: str) -> EngineError:
    return EngineError(code, f"Code: {code}. DB::Exception: {message}")
