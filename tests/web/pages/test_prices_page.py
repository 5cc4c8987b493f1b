"""Prices in the browser: the table in force, searched, and what lacks a price."""

import pytest

from otel_costs.local import Stack
from tests.support.stack import empty
from tests.web.support import got, sent

from .support import PHONE, Page

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> str:
    """Fill a store with calls of models that nobody knows."""
    empty(shared_stack)
    api = f"{shared_stack.http_url}/api/v1"
    usage = {"input_tokens": 1000, "output_tokens": 200}
    calls = [
        {"operation": "chat", "provider": "openai", "model": model, "usage": usage, "session": "abc"}
        for model in ("acme-7b", HOSTILE, "gpt-4o")
    ]
    assert sent(f"{api}/calls", calls).status == 200
    return api


@pytest.mark.long
def test_search_is_in_the_address(page: Page, filled: str) -> None:
    """A model and a provider narrow the table to what the API has; all of it comes back with one click."""
    page.open("/prices")
    page.one("input[name=model]").send_keys("gpt-4o")
    page.one("input[name=provider]").send_keys("openai")
    page.click("button", "Search")
    assert "model=gpt-4o" in page.path
    assert "provider=openai" in page.path
    found = got(f"{filled}/prices", model="gpt-4o", provider="openai", limit="100")
    shown = page.amounts("table")
    assert shown == [row["rate_usd"] for row in found["prices"] if row["rate_usd"] is not None]
    assert page.column("Prices in force", 3) == [row["unit"].replace("_", " ") for row in found["prices"]]
    in_use = page.column("Prices in force", 8)
    wins = [{True: "yes", None: "it depends", False: "no"}[row["wins"]] for row in found["prices"]]
    assert [one.split(":")[0] for one in in_use] == wins
    page.shows(found["version"], *(source["version"] for source in found["sources"]))
    page.click("a", "Show all")
    assert "model=" not in page.path
    assert len(page.column("Prices in force", 1)) == 100
    page.click("a", "Show more")
    assert len(page.column("Prices in force", 1)) == 400
    page.open("/prices?model=no-such-model").shows("No price matches.")


def test_what_lacks_a_price(page: Page, filled: str) -> None:
    """Each model without a price has the entry to paste, why it lacks one, and a button that copies it."""
    page.open("/prices")
    missing = got(f"{filled}/prices/missing", range="90d")["missing"]
    assert {row["model"] for row in missing} == {"acme-7b", HOSTILE}
    for summary in page.all("details.lacking > summary"):
        summary.click()
    page.shows("No price is known for this provider and model")
    assert [one.text.strip() for one in page.all("pre")] == [row["stanza"].strip() for row in missing]
    assert page.all("img") == [], "markup in a name is text"
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    page.click("button", "Copy the entry of acme-7b")
    page.shows("Copied.")
    copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == next(row["stanza"] for row in missing if row["model"] == "acme-7b")


@pytest.mark.long
def test_nothing_lacks_a_price(page: Page, shared_stack: Stack, filled: str) -> None:
    """A period in which every call has a price says so."""
    page.open("/prices?range=2020-01").shows("None: every call of this period has a price.")


@pytest.mark.long
def test_for_everybody(page: Page, filled: str) -> None:
    """Axe finds nothing, and nothing scrolls sideways on a phone."""
    assert page.open("/prices?model=gpt-4o&rows=20").barriers(PHONE) == []
