"""The events of a store as they happen, for any number of clients, by one poll of the store at a time.

While a client watches, the store is polled in pauses; each poll makes events, which all clients get. The last of them
are kept, so that a client that comes back gets what came meanwhile.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, Final

from otel_costs.store import StoreError, live
from otel_costs.store.periods import zone
from otel_costs.store.rendering import as_json
from otel_costs.store.rows import Row
from otel_costs.web.store import Store, UnavailableError

_logger: Final = logging.getLogger("otel_costs")

PAUSE_S: Final = 1.0
"""Seconds between two looks."""

STREAM_S: Final = 25.0
"""Seconds that a stream lasts: a browser opens the next one, and a server that is to stop waits no longer."""

_KEPT: Final = 200  # events
_ALONE_S: Final = 30.0  # that polls go on without a client
_OVERLAP: Final = timedelta(seconds=10)  # an insert is seen when it is done, and has the time of its beginning
_UNDER_WAY: Final = timedelta(minutes=5)  # since its last call, a session is


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its number, its name and its data, as a browser's EventSource reads it."""

    number: int
    written: bytes


class Feed:
    """The events of a store."""

    def __init__(self, store: Store, *, pause_s: float = PAUSE_S, stream_s: float = STREAM_S) -> None:
        self._store = store
        self._pause_s, self._stream_s = pause_s, stream_s
        self._id = token_hex(4)  # another process counts its events otherwise
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._number = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_watched = 0.0
        self._watching = 0
        self._closed = False
        self._state: dict[str, Any] = {}
        """The last data of events that a new client needs."""

    def close(self) -> None:
        """End all streams, and the looks: the server stops."""
        self._closed = True
        self._changed.set()

    async def stream(self, last: str | None) -> AsyncIterator[bytes]:
        """Yield events, behind the one with the id `last`; without one first how things are."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._stream_s
        self._watching += 1
        try:
            if self._task is None or self._task.done():
                self._task = asyncio.ensure_future(self._run())
            yield b"retry: 1000\n\n"
            after = self._place(last)
            if after is None:
                after = self._number
                for name, data in self._state.items():
                    yield self._written(after, name, data)
            while True:
                for event in [one for one in self._events if one.number > after]:
                    after = event.number
                    yield event.written
                changed = self._changed
                if (left := until - loop.time()) <= 0 or self._closed:
                    return
                try:
                    async with asyncio.timeout(min(left, 10)):
                        await changed.wait()
                except TimeoutError:
                    yield b":\n\n"  # a proxy closes what is silent
        finally:
            self._watching -= 1
            self._last_watched = loop.time()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        watch = _Watch()
        while not self._closed and (self._watching or loop.time() - self._last_watched < _ALONE_S):
            try:
                found = await self._store.ask(None, watch.poll)
            except (StoreError, UnavailableError, ValueError) as error:
                watch = _Watch()  # what came meanwhile is in the totals, and in no event
                self._publish("trouble", {"error": str(error)})
            except Exception as error:  # noqa: BLE001 - the next poll has its own try
                _logger.error("a look at the store failed: %s", type(error).__name__)
            else:
                self._state.pop("trouble", None)
                for name, data in found:
                    self._publish(name, data)
            await asyncio.sleep(self._pause_s)
        self._state.clear()
        self._events.clear()

    def _publish(self, name: str, data: Any) -> None:
        if name != "calls":
            if self._state.get(name) == data:
                return
            self._state[name] = data
        self._number += 1
        self._events.append(Event(self._number, self._written(self._number, name, data)))
        self._changed.set()
        self._changed = asyncio.Event()

    def _written(self, number: int, name: str, data: Any) -> bytes:
        return f"id: {self._id}.{number}\nevent: {name}\ndata: {as_json(data)}\n\n".encode()

    def _place(self, last: str | None) -> int | None:
        """Return the number of the event with this id, if all behind it are still there."""
        feed_id, _, number = (last or "").partition(".")
        if feed_id != self._id or not number.isdecimal() or len(number) > 15:
            return None
        first = self._events[0].number if self._events else self._number + 1
        return int(number) if first - 1 <= int(number) <= self._number else None


class _Watch:
    """What was seen of a store until now."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._known: dict[tuple[str, int], datetime] = {}
        self._under_way: dict[str, datetime] = {}

    def poll(self, client: Any) -> list[tuple[str, Any]]:
        """Return the events since the last poll, by their names. Raises StoreError."""
        now = live.now(client)
        begins = self._since is None
        after = now - _UNDER_WAY if self._since is None else self._since - _OVERLAP
        fresh = [row for row in live.calls(client, after) if (row["call_id"], row["revision"]) not in self._known]
        self._since = now
        self._remember(fresh, now)
        ended = self._ended(now)
        found: list[tuple[str, Any]] = []
        if fresh and not begins:
            found.append(("calls", {"calls": fresh[::-1]}))
        if fresh or begins or ended:
            found.append(("sessions", {"sessions": live.sessions(client, list(self._under_way))}))
        found.append(("totals", live.today(client, zone())) if fresh or begins else ("", None))
        return [one for one in found if one[0]]

    def _remember(self, fresh: Sequence[Row], now: datetime) -> None:
        for row in fresh:
            self._known[row["call_id"], row["revision"]] = now
            if row["session_id"]:
                # By when its calls were made: what was imported or told later is not under way.
                before = self._under_way.get(row["session_id"], row["end_time"])
                self._under_way[row["session_id"]] = max(row["end_time"], before)
        self._known = {key: before for key, before in self._known.items() if now - before < 2 * _UNDER_WAY}

    def _ended(self, now: datetime) -> bool:
        """Forget the sessions that are not under way any more; return whether there were any."""
        before = len(self._under_way)
        self._under_way = {name: at for name, at in self._under_way.items() if now - at < _UNDER_WAY}
        return len(self._under_way) < before
