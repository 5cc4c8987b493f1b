"""The report page in a real browser: each of its controls is clicked, and shows what it says."""

from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import quote

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from otel_costs.local import Stack
from tests.support.browser import browser
from tests.support.stack import empty

from .support import LATELY_NS, export_logs, ledger_record

PAGE = 50
ADA = PAGE + 3
ODD = "o/d?d & <b>'user'</b>"
SECOND = 10**9


def record(session: str, user: str, number: int, cost: str | None = "0.01") -> LogRecord:
    """Return a call, the earlier the higher its number."""
    more: dict[str, object] = {"user.id": user, "otel_costs.cost.usd": cost or ""}
    return ledger_record(session, seq=number, time_ns=LATELY_NS - number * SECOND, more=more)


@pytest.fixture(scope="module")
def page() -> Iterator[Chrome]:
    """Open a browser for the tests of this module."""
    with browser() as driver:
        yield driver


@pytest.fixture
def url(shared_stack: Stack) -> str:
    """Fill a store: many sessions of one user, one of an oddly named one, one without a price, a call in no session."""
    empty(shared_stack)
    records = [record(f"ada-{number}", "ada", number) for number in range(1, ADA + 1)]
    records += [record("odd/1", ODD, 100), record("odd/1", "", 101), record("free", "bob", 102, None)]
    records += [record("", "", 103)]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200
    return shared_stack.http_url


class Page:
    """What is shown, and what can be clicked."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self.driver = driver
        self.clicked: set[str] = set()
        driver.get(f"{url}/")
        self.wait("Sessions")

    @property
    def text(self) -> str:
        return self.driver.find_element(By.ID, "main").text

    def wait(self, text: str) -> None:
        """Wait until the page shows `text`."""
        WebDriverWait(self.driver, 60).until(lambda _: text in self.text, f"{text!r} is not in {self.text!r}")
        assert not [one for one in self.driver.find_elements(By.CSS_SELECTOR, "main p.warning") if one.text], self.text

    def click(self, name: str, until: str) -> None:
        """Click the link of that name, and wait for what it shows."""
        link = next(one for one in self.driver.find_elements(By.TAG_NAME, "a") if one.text == name)
        self.clicked.add(_kind(str(link.get_attribute("href"))))
        link.click()
        self.wait(until)

    def controls(self) -> set[str]:
        """Return what kinds of links there are."""
        return {_kind(str(one.get_attribute("href"))) for one in self.driver.find_elements(By.TAG_NAME, "a")}

    def column(self, number: int) -> list[str]:
        """Return the texts of a column of the first table."""
        table = self.driver.find_element(By.TAG_NAME, "table")
        return [one.text for one in table.find_elements(By.CSS_SELECTOR, f"tbody tr td:nth-child({number})")]


def _kind(href: str) -> str:
    """Return the place that a link goes to, without whose it is: `user`, or `user+` for a further page."""
    parts = href.partition("#/")[2].split("/")
    return parts[0] + (
        "+" if len(parts) > (2 if parts[0] == "user" else 1) and parts[-1] and parts[0] != "session" else ""
    )


def test_every_control(page: Chrome, url: str) -> None:
    """The list and its older part, a user's own, a session, the costs: until nothing is left unclicked."""
    shown = Page(page, url)
    seen = shown.controls()
    newest = shown.column(1)
    assert (len(newest), newest[0]) == (PAGE, "ada-1")
    assert f"· {ADA + 2}" in shown.text
    shown.wait("1 call is in no session: $0.010000")
    assert 'metadata={"session_id": "ID"}' in shown.text

    shown.click("older →", "ada-51")
    older = shown.column(1)
    assert older == ["ada-51", "ada-52", "ada-53", "odd/1", "free"]
    assert "unpriced" in shown.text
    assert "$0.000000" not in shown.text
    seen |= shown.controls()
    shown.click("← newest", "ada-1\n" if "ada-1\n" in shown.text else "ada-2")
    assert shown.column(1) == newest

    shown.click("ada", "Sessions of ada")
    assert f"· {ADA}" in shown.text
    assert set(shown.column(2)) == {"ada"}
    seen |= shown.controls()
    shown.click("older →", "ada-53")
    assert shown.column(1) == ["ada-51", "ada-52", "ada-53"]
    seen |= shown.controls()
    shown.click("← newest", "ada-50")

    shown.click("Sessions", f"· {ADA + 2}")
    shown.click("older →", "odd/1")
    shown.click("odd/1", "Session odd/1")
    assert "$0.020000" in shown.text, "the call that names nobody is in its session"
    seen |= shown.controls()
    shown.click(ODD, f"Sessions of {ODD}")
    assert shown.column(1) == ["odd/1"]

    shown.click("Costs", "By model")
    seen |= shown.controls()
    names = dict(zip(shown.column(1), shown.column(4), strict=True))
    assert names[ODD] == "$0.020000"
    assert names["(no user)"] == "$0.010000"
    assert "By day" in shown.text
    shown.click(ODD, f"Sessions of {ODD}")
    shown.click("Costs", "By model")
    shown.click("(no user)", "There are no sessions of nobody.")
    shown.click("Sessions", "ada-1")
    assert shown.clicked == seen


def test_what_is_not_there_is_said(page: Chrome, url: str) -> None:
    """A session that nobody knows, and a user without any."""
    page.get(f"{url}/#/session/{quote('no/such', safe='')}")
    WebDriverWait(page, 60).until(lambda _: "there is no session 'no/such'" in page.find_element(By.ID, "main").text)
    page.get(f"{url}/#/user/carol")
    WebDriverWait(page, 60).until(lambda _: "There are no sessions of carol." in page.find_element(By.ID, "main").text)


def test_calls_outside_of_sessions_are_not_nothing(page: Chrome, shared_stack: Stack) -> None:
    """ "No sessions yet" is said of an empty store alone; calls in no session are counted, with the remedy."""
    empty(shared_stack)
    shown = Page.__new__(Page)
    shown.driver, shown.clicked = page, set()
    page.get(f"{shared_stack.http_url}/")
    shown.wait("No sessions yet")
    records = [record("", "", number, cost) for number, cost in ((1, "0.5"), (2, None))]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200
    page.refresh()
    shown.wait("2 calls are in no session: $0.500000 + 1 unpriced")
    assert "No sessions yet" not in shown.text
    assert "otel_costs.session(" in shown.text


def test_the_others_are_in_the_costs(page: Chrome, shared_stack: Stack) -> None:
    """More users than are listed end in one row, so that users add up to what days do."""
    empty(shared_stack)
    records = [record(f"s{number}", f"user-{number}", number) for number in range(PAGE + 4)]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200
    shown = Page.__new__(Page)
    shown.driver, shown.clicked = page, set()
    page.get(f"{shared_stack.http_url}/#/costs")
    shown.wait("4 others")
    cost = sum(Decimal(one.removeprefix("$")) for one in shown.column(4))
    assert cost == Decimal("0.01") * (PAGE + 4)
