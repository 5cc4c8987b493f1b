"""The manifest of a backup: what was kept, from when, and the checksum of each of its files.

It is written last, and as a whole: a backup without one is none.
"""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

from otel_costs.store.backups.sums import Sums, plain, read
from otel_costs.store.backups.tables import Table

FORMAT: Final = 1
"""Of the folder and of this file. A program reads its own and those before."""


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


def parsed(content: bytes) -> Manifest:
    """Read a manifest. Raises ManifestError."""
    try:
        body = json.loads(content)
        claimed, known = body.pop("sha256"), body.pop("format")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ManifestError("is damaged: it cannot be read") from None
    if not isinstance(known, int) or known > FORMAT:
        raise ManifestError("was written by a newer version of otel-costs: install that, or a newer one")
    if claimed != _checksum({**body, "format": known}):
        raise ManifestError("is damaged: its checksum is another one")
    stored = tuple(
        StoredTable(
            _table(one["table"]),
            tuple(StoredPart(**{**part, "blocks": tuple(part["blocks"])}) for part in one["parts"]),
        )
        for one in body.pop("tables")
    )
    return Manifest(**{**body, "tables": stored, "sums": read(body["sums"])})


def _table(fields: dict[str, Any]) -> Table:
    columns = tuple((name, kind) for name, kind in fields["columns"])
    return Table(**{**fields, "columns": columns, "materialized": tuple(fields["materialized"])})


def _checksum(body: dict[str, Any]) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
