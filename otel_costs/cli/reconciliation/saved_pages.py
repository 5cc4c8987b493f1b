"""Saved answers: each page of a report once, and all of them. The sum of fewer or of more would be a wrong one."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from filecmp import cmp
from hashlib import sha256
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from otel_costs.cli.reconciliation.reported import ProviderError, Question

Row = Mapping[str, Any]

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def refuse_twice(paths: Sequence[Path]) -> None:
    """Raise ProviderError where two files are the same, whatever they are called."""
    for one, other in combinations(paths, 2):
        if one.stat().st_size and cmp(one, other, shallow=False):
            raise ProviderError(f"{other.name} has what {one.name} has: give each file once")


class SavedPages:
    """The pages of reports that files have."""

    def __init__(self) -> None:
        self._found_at: dict[bytes, str] = {}
        self._latest: dict[str, tuple[datetime, bool, str]] = {}
        self._linked: list[str] = []
        self._has_last_link = False

    def add(self, where: str, row: Row) -> None:
        """Add a row of a file, where it is a page. Raises ProviderError for one that was there already."""
        parts = next((row[name] for name in ("data", "value", "results") if isinstance(row.get(name), list)), None)
        if parts is None and not _is_query(row):
            return
        digest = sha256(json.dumps(row, default=str, sort_keys=True).encode()).digest()
        if (parts or _is_query(row)) and (before := self._found_at.setdefault(digest, where)) != where:
            raise ProviderError(f"{where} has what {before} has: give each page once")
        if "data" in row:
            self._add_buckets(where, row)
        elif "results" not in row:
            self._add_linked(where, row)

    def check(self, question: Question) -> None:
        """Raise ProviderError where a page that was added is followed by one that was not, of days that are asked."""
        without_anything = self._latest.get("", (_NEVER, False, ""))
        for kind, latest in self._latest.items():
            until, is_last, where = max(latest, without_anything)
            if kind and not is_last and until < question.until:
                raise ProviderError(f"{where} is not the last page (has_more): give all pages of the report")
        if self._linked and not self._has_last_link:
            raise ProviderError(f"{self._linked[-1]} is not the last page (nextLink): give all pages of the report")

    def _add_buckets(self, where: str, row: Row) -> None:
        buckets = row["data"]
        if not buckets or not isinstance(buckets[-1], dict):
            return
        kind = _kind([one for bucket in buckets for one in bucket.get("results") or []])
        until = _moment(buckets[-1].get("end_time") or buckets[-1].get("ending_at"))
        found = until, not row.get("has_more"), where
        self._latest[kind] = max(found, self._latest.get(kind, found))

    def _add_linked(self, where: str, row: Row) -> None:
        if row.get("nextLink") or (_is_query(row) and row["properties"].get("nextLink")):
            self._linked.append(where)
        else:
            self._has_last_link = True


def _is_query(row: Row) -> bool:
    found = row.get("properties")
    return isinstance(found, dict) and "rows" in found


def _kind(results: Sequence[Row]) -> str:
    """Return which report results are of: OpenAI says it, of Anthropic's two one has amounts. Of none it is ""."""
    if not results:
        return ""
    first = results[0]
    return str(first.get("object") or ("amount" if "amount" in first else "usage"))


def _moment(end: object) -> datetime:
    if end is None:
        return _NEVER
    if isinstance(end, int):
        return datetime.fromtimestamp(end, UTC)
    found = datetime.fromisoformat(str(end))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
