"""The events of one response, in the order in which OpenAI sends them."""

import base64
import json
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from otel_costs.stand_in import tokens
from otel_costs.stand_in.exchange import Json, new_id
from otel_costs.stand_in.realtime_turn import OMITTED, Turn

if TYPE_CHECKING:
    from otel_costs.stand_in.realtime_session import Session

AUDIO_CHUNK = 9_600  # bytes of pcm in a delta: 200 ms

Events = Generator[Json, str | None, None]
"""Events; where one says `"paused"`, the response waits for the reason to cancel it."""


class Response:
    """A response while it is made: what it has said, and what it has used."""

    def __init__(self, session: "Session", turn: Turn, asked: Json) -> None:
        self.id = new_id("resp_", 20)
        self.session, self.turn, self.asked = session, turn, asked
        self.aside = asked.get("conversation") == "none"
        self.spoken = (asked.get("output_modalities") or asked.get("modalities") or session.modalities) != ["text"]
        self.entered = session.context(asked)
        self.status, self.reason = turn.status, turn.reason
        self.output: list[Json] = []
        self.text_tokens = self.audio_tokens = 0  # tokens
        self.first_usage = True

    def events(self) -> Events:
        """Yield the events from `response.created` to `response.done`."""
        yield self._event("response.created", response=self._whole("in_progress"))
        says, calls = self.turn.says, self.turn.calls
        if says is None and not calls:
            says, calls = self.session.answer()
        if says is not None:
            yield from self._message(says)
        if self.reason not in ("turn_detected", "client_cancelled"):
            for name, arguments in calls:
                yield from self._call(name, arguments)
        yield self._event("response.done", response=self._whole(self.status))

    def _event(self, kind: str, **fields: object) -> Json:
        return {"type": kind, **fields}

    def _whole(self, status: str) -> Json:
        details: Json | None = None
        if status not in ("in_progress", "completed"):
            details = {"type": status}
            if status == "failed":
                details["error"] = {"type": "server_error", "code": self.reason or "server_error"}
            elif self.reason:
                details["reason"] = self.reason
        whole = {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": self.output if status != "in_progress" else [],
            "conversation_id": None if self.aside else self.session.conversation_id,
            "output_modalities": ["audio"] if self.spoken else ["text"],
            "max_output_tokens": "inf",
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin"}},
            "usage": None,
            "metadata": self.asked.get("metadata"),
        }
        if status != "in_progress":
            whole["usage"] = self._usage()
            if self.turn.usage is OMITTED:
                del whole["usage"]
        return whole

    def _usage(self) -> Json:
        if self.turn.usage is not None:
            return self.turn.usage
        text, audio, image, cached_text, cached_audio, cached_image = self.entered
        entered, output = text + audio + image, self.text_tokens + self.audio_tokens
        return {
            "total_tokens": entered + output,
            "input_tokens": entered,
            "output_tokens": output,
            "input_token_details": {
                "text_tokens": text,
                "audio_tokens": audio,
                "image_tokens": image,
                "cached_tokens": cached_text + cached_audio + cached_image,
                "cached_tokens_details": {
                    "text_tokens": cached_text,
                    "audio_tokens": cached_audio,
                    "image_tokens": cached_image,
                },
            },
            "output_token_details": {"text_tokens": self.text_tokens, "audio_tokens": self.audio_tokens},
        }

    def _message(self, says: str) -> Events:
        item: Json = {
            "id": new_id("item_", 20),
            "object": "realtime.item",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        place = {"response_id": self.id, "item_id": item["id"], "output_index": 0, "content_index": 0}
        yield from self._begin(item)
        kind = "output_audio" if self.spoken else "output_text"
        empty: Json = {"type": kind, "transcript": ""} if self.spoken else {"type": kind, "text": ""}
        yield self._event("response.content_part.added", **place, part=empty)
        yield from self._speak(says, place, item) if self.spoken else self._write(says, place, item)
        part = item["content"][0]
        yield self._event("response.content_part.done", **place, part=part)
        yield from self._end(item)

    def _speak(self, says: str, place: Json, item: Json) -> Events:
        """Send the sound and its words, until they are interrupted."""
        pieces = _sound(says)
        words = tokens.pieces(says)
        each = -(-len(words) // len(pieces))  # a delta of audio carries so many words
        spoken, sent_bytes = "", 0
        for number, piece in enumerate(pieces):
            if number == self.turn.interrupted_after:
                self.reason = (yield {"type": "paused"}) or "turn_detected"
                self.status = "cancelled"
                break
            text = "".join(words[number * each : (number + 1) * each])
            if text:
                spoken += text
                yield self._event("response.output_audio_transcript.delta", **place, delta=text)
            sent_bytes += len(piece)
            delta = base64.b64encode(piece).decode()
            yield self._event("response.output_audio.delta", **place, delta=delta)
        seconds = sent_bytes / (2 * tokens.SAMPLE_RATE)
        self.audio_tokens += round(seconds * tokens.OUTPUT_AUDIO_TOKENS_PER_SECOND)
        self.text_tokens += tokens.count(spoken)
        item["content"] = [{"type": "output_audio", "transcript": spoken}]
        yield self._event("response.output_audio.done", **place)
        yield self._event("response.output_audio_transcript.done", **place, transcript=spoken)

    def _write(self, says: str, place: Json, item: Json) -> Events:
        for piece in tokens.pieces(says):
            yield self._event("response.output_text.delta", **place, delta=piece)
        self.text_tokens += tokens.count(says)
        item["content"] = [{"type": "output_text", "text": says}]
        yield self._event("response.output_text.done", **place, text=says)

    def _call(self, name: str, arguments: str) -> Events:
        item: Json = {
            "id": new_id("item_", 20),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "name": name,
            "call_id": new_id("call_", 16),
            "arguments": "",
        }
        yield from self._begin(item)
        place = {
            "response_id": self.id,
            "item_id": item["id"],
            "output_index": len(self.output) - 1,
            "call_id": item["call_id"],
        }
        for start in range(0, len(arguments), 12):
            delta = arguments[start : start + 12]
            yield self._event("response.function_call_arguments.delta", **place, delta=delta)
        item["arguments"] = arguments
        self.text_tokens += tokens.count(name + arguments) + 8
        yield self._event("response.function_call_arguments.done", **place, name=name, arguments=arguments)
        yield from self._end(item)

    def _begin(self, item: Json) -> Iterator[Json]:
        self.output.append(item)
        index = len(self.output) - 1
        copied = json.loads(json.dumps(item))
        yield self._event("response.output_item.added", response_id=self.id, output_index=index, item=copied)
        if not self.aside:
            yield self.session.added(item, copied)

    def _end(self, item: Json) -> Iterator[Json]:
        item["status"] = "completed" if self.status == "completed" else "incomplete"
        index = self.output.index(item)
        if not self.aside:
            yield self._event("conversation.item.done", previous_item_id=self.session.before(item), item=item)
        yield self._event("response.output_item.done", response_id=self.id, output_index=index, item=item)


def _sound(says: str) -> list[bytes]:
    """Return the sound of `says` in the pieces of its deltas."""
    data = tokens.pcm(tokens.spoken_seconds(says))
    return [data[start : start + AUDIO_CHUNK] for start in range(0, len(data), AUDIO_CHUNK)]
