"""Moves and restores that are cut anywhere, whatever happens to the two stores before they are run again."""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otel_costs.store import StoreError, connect, erase, schema
from otel_costs.store.backups import backup, move, restore, snapshot, staging, tables, unfinished
from otel_costs.store.backups.folder import Folder
from tests.queries.engine import beside
from tests.queries.ledger import Store, at, call, job, message

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]  # each makes a store or two


@pytest.fixture
def target(handlers: None) -> Iterator["Client"]:
    """Return a connection to an empty store beside the other, in which nothing runs by itself, as in that."""
    client = beside("backup_target")
    schema.apply(client)
    sql = "select view from system.view_refreshes where database = 'backup_target'"
    for (name,) in client.query(sql).result_rows:
        client.command(f"system stop view {name}")
    yield client
    client.database = "default"
    for (name,) in client.query("select name from system.databases where name like 'otel_costs_%'").result_rows:
        client.command(f"drop database {name} sync")
    client.command("drop database backup_target sync")
    client.close()


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with several parts of calls, messages, raw records, and a job of two users."""
    for table in ("otel_traces", "otel_traces_trace_id_ts"):
        store.client.command(f"truncate table {table}")
    store.insert(call(at("10:00:00"), user="ada", session="a", cost="0.500000000001"))
    store.insert(message(at("10:00:00"), "my secret", user="", session="a"), job(user="ada", session="a", cost="1"))
    store.insert(call(at("11:00:00"), user="bob", session="both", cost="0.25"), job(user="bob", session="b", cost="1"))
    return store


class Cut(BaseException):
    """The program was killed."""


@contextmanager
def cut(client: "Client", before: Callable[[str], bool]) -> Iterator[None]:
    """Let a client write until a statement of which `before` is true: neither that one is run, nor any after it."""
    dead: list[bool] = []

    def guarded(run: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def call_(*given: Any, **named: Any) -> Any:
            sql = name(*given)
            if dead or (sql and before(sql)):
                dead.append(True)
                raise Cut
            return run(*given, **named)

        return call_

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "command", guarded(client.command, lambda sql, *_: sql))
        patch.setattr(client, "raw_insert", guarded(client.raw_insert, lambda table, *_: f"insert {table}"))
        patch.setattr(client, "query", guarded(client.query, lambda *_: ""))
        yield


def numbered(number: int) -> Callable[[str], bool]:
    """Return what is true of the statement of this number, from 0."""
    left = iter(range(number, -2, -1))
    return lambda _sql: next(left, -1) <= 0


def merge_all(client: "Client") -> None:
    """Let the store make one part of all that can be one, as it does by itself sooner or later."""
    for table in tables.kept(client):
        client.command(f"optimize table {table} final")


def answers(client: "Client") -> dict[str, Any]:
    """Return what is in a store."""
    return {
        table: client.query(f"select *{more} from {table} {final} order by all").result_rows
        for table, more, final in [
            ("otel_logs", ", inserted_at", ""),
            ("otel_traces", "", ""),
            ("calls", "", "final where not superseded"),
            ("messages", "", "final"),
            ("call_arrivals", " except row_count", "final"),
            ("session_days", "", "final"),
            ("session_costs", "", ""),
            ("missing_calls", "", ""),
        ]
    }


def arrived(client: "Client") -> Counter[int]:
    """Return how many rows of calls arrived in each half hour, copies included."""
    sql = "select half_hour, sum(row_count) from call_arrivals group by half_hour"
    return Counter({int(half_hour): int(count) for half_hour, count in client.query(sql).result_rows})


def take(client: "Client") -> str:
    return snapshot.take(client, written_to=False)


def nothing_is_left(client: "Client") -> bool:
    return not [*unfinished.staged(client), *tables.databases(client, snapshot.PREFIX)]


def sent_to(table: str) -> Callable[[str], bool]:
    """Return what is true of the statement after the first that sends rows of a table: they are there, not noted."""
    sent: list[str] = []

    def after(sql: str) -> bool:
        was_sent = bool(sent)
        if sql.startswith(f"insert {unfinished.MOVE}") and sql.endswith(f".{table}"):
            sent.append(sql)
        return was_sent

    return after


def once(word: str, do: Callable[[], object]) -> Callable[[str], bool]:
    """Do something before the first statement that has a word in it, and let all of them be run."""
    left = [do]

    def before(sql: str) -> bool:
        if word in sql and left:
            left.pop()()
        return False

    return before


def moved(source: Store, target: "Client") -> move.Moved:
    return move.move(source.client, target, take)


@pytest.mark.parametrize("table", ["otel_logs", "call_sequences"])
def test_what_was_sent_and_not_noted_is_not_there_twice(filled: Store, target: "Client", table: str) -> None:
    """A part that had just arrived when the move was cut, and is merged into another one when it is run again."""
    with cut(target, sent_to(table)), pytest.raises(Cut):
        moved(filled, target)
    filled.insert(call(at("13:00:00"), user="eve", session="e", cost="2"))
    merge_all(filled.client)
    assert moved(filled, target).different == []
    assert answers(target) == answers(filled.client)
    assert nothing_is_left(target)


def _insert_more(source: Store) -> None:
    source.insert(call(at("13:00:00"), user="eve", session="e", cost="2"))


def _insert_copies(source: Store) -> None:
    source.insert(call(at("10:00:00"), user="ada", session="a", cost="0.500000000001"))


def _erase(source: Store) -> None:
    erase.erase(source.client, erase.of_user(source.client, "ada"))


def _price_anew(source: Store) -> None:
    source.client.command(
        "insert into calls (call_id, user_id, session_id, start_time, end_time, cost_usd, revision)"
        " select call_id, user_id, session_id, start_time, end_time, 9, 1 from calls final where user_id = 'bob'"
    )


STATEMENTS = 270
"""That a move or a restore sends to the store that it fills, and a few more."""

CHANGES = [_insert_more, _insert_copies, _erase, _price_anew]


def _cut_anywhere(source: Store, target: "Client", number: int, change: Callable[[Store], None]) -> bool:
    """Cut a move before a statement, let the source change, and run it again; tell whether it was cut at all."""
    is_cut = False
    with cut(target, numbered(number)):
        try:
            moved(source, target)
        except Cut:
            is_cut = True
    before = arrived(target)  # a move that is run again brings copies of what was handed over
    change(source)
    merge_all(source.client)
    where = f"before statement {number}, {change.__name__}"
    found = moved(source, target)
    if change is not _erase or found.different == []:  # what was handed over before is erased there, too
        assert found.different == [], where
        assert answers(target) == answers(source.client), where
        assert arrived(target) == before + arrived(source.client), where
    assert nothing_is_left(target), where
    return is_cut


def test_a_move_that_was_cut_anywhere_is_finished(filled: Store, target: "Client") -> None:
    """Before any of its statements, whatever the source gets or loses before it is run again."""
    number = random.Random(os.urandom(4)).randrange(STATEMENTS)
    _cut_anywhere(filled, target, number, CHANGES[number % len(CHANGES)])


def test_who_was_erased_before_a_move_goes_on_is_not_moved(filled: Store, target: "Client") -> None:
    with cut(target, sent_to("messages")), pytest.raises(Cut):
        moved(filled, target)
    _erase(filled)
    assert moved(filled, target).different == []
    assert not any(erase.count(target, erase.of_user(target, "ada")).values())


@pytest.mark.parametrize("place", ["attach partition", "insert otel_costs", "reset setting"])
def test_the_later_of_two_moves_at_once_takes_over(filled: Store, target: "Client", place: str) -> None:
    """The earlier one says so, wherever it is, and nothing is there twice."""
    other = connect(f"chdb://{getattr(target, 'path')}")  # noqa: B009  # of chDB's client alone
    other.database = "backup_target"
    with (
        cut(target, once(place, lambda: moved(filled, other))),
        pytest.raises(StoreError, match="another run has taken this over"),
    ):
        moved(filled, target)
    other.close()
    assert answers(target) == answers(filled.client)
    assert nothing_is_left(target)


def test_a_move_from_another_store_is_not_disturbed(filled: Store, target: "Client") -> None:
    """The later one is refused, and says what to do."""
    with cut(target, sent_to("calls")), pytest.raises(Cut):
        moved(filled, target)
    second = beside("backup_second")
    schema.apply(second)
    with pytest.raises(StoreError, match="from another store: a move into the store runs, or was cut half way"):
        move.move(second, target, take)
    second.command("drop database backup_second sync")
    second.close()
    assert moved(filled, target).different == []
    assert answers(target) == answers(filled.client)


def test_a_target_may_receive_calls_of_its_own(filled: Store, target: "Client") -> None:
    """While it is moved to, in each table that is handed over; it has both afterwards, once, and the sums say so."""
    own = Store(target)
    for place in ("insert otel_costs_move", "attach partition"):
        with cut(target, once(place, lambda: own.insert(call(at("08:00:00"), user="zoe", session="z", cost="1")))):
            assert moved(filled, target).different
    found = target.query("select user_id, count() from calls final group by user_id order by user_id").result_rows
    expected = filled.client.query("select user_id, count() from calls final group by user_id").result_rows
    assert sorted(map(tuple, found)) == sorted([*map(tuple, expected), ("zoe", 2)])
    assert target.command("select count() from otel_logs") == filled.client.command("select count() + 2 from otel_logs")


def test_a_target_may_be_of_a_newer_version(filled: Store, target: "Client") -> None:
    """What it knows more than this version is as it is for a record that does not say it."""
    for table in ("calls", "otel_logs", "messages"):
        target.command(f"alter table {table} add column weather String default 'fair'")
    for _ in range(2):
        assert moved(filled, target).different == []
    assert target.query("select distinct weather from otel_logs").result_rows == [("fair",)]
    assert target.command("select count() from otel_logs") == filled.client.command("select count() from otel_logs")


def test_a_full_disk_ends_a_move_and_the_next_one_goes_on(
    filled: Store, target: "Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is in the store; so it is when the source goes away."""
    with monkeypatch.context() as full:
        full.setitem(staging._PUT, "min_free_disk_bytes_to_perform_insert", 10**18)
        with pytest.raises(StoreError, match=r"cannot write to .*free"):
            moved(filled, target)
    assert restore.holds(target) == []

    def gone() -> None:
        for name in tables.databases(filled.client, snapshot.PREFIX):
            snapshot.drop(filled.client, name)

    with cut(target, once(".calls", gone)), pytest.raises(StoreError, match=r"cannot read|store has no tables"):
        moved(filled, target)
    assert restore.holds(target) == []
    assert moved(filled, target).different == []
    assert answers(target) == answers(filled.client)


