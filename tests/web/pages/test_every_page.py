"""What holds for every page: axe finds nothing, it fits on a phone, and it goes on when the store was away."""

import time
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from otel_costs.local import Stack
from tests.local.support import export_logs, free_ports, send
from tests.support.stack import empty

from .support import DESKTOP, PHONE, Page, call, message

WORD = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 3
PAGES = {
    "/": "Overview",
    "/?range=90d&by=user": "Overview",
    "/?range=2020-01": "Overview",
    "/sessions": "Sessions",
    f"/sessions/{WORD}": WORD,
    f"/sessions/{WORD}?markdown=1": WORD,
    "/sessions/?id=": "Calls in no session",
    f"/calls/{'ab' * 16}": "Call abababab",
    f"/users/{WORD}": WORD,
    f"/scenarios/{WORD}": WORD,
    f"/models/openai/{WORD}": WORD,
    "/statements": "Statements",
    "/budgets": "Budgets",
    "/alerts": "Alerts",
    "/what-if": "What if",
    f"/what-if?session={WORD}": "What if",
    "/prices?rows=20": "Prices",
    "/inbox": "Inbox",
    "/compare": "Compare",
    "/models/alone": "No such page",
    "/users/nobody": "nobody",
}
"""Pages by their addresses, and their titles."""
_ASKED = "return performance.getEntriesByType('resource').map(one => one.name)"


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> None:
    """Fill a store with words that are too long for any screen."""
    empty(shared_stack)
    named = {"user.id": WORD, "otel_costs.scenario": WORD, "gen_ai.response.model": WORD, "otel_costs.tag.team": WORD}
    records = [
        message(WORD, 1, "user", WORD, type="audio", audio_seconds="3"),
        message(WORD, 2, "assistant", f"# {WORD}\n\n| {WORD} | b |\n|---|---|\n| c | {WORD} |", call_id="ab" * 16),
        message(WORD, 3, "assistant", "", type="function_call", function_name=WORD, arguments=WORD),
        call(WORD, 1, "0.123456789012", **named, **{"otel_costs.call.id": "ab" * 16, "otel_costs.step": WORD}),
        call(WORD, 2, None, **named, **{"error.type": WORD}),
        call("", 3),
    ]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "title"),
    PAGES.items(),
    ids=[path.replace(WORD, "WORD") for path in PAGES],
)
def test_seen_by_everybody(page: Page, filled: None, path: str, title: str) -> None:
    """axe finds nothing in either scheme, on a phone or a desk; nothing is wider than 360 pixels, or from elsewhere."""
    page.open(path)
    assert page.driver.title == f"{title} · otel-costs"
    assert len(page.all("h1")) == 1
    assert page.barriers(DESKTOP, PHONE) == []
    details = page.all("main details:not([open]) > summary")[:4]
    for one in details:
        page.driver.execute_script("arguments[0].click()", one)
    if details:
        assert page.settled().barriers(PHONE) == []
    names = page.driver.execute_script(_ASKED)
    assert names
    assert [one for one in names if not one.startswith(f"{page.url}/")] == [], "its policy lets nothing else"
    page.sized(DESKTOP)


@pytest.mark.long
@pytest.mark.parametrize("path", ["/", f"/users/{WORD}"], ids=["/", "/users/WORD"])
def test_a_chart_makes_no_page_wider(page: Page, filled: None, path: str) -> None:
    """Not even for the frame in which a phone is turned, and the chart is as wide as it was before."""
    assert page.open(path).all(".plot canvas")
    page.driver.execute_script("for (const one of document.querySelectorAll('.uplot')) one.style.width = '3000px'")
    assert page.sized(PHONE).overflow <= 0
    page.sized(DESKTOP)


@pytest.mark.long
def test_barriers_are_found(page: Page, filled: None) -> None:
    """What is too faint in either scheme, and what is too wide for a phone: a look that finds none shows nothing."""
    page.open("/users/nobody")
    page.driver.execute_script(
        "document.querySelector('section p').style.color = 'light-dark(#ddd, #333)';"
        "document.querySelector('footer').style.width = '700px'"
    )
    found = page.barriers(DESKTOP, PHONE)
    assert [one.partition(": <p")[0] for one in found if "color-contrast" in one] == [
        f"{size}{scheme}: color-contrast" for size in (DESKTOP, PHONE) for scheme in ("", ", dark")
    ]
    assert [one.partition(": ")[0] for one in found if "wider" in one] == [f"{PHONE}"]
    page.sized(DESKTOP)


