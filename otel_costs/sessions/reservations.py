"""Limits, and what calls under way may cost: it is reserved before they are sent, until their cost is counted."""

import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Final, Literal, Self

from otel_costs.runtime import telemetry
from otel_costs.sessions.dollars import money
from otel_costs.usage.numbers import EXACT
from otel_costs.values import sanitize

WARNING: Final = Decimal("0.8")
"""The fraction of a limit from which on a warning says how much of it is spent, once."""

Unpriced = Literal["refuse", "allow"]


def unpriced_given(value: object) -> Unpriced | None:
    """Return what is to become of calls without a price, as an application gives it. Raises ValueError."""
    if value is None or value == "refuse" or value == "allow":
        return value
    raise ValueError(f"unpriced is {value!r}: give 'refuse' or 'allow'")


_ZERO: Final = Decimal(0)


class BudgetExceeded(Exception):  # noqa: N818  the name is the public contract
    """Raised instead of sending a call: a budget that it counts in is spent, or reserved for calls under way.

    `budget` names the budget (`session 'a'`, `user 'u' in a month`). `session_id` is the session's, None for a budget
    of the store. `budget_usd` is the limit, None where the call was refused because it has no price. `spent_usd` is
    what was spent of it, and `reserved_usd` what calls under way may cost. Amounts are Decimal.
    """

    def __init__(
        self,
        session_id: str | None,
        budget_usd: Decimal | None,
        spent_usd: Decimal,
        reserved_usd: Decimal = _ZERO,
        budget: str | None = None,
        why: str | None = None,
    ) -> None:
        self.session_id, self.budget_usd, self.spent_usd, self.reserved_usd = (
            session_id, budget_usd, spent_usd, reserved_usd,
        )  # fmt: skip
        self.budget = budget or f"session {session_id!r}"
        self._why = why
        super().__init__(f"{self.budget} {why or self._spent()}")

    def _spent(self) -> str:
        return f"has spent ${self.spent_usd:f}" + ("" if self.budget_usd is None else self._of())

    def _of(self) -> str:
        return f" of its budget of ${self.budget_usd:f}"

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        given = (self.session_id, self.budget_usd, self.spent_usd, self.reserved_usd, self.budget, self._why)
        return type(self), given


# One lock for all, since a fork must be able to renew it, and since a call reserves in several limits or in none.
# Reentrant: a finalizer may make a call anywhere.
_lock = threading.RLock()


def budgets_lock() -> AbstractContextManager[object]:
    """Return the lock that the sums of all limits are changed under; a forked child has a new one."""
    return _lock


_dropped: deque["Reservation"] = deque()
"""Reservations that were dropped: their finalizer may run in the middle of anything, and only notes them."""


