"""A Realtime session: its configuration, its conversation, what was heard, and its responses."""

import base64
import json
import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from otel_costs.stand_in import assistant, tokens
from otel_costs.stand_in.exchange import Json, new_id, now
from otel_costs.stand_in.realtime_dialect import in_beta, session_update
from otel_costs.stand_in.realtime_response import AUDIO_CHUNK, Events, Response
from otel_costs.stand_in.realtime_turn import OMITTED, Turn
from otel_costs.stand_in.websocket import Socket

if TYPE_CHECKING:
    from otel_costs.stand_in.realtime import Stage

_BYTES_PER_SECOND = {"audio/pcm": 48_000, "audio/pcmu": 8_000, "audio/pcma": 8_000}
_SILENCE_S = 0.5
_BY_DURATION = ("whisper", "gpt-transcribe", "gpt-live", "gpt-realtime-whisper")
_HEARD = "Good morning, I would like to know where my order A-1001 is."
_PAUSES_S = {
    "response.created": 0.35,
    "response.function_call_arguments.done": 0.25,
    "response.output_audio.delta": AUDIO_CHUNK / _BYTES_PER_SECOND["audio/pcm"] / 3,
}
"""How long OpenAI takes after an event: until the first sound, and for one that is three times as fast as speech."""
_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
}


