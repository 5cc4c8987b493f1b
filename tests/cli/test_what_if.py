"""`otel-costs price` of stored calls, over a real store."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest

from otel_costs.cli.selecting import is_narrow, selection_options
from otel_costs.store.selection import Selection

from .support import run

LIKE = ("price", "--like", "parcel", "--model", "gpt-4o-mini,gpt-4.1-mini")


def test_like_a_session(url: str) -> None:
    """Today's model beside the others, and the lines: as a table, with each quantity and rate."""
    said = run(*LIKE, url=url, environ={"COLUMNS": "120"})
    assert (said.exit_code, said.stderr) == (0, "")
    assert "Session parcel · 2 calls · prices of the time of each call" in said.stdout
    assert "$0.008495" in said.stdout
    assert "gpt-4o-mini" in said.stdout
    assert "gpt-4.1-mini" in said.stdout
    assert "What differs" in said.stdout
    assert "$0.15/1M" in said.stdout


@pytest.mark.long
def test_as_json_and_csv(url: str) -> None:
    """The same figures, exact, in every form."""
    found = json.loads(run(*LIKE, "--format", "json", url=url).stdout)
    # 1,526 tokens fresh, 1,024 cached, 340 answered.
    mini = (1526 * Decimal("0.15") + 1024 * Decimal("0.075") + 340 * Decimal("0.6")) / 1_000_000
    assert Decimal(found["alternatives"][0]["cost_usd"]) == mini
    assert found["recorded"]["cost_usd"] == "0.008495"
    rows = list(csv.DictReader(io.StringIO(run(*LIKE, "--format", "csv", url=url).stdout)))
    of_mini = [row for row in rows if row["alternative"] == "gpt-4o-mini"]
    assert sum(Decimal(row["amount_usd"]) for row in of_mini) == mini


@pytest.mark.long
def test_a_period_with_filters(url: str) -> None:
    """Of a user, a tag, a model; speech stays what it is, and a call without a price is named."""
    found = run("price", "--from", "30d", "--model", "gpt-4o-mini", "--format", "json", url=url)
    assert found.exit_code == 1
    (one,) = json.loads(found.stdout)["alternatives"]
    assert (one["priced_calls"], one["kept_calls"], one["not_priced_calls"]) == (2, 1, 1)
    for filters, calls in (
        ("--user ada", 2),
        ("--tag team=west", 2),
        ("--of-model whisper-1", 1),
        ("--step answer", 1),
    ):
        said = run("price", *filters.split(), "--model", "gpt-4o-mini", "--format", "json", url=url)
        assert json.loads(said.stdout)["recorded"]["call_count"] == calls
    table = run("price", "--from", "30d", "--window", "window_99h", url=url)
    assert table.exit_code == 1
    assert "processing_not_priced: The model has no price for this processing window." in table.stdout
    only = run("price", "--of-model", "whisper-1", "--model", "gpt-4o-mini", url=url)
    assert (only.exit_code, "give --operation" in only.stderr) == (0, True)


def test_tiers_windows_and_times(url: str) -> None:
    """At the tier's or the batch's price, and at prices of now."""
    batch = json.loads(run("price", "--user", "ada", "--window", "batch", "--format", "json", url=url).stdout)
    assert Decimal(batch["alternatives"][0]["cost_usd"]) < Decimal("0.008495")
    now = json.loads(run(*LIKE, "--at", "now", "--format", "json", url=url).stdout)
    assert now["prices_at"] is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--like", "parcel"], "--model A,B"),
        (["--like", "nobody", "--model", "gpt-4o"], "no calls of session 'nobody'"),
        (["--from", "soon", "--model", "x"], "is no range"),
        (["--from", "7d", "--tz", "Mars", "--model", "x"], "no time zone"),
        (["--from", "7d", "--tag", "team", "--model", "x"], "is no tag"),
        (["--from", "7d", "--at", "soon", "--model", "x"], "--at: 'soon' is no date"),
        (["gpt-4o", "--like", "parcel", "--model", "x"], "their own usage"),
        (["gpt-4o", "input_tokens=1", "--model", "x"], "--like SESSION"),
        (["gpt-4o"], "MODEL and UNIT=QUANTITY"),
        (["--from", "7d", "--model", ",".join("abcdefghijklmnopq")], "16 at most"),
    ],
)
def test_a_wrong_call(url: str, arguments: list[str], said: str) -> None:
    """What cannot be asked is said in a line, with what can."""
    found = run("price", *arguments, url=url)
    assert (found.exit_code, found.stdout) == (2, "")
    assert said in found.stderr


def selected(*arguments: str, **how: Any) -> Selection:
    """Return what the options of a command mean."""
    found: list[Selection] = []
    command = click.command()(selection_options(**how)(lambda selection: found.append(selection)))
    command.main(["--tz", "Europe/Berlin", *arguments], standalone_mode=False)
    return found[0]


def test_what_from_means() -> None:
    """A range, a day or a time begins; yesterday and a month end too, unless --to says when."""
    month = selected("--from", "2026-11")
    assert month.until is not None
    assert month.until - (month.since or month.until) == timedelta(days=30)
    day = selected("--from", "2026-11-22")
    assert (day.until, day.tz) == (None, ZoneInfo("Europe/Berlin"))
    until = selected("--from", "2026-11", "--to", "2026-11-03").until
    assert until is not None
    assert until.astimezone(day.tz).day == 4


def test_where_it_begins_if_nothing_is_said() -> None:
    """The default gives way to --from and to --range."""
    now = datetime.now(UTC)
    assert timedelta(days=29) < now - (selected(since="30d").since or now) < timedelta(days=32)
    assert selected("--range", "2026-11", since="30d") == selected("--from", "2026-11", since="30d")


def test_what_is_narrow() -> None:
    """A period or a filter, not the zone; the names of what called may have a prefix."""
    assert not is_narrow(selected())
    assert is_narrow(selected("--to", "2026-11"))
    assert is_narrow(selected("--of-model", "o3", of_model="of-"))
    assert selected("--of-provider", "openai", of_model="of-") == selected("--provider", "openai")


def test_names_from_outside_are_text(url: str) -> None:
    """A model's name cannot colour the terminal."""
    said = run("price", "--like", "parcel", "--model", "\x1b[31mred", url=url)
    assert "\x1b" not in said.stdout
