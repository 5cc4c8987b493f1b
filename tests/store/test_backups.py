"""Backups: what was in the store comes back to the last digit, whole or not at all, and nothing else."""

import http.server
import json
import shutil
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otel_costs.store import StoreError, address, budgets, erase, health, local_http, reports, schema
from otel_costs.store.backups import (
    backup,
    definition,
    erasures,
    manifest,
    move,
    restore,
    snapshot,
    sums,
    tables,
    unfinished,
)
from otel_costs.store.backups.folder import DamagedError, Folder
from otel_costs.store.backups.staging import Staging
from tests.queries.conftest import emptied
from tests.queries.engine import beside, stop_counts
from tests.queries.ledger import LogRow, Store, at, call, job, message
from tests.store import schemas

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

pytestmark = pytest.mark.timeout(600)  # each makes a store or two


@pytest.fixture
def target(handlers: None) -> Iterator["Client"]:
    """Return a connection to an empty database beside the store's."""
    client = beside("backup_target")
    yield client
    client.database = "default"
    _drop_what_is_beside(client)
    client.command("drop database backup_target sync")
    client.close()


@pytest.fixture(scope="module")
def made(handlers: None) -> Iterator["Client"]:
    """Return a connection to a store of this version, which is made once: that takes longer than most tests."""
    client = beside("backup_made")
    schema.apply(client)
    stop_counts(client)
    yield client
    client.command("drop database backup_made sync")
    client.close()


@pytest.fixture
def ready(made: "Client") -> Iterator["Client"]:
    """Return the same without any rows."""
    yield made
    made.database = "backup_made"
    _drop_what_is_beside(made)
    for table in restore.holds(made):
        made.command(f"truncate table {table}")


def _drop_what_is_beside(client: "Client") -> None:
    for (name,) in client.query("select name from system.databases where name like 'otel_costs_%'").result_rows:
        client.command(f"drop database {name} sync")


@pytest.fixture
def filled(store: Store) -> Store:
    """Return a store with calls, messages, a job of two users, a budget and a session that was begun."""
    _fill(store)
    return store


def _fill(store: Store) -> None:
    for table in ("otel_traces", "otel_traces_trace_id_ts"):
        store.client.command(f"truncate table {table}")
    store.insert(*_records())
    span = {"Timestamp": f"{at('11:00:00'):%Y-%m-%d %H:%M:%S}", "TraceId": "t1", "SpanAttributes": {"user.id": "ada"}}
    store.client.raw_insert("otel_traces", insert_block=json.dumps(span), fmt="JSONEachRow")
    budgets.put(store.client, "user", "ada", "day", budgets.Terms(Decimal(5)))


