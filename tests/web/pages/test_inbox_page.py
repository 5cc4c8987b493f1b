"""The inbox in the browser: each of its parts, with what it means and what to do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from otel_costs.local import Stack
from otel_costs.store import bill_differences, connect
from otel_costs.store.bill_differences import Compared, Difference
from otel_costs.web import models
from tests.local.support import export_logs
from tests.support.stack import empty
from tests.web.support import got

from .support import DESKTOP, PHONE, Page, call

ODD = "o/d?d & <b>'id'</b>"
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
BILL = [
    Difference(YESTERDAY, ODD, "usd", Decimal("12.5"), None, Decimal("12.5"), "not_recorded"),
    Difference(YESTERDAY, ODD, "input_tokens", Decimal(1500), Decimal(500), Decimal(1000), "not_recorded"),
    Difference(YESTERDAY, "", "day_usd", Decimal(20), Decimal("7.5"), Decimal("12.5"), "usage_differs"),
]


@pytest.fixture(scope="module")
def filled(shared_stack: Stack) -> str:
    """Fill a store: calls without a price, partial and estimated ones, some that never arrived, a dear session."""
    empty(shared_stack)
    records = [call(f"s-{number}", number, "0.01") for number in range(1, 10)]
    records += [call(ODD, 20, "5")]
    records += [call("free", 30 + number, None) for number in range(3)]
    reason = "otel_costs.cost.reason"
    status = "otel_costs.cost.status"
    records += [call("part", 40, "0.01", **{status: "partial", reason: "feature_not_priced"})]
    records += [call("about", 41, "0.01", **{status: "estimated", reason: "dated_name,answer_unknown"})]
    assert export_logs(shared_stack.otlp_http_url, records).status == 200
    client = connect(shared_stack.http_url)
    bill_differences.keep(client, Compared("azure", YESTERDAY, TODAY), BILL)
    client.close()
    return f"{shared_stack.http_url}/api/v1"


def test_each_part(page: Page, filled: str) -> None:
    """Each part has the API's rows, and each reason its sentence."""
    page.open("/inbox?range=30d")
    found = got(f"{filled}/inbox", range="30d")
    page.shows("Without a price: 3 calls", "Priced in part: 1 call", "Estimated: 1 call")
    told = {one["reason"]: one for one in got(f"{filled}/reasons")["reasons"]}
    for name in ("unknown_model", "feature_not_priced", "dated_name", "answer_unknown"):
        page.shows(told[name]["meaning"].replace("`", ""), told[name]["remedy"].replace("`", ""))
    assert page.column("Without a price: unknown_model", 4) == ["3"]
    assert page.column("Sessions that cost ten times what is usual", 1) == [ODD]
    dear = found["dear_sessions"][0]
    amounts = page.amounts("section")
    assert dear["cost_usd"] in amounts
    assert dear["median_usd"] in amounts
    page.shows("otel-costs reconcile")
    if found["missing_calls"]:
        missing = sum(row["missing_count"] for row in found["missing_calls"])
        page.shows(f"Never arrived: {missing} call")


@pytest.mark.long
def test_differences_from_the_bill(page: Page, filled: str) -> None:
    """The whole day first, then what it is made of: both sides, how much, and why; in the API to the last digit."""
    page.open("/inbox?range=30d")
    page.shows("Differences from the provider's bill: 1 day", "otel-costs reconcile")
    caption = "Differences from the provider's bill"
    assert page.column(caption, 3) == ["whole day", ODD, ODD]
    assert page.column(caption, 5) == ["$20.00", "1,500", "$12.50"]
    assert page.column(caption, 6) == ["$7.50", "500", "–"]
    assert page.column(caption, 7) == ["$12.50", "1,000", "$12.50"]
    assert page.column(caption, 8)[1] == "more is billed than was recorded"
    found = got(f"{filled}/inbox", range="30d")["bill_differences"]
    assert [(row["unit"], row["difference_usd"], row["difference"]) for row in found] == [
        ("day_usd", "12.500000", None), ("input_tokens", None, 1000), ("usd", "12.500000", None),
    ]  # fmt: skip
    assert {*found[0]} == {*models.BillDifference.model_fields}
    page.open("/inbox?range=2020-01").shows("The provider's own figures")
    assert "Differences from" not in page.text
    page.open("/?range=30d").shows("1 day on which a provider's bill differs")


@pytest.mark.long
def test_links_lead_to_what_needs_a_look(page: Page, filled: str) -> None:
    """To the sessions of a model without a price, to the last call, to prices, to the dear session."""
    page.open("/inbox?range=30d").click("a", "Models that lack a price")
    assert page.path.startswith("/prices")
    page.open("/inbox?range=30d")
    link = page.one("section tbody a")
    link.click()
    page.settled()
    assert "unpriced=1" in page.path
    assert page.column("Sessions", 1) == ["free"]
    page.open("/inbox?range=30d").click("a", ODD)
    page.until(lambda: page.one("h1 bdi").text == ODD, "another session is shown")
    page.open("/inbox?range=30d")
    page.one("section tbody td:last-child a").click()
    page.settled()
    assert page.path.startswith("/calls/")


@pytest.mark.long
def test_nothing(page: Page, filled: str) -> None:
    """A period in which nothing needs a look shows none of the calls of another one."""
    page.open("/inbox?range=2020-01")
    assert "Without a price" not in page.text
    page.click("a", "30d")
    page.shows("Without a price: 3 calls")


@pytest.mark.long
def test_for_everybody(page: Page, filled: str) -> None:
    """Axe finds nothing, and nothing scrolls sideways."""
    assert page.open("/inbox?range=30d").barriers(DESKTOP, PHONE) == []
