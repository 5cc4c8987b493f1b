"""missing_calls: the gaps in a process's numbers, and nothing that is merely late."""

from datetime import timedelta
from typing import Any

from .ledger import NOON, PROCESS, LogRow, Store, call, job, only

OTHER = "beef" + "0" * 28


def numbered(*numbers: int, process: str = PROCESS) -> list[LogRow]:
    """Return records of a process that have these numbers."""
    return [
        call(NOON + timedelta(seconds=n), otel_costs__process__id=process, otel_costs__call__seq=n) for n in numbers
    ]


def gaps(store: Store) -> list[tuple[Any, ...]]:
    """Return the gaps, in order."""
    found = store.ask("select * from missing_calls order by process_id, first_seq")
    return only(found, "process_id", "first_seq", "last_seq", "missing_count")


def settle(store: Store) -> None:
    """Let twenty minutes pass, after which a gap is no longer a delay: what came is taken out and put in again."""
    store.client.command("create table earlier as call_sequences")
    store.client.command(
        "insert into earlier select * replace (arrived - interval 20 minute as arrived) from call_sequences"
    )
    store.client.command("truncate table call_sequences")
    store.client.command("insert into call_sequences select * from earlier")
    store.client.command("drop table earlier")


def test_gaps_are_found(store: Store) -> None:
    """One row per gap: at the beginning, one call, several calls; each process has numbers of its own."""
    store.insert(*numbered(2, 3, 5, 9), *numbered(1, 2, 3, process=OTHER))
    settle(store)
    assert gaps(store) == [(PROCESS, 1, 1, 1), (PROCESS, 4, 4, 1), (PROCESS, 6, 8, 3)]


def test_nothing_is_missing(store: Store) -> None:
    """Whole sequences, out of order and many times over, have no gap."""
    store.insert(*numbered(3, 1))
    store.insert(*numbered(2, 3, 2))
    settle(store)
    store.insert(*numbered(1, 2, 3))
    assert gaps(store) == []


def test_what_is_late_is_not_missing_yet(store: Store) -> None:
    """A gap shows a quarter of an hour after a later call came, and goes when its call comes after all."""
    store.insert(*numbered(1, 2, 5))
    assert gaps(store) == []
    settle(store)
    assert gaps(store) == [(PROCESS, 3, 4, 2)]
    store.insert(*numbered(3, 4))
    assert gaps(store) == []


def test_a_process_that_goes_on_has_old_gaps_only(store: Store) -> None:
    """New numbers, with new gaps between them, wait their time; the old gap stays."""
    store.insert(*numbered(1, 3))
    settle(store)
    store.insert(*numbered(4, 7))
    assert gaps(store) == [(PROCESS, 2, 2, 1)]


def test_copies_of_a_job_leave_no_gap(store: Store) -> None:
    """Every look at a job has a number, though the job is one call."""
    store.insert(
        *[
            job(NOON, session=f"s{n % 2}", otel_costs__process__id=PROCESS, otel_costs__call__seq=n)
            for n in (1, 2, 3, 4)
        ]
    )
    settle(store)
    assert gaps(store) == []


def test_a_gap_says_where_and_when(store: Store) -> None:
    """The service, when it was noticed and from when to when the process was heard of."""
    store.insert(*numbered(1, 3))
    settle(store)
    row = store.one("select * from missing_calls")
    assert (row["service"], row["first_time"], row["last_time"]) == (
        "shop",
        NOON + timedelta(seconds=1),
        NOON + timedelta(seconds=3),
    )
    assert row["noticed_at"] == store.one("select min(arrived) as arrived from call_sequences")["arrived"]


def test_an_old_process_has_no_beginning_to_miss(store: Store) -> None:
    """What came before the oldest that is kept was forgotten, not lost."""
    old = NOON - timedelta(days=28)
    store.insert(*[call(old, otel_costs__process__id=PROCESS, otel_costs__call__seq=n) for n in (1000, 1001, 1003)])
    settle(store)
    assert gaps(store) == [(PROCESS, 1002, 1002, 1)]
