"""Budgets as programs get them: one query of the store for all requests within a second."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from otel_costs.store import budgets
from otel_costs.store.rows import Row
from otel_costs.web.store import Store

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FRESH_S: Final = 1.0
"""How old an answer may be."""

_SHARE: Final = 2
"""An answer is good for at least so many times as long as the store took for it."""

_ASKING_S: Final = 60.0
"""A process that did not ask for so long is not asked for."""

MOST: Final = 10_000
"""Budgets that are told: the fullest ones."""


class EnforcedBudgets:
    """What the budgets of a store are, with which of a process's calls are in it."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, asyncio.Lock()
        self._asking: dict[str, float] = {}
        self._last_seqs: Mapping[str, int] = {}
        self._rows: Sequence[Row] = ()
        self._good_until = float("-inf")

    async def for_process(self, process_id: str | None) -> tuple[dict[str, Any], str]:
        """Return the budgets for a process, and a tag that changes when they do. Raises StoreError.

        `seen_seq` is the number of the last of its calls that the sums have; 0 where that is not known.
        """
        loop = asyncio.get_running_loop()
        if process_id:
            self._asking[process_id] = loop.time()
        async with self._lock:
            if loop.time() >= self._good_until:
                await self._poll(loop)
        found = {"seen_seq": self._last_seqs.get(process_id or "", 0), "budgets": self._rows}
        return found, hashlib.sha256(repr(found).encode()).hexdigest()[:32]

    async def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        begun = loop.time()
        self._asking = {one: at for one, at in self._asking.items() if begun - at < _ASKING_S}
        asking = list(self._asking)

        def read(client: "Client") -> tuple[Mapping[str, int], Sequence[Row]]:
            # The numbers first: what they say has come is in the sums, then.
            return budgets.last_seqs(client, asking), budgets.enforced(client, MOST)

        self._last_seqs, self._rows = await self._store.ask(None, read)
        ended = loop.time()
        self._good_until = ended + max(FRESH_S, _SHARE * (ended - begun))
