"""The command erase, over a real store."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from otel_costs.store import connect
from otel_costs.store import erase as store_erase
from otel_costs.store.backups.folder import Folder

from .support import Ledger, at, run


@pytest.mark.long
def test_erase(store: str) -> None:
    """Without --yes it asks; with it, everything of the user is gone, and a count says so."""
    ledger = Ledger(store)
    ledger.call("gone", at("10:00:00"), user__id="eve", otel_costs__cost__usd="0.5")
    ledger.message("gone", at("10:00:00"), "user", "a secret", user__id="eve")
    ledger.call("stays", at("10:00:00"), user__id="mallory", otel_costs__cost__usd="0.25")
    asked = run("erase", "--user", "eve", url=store)
    assert (asked.exit_code, asked.stdout) == (2, "")
    assert "user 'eve' has 2 of otel_logs, 1 of messages, 1 of calls" in asked.stderr
    assert "give --yes" in asked.stderr
    said = run("erase", "--user", "eve", "--yes", "--format", "json", url=store)
    found = json.loads(said.stdout)
    assert (said.exit_code, found["left"]) == (0, 0)
    assert {"table": "messages", "before": 1, "after": 0} in found["erased"]
    listed = json.loads(run("sessions", "--format", "json", url=store).stdout)
    assert [row["session_id"] for row in listed["sessions"]] == ["stays"]
    again = run("erase", "--user", "eve", "--yes", url=store)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "nothing of user 'eve' is in the store" in again.stderr


def test_erase_a_session(store: str) -> None:
    """As a table: what was there, and that nothing is left."""
    Ledger(store).call("one", at("10:00:00"), user__id="trent")
    asked = run("erase", "--session", "one", url=store)
    assert (asked.exit_code, asked.stdout, "give --yes" in asked.stderr) == (2, "", True)
    said = run("erase", "--session", "one", "--yes", url=store)
    assert said.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in said.stdout.splitlines() if line.strip()}
    assert rows["calls"] == ["1", "0"]
    assert rows["otel_logs"] == ["1", "0"]


def test_whom_to_erase(store: str) -> None:
    """Neither everybody nor two at once."""
    for arguments in ([], ["--user", ""], ["--user", "a", "--session", "b"]):
        said = run("erase", *arguments, "--yes", url=store)
        assert said.exit_code == 2
        assert "give --user ID or --session ID" in said.stderr


@pytest.mark.long
def test_what_may_come_back_is_said_first(store: str, tmp_path: Path) -> None:
    """While a backup or a restore runs, or was cut, nothing is erased or noted; a folder given twice is one."""
    ledger, folder = Ledger(store), tmp_path / "kept"
    ledger.call("here", at("10:00:00"), user__id="peggy")
    assert run("backup", "--to", str(folder), url=store).exit_code == 0
    erasing = ["erase", "--user", "peggy", "--yes", "--backups", str(folder), "--backups", f"{folder}/../kept"]
    with Folder(folder).locked(shared=True):
        refused = run(*erasing, url=store)
    assert refused.exit_code == 2
    assert "another backup or restore uses" in refused.stderr
    for database, what in (
        ("otel_costs_restore_1", "a restore into the store runs, or was cut half way"),
        ("otel_costs_move", "a move into the store runs, or was cut half way"),
        ("otel_costs_snapshot_29990101000000_ab", "a backup or a move reads the store"),
    ):
        with closing(connect(store)) as client:
            client.command(f"create database {database}")
            refused = run(*erasing, url=store)
            client.command(f"drop database {database}")
        assert refused.exit_code == 2
        assert what in refused.stderr
        assert f"drop the database {database}" in refused.stderr
    assert not (folder / "erasures.jsonl").exists()
    assert run(*erasing, url=store).exit_code == 0
    assert len((folder / "erasures.jsonl").read_text().splitlines()) == 1


@pytest.mark.long
def test_a_cut_erasure_is_in_the_list(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had not come to would come back from there, and nobody would know."""
    folder = tmp_path / "kept"
    Ledger(store).call("here", at("10:00:00"), user__id="victor")
    assert run("backup", "--to", str(folder), url=store).exit_code == 0
    with monkeypatch.context() as cut:
        cut.setattr(store_erase, "_delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run("erase", "--user", "victor", "--yes", "--backups", str(folder), url=store).exit_code != 0
    assert len((folder / "erasures.jsonl").read_text().splitlines()) == 1
