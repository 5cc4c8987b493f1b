"""A new installation in the browser: where to send calls, what it will look like, and the first call by itself."""

import pytest

from otel_costs.local import Stack
from tests.local.support import export_logs
from tests.support.stack import empty
from tests.web.support import got

from .support import DESKTOP, PHONE, Page, call


@pytest.fixture
def api(shared_stack: Stack) -> str:
    """Empty the store."""
    empty(shared_stack)
    return f"{shared_stack.http_url}/api/v1"


@pytest.mark.long
def test_lines_with_the_ports_in_force(page: Page, api: str, shared_stack: Stack) -> None:
    """The lines to set name where this very store receives, and one click copies them."""
    page.open("/").shows("No call has arrived yet", f"OTEL_EXPORTER_OTLP_ENDPOINT={shared_stack.otlp_http_url}")
    page.shows(shared_stack.otlp_grpc_url)
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    page.click("button", "Copy these lines")
    page.shows("Copied.")
    copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == page.one("#first pre").text


@pytest.mark.long
def test_the_first_call_appears_by_itself(page: Page, api: str, shared_stack: Stack) -> None:
    """Nothing is loaded again by hand."""
    page.open("/").shows("No call has arrived yet")
    assert export_logs(shared_stack.otlp_http_url, [call("abc", 1, "0.25")]).status == 200
    page.until(lambda: "No call has arrived yet" not in page.text, "the first call does not appear")
    page.settled()
    assert page.card("Calls") == "1"


@pytest.mark.long
def test_example_data(page: Page, api: str, shared_stack: Stack) -> None:
    """Example data is one click away, said to be that on every page, in no store, and left with one click."""
    page.open("/").click("button", "Show example data meanwhile")
    page.shows("This is example data", "The sessions that cost most")
    assert "example=1" in page.path
    assert page.card("Calls") != "0"
    page.one("section .text a[href*='/sessions/']").click()
    page.settled().shows("This is example data", "Session ")
    assert "example=1" in page.path
    for name in ("Sessions", "Budgets", "Alerts", "Statements", "What if", "Compare", "Prices", "Inbox", "Overview"):
        page.click("a", name, "nav")
        page.shows("This is example data")
        assert not page.all(".failure"), (name, page.text)
    assert got(f"{api}/summary")["call_count"] == 0
    assert got(f"{api}/sessions", range="30d")["total"] == 0

    assert export_logs(shared_stack.otlp_http_url, [call("abc", 1, "0.25")]).status == 200
    page.shows("Your first call has arrived.")
    page.click("a", "Show your own data")
    assert page.path == "/?range=30d"
    assert page.card("Calls") == "1"
    assert "example data" not in page.text


@pytest.mark.long
def test_sessions_of_the_example_open(page: Page, api: str) -> None:
    """Each session that the example lists is in it, with all that its page shows; its link can be shared."""
    page.open("/sessions?range=30d&example=1")
    assert not page.all(".downloads"), "the store has none of it to be downloaded"
    links = [str(one.get_attribute("href")) for one in page.all("tbody td:first-child a")]
    assert links
    for link in links:
        page.open(link.removeprefix(page.url)).shows("This is example data", "Session ")
        assert not page.all(".failure"), link
    page.open("/?range=30d&example=1").click("a", "Leave the example")
    page.shows("No call has arrived yet")


def test_nothing_can_be_written_to_the_example(page: Page, api: str) -> None:
    """A budget that is set in the example is refused, and is not in the store."""
    page.open("/budgets?example=1")
    page.one("#set input[name=name]").send_keys("ada")
    page.one("#set input[name=limit_usd]").send_keys("1")
    page.click("button", "Set the budget")
    page.shows("This is example data: it cannot be changed.")
    assert got(f"{api}/budgets")["budgets"] == []


@pytest.mark.some(1)
@pytest.mark.parametrize("path", ["/", "/?example=1"])
def test_for_everybody(page: Page, api: str, path: str) -> None:
    """Axe finds nothing, and nothing scrolls sideways."""
    assert page.open(path).all("h1")
    assert page.barriers(DESKTOP, PHONE) == []
