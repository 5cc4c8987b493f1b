"""The command `alerts try`, over a real store."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest

from otel_costs.alerts.state import Event, State
from otel_costs.store import connect

from .support import DAY, run

RULES = """\
receivers:
  hook: {url: "json://localhost:9/"}
rules:
  - {when: day_total, usd: 0.005}
  - {name: budgets, when: budget, shares: [1]}
  - {name: health, when: store_health}
"""
PERIOD = ("--from", f"{DAY:%Y-%m-%d}", "--to", f"{DAY + timedelta(days=1):%Y-%m-%d}")


def test_a_dry_run_shows_every_rule(url: str, tmp_path: Path) -> None:
    """What would have been sent, in order; and with its reason what the store does not know of a rule's past."""
    path = tmp_path / "alerts.yaml"
    path.write_text(RULES)
    assert run("budget", "set", "0.004", "--user", "ada", "--period", "month", url=url).exit_code == 0
    said = run("alerts", "try", "--rules", str(path), *PERIOD, "--format", "json", url=url)
    assert said.exit_code == 0, said.stderr
    found = json.loads(said.stdout)
    assert [(row["rule"], row["state"]) for row in found["alerts"]] == [
        ("day_total", "would be sent"),
        ("budgets", "would be sent"),
    ]
    assert "(the budget was set later: " in found["alerts"][1]["message"]
    assert [row["rule"] for row in found["not_known"]] == ["budgets", "health"]
    table = run("alerts", "try", "--rules", str(path), *PERIOD, url=url)
    assert "health: the store does not know which parts of tables were set aside then" in table.stderr
    rows = list(
        csv.DictReader(
            io.StringIO(run("alerts", "try", "--rules", str(path), *PERIOD, "--format", "csv", url=url).stdout)
        )
    )
    assert [row["rule"] for row in rows] == ["day_total", "budgets"]


@pytest.mark.long
def test_a_silence_of_what_nobody_knows_is_said(url: str) -> None:
    """A name that is misspelt silences nothing."""
    client = connect(url)
    try:
        state = State(client)
        event = Event("dear", "s1", "it is dear", DAY)
        state.write(event)
        state.put_rule("page", "when: new_model")
    finally:
        client.close()
    for known in ("dear", event.id, "page", ""):
        said = run("alerts", "silence", *filter(None, [known]), "--hours", "1", url=url)
        assert (said.exit_code, said.stderr) == (0, "")
    said = run("alerts", "silence", "daer", url=url)
    assert "no rule and no event daer" in said.stderr
    assert said.stdout.startswith("daer silenced until")


def test_a_name_of_a_rule_is_one_line(url: str) -> None:
    """Whatever is in it."""
    client = connect(url)
    try:
        State(client).write(Event("a\nb", "s1", "it is\ndear", DAY))
    finally:
        client.close()
    (line,) = [line for line in run("alerts", "list", url=url).stdout.splitlines() if "a␊b" in line]

    assert "it is␊dear" in line