class Limit:
    """What may be spent, what was, what calls under way have used so far, and what they may cost beside that.

    `limit_usd` None is no limit: then only a call without a price may be refused. `soft`: it warns and refuses nothing.
    """

    has_notes = False
    """Whether what a call under way notes in the ledger is counted in `spent_usd` before it has ended."""

    def __init__(
        self,
        label: str,
        *,
        session_id: str | None = None,
        limit_usd: Decimal | None = None,
        spent_usd: Decimal = _ZERO,
        soft: bool = False,
        unpriced: Unpriced = "allow",
    ) -> None:
        """`label` names the limit in the log; that of a session has its id too."""
        self.label, self.session_id = label, session_id
        self.limit_usd, self.spent_usd, self.soft, self.unpriced = limit_usd, spent_usd, soft, unpriced
        self._reserved_usd = self._used_usd = _ZERO
        self._under_way = 0
        self._process = telemetry.process
        self._warned_usd: Decimal | None = None
        self._warned_over_usd: Decimal | None = None

    @property
    def under_way(self) -> int:
        """How many calls have a reservation; those of the parent of a forked process are not in it."""
        if self._process is not telemetry.process:
            self._process, self._under_way = telemetry.process, 0
            self._reserved_usd = self._used_usd = _ZERO
        return self._under_way

    @property
    def so_far_usd(self) -> Decimal:
        """What was spent, and what calls under way have used so far, as sessions that are billed by the second do."""
        return EXACT.add(self.spent_usd, self._used_usd) if self.under_way else self.spent_usd

    @property
    def reserved_usd(self) -> Decimal:
        """What calls under way may cost, beside what they have used so far."""
        return self._reserved_usd if self.under_way else _ZERO

    @property
    def left_usd(self) -> Decimal | None:
        """What is left beside what was spent; below 0 where it is over, None where there is no limit."""
        return None if self.limit_usd is None else EXACT.subtract(self.limit_usd, self.so_far_usd)

    @property
    def free_usd(self) -> Decimal | None:
        """What is left beside what was spent and what calls under way may cost; None where there is no limit."""
        left_usd = self.left_usd
        return None if left_usd is None else EXACT.subtract(left_usd, self.reserved_usd)

    def add(self, usd: Decimal) -> None:
        """Count what was spent, and say once that 80 % are."""
        self.spend(usd)
        self.warn()

    def spend(self, usd: Decimal) -> None:
        """Count what was spent."""
        with _lock:
            self.spent_usd = EXACT.add(self.spent_usd, usd)

    def warn(self) -> None:
        """Log once that 80 % are spent."""
        limit_usd, spent_usd = self.limit_usd, self.so_far_usd
        if limit_usd is None or self._warned_usd == limit_usd:
            return
        if spent_usd >= EXACT.multiply(limit_usd, WARNING):
            self._warned_usd = limit_usd
            self._log_spent(spent_usd, limit_usd)

    def _log_spent(self, spent_usd: Decimal, limit_usd: Decimal) -> None:
        message = "[COST] %s has spent $%s of its budget of $%s"
        telemetry.log.warning(message, sanitize.printable(self.label), money(spent_usd), money(limit_usd))

    def refusal(self, usd: Decimal, used_usd: Decimal = _ZERO) -> BudgetExceeded | None:
        """Return why a call that costs `usd` at most may not be sent; None if it may.

        `used_usd` is what one that goes on has used already. One may always, whatever it costs, when no other is under
        way and something is left.
        """
        left_usd = self.left_usd
        if left_usd is None:
            return None
        left_usd = EXACT.subtract(left_usd, used_usd)
        if left_usd <= 0:
            return self.exceeded(used_usd=used_usd)
        if self.under_way and EXACT.add(self._reserved_usd, usd) > left_usd:
            so_far_usd = EXACT.add(self.so_far_usd, used_usd)
            return self.exceeded(
                f"has spent ${so_far_usd:f} of its budget of ${self.limit_usd:f}: calls under way may cost"
                f" ${self._reserved_usd:f}, and the next one, of up to ${usd:f}, does not fit",
                used_usd,
            )
        return None

    def check(self) -> None:
        """Raise BudgetExceeded if all of it is spent, and it is not soft."""
        if not self.soft and (left_usd := self.left_usd) is not None and left_usd <= 0:
            raise self.exceeded()

    def exceeded(self, why: str | None = None, used_usd: Decimal = _ZERO) -> BudgetExceeded:
        """Return the exception of a call that is not sent, or goes on no more; `why` None says that all is spent."""
        budget = self.label if self.session_id is None else None
        so_far_usd = EXACT.add(self.so_far_usd, used_usd)
        return BudgetExceeded(self.session_id, self.limit_usd, so_far_usd, self.reserved_usd, budget, why)

    def overrun(self) -> None:
        """Log once of a soft limit that calls go on although it is spent."""
        if self._warned_over_usd != self.limit_usd:
            self._warned_over_usd = self.limit_usd
            self._log_spent(self.so_far_usd, self.limit_usd or _ZERO)

    def hold(self, usd: Decimal, used_usd: Decimal = _ZERO) -> None:
        """Reserve for a call, which has used so much already; the lock is held."""
        self._under_way = self.under_way + 1
        self._reserved_usd = EXACT.add(self._reserved_usd, usd)
        self._used_usd = EXACT.add(self._used_usd, used_usd)

    def let_go(self, usd: Decimal, used_usd: Decimal = _ZERO) -> None:
        """Give back what a call has reserved, and what it had used; the lock is held."""
        if self.under_way:
            self._under_way -= 1
            self._reserved_usd = EXACT.subtract(self._reserved_usd, usd) if self._under_way else _ZERO
            self._used_usd = EXACT.subtract(self._used_usd, used_usd) if self._under_way else _ZERO


