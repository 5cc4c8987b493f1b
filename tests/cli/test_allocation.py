"""Rules of whose spend is, as commands apply and check them."""

import csv
import io
import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import otel_costs
from otel_costs.cli.statement import _file_name
from otel_costs.store import connect
from tests.web.support import got, served

from .support import Ledger, at, run

RULES = """\
tags:
  team:
    rules:
      - {assign: voice, operation: speech_to_text}
      - {assign: voice, model: whisper-1}
      - {assign: nobody, service: none}
      - {assign: platform, user: mallory}
    shared:
      - {value: platform, split: {west: 2, voice: 1}}
      - {value: unused, split: evenly}
"""


@pytest.fixture(scope="module")
def path(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write the rules, and a call of the platform."""
    Ledger(url).call("", at("12:00:00"), user__id="mallory", otel_costs__cost__usd="0.000000000002")
    file = tmp_path_factory.mktemp("rules") / "allocation.yaml"
    file.write_text(RULES)
    return str(file)


def test_a_report_by_a_tag(url: str, path: str) -> None:
    """Own, shared and total stand beside each other, and nobody's has a row; by the option and by the variable."""
    said = run("report", "--by", "tag.team", "--allocation", path, url=url)
    assert said.exit_code == 0, said.stderr
    lines = [line.split() for line in said.stdout.splitlines() if line.count("$") > 1]
    assert lines == [
        ["west", "2", "0", "2,550", "340", "$0.008495", "$0.000000000001", "$0.008495"],
        ["voice", "1", "0", "0", "0", "$0.001500", "$0.000000000001", "$0.001500"],
        ["platform", "1", "0", "0", "0", "$0.000000000002", "-$0.000000000002", "$0"],
        ["total", "5", "1", "2,560", "340", "$0.009995", "$0", "$0.009995"],
    ]
    (nobody,) = (line.split() for line in said.stdout.splitlines() if "(none)" in line)
    assert nobody == ["(none)", "1", "1", "10", "0", "unpriced", "$0", "unpriced"]
    environ = {"OTEL_COSTS_ALLOCATION": path}
    said = run("report", "--by", "tag.team", "--format", "csv", url=url, environ=environ)
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    assert [(row["tag.team"], row["cost_usd"], row["shared_usd"], row["total_usd"]) for row in rows] == [
        ("west", "0.008495", "0.000000000001", "0.008495000001"),
        ("voice", "0.001500", "0.000000000001", "0.001500000001"),
        ("platform", "0.000000000002", "-0.000000000002", "0"),
        ("", "0", "0", "0"),
    ]
    found = json.loads(run("report", "--by", "tag.team", "--format", "json", url=url, environ=environ).stdout)
    assert sum(Decimal(row["total_usd"]) for row in found["costs"]) == Decimal(found["total"]["cost_usd"])


@pytest.mark.long
def test_two_teams_beside_each_other(url: str, path: str) -> None:
    """`compare`, `usage`, and what calls would have cost, mean tags as they are assigned: what is a team's own."""
    rules = ("--allocation", path, "--format", "json")
    found = json.loads(run("compare", "tag.team=west", "tag.team=voice", "--by", "operation", *rules, url=url).stdout)
    assert [(found[side]["call_count"], found[side]["cost_usd"]) for side in "ab"] == [(2, "0.008495"), (1, "0.001500")]
    by_team = json.loads(run("compare", "--range", "30d", "--by", "tag.team", *rules, url=url).stdout)["groups"]
    assert {row["name"]: row["b_usd"] for row in by_team if row["b_calls"]}["voice"] == "0.001500"
    used = json.loads(run("usage", "--tag", "team=voice", *rules, url=url).stdout)
    assert (used["total"]["call_count"], used["total"]["cost_usd"]) == (1, "0.001500")
    otherwise = run(
        "price", "--tag", "team=voice", "--operation", "speech_to_text", "--model", "whisper-1", *rules, url=url
    )
    assert json.loads(otherwise.stdout)["recorded"]["cost_usd"] == "0.001500"


def test_the_api_says_the_same(url: str, path: str) -> None:
    """Costs, statements and filters of an application with the rules are those of the commands."""
    with served(otel_costs.web.app(dsn=url, allocation=path)) as app:
        costs = got(f"{app}/api/v1/costs", by="tag.team")
        month = f"{at('12:00:00'):%Y-%m}"
        statements = got(f"{app}/api/v1/statements", month=month)
        voice = got(f"{app}/api/v1/costs", tag_team="voice")["total"]
    rules = ("--allocation", path, "--format", "json")
    assert costs == json.loads(run("report", "--by", "tag.team", *rules, url=url).stdout)
    assert statements == json.loads(run("statement", "--month", month, *rules, url=url).stdout)
    assert voice["cost_usd"] == "0.001500"


@pytest.mark.long
def test_check(url: str, path: str) -> None:
    """What rules match is said rule by rule, with the lines; what nothing assigns too. Findings are exit code 1."""
    said = run("allocation", "check", "--allocation", path, "--format", "json", url=url)
    assert said.exit_code == 1
    parts = json.loads(said.stdout)["parts"]
    assert [
        (row["part"], row["line"], row["value"], row["call_count"], row["cost_usd"], row["finding"]) for row in parts
    ] == [
        ("own tag", None, "", 2, "0.008495", None),
        ("rule", 4, "voice", 1, "0.001500", None),
        ("rule", 5, "voice", 0, "0", "matches only what an earlier rule has already"),
        ("rule", 6, "nobody", 0, "0", "matches no call"),
        ("rule", 7, "platform", 1, "0.000000000002", None),
        ("unassigned", None, "", 1, "0", "not assigned to anybody"),
        ("shared", 9, "platform", 1, "0.000000000002", None),
        ("shared", 10, "unused", 0, "0", "matches no call"),
    ]
    assert parts[5]["asks"] == "service: shop, user: grace, model: gpt-99"
    table = run("allocation", "check", "--allocation", path, url=url, environ={"COLUMNS": "200"}).stdout
    for part in ("own tag", "operation: speech_to_text", "matches no call", "not assigned to anybody"):
        assert part in table
    fine = run("allocation", "check", "--allocation", path, "--range", "2020-01", "--format", "csv", url=url)
    assert fine.stdout.splitlines()[0].startswith("tag,part,line,value,asks,call_count")


def test_without_a_finding(url: str, tmp_path: Path) -> None:
    """Where every rule matches and nothing is left, the exit code is 0."""
    file = tmp_path / "all.yaml"
    file.write_text("tags: {team: {rules: [{assign: rest, service: '*'}]}}")
    assert run("allocation", "check", "--allocation", str(file), url=url).exit_code == 0


def test_rules_that_are_none(url: str, tmp_path: Path) -> None:
    """The line is said, and nothing is reported; without a file the option is named."""
    file = tmp_path / "wrong.yaml"
    file.write_text("tags: {team: {rules: [{assign: a, servce: b}]}}")
    said = run("report", "--allocation", str(file), url=url)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "line 1: `servce` is no field of a rule" in said.stderr
    said = run("allocation", "check", url=url, environ={"OTEL_COSTS_ALLOCATION": None})
    assert said.exit_code == 2
    assert "--allocation FILE, or OTEL_COSTS_ALLOCATION" in said.stderr


def charge(contract: str, hour: datetime) -> dict[str, Any]:
    """Return an hour of a reservation whose rate in dollars nobody knows."""
    about = {"contract_id": contract, "kind": "reservation", "name": "ptu", "providers": ["azure"], "currency": "EUR"}
    period = {"period_start": hour, "period_end": hour + timedelta(hours=1)}
    amounts = {"amount": Decimal(8), "used_amount": Decimal(0), "unused_amount": Decimal(8)}
    return {**about, **period, **amounts, "amount_usd": None, "unused_usd": None, "call_count": 0}


@pytest.mark.long
def test_focus(url: str, path: str, tmp_path: Path) -> None:
    """The file adds up to the report, by team too; calls without a price are said on standard error."""
    said = run("export", "--format", "focus", "--allocation", path, url=url)
    rows = list(csv.DictReader(io.StringIO(said.stdout)))
    assert sum(Decimal(row["EffectiveCost"]) for row in rows) == Decimal("0.009995000002")
    assert "1 call without a price" in said.stderr
    (west,) = {row["Tags"] for row in rows if row["x_Scenario"] == "shop"}
    assert json.loads(west) == {"team": "west"}
    voice = [row for row in rows if json.loads(row["Tags"] or "{}").get("team") == "voice"]
    assert sum(Decimal(row["EffectiveCost"]) for row in voice) == Decimal("0.001500000001")
    assert "of reservations" not in said.stderr
    with connect(url) as client:
        hour = charge("c", at("12:00:00"))
        client.insert("contract_charges", [list(hour.values())], column_names=list(hour))
    said = run("export", "--format", "focus", url=url)
    assert "1 hour of reservations left out: no rate of exchange into dollars" in " ".join(said.stderr.split())
    file = tmp_path / "focus.parquet"
    said = run("export", "--format", "focus-parquet", "--output", str(file), "--user", "ada", url=url)
    assert (said.exit_code, said.stdout) == (0, "")
    assert "bytes of FOCUS 1.2" in said.stderr
    assert file.read_bytes()[:4] == b"PAR1"
    said = run("export", "sessions", "--format", "focus", url=url)
    assert said.exit_code == 2
    assert "leave 'sessions' out" in said.stderr


@pytest.mark.long
def test_statements(url: str, path: str, tmp_path: Path) -> None:
    """A table, a CSV and a page for each team, and for what nothing assigns; names of files cannot leave the folder."""
    month = f"{at('12:00:00'):%Y-%m}"
    rules = ("--allocation", path, "--month", month)
    said = run("statement", *rules, url=url, environ={"COLUMNS": "200"})
    assert said.exit_code == 0, said.stderr
    for part in ("west", "voice", "platform", "(none)", "total", f"{month} (UTC)"):
        assert part in said.stdout
    rows = list(csv.DictReader(io.StringIO(run("statement", *rules, "--format", "csv", url=url).stdout)))
    totals = {row["value"]: row["total_usd"] for row in rows if row["part"] == "total"}
    assert totals == {"west": "0.008495000001", "voice": "0.001500000001", "platform": "0", "": "0"}
    said = run("statement", *rules, "--to", str(tmp_path / "statements"), url=url)
    assert "4 statements of" in said.stderr
    names = {f"{month}-{name}" for name in ("west", "voice", "platform", "(none)")}
    assert {file.name for file in (tmp_path / "statements").iterdir()} == {
        f"{name}.{form}" for name in names for form in ("csv", "html")
    }
    (total, *_) = csv.DictReader(io.StringIO((tmp_path / "statements" / f"{month}-west.csv").read_text()))
    assert total["total_usd"] == "0.008495000001"
    found = json.loads(run("statement", *rules, "--format", "json", url=url).stdout)
    assert found["total"]["total_usd"] == "0.009995000002"
    assert run("statement", "--month", "2026-13", url=url).exit_code == 2
    assert "no tag" in run("statement", "--by", "model", url=url).stderr
    assert "no calls in 2020-01" in run("statement", "--month", "2020-01", url=url).stderr


def test_budgets_of_statements(url: str, path: str) -> None:
    """A budget of 0 is one, and what has none has nothing there: neither is a price that is not known."""
    for team, limit in {"west": "5", "voice": "0"}.items():
        assert run("budget", "set", limit, "--tag", f"team={team}", "--period", "month", url=url).exit_code == 0
    month = f"{at('12:00:00'):%Y-%m}"
    said = run("statement", "--allocation", path, "--month", month, url=url, environ={"COLUMNS": "200"})
    found = {words[0]: words[1:] for line in said.stdout.splitlines() if "$" in line and (words := line.split())}
    assert found["west"] == ["2", "0", "$0.008495", "$0.000000000001", "$0.008495", "$5.000000"]
    assert found["voice"][-1] == "$0"
    assert found["voice"][:2] == ["1", "0"]
    assert len(found["voice"]) == len(found["west"]) == len(found["platform"]) + 1


@pytest.mark.parametrize("value", ["../../etc/passwd", "a/b", "CON", "x" * 300, "é", "."])
def test_names_of_files(value: str) -> None:
    """Each value has files of its own, of a name that no file system takes for a path."""
    name = _file_name(value)
    assert re.fullmatch(r"[A-Za-z0-9_.~-]{1,90}", name)
    assert name != _file_name(f"{value} ")
