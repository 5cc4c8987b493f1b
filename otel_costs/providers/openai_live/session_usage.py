"""What a Live session has used: its seconds, as the service counts them, and the bill for them.

The seconds are totals of the session, so that the largest counts. Several connections may see one session: those of a
process share its usage, and its bill has an id and a time that follow from the session, for those of other processes.
"""

import threading
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from time import time_ns
from typing import Final

from otel_costs import semconv as names
from otel_costs.calls import jobs
from otel_costs.calls.advance import Advance
from otel_costs.calls.call import derived_id
from otel_costs.calls.reading import Job, Reading
from otel_costs.calls.writer import finish
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers import unseen_sessions
from otel_costs.providers.openai_realtime.configuration import Configuration
from otel_costs.providers.openai_realtime.owner import RANDOM, Owner
from otel_costs.runtime import background, telemetry
from otel_costs.sessions.reservations import BudgetExceeded
from otel_costs.usage import Usage
from otel_costs.usage.numbers import EXACT
from otel_costs.usage.reported import read
from otel_costs.values.recent import Recent

SESSION_S: Final = 7200
"""How long a session may last: it expires so long after it began, by recordings of October 2026."""

NOTED_EVERY_S: Final = 300
"""Seconds between two notes of what was used so far: what a process that is killed may lose."""

MOST_EVENTS: Final = 1000
"""Events of a session that are remembered: how far one of its connections may be behind another."""

_UNIT: Final = "audio_seconds"

_open: dict[tuple[str, str], "SessionUsage"] = {}
_lock = threading.RLock()


@dataclass(frozen=True, slots=True, eq=False)
class SessionObserver:
    """One connection on which a session is seen."""

    owner: Owner
    configuration: Configuration
    is_primary: bool
    """Whether it started the session, which ends with it; any other came later."""


def observe(observer: SessionObserver, session_id: str) -> "SessionUsage":
    """Return the usage of a session, which `observer` sees from now on."""
    with _lock:
        found = _open.setdefault(
            (observer.owner.provider, session_id), SessionUsage(observer.owner.provider, session_id)
        )
        found.observers.append(observer)
        found.know(observer.configuration)
        return found


