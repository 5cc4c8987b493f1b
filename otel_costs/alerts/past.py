"""What rules would have found at moments that are past, by what the store knows now; and what it does not know."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from otel_costs.alerts import conditions, past_conditions, rules
from otel_costs.alerts.finding import Finding
from otel_costs.alerts.rules import Rule
from otel_costs.store import reports
from otel_costs.store.past_budgets import PastBudgets
from otel_costs.store.periods import calendar
from otel_costs.store.rows import Row

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

NOT_KNOWN: Final[Mapping[str, str]] = {
    rules.BUDGET: "limits that were changed or taken away since: each budget counts as it is set now",
    rules.UNPRICED_CALLS: "calls that were given a price since: the store has them as they are now",
    rules.STORE_HEALTH: "which parts of tables were set aside then: the store tells that of now alone",
    rules.RECONCILE: "differences as they were then: each counts as it was compared last, and what was resolved and"
    " came again from its last time on",
}
"""What of a rule's past the store does not know, and why, by the rule's `when`."""

_NUMBERS: Final = "which calls were missing{}: their numbers are kept as long as raw records"

_MINUTE: Final = "%Y-%m-%d %H:%M"

_LAST: Final = timedelta(milliseconds=1)
"""How long before its end a day is looked at: calls are in milliseconds."""

_WINDOWS: Final[Mapping[str, timedelta]] = {
    rules.SPEND_RATE: timedelta(hours=1),
    rules.NEW_MODEL: timedelta(days=1),
    rules.UNPRICED_CALLS: timedelta(days=1),
}
"""How far a rule looks back: looked at less often, it would miss what was between."""


class Past:
    """The store from a moment to another, looked at every `step`. All methods raise StoreError."""

    def __init__(self, client: "Client", since: datetime, until: datetime, step: timedelta) -> None:
        self._client, self._since, self._until, self._step = client, since, until, step

    def polls(self, rule: Rule) -> Iterator[tuple[datetime, list[Finding]]]:
        """Yield the moments at which a rule is checked, in order, and what it would have found."""
        if rule.when == rules.BUDGET:
            yield from self._budgets(rule)
            return
        zones = [rule.zone] if rule.when == rules.DAY_TOTAL else []
        moments = self._moments(min(self._step, _WINDOWS.get(rule.when, self._step)), zones)
        yield from past_conditions.find(self._client, rule, moments)

    def not_known(self, rule: Rule) -> str | None:
        """Return what of a rule's past the store does not know, and why; None where it knows all."""
        if rule.when != rules.MISSING_CALLS:
            return NOT_KNOWN.get(rule.when)
        known_since = reports.numbered_since(self._client)
        if known_since is None:
            return _NUMBERS.format("")
        return _NUMBERS.format(f" before {known_since:{_MINUTE}} UTC") if known_since > self._since else None

    def _budgets(self, rule: Rule) -> Iterator[tuple[datetime, list[Finding]]]:
        moments = self._moments(self._step, PastBudgets(self._client, ()).zones)
        budgets = PastBudgets(self._client, moments)
        for at in moments:
            yield (
                at,
                [_as_set(found, row, at) for row in budgets.status(at) for found in conditions.of_budgets(rule, [row])],
            )

    def _moments(self, every: timedelta, zones: Collection[str]) -> Sequence[datetime]:
        """Return when is looked: also at the end of each day of these zones, where what is summed begins anew."""
        ends = {end for zone in zones for end in self._ends_of_days(ZoneInfo(zone))}
        steps = {self._since + number * every for number in range((self._until - self._since) // every + 1)}
        return sorted(steps | ends | {self._until})

    def _ends_of_days(self, tz: ZoneInfo) -> Iterator[datetime]:
        _, _, end = calendar("day", self._since, tz)
        while end <= self._until:
            yield end - _LAST
            _, _, end = calendar("day", end, tz)


def _as_set(found: Finding, row: Row, at: datetime) -> Finding:
    """Return a finding of a budget with when it was set, where that was later."""
    later = "set" if row["since"] > at else "changed" if row["changed_at"] > at else None
    if later is None:
        return found
    when = row["since"] if later == "set" else row["changed_at"]
    return replace(found, message=f"{found.message} (the budget was {later} later: {when:{_MINUTE}} UTC)")
