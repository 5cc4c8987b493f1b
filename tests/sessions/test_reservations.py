"""What is reserved holds: whatever the order in which calls begin and end, so much is spent, and no more."""

import os
import pickle
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_costs.sessions.reservations import BudgetExceeded, Limit, Reservation, release_dropped, reserve
from tests.support import garbage

CENT = Decimal("0.01")
SCHEDULES = 1_000


@dataclass(frozen=True)
class Begins:
    """A call begins: in the inner session or the outer alone, with what it costs and what is taken for the most."""

    costs: int
    beyond: int
    """Cents by which the estimate is more than the cost; below 0 it is less, where nothing bounds the call."""
    is_inner: bool

    @property
    def expected(self) -> Decimal:
        return max(Decimal(0), CENT * (self.costs + self.beyond))


@dataclass(frozen=True)
class Ends:
    """One of the calls under way ends; it is dropped without a cost where nobody says what it cost."""

    which: int
    is_dropped: bool


def schedules(*, bounded: bool) -> st.SearchStrategy[list[Begins | Ends]]:
    beyond = st.integers(0 if bounded else -20, 20)
    begins = st.builds(Begins, costs=st.integers(0, 20), beyond=beyond, is_inner=st.booleans())
    ends = st.builds(Ends, which=st.integers(0, 50), is_dropped=st.booleans())
    return st.lists(st.one_of(begins, begins, ends), max_size=60)


class Ledger:
    """Two sessions, one in the other, and the calls that are under way in them."""

    def __init__(self, outer: int, inner: int) -> None:
        self.outer = Limit("outer", session_id="outer", limit_usd=CENT * outer)
        self.inner = Limit("inner", session_id="inner", limit_usd=CENT * inner)
        self.open: list[tuple[Begins, Sequence[Limit], Reservation]] = []
        self.at_risk = {id(self.outer): Decimal(0), id(self.inner): Decimal(0)}
        """By limit: what all calls cost that were under way when the last one was let through."""

    def begin(self, call: Begins) -> None:
        limits = (self.inner, self.outer) if call.is_inner else (self.outer,)
        release_dropped()
        before = [(limit.under_way, limit.reserved_usd, limit.spent_usd) for limit in limits]
        fits = [
            (left_usd := limit.left_usd or CENT * 0) > CENT * 0
            and (not under_way or reserved + call.expected <= left_usd)
            for limit, (under_way, reserved, _) in zip(limits, before, strict=True)
        ]
        if not all(fits):
            with pytest.raises(BudgetExceeded) as no:
                reserve(limits, call.expected)
            assert no.value.session_id == limits[fits.index(False)].session_id
            assert before == [(limit.under_way, limit.reserved_usd, limit.spent_usd) for limit in limits]
            return
        self.open.append((call, limits, reserve(limits, call.expected)))
        for limit in limits:
            self.at_risk[id(limit)] = sum((CENT * one.costs for one, its, _ in self.open if limit in its), CENT * 0)

    def end(self, step: Ends) -> None:
        if not self.open:
            return
        call, limits, reservation = self.open.pop(step.which % len(self.open))
        if not step.is_dropped:
            for limit in limits:
                limit.add(CENT * call.costs)
            reservation.release()
            reservation.release()

    def run(self, steps: Sequence[Begins | Ends]) -> None:
        for step in steps:
            if isinstance(step, Begins):
                self.begin(step)
            else:
                self.end(step)
        while self.open:
            self.end(Ends(0, False))
        for limit in (self.inner, self.outer):
            release_dropped()
            assert (limit.under_way, str(limit.reserved_usd)) == (0, "0")


