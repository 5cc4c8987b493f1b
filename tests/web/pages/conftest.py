"""One browser for the tests of a worker, and pages in it that may not complain."""

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from otel_costs.local import Stack
from tests.support.browser import browser

from .support import DESKTOP, Page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chrome]:
    """Open a browser."""
    with browser() as driver:
        yield driver


@pytest.fixture
def page(chromium: Chrome, shared_stack: Stack) -> Iterator[Page]:
    """Return a page of the application over the shared store; at the end its console has complained of nothing.

    A test in which something is to fail reads what the console says of it by `complaints`.
    """
    found = Page(chromium, shared_stack.http_url).sized(DESKTOP)
    found.complaints()
    yield found
    assert found.complaints() == []
    chromium.get("about:blank")
