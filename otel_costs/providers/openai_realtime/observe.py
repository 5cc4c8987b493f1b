"""Realtime over a transport that no patch sees: the application brings the events, as it sends and gets them."""

import threading
from collections.abc import Mapping
from typing import Any, Literal

from otel_costs.runtime import telemetry, uninstrumented
from otel_costs.sessions.session import BudgetExceeded, Scope, Session, entered


def observe_realtime_event(
    session: Session,
    direction: Literal["server", "client"],
    event: Mapping[str, Any] | str | bytes,
    *,
    provider: str = "openai",
    model: str | None = None,
) -> None:
    """Record an event of a Realtime connection that no patch sees: over WebRTC, SIP, or another WebSocket library.

    Pass every event of one connection in order, its audio too. `direction` is `server` for an event that the service
    sent, and `client` for one that the application is about to send. `event` is a dict, an event of the SDK's, or its
    JSON. The calls belong to `session`; calls under way when it ends are recorded then. `model` is needed only where
    there is no `session.created` among the events. A response that is seen on a patched WebSocket, too, is billed once.
    Raises `BudgetExceeded` for a `response.create` of a session that has spent its budget, and nothing else.
    """
    try:
        uninstrumented.warn_without_ledger(uninstrumented.EVENTS)
        _follower(session, provider, model).take(direction, event)
    except BudgetExceeded:
        raise
    except Exception as error:  # noqa: BLE001
        telemetry.warn_once("bug:event", "otel_costs could not record a Realtime event", error=error)


class _Follower:
    """Follows the events that are brought for one session, until it ends."""

    def __init__(self, session: Session, provider: str, model: str | None) -> None:
        # An application without Realtime need not import any of it.
        from otel_costs.providers.openai_realtime.configuration import Configuration  # noqa: PLC0415
        from otel_costs.providers.openai_realtime.connection import Connection  # noqa: PLC0415
        from otel_costs.providers.openai_realtime.owner import Owner  # noqa: PLC0415

        configuration = Configuration()
        with entered(Scope(session, None)):
            self._connection = Connection(Owner(provider, model, {}, configuration), configuration)
        self._session = session
        self._process = telemetry.process
        self._lock = threading.RLock()

    @property
    def is_ours(self) -> bool:
        """Whether it is no forked copy of the parent's: its lock may be held by a thread that is not here."""
        return self._process is telemetry.process

    def take(self, direction: str, event: Any) -> None:
        """Read one event; those of several threads one after the other."""
        connection = self._connection
        with self._lock:
            if isinstance(event, str | bytes):
                (connection.sent if direction == "client" else connection.received)(event)
            elif direction == "client":
                connection.event_sent(_fields(event))
            elif direction == "server":
                connection.event_received(_fields(event))
            else:
                raise ValueError("direction is 'server' or 'client'")

    def end(self) -> None:
        """Write what is under way when the session ends."""
        with self._lock:
            self._session.follower = None
            self._connection.closed(None)


def _follower(session: Session, provider: str, model: str | None) -> _Follower:
    found = session.follower
    if not isinstance(found, _Follower) or not found.is_ours:
        found = session.follower = _Follower(session, provider, model)
        session.before_end(telemetry.never_raises("end a Realtime session")(found.end))
    return found


def _fields(event: Any) -> Mapping[str, Any]:
    if isinstance(event, Mapping):
        return event
    fields = event.model_dump(exclude_unset=True)
    return fields if isinstance(fields, Mapping) else {}
