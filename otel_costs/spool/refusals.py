"""What a collector refused, kept for people: to be looked at, sent again, or dropped.

A line of JSON for each record: when it was refused (`at`), the collector's `reason`, and the OTLP `request` in base64.
What takes records out of the file moves it away first, so that a process that appends meanwhile loses nothing.
"""

import base64
import binascii
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from otel_costs.spool import delivery
from otel_costs.spool.delivery import Refused

NAME: Final = "refused.jsonl"
LIMIT_BYTES: Final = 16 * 2**20

_ALL: Final = "refused*.jsonl"
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Refusal:
    """One record that was refused: `at` (ISO 8601, UTC), the collector's words, the OTLP request with that record."""

    at: str
    reason: str
    request: bytes


def put_aside(root: Path, refused: Sequence[Refused]) -> int:
    """Append what was refused to the file below `root`; return how much of it is there, the limit is 16 MiB."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return _append(root, [Refusal(at, found.reason, found.entry) for found in refused])


def read(root: Path) -> list[Refusal]:
    """Return what was refused, the oldest first; a line that is damaged is left out."""
    return [found for path in sorted(root.glob(_ALL)) for found in _lines(path)]


def resend(root: Path, send: delivery.Send) -> tuple[int, int]:
    """Send again what was refused; return how many records were taken, and how many are refused again.

    Raises UnavailableError if the collector is not there; then all that was not taken is kept.
    """
    taken = refused = 0
    for path in _moved(root):
        pending = list(_lines(path))
        try:
            while pending:
                sent = pending[:_AT_ONCE]
                reasons = dict(delivery.send_each(send, [refusal.request for refusal in sent]))
                del pending[:_AT_ONCE]
                again = [replace(one, reason=reasons[one.request]) for one in sent if one.request in reasons]
                _append(root, again, limited=False)
                taken, refused = taken + len(sent) - len(again), refused + len(again)
        finally:
            _append(root, pending, limited=False)
            path.unlink()
    return taken, refused


def drop(root: Path) -> int:
    """Delete what was refused, and return how many records that were."""
    dropped = 0
    for path in _moved(root):
        dropped += sum(1 for _ in _lines(path))
        path.unlink()
    return dropped


def _moved(root: Path) -> Iterator[Path]:
    for path in sorted(root.glob(_ALL)):
        moved = root / f"refused-{uuid.uuid4().hex}.jsonl"
        path.rename(moved)
        yield moved


def _append(root: Path, found: Sequence[Refusal], *, limited: bool = True) -> int:
    if not found:
        return 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(root / NAME, flags, 0o600)
    kept = 0
    try:
        for refusal in found:
            if limited and os.fstat(file).st_size >= LIMIT_BYTES:
                break
            request = base64.b64encode(refusal.request).decode()
            line = json.dumps({"at": refusal.at, "reason": refusal.reason, "request": request})
            os.write(file, line.encode() + b"\n")
            kept += 1
    finally:
        os.close(file)
    return kept


def _lines(path: Path) -> Iterator[Refusal]:
    with path.open("rb") as file:
        for line in file:
            try:
                found = json.loads(line)
                yield Refusal(str(found["at"]), str(found["reason"]), base64.b64decode(found["request"], validate=True))
            except (ValueError, KeyError, TypeError, binascii.Error):
                continue
