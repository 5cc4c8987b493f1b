"""Files of a provider's bill: CSV, JSON, JSON lines and Parquet, rows as they are, one after the other."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final

from otel_costs.cli.reconciliation.reported import ProviderError

MOST_BYTES: Final = 512 * 1024 * 1024
"""Of a JSON file that is read whole, unpacked; larger ones are given as JSON lines, CSV or Parquet."""

MOST_LINE: Final = 16 * 1024 * 1024
"""Characters of one line."""

FORMATS: Final = "CSV, JSON, JSON lines (each may be .gz) or Parquet"

Row = Mapping[str, Any]


class Columns:
    """A row's values by the names of their columns, however those are written: `meterName`, `MeterName`, `meter_name`.

    Values of objects are found under the names of both: `sku.description`, `sku_description`.
    """

    __slots__ = ("_keys", "_row")

    def __init__(self, row: Row) -> None:
        self._row, self._keys = row, _keys(tuple(row))

    def get(self, *names: str) -> Any:
        """Return the value of the first of `names` that the row has, and is not empty; None if there is none."""
        for name in names:
            value = self._value(_plain(name))
            if value is not None and value != "":
                return value
        return None

    def stated(self, *names: str) -> Any:
        """Return the same, None where the row says nothing. Raises KeyError where it has no such column at all."""
        value = self.get(*names)
        if value is None and not self.has(*names):
            raise KeyError(names[0])
        return value

    def has(self, *names: str) -> bool:
        """Return whether the row has a column of one of the names, whatever it says."""
        return any(_plain(name) in self._keys for name in names)

    def _value(self, wanted: str) -> Any:
        if (keys := self._keys.get(wanted)) is not None:
            return self._only(keys)
        for end in range(1, len(wanted)):
            if (keys := self._keys.get(wanted[:end])) is not None:
                for name, value in _pairs(self._only(keys)).items():
                    if _plain(str(name)) == wanted[end:]:
                        return value
        return None

    def _only(self, keys: tuple[str, ...]) -> Any:
        """Return the value of columns that mean the same. Raises ValueError where they do not say the same."""
        value, *others = [self._row[key] for key in keys if self._row[key] not in (None, "")] or [None]
        if any(other != value for other in others):
            raise ValueError("two columns of one name")
        return value

    def text(self, *names: str) -> str:
        """Return the same as text, empty where there is none."""
        return _text(self.get(*names))

    def stated_text(self, *names: str) -> str:
        """Return the same as text, empty where the row says nothing. Raises KeyError where it has no such column."""
        return _text(self.stated(*names))

    def needed_text(self, *names: str) -> str:
        """Return the same as text. Raises KeyError with the first name where there is none."""
        return _text(self.needed(*names))

    def needed(self, *names: str) -> Any:
        """Return the same. Raises KeyError with the first name where there is none."""
        value = self.get(*names)
        if value is None:
            raise KeyError(names[0])
        return value


def rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a file with their numbers, from 1. Raises ProviderError where it cannot be read as one."""
    name = path.name.lower()
    packed = name.endswith(".gz")
    kind = name.removesuffix(".gz").rpartition(".")[2]
    try:
        if kind == "parquet" and not packed:
            yield from enumerate(_parquet(path), 1)
            return
        with _opened(path, packed=packed) as file:
            if kind == "csv":
                yield from enumerate(_csv(file), 1)
            elif kind in ("jsonl", "ndjson"):
                yield from enumerate(_json_lines(file), 1)
            elif kind == "json":
                yield from enumerate(_json(file), 1)
            else:
                raise ProviderError(f"{path.name}: which format it has is told by its ending: {FORMATS}")
    except (
        OSError,
        EOFError,
        UnicodeError,
        csv.Error,
        zlib.error,
        ValueError,
        RecursionError,
        ArithmeticError,
    ) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else f"it is no {kind} that can be read"
        raise ProviderError(f"{path.name} cannot be read: {why}") from None


def _opened(path: Path, *, packed: bool) -> IO[str]:
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _csv(file: IO[str]) -> Iterator[Row]:
    csv.field_size_limit(MOST_LINE)
    reader = csv.DictReader(file, strict=True)
    names: list[str] = []
    for name in reader.fieldnames or ():
        while name in names:  # a second column of a name stays, and means the same
            name += " "
        names.append(name)
    reader.fieldnames = names
    for row in reader:
        if None in row or None in row.values():
            raise ValueError("a row is longer or shorter than the head")
        yield row


def _json_lines(file: IO[str]) -> Iterator[Row]:
    while line := file.readline(MOST_LINE + 1):
        if len(line) > MOST_LINE:
            raise ValueError("a line is too long")
        if line.strip():
            yield _object(loaded(line))


def _json(file: IO[str]) -> Iterator[Row]:
    text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise ProviderError(f"a JSON file may have {MOST_BYTES // 1024**2} MiB: give JSON lines, CSV or Parquet")
    found = loaded(text)
    yield from map(_object, found if isinstance(found, list) else [found])


def loaded(text: str | bytes) -> Any:
    """Read JSON. Money is read from the text: a float would have changed it already. Raises ValueError."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _parquet(path: Path) -> Iterator[Row]:
    from pyarrow import ArrowException  # noqa: PLC0415  # an extra of ours
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=10_000):
                yield from batch.to_pylist()
    except ArrowException:
        raise ValueError("no Parquet") from None


def _object(found: Any) -> Row:
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


@lru_cache(maxsize=256)
def _keys(names: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the names of a row's columns by how they are looked for: rows of a file have the same ones."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        found[_plain(name)] = (*found.get(_plain(name), ()), name)
    return found


def _pairs(value: Any) -> Row:
    """Return what a value of names and values has, as an object, as the pairs of Parquet, or as their text in CSV."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return {str(name): each for name, each in value}
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        try:
            found = loaded(value)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
    return {}


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _refuse(constant: str) -> None:
    raise ValueError(constant)
