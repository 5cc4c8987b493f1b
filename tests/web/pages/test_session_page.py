"""The page of a session and of a call: the timeline, the conversation with its prices, and nothing that runs."""

from decimal import Decimal

import pytest
from selenium.webdriver.common.by import By

from otel_costs.local import Stack
from tests.local.support import LATELY_NS, export_logs
from tests.support.stack import empty
from tests.web.support import got

from .support import SECOND, Page, call, message

EVIL = "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
CONTROL = "\u202e\u2066 \x07 \U0001f99c https://evil.example/ [link](https://evil.example/)"
LONG = 400
IDS = [f"{number:032x}" for number in range(1, 2000)]


def spoken(session: str) -> list[object]:
    """Return a spoken session of three turns: a tool in one, one interrupted, each with what was asked and heard."""
    records: list[object] = [message(session, 0, "system", "You are a parcel service.")]
    for turn in range(3):
        heard, answered = IDS[2 * turn], IDS[2 * turn + 1]
        at = LATELY_NS + (10 * turn + 5) * SECOND
        records += [
            message(
                session, 10 * turn + 5, "user", f"question {turn}", type="audio", audio_seconds="3.5", call_id=heard
            ),
            message(
                session,
                10 * turn + 6,
                "assistant",
                f"- answer **{turn}**",
                type="audio",
                audio_seconds="2",
                call_id=answered,
                **({"interrupted": "turn_detected"} if turn == 1 else {}),
            ),
        ]
        for number, (call_id, operation, model, ago) in enumerate(
            (
                (heard, "speech_to_text", "gpt-4o-mini-transcribe", 0),
                (answered, "realtime_inference", "gpt-realtime", 1),
            )
        ):
            more = {
                "otel_costs.call.id": call_id,
                "gen_ai.operation.name": operation,
                "gen_ai.response.model": model,
                "otel_costs.start_time_unix_nano": str(at + ago * SECOND),
            }
            record = call(session, 10 * turn + number, "0.01175", **more)
            record.time_unix_nano = at + (ago + 1) * SECOND
            records.append(record)
    records += [
        message(
            session, 7, "assistant", "", type="function_call", function_name="track", arguments='{"parcel": "A-1"}'
        ),
        message(session, 8, "function", '{"state": "sent"}', type="function_call", function_name="track"),
    ]
    return records


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> str:
    """Fill a store: a spoken session, one of hostile content, a long one, one that failed."""
    empty(shared_stack)
    evil = {"gen_ai.response.model": EVIL, "user.id": EVIL, "otel_costs.tag.t": EVIL, "otel_costs.scenario": EVIL}
    records = [
        *spoken("spoken"),
        message(EVIL, 1, "user", EVIL + CONTROL),
        message(EVIL, 2, "assistant", "", type="function_call", function_name=EVIL, arguments=EVIL),
        message(EVIL, 3, "assistant", "שלום, מה שלומך?"),
        call(EVIL, 1, "0.5", **evil, **{"error.type": EVIL, "otel_costs.step": EVIL, "otel_costs.tag.team": "red"}),
        *(message("long", number, ("user", "assistant")[number % 2], f"line {number}") for number in range(LONG)),
        call("long", 1, None),
    ]
    for start in range(0, len(records), 400):
        assert export_logs(shared_stack.otlp_http_url, records[start : start + 400]).status == 200  # type: ignore[arg-type]
    return f"{shared_stack.http_url}/api/v1"


def test_figures_are_those_of_the_api(page: Page, filled: str) -> None:
    """Cost, parts and the price of each turn, to the last digit."""
    page.open("/sessions/spoken")
    report = got(f"{filled}/sessions/spoken")
    calls = got(f"{filled}/calls", session="spoken", sort="oldest")["calls"]
    assert page.amounts(".card .value") == [report["cost_usd"]]
    assert page.card("Calls") == "6"
    assert page.card("Turns") == "3"
    prices = [Decimal(one) for one in page.amounts(".turns summary")]
    assert prices == [Decimal(one["cost_usd"]) for one in calls]
    assert sum(prices) == Decimal(report["cost_usd"])
    page.shows("1 message interrupted", "interrupted after 2.0 s", "track", '"parcel": "A-1"', "result")


@pytest.mark.long
def test_each_price_stands_beside_its_turn(page: Page, filled: str) -> None:
    """What was heard stands beside the question, what was answered beside the answer."""
    page.open("/sessions/spoken")
    for turn in page.all(".turn"):
        said = turn.find_element(By.CSS_SELECTOR, ".said").text
        models = [one.text for one in turn.find_elements(By.CSS_SELECTOR, ".prices summary bdi")]
        expected = ["gpt-4o-mini-transcribe"] if "question" in said else ["gpt-realtime"] if "answer" in said else []
        assert models == expected, said


