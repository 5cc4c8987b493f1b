"""Sessions whose start a program has reported: the dimensions of their calls that name none themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from otel_costs.store.rows import rows

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class SessionStart:
    """The start of a session as it was last reported; what was not given is empty."""

    session_id: str
    user: str = ""
    kind: str = ""
    scenario: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    told_at: datetime | None = None


def find(client: "Client", session_ids: Iterable[str]) -> dict[str, SessionStart]:
    """Return the reported starts of sessions, by their ids; sessions without one are absent. Raises StoreError."""
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
