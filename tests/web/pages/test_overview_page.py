"""The overview and the pages of one user, scenario and model: the API's figures, and controls that do what they say."""

from decimal import Decimal
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from otel_costs.local import Stack
from tests.local.support import export_logs
from tests.support.stack import empty
from tests.web.support import got

from .support import Page, call

MODELS = ("gpt-4o", "gpt-4o-mini", 'odd/"<b>.json')
USERS = ("ada", "o/d?d & <b>'user'</b>", "..")


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> str:
    """Fill a store: sessions of some users, models and teams, a failed call, one without a price, one in no session."""
    empty(shared_stack)
    records = [
        call(
            f"s-{number}",
            number,
            f"0.0{number % 7 + 1}",
            **{
                "user.id": USERS[number % 3],
                "gen_ai.response.model": MODELS[number % 3],
                "otel_costs.scenario": ("", "sales")[number % 2],
                "otel_costs.tag.team": ("red", "blue")[number % 2],
            },
        )
        for number in range(1, 40)
    ]
    records += [call("failed", 50, **{"error.type": "timeout"}), call("free", 51, None), call("", 52)]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200
    return f"{shared_stack.http_url}/api/v1"


def test_figures_are_those_of_the_api(page: Page, filled: str) -> None:
    """Each figure of the overview, to the last digit."""
    page.open("/")
    assert page.path == "/?range=30d", "the address says what is shown"
    summary = got(f"{filled}/summary", range="30d")
    costs = got(f"{filled}/costs", range="30d", by="model")
    sessions = got(f"{filled}/sessions", range="30d", sort="cost", limit=8)
    cards = page.amounts(".card .value")
    assert [cards[0], cards[2]] == [summary["cost_usd"], summary["sessions"]["mean_usd"]]
    # The end of the month comes nearer while the test runs.
    assert Decimal(cards[1]) == pytest.approx(Decimal(summary["month"]["projected_usd"]), rel=Decimal("0.01"))
    assert page.card("Calls") == str(summary["call_count"])
    assert page.card("Sessions") == str(summary["sessions"]["count"])
    assert page.card("Without a price") == str(summary["unpriced_calls"]) == "1"
    assert page.column("Costs by model", 1) == [row["model"] for row in costs["costs"]]
    rows = [
        row.find_element(By.CSS_SELECTOR, "data.money").get_attribute("value") for row in page.all("section tbody tr")
    ]
    assert rows[: len(costs["costs"])] == [row["cost_usd"] for row in costs["costs"]]
    assert sum(Decimal(row["cost_usd"]) for row in costs["costs"]) == Decimal(summary["cost_usd"])
    assert page.column("The sessions that cost most", 1) == [row["session_id"] for row in sessions["sessions"]]
    page.shows("1 call failed", "1 call without a price")


@pytest.mark.long
def test_split_by_each(page: Page, filled: str) -> None:
    """The chart and the breakdown are split by what is chosen of all that there is, and the address says by which."""
    page.open("/?range=30d&by=step")
    choices = [one.text for one in Select(page.one("section select")).options]
    assert {
        "model",
        "user",
        "scenario",
        "kind",
        "service",
        "provider",
        "operation",
        "step",
        "modality",
        "tag.team",
    } <= set(choices)
    for by in ("modality", "user", "tag.team", "model"):
        Select(page.one("section select")).select_by_visible_text(by)
        page.settled()
        assert f"by={by}" in page.path
        expected = got(f"{filled}/costs", range="30d", by=by, limit=12)["costs"]
        shown = page.column(f"Costs by {by}", 1)
        assert len(shown) == len(expected), by
        assert page.all(".trend canvas"), by
        assert len(page.all(".legend li")) == min(len(expected), 9), by


