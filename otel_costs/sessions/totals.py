"""What the sessions of this process have used and cost so far."""

import os
import threading
from collections import OrderedDict
from decimal import Decimal
from typing import Final
from weakref import WeakValueDictionary

from otel_costs.sessions.reservations import Limit
from otel_costs.usage import NOTHING, Usage
from otel_costs.usage.numbers import EXACT

SESSIONS_KEPT: Final = 10_000
"""Sessions that are not open, whose totals are kept: one that is opened again goes on counting."""

# One lock for all, since a fork must be able to renew it. Reentrant: a finalizer may open a session anywhere.
_lock = threading.RLock()
_known: WeakValueDictionary[str, "Totals"] = WeakValueDictionary()
_recent: OrderedDict[str, "Totals"] = OrderedDict()


class Totals:
    """The sums of one session. Its calls are added as they are written."""

    def __init__(self) -> None:
        self.cost_usd = Decimal(0)
        self.calls = 0
        self.unpriced_calls = 0
        self.usage = NOTHING
        self.limit: Limit | None = None
        """What it may spend, in USD; None where no limit was set."""

    def add(self, usage: Usage | None, cost_usd: Decimal | None) -> None:
        """Count one call; None is what is not known of it."""
        with _lock:
            self.calls += 1
            if cost_usd is None:
                self.unpriced_calls += 1
            else:
                self.cost_usd = EXACT.add(self.cost_usd, cost_usd)
                if self.limit is not None:
                    self.limit.spend(cost_usd)
            if usage is not None:
                self.usage += usage

    def limited(self, session_id: str) -> Limit:
        """Return the limit, which has one from now on: what was spent before counts in it."""
        with _lock:
            if self.limit is None:
                self.limit = Limit(f"Session {session_id}", session_id=session_id, spent_usd=self.cost_usd)
            return self.limit


def of(session_id: str) -> Totals:
    """Return the totals of a session, the same ones wherever it is open."""
    with _lock:
        totals = _known.get(session_id)
        if totals is None:
            totals = _known[session_id] = Totals()
        _recent[session_id] = totals
        _recent.move_to_end(session_id)
        if len(_recent) > SESSIONS_KEPT:
            _recent.popitem(last=False)
        return totals


def forget() -> None:
    """Forget the sessions; those that are open go on with what they have."""
    with _lock:
        _known.clear()
        _recent.clear()


def _renew() -> None:
    # Totals are of one process: what the parent spent is in the parent's own.
    global _lock
    _lock = threading.RLock()
    forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
