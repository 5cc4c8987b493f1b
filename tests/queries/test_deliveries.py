"""Everything at once: what the store says after any delivery is what a few lines of Python say of the records."""

import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from .ledger import NOON, LogRow, Store, call, message

pytestmark = pytest.mark.long

SESSIONS = ("a", "b", "c", "")
USERS = ("u1", "u2")


@dataclass(frozen=True)
class Record:
    """A record of a call: what it says, beside the row it is."""

    identity: str
    owner: tuple[str, str]  # session, user
    revision: int
    start: int  # seconds after NOON
    cost: Decimal | None
    day: int
    row: LogRow


def calls(chance: random.Random) -> list[Record]:
    """Return records of calls and of jobs that several owners look at, some in more than one revision."""
    made: list[Record] = []
    for number in range(24):
        is_job = number % 3 == 0
        day, seconds = chance.randrange(-3, 1), chance.randrange(60)
        owners = [(chance.choice(SESSIONS), chance.choice(USERS)) for _ in range(3 if is_job else 1)]
        for owner in dict.fromkeys(owners):
            start = chance.randrange(-30, 0) if is_job else seconds - 1
            for revision in range(chance.choice((1, 1, 2))):
                cost = chance.choice((None, f"0.{chance.randrange(1, 10**9):012}"))
                began = NOON + timedelta(days=day, seconds=start)
                said: dict[str, Any] = {
                    "cost": cost,
                    "session": owner[0],
                    "user": owner[1],
                    "call_id": f"{number:012x}{5 if is_job else 4}{number:019x}",
                    "otel_costs.call.revision": revision,
                    "otel_costs.start_time_unix_nano": int(began.timestamp()) * 10**9,
                }
                row = call(NOON + timedelta(days=day, seconds=seconds), **said)
                usd = None if cost is None else Decimal(cost)
                made.append(Record(str(number), owner, revision, start, usd, day, row))
    return made


def billed(records: list[Record]) -> list[Record]:
    """Return the record of each call that counts: the newest revision, the earliest start, an owner with a session."""
    best: dict[str, Record] = {}
    for record in records:
        rival = best.setdefault(record.identity, record)
        if _rank(record) > _rank(rival):
            best[record.identity] = record
    return list(best.values())


def _rank(record: Record) -> tuple[Any, ...]:
    session, user = record.owner
    return record.revision, -record.start, session != "", user != "", session, user


@pytest.mark.parametrize("seed", range(4))
def test_any_delivery_comes_to_the_same(store: Store, seed: int) -> None:
    """Copies, batches, order and counts between them change nothing: every call once, to the last digit, everywhere."""
    chance = random.Random(seed)
    records = calls(chance)
    said = [
        message(NOON + timedelta(seconds=n), f"text {n}", message_id=f"m{n}", session=chance.choice(SESSIONS[:3]))
        for n in range(9)
    ]
    copies = [record.row for record in records for _ in range(chance.choice((1, 2, 8)))] + said * 3
    chance.shuffle(copies)
    while copies:
        batch = [copies.pop() for _ in range(min(len(copies), chance.choice((1, 7, 30))))]
        store.insert(*batch)
        if chance.random() < 0.4:
            store.count_sessions()
            if chance.random() < 0.5:  # what came until now is long past at the next count
                store.pretend_earlier("session_days", "inserted_at", 60)
    counted = billed(records)
    assert _sums(store, "select day as key, cost_usd as usd, call_count as calls from daily_costs") == _expected(
        counted, lambda record: (NOON + timedelta(days=record.day)).date()
    )
    assert _sums(
        store, "select user_id as key, sum(cost_usd) as usd, sum(call_count) as calls from user_costs group by user_id"
    ) == _expected(counted, lambda record: record.owner[1])
    sessions = _sums(
        store,
        "select session_id as key, coalesce(s.cost_usd, 0) as usd, call_count as calls from sessions as s"
        " where call_count > 0",
    )
    assert sessions == {key: sums for key, sums in _expected(counted, lambda record: record.owner[0]).items() if key}
    assert store.one("select sum(message_count) as n from sessions") == {"n": 9}


def _sums(store: Store, sql: str) -> dict[Any, tuple[Decimal, int]]:
    return {row["key"]: (row["usd"], row["calls"]) for row in store.ask(sql)}


def _expected(records: list[Record], key: Any) -> dict[Any, tuple[Decimal, int]]:
    sums: dict[Any, tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for record in records:
        usd, count = sums[key(record)]
        sums[key(record)] = usd + (record.cost or 0), count + 1
    return dict(sums)
