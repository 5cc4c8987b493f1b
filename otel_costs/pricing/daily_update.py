"""Prices that a long-lived process fetches by itself, once a day, where OTEL_COSTS_PRICES_UPDATE says so.

In a thread of its own: no call waits for it, and a process that is forked has none. What is worse than what is here is
refused, as `otel-costs prices update` refuses it, and the prices that are here hold.
"""

import hashlib
import importlib
import logging
import os
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from otel_costs import pricing, semconv
from otel_costs.pricing import updates
from otel_costs.runtime.fork_gate import ForkGate

_DAILY: Final = "daily"
_DAY: Final = timedelta(days=1)
_RETRY: Final = timedelta(hours=1)
_SPREAD_S: Final = 600.0  # programs that start together do not ask together

_log: Final = logging.getLogger(semconv.SCOPE)
_stop = threading.Event()
_gate: Final = ForkGate()


def start() -> None:
    """Begin to update once a day if the environment asks for that; a process has one thread for it."""
    global _stop
    asked = os.environ.get(semconv.ENV_PRICES_UPDATE, "").strip().lower()
    if asked in ("", "off"):
        return
    if asked != _DAILY:
        _log.warning("%s must be %s, or off.", semconv.ENV_PRICES_UPDATE, _DAILY)
        return
    # Here and not in the thread: a fork in the middle of an import leaves the child with its lock.
    importlib.import_module("otel_costs.pricing.price_update")
    hashlib.sha256()  # the first digest of a process holds a lock of OpenSSL's for milliseconds
    stop()
    _stop = threading.Event()
    threading.Thread(target=_run, args=(_stop,), daemon=True, name="otel_costs:prices").start()


def stop() -> None:
    """Have the thread end, at the latest after what it is fetching."""
    _stop.set()


def due(now: datetime) -> timedelta:
    """Return how long the stored prices are good for: nothing, if they are a day old or there are none."""
    fetched_at = updates.read().fetched_at(updates.BASE)
    return max(timedelta(), min(_DAY, fetched_at + _DAY - now)) if fetched_at else timedelta()


def update() -> bool:
    """Fetch, store and use what is new; return whether that went well. Never raises."""
    from otel_costs.pricing import price_update  # noqa: PLC0415  # most programs fetch nothing

    try:
        found = price_update.prepare()
        found.store()
        if found.changes:
            pricing.reload()
    except Exception as error:  # noqa: BLE001  # a thread of ours must not end with a traceback in the application
        is_ours = isinstance(error, (updates.PriceUpdateError, pricing.PriceFileError))
        reason = str(error) if is_ours else type(error).__name__
        _log.warning("The prices were not updated, and those that are here hold: %s", reason)
        return False
    return True


def _run(stopped: threading.Event) -> None:
    with _gate:
        wait = due(datetime.now(UTC))
    while not stopped.wait(wait.total_seconds() + random.uniform(0, _SPREAD_S) * bool(wait)):  # noqa: S311
        with _gate:
            if (wait := due(datetime.now(UTC))) > timedelta():
                continue  # another process has done it
            wait = _DAY if update() else _RETRY
