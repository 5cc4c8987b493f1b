"""The stand-in's Realtime: which session a socket is for, and what the next turn of it is."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from otel_costs.stand_in.exchange import Request
from otel_costs.stand_in.realtime_dialect import is_beta
from otel_costs.stand_in.realtime_session import Session
from otel_costs.stand_in.realtime_translation import Translation
from otel_costs.stand_in.realtime_turn import SCRIPTS, Turn
from otel_costs.stand_in.websocket import Socket

if TYPE_CHECKING:
    from otel_costs.stand_in.connection import Connection


class Stage:
    """What a test tells the spoken conversations, and what it sees of them.

    `sent` has every frame that a client sent, oldest first; `sessions` every session, as it was opened. `pause` waits
    for so many seconds, for a conversation that is watched.
    """

    def __init__(self, pause: Callable[[float], object]) -> None:
        self.pause = pause
        self.sessions: list[Session] = []
        self.sent: list[str | bytes] = []
        self.calls: dict[str, Session] = {}
        self._turns: list[Turn] = []
        self._taken: dict[str, int] = {}
        self._lock = threading.Lock()

    def script(self, *turns: Turn) -> None:
        """Let the next responses, of whatever session, be these."""
        with self._lock:
            self._turns.extend(turns)

    def next_turn(self, session: Session) -> Turn:
        """Return what a session's next response is: of the test's turns, of the script that it asks for, or its own."""
        with self._lock:
            if self._turns:
                return self._turns.pop(0)
            instructions = session.config.get("instructions") or ""
            for words, script in SCRIPTS.items():
                taken = self._taken.get(session.id, 0)
                if words in instructions and taken < len(script):
                    self._taken[session.id] = taken + 1
                    return script[taken]
        return Turn()


def serve(connection: "Connection", request: Request) -> None:
    """Speak with a client until it is gone."""
    stage, args = connection.provider.realtime, request.args
    named = args.get("deployment") or args.get("model") or "gpt-realtime"
    model = connection.provider.deployments.get(named, named)
    socket = Socket(connection)
    if request.path.rstrip("/").endswith("/translations"):
        _follow(stage, socket, Translation(model, socket).take)
        return
    session = stage.calls.get(args.get("call_id", ""))
    if session is None:
        session = Session(model, stage, transcribes=args.get("intent") == "transcription")
        stage.sessions.append(session)
        if "call_id" in args:
            stage.calls[args["call_id"]] = session
    session.open(socket, beta=is_beta(request.headers))
    try:
        _follow(stage, socket, session.take)
    finally:
        session.close(socket)


def _follow(stage: Stage, socket: Socket, take: Callable[[str | bytes], Any]) -> None:
    for frame in socket:
        stage.sent.append(frame)
        take(frame)
