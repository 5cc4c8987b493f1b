"""The commands backup, restore and move, and what erase says of backups, over a real store."""

import csv
import io
import json
from pathlib import Path

import pytest

from .support import Ledger, at, run

pytestmark = pytest.mark.long


def test_a_backup_and_what_is_said_of_it(store: str, tmp_path: Path) -> None:
    """What is in it, to the last digit; a list; a check that names what is damaged; and who is erased since."""
    ledger, folder = Ledger(store), str(tmp_path / "kept")
    ledger.call("kept", at("10:00:00"), user__id="eve", otel_costs__cost__usd="0.500000000001")
    ledger.message("kept", at("10:00:00"), "user", "a secret", user__id="eve")
    said = run("backup", "--to", folder, url=store)
    assert said.exit_code == 0
    assert "1 calls, 0.500000000001 dollars, 1 messages" in said.stdout
    (listed,) = json.loads(run("backup", "--to", folder, "--list", "--format", "json", url=store).stdout)["backups"]
    assert (listed["calls"], listed["cost_usd"], listed["trouble"]) == (1, "0.500000000001", "")
    rows = list(csv.DictReader(io.StringIO(run("backup", "--to", folder, "--format", "csv", url=store).stdout)))
    assert {row["table"]: row["rows"] for row in rows}["calls"] == "1"
    assert run("backup", "--to", folder, "--check", url=store).exit_code == 0
    erased = run("erase", "--user", "eve", "--yes", "--backups", folder, url=store)
    assert listed["id"] in erased.stderr
    assert "is without it" in erased.stderr
    for path in (tmp_path / "kept" / "files").glob("*/*"):
        path.write_bytes(b"")
    damaged = run("backup", "--to", folder, "--check", "--format", "json", url=store)
    assert damaged.exit_code == 1
    assert {"calls", "messages"} <= {row["table"] for row in json.loads(damaged.stdout)["damaged"]}
    refused = run("restore", "--from", folder, "--merge", url=store)
    assert refused.exit_code == 2
    assert "nothing was put back" in refused.stderr


def test_what_is_refused(store: str, tmp_path: Path) -> None:
    """Each in one line, with what to do."""
    Ledger(store).call("there", at("10:00:00"))
    folder = tmp_path / "kept"
    for arguments, why in (
        (["backup", "--to", str(folder), "--list"], "is no folder of backups"),
        (["restore", "--from", str(folder)], "is no folder of backups"),
        (["backup", "--to", str(folder), "--list", "--check"], "give either --list or --check"),
        (["move", "--to", store], "is the store that it would move from"),
    ):
        said = run(*arguments, url=store)
        assert said.exit_code == 2
        assert why in said.stderr
    assert run("backup", "--to", str(folder), url=store).exit_code == 0
    for arguments, why in (
        (["restore", "--from", str(folder)], "is not empty"),
        (["restore", "--from", str(folder), "--backup", "another"], "no backup 'another'"),
    ):
        said = run(*arguments, url=store)
        assert said.exit_code == 2
        assert why in said.stderr
