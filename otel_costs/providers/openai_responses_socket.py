"""The Responses API over a WebSocket: every response on a connection is a call, the same one as over HTTP."""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import time_ns
from typing import Any, Final

from otel_costs import outbox
from otel_costs.call import Call
from otel_costs.providers import hosts
from otel_costs.providers.hosts import Host
from otel_costs.providers.openai import answer as openai_answer
from otel_costs.providers.openai import calls
from otel_costs.providers.openai.folds import ResponsesFold
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.routes import Endpoint, find
from otel_costs.providers.server_events import parsed
from otel_costs.sockets import Handshake

KEPT: Final = 4 * 1024 * 1024
"""Characters of a response's pieces that are kept until its last event; they matter only if that never comes."""

STEERED: Final = 64
"""Responses whose steering is remembered until its successor is created."""

LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_PIECES: Final = frozenset({"response.output_text.delta", "response.output_item.done"})
_TYPE: Final = re.compile(r'"type"\s*:\s*"([^"\\]*)"')
_LANE: Final = re.compile(r'"stream_id"\s*:\s*"([^"\\]*)"')

_ENDPOINT: Final[Endpoint] = find("post", "/responses") or Endpoint("responses", "chat")


def claim(handshake: Handshake) -> "ResponsesSocket | None":
    """Follow a socket on which responses are asked for."""
    if not handshake.path.rstrip("/").endswith("/responses"):
        return None
    return ResponsesSocket(hosts.at(handshake.host, handshake.port))


