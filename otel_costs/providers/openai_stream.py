"""OpenAI's event streams: what one amounts to, and the usage chunk that the application did not ask for.

A stream is kept as it came and read once, at its end: 200 chunks parsed one by one cost more than everything else
that is done for a call. Most chunks carry nothing but a piece of text, and are read without parsing the rest.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final, Protocol

from otel_costs import outbox
from otel_costs.call import Call

FOLD_AT: Final = 256 * 1024
"""Bytes kept before they are folded: a long stream does not stay in memory."""

_TEXT_DELTA: Final = '"index":0,"delta":{"content":"'
_NOTHING_ELSE: Final = ('},"logprobs":null,"finish_reason":null}]', '},"finish_reason":null}]')
_BOUNDARY: Final = re.compile(rb"\r?\n\r?\n")
# Outside strings only: within one, the quotes would be escaped.
_NULL_USAGE: Final = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,')


class Fold(Protocol):
    """Adds up the events of one stream."""

    def add(self, name: str, data: str) -> None:
        """Take one event: its `event:` field, empty if it has none, and its data."""
        ...

    def body(self) -> dict[str, Any] | None:
        """Return what a call that does not stream would have returned, as far as it is known."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the provider said all that it had to say."""
        ...


def fold(endpoint: str) -> Fold:
    """Return what adds up the events of an endpoint."""
    if endpoint in ("chat/completions", "completions"):
        return ChatFold()
    if endpoint == "responses":
        return ResponsesFold()
    return LastFold(*_ENDINGS.get(endpoint, _ANY_ENDING))


def folded(adding: Fold, raw: bytes) -> dict[str, Any] | None:
    """Return what a stream that was read at once amounts to."""
    for name, data in events(raw):
        adding.add(name, data)
    return adding.body()


_ENDINGS: Final = {
    "audio/transcriptions": ("transcript.text.done",),
    "audio/speech": ("speech.audio.done",),
    "images/generations": ("image_generation.completed",),
    "images/edits": ("image_edit.completed",),
    "threads/runs": tuple(f"thread.run.{status}" for status in ("completed", "incomplete", "failed", "cancelled", "expired")),
}
_ANY_ENDING: Final = (".completed", ".done", ".failed")


class EventReader:
    """Follows an event stream for a call: keeps the bytes, and finishes the call with what they amount to."""

    def __init__(
        self, call: Call, fold: Fold, finish: Callable[[Fold, BaseException | None], None], *, hide_usage: bool
    ) -> None:
        self._call, self._fold, self._finish = call, fold, finish
        self._kept: list[bytes] = []
        self._size = 0
        self._hider = UsageHider() if hide_usage else None

    def feed(self, chunk: bytes) -> bytes:
        if not self._kept:
            self._call.first_chunk()
        self._kept.append(chunk)
        self._size += len(chunk)
        if self._size > FOLD_AT:
            self._read(rest=False)
        return chunk if self._hider is None else self._hider.feed(chunk)

    def flush(self) -> bytes:
        return b"" if self._hider is None else self._hider.flush()

    def end(self, error: BaseException | None) -> None:
        self._call.stop()
        outbox.put(partial(self._end, error))

    def _end(self, error: BaseException | None) -> None:
        try:
            self._read(rest=True)
        finally:
            self._finish(self._fold, error)

    def _read(self, *, rest: bool) -> None:
        """Fold what was kept; without `rest`, keep the last event, which may not be whole yet."""
        raw = b"".join(self._kept)
        self._kept, self._size = [], 0
        if not rest:
            *whole, last = _BOUNDARY.split(raw)
            raw = b"\n\n".join(whole)
            # Not empty, so that the first chunk stays the first. A single event of any size is kept until it is whole.
            self._kept, self._size = [last], 0
        for name, data in events(raw):
            self._call.chunks += 1
            self._fold.add(name, data)


def events(raw: bytes) -> Iterator[tuple[str, str]]:
    """Return the events of a stream as pairs of name and data; what has no data is left out."""
    text = raw.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for event in text.split("\n\n"):
        if event.startswith("data: ") and "\n" not in event:
            yield "", event[6:]
        elif event:
            yield from _fields(event)


