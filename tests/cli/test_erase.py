"""The command erase, over a real store."""

import json

from .support import Ledger, at, run


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