@pytest.mark.parametrize(
    ("place", "same"),
    [
        ("insert otel_costs_restore", True),
        ("insert otel_costs_restore", False),
        ("attach partition", True),
        ("attach partition", False),
    ],
)
def test_two_restores_at_once(filled: Store, target: "Client", tmp_path: Path, place: str, same: bool) -> None:
    """From two folders: of the same backup the later one takes over; another one waits its turn, or begins anew."""
    folder = Folder(tmp_path / "kept", make=True)
    backup.make(filled.client, folder, take, "here")
    if same:
        shutil.copytree(tmp_path / "kept", tmp_path / "copy")
    second = Folder(tmp_path / "copy", make=True)
    if not same:
        backup.make(filled.client, second, take, "here")
    other = connect(f"chdb://{getattr(target, 'path')}")  # noqa: B009  # of chDB's client alone
    other.database = "backup_target"
    refused: list[StoreError] = []

    def restored() -> None:
        try:
            restore.restore(other, second, None)
        except StoreError as error:
            refused.append(error)

    with cut(target, once(place, restored)):
        if same or place != "attach partition":
            with pytest.raises(StoreError, match="another run has taken this over"):
                restore.restore(target, folder, None)
            assert refused == []
        else:
            assert restore.restore(target, folder, None).different == []
            assert "a restore of another backup was cut half way" in str(refused[0])
    other.close()
    assert answers(target) == answers(filled.client)
    assert nothing_is_left(target)


def test_a_restore_that_was_cut_anywhere_is_finished(filled: Store, target: "Client", tmp_path: Path) -> None:
    """Before any of its statements; after its last it is there, and the store is not empty."""
    folder = Folder(tmp_path / "kept", make=True)
    backup.make(filled.client, folder, take, "here")
    number = random.Random(os.urandom(4)).randrange(STATEMENTS)
    with cut(target, numbered(number)), suppress(Cut):
        restore.restore(target, folder, None)
    with suppress(StoreError):
        assert restore.restore(target, folder, None).different == [], f"before statement {number}"
    assert answers(target) == answers(filled.client), f"before statement {number}"
    assert nothing_is_left(target), f"before statement {number}"