def _fields(event: str) -> Iterator[tuple[str, str]]:
    name, data = "", []
    for line in event.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    if data:
        yield name, "\n".join(data)


def _parsed(data: str) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class UsageHider:
    """Takes out of a stream what `include_usage` put in: `"usage":null` in every chunk, and the chunk with the usage.

    Whole events only: what is not whole yet is held back until it is, as the application's decoder would do.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        data = self._held + chunk if self._held else chunk
        if data.endswith(b"\n\n"):
            self._held = b""
        else:
            cut = _last_boundary(data)
            data, self._held = data[:cut], data[cut:]
        if b'"usage"' not in data:
            return data
        data = data.replace(b',"usage":null', b"")
        return self._without_usage(data) if b'"usage"' in data else data

    def flush(self) -> bytes:
        held, self._held = self._held, b""
        return self._without_usage(held) if b'"usage"' in held else held

    def _without_usage(self, data: bytes) -> bytes:
        shown = bytearray()
        start = 0
        for boundary in _BOUNDARY.finditer(data):
            event, start = data[start : boundary.end()], boundary.end()
            if b'"usage"' in event:
                event = b"" if _is_usage_chunk(event) else _NULL_USAGE.sub(b"", event)
            shown += event
        rest = data[start:]
        if not (b'"usage"' in rest and _is_usage_chunk(rest)):
            shown += rest
        return bytes(shown)


def _last_boundary(data: bytes) -> int:
    """Return where the last whole event ends; 0 if none does."""
    lf, crlf = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(lf + 2 if lf >= 0 else 0, crlf + 4 if crlf >= 0 else 0)


def _is_usage_chunk(event: bytes) -> bool:
    """Whether this is the chunk that only `include_usage` brings: no choices, and a usage."""
    for _, data in events(event):
        found = _parsed(data)
        return found is not None and found.get("choices") == [] and bool(found.get("usage"))
    return False


class ChatFold:
    """Chat completion chunks, and those of legacy completions."""

    def __init__(self) -> None:
        self._base: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._first: dict[str, Any] = self._choice(0)
        self._first_text: list[str] = self._first["content"]
        self._done = False
        self._error: Any = None

    @property
    def complete(self) -> bool:
        return self._done and self._error is None

    def add(self, name: str, data: str) -> None:
        at = data.find(_TEXT_DELTA)
        if at >= 0 and self._base and self._add_text(data, at + len(_TEXT_DELTA)):
            return
        if data.startswith("[DONE]"):
            self._done = True
            return
        chunk = _parsed(data)
        if chunk is not None:
            self._add_chunk(chunk)

    def _add_text(self, data: str, start: int) -> bool:
        """Take a chunk that is nothing but a piece of text; return False if it is more."""
        try:
            text, end = scanstring(data, start)
        except ValueError:
            return False
        if not data.startswith(_NOTHING_ELSE, end) or '"usage":{' in data[end:]:
            return False
        self._first_text.append(text)
        return True

    def _add_chunk(self, chunk: Mapping[str, Any]) -> None:
        if chunk.get("error"):
            self._error = chunk["error"]
        for key, value in chunk.items():
            if key != "choices" and value is not None:
                self._base[key] = value
        for choice in _dicts(chunk.get("choices")):
            index = choice.get("index")
            self._add_choice(self._choice(index if isinstance(index, int) else 0), choice)

    def _choice(self, index: int) -> dict[str, Any]:
        return self._choices.setdefault(
            index, {"role": "assistant", "content": [], "refusal": [], "tools": {}, "audio": {}, "reason": None}
        )

    def _add_choice(self, found: dict[str, Any], choice: Mapping[str, Any]) -> None:
        found["reason"] = choice.get("finish_reason") or found["reason"]
        delta = choice.get("delta")
        if isinstance(choice.get("text"), str):
            found["content"].append(choice["text"])
        if not isinstance(delta, Mapping):
            return
        found["role"] = delta.get("role") or found["role"]
        for key in ("content", "refusal"):
            if isinstance(delta.get(key), str):
                found[key].append(delta[key])
        for call in _dicts(delta.get("tool_calls")):
            _add_tool_call(found["tools"], call)
        if isinstance(delta.get("function_call"), Mapping):
            _add_tool_call(found["tools"], {"index": -1, "function": delta["function_call"]})
        if isinstance(delta.get("audio"), Mapping):
            _add_audio(found["audio"], delta["audio"])

    def body(self) -> dict[str, Any] | None:
        if not self._base:
            return None
        return {**self._base, "choices": [_message(index, found) for index, found in sorted(self._choices.items())]}


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _add_tool_call(found: dict[int, dict[str, Any]], delta: Mapping[str, Any]) -> None:
    call = found.setdefault(delta.get("index") or 0, {"id": None, "name": None, "arguments": []})
    call["id"] = delta.get("id") or call["id"]
    function = delta.get("function") or delta.get("custom")
    if isinstance(function, Mapping):
        call["name"] = function.get("name") or call["name"]
        piece = function.get("arguments") or function.get("input")
        if isinstance(piece, str):
            call["arguments"].append(piece)


def _add_audio(found: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for key in ("id", "expires_at"):
        if delta.get(key) is not None:
            found[key] = delta[key]
    for key in ("transcript", "data"):
        if isinstance(delta.get(key), str):
            found.setdefault(key, []).append(delta[key])


def _message(index: int, found: Mapping[str, Any]) -> dict[str, Any]:
    text = "".join(found["content"])
    message: dict[str, Any] = {"role": found["role"], "content": text or None}
    if found["refusal"]:
        message["refusal"] = "".join(found["refusal"])
    if found["tools"]:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
            }
            for _, call in sorted(found["tools"].items())
        ]
    if found["audio"]:
        message["audio"] = {
            key: "".join(value) if isinstance(value, list) else value for key, value in found["audio"].items()
        }
    return {"index": index, "message": message, "text": text, "finish_reason": found["reason"]}


class ResponsesFold:
    """Events of the Responses API: the last one has the whole response; the pieces matter only if it never comes."""

    _LAST: Final = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")

    def __init__(self) -> None:
        self._response: dict[str, Any] | None = None
        self._last = ""
        self._text: list[str] = []

    @property
    def complete(self) -> bool:
        return self._last in self._LAST

    def add(self, name: str, data: str) -> None:
        if name == "response.output_text.delta":
            self._text.append(data)
        elif name in self._LAST or name in ("", "response.created", "response.queued", "response.in_progress", "error"):
            event = _parsed(data) or {}
            kind = name or str(event.get("type", ""))
            if isinstance(event.get("response"), dict):
                self._response, self._last = event["response"], kind

    def body(self) -> dict[str, Any] | None:
        if self._response is None or self.complete:
            return self._response
        text = "".join(str((_parsed(data) or {}).get("delta", "")) for data in self._text)
        said = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}]
        return {**self._response, "output": said if text else []}


class LastFold:
    """Streams whose last event has everything: transcriptions, images, speech, runs."""

    def __init__(self, *endings: str) -> None:
        self._endings = endings
        self._body: dict[str, Any] | None = None
        self._ended = False
        self._images = 0
        self._text: list[str] = []

    @property
    def complete(self) -> bool:
        return self._ended

    def add(self, name: str, data: str) -> None:
        if name == "done" or data.startswith("[DONE]"):
            return
        # A piece of audio or a preview of an image is large, and says nothing.
        if "audio.delta" in data[:64] or "partial_image" in data[:64] or "thread.message.delta" in name:
            return
        event = _parsed(data)
        if event is None:
            return
        kind = name or str(event.get("type", ""))
        if isinstance(event.get("delta"), str):
            self._text.append(event["delta"])
        if kind.endswith(self._endings) and (event.get("usage") is not None or self._body is None or not self._ended):
            self._body, self._ended = event, True
        elif self._body is None:
            self._body = {key: event[key] for key in ("id", "model", "status", "assistant_id") if key in event}
        if kind.endswith("image_generation.completed") or kind.endswith("image_edit.completed"):
            self._images += 1

    def body(self) -> dict[str, Any] | None:
        body = self._body
        if body is not None and self._images:
            body = {**body, "data": [{"b64_json": body.get("b64_json")}] * self._images}
        if body is not None and self._text and "text" not in body:
            body = {**body, "text": "".join(self._text)}
        return body
