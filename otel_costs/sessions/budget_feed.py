"""The budgets of the store, asked for in the background at a report app: no call waits for the answer.

`OTEL_COSTS_BUDGETS` is the app's address, `OTEL_COSTS_BUDGETS_TOKEN` its token, and `OTEL_COSTS_BUDGETS_FAIL` says
whether calls go on (`open`) or are refused (`closed`) while the budgets are not known. Nothing of it is instrumented.
"""

import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry import context
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY, _SUPPRESS_INSTRUMENTATION_KEY

from otel_costs import semconv as names
from otel_costs.runtime import telemetry
from otel_costs.runtime.fork_gate import ForkGate
from otel_costs.runtime.no_redirects import NoRedirects
from otel_costs.sessions.reservations import BudgetExceeded
from otel_costs.values.loopback import is_loopback

PATH: Final = "/api/v1/budgets/enforced"

PAUSE_S: Final = 2.0
"""Seconds between two requests."""

STALE_S: Final = 30.0
"""How old an answer may be where `closed` is set, in seconds."""

FIRST_S: Final = 1.0
"""How long after the beginning calls wait for the first answer where `closed` is set, in seconds."""

_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class StoredBudget:
    """A budget as the store has it; `limit_usd` has what was left of the period before in it."""

    scope: str
    name: str
    period: str
    starts_s: float
    ends_s: float
    limit_usd: Decimal
    spent_usd: Decimal
    soft: bool


Update = Callable[[Iterable[StoredBudget], int], None]


class _Feed:
    """The requests of one process to one address."""

    def __init__(self, address: str, token: str | None, *, closed: bool, update: Update) -> None:
        self.closed, self.process = closed, telemetry.process
        self._url = f"{address.rstrip('/')}{PATH}?process={self.process.id}"
        self._headers = {"User-Agent": "otel-costs", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._update, self._etag = update, ""
        self._stopped, self.first = threading.Event(), threading.Event()
        self._known_at, self.begun_at = float("-inf"), time.monotonic()
        local = is_loopback(urlsplit(address).hostname or "")
        without = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(NoRedirects(), *without)
        self._gate = ForkGate()

    def knows(self) -> bool:
        """Whether the last answer is not stale."""
        return time.monotonic() - self._known_at < STALE_S

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="otel_costs:budgets").start()

    def stop(self) -> None:
        self._stopped.set()
        self.first.set()

    def _run(self) -> None:
        quiet = context.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True)
        context.attach(context.set_value(_SUPPRESS_HTTP_INSTRUMENTATION_KEY, True, quiet))
        while not self._stopped.is_set():
            self._ask()
            self.first.set()
            self._stopped.wait(PAUSE_S * random.uniform(0.8, 1.2))  # noqa: S311  # those that start together spread

    def _ask(self) -> None:
        try:
            with self._gate:
                answer = self._answer()
            if answer is not None:
                seen_seq = int(answer.get("seen_seq") or 0)
                self._update([_stored_budget(row) for row in answer["budgets"]], seen_seq)
            self._known_at = time.monotonic()
        except Exception as error:  # noqa: BLE001  # a thread of ours must not end with a traceback in the application
            problem = f"status {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
            telemetry.warn_once(
                f"budgets:{problem}",
                "The budgets of the store are not known now (%s at the address in %s): calls %s.",
                problem,
                names.ENV_BUDGETS,
                "are refused" if self.closed else "go on by what was known",
            )

    def _answer(self) -> Any:
        """Return what is answered; None where it is what was answered before."""
        headers = {**self._headers, "If-None-Match": self._etag} if self._etag else self._headers
        try:
            with self._opener.open(urllib.request.Request(self._url, headers=headers), timeout=_TIMEOUT_S) as response:  # noqa: S310
                raw = response.read(_MAX_BYTES + 1)
                if len(raw) > _MAX_BYTES:
                    raise http.client.HTTPException("too large")
                found = json.loads(raw)
                self._etag = response.headers.get("ETag", "")
                return found
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.client.NOT_MODIFIED:
                return None
            raise


_feed: _Feed | None = None


def start(update: Update) -> bool:
    """Ask at the address that the environment names, and return whether it names one. `update` gets the answers."""
    global _feed
    stop()
    address = os.environ.get(names.ENV_BUDGETS, "").strip()
    if address in ("", "off"):
        return False
    if not urlsplit(address).hostname or urlsplit(address).scheme not in ("http", "https"):
        telemetry.log.warning("%s must be the address of a report app, such as http://host:8123.", names.ENV_BUDGETS)
        return False
    mode = os.environ.get(names.ENV_BUDGETS_FAIL, "").strip().lower() or "open"
    if mode not in ("open", "closed"):
        telemetry.log.warning("%s must be open or closed; it is taken for open.", names.ENV_BUDGETS_FAIL)
    token = os.environ.get(names.ENV_BUDGETS_TOKEN, "").strip() or None
    _feed = _Feed(address, token, closed=mode == "closed", update=update)
    _feed.start()
    return True


def ensure(update: Update) -> None:
    """Ask in this process, too, if it is a forked one: the thread is its parent's."""
    if _feed is not None and _feed.process is not telemetry.process:
        start(update)


def stop() -> None:
    """Ask no more."""
    global _feed
    if _feed is not None:
        _feed.stop()
    _feed = None


def wait(timeout_s: float) -> None:
    """Wait for the first answer, or for the first request that failed."""
    if _feed is not None:
        _feed.first.wait(timeout_s)


def refusal() -> BudgetExceeded | None:
    """Return why no call may be sent while the budgets are not known; None where calls go on, or they are known."""
    feed = _feed
    if feed is None or not feed.closed or feed.knows():
        return None
    feed.first.wait(max(0.0, feed.begun_at + FIRST_S - time.monotonic()))
    if feed.knows():
        return None
    why = f"are not known: there is no answer at the address in {names.ENV_BUDGETS}, and calls are refused meanwhile"
    return BudgetExceeded(None, None, Decimal(0), budget="the budgets of the store", why=why)


def service() -> str:
    """Return the name of this program, as its records have it."""
    provider: Any = telemetry.current().global_or_given()[2]
    found = getattr(getattr(provider, "_resource", None), "attributes", {}).get(names.SERVICE_NAME)
    return found if isinstance(found, str) else ""


def _stored_budget(row: Any) -> StoredBudget:
    return StoredBudget(
        row["scope"],
        row["name"],
        row["period"],
        datetime.fromisoformat(row["period_start"]).timestamp(),
        datetime.fromisoformat(row["period_end"]).timestamp(),
        Decimal(row["limit_usd"]),
        Decimal(row["spent_usd"]),
        bool(row["soft"]),
    )
