"""A dry run: what rules would have sent over a time that is past."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from otel_costs.alerts.past import Past
from otel_costs.alerts.rules import Rule, Rules
from otel_costs.alerts.runner import changes
from otel_costs.alerts.state import Event

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Unknown:
    """What of a rule's past the store does not know, and why."""

    rule: str
    reason: str


def would_have_sent(
    client: "Client", rules: Rules, since: datetime, until: datetime, step: timedelta
) -> tuple[list[Event], list[Unknown]]:
    """Return the events from a moment to another, looked at every `step`, in order; and what of them is not known.

    Raises StoreError.
    """
    past = Past(client, since, until, step)
    events = [event for rule in rules.rules for event in _events(past, rule, step)]
    unknown = [Unknown(rule.name, reason) for rule in rules.rules if (reason := past.not_known(rule))]
    return sorted(events, key=lambda event: event.began_at), unknown


def _events(past: Past, rule: Rule, step: timedelta) -> list[Event]:
    # What ran between two looks counts at the later one.
    lasting = replace(rule, active=max(rule.active, step))
    events: dict[str, Event] = {}
    for at, found in past.polls(lasting):
        events |= {event.id: event for event in changes(rule, found, events.values(), at)}
    return list(events.values())
