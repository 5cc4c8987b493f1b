"""What OpenAI's event streams amount to: the answer that the same call would have got without streaming.

A stream is added up once, at its end.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

from otel_costs.providers.openai.chat_accumulator import ChatAccumulator
from otel_costs.providers.openai.jobs import ENDED
from otel_costs.transports.http.body import Accumulator, events
from otel_costs.usage.merging import has_usage, in_one, merged
from otel_costs.values.json_objects import parsed

_Json = dict[str, Any]

_USAGES: Final = 64
"""Events with a usage that are kept of a run, or of a stream that we do not know: the last ones."""


def accumulated(endpoint: str, raw: bytes) -> Mapping[str, Any] | None:
    """Return what a stream that was read at once amounts to."""
    adding = ACCUMULATORS.get(endpoint, UsageAccumulator)()
    for name, data in events(raw):
        adding.add(name, data)
    return adding.body()


class ResponsesAccumulator:
    """Events of the Responses API: the last one has the whole response; the pieces matter only if it never comes.

    They matter, too, where the last one comes without its output, as those of a delegated response do.
    """

    _LAST: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
    _OTHERS: Final = ("", "response.created", "response.queued", "response.in_progress", "error")

    def __init__(self) -> None:
        self._response: _Json | None = None
        self._error: object = None
        self._text: list[str] = []
        self._items: list[str] = []
        self.complete = False

    def add(self, name: str, data: str) -> None:
        if name == "response.output_text.delta":
            self._text.append(data)
        elif name == "response.output_item.done":
            self._items.append(data)
        elif name in self._LAST or name in self._OTHERS or _has_usage(data):
            self._add(name, data)

    def _add(self, name: str, data: str) -> None:
        event = parsed(data) or {}
        kind = name or event.get("type")
        if kind == "error":
            self._error = event.get("error") or event
        elif kind == "response.output_text.delta":
            self._text.append(data)
        elif kind == "response.output_item.done":
            self._items.append(data)
        elif isinstance(event.get("response"), dict) or has_usage(event.get("usage")):
            response = event["response"] if isinstance(event.get("response"), dict) else {}
            if has_usage(event.get("usage")):  # beside it, as xAI has it in its realtime events
                response = {**response, "usage": in_one((response.get("usage"), event["usage"]))}
            self._response = merged(self._response, response)
            self.complete = self.complete or kind in self._LAST

    def body(self) -> _Json | None:
        found = self._response
        if self._error is not None:
            found = {**(found or {}), "error": self._error}
        if found is None or (self.complete and found.get("output")):
            return found
        items = [event["item"] for data in self._items if isinstance((event := parsed(data) or {}).get("item"), dict)]
        if not self.complete and (text := self._unfinished({item.get("id") for item in items})):
            content = {"type": "output_text", "text": text}
            items.append({"type": "message", "role": "assistant", "content": [content]})
        return {**found, "output": items}

    def _unfinished(self, finished: set[object]) -> str:
        """Return the text of items that were not sent as a whole."""
        deltas = [parsed(data) or {} for data in self._text]
        return "".join(str(delta.get("delta", "")) for delta in deltas if delta.get("item_id", self) not in finished)


class LastAccumulator:
    """Streams whose last event has everything: transcriptions, images, speech."""

    def __init__(self, ending: str, empty: str) -> None:
        self._ending, self._empty = ending, empty
        self._body: _Json | None = None
        self._images = 0
        self._usages: list[object] = []  # of each image
        self._text: list[str] = []
        self.complete = False

    def add(self, name: str, data: str) -> None:
        # A piece of audio or a preview of an image is large, and says nothing.
        if self._empty in data[:64] or name == self._empty:
            return
        event = parsed(data)
        if event is None:
            return
        if isinstance(event.get("delta"), str):
            self._text.append(event["delta"])
        if (name or event.get("type")) == self._ending:
            if "b64_json" in event:
                self._images += 1
                if has_usage(event.get("usage")) and len(self._usages) < _USAGES:
                    self._usages.append(event["usage"])
            if not self.complete or event.get("usage"):
                self._body, self.complete = merged(self._body, event), True
        elif event.get("error") or name == "error":
            self._body = {"error": event.get("error") or event}

    def body(self) -> _Json | None:
        body = self._body
        if body is not None and self._images:
            body = {**body, "data": [{"b64_json": body.get("b64_json")}] * self._images}
        if body is not None and len(self._usages) > 1 and isinstance(body.get("usage"), dict):
            # Whether each image has a usage of its own, or that of all of them, is not documented.
            body = {**body, "usage": {**body["usage"], "other_images": self._usages[:-1]}}
        if self._text and "text" not in (body or {}):
            body = {**(body or {}), "text": "".join(self._text)}
        return body


class RunAccumulator:
    """Events of an assistant's run: each has the run as it is then."""

    def __init__(self) -> None:
        self._last, self._error = "", ""
        self._with_usage: deque[str] = deque(maxlen=_USAGES)
        self.complete = False

    def add(self, name: str, data: str) -> None:
        if name == "error":
            self._error = data
        elif name.startswith("thread.run.") and not name.startswith("thread.run.step."):
            if _has_usage(data):
                self._with_usage.append(data)
            self._last, self.complete = data, name.removeprefix("thread.run.") in ENDED

    def body(self) -> _Json | None:
        found = reduce(merged, [*map(parsed, self._with_usage), parsed(self._last)])
        if self._error:
            error = parsed(self._error) or {}
            found = {**(found or {}), "error": error.get("error") or error}
        return found


