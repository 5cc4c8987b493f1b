"""The events of a streamed response, in the order and with the fields of the real one."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from otel_costs.stand_in import tokens
from otel_costs.stand_in.exchange import Event, Json

_HOSTED = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
}


def events(body: Json, *, obfuscated: bool = True) -> Iterator[Event]:
    """Yield the events that end with `body`, whose status names the last one."""
    number = count()

    def event(kind: str, **fields: Any) -> Event:
        return Event({"type": kind, "sequence_number": next(number), **fields}, kind)

    begun = {**body, "status": "in_progress", "output": [], "usage": None, "completed_at": None, "error": None}
    begun["incomplete_details"] = None
    if body.get("background"):
        yield event("response.queued", response={**begun, "status": "queued"})
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for index, item in enumerate(body["output"]):
        for kind, fields in _item(item):
            if kind.endswith(".delta") and obfuscated:
                fields["obfuscation"] = "x7Kp2"[: 1 + index % 5]
            yield event(kind, output_index=index, **fields)
    yield event(f"response.{body['status']}", response=body)


def _item(item: Json) -> Iterator[tuple[str, Json]]:
    kind = item["type"]
    begun = {**item, "status": "in_progress"} if "status" in item else dict(item)
    if kind == "message":
        begun["content"] = []
    elif kind == "function_call":
        begun["arguments"] = ""
    elif kind == "reasoning":
        begun["summary"] = []
    elif kind == "image_generation_call":
        begun["result"] = None
    yield "response.output_item.added", {"item": begun}
    if kind == "message":
        yield from _message(item)
    elif kind == "function_call":
        yield from _function_call(item)
    elif kind == "reasoning":
        yield from _reasoning(item)
    elif kind == "shell_call":
        for index, command in enumerate(item["action"]["commands"]):
            yield "response.shell_call_command.added", {"command_index": index, "command": ""}
            yield "response.shell_call_command.delta", {"command_index": index, "delta": command}
            yield "response.shell_call_command.done", {"command_index": index, "command": command}
    elif kind in _HOSTED:
        yield from _hosted(item)
    yield "response.output_item.done", {"item": item}


def _message(item: Json) -> Iterator[tuple[str, Json]]:
    for index, part in enumerate(item["content"]):
        place = {"item_id": item["id"], "content_index": index}
        yield "response.content_part.added", {**place, "part": {**part, "text": "", "annotations": []}}
        for piece in tokens.pieces(part["text"]):
            yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}
        for number, note in enumerate(part["annotations"]):
            yield "response.output_text.annotation.added", {**place, "annotation_index": number, "annotation": note}
        yield "response.output_text.done", {**place, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**place, "part": part}


def _function_call(item: Json) -> Iterator[tuple[str, Json]]:
    place = {"item_id": item["id"]}
    for start in range(0, len(item["arguments"]), 8):
        yield "response.function_call_arguments.delta", {**place, "delta": item["arguments"][start : start + 8]}
    done = {**place, "name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", done


def _reasoning(item: Json) -> Iterator[tuple[str, Json]]:
    for index, part in enumerate(item["summary"]):
        place = {"item_id": item["id"], "summary_index": index}
        yield "response.reasoning_summary_part.added", {**place, "part": {**part, "text": ""}}
        for piece in tokens.pieces(part["text"]):
            yield "response.reasoning_summary_text.delta", {**place, "delta": piece}
        yield "response.reasoning_summary_text.done", {**place, "text": part["text"]}
        yield "response.reasoning_summary_part.done", {**place, "part": part}


def _hosted(item: Json) -> Iterator[tuple[str, Json]]:
    place = {"item_id": item["id"]}
    first, second, last = _HOSTED[item["type"]]
    yield f"response.{item['type']}.{first}", dict(place)
    if item["type"] == "code_interpreter_call":
        yield "response.code_interpreter_call_code.delta", {**place, "delta": item["code"]}
        yield "response.code_interpreter_call_code.done", {**place, "code": item["code"]}
    yield f"response.{item['type']}.{second}", dict(place)
    if item["type"] == "image_generation_call":
        partial = {"partial_image_index": 0, "partial_image_b64": item["result"]}
        yield "response.image_generation_call.partial_image", {**place, **partial}
    yield f"response.{item['type']}.{last}", dict(place)
