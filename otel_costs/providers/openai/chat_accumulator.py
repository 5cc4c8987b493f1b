"""What a stream of chat completion chunks amounts to.

Most chunks carry nothing but a piece of text, and are read without parsing the rest.
"""

from collections import deque
from collections.abc import Mapping
from functools import reduce
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

from otel_costs.usage.merging import has_usage, merged
from otel_costs.values.json_objects import parsed

_Json = dict[str, Any]

_USAGES: Final = 16
"""Usages of a stream that are kept, the last ones."""

# A chunk that begins and ends so has one choice, and in it nothing but text.
_TEXT_DELTA: Final = '"choices":[{"index":0,"delta":{"content":"'
_TEXT_AT: Final = len(_TEXT_DELTA)
_NOTHING_ELSE: Final = ('},"logprobs":null,"finish_reason":null}]', '},"finish_reason":null}]')


class ChatAccumulator:
    """Chat completion chunks, and those of legacy completions."""

    def __init__(self) -> None:
        self._base: _Json = {}
        self._choices: dict[int, _Json] = {}
        # Some say a usage with every chunk, and some an empty one after the true one: they are put together at the end.
        self._usages: deque[_Json] = deque()
        self._earlier: dict[tuple[str, ...], _Json] = {}  # of those before, the last one of each set of keys
        self._others: dict[int, Any] = {}  # usages of further choices
        self._text: list[str] | None = None  # that of the first choice, once it has begun
        self._done = False

    @property
    def complete(self) -> bool:
        if "error" in self._base:
            return False
        # Not everybody says [DONE].
        return self._done or (bool(self._usages) and any(found["reason"] for found in self._choices.values()))

    def add(self, _: str, data: str) -> None:
        # In one piece: of most streams, nothing else is done as often.
        at = data.find(_TEXT_DELTA)
        if at >= 0 and self._text is not None:
            try:
                text, end = scanstring(data, at + _TEXT_AT)
            except ValueError:
                end = 0
            is_text = end and data.startswith(_NOTHING_ELSE, end)
            if is_text and '"usage":{' not in data and '"usage": {' not in data:
                self._text.append(text)
                return
        if data.startswith("[DONE]"):
            self._done = True
        elif (chunk := parsed(data)) is not None:
            self._add_chunk(chunk)

    def _add_chunk(self, chunk: Mapping[str, Any]) -> None:
        base = self._base
        for key, value in chunk.items():
            if key == "usage":
                self._add_usage(value)
            elif type(value) is dict and key in base:
                base[key] = merged(base[key], value)
            elif key != "choices" and (value or (value is not None and key not in base)):
                base[key] = value
        for choice in _dicts(chunk.get("choices")):
            index = choice.get("index")
            index = index if isinstance(index, int) else 0
            self._add_choice(index, choice)
            if (usage := choice.get("usage")) and not chunk.get("usage"):
                self._add_usage_of_choice(index, usage)  # Moonshot

    def _add_usage(self, usage: Any) -> None:
        if not usage or (self._usages and not has_usage(usage)):
            return
        self._usages.append(usage)
        if len(self._usages) > _USAGES:
            before = self._usages.popleft()
            if tuple(before) in self._earlier or len(self._earlier) < _USAGES:
                self._earlier[tuple(before)] = before

    def _add_usage_of_choice(self, index: int, usage: Any) -> None:
        if index == next(iter(self._choices)):
            self._add_usage(usage)
        else:
            self._others[index] = merged(self._others.get(index), usage)

    def _add_choice(self, index: int, choice: Mapping[str, Any]) -> None:
        found = self._choices.get(index)
        if found is None:
            found = {"role": "assistant", "content": [], "refusal": [], "tools": {}, "audio": {}, "reason": None}
            self._choices[index] = found
            if index == 0:
                self._text = found["content"]
        found["reason"] = choice.get("finish_reason") or found["reason"]
        if isinstance(choice.get("text"), str):
            found["content"].append(choice["text"])
        delta = choice.get("delta")
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

    def body(self) -> _Json | None:
        if not self._base and not self._usages:
            return None
        usages = (*self._earlier.values(), *self._usages)
        usage = {"usage": reduce(merged, usages)} if usages else {}
        # Whether one choice's usage is part of another's is not documented: where they differ, it is named.
        others = [other for other in self._others.values() if not usages or other != usage["usage"]]
        if others:
            reported = usage.get("usage")
            usage["usage"] = {**(reported if isinstance(reported, Mapping) else {}), "choices": others}
        return {
            **self._base,
            **usage,
            "choices": [_message(index, found) for index, found in sorted(self._choices.items())],
        }


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _add_tool_call(found: dict[int, _Json], delta: Mapping[str, Any]) -> None:
    index = delta.get("index")
    call = found.setdefault(index if isinstance(index, int) else 0, {"id": None, "name": None, "arguments": []})
    call["id"] = delta.get("id") or call["id"]
    function = delta.get("function") or delta.get("custom")
    if isinstance(function, Mapping):
        call["name"] = function.get("name") or call["name"]
        piece = function.get("arguments") or function.get("input")
        if isinstance(piece, str):
            call["arguments"].append(piece)


def _add_audio(found: _Json, delta: Mapping[str, Any]) -> None:
    for key in ("id", "expires_at"):
        if delta.get(key) is not None:
            found[key] = delta[key]
    for key in ("transcript", "data"):
        if isinstance(delta.get(key), str):
            found.setdefault(key, []).append(delta[key])


def _message(index: int, found: Mapping[str, Any]) -> _Json:
    text = "".join(found["content"])
    message: _Json = {"role": found["role"], "content": text or None}
    if found["refusal"]:
        message["refusal"] = "".join(found["refusal"])
    if found["tools"]:
        message["tool_calls"] = [_tool_call(call) for _, call in sorted(found["tools"].items())]
    if found["audio"]:
        message["audio"] = {
            key: "".join(value) if isinstance(value, list) else value for key, value in found["audio"].items()
        }
    return {"index": index, "message": message, "text": text, "finish_reason": found["reason"]}


def _tool_call(found: Mapping[str, Any]) -> _Json:
    function = {"name": found["name"], "arguments": "".join(found["arguments"])}
    return {"id": found["id"], "type": "function", "function": function}
