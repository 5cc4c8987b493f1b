"""The stand-in's Live: sessions that a test, or their own clock of audio, lets go on; several sockets may see one."""

import base64
import json
import math
import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from otel_costs.stand_in.exchange import Json, RefusedError, Request, error_body, new_id, now
from otel_costs.stand_in.websocket import Socket

if TYPE_CHECKING:
    from otel_costs.stand_in.connection import Connection
    from otel_costs.stand_in.provider import Provider

LASTS_S = 7200
_REPORTS_EVERY_S = 15
_PATH = re.compile(r"/live/sessions/([^/]+)/(attach|fork)/?$")
_ACKNOWLEDGED = {
    "session.instructions.append": "session.instructions.appended",
    "session.thinking.append": "session.thinking.appended",
    "session.commentary.append": "session.commentary.appended",
    "session.input_audio.mute": "session.input_audio.muted",
    "session.input_audio.unmute": "session.input_audio.unmuted",
}
_SILENT = {"response.item.create", "response.create", "decision.create"}

_sessions: "WeakKeyDictionary[Provider, dict[str, LiveSession]]" = WeakKeyDictionary()


def sessions(provider: "Provider") -> "list[LiveSession]":
    """Return the sessions that were started, oldest first."""
    return list(_sessions.get(provider, {}).values())


def serve(connection: "Connection", request: Request) -> None:
    """Speak with a client until it is gone."""
    known = _sessions.setdefault(connection.provider, {})
    path = _PATH.search(request.path)
    if path is not None and path[1] not in known:
        raise RefusedError(404, f"No live session found with id '{path[1]}'.", param="session_id")
    socket = Socket(connection)
    session = known[path[1]] if path is not None and path[2] == "attach" else None
    if session is not None:
        session.attach(socket)
    for frame in socket:
        event = _parsed(frame)
        if session is not None:
            session.take(socket, event)
        elif event.get("type") == "session.start" and (path or event.get("session", {}).get("model")):
            config = {**(known[path[1]].config if path else {}), **event["session"]}
            session = LiveSession(config, socket)
            known[session.id] = session
            session.start()
        else:
            _refuse(socket, "The first event must be session.start, with a model.")
            socket.close(1008)
    if session is not None:
        session.left_by(socket)


class LiveSession:
    """One session: its configuration, its audio so far, and the sockets that see it."""

    def __init__(self, config: Json, primary: Socket) -> None:
        self.id = new_id("live_")
        self.config = {**config, "id": self.id, "expires_at": now() + LASTS_S, "status": "active"}
        self.config.setdefault("audio", {}).setdefault("format", {"type": "audio/pcm", "rate": 24000})
        self.received: list[Json] = []
        """What the clients sent, but for audio."""
        self.attached = threading.Semaphore(0)
        """Released for each socket that observes it: from then on it is told everything."""
        self._primary = primary
        self._sides: list[Socket] = []
        self._seconds = self._reported = 0.0
        self._lock = threading.RLock()

    def start(self) -> None:
        self.send({"type": "session.started", "session": self.config})

    def send(self, *events: Json) -> None:
        """Send events to all sockets of the session."""
        with self._lock:
            for event in events:
                sent = {"event_id": new_id("event_", 20), **event}
                for socket in (self._primary, *self._sides):
                    socket.send(sent)

    def use(self, seconds: Any) -> None:
        """Report what was used so far."""
        self.send({"type": "session.usage.updated", "usage": {"seconds": seconds}})

    def close(self, seconds: Any = None, reason: str = "close_requested") -> None:
        """End the session, as the service does."""
        usage = {"seconds": math.ceil(self._seconds) if seconds is None else seconds}
        self.send({"type": "session.closed", "reason": reason, "session": self.config, "usage": usage})
        with self._lock:
            for socket in (self._primary, *self._sides):
                socket.close()

    def drop(self) -> None:
        """Cut every connection without a word."""
        for socket in (self._primary, *self._sides):
            socket.drop()

    def attach(self, socket: Socket) -> None:
        with self._lock:
            self._sides.append(socket)
        self.attached.release()

    def left_by(self, socket: Socket) -> None:
        with self._lock:
            if socket in self._sides:
                self._sides.remove(socket)

    def take(self, socket: Socket, event: Json) -> None:
        """Read an event of a client's."""
        kind = event.get("type")
        if kind == "session.input_audio.append":
            self._hear(event)
            return
        self.received.append(event)
        if kind == "session.close":
            self.close()
        elif kind == "session.update":
            self.send({"type": "session.updated", "session": self.config})
        elif kind in _ACKNOWLEDGED:
            at_ms = int(self._seconds * 1000)
            asked = {"client_event_id": event["event_id"]} if event.get("event_id") else {}
            self.send({"type": _ACKNOWLEDGED[kind], "start_ms": at_ms, "end_ms": at_ms, **asked})
        elif kind not in _SILENT:
            _refuse(socket, f"Unknown event type: {kind!r}.")

    def _hear(self, event: Json) -> None:
        """Go on by the audio that is heard: the model's is as long as it, silent or not."""
        sound = base64.b64decode(event["audio"])
        form = self.config["audio"]["format"]
        self._seconds += len(sound) / (form["rate"] * (2 if form["type"] == "audio/pcm" else 1))
        with self._lock:
            for side in self._sides:
                side.send({"type": "session.input_audio.append", "audio": event["audio"]})
        self.send({"type": "session.output_audio.delta", "delta": event["audio"]})
        if self._seconds - self._reported >= _REPORTS_EVERY_S:
            self._reported = self._seconds
            self.use(math.ceil(self._seconds))


def transcript(role: str, text: str, start_ms: int, *, word_ms: int = 250) -> Iterator[Json]:
    """Yield the pieces of what a role says: words, one after the other."""
    kind = f"session.{'input' if role == 'user' else 'output'}_transcript.delta"
    for number, word in enumerate(text.split(" ")):
        begin = start_ms + number * word_ms
        yield {
            "type": kind,
            "delta": word if number == 0 else f" {word}",
            "start_ms": begin,
            "end_ms": begin + word_ms,
        }


def delegated(delegation_id: str, events: Any) -> Iterator[Json]:
    """Yield the events of a response of the backend, whose snapshots are made small, as the service makes them."""
    for event in events:
        inner = dict(event.data)
        if isinstance(inner.get("response"), dict):
            inner["response"] = {**inner["response"], "instructions": None, "tools": [], "output": []}
        yield {"type": "response.event", "delegation_id": delegation_id, "event": inner}


def _parsed(frame: str | bytes) -> Json:
    try:
        event = json.loads(frame)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _refuse(socket: Socket, message: str) -> None:
    socket.send({"type": "error", "event_id": new_id("event_", 20), **error_body(400, message)})