@pytest.mark.long
def test_a_turn_opens_to_its_lines(page: Page, filled: str) -> None:
    """A price opens to quantity and rate, and leads to all of the call, its revisions and back to the session."""
    page.open("/sessions/spoken")
    page.one(".turn.user details summary").click()
    page.settled()
    lines = page.amounts(".turn.user details[open] tbody")
    assert [Decimal(one) for one in lines] == [Decimal("0.00375"), Decimal("0.008")]
    page.click("a", "All of this call")
    page.shows(IDS[0], "What it is made of", "Revisions", "spoken")
    whole = got(f"{filled}/calls/{IDS[0]}")
    assert page.amounts(".card .value")[0] == whole["cost_usd"]
    assert page.column("Revisions", 2) == ["priced"]
    page.click("a", "spoken", "main")
    page.shows("Session spoken")


def test_the_timeline(page: Page, filled: str) -> None:
    """Each that spoke, tools and calls stand in their lanes; an interruption is marked; a click leads to the turn."""
    page.open("/sessions/spoken")
    lanes = {
        lane: len(page.all(f".timeline .item.{lane}")) for lane in ("user", "assistant", "tools", "models", "speech")
    }
    assert lanes == {"user": 3, "assistant": 3, "tools": 2, "models": 3, "speech": 3}
    assert len(page.all(".timeline rect.interrupted")) == 1
    assert page.all(".timeline .climbing path")
    page.click("button", "Larger")
    page.click("button", "Smaller")
    page.driver.execute_script(
        "document.querySelectorAll('.timeline .item.assistant')[2]"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    page.until(lambda: "answer **2**" in page.driver.switch_to.active_element.text, "the turn has not the focus")


@pytest.mark.long
def test_markdown_is_a_switch(page: Page, filled: str) -> None:
    """Markdown is shown as elements where it is asked for, and the address says so."""
    page.open("/sessions/spoken").shows("- answer **0**")
    page.click("input", "Markdown")
    page.until(lambda: bool(page.all(".markdown li strong")), "no element was made")
    assert page.path.endswith("markdown=1")
    page.open("/sessions/spoken?markdown=1")
    assert [one.text for one in page.all(".markdown li strong")] == ["0", "1", "2"]


@pytest.mark.some(1)
@pytest.mark.parametrize("markdown", ["", "?markdown=1"])
def test_hostile_content_is_inert(page: Page, filled: str, markdown: str) -> None:
    """Markup in every field is shown as text: nothing of it becomes an element, a link or a title."""
    from urllib.parse import quote

    page.open(f"/sessions/{quote(EVIL, safe='')}{markdown}")
    page.one(".prices summary").click()
    page.settled()
    assert EVIL in page.text
    assert not page.all("main img, main script, main iframe")
    assert not [one for one in page.all("main a") if "evil.example" in str(one.get_attribute("href"))]
    assert page.driver.title.startswith("<img"), "the title is its id, and was not set by it"


@pytest.mark.long
def test_hostile_names_are_inert(page: Page, filled: str) -> None:
    """Nor do they become anything but text in lists, breakdowns and titles."""
    from urllib.parse import quote

    for path in ("/?range=90d&by=user", "/?range=90d&by=scenario", "/?range=90d&by=tag.t", "/sessions?range=90d"):
        page.open(path)
        assert not page.all("main img, main script")
    page.open(f"/users/{quote(EVIL, safe='')}?range=90d").shows(EVIL)
    assert not page.all("main img, main script")


def test_right_to_left(page: Page, filled: str) -> None:
    """What was said from right to left stands so."""
    from urllib.parse import quote

    page.open(f"/sessions/{quote(EVIL, safe='')}")
    said = next(one for one in page.all(".said .text") if "שלום" in one.text)
    assert page.driver.execute_script("return getComputedStyle(arguments[0]).direction", said) == "rtl"


@pytest.mark.long
def test_a_long_session_goes_on(page: Page, filled: str) -> None:
    """Of hundreds of messages those in view are drawn first, the others as one scrolls."""
    page.open("/sessions/long")
    assert len(page.all(".turn")) < LONG
    page.shows("unpriced")
    while len(page.all(".turn")) < LONG:
        before = len(page.all(".turn"))
        page.driver.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        page.until(lambda before=before: len(page.all(".turn")) > before, "no more is shown")  # type: ignore[misc]
    page.shows(f"line {LONG - 1}")


def test_what_is_not_there(page: Page, filled: str) -> None:
    """A session or a call that nobody knows is told, with where to look."""
    page.open("/sessions/no%2Fsuch").shows("no/such", "It is not there yet").named("a", "To all sessions")
    page.open("/calls/nothing").shows("there is no call 'nothing'")
    assert all("404" in one for one in page.complaints())