class TurnAccumulator:
    """Events of an agent's session: the turns that ended while they were watched, and the session as it was then."""

    _SNAPSHOTS: Final = ("created", "in_progress", "idle", "requires_action", "failed")

    def __init__(self) -> None:
        self._turns: list[_Json] = []
        self._sessions: list[_Json] = []
        self._items: dict[object, list[_Json]] = {}
        self.complete = True

    def add(self, name: str, data: str) -> None:
        if name.endswith(".delta") or not (name.startswith("agent.session.") or '"agent.session.' in data):
            return
        event = parsed(data) or {}
        kind = str(event.get("type") or name).removeprefix("agent.session.")
        if kind == "turn.item.done" and isinstance(event.get("item"), dict):
            self._items.setdefault(event.get("turn_id"), []).append(event["item"])
        elif kind.startswith("turn.") and kind[5:] in ENDED and isinstance(event.get("turn"), dict):
            self._turns.append(
                {"usage": event.get("usage"), **{k: v for k, v in event["turn"].items() if v is not None}}
            )
        elif kind in self._SNAPSHOTS and isinstance(event.get("session"), dict):
            self._sessions.append({**event["session"], "object": "agent.session"})

    def body(self) -> _Json | None:
        turns = [{**turn, "output": self._items.get(turn.get("id"), [])} for turn in self._turns]
        return {"data": [*self._sessions, *turns]}


class UsageAccumulator:
    """Streams that we do not know: the last event that has a usage."""

    def __init__(self) -> None:
        self._last: deque[str] = deque(maxlen=_USAGES)
        self.complete = True

    def add(self, _: str, data: str) -> None:
        if _has_usage(data):
            self._last.append(data)

    def body(self) -> _Json | None:
        found = None
        for data in self._last:
            event = parsed(data) or {}
            inner = [value for value in event.values() if isinstance(value, dict)]
            for one in (event, *inner):
                if isinstance(one.get("usage"), dict):
                    found = merged(found, one)
                    break
        return found


def _has_usage(data: str) -> bool:
    """Return whether an event has a usage that is not empty."""
    return '"usage":{"' in data or '"usage": {"' in data


ACCUMULATORS: Final[Mapping[str, Callable[[], Accumulator]]] = {
    "chat/completions": ChatAccumulator,
    "completions": ChatAccumulator,
    "responses": ResponsesAccumulator,
    "audio/speech": lambda: LastAccumulator("speech.audio.done", "speech.audio.delta"),
    "audio/transcriptions": lambda: LastAccumulator("transcript.text.done", "transcript.text.segment"),
    "images/generations": lambda: LastAccumulator("image_generation.completed", "image_generation.partial_image"),
    "images/edits": lambda: LastAccumulator("image_edit.completed", "image_edit.partial_image"),
    "threads/runs": RunAccumulator,
    "agents/turns": TurnAccumulator,
}
"""What adds up the events of an endpoint; of one that is not here, `UsageAccumulator` does."""
