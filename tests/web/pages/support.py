"""The report app as a reader has it: a page in a real browser, what it shows, and what it may not do."""

import json
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.local.support import LATELY_NS, key_values, ledger_record

SECOND: Final = 10**9
WAIT_S: Final = 60
PHONE: Final = (360, 740)
DESKTOP: Final = (1200, 900)

_SETTLED: Final = """
const done = arguments[0];
const isAsking = () => document.querySelector("main")?.getAttribute("aria-busy") !== "false";
const isBusy = () => isAsking() || document.querySelector(".loading");
// A click, or an answer, is drawn in the next frame; what that asks for is known to the page in the one after it.
const look = quiet => quiet === 5 ? done() : requestAnimationFrame(() => look(isBusy() ? 0 : quiet + 1));
look(0);
"""
_NAMED: Final = """
const [selector, name] = arguments;
const labels = one => [...(one.labels ?? [])].map(label => label.innerText.trim());
const named = one => [one.innerText?.trim(), one.getAttribute("aria-label"), ...labels(one)];
return [...document.querySelectorAll(selector)].filter(one => named(one).includes(name));
"""
_TEXT: Final = "return document.body.innerText.replaceAll('\\t', ' ').replaceAll('\\u00a0', ' ')"
_AMOUNTS: Final = "return [...document.querySelectorAll(`${arguments[0]} data.money`)].map(one => one.value)"
_CARD: Final = """
const cards = [...document.querySelectorAll(".card")];
const found = cards.find(one => one.querySelector("dt").innerText.trim() === arguments[0]);
return found ? found.querySelector(".value").innerText.trim() : null;
"""
_OVERFLOW: Final = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
_FOLLOWED: Final = """
const [width, done] = arguments;
// What watches sizes is told in a frame, and what it draws then is there in the next one.
const next = requestAnimationFrame;
// What fits no screen has a width of its own: it is not waited for.
const isThere = () => document.documentElement.clientWidth === width;
const look = tries => (isThere() || !tries ? next(() => next(done)) : next(() => look(tries - 1)));
look(60);
"""
_AXE: Final = """
const [rules, done] = arguments;
const options = { resultTypes: ["violations"], selectors: false };
if (rules) options.runOnly = { type: "rule", values: rules };
const told = one => `${one.id}: ${one.nodes.slice(0, 3).map(node => node.html.slice(0, 200)).join(" | ")}`;
axe.run(document, options).then(found => done(JSON.stringify(found.violations.map(told))));
"""
CONTRASTS: Final = ("color-contrast", "link-in-text-block")
"""The rules of axe that look at colours: what the others find is the same in both schemes."""


