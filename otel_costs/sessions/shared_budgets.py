"""Budgets of the store as this process knows them: the sums of the store, and what it spent itself since."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from otel_costs import semconv as names
from otel_costs.runtime import telemetry
from otel_costs.sessions import budget_feed
from otel_costs.sessions.reservations import Limit, budgets_lock
from otel_costs.usage.numbers import EXACT

_KEPT: Final = 10_000
"""Calls of one budget that are kept apart until the store has them; of more, the oldest are added up."""

_ZERO: Final = Decimal(0)

_LABELS: Final = {"all": "everybody"}


@dataclass(slots=True)
class _Own:
    """What a call of this process has cost, by its number in the ledger and when that was."""

    seq: int
    at_s: float
    usd: Decimal


class SharedLimit(Limit):
    """A budget of the store: `spent_usd` is what it had, and what this process has spent that it had not yet."""

    has_notes = True

    def __init__(self, budget: budget_feed.StoredBudget) -> None:
        owner = _LABELS.get(budget.scope) or f"{budget.scope} {budget.name!r}"
        super().__init__(f"{owner} in a {budget.period}")
        self._own: deque[_Own] = deque()
        self._stored_usd = _ZERO
        self._ends_s = budget.ends_s
        self._owner = telemetry.process
        self.update(budget, 0)

    def update(self, budget: budget_feed.StoredBudget, seen_seq: int) -> None:
        """Update the limit from the store, whose sums have this process's calls up to number `seen_seq`."""
        with budgets_lock():
            self.limit_usd, self.soft = budget.limit_usd, budget.soft
            self._disown()
            self._stored_usd, self._ends_s = budget.spent_usd, budget.ends_s
            self._forget(lambda one: one.seq <= seen_seq or one.at_s < budget.starts_s)
        self.warn()

    def count(self, usd: Decimal, seq: int) -> None:
        """Count what a call of this process has cost."""
        with budgets_lock():
            self._disown()
            self._own.append(_Own(seq, time.time(), usd))
            if len(self._own) > _KEPT:
                oldest = self._own.popleft()
                self._own[0] = _Own(self._own[0].seq, self._own[0].at_s, EXACT.add(oldest.usd, self._own[0].usd))
        self.add(usd)  # and warn

    @property
    def left_usd(self) -> Decimal | None:
        """What is left. Where the period is over and the next one is not known yet, nothing of that is spent."""
        if time.time() >= self._ends_s:
            with budgets_lock():
                ended_s, self._ends_s, self._stored_usd = self._ends_s, float("inf"), _ZERO
                self._forget(lambda one: one.at_s < ended_s)
        return super().left_usd

    def _disown(self) -> None:
        """Forget the calls of the process that this one was forked from: it counts them itself."""
        if self._owner is not telemetry.process:
            self._owner = telemetry.process
            self._forget(lambda _: True)

    def _forget(self, is_over: Callable[[_Own], bool]) -> None:
        self._own = deque(one for one in self._own if not is_over(one))
        total = self._stored_usd
        for one in self._own:
            total = EXACT.add(total, one.usd)
        self.spent_usd = total


is_on = False
"""Whether this process is to know the budgets of the store."""

_Key = tuple[str, str]

_limits: dict[_Key, dict[str, SharedLimit]] = {}
"""By scope and name, then by period."""


def limits_of(identity: Mapping[str, Any], provider: str | None, model: str | None) -> Iterator[Limit]:
    """Yield the budgets that a call counts in. Raises BudgetExceeded where they are not known, and that stops calls."""
    budget_feed.ensure(_update)
    if (unknown := budget_feed.refusal()) is not None:
        raise unknown
    yield from _found(identity, provider, model)


def count(identity: Mapping[str, Any], provider: str | None, model: str | None, usd: Decimal, seq: int) -> None:
    """Count what a call has cost, by its number in the ledger, until the store says that it has it."""
    for limit in _found(identity, provider, model):
        limit.count(usd, seq)


def wait() -> None:
    """Wait for the first answer of the store, a second at most."""
    budget_feed.ensure(_update)
    budget_feed.wait(budget_feed.FIRST_S)


def start() -> None:
    """Begin to ask for the budgets of the store, where the environment names an address."""
    global is_on
    is_on = budget_feed.start(_update)


def stop() -> None:
    """Ask no more, and forget what was told."""
    global is_on
    is_on = False
    budget_feed.stop()
    _limits.clear()


def _found(identity: Mapping[str, Any], provider: str | None, model: str | None) -> Iterator[SharedLimit]:
    known = _limits
    if known:
        for key in _keys(identity, provider, model):
            yield from known.get(key, _NONE).values()


_NONE: Final[dict[str, SharedLimit]] = {}


def _keys(identity: Mapping[str, Any], provider: str | None, model: str | None) -> Iterator[_Key]:
    yield "all", ""
    yield "service", budget_feed.service()
    if model:
        yield "model", model
        yield "model", f"{provider}/{model}"
    for name, value in identity.items():
        if name == names.USER_ID:
            yield "user", value
        elif name == names.SCENARIO:
            yield "scenario", value
        elif name.startswith(names.TAG_PREFIX):
            yield "tag", f"{name.removeprefix(names.TAG_PREFIX)}={value}"


def _update(found: Iterable[budget_feed.StoredBudget], seen_seq: int) -> None:
    """Update all limits from the budgets of the store; those that it no longer names are removed."""
    global _limits
    before, after = _limits, dict[_Key, dict[str, SharedLimit]]()
    for budget in found:
        key = budget.scope, budget.name
        limit = before.get(key, _NONE).get(budget.period)
        if limit is None:
            limit = SharedLimit(budget)
        else:
            limit.update(budget, seen_seq)
        after.setdefault(key, {})[budget.period] = limit
    _limits = after
