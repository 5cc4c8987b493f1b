"""The commands about conversations over a store of which all rows are known: none, or the few of one test."""

import csv
import io
import json

import pytest

from otel_costs.local import Stack
from tests.support.stack import empty

from .support import Ledger, at, run

pytestmark = pytest.mark.long


@pytest.fixture
def url(shared_stack: Stack) -> str:
    """Return the address of a store without any rows."""
    empty(shared_stack)
    return shared_stack.http_url


def test_a_store_that_is_empty(url: str) -> None:
    """Who has no sessions yet learns how to get some; who has calls in none, how many and how to name one."""
    assert "no sessions yet" in run("sessions", url=url).stderr
    assert "otel-costs demo" in run("session", "abc", url=url).stderr
    Ledger(url).call("", at("10:00:00"), otel_costs__cost__usd="0.5")
    Ledger(url).call("", at("10:00:01"), otel_costs__cost__status="unpriced")
    for command in (("sessions",), ("session", "abc")):
        said = run(*command, url=url).stderr
        assert "2 calls are in no session ($0.500000 + 1 unpriced)" in said
        assert "otel_costs.session(ID)" in said
        assert "metadata={'session_id': ID}" in said
        assert "no sessions yet" not in said


def test_pages_and_tags(url: str) -> None:
    """A list goes on behind its cursor; a tag chooses."""
    for number in range(3):
        Ledger(url).call(f"s{number}", at(f"10:00:0{number}"), otel_costs__tag__team="west" if number else "east")
    first = json.loads(run("sessions", "--limit", "2", "--format", "json", url=url).stdout)
    assert [row["session_id"] for row in first["sessions"]] == ["s2", "s1"]
    second = json.loads(run("sessions", "--cursor", first["cursor"], "--format", "json", url=url).stdout)
    assert ([row["session_id"] for row in second["sessions"]], second["total"]) == (["s0"], 3)
    west = json.loads(run("sessions", "--tag", "team=west", "--format", "json", url=url).stdout)
    assert west["total"] == 2
    for wrong in (("--cursor", "x"), ("--tag", "team")):
        assert run("sessions", *wrong, url=url).exit_code == 2


def test_a_session_without_a_price_has_no_cost(url: str) -> None:
    """Not in a table, in JSON or in CSV, of the list, of the session, or of its user."""
    Ledger(url).call("free", at("10:00:00"), user__id="ada", otel_costs__cost__status="unpriced")
    for command in (("sessions",), ("session", "free"), ("report", "--user", "ada")):
        shown = run(*command, url=url).stdout
        assert "unpriced" in shown
        listed = [line for line in shown.splitlines() if "free" in line]
        assert listed
        assert not any("$0" in line for line in listed)
    assert json.loads(run("sessions", "--format", "json", url=url).stdout)["sessions"][0]["cost_usd"] is None
    one = json.loads(run("session", "free", "--format", "json", url=url).stdout)
    assert {one["cost_usd"], one["cost"]["cost_usd"], *one["cost"]["cost_breakdown"].values()} == {None}
    (row,) = csv.DictReader(io.StringIO(run("sessions", "--format", "csv", url=url).stdout))
    assert (row["cost_usd"], row["unpriced_calls"]) == ("", "1")
    (row,) = csv.DictReader(io.StringIO(run("export", "sessions", url=url).stdout))
    assert row["cost_usd"] == ""
