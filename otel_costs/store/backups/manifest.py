"""The manifest of a backup: what was kept, from when, and the checksum of each of its files.

It is written last, and as a whole: a backup without one is none.
"""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from otel_costs.store.backups.sums import Sums, plain, read
from otel_costs.store.backups.tables import Table
from otel_costs.store.connection import StoreError

FORMAT: Final = 1
"""Of the folder and of this file. A program reads its own and those before."""

_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4,16}")
_CHECKSUM: Final = re.compile(r"[0-9a-f]{32,64}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*", re.ASCII)


class ManifestError(ValueError):
    """A manifest that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part as it is kept: its checksum in the store, the name of its file, and the bytes of each block in it."""

    key: str
    rows: int
    file: str
    blocks: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(self.blocks)


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table with its parts."""

    table: Table
    parts: tuple[StoredPart, ...]

    @property
    def rows(self) -> int:
        """Rows, those that are stored several times included."""
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup: `created_at` is the moment (ISO 8601, UTC) that it is of, `version` the one of otel_costs."""

    id: str
    created_at: str
    version: str
    source: str
    retention: dict[str, int]
    tables: tuple[StoredTable, ...]
    sums: Sums

    @property
    def size(self) -> int:
        """Bytes of its files, those that it shares with other backups included."""
        return sum({part.file: part.size for one in self.tables for part in one.parts}.values())


def written(manifest: Manifest) -> bytes:
    """Write a manifest, with its own checksum."""
    body = {**asdict(manifest), "format": FORMAT, "sums": plain(manifest.sums)}
    return json.dumps({**body, "sha256": _checksum(body)}, indent=1).encode()


def parsed(content: bytes, name: str) -> Manifest:
    """Read the manifest of the backup `name`. Raises ManifestError, whatever it is that is there."""
    try:
        body = json.loads(content)
        claimed, known = body.pop("sha256"), body.pop("format")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ManifestError("is damaged: it cannot be read") from None
    if not isinstance(known, int) or known > FORMAT:
        raise ManifestError("was written by a newer version of otel-costs: install that, or a newer one")
    try:
        if claimed != _checksum({**body, "format": known}):
            raise ManifestError("is damaged: its checksum is another one")
        found = _manifest(body)
        datetime.fromisoformat(found.created_at)
    except (StoreError, KeyError, TypeError, AttributeError, ArithmeticError, ValueError, RecursionError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"is none that was written by otel-costs: {type(error).__name__}") from None
    if found.id != name or not _ID.fullmatch(name):
        raise ManifestError("is the one of another backup: its name was changed")
    return found


def _manifest(body: dict[str, Any]) -> Manifest:
    stored = tuple(StoredTable(_table(one["table"]), tuple(map(_part, one["parts"]))) for one in body["tables"])
    _are(str, body["id"], body["created_at"], body["version"], body["source"], *body["retention"])
    _are(int, *body["retention"].values())
    return Manifest(**{**body, "tables": stored, "sums": read(body["sums"])})


def _table(fields: dict[str, Any]) -> Table:
    columns = tuple((name, kind) for name, kind in fields["columns"])
    _are(str, fields["name"], fields["definition"], *(text for column in columns for text in column))
    _match(_NAME, fields["name"])
    _match(_COLUMN, *(name for name, _ in columns), *fields["materialized"])
    return Table(**{**fields, "columns": columns, "materialized": tuple(fields["materialized"])})


def _part(fields: dict[str, Any]) -> StoredPart:
    _match(_CHECKSUM, fields["key"], fields["file"])
    _are(int, fields["rows"], *fields["blocks"])
    if min(fields["rows"], *fields["blocks"], 1) < 0:
        raise ValueError("less than nothing")
    return StoredPart(**{**fields, "blocks": tuple(fields["blocks"])})


def _are(kind: type, *values: object) -> None:
    if any(not isinstance(value, kind) or isinstance(value, bool) for value in values):
        raise TypeError(f"not all are {kind.__name__}")


def _match(pattern: re.Pattern[str], *values: str) -> None:
    if not all(pattern.fullmatch(value) for value in values):
        raise ValueError("not all are names")


def _checksum(body: dict[str, Any]) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
