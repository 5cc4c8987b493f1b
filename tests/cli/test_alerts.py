"""The command `alerts try`, over a real store."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

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
