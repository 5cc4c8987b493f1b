"""What lies in the folder of a spool: records that wait, records that were refused, segments with damage."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from otel_costs.spool import refusals, segments

WAITING: Final = "waiting"
REFUSED: Final = "refused"
DAMAGED: Final = "damaged"


@dataclass(frozen=True, slots=True)
class Lot:
    """Records that are in the same state, of one process or refused for one reason."""

    state: str
    """waiting | refused | damaged"""
    records: int
    bytes: int
    since: str
    """ISO 8601, UTC."""
    detail: str
    """Of what waits, whether its process runs; of a refusal the collector's reason; of damage the file."""


def of(root: Path) -> Iterator[Lot]:
    """Yield what lies below `root`, in the order of the states; nothing where there is no such folder."""
    for folder in sorted(root.glob(f"{segments.PREFIX}*")):
        yield from _waiting(folder)
    by_reason = sorted(refusals.read(root), key=lambda found: (found.reason, found.at))
    for reason, group in groupby(by_reason, key=lambda found: found.reason):
        found = list(group)
        yield Lot(REFUSED, len(found), sum(len(one.request) for one in found), found[0].at, reason)
    for path in segments.damaged_copies(root):
        size = path.stat().st_size
        yield Lot(DAMAGED, segments.read(path, 0, size).damaged, size, _changed(path), str(path))


def drop_damaged(root: Path) -> int:
    """Delete the copies of damaged segments, and the folders that are empty then; return how many copies there were."""
    found = segments.damaged_copies(root)
    for path in found:
        path.unlink()
    for left in segments.left(root):
        left.close()  # deletes a folder in which nothing lies
    return len(found)


def _waiting(folder: Path) -> Iterator[Lot]:
    records = size = 0
    changed: list[str] = []
    for segment in segments.segments(folder):
        with suppress(FileNotFoundError):  # its process has sent all of it meanwhile
            start, limit = segments.sent(segment), segment.stat().st_size
            records += len(segments.read(segment, start, limit).entries)
            size += limit - start
            changed.append(_changed(segment))
    if records:
        detail = "its process runs" if segments.is_in_use(folder) else "its process is gone"
        yield Lot(WAITING, records, size, changed[0], detail)


def _changed(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
