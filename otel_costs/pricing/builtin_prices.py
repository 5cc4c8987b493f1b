"""The prices that come with the package: our price files over genai-prices, stored as one book when it is built.

In a checkout the book is made when it is first needed, and kept in the user's cache for as long as the files are what
they were.
"""

import contextlib
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from otel_costs.pricing import folders, genai_prices_data, stored_book
from otel_costs.pricing.base_prices import BaseBook
from otel_costs.pricing.price_entry import PriceFile, PriceFileError
from otel_costs.pricing.stored_book import StoredBook

_HERE: Final = Path(__file__).parent
SOURCES: Final = _HERE / "data"
BUILT: Final = _HERE.parent / "_files" / "prices.book"

_READERS: Final = ("genai_prices_data", "price_entry", "price_fields", "price_file", "stored_book")


@cache
def builtin_book() -> StoredBook:
    """Return our price files, one per provider, and the genai-prices of this release."""
    digest = _digest()
    cached = folders.cache("prices", f"{digest}.book")
    for path in filter(None, (BUILT, cached)):
        try:
            found = stored_book.read(path)
        except (FileNotFoundError, PriceFileError):
            continue
        if found.header.get("sources") == digest:
            return found
    made = make()
    if cached is not None:
        with contextlib.suppress(OSError):  # the next process makes it, too
            stored_book.write(cached, made)
    return made


def builtin_files() -> tuple[PriceFile, ...]:
    """Return our own price files, one per provider."""
    return builtin_book().files


def builtin_base() -> BaseBook:
    """Return the genai-prices that this release was built with."""
    return builtin_book().base or BaseBook("", {})


def make() -> StoredBook:
    """Return the book of the sources: of our YAML, and of the genai-prices that is installed where it is built."""
    return StoredBook(_files(), _base(), {"sources": _digest()})


def _files() -> tuple[PriceFile, ...]:
    from otel_costs.pricing.price_file import parse  # noqa: PLC0415  # PyYAML

    return tuple(parse(path.read_bytes(), path.name) for path in _sources())


def _base() -> BaseBook:
    try:
        return genai_prices_data.of_package()
    except ImportError:  # a checkout that was installed without what builds it
        return stored_book.read(BUILT).base or BaseBook("", {})


def _sources() -> list[Path]:
    return sorted(SOURCES.glob("*.yaml"))


def _digest() -> str:
    """Return what the sources are known by, and what reads them."""
    found = hashlib.sha256(genai_prices_data.RELEASE.encode())
    readers = sorted(path for path in Path(__file__).parent.glob("*.py") if path.stem in _READERS)
    for path in (*_sources(), *readers):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:32]
