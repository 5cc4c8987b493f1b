"""Alerts in the browser: what lasts, what is done with it, and rules that are added and removed."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from selenium.webdriver.support.ui import Select

from otel_costs.alerts.state import Event, State
from otel_costs.local import Stack
from otel_costs.store import connect
from tests.support.stack import empty
from tests.web.support import got

from .support import DESKTOP, PHONE, Page

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
MESSAGE = "session <b>s1</b> has cost $5.00 and still runs"
WATCHED = '{"receivers": ["team", "on-call"], "rules": [{"name": "of the file", "when": "new_model"}]}'


@pytest.fixture
def filled(shared_stack: Stack) -> str:
    """Fill a store with an alert that lasts, one that has ended, and a program that sends."""
    empty(shared_stack)
    with closing(connect(shared_stack.http_url)) as client:
        client.command("truncate table alerts")
        state = State(client, WATCHED)
        assert state.sends("a", datetime.now(UTC))
        state.write(Event("dear", "s1", MESSAGE, BEGAN, "ada", "s1", sent_to=("team",)))
        state.write(Event("dear", "s0", "session s0", BEGAN - timedelta(hours=1), ended_at=BEGAN))
    return f"{shared_stack.http_url}/api/v1"


@pytest.mark.long
def test_acknowledged_and_silenced(page: Page, filled: str) -> None:
    """What is acknowledged leaves the open ones; a silence is there until it is ended."""
    page.open("/alerts").shows("A program watches this store, and tells team, on-call.", MESSAGE, "1 alert that nobody")
    assert page.column("Open alerts", 4) == ["team"]
    assert page.column("Acknowledged and ended alerts", 1) == ["session s0"]
    page.click("button", "Acknowledge").shows("Nothing lasts that nobody has acknowledged.")
    assert [one["state"] for one in got(f"{filled}/alerts")["alerts"]] == ["acknowledged", "ended"]
    page.click("button", "Silence all for an hour").shows("everything until")
    page.click("button", "End the silence")
    page.until(lambda: "everything until" not in page.text, "the silence lasts")
    Select(page.one("select[aria-label='Silence of the file']")).select_by_value("4")
    page.shows("of the file until")
    assert [one["name"] for one in got(f"{filled}/alerts")["silences"]] == ["of the file"]
    assert page.barriers(PHONE, DESKTOP) == []


@pytest.mark.long
def test_rules_are_added_and_removed(page: Page, filled: str) -> None:
    """Each kind by its own fields; what is wrong is said, and the rule of a file cannot be removed here."""
    page.open("/alerts")
    assert page.column("Rules", 4) == ["a file"]
    Select(page.one("#add select[name=when]")).select_by_value("spend_rate")
    page.settled().one("#add input[name=name]").send_keys("dear teams")
    by = page.one("#add input[name=by]")
    by.clear()
    by.send_keys("tag.team")
    page.one("#add input[name=times]").send_keys("many")
    page.named("label", "on-call", "#add").click()
    page.click("button", "Add the rule").shows("a number above 0 is wanted here")
    assert "400" in page.complaints()[0]
    times = page.one("#add input[name=times]")
    times.clear()
    times.send_keys("2.5")
    page.click("button", "Add the rule").shows("counts from the next look on", "by tag.team; times 2.5; min usd 1")
    (_, stored) = got(f"{filled}/alerts")["rules"]
    assert (stored["by"], stored["times"], stored["to"], stored["source"]) == ("tag.team", "2.5", ["on-call"], "store")
    page.click("button", "Remove").click("button", "Keep it").click("button", "Remove").click("button", "Remove it")
    page.until(lambda: "dear teams" not in page.text.partition("Add a rule")[0], "the rule is still there")
    Select(page.one("#add select[name=when]")).select_by_value("budget")
    page.settled().one("#add input[name=shares]").send_keys("75, 112.5 100%")
    page.click("button", "Add the rule").shows("75 %, 100 %, 113 %")
    assert got(f"{filled}/alerts")["rules"][1]["shares"] == ["0.75", "1.00", "1.125"]
    Select(page.one("#add select[name=when]")).select_by_value("reconcile")
    page.settled().one("#add input[name=name]").send_keys("bills")
    page.click("button", "Add the rule").shows("needs `usd` or `percent`")
    assert "400" in page.complaints()[0]
    page.one("#add input[name=percent]").send_keys("2")
    page.click("button", "Add the rule").shows("(percent 2)")


def test_nobody_is_told(page: Page, shared_stack: Stack) -> None:
    """Where no program watches, the page says how one is started."""
    empty(shared_stack)
    with closing(connect(shared_stack.http_url)) as client:
        client.command("truncate table alerts")
    page.open("/alerts").shows("Nobody is told", "otel-costs local --alerts alerts.yaml", "There is none yet.")
    assert page.barriers(PHONE) == []
