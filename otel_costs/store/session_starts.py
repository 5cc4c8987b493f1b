"""Sessions that a program has begun by telling us of them: what their calls have that do not say it themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class SessionStart:
    """A session as it was told last; empty is what it has none of."""

    session_id: str
    user: str = ""
    kind: str = ""
    scenario: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    told_at: datetime | None = None


def find(client: "Client", session_ids: Iterable[str]) -> dict[str, SessionStart]:
    """Return what was told of sessions, by their ids; those that nobody told of are not in it. Raises StoreError."""
    wanted = sorted(set(session_ids) - {""})
    if not wanted:
        return {}
    found = rows(
        client,
        "select session_id, user_id, kind, scenario, tags, told_at from begun_sessions"
        " where session_id in {ids:Array(String)}",
        {"ids": wanted},
    )
    return {
        row["session_id"]: SessionStart(
            row["session_id"], row["user_id"], row["kind"], row["scenario"], dict(row["tags"]), row["told_at"]
        )
        for row in found
    }
