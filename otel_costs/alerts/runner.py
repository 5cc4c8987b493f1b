"""The runner: polls the store by its rules, notes what began and ended, and has messages of it sent."""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from otel_costs.alerts import conditions, state
from otel_costs.alerts import rules as rules_of
from otel_costs.alerts.delivery import Delivery
from otel_costs.alerts.finding import Finding
from otel_costs.alerts.rules import Rule, Rules, RulesError
from otel_costs.alerts.state import Event, State
from otel_costs.store import StoreError, live

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_logger: Final = logging.getLogger("otel_costs.alerts")

EVERY_S: Final = 60.0
"""Seconds between polls."""

IN_A_ROW: Final = 2
"""Messages that a receiver does not take, one after the other, until it is left alone for the rest of a poll."""

FIRST_RETRY: Final = timedelta(seconds=30)
LAST_RETRY: Final = timedelta(minutes=15)


class Runner:
    """Rules over a store. `reader` reads reports, `writer` reads and writes `alerts`; the same where one may do both.

    Beside `rules`, which are of a file, those count that stand in the store under other names.
    `clock` is the store's own, where none is given.
    """

    def __init__(
        self,
        reader: "Client",
        writer: "Client",
        rules: Rules,
        delivery: Delivery,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        watched = {"receivers": list(delivery.names), "rules": [rules_of.fields_of(rule) for rule in rules.rules]}
        self._reader, self._rules, self._delivery = reader, rules, delivery
        self._state = State(writer, json.dumps(watched))
        self._unread: set[str] = set()
        self._clock = clock or (lambda: live.now(reader))
        self._sender = secrets.token_hex(8)

    def poll(self) -> bool:
        """Poll once, and send what is due; False where another program sends. Raises StoreError."""
        at = self._clock()
        if not self._state.sends(self._sender, at):
            return False
        events = self._state.events()
        rules = self._in_force(events, at)
        for rule in rules.values():
            self._keep(rule, events, at)
        self._deliver(at, rules)
        return True

    def _keep(self, rule: Rule, events: Iterable[Event], at: datetime) -> None:
        """Note what a rule has found. One that fails does not keep the others from being sent."""
        try:
            found = conditions.find(self._reader, rule, at)
        except Exception as error:  # noqa: BLE001  # of the store, or of ours: alerts go on
            if rule.name not in self._unread:
                problem = error if isinstance(error, StoreError) else type(error).__name__
                _logger.warning("alerts: the rule %r could not be looked at: %s", rule.name, problem)
            self._unread.add(rule.name)
            return
        self._unread.discard(rule.name)
        for event in changes(rule, found, events, at):
            self._state.write(event)

    def run(self, every_s: float, stop: threading.Event) -> None:
        """Poll every so many seconds until `stop`; a store that does not answer is asked again."""
        failing = False
        while not stop.is_set():
            try:
                self.poll()
                failing = False
            except StoreError as error:
                if not failing:
                    _logger.warning("alerts: %s", error)
                failing = True
            stop.wait(every_s)
        self.leave()

    def leave(self) -> None:
        """Let another program send, from now on."""
        try:
            self._state.leave(self._sender)
        except StoreError:
            _logger.info("alerts: the store does not answer; another program sends in %s", state.LEASE)

    def _in_force(self, events: Iterable[Event], at: datetime) -> dict[str, Rule]:
        """Return the rules by their names. What a removed rule has found ends without a message."""
        found = {rule.name: rule for rule in self._rules.rules}
        gone = set()
        for name, definition in self._state.rules().items():
            if name in found:
                continue
            try:
                if definition:
                    found[name] = rules_of.read_one(definition)
                else:
                    gone.add(name)
            except RulesError as error:
                if name not in self._unread:
                    _logger.warning("alerts: the rule %r of the store is left out: %s", name, error)
                self._unread.add(name)
        for event in events:
            if event.rule in gone and event.ended_at is None:
                self._state.write(state.ended(event, at))
                self._state.acknowledge(event.id)
        return found

    def _wanted(self, rule: Rule) -> tuple[str, ...]:
        """Return the receivers of a rule: those that it names; all where it names none that is there."""
        names = self._delivery.names
        return tuple(name for name in rule.to if name in names) or names

    def _deliver(self, at: datetime, rules: Mapping[str, Rule]) -> None:
        acknowledged, silenced = self._state.acknowledged(), self._state.silenced(at)
        failures: dict[str, int] = {}
        for event in reversed(self._state.events()):
            if event.rule not in rules or event.id in acknowledged or event.next_at > at:
                continue
            wanted = self._wanted(rules[event.rule])
            if not _due(event, wanted):
                continue
            if {"", event.rule, event.id} & silenced.keys():
                if event.ended_at and not event.sent_to:  # it began and ended in silence: nothing is sent of it
                    self._state.acknowledge(event.id)
                continue
            if not self._state.sends(self._sender, self._clock()):
                return
            sent = self._sent(event, wanted, at, failures)
            if sent != event:
                self._state.write(sent)

    def _sent(self, event: Event, wanted: Iterable[str], at: datetime, failures: dict[str, int]) -> Event:
        """Send what is due of an event; return it with its receivers so far, and when the others are tried again.

        `failures` are those in a row of each receiver in this poll: one that takes nothing keeps no other waiting.
        """
        failed = False
        for receiver in wanted:
            if failures.get(receiver, 0) >= IN_A_ROW:
                continue
            before, event = event, self._sent_to(receiver, event)
            if _due(event, (receiver,)):
                failures[receiver], failed = failures.get(receiver, 0) + 1, True
            elif event != before:
                failures[receiver] = 0
        if not failed:
            return event if _due(event, wanted) else replace(event, attempts=0)
        wait = min(FIRST_RETRY * 2 ** min(event.attempts, 10), LAST_RETRY)
        return replace(event, attempts=event.attempts + 1, next_at=at + wait)

    def _sent_to(self, receiver: str, event: Event) -> Event:
        """Send what is due of an event to a receiver; return it with what that took."""
        if receiver not in event.sent_to:
            if not self._delivery.send(receiver, event.message, ended=False):
                return event
            event = replace(event, sent_to=(*event.sent_to, receiver))
        tells_end = event.ended_at is not None and event.tells_end and receiver not in event.end_sent_to
        if tells_end and self._delivery.send(receiver, f"ended: {event.message}", ended=True):
            event = replace(event, end_sent_to=(*event.end_sent_to, receiver))
        return event


def changes(rule: Rule, findings: Iterable[Finding], events: Iterable[Event], at: datetime) -> list[Event]:
    """Return the events of a rule that begin or end when it finds this: once each, however often it is found."""
    of_rule = [event for event in events if event.rule == rule.name]
    lasting = {event.subject: event for event in of_rule if event.ended_at is None}
    known = {event.subject for event in of_rule}
    found = {one.subject: one for one in findings}
    begun = [
        Event(rule.name, one.subject, one.message, at, one.user_id, one.session_id, None, one.tells_end)
        for subject, one in found.items()
        if subject not in lasting and not (one.once and subject in known)
    ]
    if conditions.is_cut(rule, found):  # what is not there may last all the same
        return begun
    return begun + [state.ended(event, at) for subject, event in lasting.items() if subject not in found]


def _due(event: Event, wanted: Iterable[str]) -> bool:
    ends = event.ended_at is not None and event.tells_end
    return any(one not in event.sent_to or (ends and one not in event.end_sent_to) for one in wanted)
