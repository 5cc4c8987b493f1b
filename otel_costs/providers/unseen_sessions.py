"""Spoken sessions that are started over HTTP and carried by others, over SIP or WebRTC: their usage does not pass here.

Each is recorded without a cost when it starts. A sideband, a connection on which this process observes one, sees what
is used from then on: it takes the place of that record, under its id and its time.
"""

from collections.abc import Mapping
from typing import Any, Final

from otel_costs.calls.reading import Job
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.runtime import telemetry
from otel_costs.values.recent import Recent

KEPT: Final = 10_000
"""Sessions that a process remembers for a sideband that joins; one that was forgotten stays without a cost."""

_started: Recent[tuple[str, str], int] = Recent(KEPT)


def forget() -> None:
    """Forget which sessions were started."""
    global _started
    _started = Recent(KEPT)


def started_s(provider: str, session_id: str) -> int | None:
    """Return when this process started a session, in seconds since 1970; None if it did not, or long ago."""
    return _started.get((provider, session_id))


def begun(provider: str, created_s: int, path: str, body: object, headers: Mapping[str, str]) -> Job | None:
    """Return the job of a session that was started at `path`: without a cost, until a sideband joins it.

    None if the answer does not say its id.
    """
    session_id = _session_id(path, body, headers)
    if session_id is not None:
        _started[provider, session_id] = created_s
    telemetry.warn_once(
        "realtime:unseen",
        "otel_costs does not see what a call over SIP or WebRTC uses: such calls are recorded without a cost (%s), but"
        " for those that this process joins with a sideband connection, connect(call_id=...)",
        CostReason.USAGE_NOT_VISIBLE,
    )
    return None if session_id is None else Job(session_id, False, created_s, reason=CostReason.USAGE_NOT_VISIBLE)


def _session_id(path: str, body: object, headers: Mapping[str, str]) -> str | None:
    """Return the id that the answer gives a session in its body or its `Location`, or that the path accepts it by."""
    session: Any = body.get("session") if isinstance(body, Mapping) else None
    if isinstance(session, Mapping) and isinstance(session.get("id"), str):
        return session["id"] or None
    parts = [part for part in path.split("/") if part]
    if parts[-1:] == ["accept"]:
        return parts[-2] if len(parts) > 1 else None
    located = str(headers.get("location") or "").partition("?")[0].rstrip("/")
    return located.rpartition("/")[2] or None
