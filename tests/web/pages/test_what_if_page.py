"""What if in the browser: alternatives are chosen in the address, and stand beside what it did cost."""

import json
from typing import Any

import pytest
from selenium.webdriver.support.ui import Select

from otel_costs.local import Stack
from tests.support.stack import empty
from tests.web.support import got, sent

from .support import DESKTOP, PHONE, Page

ODD = "o/d?d & <b>'id'</b>"


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> str:
    """Fill a store with calls of two models, and one that nobody knows."""
    empty(shared_stack)
    api = f"{shared_stack.http_url}/api/v1"
    usage = {"input_tokens": 1000, "output_tokens": 200}
    calls = [
        {"operation": "chat", "provider": provider, "model": model, "usage": usage, "session": session, "user": "ada"}
        for session in ("abc", ODD)
        for provider, model in (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("openai", "acme-7b"))
    ]
    assert sent(f"{api}/calls", calls).status == 200
    return api


def asked(api: str, *alternatives: dict[str, str]) -> Any:
    """Return what the API answers."""
    return json.loads(sent(f"{api}/what-if?range=7d", {"alternatives": alternatives}).text)


@pytest.mark.long
def test_alternatives_side_by_side(page: Page, filled: str) -> None:
    """Models, tier and window are added and removed, the address says which, and the figures are the API's."""
    page.open("/what-if?range=7d").shows("Choose a model")
    page.one("input[name=model]").send_keys("gpt-4o-mini")
    page.click("button", "Add")
    assert "alternative=gpt-4o-mini" in page.path
    page.one("input[name=model]").send_keys("claude-haiku-4-5")
    page.one("input[name=provider]").send_keys("anthropic")
    page.click("button", "Add")
    page.shows("With anthropic:claude-haiku-4-5")
    found = asked(filled, {"model": "gpt-4o-mini"}, {"model": "claude-haiku-4-5", "provider": "anthropic"})
    expected = [one["cost_usd"] for one in found["alternatives"]]
    assert page.amounts(".cards .card .value") == [found["recorded"]["cost_usd"], *expected]
    for one in found["alternatives"]:
        units = [row["unit"].replace("_", " ") for row in one["differences"]]
        assert page.column(f"Line by line: {one['label']}", 1) == units
    page.shows("have no price this way", "No price is known for this provider and model")
    data = page.named("a", "JSON").get_attribute("href")
    assert [one["cost_usd"] for one in got(str(data))["alternatives"]] == expected
    page.click("a", "Remove the model gpt-4o-mini")
    page.shows("With anthropic:claude-haiku-4-5")
    assert "gpt-4o-mini" not in page.path
    page.click("a", "Remove the model anthropic:claude-haiku-4-5")
    page.shows("Choose a model")


@pytest.mark.long
def test_tiers_windows_and_times(page: Page, filled: str) -> None:
    """A window and a tier alone are alternatives too; prices may be those of now."""
    page.open("/what-if?range=7d")
    selects = page.all(".panel select")
    Select(selects[1]).select_by_visible_text("batch")
    page.settled().shows("With batch")
    found = asked(filled, {"processing": "batch"})
    assert page.amounts(".cards .card .value")[1] == found["alternatives"][0]["cost_usd"]
    Select(page.all(".panel select")[0]).select_by_visible_text("priority")
    page.settled().shows("With priority, batch")
    Select(page.all(".panel select")[2]).select_by_visible_text("now")
    page.settled()
    assert {"service_tier=priority", "processing=batch", "prices_at=now"} < set(page.path.split("&"))


@pytest.mark.long
def test_models_in_use_are_suggested(page: Page, filled: str) -> None:
    """The models that are in use are a click away, with their providers."""
    page.open("/what-if?range=7d").click("a", "gpt-4o", ".panel")
    page.shows("With openai:gpt-4o")


@pytest.mark.some(1)
@pytest.mark.parametrize("session", ["abc", ODD])
def test_one_session(page: Page, filled: str, session: str) -> None:
    """Of one session alone, whatever its id is, and back to all."""
    page.open("/what-if?range=7d&alternative=gpt-4o-mini")
    page.one("input[name=session]").send_keys(session)
    page.click("button", "Only this one")
    page.shows("3 calls")
    assert page.one(".chip bdi").text == session
    page.click("a", f"Remove the session {session}")
    page.shows("6 calls")


@pytest.mark.long
def test_nothing_and_too_much(page: Page, filled: str) -> None:
    """A session that is not there has no call; more alternatives than are compared are told."""
    page.open("/what-if?range=7d&alternative=gpt-4o-mini&session=nobody").shows("No call of this period matches.")
    many = ",".join(f"m{number}" for number in range(17))
    page.open(f"/what-if?range=7d&alternative={many}").shows("at most 16 are compared at a time")


@pytest.mark.long
def test_for_everybody(page: Page, filled: str) -> None:
    """Axe finds nothing, and nothing scrolls sideways."""
    page.open("/what-if?range=7d&alternative=gpt-4o-mini,claude-haiku-4-5;anthropic")
    assert page.barriers(DESKTOP, PHONE) == []
