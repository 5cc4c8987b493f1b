"""Comparisons in the browser: two sides of any kind, and where the difference is."""

import pytest
from selenium.webdriver.support.ui import Select

from otel_costs.local import Stack
from tests.local.support import export_logs
from tests.support.stack import empty
from tests.web.support import got

from .support import DESKTOP, PHONE, Page, call

MODELS = ("gpt-4o", 'odd=/"<b>.json')


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> str:
    """Fill a store with calls of two models, scenarios and teams."""
    empty(shared_stack)
    records = [
        call(
            f"s-{number}",
            number,
            f"0.0{number % 5 + 1}",
            **{
                "user.id": ("ada", "bob")[number % 2],
                "gen_ai.response.model": MODELS[number % 2],
                "otel_costs.scenario": ("training", "sales")[number % 2],
                "otel_costs.tag.team": ("red", "blue")[number % 2],
            },
        )
        for number in range(1, 20)
    ]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200
    return f"{shared_stack.http_url}/api/v1"


def compare(page: Page, of: str, a: str, b: str) -> None:
    """Choose what is compared, and both sides."""
    Select(page.one("form.panel select")).select_by_value(of)
    page.settled()
    for name, value in (("a", a), ("b", b)):
        field = page.one(f"form.panel input[name={name}]")
        field.clear()
        field.send_keys(value)
    page.click("button", "Compare")


@pytest.mark.long
@pytest.mark.parametrize(
    ("of", "a", "b"),
    [
        ("model", *MODELS),
        ("scenario", "training", "sales"),
        ("user", "ada", "bob"),
        ("tag.team", "red", "blue"),
        ("period", "2020-01", "30d"),
    ],
)
def test_two_sides(page: Page, filled: str, of: str, a: str, b: str) -> None:
    """Two of any kind: the address says which, and each figure is the API's."""
    page.open("/compare?range=30d")
    compare(page, of, a, b)
    sides = (a, b) if of == "period" else (f"{of}={a}", f"{of}={b}")
    found = got(f"{filled}/compare", range="30d", a=sides[0], b=sides[1])
    page.shows(f"A: {sides[0]}", f"B: {sides[1]}")
    expected = [found["a"]["cost_usd"], found["b"]["cost_usd"], found["total"]["change_usd"]]
    assert page.amounts(".cards .card .value") == expected
    assert page.column("The difference by model", 1) == [row["name"] for row in found["groups"]]
    shown = page.amounts("section:first-child tbody")
    assert shown == [row[name] for row in found["groups"] for name in ("a_usd", "b_usd", "change_usd") if row[name]]


@pytest.mark.long
def test_sides_in_the_address(page: Page, filled: str) -> None:
    """An address that is opened has both sides in its form; one click leads back to this period and the one before."""
    page.open("/compare?range=30d")
    compare(page, "model", *MODELS)
    page.open(page.path).shows(f"A: model={MODELS[0]}", f"B: model={MODELS[1]}")
    values = [page.one(f"form.panel input[name={name}]").get_attribute("value") for name in "ab"]
    assert values == [*MODELS]
    page.click("a", "This period and the one before")
    page.shows("A: before", "B: now")


@pytest.mark.long
def test_split_by_each(page: Page, filled: str) -> None:
    """The difference is split by what is chosen of all dimensions and tags."""
    page.open("/compare?range=30d")
    choices = [one.text for one in Select(page.one("section select")).options]
    assert {"model", "user", "scenario", "kind", "tag.team"} <= set(choices)
    for by in ("scenario", "tag.team", "model"):
        Select(page.one("section select")).select_by_visible_text(by)
        page.settled()
        assert f"by={by}" in page.path
        found = got(f"{filled}/compare", range="30d", by=by)
        assert len(page.column(f"The difference by {by}", 1)) == len(found["groups"]), by


def test_what_is_no_side(page: Page, filled: str) -> None:
    """A period that is none is told in the API's words."""
    page.open("/compare?range=30d&a=whenever&b=7d").shows("'whenever' is neither a period")
    assert all("400" in one for one in page.complaints())


@pytest.mark.long
def test_for_everybody(page: Page, filled: str) -> None:
    """Axe finds nothing, and nothing scrolls sideways."""
    assert page.open("/compare?range=30d&by=user").barriers(DESKTOP, PHONE) == []
