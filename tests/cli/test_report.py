"""The command `report`, over a real store."""

import csv
import io
import json
from decimal import Decimal

from .support import DAY, run


def test_report_of_a_user(url: str) -> None:
    """By day and model with the total, and the sessions."""
    said = run("report", "--user", "ada", url=url)
    assert (said.exit_code, said.stderr) == (0, "")
    for part in (
        "User ada · all time · 1 session · 2 calls · $0.008495",
        "By day",
        "By model",
        "gpt-4o-2024-08-06",
        "Sessions",
    ):
        assert part in said.stdout
    assert "grace" not in said.stdout


def test_report_of_everybody(url: str) -> None:
    """Without a user, the users are listed, and each table adds up to the total."""
    said = run("report", url=url)
    assert "All users · all time · 4 calls · $0.009995 + 1 unpriced" in said.stdout
    assert "`otel-costs doctor` tells why" in said.stdout
    totals = [line.split() for line in said.stdout.splitlines() if line.strip().startswith("total")]
    assert totals == [["total", "4", "1", "2,560", "340", "$0.009995"]] * 4


def test_report_of_a_period(url: str) -> None:
    """--from is in it, the day of --to too."""
    day = f"{DAY:%Y-%m-%d}"
    one = json.loads(run("report", "--from", day, "--to", day, "--format", "json", url=url).stdout)
    assert (one["call_count"], one["cost_usd"], [row["user_id"] for row in one["users"]]) == (2, "0.008495", ["ada"])
    other = json.loads(run("report", "--user", "grace", "--to", day, "--format", "json", url=url).stdout)
    assert (other["call_count"], other["cost_usd"]) == (0, "0")


def test_report_as_csv_adds_up(url: str) -> None:
    """Each group of rows adds up to the same total, and each row's parts to its cost."""
    rows = list(csv.DictReader(io.StringIO(run("report", "--format", "csv", url=url).stdout)))
    parts = [name for name in rows[0] if name.endswith("_usd") and name != "cost_usd"]
    for row in rows:
        assert sum(Decimal(row[part]) for part in parts) == Decimal(row["cost_usd"])
    for group in ("day", "model", "scenario", "user"):
        assert sum(Decimal(row["cost_usd"]) for row in rows if row["by"] == group) == Decimal("0.009995")


def test_report_of_nobody(url: str) -> None:
    """An unknown user cost nothing; what to do is said beside it."""
    said = run("report", "--user", "nobody", url=url)
    assert said.exit_code == 0
    assert "no calls of user 'nobody' in this period; `otel-costs report` lists the users" in said.stderr


def test_what_is_cut_off_has_a_row(url: str) -> None:
    """In every format: users that are not listed are summed up, and how many they are is said."""
    found = json.loads(run("report", "--limit", "1", "--format", "json", url=url).stdout)
    assert [(row["user_id"], row.get("others")) for row in found["users"]] == [("ada", None), (None, 1)]
    for part in ("days", "models", "scenarios", "users"):
        assert sum(Decimal(row["cost_usd"]) for row in found[part]) == Decimal(found["cost_usd"])
        assert sum(row["call_count"] for row in found[part]) == found["call_count"]
    rows = list(csv.DictReader(io.StringIO(run("report", "--limit", "1", "--format", "csv", url=url).stdout)))
    users = [row for row in rows if row["by"] == "user"]
    assert [(row["user_id"], row["others"]) for row in users] == [("ada", ""), ("", "1")]
    assert sum(Decimal(row["cost_usd"]) for row in users) == Decimal("0.009995")
    shown = run("report", "--limit", "1", url=url).stdout
    assert "1 other " in shown
    assert [line.split()[-1] for line in shown.splitlines() if line.strip().startswith("total")] == ["$0.009995"] * 4


def test_bounds_are_moments_in_every_part(url: str) -> None:
    """A part of a day is that part, by day, model, scenario and user alike."""
    since, until = f"{DAY:%Y-%m-%d}T10:30:01.001Z", f"{DAY:%Y-%m-%d}T12:30:03.001+02:00"
    found = json.loads(run("report", "--from", since, "--to", until, "--format", "json", url=url).stdout)
    assert (found["call_count"], found["cost_usd"]) == (1, "0.001970")
    for part in ("days", "models", "scenarios", "users"):
        assert [(row["call_count"], row["cost_usd"]) for row in found[part]] == [(1, "0.001970")], part
    own = json.loads(run("report", "--user", "ada", "--from", since, "--to", until, "--format", "json", url=url).stdout)
    assert (own["call_count"], own["cost_usd"]) == (1, "0.001970")