def test_titles_tell_pages_apart() -> None:
    """No two pages that are not of a name have the same title."""
    titles = [title for path, title in PAGES.items() if WORD not in path and not path.startswith("/?")]
    assert len(set(titles)) == len(titles)


@pytest.mark.long
def test_by_keyboard(page: Page, filled: None) -> None:
    """The first key leads past the navigation; a link followed by the keyboard gives the focus to the content."""
    page.open("/")
    page.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    first = page.driver.switch_to.active_element
    assert first.text == "To the content"
    page.named("a", "Sessions", "nav").send_keys(Keys.ENTER)
    page.settled()
    assert page.driver.switch_to.active_element.get_attribute("id") == "main"
    assert page.named("a", "Sessions", "nav").get_attribute("aria-current") == "page"
    assert page.one("[role=status].unseen").get_attribute("textContent") == "Sessions"


@pytest.mark.long
@pytest.mark.parametrize("path", ["/nonsense", "/nonsense/of%2Fsome/depth", "/sessions.xml"])
def test_a_path_of_no_page(page: Page, filled: None, path: str) -> None:
    """The page says so, with the navigation; a program gets 404 and no page."""
    page.open(path).shows("There is no such page")
    assert "404" in page.complaints()[0]
    page.click("a", "To the overview").shows("What it costs")
    answer = send(page.url + path)
    assert answer.status == 404
    assert "<html" not in answer.text


@pytest.mark.long
def test_a_name_of_nothing(page: Page, filled: None) -> None:
    """The page of a user of whom nothing is recorded says that, in the place of empty figures."""
    page.open("/users/nobody").shows("Nothing is known of it")
    assert page.all(".card") == []


@pytest.mark.parametrize(("path", "said"), [("/?range=nonsense", "nonsense"), ("/sessions?range=30d&sort=odd", "odd")])
def test_a_wrong_address(page: Page, filled: None, path: str, said: str) -> None:
    """What is wrong with an address is said, once, and not passed over."""
    page.open(path)
    assert [said in one.text for one in page.all(".failure")] == [True]
    page.complaints()


@pytest.mark.long
def test_the_store_goes_away_and_comes_back(chromium: Chrome, tmp_path: Path) -> None:
    """A banner says that it is away; when it is back the page goes on by itself."""
    port, otlp, rpc = free_ports(3)
    ports: dict[str, Any] = {"http_port": port, "otlp_http_port": otlp, "otlp_grpc_port": rpc}
    page = Page(chromium, f"http://127.0.0.1:{port}").sized(DESKTOP)
    with Stack(tmp_path, **ports) as stack:
        assert export_logs(stack.otlp_http_url, [call("first")]).status == 200
        page.open("/").shows("first")
    page.shows("This page goes on by itself when it is back.")
    with Stack(tmp_path, **ports) as stack:
        assert export_logs(stack.otlp_http_url, [call("second", 2, "0.75")]).status == 200
        page.shows("second")
        assert "goes on by itself" not in page.text
        chromium.get("about:blank")
        page.complaints()


@pytest.mark.long
def test_a_new_call_appears_by_itself(page: Page, shared_stack: Stack) -> None:
    """What comes in is shown without loading the page again: the total, the list, and a session under way."""
    empty(shared_stack)
    assert export_logs(shared_stack.otlp_http_url, [call("before")]).status == 200
    page.open("/").shows("before")
    ended_now = call("live", 2, "1.25")
    ended_now.time_unix_nano = time.time_ns()
    assert export_logs(shared_stack.otlp_http_url, [ended_now]).status == 200
    page.shows("live")
    page.until(lambda: page.amounts(".card .value")[0] == "1.260000", "the total is the old one")
    page.open("/sessions/live").shows("under way")
    assert export_logs(shared_stack.otlp_http_url, [call("live", 3, "1")]).status == 200
    page.until(lambda: page.amounts(".card .value")[0] == "2.250000", "the session is the old one")
    page.open("/sessions").shows("live")