class ResponsesSocket:
    """Follows one connection. What is not needed to tell the responses apart is read later, in the outbox."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._responses = Responses(self._unasked)
        self._steered: dict[str, list[Any]] = {}

    def sent(self, frame: str | bytes) -> None:
        """Start the call of each response that is asked for; raises BudgetExceeded if the session may ask for none."""
        text = as_text(frame)
        if '"response.' not in text or (body := parsed(text)) is None:
            return
        if body.get("type") == "response.steer":
            self._steer(body)
        elif body.get("type") == "response.create":
            calls.check_budget()
            lane = body.pop("stream_id", None)
            del body["type"]
            self._responses.ask(lane, self._request(body, self._steered.pop(str(body.get("previous_response_id")), [])))

    def received(self, frame: str | bytes) -> None:
        text = as_text(frame)
        kind, lane = _kind(text), self._lane(text)
        if kind == "response.steer.failed":
            steer = (parsed(text) or {}).get("steer")
            self._steered.pop(str(steer.get("previous_response_id") if isinstance(steer, Mapping) else None), None)
        elif not kind.startswith("response.steer."):
            self._responses.tell(lane, kind, text)

    def closed(self, error: str | None) -> None:
        self._responses.close(error)

    def _lane(self, text: str) -> object:
        """Return the lane of an event, None for the one without a name; most events name theirs once, or none."""
        found = set(_LANE.findall(text))
        if len(found) > 1 or found - self._responses.lanes:
            return (parsed(text) or {}).get("stream_id")  # metadata may have a field of that name
        return found.pop() if found else None

    def _steer(self, event: Mapping[str, Any]) -> None:
        """Keep what a response is steered with: it is the input of the response that will follow it."""
        if len(self._steered) >= STEERED:
            self._steered.pop(next(iter(self._steered)))
        said = event.get("input")
        items = said if isinstance(said, list) else [{"type": "message", "role": "user", "content": said}]
        self._steered.setdefault(str(event.get("previous_response_id")), []).extend(items)

    def _request(self, body: dict[str, Any], steered: Sequence[Any] = ()) -> Request:
        if steered:
            said = body.get("input")
            own = said if isinstance(said, list) else [{"type": "message", "role": "user", "content": said or ""}]
            body["input"] = [*steered, *(own if said else ())]
        deployment = body.get("model") if self._host.has_deployments else None
        return Request(_ENDPOINT, self._host, body, True, deployment, time_ns())

    def _unasked(self, response: Mapping[str, Any]) -> Request:
        """Return the request of a response that follows another by itself: it is continued as it was asked for."""
        body = {key: response[key] for key in ("model", "previous_response_id", "service_tier") if response.get(key)}
        return self._request(body, self._steered.pop(str(response.get("previous_response_id")), []))


class Responses:
    """The responses on one connection, by lane: in each they come one after the other, in the order they are asked for.

    `unasked` returns the request of a response that nobody asked for, from the first that is known of it.
    """

    def __init__(self, unasked: Callable[[Mapping[str, Any]], Request]) -> None:
        self._unasked = unasked
        self._asked: dict[object, deque[_Response]] = {}
        self._begun: dict[object, _Response] = {}

    @property
    def lanes(self) -> set[object]:
        """The lanes on which something is asked for or under way."""
        return {*self._asked, *self._begun}

    def ask(self, lane: object, request: Request) -> None:
        """Start the call of a response that is asked for."""
        call = calls.start(request)
        openai_answer.read_inputs(call, request)
        self._asked.setdefault(lane, deque()).append(_Response(call, request))

    def tell(self, lane: object, kind: str, data: str) -> None:
        """Take an event of a lane."""
        if kind == "response.created":
            self._finish(lane, None)  # its last event never came
            begun = self._begun[lane] = self._next(lane) or self._start(data)
            begun.take(kind, data)
        elif kind in LAST:
            if lane not in self._begun:
                self._begun[lane] = self._next(lane) or self._start(data)
            self._begun[lane].take(kind, data)
            self._finish(lane, None)
        elif kind == "error":
            self._fail(lane, data)
        elif (response := self._begun.get(lane)) is not None:
            response.take(kind, data)

    def close(self, error: str | None) -> None:
        """Finish what will not be answered any more; `error` is the kind of error that closed the connection."""
        for lane in list(self._begun):
            self._finish(lane, error)
        for waiting in self._asked.values():
            for response in waiting:
                response.finish(error)
        self._asked.clear()

    def _start(self, data: str) -> "_Response":
        said = (parsed(data) or {}).get("response")
        request = self._unasked(said if isinstance(said, Mapping) else {})
        call = calls.start(request)
        openai_answer.read_inputs(call, request)
        return _Response(call, request)

    def _next(self, lane: object) -> "_Response | None":
        waiting = self._asked.get(lane)
        if not waiting:
            return None
        response = waiting.popleft()
        if not waiting:
            del self._asked[lane]
        return response

    def _finish(self, lane: object, error: str | None) -> None:
        if (response := self._begun.pop(lane, None)) is not None:
            response.finish(error)

    def _fail(self, lane: object, data: str) -> None:
        """Take an error: of the response that is under way, or of the one that is asked for and will not begin."""
        event, lanes = parsed(data) or {}, self.lanes
        if lane not in lanes and len(lanes) == 1:
            (lane,) = lanes  # a request that is not understood is answered without its lane
        if lane in self._begun and (event.get("sequence_number") is not None or lane not in self._asked):
            self._begun[lane].take("error", data)
            self._finish(lane, None)
        elif (refused := self._next(lane)) is not None:
            refused.refuse(openai_answer.failure(event) or "error")


class _Response:
    """One response, from when it is asked for until it is over."""

    __slots__ = ("_call", "_chunks", "_is_over", "_pieces", "_request", "_size")

    def __init__(self, call: Call, request: Request) -> None:
        self._call, self._request = call, request
        self._pieces: list[tuple[str, str]] = []
        self._size = self._chunks = 0
        self._is_over = False

    def take(self, kind: str, data: str) -> None:
        """Note an event, and keep what matters of it."""
        self._call.first_chunk()
        self._chunks += 1
        self._is_over = self._is_over or kind in LAST
        if kind in _PIECES:
            self._size += len(data)
            if self._size <= KEPT:
                self._pieces.append((kind, data))
        elif kind in LAST or kind in ("response.created", "error"):
            self._pieces.append((kind, data))

    def finish(self, error: str | None) -> None:
        """Note the end; the rest is done in the outbox."""
        self._call.stop()
        self._call.chunks = self._chunks
        outbox.put(partial(self._write, error))

    def refuse(self, error: str) -> None:
        """Finish what was answered with an error instead of a response: it costs nothing."""
        self._call.stop()
        openai_answer.describe(self._call, self._request)
        outbox.put(partial(self._call.refuse, error))

    def _write(self, error: str | None) -> None:
        fold = ResponsesFold()
        for kind, data in self._pieces:
            fold.add(kind, data)
        body = fold.body()
        if not self._is_over:
            failed = error is not None or openai_answer.failure(body) is not None
            self._call.bill.reasons.append("stream_failed" if failed else "stream_closed_early")
        if body is None:
            self._call.bill.reasons.append("response_not_read")  # nobody knows whether it was ever begun
        calls.write(self._call, self._request, body, {}, error and f"websocket_{error}")


def as_text(frame: str | bytes) -> str:
    """Return a message as text, whatever kind of frame it came in."""
    return frame if isinstance(frame, str) else frame.decode("utf-8", "replace")


def _kind(text: str) -> str:
    """Return the type of an event, which is its first field unless somebody in between has sorted them."""
    found = _TYPE.search(text)
    if found is None or found[1] == "error" or found[1].startswith("response."):
        return found[1] if found else ""
    return str((parsed(text) or {}).get("type", ""))