class Session:
    """One session and the sockets on it: several where they were opened for the same call."""

    def __init__(self, model: str, stage: "Stage", *, transcribes: bool = False) -> None:
        self.id, self.conversation_id = new_id("sess_", 20), new_id("conv_", 20)
        self._stage = stage
        self._turn: Turn | None = None
        self._sockets: list[tuple[Socket, bool]] = []
        self._lock = threading.RLock()
        self._items: list[Json] = []
        self._known: set[str] = set()  # items that an earlier response has read
        self._instructed = False
        self._late: list[list[Json]] = []
        self._waiting: dict[str, tuple[Response, Events]] = {}
        self._heard = b""  # only its length and its first loud byte matter, but a turn is short
        self._total = self._speech_item = 0
        self._speaking: str | None = None
        self._quiet_s = 0.0
        entered: Json = {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": _VAD,
        }
        self.config: Json = {
            "type": "transcription" if transcribes else "realtime",
            "object": "realtime.transcription_session" if transcribes else "realtime.session",
            "id": self.id,
            "expires_at": now() + 3600,
            "audio": {"input": entered},
        }
        if not transcribes:
            self.config |= {
                "model": model,
                "output_modalities": ["audio"],
                "instructions": "Your knowledge cutoff is 2023-10. You are a helpful, witty, and friendly AI.",
                "tools": [],
                "tool_choice": "auto",
                "max_output_tokens": "inf",
            }
            self.config["audio"]["output"] = {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"}

    @property
    def modalities(self) -> list[str]:
        return list(self.config["output_modalities"])

    def open(self, socket: Socket, *, beta: bool) -> None:
        """Begin to speak with one more client."""
        with self._lock:
            self._sockets.append((socket, beta))
            self._send_to(socket, beta, {"type": "session.created", "session": self.config})

    def close(self, socket: Socket) -> None:
        """Forget a client."""
        with self._lock:
            self._sockets = [(other, beta) for other, beta in self._sockets if other is not socket]

    def take(self, frame: str | bytes) -> None:
        """Read what a client sends."""
        with self._lock:
            try:
                event = json.loads(frame)
            except ValueError:
                self._error("invalid_json", "The event could not be parsed.")
                return
            handler = _HANDLERS.get(event.get("type"))
            if handler is None:
                self._error("invalid_value", f"Invalid value: '{event.get('type')}'.", event)
            else:
                handler(self, event)

    def send(self, event: Json) -> None:
        """Send an event to every client, each in its dialect."""
        for socket, beta in list(self._sockets):
            self._send_to(socket, beta, event)

    def _send_to(self, socket: Socket, beta: bool, event: Json) -> None:
        spoken = in_beta(event) if beta else event
        if spoken is not None:
            kind = spoken.pop("type") if beta else event["type"]
            rest = {name: value for name, value in spoken.items() if name != "type"}
            socket.send({"type": kind, "event_id": new_id("event_", 20), **rest})

    def _error(self, code: str, message: str, event: Json | None = None) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
        self.send({"type": "error", "error": {**error, "event_id": (event or {}).get("event_id")}})

    # What a response asks of its session.

    def answer(self) -> tuple[str | None, list[tuple[str, str]]]:
        """Return what the assistant says or calls when no turn tells."""
        asked = max((i for i, item in enumerate(self._items) if item.get("role") == "user"), default=-1)
        question = _words(self._items[asked]) if asked >= 0 else ""
        since = self._items[asked + 1 :]
        called = tuple(item["name"] for item in since if item["type"] == "function_call")
        results = tuple(item["output"] for item in since if item["type"] == "function_call_output")
        tools = [tool for tool in self.config["tools"] if tool.get("type") == "function"]
        reply = assistant.reply(assistant.Turn(question, called, results), tools)
        return (None, list(reply.calls)) if reply.calls else (reply.text, [])

    def context(self, asked: Json) -> tuple[int, int, int, int, int, int]:
        """Return the tokens of text, audio and images that a response reads, and those of them that are cached."""
        instructions = asked.get("instructions") or self.config["instructions"] or ""
        head = tokens.count(instructions) + (
            tokens.count(json.dumps(self.config["tools"])) if self.config["tools"] else 0
        )
        read = [head, 0, 0]
        known = [head if self._instructed else 0, 0, 0]
        items = asked.get("input", self._items)
        for item in items:
            for index, count in enumerate(_size(item)):
                read[index] += count
                known[index] += count if item.get("id") in self._known else 0
        if "input" not in asked:
            self._instructed = True
            self._known |= {item["id"] for item in self._items}
        cached = [count // 64 * 64 for count in known]
        return (read[0], read[1], read[2], cached[0], cached[1], cached[2])

    def added(self, item: Json, visible: Json) -> Json:
        """Add an item to the conversation, and return its event; `visible` is what the event has of it."""
        if item not in self._items:
            self._items.append(item)
        return {"type": "conversation.item.added", "previous_item_id": self.before(item), "item": visible}

    def before(self, item: Json) -> str | None:
        """Return the id of the item in front."""
        place = self._items.index(item)
        return self._items[place - 1]["id"] if place else None

    # What clients send.

    def _update(self, event: Json) -> None:
        update = session_update(event.get("session") or {})
        for side in ("input", "output"):
            if side in self.config["audio"]:
                self.config["audio"][side] |= update["audio"][side]
        del update["audio"]
        if self.config["type"] == "realtime":
            self.config |= update
        self.send({"type": "session.updated", "session": self.config})

    def _append(self, event: Json) -> None:
        data = base64.b64decode(event["audio"])
        self._heard += data
        seconds = len(data) / self._rate
        self._total += round(seconds * 1000)
        detection = self.config["audio"]["input"]["turn_detection"]
        if not detection:
            return
        loud = any(data)
        self._quiet_s = 0.0 if loud else self._quiet_s + seconds
        if loud and self._speaking is None:
            self._speaking = new_id("item_", 20)
            start = {"audio_start_ms": max(0, self._total - round(seconds * 1000)), "item_id": self._speaking}
            self.send({"type": "input_audio_buffer.speech_started", **start})
            if detection.get("interrupt_response", True):
                self._cancel_all("turn_detected")
        elif self._speaking and self._quiet_s >= _SILENCE_S:
            stop = {"audio_end_ms": self._total, "item_id": self._speaking}
            self.send({"type": "input_audio_buffer.speech_stopped", **stop})
            self._commit({})
            if detection.get("create_response", True) and self.config["type"] == "realtime":
                self._respond({})

    def _commit(self, event: Json) -> None:
        if not self._heard:
            self._error("input_audio_buffer_commit_empty", "Error committing input audio buffer: too small.", event)
            return
        seconds, self._heard = len(self._heard) / self._rate, b""
        item_id, self._speaking, self._quiet_s = self._speaking or new_id("item_", 20), None, 0.0
        previous = self._items[-1]["id"] if self._items else None
        self.send({"type": "input_audio_buffer.committed", "previous_item_id": previous, "item_id": item_id})
        part: Json = {"type": "input_audio", "transcript": None}
        item: Json = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [part],
        }
        self.send(self.added(item, item))
        self.send({"type": "conversation.item.done", "previous_item_id": previous, "item": item})
        part["seconds"] = seconds  # of the stand-in's own
        if self.config["audio"]["input"]["transcription"]:
            self._transcribe(item, seconds)

    def _transcribe(self, item: Json, seconds: float) -> None:
        turn = self._upcoming()
        heard = turn.heard or _HEARD
        item["content"][0]["heard"] = heard
        place = {"item_id": item["id"], "content_index": 0}
        prefix = "conversation.item.input_audio_transcription"
        events: list[Json] = []
        if turn.transcription_error:
            error = {
                "type": "transcription_error",
                "code": turn.transcription_error,
                "message": "It failed.",
                "param": None,
            }
            events = [{"type": f"{prefix}.failed", **place, "error": error}]
        else:
            events = [{"type": f"{prefix}.delta", **place, "delta": piece} for piece in tokens.pieces(heard)]
            whole: Json = {"type": f"{prefix}.completed", **place, "transcript": heard}
            if turn.transcription_usage is not OMITTED:
                whole["usage"] = turn.transcription_usage or self._transcription_usage(heard, seconds)
            events.append(whole)
        if self.config["type"] == "transcription" or turn.transcribed == "before":
            for event in events:
                self.send(event)
        elif turn.transcribed == "after":
            self._late.append(events)

    def _transcription_usage(self, heard: str, seconds: float) -> Json:
        if str(self.config["audio"]["input"]["transcription"].get("model")).startswith(_BY_DURATION):
            return {"type": "duration", "seconds": round(seconds, 3)}
        entered, output = math.ceil(seconds * tokens.INPUT_AUDIO_TOKENS_PER_SECOND), tokens.count(heard)
        return {
            "type": "tokens",
            "total_tokens": entered + output,
            "input_tokens": entered,
            "input_token_details": {"text_tokens": 0, "audio_tokens": entered},
            "output_tokens": output,
        }

    def _clear(self, _: Json) -> None:
        self._heard, self._speaking = b"", None
        self.send({"type": "input_audio_buffer.cleared"})

    def _create_item(self, event: Json) -> None:
        asked = event["item"]
        item = {"object": "realtime.item", "status": "completed", **asked, "id": asked.get("id") or new_id("item_", 20)}
        place = self._place(event.get("previous_item_id"))
        for part in item.get("content") or ():
            data = base64.b64decode(part.pop("audio", "") or "")
            if data:
                part["seconds"] = len(data) / self._rate
        self._items.insert(place, item)
        visible = {**item, "content": [_visible_part(part) for part in item["content"]]} if "content" in item else item
        self.send(self.added(item, visible))
        self.send({"type": "conversation.item.done", "previous_item_id": self.before(item), "item": visible})

    def _place(self, previous: str | None) -> int:
        if previous == "root":
            return 0
        found = [index for index, item in enumerate(self._items) if item["id"] == previous]
        return found[0] + 1 if found else len(self._items)

    def _delete_item(self, event: Json) -> None:
        self._items = [item for item in self._items if item["id"] != event["item_id"]]
        self.send({"type": "conversation.item.deleted", "item_id": event["item_id"]})

    def _truncate_item(self, event: Json) -> None:
        known = {key: event[key] for key in ("item_id", "content_index", "audio_end_ms")}
        self.send({"type": "conversation.item.truncated", **known})

    def _retrieve_item(self, event: Json) -> None:
        (item,) = [item for item in self._items if item["id"] == event["item_id"]]
        visible = {**item, "content": [_visible_part(part) for part in item["content"]]} if "content" in item else item
        self.send({"type": "conversation.item.retrieved", "item": visible})

    def _ask(self, event: Json) -> None:
        self._respond(event.get("response") or {}, event)

    def _cancel(self, event: Json) -> None:
        if not self._waiting:
            self._error("response_cancel_not_active", "Cancellation failed: no active response found", event)
        self._cancel_all("client_cancelled", event.get("response_id"))

    def _cancel_all(self, reason: str, response_id: str | None = None) -> None:
        for response, events in list(self._waiting.values()):
            if response_id in (None, response.id) and (reason == "client_cancelled" or not response.aside):
                del self._waiting[response.id]
                self._go_on(response, events, reason)

    # Responses.

    def _upcoming(self) -> Turn:
        if self._turn is None:
            self._turn = self._stage.next_turn(self)
        return self._turn

    def _respond(self, asked: Json, event: Json | None = None) -> None:
        aside = asked.get("conversation") == "none"
        if not aside and any(not response.aside for response, _ in self._waiting.values()):
            code = "conversation_already_has_active_response"
            self._error(code, "Conversation already has an active response in progress.", event)
            return
        turn, self._turn = self._upcoming(), None
        response = Response(self, turn, asked)
        self._go_on(response, response.events(), None)

    def _go_on(self, response: Response, events: Events, reason: str | None) -> None:
        """Send the events of a response until it is done, or waits to be interrupted."""
        turn = response.turn
        try:
            event = events.send(reason)
            sent = 0
            while True:
                if event["type"] == "paused":
                    self._waiting[response.id] = response, events
                    return
                if event["type"] != "response.done" and turn.cut_after == sent:
                    self._cut(turn.close_code)
                    return
                self.send(event)
                self._stage.pause(_PAUSES_S.get(event["type"], 0))
                sent += 1
                if event["type"] == "response.created":
                    for frame in turn.frames:
                        for socket, _ in self._sockets:
                            socket.send(frame)
                if event["type"] == "response.done" and turn.done_twice:
                    self.send(event)
                event = next(events)
        except StopIteration:
            self._finish()

    def _finish(self) -> None:
        late, self._late = self._late, []
        for events in late:
            for event in events:
                self.send(event)
        limits = [{"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.5}]
        self.send({"type": "rate_limits.updated", "rate_limits": limits})

    def _cut(self, code: int | None) -> None:
        for socket, _ in self._sockets:
            if code is None:
                socket.drop()
            else:
                socket.close(code, "The server had an error.")

    @property
    def _rate(self) -> int:
        return _BYTES_PER_SECOND[self.config["audio"]["input"]["format"]["type"]]


def _visible_part(part: Json) -> Json:
    """Return a part of an item as clients get it: without audio, and without fields of our own."""
    return {name: value for name, value in part.items() if name not in ("audio", "seconds", "heard")}


def _words(item: Json) -> str:
    parts = item.get("content") or ()
    return " ".join(part.get("text") or part.get("transcript") or part.get("heard") or "" for part in parts)


def _size(item: Json) -> tuple[int, int, int]:
    """Return the tokens of text, audio and images of an item."""
    if item["type"] == "function_call":
        return tokens.count(item["name"] + item["arguments"]) + 8, 0, 0
    if item["type"] == "function_call_output":
        return tokens.count(item["output"]) + tokens.TOKENS_PER_MESSAGE, 0, 0
    text = audio = image = 0
    for part in item.get("content") or ():
        if part["type"] == "input_image":
            image += tokens.IMAGE_TOKENS.get(part.get("detail") or "auto", 765)
        elif part["type"] in ("input_audio", "output_audio"):
            seconds = part.get("seconds") or tokens.spoken_seconds(part.get("transcript") or "")
            audio += math.ceil(seconds * tokens.INPUT_AUDIO_TOKENS_PER_SECOND)
        else:
            text += tokens.count(part.get("text") or "")
    return text + tokens.TOKENS_PER_MESSAGE, audio, image


_HANDLERS: dict[Any, Callable[[Session, Json], None]] = {
    "session.update": Session._update,
    "transcription_session.update": Session._update,
    "input_audio_buffer.append": Session._append,
    "input_audio_buffer.commit": Session._commit,
    "input_audio_buffer.clear": Session._clear,
    "conversation.item.create": Session._create_item,
    "conversation.item.delete": Session._delete_item,
    "conversation.item.truncate": Session._truncate_item,
    "conversation.item.retrieve": Session._retrieve_item,
    "response.create": Session._ask,
    "response.cancel": Session._cancel,
}
