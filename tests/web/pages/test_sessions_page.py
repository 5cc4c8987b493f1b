"""The list of sessions: sorted, searched, and as long as one scrolls."""

import pytest
from selenium.webdriver.support.ui import Select

from otel_costs.local import Stack
from tests.local.support import export_logs
from tests.support.stack import empty
from tests.web.support import got

from .support import Page, call, message

MANY = 1100
ODD = ("o/d?d & <b>'id'</b>", "data.json", "table.csv", "..", "a b%2F+#", "é" * 200, "new\nline")


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> str:
    """Fill a store with thousands of sessions, some with odd ids, one in which something was said."""
    empty(shared_stack)
    records = [call(f"s-{number:04}", number, f"0.0{number:04}") for number in range(1, MANY + 1)]
    records += [call(odd, MANY + 10 + number, "0.5") for number, odd in enumerate(ODD)]
    records += [message("s-0007", 1, "user", "Where is my refund?"), call("", 5000), call("", 5001, None)]
    for start in range(0, len(records), 400):
        assert export_logs(shared_stack.otlp_http_url, records[start : start + 400]).status == 200
    return f"{shared_stack.http_url}/api/v1"


@pytest.mark.long
def test_sorted(page: Page, filled: str) -> None:
    """The list stands in the order that is chosen, as the API has it."""
    page.open("/sessions?range=90d")
    for sort in ("oldest", "cost", "duration", "calls", "messages", "newest"):
        Select(page.one("main .row select")).select_by_value(sort)
        page.settled()
        expected = got(f"{filled}/sessions", range="90d", sort=sort, limit=50)
        shown = [" ".join(row["session_id"].split()) for row in expected["sessions"]]
        assert page.column("Sessions", 1)[:50] == shown, sort
        page.shows(f"Sessions {expected['total']:,}")


@pytest.mark.long
def test_the_list_goes_on(page: Page, filled: str) -> None:
    """Who scrolls to the end sees more, each session once."""
    page.open("/sessions?range=90d&sort=cost")
    for least in (60, 110, 160):
        page.driver.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        page.until(lambda least=least: len(page.all("tbody tr")) >= least, "no more sessions")  # type: ignore[misc]
    shown = page.column("Sessions", 1)
    assert len(set(shown)) == len(shown)


@pytest.mark.long
def test_search_and_heads(page: Page, filled: str) -> None:
    """Words that were said find their session; a column's head sorts by it."""
    page.open("/sessions?range=90d")
    page.one("input[type=search]").send_keys("refund")
    page.click("button", "Search")
    assert page.column("Sessions", 1) == ["s-0007"]
    page.open("/sessions?range=90d").click("a", "cost", "thead")
    assert "sort=cost" in page.path
    assert page.one("th[aria-sort=descending]").text.startswith("cost")


@pytest.mark.long
def test_odd_ids_open(page: Page, filled: str) -> None:
    """A session opens by its link, and by its address, whatever its id is."""
    for odd in ODD:
        written = " ".join(odd.split())
        page.open("/sessions?range=90d&sort=cost&min_cost=0.3").click("a", written, "tbody")
        assert page.one("h1 bdi").text == written
        assert page.amounts(".card .value") == ["0.500000"]
        assert page.open(page.path).one("h1 bdi").text == written


def test_calls_in_no_session(page: Page, filled: str) -> None:
    """Calls outside of any session are counted, with how they would get into one."""
    page.open("/sessions?range=90d").shows("2 calls are in no session")
    page.click("a", "2 calls")
    page.shows("Calls in no session", 'otel_costs.session("ID")')
    assert len(page.all("tbody tr")) == 2


@pytest.mark.long
def test_back_is_where_one_was(page: Page, filled: str) -> None:
    """Who comes back from a session finds the list as far down as it was left."""
    page.open("/sessions?range=90d")
    link = page.all("tbody a")[60]
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    before = page.driver.execute_script("return scrollY")
    link.click()
    page.settled().shows("Session ")
    assert page.driver.execute_script("return document.activeElement.id") == "main"
    page.driver.back()
    page.until(
        lambda: abs(page.driver.execute_script("return scrollY") - before) < 5,
        "the list is elsewhere",
    )
    page.settled()
