"""What updates of prices stored for this user: read when a process starts, and passed over where it is damaged."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from otel_costs import semconv
from otel_costs.pricing import folders, genai_prices_data, stored_book
from otel_costs.pricing.base_prices import BaseBook, Json
from otel_costs.pricing.price_entry import PriceFile, PriceFileError
from otel_costs.pricing.stored_book import StoredBook

BASE: Final = "base"
"""What genai-prices published since this release."""
BOOK: Final = "book"
"""A price file of ours or of a company, over our own."""

_log: Final = logging.getLogger(semconv.SCOPE)
_warned: set[str] = set()


class PriceUpdateError(Exception):
    """An update cannot be made. `refused`: it could be read, and is not better than what is here."""

    def __init__(self, problem: str, *, refused: bool = False) -> None:
        super().__init__(problem)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Updates:
    """The stored price file and the stored base, each with its header by its kind, where there is one."""

    files: tuple[PriceFile, ...] = ()
    base: BaseBook | None = None
    headers: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)

    def fetched_at(self, kind: str) -> datetime | None:
        """Return when the update of a kind was fetched, None if there is none."""
        found = self.headers.get(kind)
        return datetime.fromisoformat(found["fetched_at"]) if found else None


def path(kind: str) -> Path | None:
    """Return where the update of a kind is stored; None where the user has no home."""
    return folders.data("prices", f"{kind}.book")


def read() -> Updates:
    """Return what is stored. Never raises: of what is damaged, one warning says so, and the built-in prices hold."""
    base, book = (_read(kind) for kind in (BASE, BOOK))
    headers = {kind: found.header for kind, found in ((BASE, base), (BOOK, book)) if found}
    return Updates(book.files if book else (), base.base if base else None, headers)


def forget() -> list[Path]:
    """Remove what is stored, and return what that was. Raises PriceUpdateError."""
    found = [where for kind in (BASE, BOOK) if (where := path(kind)) is not None and where.exists()]
    for where in found:
        try:
            where.unlink()
        except OSError as error:
            raise PriceUpdateError(f"{where} cannot be removed: {error.strerror or error}") from error
    return found


def _read(kind: str) -> StoredBook | None:
    where = path(kind)
    try:
        found = stored_book.read(where) if where is not None else None
    except FileNotFoundError:
        return None
    except PriceFileError as error:
        _warn(f"{error}. The built-in prices are used; run `otel-costs prices update` again.")
        return None
    if found is not None and not isinstance(found.header.get("fetched_at"), str):
        _warn(f"{where}: is no update. The built-in prices are used; run `otel-costs prices update` again.")
        return None
    if found is not None and kind == BASE and (over := str(found.header.get("over"))) != _RELEASE:
        # An update that was made over an earlier release may lack what this one knows.
        _warn(f"{where}: was made for {over}, and {_RELEASE} is here; run `otel-costs prices update` again.")
        return None
    return found


_RELEASE: Final = f"genai-prices-{genai_prices_data.RELEASE}"


def _warn(problem: str) -> None:
    if problem not in _warned:
        _warned.add(problem)
        _log.warning("%s", problem)
