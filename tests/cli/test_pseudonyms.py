"""Commands know users by their plain names where they are recorded by pseudonyms, and the salt is there."""

import json
from typing import Any

import pytest

from otel_costs.privacy import pseudonyms

from .support import Ledger, at, run

SALT = {"OTEL_COSTS_USER_HASH": "a long salt of the tests"}
NAME = "ada@example.com"


def told(store: str, *command: str, **environ: str) -> Any:
    """Return what a command says as JSON, with the salt."""
    said = run(*command, "--format", "json", url=store, environ={**SALT, **environ})
    assert said.exit_code == 0, said.stderr
    return json.loads(said.stdout)


def test_erase_knows_the_plain_name(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes what is recorded under the pseudonym, and what was recorded under the name itself."""
    with monkeypatch.context() as patch:
        patch.setenv("OTEL_COSTS_USER_HASH", SALT["OTEL_COSTS_USER_HASH"])
        pseudonym = pseudonyms.asked("eve@example.com")
    ledger = Ledger(store)
    for number, user in enumerate((pseudonym, "eve@example.com", "mallory")):
        ledger.call(f"eve{number}", at("09:00:00"), user__id=user, otel_costs__cost__usd="1")
    erased = {row["table"]: row for row in told(store, "erase", "--user", "eve@example.com", "--yes")["erased"]}
    assert erased["calls"] == {"table": "calls", "before": 2, "after": 0}
    left = json.loads(run("sessions", "--user", "mallory", "--format", "json", url=store).stdout)["sessions"]
    assert [row["session_id"] for row in left] == ["eve2"]
    run("erase", "--user", "mallory", "--yes", url=store)


@pytest.mark.long
def test_commands_know_the_plain_name(store: str, monkeypatch: Any) -> None:
    """Reports, lists, search, exports, budgets; `erase` takes what the pseudonym has and what the name has."""
    with monkeypatch.context() as patch:
        patch.setenv("OTEL_COSTS_USER_HASH", SALT["OTEL_COSTS_USER_HASH"])
        pseudonym = pseudonyms.asked(NAME)
    ledger = Ledger(store)
    ledger.call("new", at("10:00:00"), user__id=pseudonym, otel_costs__cost__usd="0.25")
    ledger.message("new", at("10:00:00"), "user", "a whisper", user__id=pseudonym)
    ledger.call("old", at("11:00:00"), user__id=NAME, otel_costs__cost__usd="0.5")
    ledger.call("others", at("10:00:00"), user__id="bob", otel_costs__cost__usd="1")
    for user in (NAME, pseudonym):
        assert [row["session_id"] for row in told(store, "sessions", "--user", user)["sessions"]] == ["new"]
        assert told(store, "report", "--user", user)["cost_usd"] == "0.250000"
        assert len(told(store, "search", "whisper", "--user", user)["messages"]) == 1
        exported = run("export", "calls", "--user", user, "--format", "json", url=store, environ=SALT).stdout
        assert [json.loads(line)["session_id"] for line in exported.splitlines()] == ["new"]
    assert run("budget", "set", "50", "--user", NAME, url=store, environ=SALT).exit_code == 0
    assert [row["name"] for row in told(store, "budget", "list")["budgets"]] == [pseudonym]
    refused = run("budget", "set", "50", "--user", NAME, url=store, environ={"OTEL_COSTS_USER_HASH": "short"})
    assert (refused.exit_code, "OTEL_COSTS_USER_HASH" in refused.stderr) == (2, True)
    erased = {row["table"]: row for row in told(store, "erase", "--user", NAME, "--yes")["erased"]}
    assert erased["calls"] == {"table": "calls", "before": 2, "after": 0}
    assert erased["messages"]["before"] == erased["budgets"]["before"] == 1
    left = json.loads(run("sessions", "--format", "json", url=store).stdout)["sessions"]
    assert [row["session_id"] for row in left] == ["others"]
