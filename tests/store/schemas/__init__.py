"""The schemas of earlier versions, as they made them: what a store of that time looks like."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_FOLDER: Final = Path(__file__).parent

NAMES: Final = tuple(sorted(path.stem for path in _FOLDER.glob("*.json")))
"""Releases, and states between them at which tables changed, by day."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """The statements that a version made its tables and views with, and what it noted of them."""

    version: str
    statements: tuple[tuple[str, str, str, str], ...]

    def make(self, client: "Client", only: str | None = None) -> None:
        """Make them, or `only` those of a kind, in the current, empty database; nothing is counted by itself there."""
        for kind, name, sql, _ in self.statements:
            if only not in (None, kind):
                continue
            client.command(sql)
            if kind == "materialized view" and " refresh every " in sql:
                client.command(f"system stop view {name}")
        client.insert(
            "schema_versions",
            [(kind, name, checksum, self.version) for kind, name, _, checksum in self.statements if checksum],
            ["kind", "name", "checksum", "version"],
        )


def frozen(name: str) -> Frozen:
    """Read one of NAMES."""
    body = json.loads((_FOLDER / f"{name}.json").read_text())
    return Frozen(body["version"], tuple(map(tuple, body["statements"])))