class Page:
    """A page of the application at `url`, in a browser."""

    def __init__(self, driver: Chrome, url: str) -> None:
        driver.set_script_timeout(WAIT_S)
        self.driver = driver
        self.url = url

    def open(self, path: str) -> "Page":
        """Open a path as somebody does who types it, and wait until all of it is there."""
        self.driver.get(self.url + path)
        return self.settled()

    def settled(self) -> "Page":
        """Wait until every answer that the page is made of is there."""
        try:
            self.driver.execute_async_script(_SETTLED)
        except TimeoutException as error:
            raise AssertionError(f"the page is still loading: {self.text[:2000]}") from error
        return self

    def until(self, holds: Callable[[], bool], why: str) -> None:
        """Wait until something holds."""

        def look(_: object) -> bool:
            try:
                return holds()
            except StaleElementReferenceException:
                return False

        try:
            WebDriverWait(self.driver, WAIT_S, poll_frequency=0.02).until(look)
        except TimeoutException as error:
            raise AssertionError(f"{why}: {self.text[:2000]}") from error

    def shows(self, *texts: str) -> "Page":
        """Wait until the page shows all these texts."""
        for text in texts:
            self.until(lambda text=text: text in self.text, f"{text!r} is not shown")  # type: ignore[misc]
        return self

    @property
    def text(self) -> str:
        """What a reader sees."""
        return str(self.driver.execute_script(_TEXT))

    @property
    def path(self) -> str:
        """The address below where the application is."""
        return self.driver.current_url.removeprefix(self.url)

    def all(self, selector: str) -> list[WebElement]:
        """Return the elements of a selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Return what a reader sees in the elements of a selector."""
        script = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText.trim())"
        return list(self.driver.execute_script(script, selector))

    def one(self, selector: str) -> WebElement:
        """Return the first element of a selector, once it is there."""
        self.until(lambda: bool(self.all(selector)), f"there is no {selector}")
        return self.all(selector)[0]

    def named(self, tag: str, name: str, within: str = "body") -> WebElement:
        """Return the element of a tag whose text, or label, is `name`, once it is there."""

        def find() -> list[WebElement]:
            return list(self.driver.execute_script(_NAMED, f"{within} {tag}", name))

        self.until(lambda: bool(find()), f"there is no {tag} {name!r}")
        return find()[0]

    def click(self, tag: str, name: str, within: str = "body") -> "Page":
        """Click the element that is named so, wherever it is, and wait for what follows."""
        found = self.named(tag, name, within)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
        found.click()
        return self.settled()

    def card(self, name: str) -> str:
        """Return the value of a card."""
        found = self.driver.execute_script(_CARD, name)
        assert found is not None, f"there is no card {name!r}"
        return str(found)

    def amounts(self, selector: str) -> list[str]:
        """Return the exact amounts below a selector."""
        return list(self.driver.execute_script(_AMOUNTS, selector))

    def column(self, caption: str, number: int) -> list[str]:
        """Return the texts of a column, counted from 1, of the table with this caption."""
        found = self.driver.execute_script(
            "const all = [...document.querySelectorAll('table')];"
            "const table = all.find(one => one.caption?.textContent === arguments[0]);"
            "return table ? [...table.tBodies[0].rows].map(row => row.cells[arguments[1] - 1].innerText.trim()) : null",
            caption,
            number,
        )
        assert found is not None, f"there is no table {caption!r}"
        return list(found)

    def sized(self, size: tuple[int, int], *, dark: bool = False) -> "Page":
        """Look at it on a screen of this size, in one of the two schemes, once the page has followed."""
        device = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.execute_async_script(_FOLLOWED, size[0])
        return self

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(self.driver.execute_script(_OVERFLOW))

    def axe(self, rules: Sequence[str] | None = None) -> list[str]:
        """Return what axe finds, by all its rules or by some: the rule, and where."""
        if not self.driver.execute_script("return 'axe' in window"):
            source = resources.files("selenium_axe_python").joinpath("axe-core/axe.min.js").read_text("utf-8")
            # By the browser's own tools: the policy of the page lets no other script in.
            self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": source})
        return list(json.loads(self.driver.execute_async_script(_AXE, rules)))

    def barriers(self, *sizes: tuple[int, int]) -> list[str]:
        """Return what keeps somebody from using the page on screens of these sizes, in either scheme.

        What axe finds by any rule, in the dark scheme by those that look at colours, and a page that is wider than the
        screen.
        """
        found = []
        for size in sizes:
            found += [f"{size}: {one}" for one in self.sized(size).axe()]
            if self.overflow > 0:
                found.append(f"{size}: {self.overflow} pixels wider than the screen")
            found += [f"{size}, dark: {one}" for one in self.sized(size, dark=True).axe(CONTRASTS)]
        self.sized(sizes[-1])
        return found

    def complaints(self) -> list[str]:
        """Return what the browser's console says since it was asked last."""
        said: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [one["message"] for one in said if one["level"] in ("SEVERE", "WARNING")]


def call(session: str, number: int = 1, cost: str | None = "0.01", **more: object) -> LogRecord:
    """Return a call of a session, the earlier the higher its number."""
    attributes = {"otel_costs.cost.usd": cost or "", **more}
    if cost is None:
        attributes |= {"otel_costs.cost.status": "unpriced", "otel_costs.cost.reason": "unknown_model"}
    return ledger_record(session, seq=number, time_ns=LATELY_NS - number * SECOND, more=attributes)


def message(session: str, number: int, role: str, content: str, **more: object) -> LogRecord:
    """Return a message of a session; `more` are its attributes without otel_costs.message."""
    attributes = {
        "event.name": "otel_costs.message",
        "otel_costs.message.id": f"{session}/{number}",
        "otel_costs.message.index": number,
        "otel_costs.message.role": role,
        "otel_costs.message.type": "text",
        "session.id": session,
        **{f"otel_costs.message.{name}": value for name, value in more.items()},
    }
    if "call_id" in more:
        attributes["otel_costs.call.id"] = attributes.pop("otel_costs.message.call_id")
    made = LogRecord(
        time_unix_nano=LATELY_NS + number * SECOND, event_name="otel_costs.message", attributes=key_values(attributes)
    )
    made.body.string_value = content
    return made