@pytest.mark.long
@settings(max_examples=SCHEDULES, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), schedules(bounded=True))
@example(10, 60, [Begins(20, 0, True), Begins(20, 0, True)])
def test_at_most_one_call_goes_over_where_all_are_bounded(outer: int, inner: int, steps: list[Begins | Ends]) -> None:
    """Whatever is dropped, and whichever session it is in: the inner one's calls count in both."""
    ledger = Ledger(outer, inner)
    ledger.run(steps)
    dearest = max((CENT * step.costs for step in steps if isinstance(step, Begins)), default=Decimal(0))
    for limit in (ledger.inner, ledger.outer):
        assert limit.limit_usd is not None
        assert limit.spent_usd <= limit.limit_usd + dearest


@pytest.mark.long
@settings(max_examples=SCHEDULES, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), schedules(bounded=False))
def test_at_most_the_calls_under_way_go_over_where_they_are_not(
    outer: int, inner: int, steps: list[Begins | Ends]
) -> None:
    """An estimate may be anything: nothing is let through once all is spent."""
    ledger = Ledger(outer, inner)
    ledger.run(steps)
    for limit in (ledger.inner, ledger.outer):
        assert limit.limit_usd is not None
        assert limit.spent_usd <= limit.limit_usd + ledger.at_risk[id(limit)]


def test_one_is_always_let_through() -> None:
    """When none is under way and something is left, whatever it may cost; the second waits for nothing."""
    limit = Limit("Session a", session_id="a", limit_usd=CENT)
    first = reserve((limit,), Decimal(100))
    with pytest.raises(
        BudgetExceeded, match=r"calls under way may cost \$100, and the next one, of up to \$0.01"
    ) as no:
        reserve((limit,), CENT)
    assert (no.value.spent_usd, no.value.reserved_usd, no.value.budget_usd) == (Decimal(0), Decimal(100), CENT)
    again = pickle.loads(pickle.dumps(no.value))
    assert (str(again), again.reserved_usd, again.budget) == (str(no.value), 100, "session 'a'")
    first.release()
    reserve((limit,), CENT).release()


def test_a_soft_limit_warns_once_and_refuses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted all the same."""
    limit = Limit("Session a", session_id="a", limit_usd=CENT, soft=True)
    for _ in range(3):
        reserve((limit,), CENT).release()
        limit.add(CENT)
    assert limit.spent_usd == CENT * 3
    assert [record.getMessage() for record in caplog.records] == [
        "[COST] Session a has spent $0.010000 of its budget of $0.010000",
        "[COST] Session a has spent $0.010000 of its budget of $0.010000",
    ]


def test_what_nobody_holds_is_released(caplog: pytest.LogCaptureFixture) -> None:
    """A call that nobody finishes, for a bug or in a task that is never resumed, holds nothing for ever."""
    limit = Limit("Session a", session_id="a", limit_usd=CENT)
    held = reserve((limit,), CENT)
    cycle = [held]
    cycle.append(cycle)  # type: ignore[arg-type]
    del held, cycle
    garbage.collect()
    reserve((limit,), CENT)
    assert caplog.records == []


def test_threads_lose_nothing() -> None:
    """Sums are the same, whoever comes in between."""
    limit = Limit("Session a", session_id="a", limit_usd=CENT * 100)
    sent: list[int] = []

    def work() -> None:
        for _ in range(200):
            try:
                reservation = reserve((limit,), CENT * 3)
            except BudgetExceeded:
                continue
            sent.append(1)
            limit.add(CENT)
            reservation.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limit.spent_usd == CENT * len(sent)
    assert limit.spent_usd == limit.limit_usd
    assert (limit.under_way, str(limit.reserved_usd)) == (0, "0")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_holds_nothing_for_its_parent() -> None:
    """What was under way when it was forked is its parent's: there it ends, and there it is released."""
    limit = Limit("Session a", session_id="a", limit_usd=CENT)
    held = reserve((limit,), CENT)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            own = reserve((limit,), CENT)
            held.release()
            code = 0 if limit.under_way == 1 and limit.reserved_usd == CENT else 2
            own.release()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert limit.under_way == 1
    held.release()
    assert limit.under_way == 0
