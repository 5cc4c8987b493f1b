"""The command `report`, over a real store."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

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


def by(*arguments: str, url: str) -> dict[str, Any]:
    """Return what `report --by` says, as JSON."""
    said = run("report", "--by", *arguments, "--format", "json", url=url)
    assert (said.exit_code, said.stderr) == (0, "")
    found: dict[str, Any] = json.loads(said.stdout)
    return found


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model", {"gpt-4o-2024-08-06": "0.008495", "whisper-1": "0.001500", "gpt-99": "0"}),
        ("service", {"shop": "0.009995"}),
        ("step", {"": "0.008025", "answer": "0.001970"}),
        ("kind", {"conversation": "0.009995"}),
        ("scenario", {"shop": "0.008495", "": "0.001500"}),
        ("provider", {"openai": "0.009995"}),
        ("operation", {"chat": "0.008495", "speech_to_text": "0.001500"}),
        ("modality", {"text_input": "0.005095", "text_output": "0.003400", "speech_to_text": "0.001500", "other": "0"}),
        ("tag.team", {"west": "0.008495", "": "0.001500"}),
        ("day", {f"{DAY:%Y-%m-%d}": "0.008495", f"{DAY + timedelta(days=1):%Y-%m-%d}": "0.001500"}),
    ],
)
def test_costs_by_anything_that_a_call_has(url: str, name: str, expected: dict[str, str]) -> None:
    """Whatever they are split by, the groups add up to the total, and CSV has the same figures."""
    found = by(name, url=url)
    assert {row[name]: row["cost_usd"] for row in found["costs"]} == expected
    assert sum(Decimal(row["cost_usd"]) for row in found["costs"]) == Decimal(found["total"]["cost_usd"])
    rows = list(csv.DictReader(io.StringIO(run("report", "--by", name, "--format", "csv", url=url).stdout)))
    assert {row[name]: row["cost_usd"] for row in rows} == expected
    assert all(row["text_input_usd"] and row["cached_input_tokens"] for row in rows)


def test_costs_by_several_as_a_table(url: str) -> None:
    """A column for each, and a total."""
    said = run("report", "--by", "day,model", url=url)
    assert said.stdout.splitlines()[0] == "Costs · all time · 4 calls · $0.009995 + 1 unpriced"
    rows = [line.split() for line in said.stdout.splitlines()]
    assert [f"{DAY:%Y-%m-%d}", "gpt-4o-2024-08-06", "2", "0", "2,550", "340", "$0.008495"] in rows
    assert ["total", "4", "1", "2,560", "340", "$0.009995"] in rows


def test_groups_that_are_cut_off_have_a_row(url: str) -> None:
    """In the table and in JSON, and how many they are."""
    cut = by("model", "--limit", "1", url=url)["costs"]
    assert [(row["model"], row.get("others")) for row in cut] == [("gpt-4o-2024-08-06", None), (None, 2)]
    assert "2 others " in run("report", "--by", "model", "--limit", "1", url=url).stdout


def test_what_is_nothing_to_split_by(url: str) -> None:
    """What can be asked for is said."""
    said = run("report", "--by", "colour", url=url)
    assert said.exit_code == 2
    assert "'colour' is nothing to split by: give hour, day, month, user, kind" in said.stderr


@pytest.mark.long
def test_a_report_of_what_matches(url: str) -> None:
    """Filters hold in every part of a report, and each part adds up to the total."""
    for chosen, usd in ((["--model", "whisper-1"], "0.001500"), (["--tag", "team=west"], "0.008495")):
        found = json.loads(run("report", *chosen, "--format", "json", url=url).stdout)
        assert found["cost_usd"] == usd
        for part in ("days", "models", "scenarios", "users"):
            assert sum(Decimal(row["cost_usd"]) for row in found[part]) == Decimal(usd)
    assert "no calls match in this period" in run("report", "--model", "gpt-0", url=url).stderr
    own = run("report", "--user", "ada", "--step", "answer", url=url).stdout
    assert "User ada · all time · 1 session · 1 call · $0.001970" in own


@pytest.mark.long
def test_days_of_a_time_zone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day begins where it does at the place of the reader, in bounds and in groups; --tz goes before the variable."""
    day, next_day = f"{DAY:%Y-%m-%d}", f"{DAY + timedelta(days=1):%Y-%m-%d}"
    # 10:30 in UTC is 00:30 of the next day in Kiritimati, 14 hours ahead.
    found = by("day", "--tz", "Pacific/Kiritimati", url=url)
    assert [row["day"] for row in found["costs"]] == [next_day]
    assert found["tz"] == "Pacific/Kiritimati"
    monkeypatch.setenv("OTEL_COSTS_TZ", "Pacific/Kiritimati")
    assert by("day", url=url) == found
    assert by("day", "--to", day, url=url)["total"]["call_count"] == 0
    assert by("day", "--to", day, "--tz", "UTC", url=url)["total"]["call_count"] == 2
    assert f"from {next_day} to {next_day}" not in run("report", "--range", next_day, url=url).stdout
    assert f"All users · {next_day} Pacific/Kiritimati · 4 calls" in run("report", "--range", next_day, url=url).stdout


def test_a_time_zone_that_is_none(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told in one line, whether as an option or as the variable."""
    said = run("report", "--tz", "Mars/Base", url=url)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "'Mars/Base' is no time zone: give one of IANA's names" in said.stderr
    monkeypatch.setenv("OTEL_COSTS_TZ", "Mars/Base")
    said = run("sessions", url=url)
    assert said.exit_code == 2
    assert "OTEL_COSTS_TZ: 'Mars/Base' is no time zone" in said.stderr


@pytest.mark.some(7)
@pytest.mark.parametrize(
    ("period", "calls"),
    [
        (["--from", "7d"], 4),
        (["--from", "today"], 0),
        (["--from", "yesterday"], 2),
        (["--from", "yesterday", "--to", "today"], 2),
        (["--to", "yesterday"], 4),
        (["--to", "2d"], 0),
        (["--range", f"{DAY:%Y-%m-%d}"], 2),
        (["--range", f"{DAY:%Y-%m-%d}..{DAY + timedelta(days=1):%Y-%m-%d}"], 4),
        (["--from", f"{DAY:%Y-%m}"], 4),
        (["--from", "2020-01"], 0),
        (["--from", "2020-01", "--to", "2020-02"], 0),
        (["--from", "2020-01-01"], 4),
        (["--from", f"{DAY:%Y-%m-%d}..{DAY:%Y-%m-%d}"], 2),
    ],
)
def test_periods_in_words(url: str, period: list[str], calls: int) -> None:
    """--from goes on, but for what ends by itself; --to is the last moment of what is named, --range the whole."""
    now = datetime.now(UTC)
    if period == ["--to", "2d"] and now - timedelta(days=2) > DAY.replace(hour=10, minute=30):
        calls = 2
    assert by("day", *period, url=url)["total"]["call_count"] == calls


def test_periods_that_are_none(url: str) -> None:
    """What to write is said."""
    assert "--from: 'soon' is no range: give 7d" in run("report", "--from", "soon", url=url).stderr
    assert "--to: 'soon' is no date: give 2026-11-22" in run("report", "--to", "soon", url=url).stderr
    assert "give either --range, or --from and --to" in run("report", "--from", "7d", "--range", "7d", url=url).stderr
    both = run("report", "--to", "2026-11-01..2026-11-02", url=url)
    assert "is a range of two: give one end of it" in both.stderr
