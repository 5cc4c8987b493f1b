"""Budgets in the browser: how each is being spent, and how they are set, changed and removed."""

import pytest
from selenium.webdriver.support.ui import Select

from otel_costs.local import Stack
from tests.local.support import ask, export_logs
from tests.support.stack import empty
from tests.web.support import got

from .support import PHONE, Page, call

ODD = ("o/d?d & <b>'user'</b>", "100%25", "é" * 60)


@pytest.fixture
def filled(shared_stack: Stack) -> str:
    """Fill a store with some users' calls, and no budget."""
    empty(shared_stack)
    records = [
        call(f"s-{number}", number, "0.05", **{"user.id": user}) for number, user in enumerate(("ada", "bob", *ODD))
    ]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200
    return f"{shared_stack.http_url}/api/v1"


def set_budget(page: Page, scope: str, name: str, period: str, limit: str) -> None:
    """Fill the form in, and send it."""
    Select(page.one("#set select[name=scope]")).select_by_value(scope)
    page.settled()
    if scope != "all":
        field = page.one("#set input[name=name]")
        field.clear()
        field.send_keys(name)
    Select(page.one("#set select[name=period]")).select_by_visible_text(period)
    field = page.one("#set input[name=limit_usd]")
    field.clear()
    field.send_keys(limit)
    page.click("button", "Set the budget")


@pytest.mark.long
def test_set_change_remove(page: Page, filled: str) -> None:
    """A budget is set, changed by its link, and removed after a question; each is told, and is what the API has."""
    page.open("/budgets").shows("There is no budget yet")
    set_budget(page, "user", "ada", "month", "0.20")
    page.shows("The budget is set.", "user ada, a month")
    (stored,) = got(f"{filled}/budgets", days="1")["budgets"]
    assert (stored["scope"], stored["name"], stored["period"]) == ("user", "ada", "month")
    shown = page.amounts(".budget")
    assert shown[:2] == [stored["spent_usd"], stored["limit_usd"]]
    assert stored["remaining_usd"] in shown
    assert page.one(".burn svg").accessible_name.startswith("Spent so far")
    page.one(".burn summary").click()
    rows = [one["total_usd"] for one in stored["burn_down"]]
    assert page.amounts(".burn tbody td:last-child") == rows

    page.click("a", "Change", ".budget")
    assert page.path == "/budgets?scope=user&name=ada&period=month"
    assert page.one("#set input[name=name]").get_attribute("value") == "ada"
    set_budget(page, "user", "ada", "month", "0.01")
    page.shows("It is overspent by")
    assert got(f"{filled}/budgets")["budgets"][0]["state"] == "over"
    page.click("a", "Set another one")
    assert page.path == "/budgets"

    page.click("button", "Remove", ".budget")
    page.click("button", "Keep it")
    assert got(f"{filled}/budgets")["budgets"]
    page.click("button", "Remove", ".budget")
    page.click("button", "Remove it")
    page.shows("There is no budget yet")
    assert got(f"{filled}/budgets")["budgets"] == []


@pytest.mark.long
@pytest.mark.parametrize("name", ODD)
def test_odd_names(page: Page, filled: str, name: str) -> None:
    """A budget of any name is set, shown as it is, and removed."""
    page.open("/budgets")
    set_budget(page, "user", name, "day", "1")
    page.shows("The budget is set.", name)
    assert [one["name"] for one in got(f"{filled}/budgets")["budgets"]] == [name]
    assert page.sized(PHONE).overflow == 0
    page.click("button", "Remove", ".budget")
    page.click("button", "Remove it")
    page.shows("There is no budget yet")


@pytest.mark.long
def test_all_scopes_and_periods(page: Page, filled: str) -> None:
    """Everybody's and a scenario's, of each period, each with its own chart."""
    page.open("/budgets")
    for scope, name, period in (("all", "", "day"), ("all", "", "week"), ("scenario", "sales", "month")):
        set_budget(page, scope, name, period, "5")
        page.shows("The budget is set.")
    page.shows("Everybody, a day", "Everybody, a week", "scenario sales, a month")
    assert len(page.all(".burn svg")) == 3
    assert page.axe() == []


def test_what_cannot_be_is_told(page: Page, filled: str) -> None:
    """A limit that is none is refused by the API, and its words are shown."""
    page.open("/budgets")
    set_budget(page, "user", "ada", "month", "plenty")
    page.shows("with a limit of 'plenty'")
    assert got(f"{filled}/budgets")["budgets"] == []
    assert all("400" in one for one in page.complaints())
    set_budget(page, "user", "..", "month", "1")
    page.shows("A budget of .. cannot be set in a browser")
    assert got(f"{filled}/budgets")["budgets"] == []


@pytest.mark.long
def test_fields_have_their_values_kept(page: Page, filled: str, shared_stack: Stack) -> None:
    """What is typed stays while figures arrive anew."""
    page.open("/budgets")
    page.one("#set input[name=name]").send_keys("ada")
    assert export_logs(shared_stack.otlp_http_url, [call("new", 900)]).status == 200
    assert ask(shared_stack.http_url, "select count() as n from owned_calls")
    page.settled()
    assert page.one("#set input[name=name]").get_attribute("value") == "ada"
