"""What a Live session lets other models do: responses and decisions, each a call at the price of its own model."""

import json
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from otel_costs.calls.call import Call
from otel_costs.calls.estimate import Kind
from otel_costs.calls.reading import Job
from otel_costs.hosts import Host
from otel_costs.providers.openai import answer
from otel_costs.providers.openai.parts import key, mapping
from otel_costs.providers.openai.request import Request
from otel_costs.providers.openai.response_streams import READ, ResponseStreams
from otel_costs.providers.openai.routes import Route, find
from otel_costs.providers.openai_realtime.owner import Owner
from otel_costs.runtime import background
from otel_costs.transports.http.body import Answered

ITEMS: Final = 64
"""Items that the application gave to the backend and that no response has read yet."""

_RESPONSES: Final[Route] = find("post", "/responses") or Route("responses", "chat")
_DECISIONS: Final[Route] = find("post", "/decisions") or Route("decisions", "decision")


class Delegations:
    """The responses and decisions of one session. A delegation is a stream of responses, one after the other."""

    def __init__(self, owner: Owner, host: Host) -> None:
        self._owner, self._host = owner, host
        self._streams = ResponseStreams(self._unasked, self._start, self._identify)
        self._items: deque[Any] = deque(maxlen=ITEMS)
        self._previous: str | None = None
        self._models: dict[str, str] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no response is under way."""
        return not self._streams.streams

    def kind(self, event: str) -> Kind:
        """Return the kind of call that `response.create` or `decision.create` asks for, by the last one of it."""
        route = _DECISIONS if event == "decision.create" else _RESPONSES
        return Kind(route.operation, self._owner.provider, self._models.get(route.operation))

    def give(self, item: object) -> None:
        """Note an item that the application gives to the backend: a user's message, a function's result."""
        self._items.append(item)

    def respond(self, event: Mapping[str, Any]) -> None:
        """Read `response.event`, which has an event of the Responses API in it."""
        inner = mapping(event.get("event"))
        kind = inner.get("type")
        if isinstance(kind, str):
            self._streams.feed(event.get("delegation_id"), kind, json.dumps(inner) if kind in READ else "")

    def decide(self, event: Mapping[str, Any]) -> None:
        """Read `decision.event`, which has a whole decision in it."""
        decision = mapping(mapping(event.get("event")).get("decision"))
        if not decision:
            return
        asked = {"model": decision.get("model")}
        request = Request.of(_DECISIONS, self._host, asked, identity=self._owner.identity)
        call = self._start(request)
        call.stop()
        background.put(partial(answer.write, call, request, Answered({}, dict(decision))))

    def end(self, error: str | None) -> None:
        """Finish what is under way: no more events of it will come."""
        self._streams.close(error)

    def _unasked(self, response: Mapping[str, Any]) -> Request:
        body: dict[str, Any] = {"model": response.get("model"), "input": list(self._items)}
        self._items.clear()
        if previous := key(response.get("previous_response_id")) or self._previous:
            body["previous_response_id"] = previous
        self._previous = key(response.get("id"))
        return Request.of(_RESPONSES, self._host, body, stream=True, identity=self._owner.identity)

    def _start(self, request: Request) -> Call:
        call = self._owner.call(request.route.operation, request.model, start_ns=request.start_ns)
        call.messages_logged_elsewhere = False
        if call.request_model:
            self._models[call.operation] = call.request_model
        self._owner.reserve(call)
        return call

    def _identify(self, response: Mapping[str, Any]) -> Job | None:
        """Return the job of a response that others may see, too: it has the same id and time wherever it is seen."""
        response_id, created_s = key(response.get("id")), response.get("created_at")
        if response_id is not None and isinstance(created_s, int | float) and created_s > 0:
            return Job(response_id, True, int(created_s))
        return None
