"""The commands about budgets, over a real store."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from .support import Ledger, run


@pytest.fixture(scope="module")
def spent(store: str) -> str:
    """Return a store in which ada spent 0.9 dollars just now, and bob 5."""
    ledger, now = Ledger(store), datetime.now(UTC)
    # Today, whenever it is: budgets begin at midnight.
    now = max(now - timedelta(seconds=1), now.replace(hour=0, minute=0, second=0, microsecond=0))
    ledger.call("a", now, user__id="ada", otel_costs__scenario="shop", otel_costs__cost__usd="0.9")
    ledger.call("b", now, user__id="bob", otel_costs__cost__usd="5")
    return store


@pytest.fixture
def url(spent: str) -> Iterator[str]:
    """Return its address, without any budget."""
    yield spent
    for row in json.loads(run("budget", "list", "--format", "json", url=spent).stdout)["budgets"]:
        whose = ["--all"] if row["scope"] == "all" else [f"--{row['scope']}", row["name"]]
        assert run("budget", "remove", *whose, "--period", row["period"], url=spent).exit_code == 0


@pytest.mark.long
def test_a_budget_that_is_over(url: str) -> None:
    """A warning at 80 %, over past 100 %: only that is exit code 1."""
    for limit, code, state in (("2", 0, None), ("1", 0, "warning"), ("0.9", 0, "warning"), ("0.5", 1, "over")):
        said = run("budget", "set", limit, "--user", "ada", "--period", "week", url=url)
        assert said.exit_code == 0
        assert said.stdout.startswith("user ada may spend $")
        checked = run("budget", "check", "--format", "json", url=url)
        assert checked.exit_code == code
        assert [row["state"] for row in json.loads(checked.stdout)["budgets"]] == ([state] if state else [])


def test_what_a_budget_may_be_of_and_how_it_is_meant(url: str) -> None:
    """A tag, a service or a model; soft, with rollover, in a zone of its own."""
    for whose in (["--tag", "team=sales"], ["--service", "shop"], ["--model", "openai/gpt-4o"]):
        more = ["--soft", "--rollover", "--zone", "Europe/Berlin"]
        assert run("budget", "set", "3", *whose, *more, url=url).exit_code == 0
    rows = json.loads(run("budget", "list", "--format", "json", url=url).stdout)["budgets"]
    assert {(row["scope"], row["name"], row["soft"], row["rollover"], row["zone"]) for row in rows} == {
        ("tag", "team=sales", True, True, "Europe/Berlin"),
        ("service", "shop", True, True, "Europe/Berlin"),
        ("model", "openai/gpt-4o", True, True, "Europe/Berlin"),
    }
    refused = run("budget", "set", "3", "--all", "--zone", "Mars", url=url)
    assert (refused.exit_code, "'Mars' is no time zone" in refused.stderr) == (2, True)
    refused = run("budget", "set", "3", "--tag", "sales", url=url)
    assert (refused.exit_code, "give NAME=VALUE" in refused.stderr) == (2, True)


@pytest.mark.some(4)
@pytest.mark.parametrize(
    ("written", "usd"),
    [
        *(("1,000", "1000"), ("$1,234,567.25", "1234567.25"), ("$ 5", "5"), ("1_000", "1000"), ("0.5", "0.5")),
        *(
            (wrong, None)
            for wrong in ("0,50", "1,5", "12,34", "1,0000", "1,000,5", "0,500", "1,00.5", ",5", "1.000,50")
        ),
        *(
            (wrong, None)
            for wrong in ("5_0", "1_000,000", "\u0661\u0662", "\uff15", "\u20ac5", "", "$", "1 000", "-5", "1e13")
        ),
    ],
)
def test_a_limit_as_people_write_it(url: str, written: str, usd: str | None) -> None:
    """A comma groups thousands, or it is refused: it may have been meant as a point."""
    said = run("budget", "set", "--user", "written", "--", written, url=url)
    if usd is None:
        assert (said.exit_code, said.stdout) == (2, ""), said.stdout
        return
    assert said.exit_code == 0, said.stderr
    listed = json.loads(run("budget", "list", "--format", "json", url=url).stdout)["budgets"]
    assert [Decimal(row["limit_usd"]) for row in listed if row["name"] == "written"] == [Decimal(usd)]
    assert run("budget", "remove", "--user", "written", url=url).exit_code == 0


def test_budgets_are_listed(url: str) -> None:
    """With what was spent of them, exact, the fullest first."""
    run("budget", "set", "$1,000", "--all", url=url)
    run("budget", "set", "1.5", "--scenario", "shop", "--period", "day", url=url)
    rows = list(csv.DictReader(io.StringIO(run("budget", "list", "--format", "csv", url=url).stdout)))
    assert [(row["scope"], row["name"], row["period"], row["limit_usd"], row["state"]) for row in rows] == [
        ("scenario", "shop", "day", "1.500000", "ok"),
        ("all", "", "month", "1000.000000", "ok"),
    ]
    table = run("budget", "list", url=url).stdout
    assert "everybody" in table
    assert "scenario shop" in table
    assert "60%" in table
    assert "2 budgets, none with 80 % or more spent" in run("budget", "check", url=url).stdout


def test_a_budget_of_nothing(url: str) -> None:
    """It is over with the first cent, and its JSON is JSON."""
    run("budget", "set", "0", "--user", "bob", url=url)
    checked = run("budget", "check", "--format", "json", url=url)
    (row,) = json.loads(checked.stdout, parse_constant=pytest.fail)["budgets"]
    assert (checked.exit_code, row["state"], row["used"]) == (1, "over", None)
    assert "over" in run("budget", "list", url=url).stdout


def test_no_budgets(url: str) -> None:
    """Who has none learns how to set one; that is no error."""
    for command in ("list", "check"):
        said = run("budget", command, url=url)
        assert (said.exit_code, said.stdout) == (0, "")
        assert "otel-costs budget set" in said.stderr


@pytest.mark.parametrize("limit", ["a lot", "NaN", "Infinity", "1e15", "-1", "0.0000000000001"])
def test_what_is_no_limit(url: str, limit: str) -> None:
    """It is a wrong call, and nothing is set."""
    said = run("budget", "set", "--user", "ada", "--", limit, url=url)
    assert said.exit_code == 2
    assert "give dollars" in said.stderr
    assert json.loads(run("budget", "list", "--format", "json", url=url).stdout) == {"budgets": []}


@pytest.mark.parametrize("target", [[], ["--user", "a", "--all"], ["--user", ""], ["--user", "a", "--scenario", "b"]])
def test_whose_budget(url: str, target: list[str]) -> None:
    """One user, one scenario or everybody."""
    said = run("budget", "set", "1", *target, url=url)
    assert said.exit_code == 2
    assert "give one of --user ID, --scenario NAME, --tag NAME=VALUE" in said.stderr


def test_a_budget_that_is_none_cannot_be_removed(url: str) -> None:
    """The error names the command that lists them."""
    said = run("budget", "remove", "--user", "nobody", url=url)
    assert (said.exit_code, said.stdout) == (2, "")
    assert "otel-costs budget list" in said.stderr
