"""The command `compare`, over a real store."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from .support import DAY, run

FIRST, SECOND = f"{DAY:%Y-%m-%d}", f"{DAY + timedelta(days=1):%Y-%m-%d}"


def compared(*arguments: str, url: str) -> dict[str, Any]:
    """Return what `compare` says, as JSON."""
    said = run("compare", *arguments, "--format", "json", url=url)
    assert said.exit_code == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


@pytest.mark.long
def test_two_periods(url: str) -> None:
    """What each cost, and where the difference is; the groups add up to it."""
    found = compared(FIRST, SECOND, url=url)
    assert (found["a"]["cost_usd"], found["b"]["cost_usd"]) == ("0.008495", "0.001500")
    assert (found["a"]["sessions"]["count"], found["b"]["sessions"]["count"]) == (1, 1)
    assert found["total"]["change_usd"] == "-0.006995"
    assert sum(Decimal(row["change_usd"]) for row in found["groups"]) == Decimal("-0.006995")
    assert {row["name"] for row in found["groups"]} == {"gpt-4o-2024-08-06", "whisper-1", "gpt-99"}
    rows = list(csv.DictReader(io.StringIO(run("compare", FIRST, SECOND, "--format", "csv", url=url).stdout)))
    assert sum(Decimal(row["change_usd"]) for row in rows if row["part"] == "model") == Decimal("-0.006995")


@pytest.mark.long
def test_two_groups(url: str) -> None:
    """Of users, models or tags, with filters that hold for both."""
    found = compared("user=ada", "user=grace", "--by", "operation", url=url)
    assert (found["a"]["cost_usd"], found["b"]["cost_usd"]) == ("0.008495", "0.001500")
    west = compared("tag.team=west", "tag.team=east", url=url)
    assert (west["a"]["call_count"], west["b"]["call_count"]) == (2, 0)
    assert west["total"]["change_share"] == -1.0


def test_a_period_and_the_one_before(url: str) -> None:
    """Without sides it is the period that is asked for and as long a one before it."""
    found = compared("--range", SECOND, url=url)
    assert (found["a"]["name"], found["a"]["cost_usd"]) == ("before", "0.008495")
    assert (found["b"]["name"], found["b"]["cost_usd"]) == ("now", "0.001500")
    assert compared(url=url)["b"]["call_count"] == 4


@pytest.mark.long
def test_as_a_table(url: str) -> None:
    """Both sides, the difference of each group, and the total; what is cut off has a row."""
    said = run("compare", FIRST, SECOND, url=url).stdout
    rows = [line.split() for line in said.splitlines()]
    assert ["cost", "$0.008495", "$0.001500"] in rows
    assert ["gpt-4o-2024-08-06", "$0.008495", "$0", "-100.0", "-$0.008495"] in rows
    assert ["total", "$0.008495", "$0.001500", "-82.3", "-$0.006995"] in rows
    cut = run("compare", FIRST, SECOND, "--limit", "1", url=url).stdout
    assert ["2", "others", "$0", "$0.001500", "+$0.001500"] in [line.split() for line in cut.splitlines()]


def test_what_is_no_side(url: str) -> None:
    """What to write is said."""
    assert "'soon' is neither a period" in run("compare", "soon", "7d", url=url).stderr
    assert "give two sides" in run("compare", "7d", url=url).stderr
    assert "--by: 'colour' is nothing to split by" in run("compare", "--by", "colour", url=url).stderr
