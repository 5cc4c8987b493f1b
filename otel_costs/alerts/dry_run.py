"""A dry run: what rules would have sent over a time that is past."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from otel_costs.alerts import conditions
from otel_costs.alerts.rules import Rules
from otel_costs.alerts.runner import changes
from otel_costs.alerts.state import Event

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def would_have_sent(client: "Client", rules: Rules, since: datetime, until: datetime, step: timedelta) -> list[Event]:
    """Return the events from a moment to another, looked at every `step`. Raises StoreError.

    Of rules in conditions.NOW_ONLY nothing: the store keeps no past of what they read.
    """
    events: dict[str, Event] = {}
    # What ran between two looks counts at the later one.
    looked = [replace(rule, active=max(rule.active, step)) for rule in rules.rules]
    at = since
    while at <= until:
        for rule in looked:
            if rule.when not in conditions.NOW_ONLY:
                found = conditions.find(client, rule, at)
                events |= {event.id: event for event in changes(rule, found, events.values(), at)}
        at += step
    return list(events.values())
