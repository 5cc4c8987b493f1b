"""What a response is made of: the items of its input read, the items of its output written."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from otel_costs.stand_in import models, tokens
from otel_costs.stand_in.assistant import Reply, Turn, reply
from otel_costs.stand_in.exchange import Json, new_id

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
"""A picture of one pixel, a png."""

IMAGE_OUTPUT_TOKENS = 1056
_TOOL_WORDS = {
    "web_search": r"\b(search|news|latest|today)\b",
    "web_search_preview": r"\b(search|news|latest|today)\b",
    "file_search": r"\b(policy|policies|manual|document|file)\b",
    "code_interpreter": r"\b(calculate|compute|plot)\b",
    "shell": r"\b(list|run|execute)\b",
    "image_generation": r"\b(draw|picture|image)\b",
}


@dataclass
class Output:
    """The items of a response, and what they cost besides tokens of text."""

    items: list[Json] = field(default_factory=list)
    tokens: int = 0
    reasoning: int = 0
    searches: int = 0
    images: int = 0
    cut: bool = False


def as_items(given: Any) -> list[Json]:
    """Return an input, a text or a list, as a list of items."""
    return [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else list(given or [])


def item_tokens(item: Json) -> int:
    """Return what an item of the input or of the history counts."""
    if item.get("type") in ("function_call", "function_call_output"):
        return tokens.count(str(item.get("arguments") or item.get("output") or "")) + 8
    text, audio, image = tokens.content_tokens(item.get("content"))
    return text + audio + image + tokens.TOKENS_PER_MESSAGE


def turn_of(items: Sequence[Json]) -> Turn:
    """Return the last turn of a history."""
    last = max((i for i, item in enumerate(items) if item.get("role") == "user"), default=-1)
    question = _text(items[last].get("content")) if last >= 0 else ""
    since = items[last + 1 :]
    called = tuple(item["name"] for item in since if item.get("type") == "function_call")
    results = tuple(_text(item.get("output")) for item in since if item.get("type") == "function_call_output")
    return Turn(question, called, results)


def answer(asked: Json, items: Sequence[Json]) -> Output:
    """Write the output that a request with this history gets."""
    out = Output()
    turn = turn_of(items)
    effort = (asked.get("reasoning") or {}).get("effort")
    out.reasoning = models.reasoning_tokens(asked.get("model") or "", effort)
    if out.reasoning:
        thought = [{"type": "summary_text", "text": "The customer wants to know something."}]
        summary = thought if (asked.get("reasoning") or {}).get("summary") else []
        out.items.append({"id": new_id("rs_"), "type": "reasoning", "summary": summary})
    out.tokens = out.reasoning
    for tool in asked.get("tools") or []:
        pattern = _TOOL_WORDS.get(tool["type"])
        if pattern and re.search(pattern, turn.question, re.IGNORECASE):
            _use(tool, turn.question, out)
    functions = [tool for tool in asked.get("tools") or [] if tool["type"] == "function"]
    form = ((asked.get("text") or {}).get("format") or {}).get("schema")
    parallel = asked.get("parallel_tool_calls") is not False
    answered = reply(turn, functions, choice=asked.get("tool_choice", "auto"), parallel=parallel, form=form)
    _write(answered, asked, out)
    return out


def _use(tool: Json, question: str, out: Output) -> None:
    kind = tool["type"].removesuffix("_preview")
    if kind == "web_search":
        out.searches += 1
        action = {"type": "search", "query": question, "queries": [question]}
        out.items.append({"id": new_id("ws_"), "type": "web_search_call", "status": "completed", "action": action})
        opened = {"type": "open_page", "url": "https://example.com/news"}
        out.items.append({"id": new_id("ws_"), "type": "web_search_call", "status": "completed", "action": opened})
    elif kind == "file_search":
        item = {"type": "file_search_call", "status": "completed", "queries": [question], "results": None}
        out.items.append({"id": new_id("fs_"), **item})
    elif kind == "code_interpreter":
        container = tool.get("container")
        item = {
            "id": new_id("ci_"),
            "type": "code_interpreter_call",
            "status": "completed",
            "code": "print(6 * 7)",
            "container_id": container if isinstance(container, str) else new_id("cntr_"),
            "outputs": None,
        }
        out.items.append(item)
    elif kind == "shell":
        out.items += _shell(tool.get("environment") or {"type": "local"})
    else:
        out.images += 1
        item = {"type": "image_generation_call", "status": "completed", "result": base64.b64encode(PIXEL).decode()}
        out.items.append({"id": new_id("ig_"), **item, "quality": "medium", "size": "1024x1024"})


def _shell(environment: Json) -> list[Json]:
    """Return a command and, where the provider runs it, what it wrote; a container of its own has a new id."""
    call = {"call_id": new_id("call_", 24), "status": "completed"}
    asked = {"id": new_id("sh_"), "type": "shell_call", **call, "action": {"commands": ["ls"], "timeout_ms": 1000}}
    if environment["type"] == "local":
        return [{**asked, "environment": {"type": "local"}}]
    container = environment.get("container_id") or new_id("cntr_")
    ran = [{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    output = {"id": new_id("sho_"), "type": "shell_call_output", **call, "output": ran}
    return [{**asked, "environment": {"type": "container_reference", "container_id": container}}, output]


def _write(answer: Reply, asked: Json, out: Output) -> None:
    for name, arguments in answer.calls:
        call = {"type": "function_call", "call_id": new_id("call_", 24), "name": name, "arguments": arguments}
        out.items.append({"id": new_id("fc_"), **call, "status": "completed"})
        out.tokens += tokens.count(name + arguments) + 8
    if answer.calls:
        return
    left = (asked.get("max_output_tokens") or 2**31) - out.tokens
    text = answer.text[: max(left, 0) * tokens.CHARACTERS_PER_TOKEN]
    out.cut = len(text) < len(answer.text)
    out.tokens += tokens.count(text)
    cited = {"type": "url_citation", "start_index": 0, "end_index": min(5, len(text)), "title": "News"}
    notes = [{**cited, "url": "https://example.com/news"}] if out.searches else []
    part = {"type": "output_text", "text": text, "annotations": notes, "logprobs": []}
    status = "incomplete" if out.cut else "completed"
    out.items.append(
        {"id": new_id("msg_"), "type": "message", "status": status, "role": "assistant", "content": [part]}
    )


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(part.get("text") or "" for part in content)
    return content if isinstance(content, str) else json.dumps(content)
