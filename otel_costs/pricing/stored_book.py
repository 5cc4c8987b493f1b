"""Prices as they are stored: a text that is checked by its sum, and read provider by provider when one is asked for.

The first line names the form, the second is the SHA-256 of all that follows: a header, as JSON, and a line for each
provider of each list of prices. So a process that asks one provider reads its prices and no others: about a hundredth
of the time that YAML and genai-prices take. It is no pickle: what is read cannot run.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from otel_costs.pricing.base_prices import BaseBook, Json
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.pricing.price_entry import Base, Match, Price, PriceFile, PriceFileError, Weekly
from otel_costs.pricing.rates import Rate

FORM: Final = "otel_costs price book 1"
MAX_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True)
class StoredBook:
    """Price files over a base, and what is known of them: `header` has texts and numbers."""

    files: tuple[PriceFile, ...] = ()
    base: BaseBook | None = None
    header: Mapping[str, Json] = field(default_factory=dict)


def dump(book: StoredBook) -> bytes:
    """Return `book` as it is stored."""
    header = dict(book.header)
    lines: list[str] = []
    if book.base is not None:
        header["base"] = book.base.version
        lines += [f"base\t{_json(provider)}\t{text}" for provider, text in book.base.sections.items()]
    header["fields"] = _FIELDS
    header["files"] = [[file.name, file.version] for file in book.files]
    for number, file in enumerate(book.files):
        lines += [f"{number}\t{_json(provider)}\t{_written(file.of(provider))}" for provider in file.providers()]
    body = "\n".join([_json(header), *lines, ""]).encode()
    return b"\n".join([FORM.encode(), hashlib.sha256(body).hexdigest().encode(), body])


def load(raw: bytes, name: str) -> StoredBook:
    """Return the book that `dump` wrote; raises PriceFileError, with `name` in it, where it is not as written."""
    form, _, rest = raw.partition(b"\n")
    if form != FORM.encode():
        raise PriceFileError(name, None, "", "is no stored price book of this release")
    digest, _, body = rest.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise PriceFileError(name, None, "", "is damaged: its checksum is another one")
    try:
        first, *lines = body.decode().rstrip("\n").split("\n")
        header = json.loads(first)
        if not set(header["fields"]) <= set(_FIELDS):
            raise PriceFileError(name, None, "", "is a price book of a later release")
        base: dict[str, str] = {}
        files: list[dict[str, str]] = [{} for _ in header["files"]]
        for line in lines:
            which, provider, text = line.split("\t", 2)
            (base if which == "base" else files[int(which)])[json.loads(provider)] = text
        return StoredBook(
            tuple(
                StoredPriceFile(file, version, texts)
                for (file, version), texts in zip(header["files"], files, strict=True)
            ),
            BaseBook(header["base"], base) if base else None,
            header,
        )
    except PriceFileError:
        raise
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise PriceFileError(name, None, "", "is no stored price book") from error


def read(path: Path) -> StoredBook:
    """Return the book at `path`. Raises PriceFileError where it is not as written, FileNotFoundError without one."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PriceFileError(str(path), None, "", f"cannot be read: {error.strerror or error}") from error
    if len(raw) > MAX_BYTES:
        raise PriceFileError(str(path), None, "", f"is larger than {MAX_BYTES:,} bytes")
    return load(raw, str(path))


def write(path: Path, book: StoredBook) -> None:
    """Put `book` in the place of what is at `path`, all of it or nothing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as stream:
            stream.write(dump(book))
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


class StoredPriceFile(PriceFile):
    """A price file whose prices are read when their provider is first asked for."""

    def __init__(self, name: str, version: str, texts: Mapping[str, str]) -> None:
        self.name, self.version = name, version
        self._texts = texts
        self._read: dict[str, tuple[Price, ...]] = {}

    def providers(self) -> tuple[str, ...]:
        """Return the providers that it has prices of."""
        return tuple(self._texts)

    def of(self, provider: str) -> tuple[Price, ...]:
        """Return the prices of `provider`, read when it is first asked for."""
        found = self._read.get(provider)
        if found is None:
            text = self._texts.get(provider)
            found = self._read[provider] = tuple(map(_price, json.loads(text))) if text else ()
        return found


def _json(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))


def _written(prices: Sequence[Price]) -> str:
    return _json([_fields(price) for price in prices])


def _fields(price: Price) -> dict[str, Json]:
    """Return what a price has, but for what any price has of itself."""
    found = {name: value for name in _FIELDS if (value := getattr(price, name)) != _ABSENT.get(name, _ABSENT)}
    return {name: _PLAIN[name](value) if name in _PLAIN else value for name, value in found.items()}


def _price(found: Json) -> Price:
    return Price(**{name: _READ[name](value) if name in _READ else value for name, value in found.items()})


def _match(found: Json) -> Match:
    lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    regex = re.compile(found["regex"]) if found.get("regex") else None
    return Match(**{**found, **lists, "regex": regex})


def _rates(found: Json) -> dict[str, Rate]:
    return {
        unit: Rate(Decimal(usd), per, minimum=least, estimate=guide) for unit, (usd, per, least, guide) in found.items()
    }


_FIELDS: Final = tuple(known.name for known in fields(Price))
_ABSENT: Final = {
    known.name: known.default_factory() if callable(known.default_factory) else known.default for known in fields(Price)
}
_PLAIN: Final[Mapping[str, Callable[[Any], Json]]] = {
    "match": lambda match: {
        known.name: value.pattern if isinstance(value, re.Pattern) else value
        for known in fields(Match)
        if (value := getattr(match, known.name))
    },
    "rates": lambda rates: {
        unit: [str(rate.usd), rate.per, rate.minimum, rate.estimate] for unit, rate in rates.items()
    },
    "weekly": lambda weekly: [weekly.days, weekly.hours, weekly.offset_minutes],
    "derived": lambda derived: {unit: [other, str(times)] for unit, (other, times) in derived.items()},
    "base": lambda base: [base.provider, base.model, base.service_tier, base.processing],
    "start": datetime.isoformat,
    "end": datetime.isoformat,
    "checked": date.isoformat,
    "multiplier": str,
}
_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "match": _match,
    "rates": _rates,
    "weekly": lambda weekly: Weekly(tuple(weekly[0]), tuple(map(tuple, weekly[1])), weekly[2]),
    "derived": lambda derived: {unit: (other, Decimal(times)) for unit, (other, times) in derived.items()},
    "base": lambda base: Base(*base),
    "start": datetime.fromisoformat,
    "end": datetime.fromisoformat,
    "checked": date.fromisoformat,
    "multiplier": Decimal,
    "reason": lambda reason: CostReason[reason.upper()],
    "covered_by": lambda covered: {unit: tuple(others) for unit, others in covered.items()},
}
