"""Responses that share a connection: each a call, told apart by its stream, and read once, at its end."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from otel_costs.calls import writer
from otel_costs.calls.call import Call
from otel_costs.calls.reading import Job, Reading
from otel_costs.pricing.cost_reason import CostReason
from otel_costs.providers.openai import answer
from otel_costs.providers.openai.accumulators import ResponsesAccumulator
from otel_costs.providers.openai.request import Request
from otel_costs.runtime import background
from otel_costs.sessions.reservations import Reservation
from otel_costs.transports.http.body import Answered
from otel_costs.values.json_objects import parsed

KEPT: Final = 4 * 1024 * 1024
"""Characters of a response's pieces that are kept until its last event; they matter only if that never comes."""

LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
PIECES: Final = frozenset({"response.output_text.delta", "response.output_item.done"})
READ: Final = LAST | PIECES | {"response.created", "error"}
"""Events whose data is read; of any other it is enough that it came."""

Identify = Callable[[Mapping[str, Any]], Job | None]


class ResponseStreams:
    """The responses on one connection, by the id of their stream: in each they come in the order they are asked for.

    `unasked` returns the request of a response that was not requested here, from its first event; `start` returns its
    call. `identify` returns the job of a response that has ended, where other processes may see its end too.
    """

    def __init__(
        self,
        unasked: Callable[[Mapping[str, Any]], Request],
        start: Callable[[Request], Call],
        identify: Identify | None = None,
    ) -> None:
        self._unasked, self._start_call, self._identify = unasked, start, identify
        self._asked: dict[object, deque[_Response]] = {}
        self._begun: dict[object, _Response] = {}

    @property
    def streams(self) -> set[object]:
        """The streams on which something is asked for or under way."""
        return {*self._asked, *self._begun}

    def ask(self, stream_id: object, request: Request, reservation: Reservation | None = None) -> None:
        """Start the call of a response that is asked for, for which so much is reserved."""
        self._asked.setdefault(stream_id, deque()).append(self._begin(request, reservation))

    def feed(self, stream_id: object, kind: str, data: str) -> None:
        """Read an event of a stream."""
        if kind == "response.created":
            self._finish(stream_id, None)  # its last event never came
            begun = self._begun[stream_id] = self._next(stream_id) or self._start(data)
            begun.take(kind, data)
        elif kind in LAST:
            if stream_id not in self._begun:
                self._begun[stream_id] = self._next(stream_id) or self._start(data)
            self._begun[stream_id].take(kind, data)
            self._finish(stream_id, None)
        elif kind == "error":
            self._fail(stream_id, data)
        elif (response := self._begun.get(stream_id)) is not None:
            response.take(kind, data)

    def close(self, error: str | None) -> None:
        """Finish what will not be answered any more; `error` is the kind of error that closed the connection."""
        for stream_id in list(self._begun):
            self._finish(stream_id, error)
        for waiting in self._asked.values():
            for response in waiting:
                response.finish(error)
        self._asked.clear()

    def _start(self, data: str) -> "_Response":
        response = (parsed(data) or {}).get("response")
        return self._begin(self._unasked(response if isinstance(response, Mapping) else {}))

    def _begin(self, request: Request, reservation: Reservation | None = None) -> "_Response":
        call = self._start_call(request)
        if reservation is not None:
            call.reservation = reservation
        return _Response(call, request, self._identify)

    def _next(self, stream_id: object) -> "_Response | None":
        waiting = self._asked.get(stream_id)
        if not waiting:
            return None
        response = waiting.popleft()
        if not waiting:
            del self._asked[stream_id]
        return response

    def _finish(self, stream_id: object, error: str | None) -> None:
        if (response := self._begun.pop(stream_id, None)) is not None:
            response.finish(error)

    def _fail(self, stream_id: object, data: str) -> None:
        """End a response with an error: the one that is under way, or the one that is asked for and will not begin."""
        event, streams = parsed(data) or {}, self.streams
        if stream_id not in streams and len(streams) == 1:
            (stream_id,) = streams  # a request that is not understood is answered without its stream_id
        if stream_id in self._begun and (event.get("sequence_number") is not None or stream_id not in self._asked):
            self._begun[stream_id].take("error", data)
            self._finish(stream_id, None)
        elif (refused := self._next(stream_id)) is not None:
            refused.refuse(event)


class _Response:
    """One response, from when it is asked for until it is over."""

    __slots__ = ("_call", "_chunks", "_identify", "_is_over", "_pieces", "_request", "_size")

    def __init__(self, call: Call, request: Request, identify: Identify | None) -> None:
        self._call, self._request, self._identify = call, request, identify
        self._pieces: list[tuple[str, str]] = []
        self._size = self._chunks = 0
        self._is_over = False

    def take(self, kind: str, data: str) -> None:
        """Note an event, and keep what matters of it."""
        self._call.first_chunk()
        self._chunks += 1
        self._is_over = self._is_over or kind in LAST
        if kind in PIECES:
            self._size += len(data)
            if self._size <= KEPT:
                self._pieces.append((kind, data))
        elif kind in LAST or kind in ("response.created", "error"):
            self._pieces.append((kind, data))

    def finish(self, error: str | None) -> None:
        """Note the end; the rest is done in the background."""
        self._call.stop()
        self._call.chunks = self._chunks
        background.put(partial(self._write, error))

    def refuse(self, event: Mapping[str, Any]) -> None:
        """Finish what was answered with an error instead of a response, as one over HTTP is."""
        self._call.stop()
        status, error = event.get("status"), answer.failure(event) or "error"
        if not isinstance(status, int):
            status = 500 if error == "server_error" else 400
        read = partial(answer.refused, self._request, status, Answered({}, event))
        background.put(partial(writer.write, self._call, read, error))

    def _write(self, error: str | None) -> None:
        writer.write(self._call, partial(self._read, error), error and f"websocket_{error}")

    def _read(self, error: str | None) -> Reading:
        accumulator = ResponsesAccumulator()
        for kind, data in self._pieces:
            accumulator.add(kind, data)
        body = accumulator.body()
        doubts: tuple[CostReason, ...] = ()
        if not self._is_over:
            failed = error is not None or answer.failure(body) is not None
            doubts = (CostReason.STREAM_FAILED if failed else CostReason.STREAM_CLOSED_EARLY,)
        if body is None:
            doubts += (CostReason.RESPONSE_NOT_READ,)  # whether it was ever begun is not known
        found = answer.read(self._request, Answered({}, body, error, doubts))
        if self._is_over and self._identify is not None and body is not None:
            return replace(found, job=found.job or self._identify(body))
        return found
