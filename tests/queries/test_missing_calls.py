"""missing_calls: the gaps in a process's numbers, and nothing that is merely late."""

from datetime import timedelta
from typing import Any

import pytest

from .ledger import NOON, PROCESS, LogRow, Store, call, job, only, process_end

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


class TestEndsOfProcesses:
    """What a process lost at its very end: a later one tells how far its numbers went."""

    def test_what_came_after_the_last_that_arrived(self, store: Store) -> None:
        """Up to the number that was told, and no further; other processes are not concerned."""
        store.insert(*numbered(1, 2, 4), process_end(7), *numbered(1, 2, process=OTHER))
        settle(store)
        assert gaps(store) == [(PROCESS, 3, 3, 1), (PROCESS, 5, 7, 3)]

    def test_a_process_of_which_nothing_arrived(self, store: Store) -> None:
        """All of its calls are missing; its name and the time of its last call are those that were told."""
        store.insert(process_end(3, service__name="till"))
        settle(store)
        assert gaps(store) == [(PROCESS, 1, 3, 3)]
        row = store.one("select * from missing_calls")
        assert (row["service"], row["first_time"], row["last_time"]) == ("till", NOON, NOON)

    def test_a_process_that_lost_nothing(self, store: Store) -> None:
        """All arrived: before the telling, with it or after it."""
        store.insert(*numbered(1), process_end(3), *numbered(2))
        settle(store)
        store.insert(*numbered(3))
        assert gaps(store) == []

    def test_it_is_told_many_times(self, store: Store) -> None:
        """By several processes, delivered twice, the older word after the newer one: the highest number counts."""
        store.insert(*numbered(1), process_end(2), process_end(4))
        store.insert(process_end(4), process_end(3))
        settle(store)
        store.insert(process_end(4))
        store.client.command("optimize table call_sequences final")
        assert gaps(store) == [(PROCESS, 2, 4, 3)]

    def test_less_is_told_than_arrived(self, store: Store) -> None:
        """A number that arrived was given, whatever is told; what is between is missing as ever."""
        store.insert(*numbered(1, 2, 5), process_end(3))
        settle(store)
        assert gaps(store) == [(PROCESS, 3, 4, 2)]

    def test_what_is_late_is_not_missing_yet(self, store: Store) -> None:
        """It waits its quarter of an hour from the telling, and goes when the record comes after all."""
        store.insert(*numbered(1))
        settle(store)
        store.insert(process_end(3))
        assert gaps(store) == []
        settle(store)
        assert gaps(store) == [(PROCESS, 2, 3, 2)]
        told = store.one("select min(arrived) as arrived from call_sequences where last_seq > 0")["arrived"]
        assert store.one("select noticed_at from missing_calls") == {"noticed_at": told}
        store.insert(*numbered(3, 2))
        assert gaps(store) == []

    def test_an_old_process_has_nothing_to_miss(self, store: Store) -> None:
        """A file may lie for long: what its process wrote was forgotten meanwhile, not lost."""
        store.insert(process_end(9, NOON - timedelta(days=28)))
        settle(store)
        assert gaps(store) == []

    @pytest.mark.some(2)
    @pytest.mark.parametrize("last_seq", [0, -1, "", "many", 2**64 - 1, 2**80])
    def test_nonsense_is_not_believed(self, store: Store, last_seq: Any) -> None:
        """It stops no insert, and nothing is missing for it."""
        store.insert(*numbered(1, 2), process_end(last_seq))
        store.insert({**process_end(0), "LogAttributes": {"event.name": "otel_costs.process"}})
        settle(store)
        assert gaps(store) == []

    def test_it_is_no_call_and_no_message(self, store: Store) -> None:
        """It leaves a row for its process, by its attribute where the event name was left empty, and nothing else."""
        store.insert({**process_end(3), "EventName": ""})
        counts = {name: store.one(f"select count() as n from {name}")["n"] for name in ("calls", "messages")}
        assert counts == {"calls": 0, "messages": 0}
        settle(store)
        assert gaps(store) == [(PROCESS, 1, 3, 3)]