@pytest.mark.long
def test_every_filter_narrows_and_can_be_taken_away(page: Page, filled: str) -> None:
    """The form sets each filter, chips take them away, and the figures follow."""
    page.open("/?range=30d")
    question: dict[str, Any] = {"user": USERS[1], "scenario": "sales", "model": MODELS[1], "min_cost": "0.02"}
    page.click("button", "Filter")
    for name, value in question.items():
        page.one(f"#filter-form input[name={name}]").send_keys(value)
    page.click("button", "Apply")
    assert page.texts(".chips .chip bdi") == [*question.values()]
    assert page.card("Calls") == str(got(f"{filled}/summary", range="30d", **question)["call_count"])
    question.popitem()
    page.all(".chips .chip a")[len(question)].click()
    page.settled()
    assert page.texts(".chips .chip bdi") == [*question.values()]
    assert page.card("Calls") == str(got(f"{filled}/summary", range="30d", **question)["call_count"])
    page.open("/?range=30d")
    page.click("button", "Filter")
    page.one("#filter-form input[name=tag]").send_keys("team")
    page.one("#filter-form input[name=tag_value]").send_keys("red")
    page.one("#filter-form input[name=errors]").click()
    page.click("button", "Apply")
    assert "tag.team=red" in page.path
    assert "errors=1" in page.path
    page.click("button", "Filter")
    page.click("a", "Clear")
    assert page.card("Calls") == "42"


@pytest.mark.long
def test_periods_and_zones(page: Page, filled: str) -> None:
    """A period by a button, by two days, and days in another zone, which is written beside times."""
    page.open("/?range=30d")
    page.click("a", "7d")
    assert page.path == "/?range=7d"
    page.click("button", "Filter")
    for name, value in (("from", "2026-11-01"), ("to", "2026-11-30"), ("tz", "Asia/Kathmandu")):
        field = page.one(f"#filter-form input[name={name}]")
        page.driver.execute_script("arguments[0].value = arguments[1]", field, value)
    page.click("button", "Apply")
    assert "from=2026-11-01" in page.path
    page.shows("days in Asia/Kathmandu")
    page.one(".choices .chip a").click()
    page.settled()
    assert "range=30d" in page.path


@pytest.mark.long
def test_dragging_zooms(page: Page, filled: str) -> None:
    """Who drags over bars sees that time alone."""
    page.open("/?range=30d")
    plot = page.one(".trend .u-over")
    width = plot.size["width"]
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    ActionChains(page.driver).move_to_element_with_offset(plot, width // 2 - 60, 0).click_and_hold().move_by_offset(
        -60, 0
    ).release().perform()
    page.until(lambda: "range=20" in page.path, "the period did not change")
    page.settled()


@pytest.mark.long
def test_a_link_leads_to_one(page: Page, filled: str) -> None:
    """From the breakdown to one user, however oddly named, and from the legend to one model; back is back."""
    page.open("/?range=30d&by=user")
    for user in USERS[1:]:
        page.click("a", user, "section table")
        page.shows(f"User {user}")
        question: dict[str, Any] = {"range": "30d", "user": user}
        assert page.card("Calls") == str(got(f"{filled}/summary", **question)["call_count"])
        page.shows("What a session costs", "An average day")
        page.driver.back()
        page.settled().shows("What it costs")
    page.open("/?range=30d").click("a", MODELS[2], ".legend")
    assert page.card("Calls") == "13"
    page.open("/models/openai/gpt-4o?range=30d").shows("Model of openai gpt-4o")
    page.open("/scenarios/sales?range=30d").shows("Scenario sales")
    assert page.driver.title == "sales · otel-costs"


@pytest.mark.long
def test_nothing_in_a_period(page: Page, filled: str) -> None:
    """A period without calls says so, and shows no figure that is none."""
    page.open("/?range=2020-01")
    page.shows("Nothing in this period.", "No session began in this period.")
    assert page.card("Calls") == "0"


def test_a_wrong_address_says_what_is_wrong(page: Page, filled: str) -> None:
    """A period that is none is told, and so is a page that is none."""
    page.open("/?range=tomorrowish")
    page.shows("'tomorrowish' is no range")
    page.open("/models/alone").shows("There is no such page")
    assert all("400" in one for one in page.complaints())