@dataclass(frozen=True)
class Kept:
    """A folder with a backup of what `_fill` puts into a store, and what the reports of that store said."""

    path: Path
    answers: dict[str, Any]

    @property
    def folder(self) -> Folder:
        return Folder(self.path)


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Make the backup, of which each test gets a copy."""
    store, path = emptied(), tmp_path_factory.mktemp("backup") / "kept"
    _fill(store)
    _make(store, Folder(path, make=True))
    return Kept(path, _answers(store.client))


@pytest.fixture
def kept(kept_once: Kept, tmp_path: Path) -> Kept:
    """Return a copy of its own of the backup."""
    shutil.copytree(kept_once.path, tmp_path / "kept")
    return replace(kept_once, path=tmp_path / "kept")


def _records() -> list[LogRow]:
    started = call(at("09:59:00"), user="ada", session="a")
    started["LogAttributes"]["event.name"] = "otel_costs.session_start"
    return [
        call(at("10:00:00"), user="ada", session="a", cost="0.500000000001"),
        message(at("10:00:00"), "my secret", user="", session="a"),
        call(at("11:00:00"), user="ada", session="both", cost="0.25"),
        call(at("11:00:01"), user="bob", session="both", cost="0.125"),
        message(at("11:00:01"), "from bob", user="bob", session="both", message_id="m3"),
        call(at("12:00:00"), user="", session="", cost="4"),
        {**started, "EventName": "otel_costs.session_start"},
        job(user="ada", session="a", cost="1"),
        job(user="bob", session="both", cost="1"),
    ]


def _make(store: Store, folder: Folder) -> backup.Made:
    return backup.make(store.client, folder, lambda client: snapshot.take(client, written_to=False), "here")


def _answers(client: "Client") -> dict[str, Any]:
    """Return what the reports say."""
    return {
        "sessions": reports.sessions(client),
        "session": reports.session(client, "both"),
        # But for the bounds of today, which may be over before another asks.
        "budgets": [{**row, "period_start": 0, "period_end": 0} for row in reports.budget_status(client)],
        "daily": client.query("select * from daily_costs order by all").result_rows,
        "users": client.query("select * from user_costs order by all").result_rows,
        "missing": client.query("select * from missing_calls order by all").result_rows,
        "begun": client.query("select * from begun_sessions order by all").result_rows,
        "calls": client.query("select * from calls final where not superseded order by all").result_rows,
        "logs": client.query("select *, inserted_at from otel_logs order by all").result_rows,
    }


def test_a_restored_store_tells_what_was_told(kept: Kept, ready: "Client") -> None:
    """Into a store that has the schema, and nothing else: each report, and each row of calls."""
    restore.restore(ready, kept.folder, None)
    assert _answers(ready) == kept.answers


@pytest.mark.long
def test_what_comes_back_is_what_was_there(filled: Store, target: "Client", tmp_path: Path) -> None:
    """Every table, column and report; arrivals, which decide how long things are kept, and how long that was to be."""
    folder = Folder(tmp_path / "kept", make=True)
    made = _make(filled, folder).manifest
    assert sums.plain(made.sums) == sums.plain(sums.of(filled.client, "default", [one.table for one in made.tables]))
    days = {**made.retention, "raw_days": 29}
    (folder.path / "backups" / f"{made.id}.json").write_bytes(manifest.written(replace(made, retention=days)))
    found = restore.restore(target, folder, None)
    assert (found.different, found.was_empty, found.manifest.id) == ([], True, made.id)
    assert _answers(target) == _answers(filled.client)
    assert schema.apply(target) == []
    assert schema.retention_of(target) == schema.Retention(raw_days=29)
    databases = [name for (name,) in target.query("select name from system.databases").result_rows]
    assert not [name for name in databases if name.startswith("otel_costs_")]


@pytest.mark.long
def test_what_is_new_alone_is_written(filled: Store, ready: "Client", tmp_path: Path) -> None:
    """A second backup has all, of which it writes what has come since; without anything new it writes nothing."""
    folder = Folder(tmp_path / "kept", make=True)
    for table in ("calls", "otel_logs"):
        filled.client.command(f"system stop merges {table}")
    try:
        first = _make(filled, folder)
        files = set(_files(folder))
        assert sum(_make(filled, folder).new_bytes.values()) == 0
        assert set(_files(folder)) == files
        filled.insert(call(at("13:00:00"), user="eve", session="e", cost="2"))
        second = _make(filled, folder)
    finally:
        for table in ("calls", "otel_logs"):
            filled.client.command(f"system start merges {table}")
    assert 0 < second.new_bytes["calls"] < first.new_bytes["calls"]
    assert second.new_bytes["messages"] == 0
    restore.restore(ready, folder, first.manifest.id)
    assert {row["session_id"] for row in reports.sessions(ready)["sessions"]} == {"a", "both"}


@pytest.mark.long
def test_old_backups_go_and_the_others_stay_whole(filled: Store, ready: "Client", tmp_path: Path) -> None:
    """Files that a newer backup needs stay, all others go."""
    folder = Folder(tmp_path / "kept", make=True)
    first = _make(filled, folder).manifest
    filled.insert(call(at("13:00:00"), user="eve", session="e", cost="2"))
    filled.client.command("optimize table calls final")
    last = _make(filled, folder).manifest
    assert folder.keep(1) == [first.id]
    assert [one.id for one in folder.manifests()[0]] == [last.id]
    needed = {part.file for one in last.tables for part in one.parts}
    assert {path.name.partition(".")[0] for path in _files(folder)} == needed
    assert restore.restore(ready, folder, None).different == []


@pytest.mark.long
def test_nothing_is_deleted_under_another(filled: Store, tmp_path: Path) -> None:
    """Neither files of a backup that is being made, which no manifest names yet, nor those that a restore reads."""
    folder, other = Folder(tmp_path / "kept", make=True), Folder(tmp_path / "kept", make=True)
    made = [_make(filled, folder).manifest.id for _ in range(2)]
    stray = folder.path / "files" / "ab" / "ab.native.zst"
    stray.parent.mkdir(exist_ok=True)
    stray.touch()
    for shared in (True, False):
        with other.locked(shared=shared), pytest.raises(StoreError, match="another backup or restore uses"):
            folder.keep(1)
        assert stray.exists()
        assert [one.id for one in folder.manifests()[0]] == made
    last = backup.make(filled.client, folder, lambda client: snapshot.take(client, written_to=False), "here", keep=1)
    assert sorted(last.deleted) == sorted(made)
    assert not stray.exists()
    assert [one.id for one in folder.manifests()[0]] == [last.manifest.id]


def test_files_are_their_owners_alone(filled: Store, tmp_path: Path) -> None:
    """Folders too; what is open to others from before is closed."""
    path = tmp_path / "kept"
    path.mkdir(mode=0o755)
    _make(filled, Folder(path, make=True))
    modes = {stat.S_IMODE(one.stat().st_mode) for one in [path, *path.rglob("*")]}
    assert modes == {0o700, 0o600}


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(StoreError, match=r"has other things in it \(holiday.jpg\)"):
        Folder(tmp_path, make=True)
    with pytest.raises(StoreError, match="no folder of backups"):
        Folder(tmp_path)


@pytest.mark.long
def test_a_store_that_is_not_empty_is_refused(kept: Kept, ready: "Client") -> None:
    """And nothing of it is changed; with `merge` what both have counts once."""
    folder = kept.folder
    restore.restore(ready, folder, None)
    before = _answers(ready)
    with pytest.raises(StoreError, match="is not empty"):
        restore.restore(ready, folder, None)
    found = restore.restore(ready, folder, None, merge=True)
    assert not found.was_empty
    assert _answers(ready) == before


@pytest.mark.long
@pytest.mark.parametrize("how", ["cut", "changed", "gone"])
def test_a_damaged_file_is_named_and_nothing_comes_back(
    filled: Store, ready: "Client", tmp_path: Path, how: str
) -> None:
    """The table and how many rows are lost are told."""
    folder = Folder(tmp_path / "kept", make=True)
    made = _make(filled, folder).manifest
    part = next(stored for stored in made.tables if stored.table.name == "messages").parts[0]
    (path,) = [one for one in _files(folder) if one.name.startswith(part.file)]
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if how == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    assert folder.damage(part)
    with pytest.raises(DamagedError, match=rf"{part.file}.*: {part.rows} rows of messages .* are lost") as raised:
        restore.restore(ready, folder, None)
    assert "nothing was put back" in str(raised.value)
    assert restore.holds(ready) == []
    assert _make(filled, folder).new_bytes["messages"] == (0 if how == "changed" else len(content))


@pytest.mark.parametrize("how", ["changed", "cut", "empty"])
def test_a_damaged_manifest_is_told(kept: Kept, how: str) -> None:
    """It is not taken for a backup, and neither is an older one in its place."""
    folder = kept.folder
    made = folder.manifest(None)
    path = folder.path / "backups" / f"{made.id}.json"
    text = path.read_text()
    path.write_text({"changed": text.replace('"rows": 1', '"rows": 2', 1), "cut": text[:-10], "empty": ""}[how])
    assert folder.manifests()[1].keys() == {made.id}
    with pytest.raises(DamagedError, match="is damaged"):
        folder.manifest(None)
    before = _files(folder)
    assert folder.keep(1) == []
    assert _files(folder) == before, "what an unreadable manifest needs is kept"


ODD: list[dict[str, Any]] = [
    {"id": "../../victim"},
    {"id": "20200101T000000Z-abcdef"},
    {"created_at": "yesterday"},
    {"tables": None},
    {"tables": [{"table": {}, "parts": []}]},
    {"retention": {"raw_days": "many"}},
    {"sums": [1]},
    {"more": 1},
    {"format": 0, "sums": {"calls": 1}},
]
"""What a manifest may say instead of what it said."""


@pytest.mark.long
def test_an_odd_manifest_blocks_nothing(filled: Store, ready: "Client", tmp_path: Path) -> None:
    """Whatever it says, its checksum right: it is named, no file but its own goes for it, and the others are used."""
    folder = Folder(tmp_path / "kept", make=True)
    odd, good = (_make(filled, folder).manifest for _ in range(2))
    (tmp_path / "victim.json").touch()
    for change in ODD:
        body = {**json.loads(manifest.written(odd)), **change}
        del body["sha256"]
        signed = {**body, "sha256": manifest._checksum(body)}
        (folder.path / "backups" / f"{odd.id}.json").write_text(json.dumps(signed))
        found, bad = folder.manifests()
        assert ([one.id for one in found], list(bad)) == ([good.id], [odd.id]), change
        assert folder.keep(1) == [], change
        assert (tmp_path / "victim.json").exists(), change
    assert restore.restore(ready, folder, good.id).different == []


@pytest.mark.parametrize("content", ["[" * 100_000, "null", "[]", '{"sha256": 1, "format": 1e400}', '{"a": \ud800}'])
def test_what_is_no_manifest_is_told(tmp_path: Path, content: str) -> None:
    folder = Folder(tmp_path / "kept", make=True)
    (folder.path / "backups" / "20200101T000000Z-abcdef.json").write_text(content, errors="surrogatepass")
    assert list(folder.manifests()[1]) == ["20200101T000000Z-abcdef"]


def test_a_block_has_an_end(tmp_path: Path) -> None:
    """A few bytes that become many are no block; rows of very different sizes are several blocks."""
    folder = Folder(tmp_path / "kept", make=True)
    much = bytes(tables.MOST_BLOCK_BYTES + 1)
    part = folder.write_part("ab" * 16, 1, [much])
    assert part.size < len(much) // 1000
    with pytest.raises(DamagedError, match="has a block that is none, or has more"):
        list(folder.blocks(part))
    part = folder.write_part("ab" * 16, 1, [much[:-1]])
    assert [len(block) for block in folder.blocks(part)] == [tables.MOST_BLOCK_BYTES]


@pytest.mark.long
def test_rows_of_other_sizes_are_read_in_smaller_blocks(
    filled: Store, ready: "Client", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until each block can be read again."""
    folder = Folder(tmp_path / "kept", make=True)
    filled.client.command("optimize table otel_logs final")
    with monkeypatch.context() as smaller:
        smaller.setattr(tables, "MOST_BLOCK_BYTES", 3000)
        made = _make(filled, folder).manifest
    (stored,) = [one for one in made.tables if one.table.name == "otel_logs"]
    assert max(len(part.blocks) for part in stored.parts) > 1
    assert restore.restore(ready, folder, None).different == []