class Reservation:
    """What one call may cost, in each limit that it counts in: it is released once, at the latest when it is dropped.

    `kind` is the kind of call, and `bounded` whether it can cost no more than `usd`.
    """

    __slots__ = ("__weakref__", "_limits", "_noted_usd", "_process", "_used_usd", "bounded", "kind", "usd")

    def __init__(self, limits: Sequence[Limit], usd: Decimal, kind: object = None, *, bounded: bool = False) -> None:
        self._limits, self._process = limits, telemetry.process
        self._used_usd = self._noted_usd = _ZERO
        self.usd, self.kind, self.bounded = usd, kind, bounded

    def release(self) -> None:
        """Give back what is reserved; the second time, and in a forked child, nothing."""
        with _lock:
            self._let_go()

    def renew(
        self, limits: Sequence[Limit], usd: Decimal, used_usd: Decimal = _ZERO, noted_usd: Decimal = _ZERO
    ) -> list[BudgetExceeded]:
        """Reserve `usd` for a call that goes on, in the place of what was; return why it does not fit, if so.

        It has used `used_usd` so far, of which `noted_usd` are in the ledger. They are counted, and `usd` is reserved,
        in any case: it is under way. Soft limits warn, and are no reason.
        """
        with _lock:
            release_dropped()
            self._let_go()
            self.usd, self._used_usd, self._noted_usd = usd, used_usd, noted_usd
            asked = [(limit, limit.refusal(usd, self._used_in(limit))) for limit in limits]
            over = [(limit, error) for limit, error in asked if error is not None]
            for limit in limits:
                limit.hold(usd, self._used_in(limit))
            self._limits, self._process = limits, telemetry.process
        for limit in limits:
            limit.warn()
        for limit, _ in over:
            if limit.soft:
                limit.overrun()
        return [error for limit, error in over if not limit.soft]

    def _let_go(self) -> None:
        limits, self._limits = self._limits, ()
        if self._process is telemetry.process:
            for limit in limits:
                limit.let_go(self.usd, self._used_in(limit))

    def _used_in(self, limit: Limit) -> Decimal:
        return EXACT.subtract(self._used_usd, self._noted_usd) if limit.has_notes else self._used_usd

    def __del__(self) -> None:
        if self._limits:
            _dropped.append(self)


def reserve(
    limits: Sequence[Limit],
    usd: Decimal,
    kind: object = None,
    *,
    bounded: bool = False,
    refusing: bool = True,
) -> Reservation:
    """Reserve what a call may cost in `limits`; raise BudgetExceeded, and reserve nothing, where it does not fit.

    `refusing` False is a call that has begun already: it is under way, whatever is left.
    """
    with _lock:
        release_dropped()
        over = [(limit, error) for limit in limits if refusing and (error := limit.refusal(usd)) is not None]
        for limit, error in over:
            if not limit.soft:
                raise error
        for limit in limits:
            limit.hold(usd)
    for limit, _ in over:
        limit.overrun()
    return Reservation(limits, usd, kind, bounded=bounded)


def release_dropped() -> None:
    """Release the reservations that are not referred to any more."""
    while _dropped:
        _dropped.popleft().release()


def _renew() -> None:
    global _lock
    _lock = threading.RLock()
    _dropped.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
