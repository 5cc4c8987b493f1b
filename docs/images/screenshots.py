"""Take the pictures of the pages, in a real browser: `make screenshots`."""

import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from docs.images import example_store
from otel_costs.local import Stack
from tests.support.browser import browser
from tests.web.pages.support import PHONE, Page

HERE: Final = Path(__file__).parent
DESK: Final = (1240, 860)

PICTURES: Final = {
    "overview.png": ("/?range=30d", DESK, False),
    "overview-dark.png": ("/?range=30d", DESK, True),
    "session.png": (f"/sessions/{quote(example_store.SPOKEN)}", DESK, False),
    "session-dark.png": (f"/sessions/{quote(example_store.SPOKEN)}", DESK, True),
    "phone.png": (f"/sessions/{quote(example_store.SPOKEN)}", PHONE, True),
}
"""File -> the page, the size of the screen, and whether it is dark."""


def main() -> None:
    """Fill a store, and take each picture of it."""
    with tempfile.TemporaryDirectory() as folder, Stack(folder) as stack, browser() as driver:
        example_store.fill(stack.http_url, stack.otlp_http_url)
        page = Page(driver, stack.http_url)
        for name, (path, size, dark) in PICTURES.items():
            page.sized(size, dark=dark).open(path)
            driver.save_screenshot(str(HERE / name))


if __name__ == "__main__":
    main()
