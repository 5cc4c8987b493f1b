"""Rules as files, and a second opinion on them: plain Python that says whose a call is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from otel_costs.chargeback import rules_file
from otel_costs.chargeback.rules import Allocation
from tests.queries.ledger import LogRow, call

NOW = datetime.now(UTC).replace(microsecond=0)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def written(folder: Path, content: object) -> Path:
    """Write rules into a file."""
    path = folder / "allocation.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return path


def allocation(folder: Path, content: object) -> Allocation:
    """Return the rules as they are read."""
    return rules_file.read(written(folder, content))


@dataclass(frozen=True)
class Call:
    """A call as it was recorded, and what plain Python says of it."""

    end: datetime
    usd: Decimal | None = Decimal("0.001")
    service: str = "shop"
    user: str = ""
    model: str = "gpt-4o"
    scenario: str = ""
    operation: str = "chat"
    tags: Mapping[str, str] = field(default_factory=dict)
    session: str = ""

    def record(self) -> LogRow:
        """Return its record."""
        more: dict[str, Any] = {
            "gen_ai.response.model": self.model,
            "gen_ai.operation.name": self.operation,
            "otel_costs.scenario": self.scenario,
            "otel_costs.start_time_unix_nano": (self.end - EPOCH) // timedelta(microseconds=1) * 1000,
            **{f"otel_costs.tag.{name}": value for name, value in self.tags.items()},
        }
        cost = None if self.usd is None else str(self.usd)
        made = call(self.end, cost=cost, user=self.user, session=self.session, lasted=0, **more)
        return {**made, "ServiceName": self.service}

    def team(self, rules: Sequence[Mapping[str, Any]]) -> str:
        """Return whose it is by rules as they are written, with days in UTC."""
        if self.tags.get("team"):
            return self.tags["team"]
        for rule in rules:
            if self._fits(rule):
                return str(rule["assign"])
        return ""

    def _fits(self, rule: Mapping[str, Any]) -> bool:
        day = self.end.date().isoformat()
        if not str(rule.get("from", "")) <= day <= str(rule.get("until", "9")):
            return False
        for name, asked in rule.items():
            if name in ("assign", "from", "until"):
                continue
            value = self.tags.get(name.removeprefix("tag."), "") if name.startswith("tag.") else getattr(self, name)
            patterns = asked if isinstance(asked, list) else [asked]
            if not any(fnmatchcase(value, one) if "*" in one else value == one for one in patterns):
                return False
        return True


def usd(calls: Sequence[Call]) -> Decimal:
    """Return the sum of what has a price."""
    return sum((one.usd for one in calls if one.usd is not None), Decimal())


def spent_by_team(rows: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return what rows of FOCUS cost by the tag `team`, nobody's under an empty name."""
    found: dict[str, Decimal] = {}
    for row in rows:
        team = json.loads(row["Tags"] or "{}").get("team", "")
        found[team] = found.get(team, Decimal()) + row["EffectiveCost"]
    return found