@pytest.mark.long
def test_a_backup_without_a_manifest_is_none(filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut before its last step, its files are of no backup, and the next one is whole."""
    folder = Folder(tmp_path / "kept", make=True)
    with monkeypatch.context() as cut:
        cut.setattr(Folder, "write_manifest", lambda _folder, _made: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _make(filled, folder)
    assert folder.manifests() == ([], {})
    with pytest.raises(StoreError, match="there is no backup in"):
        folder.manifest(None)
    made = _make(filled, folder).manifest
    assert folder.manifest(None).id == made.id
    assert not filled.ask("select name from system.databases where name like 'otel_costs_snapshot_%'")


def _cut_restore(target: "Client", folder: Folder, place: str, *, is_noted: bool = True) -> None:
    """Begin a restore that is cut at a step, a stage or a table to hand over: when that was noted, or right before."""
    note = Staging.note

    def noted(staging: Staging, step: str, what: str = "", detail: str = "") -> None:
        is_there = place in (step, what)
        if is_noted or not is_there:
            note(staging, step, what, detail)
        if is_there:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as cut:
        cut.setattr(Staging, "note", noted)
        with pytest.raises(KeyboardInterrupt):
            restore.restore(target, folder, None)


@pytest.mark.long
@pytest.mark.parametrize(
    ("place", "is_noted"),
    [("part", True), ("staged", True), ("upgraded", True), ("handed over", False), ("calls", True)],
)
def test_a_restore_that_was_cut_is_run_again(kept: Kept, ready: "Client", place: str, is_noted: bool) -> None:
    """Wherever it was: it ends as if it had not been, with nothing twice."""
    folder = kept.folder
    _cut_restore(ready, folder, place, is_noted=is_noted)
    found = restore.restore(ready, folder, None)
    assert (found.different, found.was_empty) == ([], True)
    assert _answers(ready) == kept.answers


@pytest.mark.long
def test_parts_with_the_same_rows_are_all_kept(
    filled: Store, ready: "Client", target: "Client", tmp_path: Path
) -> None:
    """A batch that was delivered twice makes parts that are equal: all of them come back, and all are moved."""
    folder, client = Folder(tmp_path / "kept", make=True), filled.client
    twice = ("call_sequences", "otel_logs", "otel_traces_trace_id_ts")
    try:
        for table in twice:
            client.command(f"system stop merges {table}")
            client.command(f"create table delivered as {table}")
            client.command(f"insert into delivered select * from {table}")
            for _ in range(3):
                client.command(f"alter table {table} attach partition all from delivered")
            client.command("drop table delivered sync")
        made = {one.table.name: one for one in _make(filled, folder).manifest.tables}
        for table in twice:
            assert len(made[table].parts) >= len({part.key for part in made[table].parts}) + 2
        expected = {table: _counted(client, table) for table in twice}
        assert restore.restore(ready, folder, None).different == []
        assert {table: _counted(ready, table) for table in twice} == expected
        assert move.move(client, target, snapshot.take).different == []
        assert {table: _counted(target, table) for table in twice} == expected
    finally:
        for table in twice:
            client.command(f"system start merges {table}")
        client.command("drop table if exists delivered sync")


def _counted(client: "Client", table: str) -> int:
    final = "" if table.startswith("otel_") else "final"
    return int(str(client.command(f"select count() from {table} {final}")))


@pytest.mark.long
def test_who_was_erased_since_is_erased_again(filled: Store, ready: "Client", tmp_path: Path) -> None:
    """Before anybody can read it, and who came back later stays; the list has no name in it."""
    folder = Folder(tmp_path / "kept", make=True)
    first = _make(filled, folder).manifest
    with folder.locked():
        assert erasures.add(folder, "user", ["ada"]) == [first.id]
    assert "ada" not in (folder.path / "erasures.jsonl").read_text()
    erase.erase(filled.client, erase.of_user(filled.client, "ada"))
    found = restore.restore(ready, folder, None)
    assert (found.erased, found.different) == (1, [])
    assert not any(erase.count(ready, erase.of_user(ready, "ada")).values())
    assert not ready.query("select 1 from messages where content = 'my secret'").result_rows
    assert {row["user_id"] for row in reports.sessions(ready)["sessions"]} == {"bob"}
    filled.insert(call(at("13:00:00"), user="ada", session="again", cost="2"))
    _make(filled, folder)
    assert restore.restore(ready, folder, None, merge=True).erased == 0
    assert ready.command("select count() from calls final where session_id = 'again'") == 1


TEN = f"{at('10:00:00'):%Y-%m-%d %H:%M:%S}"
ALONE: dict[str, dict[str, Any]] = {
    "budgets": {"scope": "user", "name": "ada"},
    "alerts": {"user_id": "ada"},
    "otel_logs": {"LogAttributes": {"user.id": "ada"}, "Timestamp": TEN},
    "otel_traces": {"SpanAttributes": {"user.id": "ada"}, "Timestamp": TEN},
    "derived_calls": {"user_id": "ada", "end_time": TEN, "inserted_at": TEN},
    "calls": {"user_id": "ada", "end_time": TEN, "start_time": TEN},
    "messages": {"user_id": "ada", "session_id": "s", "timestamp": TEN},
    "session_days": {"user_id": "ada", "session_id": "s", "day": TEN[:10], "inserted_at": TEN},
    "session_starts": {"user_id": "ada", "session_id": "s"},
}
"""A row that names somebody, of each table that does and is no count of others."""


def test_every_table_that_names_somebody_is_tried() -> None:
    """A table that is added needs a row."""
    assert ALONE.keys() == erase.ERASED.keys() - {*schema.COUNTS, "otel_traces_trace_id_ts"}


@pytest.mark.long
def test_who_is_in_one_table_alone_is_erased_again(store: Store, ready: "Client", tmp_path: Path) -> None:
    """Whatever names somebody: a budget, an event, a record that no call was made of."""
    for table, row in ALONE.items():
        store.client.command(f"truncate table {table}")
        named = json.dumps(row).replace("ada", f"ada of {table}").replace('"s"', f'"s of {table}"')
        store.client.raw_insert(table, insert_block=named, fmt="JSONEachRow")
    folder = Folder(tmp_path / "kept", make=True)
    _make(store, folder)
    erasures.add(folder, "user", [f"ada of {table}" for table in ALONE])
    found = restore.restore(ready, folder, None)
    assert (found.erased, found.different) == (len(ALONE), [])
    assert {table: ready.command(f"select count() from {table}") for table in ALONE} == dict.fromkeys(ALONE, 0)


@pytest.mark.long
@pytest.mark.parametrize("cut_after", ["messages", "calls", "upgraded"])
def test_who_is_erased_after_a_restore_was_cut_stays_so(kept: Kept, ready: "Client", cut_after: str) -> None:
    """However far it was: what it had staged is without them when it is finished."""
    folder = kept.folder
    _cut_restore(ready, folder, cut_after)
    with pytest.raises(StoreError, match="a restore into the store runs, or was cut half way"):
        unfinished.check_none(ready)
    erasures.add(folder, "user", ["ada"])
    erase.erase(ready, erase.of_user(ready, "ada"))  # in what has come already
    assert restore.restore(ready, folder, None).erased == 1
    assert not any(erase.count(ready, erase.of_user(ready, "ada")).values())
    unfinished.check_none(ready)


@pytest.mark.long
def test_content_that_is_over_its_days_does_not_come_back(store: Store, ready: "Client", tmp_path: Path) -> None:
    """A backup has it as long as it lies there; a store that it is put into deletes it at once."""
    store.client.command("system stop ttl merges messages")
    store.client.command(
        "insert into messages (session_id, message_id, content, timestamp, inserted_at) select 's', toString(number),"
        " 'old words', now64(6) - toIntervalDay(40 - 39 * number), now64(3) - toIntervalDay(40 - 39 * number)"
        " from numbers(2)"
    )
    folder = Folder(tmp_path / "kept", make=True)
    made = _make(store, folder).manifest
    store.client.command("system start ttl merges messages")
    restore.restore(ready, folder, made.id)
    rows = ready.query("select message_id, content from messages order by message_id").result_rows
    assert rows == [("0", ""), ("1", "old words")]


@pytest.mark.long
@pytest.mark.parametrize("how", ["restore", "move"])
def test_a_store_in_use_keeps_things_as_long_as_it_says(
    store: Store, target: "Client", tmp_path: Path, how: str
) -> None:
    """What is put into it too, though the store that it is from keeps it longer."""
    store.client.command(
        "insert into messages (session_id, message_id, content, timestamp, inserted_at) select 's', toString(number),"
        " 'words', now64(6) - toIntervalDay(10 - 9 * number), now64(3) - toIntervalDay(10 - 9 * number) from numbers(2)"
    )
    schema.apply(target, schema.Retention(content_days=7))
    Store(target).insert(call(at("08:00:00"), user="zoe", session="z", cost="1"))
    folder = Folder(tmp_path / "kept", make=True)
    if how == "restore":
        _make(store, folder)
        restore.restore(target, folder, None, merge=True)
    else:
        move.move(store.client, target, snapshot.take)
    found = target.query("select message_id, content from messages final order by message_id").result_rows
    assert found == [("0", ""), ("1", "words")]
    assert schema.retention_of(target).content_days == 7


@pytest.mark.long
@pytest.mark.parametrize("cut_after", ["upgraded", "messages", "calls"])
def test_days_that_are_changed_after_a_restore_was_cut_hold(
    store: Store, target: "Client", tmp_path: Path, cut_after: str
) -> None:
    """For what had been put back, and for what is put back then; of an empty store they are those of the backup."""
    now = datetime.now(UTC)
    store.client.command(
        "insert into messages (session_id, message_id, content, timestamp, inserted_at) select 's', toString(number),"
        " 'words', now64(6) - toIntervalDay(10 - 9 * number), now64(3) - toIntervalDay(10 - 9 * number) from numbers(2)"
    )
    store.insert(call(now - timedelta(days=10), session="old"))
    store.pretend_earlier("calls", "inserted_at", 10 * 86400)
    store.insert(call(now, session="new"))
    folder = Folder(tmp_path / "kept", make=True)
    _make(store, folder)
    _cut_restore(target, folder, cut_after)
    schema.apply(target, schema.Retention(content_days=7, ledger_days=8))
    assert restore.restore(target, folder, None).different == []
    messages = target.query("select message_id, content from messages final order by message_id").result_rows
    sessions = target.query("select session_id from calls final order by session_id").result_rows
    if cut_after == "upgraded":
        assert schema.retention_of(target) == schema.retention_of(store.client)
        assert (messages, sessions) == ([("0", "words"), ("1", "words")], [("new",), ("old",)])
    else:
        assert schema.retention_of(target) == schema.Retention(content_days=7, ledger_days=8)
        assert (messages, sessions) == ([("1", "words")], [("new",)])


@pytest.mark.long
def test_one_restore_at_a_time(store: Store, kept: Kept, ready: "Client") -> None:
    """A second from the same folder would share what the first has staged; one alone may read what it cannot write."""
    folder = kept.folder
    with Folder(folder.path).restoring(), pytest.raises(StoreError, match="another restore reads"):
        restore.restore(ready, folder, None)
    with Folder(folder.path).restoring(), pytest.raises(StoreError, match="another backup or restore uses"):
        _make(store, folder)
    (folder.path / "lock").unlink()
    folder.path.chmod(0o500)
    try:
        assert restore.restore(ready, folder, None).different == []
    finally:
        folder.path.chmod(0o700)


@pytest.mark.long
def test_a_cut_restore_does_not_go_on_in_a_store_that_is_in_use_now(
    kept: Kept, ready: "Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was begun in an empty one: what came meanwhile is not added to unless it is said."""
    folder, note = kept.folder, Staging.note

    def cut_there(staging: Staging, step: str, what: str = "", detail: str = "") -> None:
        note(staging, step, what, detail)
        if (step, what) == ("stage", "upgraded"):
            raise KeyboardInterrupt

    for merge in (False, True):
        with monkeypatch.context() as cut:
            cut.setattr(Staging, "note", cut_there)
            with pytest.raises(KeyboardInterrupt):
                restore.restore(ready, folder, None, merge=merge)
        if not merge:
            Store(ready).insert(call(at("08:00:00"), user="zoe", session="z", cost="1"))
            with pytest.raises(StoreError, match="the store is not empty"):
                restore.restore(ready, folder, None)
    found = restore.restore(ready, folder, None, merge=True)
    assert not found.was_empty
    assert {row["session_id"] for row in reports.sessions(ready)["sessions"]} == {"a", "both", "z"}


@pytest.mark.long
def test_calls_are_handed_over_last(kept: Kept, ready: "Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read meanwhile has no cost without its session, and counts nothing before all of it is there."""
    folder, note, order = kept.folder, Staging.note, list[str]()

    def noted(staging: Staging, step: str, what: str = "", detail: str = "") -> None:
        note(staging, step, what, detail)
        order.extend([what] if step == "handed over" else [])

    with monkeypatch.context() as watched:
        watched.setattr(Staging, "note", noted)
        restore.restore(ready, folder, None)
    assert order[0] == "messages"
    assert order[-2:] == ["calls", "call_arrivals"]


def test_a_backup_of_a_newer_version_is_refused(kept: Kept, ready: "Client") -> None:
    """In one sentence, by what it has that is not known here; and so is a folder of a newer format."""
    folder = kept.folder
    made = folder.manifest(None)
    path = folder.path / "backups" / f"{made.id}.json"

    def with_column(stored: manifest.StoredTable) -> manifest.StoredTable:
        more = (*stored.table.columns, ("weather", "String"))
        return replace(stored, table=replace(stored.table, columns=more)) if stored.table.name == "calls" else stored

    newer = replace(made, version="9.9.9", tables=tuple(map(with_column, made.tables)))
    path.write_bytes(manifest.written(newer))
    with pytest.raises(StoreError, match=r"is of a newer version \(9.9.9\), which has calls.weather: install"):
        restore.restore(ready, folder, None)
    path.write_bytes(manifest.written(replace(made, retention={"hours": 3})))
    with pytest.raises(StoreError, match="is of a newer version"):
        restore.restore(ready, folder, None)
    path.write_bytes(manifest.written(made).replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(DamagedError, match="newer version of otel-costs"):
        restore.restore(ready, folder, None)


ATTACKS = [
    "CREATE TABLE alerts ENGINE = MergeTree ORDER BY tuple() AS SELECT * FROM executable('id', 'TSV', 'a String')",
    "CREATE TABLE alerts (`rule` String) ENGINE = MergeTree ORDER BY rule AS SELECT 1 AS rule",
    "CREATE TABLE alerts (`rule` String) ENGINE = MergeTree ORDER BY rule AS url('http://127.0.0.1:9/', 'TSV')",
    "CREATE TABLE alerts (`rule` String DEFAULT file('/etc/passwd')) ENGINE = MergeTree ORDER BY rule",
    "CREATE TABLE alerts (`rule` String DEFAULT (SELECT 1)) ENGINE = MergeTree ORDER BY rule",
    "CREATE TABLE alerts (`rule` String DEFAULT `file`('/etc/passwd')) ENGINE = MergeTree ORDER BY rule",
    "CREATE TABLE alerts (`rule` String DEFAULT file /**/ ('/etc/passwd')) ENGINE = MergeTree ORDER BY rule",
    "CREATE TABLE alerts (`rule` String COMMENT ') ENGINE = MergeTree') ENGINE = URL('http://x/', 'TSV')",
    "CREATE TABLE alerts (`rule` String COMMENT ') ENGINE = MergeTree ') AS executable('id', 'TSV', 'rule String')",
    "CREATE TABLE alerts (`rule` String) ENGINE = MergeTree ORDER BY rule SETTINGS disk = disk(type = 'web')",
    "CREATE TABLE alerts (`rule` String) ENGINE = MergeTree ORDER BY rule; DROP TABLE calls",
    "CREATE TABLE alerts (`rule` String) ENGINE = ReplicatedMergeTree ORDER BY rule",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_definition_that_does_more_is_none(attack: str) -> None:
    """A table of a backup keeps rows, and nothing of it reads, runs or asks."""
    with pytest.raises(StoreError, match="the definition of alerts is none"):
        definition.check("alerts", attack)


def test_a_definition_that_does_more_is_refused(kept: Kept, ready: "Client") -> None:
    """A manifest may come from anywhere: nothing is made of one with such a definition."""
    folder = kept.folder
    made = folder.manifest(None)
    for attack in (ATTACKS[0], ATTACKS[5]):
        body = json.loads(manifest.written(made))
        (stored,) = [one for one in body["tables"] if one["table"]["name"] == "alerts"]
        stored["table"].update(definition=attack, engine="MergeTree", columns=[["rule", "String"]])
        del body["sha256"]
        signed = {**body, "sha256": manifest._checksum(body)}
        (folder.path / "backups" / f"{made.id}.json").write_text(json.dumps(signed))
        with pytest.raises(StoreError, match="is none"):
            restore.restore(ready, folder, None)
        assert restore.holds(ready) == [], attack


def test_tables_of_every_version_can_be_restored(made: "Client", target: "Client") -> None:
    """What is refused of a manifest is in no table that a version has, or had."""
    versions = [tables.tables(made, "backup_made")]
    for version in schemas.NAMES:
        target.command("drop database backup_target sync")
        target.command("create database backup_target")
        schemas.frozen(version).make(target, only="table")
        versions.append(tables.tables(target, "backup_target"))
    for table in (table for version in versions for table in version):
        definition.check(table.name, table.definition)
    assert min(map(len, versions)) > 10


@pytest.mark.long
def test_a_move_brings_everything(filled: Store, target: "Client") -> None:
    """The two stores answer the same; the second time nothing changes."""
    moved = move.move(filled.client, target, lambda client: snapshot.take(client, written_to=False))
    assert moved.different == []
    assert moved.sent_rows > 0
    assert _answers(target) == _answers(filled.client)
    filled.insert(call(at("13:00:00"), user="eve", session="e", cost="2"))
    assert move.move(filled.client, target, snapshot.take).different == []
    assert _answers(target) == _answers(filled.client)


@pytest.mark.long
@pytest.mark.parametrize("cut_after", [1, 4, 9])
def test_a_move_that_was_cut_is_run_again(
    filled: Store, ready: "Client", monkeypatch: pytest.MonkeyPatch, cut_after: int
) -> None:
    """What has arrived is not sent again, though more came, and nothing is there twice."""
    note, left = Staging.note, cut_after

    def noted(staging: Staging, step: str, what: str = "", detail: str = "") -> None:
        nonlocal left
        left -= step == "part"
        if left < 0:
            raise KeyboardInterrupt  # the rows are there, and nothing remembers it
        note(staging, step, what, detail)

    with monkeypatch.context() as cut:
        cut.setattr(Staging, "note", noted)
        with pytest.raises(KeyboardInterrupt):
            move.move(filled.client, ready, snapshot.take)
    filled.insert(call(at("13:00:00"), user="eve", session="e", cost="2"))
    assert move.move(filled.client, ready, snapshot.take).different == []
    assert _answers(ready) == _answers(filled.client)


@pytest.mark.long
def test_a_move_says_where_the_stores_differ(filled: Store, ready: "Client") -> None:
    """A store that had other calls adds up to more, by table and day."""
    Store(ready).insert(call(at("08:00:00"), user="zoe", session="z", cost="1"))
    moved = move.move(filled.client, ready, snapshot.take)
    assert ("calls", f"{at('08:00:00'):%Y-%m-%d}") in moved.different


class _Answers(http.server.BaseHTTPRequestHandler):
    """Answers a POST to /snapshot as its server is told, and remembers what it was asked for with which password."""

    server: "_Server"

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, headers, body = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, answer: tuple[int, dict[str, str], bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: list[tuple[str, str | None]] = []
        self.answer = answer
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> "_Server":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


@pytest.mark.some(2)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_password_follows_no_redirect(store: Store, status: int) -> None:
    """It is for the store that was named; the snapshot is made by SQL then."""
    name = json.dumps({"database": f"{snapshot.PREFIX}20200101000000_ab"}).encode()
    with _Server((200, {}, name)) as other, _Server((status, {"Location": f"{other.url}/snapshot"}, b"")) as first:
        dsn = first.url.replace("//", "//ada:a-password@")
        taken = snapshot.asked_for(store.client, address.read(dsn))
        assert health.state(dsn) is None
    snapshot.drop(store.client, taken)
    assert [path for path, password in first.asked if password] == ["/snapshot", "/state"]
    assert other.asked == []
    assert taken != f"{snapshot.PREFIX}20200101000000_ab"


@pytest.mark.parametrize(
    "body",
    [
        b'{"database": "default"}',
        b'{"database": "otel_costs_snapshot_1`; drop table calls"}',
        b'{"database": 1}',
        b"[]",
        b"[" * 60000,
        b" " * local_http.MOST_BYTES + b'{"database": "otel_costs_snapshot_1_a"}',
    ],
)
def test_what_is_answered_is_no_name_of_a_snapshot(store: Store, body: bytes) -> None:
    """Nothing but a name of ours is read from; any other answer is none, and so is one that has no end."""
    with _Server((200, {}, body)) as server:
        taken = snapshot.asked_for(store.client, address.read(server.url))
    assert store.ask(f"select 1 as one from system.databases where name = '{taken}'")
    snapshot.drop(store.client, taken)


def test_a_forgotten_snapshot_is_dropped(store: Store) -> None:
    """What a killed program has left goes with the first snapshot a day later; a newer one may be in use."""
    forgotten, used = (f"{snapshot.PREFIX}{stamp}_ab" for stamp in ("20200101000000", "29990101000000"))
    for name in (forgotten, used):
        store.client.command(f"create database {name}")
    snapshot.drop(store.client, snapshot.take(store.client))
    found = {row["name"] for row in store.ask("select name from system.databases")}
    assert forgotten not in found
    assert used in found
    snapshot.drop(store.client, used)
    with pytest.raises(StoreError, match="is no snapshot"):
        snapshot.drop(store.client, "default")


def _files(folder: Folder) -> list[Path]:
    return sorted((folder.path / "files").glob("*/*"))
