"""Contracts in the browser: the month that is worked out by hand, as reports and the API have it."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from selenium.webdriver import Chrome

import otel_costs
from otel_costs import pricing
from otel_costs.local import Stack
from otel_costs.store.connection import connect
from otel_costs.store.reprice import settle
from tests.support import contract_month as month
from tests.support.stack import empty
from tests.web.support import sent, served

from .support import DESKTOP, Page

PERIOD = "from=2026-11-01&to=2026-12-01"


@pytest.fixture(scope="module")
def address(shared_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the month, settled, by its contracts."""
    empty(shared_stack)
    file = tmp_path_factory.mktemp("prices") / "month.yaml"
    file.write_text(month.PRICES)
    pricing.use(pricing.load(str(file)))
    dsn = shared_stack.http_url
    with served(otel_costs.web.app(dsn=dsn, writer_dsn=dsn, write=lambda request: True)) as url:
        assert sent(f"{url}/api/v1/calls", list(month.CALLS)).status == 200
        with connect(dsn) as client:
            settle(client, month.MONTH, now=month.SETTLED_AT)
        yield url
    pricing.use(None)


@pytest.fixture
def shown(chromium: Chrome, address: str) -> Iterator[Page]:
    found = Page(chromium, address).sized(DESKTOP)
    found.complaints()
    yield found
    assert found.complaints() == []
    chromium.get("about:blank")


@pytest.mark.long
def test_the_month_on_the_page(shown: Page) -> None:
    """What each contract's calls cost, what was reserved and not used, and what is missing of the commitment."""
    shown.open(f"/prices?{PERIOD}").shows("Contracts", "Committed by", "266")
    assert shown.column("What the calls of contracts cost", 1) == sorted(month.AMOUNTS)
    amounts = shown.column("What the calls of contracts cost", 6)
    assert amounts == ["EUR 15.00", "EUR 30.00", "$234.00"]
    assert shown.column("What was reserved by the hour", 3) == ["EUR 36.00"]
    assert shown.column("What was reserved by the hour", 4) == ["EUR 21.00"]


def test_without_contracts_there_is_none(page: Page) -> None:
    """The page is as it was."""
    assert "Contracts" not in page.open("/prices?range=today").shows("The table in force").text


@pytest.mark.long
def test_teams_on_the_overview(shown: Page) -> None:
    """The month's cost is that of reports."""
    shown.open(f"/?{PERIOD}").shows(f"${Decimal(month.COST_USD):,.2f}")
