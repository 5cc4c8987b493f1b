"""Statements in the browser: own, shared and total of each team, as the API has them, on paper too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

import otel_costs
from otel_costs.local import Stack
from tests.support.stack import empty
from tests.web.support import got, sent, served

from .support import DESKTOP, PHONE, Page

HOSTILE = "<img src=x onerror=alert(1)>"
LAST = (datetime.now(UTC).replace(day=1) - timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)
MONTH = f"{LAST:%Y-%m}"
RULES = """\
tags:
  team:
    rules: [{assign: platform, scenario: evaluation}]
    shared: [{value: platform, split: evenly}]
"""


@pytest.fixture(scope="module")
def api(shared_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Fill a store with a month of two teams, the platform and nobody; give the address of the app with rules."""
    empty(shared_stack)
    path = Path(tmp_path_factory.mktemp("rules")) / "allocation.yaml"
    path.write_text(RULES)
    usage = {"input_tokens": 1000, "output_tokens": 200}
    about: dict[str, Any] = {"operation": "chat", "provider": "openai", "usage": usage, "at": LAST.isoformat()}
    calls = [
        {**about, "model": "gpt-4o", "tags": {"team": "sales"}, "service": "shop"},
        {**about, "model": "gpt-4o-mini", "tags": {"team": HOSTILE}},
        {**about, "model": "gpt-4o", "session": "s", "scenario": "evaluation"},
        {**about, "model": "acme-7b"},
    ]
    assert sent(f"{shared_stack.http_url}/api/v1/calls", calls).status == 200
    limit = {"limit_usd": "0.001"}
    assert sent(f"{shared_stack.http_url}/api/v1/budgets/tag/month/team=sales", limit, method="PUT").status == 200
    with served(otel_costs.web.app(dsn=shared_stack.http_url, allocation=path)) as url:
        yield url


@pytest.fixture
def page(chromium: Chrome, api: str) -> Iterator[Page]:
    """Return a page of the application with rules."""
    found = Page(chromium, api).sized(DESKTOP)
    found.complaints()
    yield found
    assert found.complaints() == []
    chromium.get("about:blank")


@pytest.mark.long
def test_statements_are_those_of_the_api(page: Page, api: str) -> None:
    """The last month that is over by default; all amounts exact, with what is shared, not priced, and the budget."""
    page.open("/statements")
    found = got(f"{api}/api/v1/statements", month=MONTH)
    listed = found["statements"]
    assert page.column("Statements by team", 1) == [one["value"] or "(no team)" for one in listed] + ["total"]
    for one in listed:
        sections = page.all("section.statement")
        section = next(each for each in sections if each.get_attribute("data-value") == one["value"])
        shown = {each.get_attribute("value") for each in section.find_elements("css selector", "data.money")}
        if one["call_count"] == one["unpriced_calls"]:
            assert "Own unpriced" in section.text
        else:
            assert {one["cost_usd"], one["shared_usd"], one["total_usd"]} <= shown
    page.shows("over it", "Shared costs", "Not simply priced", f"{MONTH}, days in UTC, US dollars.")
    assert page.all("img") == [], "markup in a name is text"
    page.click("a", "sales", "table")
    assert "value=sales" in page.path
    assert len(page.all("section.statement")) == 1
    page.click("a", "All statements")
    assert len(page.all("section.statement")) == len(listed)


@pytest.mark.long
def test_what_is_shown_is_in_the_address(page: Page) -> None:
    """A month and a tag are asked for in the form; what is none is said."""
    page.open("/statements")
    month = page.one("input[name=month]")
    month.clear()
    month.send_keys("2020-01")
    page.click("button", "Show")
    assert "month=2020-01" in page.path
    page.shows("No calls in this month.")
    tag = page.one("input[name=by]")
    tag.clear()
    tag.send_keys("product")
    page.click("button", "Show")
    assert "by=tag.product" in page.path


def test_on_paper(page: Page) -> None:
    """What is for the screen alone is not printed: each statement begins a page."""
    page.open("/statements")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert [one.is_displayed() for one in page.all("body > header, footer, form, .downloads")] == [False] * 4
        breaks = "return [...document.querySelectorAll('.statement')].map(one => getComputedStyle(one).breakBefore)"
        assert set(page.driver.execute_script(breaks)) == {"page"}
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.long
def test_for_everybody(page: Page) -> None:
    """Axe finds nothing, and nothing scrolls sideways on a phone."""
    assert page.open("/statements").barriers(PHONE) == []


@pytest.mark.long
def test_the_overview_splits_alike(page: Page, api: str) -> None:
    """By the tag it has own and total of each team; the link of what nothing assigns shows just that."""
    page.open(f"/?range={MONTH}&by=tag.team")
    found = got(f"{api}/api/v1/costs", by="tag.team", range=MONTH)
    assert page.column("Costs by tag.team", 1) == [row["tag.team"] or "(no tag.team)" for row in found["costs"]]
    assert [row["total_usd"] for row in found["costs"] if row["tag.team"]] != []
    page.click("a", "(no tag.team)", "table")
    assert "tag.team=" in page.path
    assert page.card("Calls") == "1"


def test_as_data(api: str) -> None:
    """The page is there as JSON and CSV; what is asked wrongly is 400."""
    assert got(f"{api}/statements.json", month=MONTH) == got(f"{api}/api/v1/statements", month=MONTH)
