"""The Responses API over a WebSocket: every response on a connection is a call, the same one as over HTTP."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from otel_costs import hosts
from otel_costs.hosts import Host
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.response_streams import ResponseStreams
from otel_costs.providers.openai.routes import Route, find
from otel_costs.transports.websocket import Handshake
from otel_costs.values.json_objects import parsed

STEERED: Final = 64
"""Responses whose steering is remembered until its successor is created."""

_TYPE: Final = re.compile(r'"type"\s*:\s*"([^"\\]*)"')
_STREAM_ID: Final = re.compile(r'"stream_id"\s*:\s*"([^"\\]*)"')

_ROUTE: Final[Route] = find("post", "/responses") or Route("responses", "chat")


def match(handshake: Handshake) -> "ResponsesSocket | None":
    """Follow a socket on which responses are asked for."""
    if not handshake.path.rstrip("/").endswith("/responses"):
        return None
    return ResponsesSocket(hosts.at(handshake.host, handshake.port))


class ResponsesSocket:
    """Follows one connection. What is not needed to tell the responses apart is read later, in the background."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._streams = ResponseStreams(self._unasked, Request.start)
        self._steered: dict[str, list[Any]] = {}

    def sent(self, frame: str | bytes) -> None:
        """Start the call of each response that is asked for; raises BudgetExceeded if the session may ask for none."""
        text = as_text(frame)
        if '"response.' not in text or (body := parsed(text)) is None:
            return
        if body.get("type") == "response.steer":
            self._steer(body)
        elif body.get("type") == "response.create":
            stream_id = body.pop("stream_id", None)
            del body["type"]
            steered = self._steered.get(previous := str(body.get("previous_response_id")), [])
            request = self._request(body, steered)
            reservation = request.admitted()
            self._steered.pop(previous, None)
            self._streams.ask(stream_id, request, reservation)

    def received(self, frame: str | bytes) -> None:
        text = as_text(frame)
        kind, stream_id = _kind(text), self._stream_id(text)
        if kind == "response.steer.failed":
            steer = (parsed(text) or {}).get("steer")
            self._steered.pop(str(steer.get("previous_response_id") if isinstance(steer, Mapping) else None), None)
        elif not kind.startswith("response.steer."):
            self._streams.feed(stream_id, kind, text)

    def closed(self, error: str | None) -> None:
        self._streams.close(error)

    def _stream_id(self, text: str) -> object:
        """Return the stream_id of an event, None for the one without a name; most events name theirs once, or none."""
        found = set(_STREAM_ID.findall(text))
        if len(found) > 1 or found - self._streams.streams:
            return (parsed(text) or {}).get("stream_id")  # metadata may have a field of that name
        return found.pop() if found else None

    def _steer(self, event: Mapping[str, Any]) -> None:
        """Keep what a response is steered with: it is the input of the response that will follow it."""
        if len(self._steered) >= STEERED:
            self._steered.pop(next(iter(self._steered)))
        steering = event.get("input")
        items = steering if isinstance(steering, list) else [{"type": "message", "role": "user", "content": steering}]
        self._steered.setdefault(str(event.get("previous_response_id")), []).extend(items)

    def _request(self, body: dict[str, Any], steered: Sequence[Any] = ()) -> Request:
        if steered:
            sent = body.get("input")
            own = sent if isinstance(sent, list) else [{"type": "message", "role": "user", "content": sent or ""}]
            body["input"] = [*steered, *(own if sent else ())]
        deployment = body.get("model") if self._host.has_deployments else None
        return Request.of(_ROUTE, self._host, body, stream=True, deployment=deployment)

    def _unasked(self, response: Mapping[str, Any]) -> Request:
        """Return the request of a response that follows another by itself: it is continued as it was asked for."""
        body = {key: response[key] for key in ("model", "previous_response_id", "service_tier") if response.get(key)}
        return self._request(body, self._steered.pop(str(response.get("previous_response_id")), []))


def as_text(frame: str | bytes) -> str:
    """Return a message as text, whatever kind of frame it came in."""
    return frame if isinstance(frame, str) else frame.decode("utf-8", "replace")


def _kind(text: str) -> str:
    """Return the type of an event, which is its first field unless a proxy has sorted them."""
    found = _TYPE.search(text)
    if found is None or found[1] == "error" or found[1].startswith("response."):
        return found[1] if found else ""
    return str((parsed(text) or {}).get("type", ""))
