"""The stand-in's Responses over a WebSocket: streams, steering, errors; each response is answered as over HTTP."""

import json
import queue
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from otel_costs.stand_in.exchange import Answer, Event, Json, Request, dumps, error_body, new_id
from otel_costs.stand_in.fault import Fault
from otel_costs.stand_in.websocket import Socket

if TYPE_CHECKING:
    from otel_costs.stand_in.connection import Connection

_FAILED = "The server had an error while processing your request. Sorry about that!"


def serve(connection: "Connection", request: Request) -> None:
    """Answer what is asked on a connection until its client is gone."""
    _Desk(connection, request).open()


class _Desk:
    def __init__(self, connection: "Connection", request: Request) -> None:
        self._provider, self._request = connection.provider, request
        self._socket = Socket(connection)
        self._streams: dict[str | None, queue.Queue[Json | None]] = {}
        self._steered: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def open(self) -> None:
        try:
            for frame in self._socket:
                self._take(frame)
        finally:
            for stream in self._streams.values():
                stream.put(None)

    def _take(self, frame: str | bytes) -> None:
        try:
            event = json.loads(frame)
        except ValueError:
            event = None
        kind = event.get("type") if isinstance(event, dict) else None
        if kind == "response.create":
            self._lane(event.pop("stream_id", None)).put(event)
        elif kind == "response.steer":
            self._steer(event)
        else:
            self._refuse(None, Answer(error_body(400, f"Unknown event type: {kind!r}."), status=400))

    def _lane(self, name: str | None) -> "queue.Queue[Json | None]":
        if name not in self._streams:
            stream = self._streams[name] = queue.Queue()
            threading.Thread(target=self._work, args=(name, stream), name="stand-in", daemon=True).start()
        return self._streams[name]

    def _work(self, name: str | None, stream: "queue.Queue[Json | None]") -> None:
        try:
            while (asked := stream.get()) is not None:
                following: Json | None = asked
                while following is not None:
                    following = self._respond(name, following)
        except BaseException as error:  # noqa: BLE001
            self._provider.errors.append(error)

    def _steer(self, event: Json) -> None:
        steer = {"id": new_id("steer_"), "previous_response_id": event["previous_response_id"]}
        with self._lock:
            self._steered.setdefault(event["previous_response_id"], []).extend(event["input"])
        self._socket.send({"type": "response.steer.accepted", "sequence_number": 0, "steer": steer})

    def _respond(self, stream: str | None, asked: Json) -> Json | None:
        """Send a response's events; return what follows it by itself, where it was steered."""
        asked = {key: value for key, value in asked.items() if key != "type"}
        headers = {**self._request.headers, "content-type": "application/json"}
        body = dumps({**asked, "stream": True})
        answer, fault = self._provider.answer("POST", self._request.path, headers, body)
        if fault.gate and not fault.gate_events:
            self._provider.wait(fault.gate)
        if fault.status is not None:
            answer = Answer(fault.error or error_body(fault.status, "The stand-in was told to fail."), fault.status)
        if not isinstance(answer.body, Iterator):
            self._refuse(stream, answer)
            return None
        return self._stream(stream, asked, answer.body, fault)

    def _refuse(self, stream: str | None, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, dict) else {}
        self._send(stream, {"type": "error", "status": answer.status, **body})

    def _stream(self, stream: str | None, asked: Json, events: Iterator[Event | bytes], fault: Fault) -> Json | None:
        response: Json = {}
        for number, event in enumerate(events):
            if isinstance(event, bytes) or isinstance(event.data, str):
                raise TypeError(f"an event of a response is an object, not {event!r}")
            if fault.gate and fault.gate_events and number == fault.gate_events:
                self._provider.wait(fault.gate)
            if number == fault.cut_events:
                self._socket.drop()
                return None
            if number == fault.error_event:
                error = error_body(500, _FAILED, code="server_error")
                self._send(stream, {"type": "error", "sequence_number": number, **error})
                return None
            data = fault.changed(event.data)
            response = data.get("response") or response
            self._send(stream, data)
        with self._lock:
            steered = self._steered.pop(response.get("id", ""), None)
        if steered is None:
            return None
        return {**asked, "previous_response_id": response["id"], "input": steered}

    def _send(self, stream: str | None, event: Json) -> None:
        self._socket.send(event if stream is None else {**event, "stream_id": stream})