class SessionUsage:
    """The seconds of one session, and its observers in this process: the first of them writes what all of them see."""

    def __init__(self, provider: str, session_id: str) -> None:
        self.call_id = derived_id(provider, session_id)
        self.observers: list[SessionObserver] = []
        self._key = provider, session_id
        self._began_ns = time_ns()
        self._start_s: int | None = None
        self._reported: dict[str, Decimal] = {}
        self._unknown: tuple[str, ...] = ()
        self._invalid: tuple[str, ...] = ()
        self._played = self._next_note_s = Decimal(0)
        self._is_over = self._lost_primary = False
        self._taken: Recent[str, object] = Recent(MOST_EVENTS)
        self._advance, self._renewing = Advance(), threading.RLock()
        self._model: str | None = None
        self._expires_at: int | None = None

    def know(self, configuration: Configuration) -> None:
        """Note what an observer knows of the session; the one that writes the bill may know less."""
        self._model = configuration.model or self._model
        self._expires_at = configuration.expires_at or self._expires_at

    def pay(self, advance: Advance) -> None:
        """Adopt what was reserved for the session before it began."""
        with self._renewing:
            self._advance.end()
            self._advance = advance
        self.renew()

    def renew(self) -> BudgetExceeded | None:
        """Count the usage so far in the budgets of the leading connection; return the refusal if one is spent."""
        with self._renewing:
            owner = self.payer
            if self._is_over or owner is None:
                return None
            self._advance.renew(owner.payer(self._model), self._used() or {}, jobs.known.noted_usd(self.call_id))
            return self._advance.refusal

    @property
    def payer(self) -> Owner | None:
        """The owner of the observer that writes what all of them see; None where none is left."""
        observers = self.observers[:1]
        return observers[0].owner if observers else None

    @property
    def is_refused(self) -> bool:
        """Whether the session was not let on when that was asked last."""
        return self._advance.refusal is not None

    @property
    def seconds(self) -> Decimal:
        """How far the session has got, as far as anything tells."""
        return max(self._reported.get(_UNIT, Decimal(0)), self._played)

    def leads(self, observer: SessionObserver) -> bool:
        """Return whether `observer` is the one that writes what all of them see."""
        return self.observers[:1] == [observer]

    def takes(self, observer: SessionObserver, event_id: str | None) -> bool:
        """Return whether `observer` is to write an event, which all connections of the session receive.

        Where the observer that led has left, the next one may receive what is written already.
        """
        if not self.leads(observer):
            return False
        mark = object()
        return event_id is None or len(event_id) < RANDOM or self._taken.setdefault(event_id, mark) is mark

    def report(self, usage: object) -> bool:
        """Note the usage that is reported and return whether it has seconds. Less than before is late, or wrong."""
        found = None if usage is None else read(usage, self._key[0])
        if found is None:
            return False
        self._unknown += tuple(key for key in found.unknown if key not in self._unknown)
        refused = dict.fromkeys((*self._invalid, *found.invalid))
        # Until it is told rightly; what was cut to its whole is told, and wrong.
        self._invalid = tuple(unit for unit in refused if unit in found.invalid or unit not in found.quantities)
        if _UNIT not in found.quantities:
            return False
        for unit, quantity in found.quantities.items():
            self._reported[unit] = max(self._reported.get(unit, Decimal(0)), Decimal(quantity))
        return True

    def play(self, until_s: Decimal) -> None:
        """Note how far the session has got by its transcripts; it is billed for no less."""
        self._played = max(self._played, until_s)
        if self._played > self._advance.until_s:
            self.renew()

    def note(self, observer: SessionObserver) -> None:
        """Write now and then what was used so far. The bill takes the place of the note, when it comes."""
        # It may not be known yet when the session began; a note at another time would stay beside the bill.
        seconds = self._reported.get(_UNIT)
        if self._is_over or self._expires_at is None or seconds is None or seconds < self._next_note_s:
            return
        self._next_note_s = EXACT.add(seconds, min(seconds, Decimal(NOTED_EVERY_S)))
        self._bill(observer, self._so_far(), CostReason.SESSION_NOT_ENDED, ended=False)
        background.put(telemetry.never_raises("count a note of a session")(self.renew))

    def end(self, observer: SessionObserver, usage: object, reason: object) -> None:
        """Write the bill: the service said that the session has ended, why, and what it used."""
        if self.report(usage):
            self._bill(
                observer, Usage.of(self._reported, invalid=self._invalid, unknown=self._unknown), None, reason=reason
            )
        else:
            self._bill(observer, self._so_far(), CostReason.USAGE_NOT_REPORTED, reason=reason)

    def leave(self, observer: SessionObserver, error: str | None) -> None:
        """Note that `observer` sees no more, and write what is known if no other observer is left."""
        with _lock:
            self.observers.remove(observer)
            self._lost_primary = self._lost_primary or observer.is_primary
            goes_on = bool(self.observers)
            if not goes_on:
                _open.pop(self._key, None)
        if goes_on:
            self.renew()
            return
        if self._lost_primary:
            self._bill(observer, self._so_far(), CostReason.SOCKET_CLOSED_EARLY, error=error)
        elif (used := self._so_far()) is not None:  # it goes on without us
            self._bill(observer, used, CostReason.SESSION_NOT_ENDED, ended=False, error=error)
        self._advance.end()

    def _so_far(self) -> Usage | None:
        """Return what is known to be used; the service says it four times a minute."""
        if used := self._used():
            return Usage.of(used, invalid=self._invalid, estimated=True, unknown=self._unknown)
        return Usage({}, (_UNIT,), unknown=self._unknown) if self._invalid or self._unknown else None

    def _used(self) -> dict[str, Decimal] | None:
        return {**self._reported, _UNIT: self.seconds} if self.seconds else None

    def _bill(
        self,
        observer: SessionObserver,
        usage: Usage | None,
        why: CostReason | None,
        *,
        ended: bool = True,
        error: str | None = None,
        reason: object = None,
    ) -> None:
        with _lock:
            if self._is_over:
                return
            self._is_over = ended
            observer = self.observers[0] if self.observers else observer
        model = self._model
        if self._start_s is None:
            began_s = self._expires_at - SESSION_S if self._expires_at else self._began_ns // 1_000_000_000
            # Of a session that this process began over HTTP, the bill takes the place of the record of then.
            self._start_s = unseen_sessions.started_s(*self._key) or began_s
        call = observer.owner.call("realtime_inference", model, start_ns=self._began_ns)
        call.stop()
        if ended:
            with self._renewing:
                call.reservation, self._advance = self._advance.reservation, Advance()
        lasted_s = (time_ns() - self._began_ns) // 1_000_000_000
        found = Reading(
            usage=usage,
            model=model,
            reasons=(why,) if why else (),
            unknown=observer.owner.unknown_tools,
            error=f"websocket_{error}" if error else None,
            job=Job(
                self._key[1],
                ended,
                self._start_s,
                self._start_s + lasted_s,
                is_known=True,
                reason=why or CostReason.SESSION_NOT_ENDED,
            ),
            recorded={names.REALTIME_STATUS_REASON: reason if isinstance(reason, str) else None},
        )
        background.put(partial(finish, call, found))
